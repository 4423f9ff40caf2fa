//! `warren ctl`, the real program, against a real broker; what RabbitMQ 4.3.6's rabbitmqctl said to
//! the same commands.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "some of it is for tests/amqp and tests/fuzz")]
mod support;

mod checks;
mod lists;
mod operations;
mod tool;
mod users;
