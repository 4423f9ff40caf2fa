//! What systemd is told (`Type=notify`): that the broker is ready, that it ends, and that it is alive.
//! Without systemd nothing happens.

use std::convert::Infallible;
use std::time::Duration;

use sd_notify::NotifyState;

/// The ports are open.
pub(crate) fn ready() {
    tell(NotifyState::Ready);
}

/// The broker ends.
pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Says that the broker's tasks run, twice as often as systemd's watchdog wants to hear it.
pub(crate) async fn feed_watchdog() -> Infallible {
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut ticks = tokio::time::interval((patience / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        tell(NotifyState::Watchdog);
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
