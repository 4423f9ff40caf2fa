//! A queue that is not durable, while memory is scarce: what does not fit its window goes to disk.
//!
//! Such messages are in the log as passing ones: nothing waits for them to be safe, and a restart
//! forgets them. What is in memory already stays there until it is taken.

use std::sync::atomic::Ordering;

use super::{Core, LiveQueue};
use crate::store::Record;

impl LiveQueue {
    /// Looks, at the end of a turn, whether memory is scarce or no longer so.
    #[inline]
    pub(super) fn watch_memory(&self, core: &mut Core) {
        if !self.durable && self.shared.memory.is_scarce() != self.stores.load(Ordering::Relaxed) {
            self.change_place(core);
        }
    }

    #[cold]
    fn change_place(&self, core: &mut Core) {
        let Some(store) = &self.shared.store else { return };
        if self.stores.load(Ordering::Relaxed) {
            if core.queue.return_to_memory() {
                store.append(Record::QueueDeleted { queue: self.id });
                self.stores.store(false, Ordering::Relaxed);
            }
        } else if core.queue.overflow_to_disk(self.shared.window) {
            tracing::info!(queue = %self.name, "memory is scarce: what comes now goes to disk");
            self.stores.store(true, Ordering::Relaxed);
        }
    }

    /// The queue was deleted: so is what it has on disk. What is deleted of a durable one is told
    /// together with its rows.
    pub(super) fn forget_overflow(&self) {
        if !self.durable
            && let Some(store) = self.stored()
        {
            store.append(Record::QueueDeleted { queue: self.id });
        }
    }
}
