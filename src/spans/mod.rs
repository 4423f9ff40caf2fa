//! What OpenTelemetry is told of messages: whose trace a message belongs to, whether it is shown,
//! and what the spans of its way say.
//!
//! A message's trace stands in its headers (W3C `traceparent`), so whoever hands it out, also
//! after a restart, finds it there. Ids of spans are [derived](ids) from what both ends know, so
//! nothing is kept between a message's arrival and its delivery, or a delivery and its ack.
//!
//! It decides and does not do: when it is now, chance, and where spans go are others' business.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod context;
pub mod ids;
pub mod sampling;
pub mod semantics;
pub mod step;
