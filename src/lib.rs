//! Warren.
pub mod message;
pub mod names;

pub mod wire;
pub mod queue;
pub mod ledger;
pub mod protocol;
pub mod routing;
pub mod topology;
