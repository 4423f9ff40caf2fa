//! Exchanges that let a message pass once (`x-message-deduplication`).
//!
//! What tells messages apart is the value of a header (`x-deduplication-header` names it); messages
//! without it pass. Each such exchange has a [`Guard`] with the values of the last messages. A
//! duplicate goes nowhere, and is confirmed like the message that it repeats: once that is safe.
//!
//! On a durable exchange the values of persistent messages are stored, each behind the message it
//! belongs to, under a queue number that nobody else knows. So after a crash a value is remembered
//! only if its message is there; at worst a message is let in a second time whose publisher had not
//! been told of the first. What reached no queue, or was refused by one, is not remembered: it may
//! come again. Dead letters and messages that have waited are no publisher's, and pass.

mod batch;
mod firsts;
mod window;

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
use crate::topology::ExchangeId;
use crate::wire::content::header;

/// How many values are read back in one go.
const AT_ONCE: usize = 4096;
/// About how many bytes of them.
const BYTES_AT_ONCE: usize = 1 << 20;

/// The guards of one vhost's exchanges.
#[derive(Default)]
pub(super) struct Guards {
    of: DashMap<ExchangeId, Arc<Guard>>,
}

/// What one exchange has seen lately. A leaf among the locks, but for the store's inbox.
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

impl Guards {
    /// The guard of an exchange, which is made when it is first needed.
    pub(super) fn of(
        &self,
        exchange: ExchangeId,
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
    pub(super) fn counts(&self, exchange: ExchangeId) -> Deduplicated {
        self.of.get(&exchange).map_or_else(Deduplicated::default, |guard| {
            let window = guard.window.lock();
            Deduplicated { remembered: window.len(), duplicates: window.duplicates }
        })
    }

    /// Takes a guard back, at start.
    pub(super) fn restore(
        &self,
        exchange: ExchangeId,
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
    pub(super) fn keep(&self, exists: impl Fn(ExchangeId) -> bool) {
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
