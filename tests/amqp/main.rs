//! Warren over real sockets: every test starts a broker of its own and talks to it with lapin or
//! frame by frame.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "some of it is for tests/fuzz")]
mod support;

mod auth_http;
mod auth_oauth2;
mod cancelling;
mod channels;
mod closing;
mod confirms;
mod consuming;
mod deduplication;
mod delayed;
mod exchange_kinds;
mod full_memory;
mod handshake;
mod heartbeats;
mod lifetimes;
mod limits;
mod low_disk;
mod mistakes;
mod notices;
mod opentelemetry;
mod permissions;
mod policies;
mod prefetch;
mod publishing;
mod reply_to;
mod returning;
mod shutdown;
mod stalled_consumers;
mod tables;
mod tls;
mod transactions;
mod tuning;
mod users;
mod vhosts;
