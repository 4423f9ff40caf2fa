//! Warren.
pub mod message;
pub mod names;

pub mod wire;
pub mod queue;
pub mod ledger;
pub mod protocol;
pub mod routing;
pub mod topology;
pub mod auth;
pub mod broker;
pub mod config;
pub mod store;
pub mod net;
pub mod management;
pub mod perf;
pub mod server;
