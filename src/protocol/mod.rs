//! What one peer may say next.
//!
//! Owns the states of a connection and its channels, and every way for a peer to be wrong. It
//! must not know what queues hold, sockets, or other connections. Frames come in as the wire
//! module split them; what comes out is for the shell to carry out.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod channel;
pub mod confirms;
pub mod connection;
pub mod content;
pub mod deliveries;
pub mod fault;
pub mod publish_rules;
pub mod request;
