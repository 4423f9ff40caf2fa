//! The management API over real sockets: what RabbitMQ 4.3.6 answered to the same requests.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "some of it is for tests/amqp and tests/fuzz")]
mod support;

mod http;

mod alarms;
mod attempts;
mod dashboard;
mod definitions;
mod elsewhere;
mod events;
mod exported;
mod hostile;
mod lists;
mod live;
mod logs;
mod messages;
mod moving;
mod openapi;
mod parts;
mod peeking;
mod permitted;
mod policies;
mod prometheus;
mod rates;
mod refusals;
mod scheduled;
mod throttling;
mod users;
