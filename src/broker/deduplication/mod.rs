//! Exchanges that let a message pass once (`x-message-deduplication`).
//!
//! What tells messages apart is the value of a header (`x-deduplication-header` names it); messages
//! without it pass. Each such exchange has a [`Guard`] with the values of the last messages. A
//! duplicate goes nowhere, and is confirmed like the message that it repeats: once that is safe.
//!
//! On a durable exchange the values of persistent messages are stored, each behind the message it
//! belongs to, under a queue number that nobody else knows. So after a crash a value is remembered
//! only if its message is there; at worst a message is let in a second time whose publisher had not
//! been told of the first. Queues do the same within their turns (`live_queue/duplicates.rs`). What reached no queue, or was refused by one, is not remembered: it may
//! come again. Dead letters and messages that have waited are no publisher's, and pass.

mod batch;
mod firsts;
mod window;

use std::hash::Hash;
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;

use batch::Batch;
pub(super) use firsts::Firsts;
pub(super) use window::{Key, key};
use window::{Seen, Window};

use super::Shared;
use super::kept::KeptRow;
use super::live_queue::{Found, append};
use crate::message::{Message, Parts};
use crate::names::{LogPosition, QueueId};
use crate::queue::options::Deduplication;
use crate::store::{NewMessage, Reason, Record, Store, Together, Wanted};
use crate::wire::content::header;

/// How many values are read back in one go.
const AT_ONCE: usize = 4096;
/// About how many bytes of them.
const BYTES_AT_ONCE: usize = 1 << 20;

/// The guards of one vhost's exchanges, or of its queues.
pub(super) struct Guards<Id: Eq + Hash> {
    of: DashMap<Id, Arc<Guard>>,
}

/// What one exchange, or queue, has seen lately. A leaf among the locks, but for the store's inbox.
pub(super) struct Guard {
    /// Under which number values are stored.
    id: QueueId,
    /// Where, and the row that says so; `None`: nowhere.
    stored: Option<(Arc<Store>, KeptRow)>,
    shared: Arc<Shared>,
    window: Mutex<Window>,
}

/// What a guard has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deduplicated {
    /// Values that it remembers.
    pub remembered: usize,
    /// Messages that it has stopped.
    pub duplicates: u64,
}

/// A value that was noted as the first of its kind, in a queue's turn.
pub(super) struct Noted<'a> {
    guard: &'a Guard,
    key: Key,
    position: u64,
    batch: Arc<Batch>,
}

impl<Id: Eq + Hash> Default for Guards<Id> {
    fn default() -> Self {
        Self { of: DashMap::new() }
    }
}

impl<Id: Copy + Eq + Hash> Guards<Id> {
    /// The guard of an exchange, which is made when it is first needed.
    pub(super) fn of(
        &self,
        exchange: Id,
        shared: &Arc<Shared>,
        row: impl FnOnce() -> Option<KeptRow>,
    ) -> Arc<Guard> {
        let make = || {
            let id = shared.next_queue_id();
            let stored = shared.store.clone().zip(row());
            if let Some((_, row)) = &stored {
                shared.write_rows(&[row.change(id)], &[]);
            }
            let (shared, window) = (Arc::clone(shared), Mutex::default());
            Arc::new(Guard { id, stored, shared, window })
        };
        Arc::clone(&self.of.entry(exchange).or_insert_with(make))
    }

    /// What an exchange's guard has counted.
    pub(super) fn counts(&self, exchange: Id) -> Deduplicated {
        self.of.get(&exchange).map_or_else(Deduplicated::default, |guard| guard.counts())
    }

    /// Takes a guard back, at start.
    pub(super) fn restore(
        &self,
        exchange: Id,
        row: KeptRow,
        id: QueueId,
        found: Found,
        shared: &Arc<Shared>,
    ) {
        let stored = shared.store.clone().zip(Some(row));
        let guard = Guard { id, stored, shared: Arc::clone(shared), window: Mutex::default() };
        guard.load();
        guard.window.lock().go_on_from(found.next_position);
        self.of.insert(exchange, Arc::new(guard));
    }

    /// Whether values of one of them are stored under this number.
    pub(super) fn has(&self, id: QueueId) -> bool {
        self.of.iter().any(|guard| guard.id == id)
    }

