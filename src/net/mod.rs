//! Sockets: who connects, what they say, what they are told.
//!
//! A connection is two tasks: the session reads (bytes → protocol → broker), the writer drains
//! the outbox. Both end with the connection.

mod asking;
mod consulting;
mod frames;
mod handshake;
pub mod listener;
mod open_channel;
mod publishes;
mod publishing;
mod read_buffer;
mod server_properties;
mod session;
mod settling;
mod waiting;
mod writer;
