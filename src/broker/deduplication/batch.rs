//! When the publishes of one connection's read become safe, for those of others that repeat one.

use parking_lot::{Condvar, Mutex};

use crate::names::LogPosition;

/// The publishes that become safe together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    safe_at: Mutex<Option<LogPosition>>,
    known: Condvar,
}

impl Batch {
    /// It is known now.
    pub(super) fn settle(&self, safe_at: LogPosition) {
        *self.safe_at.lock() = Some(safe_at);
        self.known.notify_all();
    }

    /// Waits until it is known. It soon is: whoever publishes does so without waiting for anything,
    /// and whoever waits here has first settled a batch of its own.
    pub(super) fn wait(&self) -> LogPosition {
        let mut safe_at = self.safe_at.lock();
        loop {
            match *safe_at {
                Some(position) => return position,
                None => self.known.wait(&mut safe_at),
            }
        }
    }

    /// With what they become safe, if it is known.
    pub(super) fn settled(&self) -> Option<LogPosition> {
        *self.safe_at.lock()
    }
}
