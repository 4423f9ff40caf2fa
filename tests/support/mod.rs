//! What integration tests are written with: a broker for each test, and a client that shows every
//! frame.
//!
//! Nothing here sleeps. Whoever waits, waits for an event until [`PATIENCE`] is over; that nothing
//! comes is shown by listening for [`A_MOMENT`].

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod elsewhere;
pub(crate) mod login;
pub(crate) mod notices;
pub(crate) mod payload;
pub(crate) mod token;

use std::time::{Duration, Instant};

pub(crate) use broker::TestBroker;
pub(crate) use client::{Client, Heard};
pub(crate) use elsewhere::Elsewhere;
pub(crate) use login::Login;
pub(crate) use payload::Payload;

/// How long an event may take: long enough for a busy machine, for it is only spent on failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long is listened to show that nothing comes.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(150);

/// Waits until something holds.
///
/// # Panics
/// If it does not within [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not so after {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
