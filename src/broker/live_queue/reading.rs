//! What a queue reads from disk besides messages whose turn is near: dead ones on their way, and,
//! after a restart, what it has to know of all.

use std::sync::Arc;

use super::{LiveQueue, TURN};
use crate::broker::dead_letters::Batch;
use crate::queue::Command;
use crate::queue::deliveries::Deliveries;
use crate::queue::due::NEVER;
use crate::queue::ready::Entry;
use crate::store::{Stored, Wanted};

impl LiveQueue {
    /// Whether the next dead messages have to be [read](Self::exhume) first.
    pub fn must_exhume(&self) -> bool {
        self.core.lock().queue.unread_dead().is_some()
    }

    /// Reads dead messages that are only on disk, a batch of them wherever they stand: those that
    /// were due at odd times stand alone, and changing threads for each costs more than to read it.
    /// Blocks on files.
    pub fn exhume(self: &Arc<Self>, most: usize) {
        let most_bytes = (self.shared.window.bytes / 2) as usize;
        let (mut count, mut bytes) = (0, 0);
        while count < most
            && bytes < most_bytes
            && let Some((read, of_bytes)) = self.exhume_some()
        {
            (count, bytes) = (count + read.max(1), bytes + of_bytes);
        }
    }

    /// Reads some that stand together. Returns how many and how large they are; `None`: there are no
    /// more.
    fn exhume_some(self: &Arc<Self>) -> Option<(usize, usize)> {
        let unread = self.core.lock().queue.unread_dead();
        let (Some(store), Some(unread)) = (self.stored(), unread) else { return None };
        let window = self.shared.window;
        let span = usize::try_from(unread.last - unread.first).unwrap_or(usize::MAX);
        let wanted = Wanted {
            queue: self.id,
            from: unread.first,
            messages: span.saturating_add(1).min(TURN),
            bytes: (window.bytes / 2) as usize,
        };
        let stored = store.fetch(wanted).unwrap_or_else(|why| {
            // They stay on disk, and come back with a restart.
            tracing::error!(queue = %self.name, "cannot read dead messages: {why}");
            Vec::new()
        });
        let done = stored.last().is_none_or(|last| last.position >= unread.last);
        let read = (stored.len(), stored.iter().map(|each| each.message.body_len()).sum());
        let entries = stored.into_iter().map(entry).collect();
        self.turn([Command::Exhumed { entries, done }]);
        Some(read)
    }

    /// Takes dead messages, at most so many, to where they go.
    pub fn take_dead(&self, most: usize) -> Batch {
        let mut core = self.core.lock();
        let dead = core.queue.take_dead(most);
        let more = core.queue.has_dead();
        core.is_asked_for_dead = more || !dead.is_empty();
        let to = core.queue.settings().and_then(|settings| settings.dead_letter.clone());
        Batch { dead, to, more }
    }

    /// After a restart: looks for messages that are due some time, or of a higher priority, if
    /// there may be any. It takes its time; nobody waits for it.
    pub fn get_to_know(self: &Arc<Self>) {
        let unknown = self.core.lock().queue.unknown_from().is_some();
        if unknown && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let queue = Arc::clone(self);
            runtime.spawn_blocking(move || queue.discover());
        }
    }

    fn discover(self: &Arc<Self>) {
        let Some(store) = self.stored() else { return };
        loop {
            let unknown = self.core.lock().queue.unknown_from();
            let Some(from) = unknown else { return };
            let bytes = (self.shared.window.bytes / 2) as usize;
            let wanted = Wanted { queue: self.id, from, messages: TURN, bytes };
            let stored = match store.fetch(wanted) {
                Ok(stored) => stored,
                Err(why) => {
                    tracing::error!(queue = %self.name, "cannot look for what is due: {why}");
                    Vec::new()
                }
            };
            self.turn([Command::Discovered(stored.into_iter().map(entry).collect())]);
        }
    }
}

/// A message as the queue has it.
pub(super) fn entry(stored: Stored) -> Entry {
    let Stored { position, deliveries, expires, message } = stored;
    let deliveries = Deliveries::from_stored(deliveries);
    Entry { position, deliveries, due: expires.unwrap_or(NEVER), message }
}
