//! Records that count only together, though others stand between them.
//!
//! A tx.commit or a dead letter concerns several queues, each of which appends in a turn of its
//! own. All of that carries one number, and it counts once the record is on the disk that says so:
//! after a crash there is all of it or nothing. While the broker runs, messages can be fetched as
//! soon as they are appended; what left is not forgotten before it is sure that it left.

use std::cell::Cell;
use std::sync::Arc;

use super::record::Record;
use super::shared::Shared;
use crate::names::LogPosition;

/// A transaction of the store. Dropped without [`Self::commit`], nothing of it has happened.
pub struct Together {
    shared: Arc<Shared>,
    /// The position of its first record; 0 = it has none.
    number: Cell<u64>,
}

impl Together {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, number: Cell::new(0) }
    }

    /// Appends a record. Messages that reached or left a queue count once this is committed;
    /// whatever else is said counts at once.
    pub fn append(&self, record: Record<'_>) -> LogPosition {
        let mut number = self.number.get();
        let position = self.shared.inbox.append_within(&record, &mut number);
        self.number.set(number);
        position
    }

    /// From now on all of it counts. It is safe once the log is durable up to the answer, which
    /// is 0 if there is nothing to be made safe.
    pub fn commit(self) -> LogPosition {
        self.settle(true)
    }

    fn settle(&self, committed: bool) -> LogPosition {
        match self.number.take() {
            0 => LogPosition::default(),
            number => self.shared.inbox.settle(number, committed),
        }
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        self.settle(false);
    }
}

impl std::fmt::Debug for Together {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Together").field(&self.number.get()).finish()
    }
}