    /// Forgets the guards of exchanges that are gone.
    pub(super) fn keep(&self, exists: impl Fn(Id) -> bool) {
        if self.of.is_empty() {
            return;
        }
        self.of.retain(|exchange, guard| {
            let stays = exists(*exchange);
            if let Some((_, row)) = guard.stored.as_ref().filter(|_| !stays) {
                guard.shared.write_rows(&[row.gone()], &[guard.id]);
            }
            stays
        });
    }
}

impl Guard {
    /// What it has counted.
    pub(super) fn counts(&self) -> Deduplicated {
        let window = self.window.lock();
        Deduplicated { remembered: window.len(), duplicates: window.duplicates }
    }

    /// Whether a value is remembered.
    pub(super) fn knows(&self, key: &Key, rules: &Deduplication) -> bool {
        self.window.lock().knows(key, rules, self.shared.clock.now())
    }

    /// Notes a value in a queue's turn, which is settled within it. If it was there: with what the
    /// message becomes safe that is repeated.
    pub(super) fn note(&self, key: Key, rules: &Deduplication) -> Result<Noted<'_>, LogPosition> {
        let batch = Arc::default();
        match self.see(key, rules, &batch) {
            Seen::Never(position) => Ok(Noted { guard: self, key, position, batch }),
            Seen::Before(batch) => Err(batch.and_then(|batch| batch.settled()).unwrap_or_default()),
        }
    }

    /// Whether a value has been seen; if not, it has now, with this batch of publishes.
    fn see(&self, key: Key, rules: &Deduplication, batch: &Arc<Batch>) -> Seen {
        let now = self.shared.clock.now();
        self.window.lock().see(key, rules, now, batch, |position| self.gone(position))
    }

    /// Stores a value, if it is still remembered.
    fn keep(&self, key: &Key, position: u64, together: Option<&Together>) -> LogPosition {
        let Some((store, _)) = &self.stored else { return LogPosition::default() };
        let window = self.window.lock();
        let Some(at) = window.since(key, position) else { return LogPosition::default() };
        let message = Message::from_parts(Parts {
            exchange: b"",
            routing_key: b"",
            header: &header(key.len() as u64, &[]),
            body: key,
            persistent: true,
            priority: 0,
            expires: false,
            died: false,
        });
        let record = Record::Message(NewMessage {
            queue: self.id,
            position,
            message: &message,
            expires: Some(at),
            lasting: true,
            shared: None,
        });
        append(store, record, together)
    }

    /// A value's message went nowhere.
    fn forget(&self, key: &Key, position: u64) {
        self.window.lock().forget(key, position);
    }

    /// A value has left the window.
    fn gone(&self, position: u64) {
        if let Some((store, _)) = &self.stored {
            let reason = Reason::Expired;
            store.append(Record::Gone { queue: self.id, first: position, count: 1, reason });
        }
    }

    /// Reads back what was stored.
    fn load(&self) {
        let Some((store, _)) = &self.stored else { return };
        let mut window = self.window.lock();
        let mut from = 0;
        loop {
            let (messages, bytes) = (AT_ONCE, BYTES_AT_ONCE);
            let stored = match store.fetch(Wanted { queue: self.id, from, messages, bytes }) {
                Ok(stored) => stored,
                Err(why) => {
                    tracing::error!(exchange = ?self.id, "cannot read back what tells duplicates: {why}");
                    return;
                }
            };
            for each in &stored {
                if let Some(key) = each.message.body().first_chunk() {
                    window.restore(each.position, *key, each.expires.unwrap_or_default());
                }
            }
            match stored.last() {
                Some(last) => from = last.position + 1,
                None => return,
            }
        }
    }
}

impl Noted<'_> {
    /// Its message is safe with a log position; what it is remembered by is stored behind it, if
    /// it is to survive a restart. Returns what makes both safe.
    pub(super) fn settle(
        self,
        safe_at: LogPosition,
        keeps: bool,
        together: Option<&Together>,
    ) -> LogPosition {
        let safe_at = if keeps {
            safe_at.max(self.guard.keep(&self.key, self.position, together))
        } else {
            safe_at
        };
        self.batch.settle(safe_at);
        safe_at
    }
}
