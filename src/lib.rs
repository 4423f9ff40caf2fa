//! Warren, a message broker that speaks AMQP 0-9-1 and behaves as RabbitMQ does.
//!
//! [`server::Server::start`] runs a whole broker in this process. The modules, in reading order:
//! first the pure half, which decides (plain state, no clock, lock, task, file or socket), then
//! the shell, which does. A module uses only those above it; `tests/architecture.rs` watches.
//!
//! # Life of a message
//!
//! 1. A session ([`net`]) reads whatever its client has sent into one large buffer. [`wire`]
//!    splits it into frames without a copy; [`protocol`] knows what the client may say next.
//! 2. A publish (method, header and body stand behind each other) becomes one [`message`]: one
//!    allocation, one copy.
//! 3. [`broker::publish`] knows from last time where its exchange and key lead, or asks
//!    [`topology`] and [`routing`], and puts it in line for each of its queues.
//! 4. At the end of the read every queue concerned gets one turn ([`broker::live_queue`]): its
//!    lock is taken, [`queue`] applies the batch, and says who gets what. Deliveries are encoded
//!    into the consumers' outboxes ([`broker::outbox`]) under that same lock.
//! 5. A consumer's writer swaps the outbox's buffer out and writes it: one system call for all
//!    that gathered meanwhile.
//! 6. Publishes that ask for it are confirmed, by one basic.ack for all of this read, once
//!    [`store`] says that what they wait for is safe.
//! 7. The consumer's acks come back through its own session; the turn that settles them hands out
//!    the next messages.

pub mod message;
pub mod names;

pub mod counter;
pub mod ledger;
pub mod wire;

pub mod protocol;

pub mod routing;

pub mod queue;

pub mod policy;

pub mod topology;

pub mod spans;

pub mod config;

pub mod logs;

pub mod store;

pub mod auth;
pub mod client;
pub mod otlp;
pub mod transport;

pub mod broker;

pub mod net;

pub mod metrics;

pub mod web;

pub mod prometheus;

pub mod management;

pub mod perf;

pub mod ctl;

pub mod server;

pub mod offline;
