//! A queue's messages, read back from disk when their turn comes near.
//!
//! What cannot be read is never passed over in silence. A damaged message is named in the log and
//! the rest goes on; it stays on disk as it is, so that salvaging can say so too. Where the system
//! refuses to read, the queue tries again until it can, for the messages may be sound.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::LiveQueue;
use super::reading::entry;
use crate::queue::Command;
use crate::store::{CannotFetch, Wanted};

/// How long to wait before files that could not be read are tried again.
const PAUSE: Duration = Duration::from_secs(1);

impl LiveQueue {
    /// Reads messages from disk into the window. Blocks on files. Returns whether the queue has
    /// come further.
    pub(super) fn fetch_from_disk(self: &Arc<Self>, round: u64, from: u64) -> bool {
        let Some(store) = self.stored() else { return false };
        let window = self.shared.window;
        let wanted = Wanted {
            queue: self.id,
            from,
            messages: (window.messages / 2).max(1),
            bytes: (window.bytes / 2) as usize,
        };
        match store.fetch(wanted) {
            Ok(stored) => {
                let entries = stored.into_iter().map(entry).collect();
                self.reads_refused.store(0, Ordering::Relaxed);
                self.turn([Command::Fetched { round, entries }]);
                self.report_missing();
                true
            }
            Err(why) => self.cannot_fetch(round, from, &why),
        }
    }

    fn cannot_fetch(self: &Arc<Self>, round: u64, from: u64, why: &CannotFetch) -> bool {
        match why {
            CannotFetch::Damaged { position, .. } => {
                let position = *position;
                tracing::error!(queue = %self.name, position, "a message cannot be read and is passed over: {why}");
                self.turn([Command::Unreadable { round, position }]);
                let mut core = self.core.lock();
                core.reported_missing = core.queue.counters().missing;
                true
            }
            CannotFetch::Io { .. } => {
                if self.reads_refused.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::error!(queue = %self.name, "cannot read messages back, trying again: {why}");
                }
                self.fetch_later(round, from);
                false
            }
            // The broker is about to end.
            CannotFetch::Failed(_) => false,
        }
    }

    fn fetch_later(self: &Arc<Self>, round: u64, from: u64) {
        let queue = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            let Some(queue) = queue.upgrade().filter(|queue| !queue.core.lock().queue.is_deleted())
            else {
                return;
            };
            tokio::task::spawn_blocking(move || queue.fetch_from_disk(round, from));
        });
    }

    /// Messages that the disk should have and has not are never passed over in silence.
    fn report_missing(&self) {
        let mut core = self.core.lock();
        let missing = core.queue.counters().missing;
        let new = missing - std::mem::replace(&mut core.reported_missing, missing);
        if new > 0 {
            tracing::error!(queue = %self.name, "{new} messages are not on disk where they should be");
        }
    }
}
