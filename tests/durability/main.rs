//! Durability as whoever runs a broker meets it: the `warren` command on a data directory that is
//! damaged, full, locked, somebody else's, or simply looked at.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod checking;
mod definitions;
mod full_disk;
mod process;
#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other half is for tests/amqp")]
mod support;
