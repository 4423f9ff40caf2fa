//! What the broker's counters say over time: totals, rates, samples.
//!
//! Reads the broker's counters every few seconds; the broker never calls it. Objects at which
//! nothing ever happened are not kept, and those at which nobody looks only for as long as a rate
//! needs.

pub mod figures;
pub mod history;
pub mod machine;
pub mod memory;
pub mod recent;
pub mod sampler;

/// RabbitMQ's version that tools are told: the one whose behaviour this is.
pub const RABBITMQ_VERSION: &str = "4.3.6";
