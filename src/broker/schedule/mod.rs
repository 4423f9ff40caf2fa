//! Messages that wait at `x-delayed-message` exchanges until they are due.
//!
//! Each such exchange has a [`Schedule`]: the messages themselves are in the store, under a queue
//! number of their own that nobody else knows; when they are due is in an [`agenda`], of which memory
//! holds a part.
//! What is not to survive a restart (a transient exchange, or no store) waits in memory. One task
//! for the whole broker ([`run`]) waits for the next due time and lets messages go: they are
//! routed on from their exchange and published, and forgotten in one transaction of the store: after
//! a crash a message is either here or there.
//!
//! After a restart the agendas are made again in the background, from what is stored; until one is
//! whole nothing leaves it, so that the order is kept.

mod agenda;
mod scratch;
mod task;

use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

pub use agenda::Due;
use agenda::{Agenda, Scratch};
pub(super) use scratch::Nameless;
pub(super) use task::Alarm;
pub use task::run;

use super::Shared;
use super::kept::KeptRow;
use super::live_queue::{Found, append};
use crate::message::Message;
use crate::names::{LogPosition, QueueId};
use crate::store::{CannotFetch, NewMessage, Reason, Record, Store, Together, Wanted};
use crate::topology::ExchangeId;

/// How many messages are read, or let go, in one go.
const BATCH: usize = 512;
/// About how many bytes of them.
const BATCH_BYTES: usize = 4 << 20;
/// After how many milliseconds a message is tried again that could not be read.
const LATER: u64 = 1000;

/// The schedules of one vhost.
#[derive(Default)]
pub(super) struct Schedules {
    of: DashMap<ExchangeId, Arc<Schedule>>,
}

/// The messages that wait at one exchange.
pub(super) struct Schedule {
    /// Under which number they are stored.
    id: QueueId,
    /// Where, and the row that says so; `None`: they are in memory.
    stored: Option<(Arc<Store>, KeptRow)>,
    shared: Arc<Shared>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    agenda: Agenda,
    next_position: u64,
    /// How many of those that a restart found are not in the agenda yet.
    missing: usize,
    /// They stand in front of this.
    found_until: u64,
    /// By position, those that are not stored.
    in_memory: FxHashMap<u64, Message>,
}

/// A message that waits.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// When it is due, and what it is cancelled by.
    pub due: Due,
    /// What it is.
    pub message: Message,
}

impl Schedules {
    /// The schedule of an exchange, which is made when it is first needed.
    pub(super) fn of(
        &self,
        exchange: ExchangeId,
        shared: &Arc<Shared>,
        row: impl FnOnce() -> Option<KeptRow>,
    ) -> Arc<Schedule> {
        let make = || {
            let id = shared.next_queue_id();
            let row = row().filter(|_| shared.store.is_some());
            if let Some(row) = &row {
                shared.write_rows(&[row.change(id)], &[]);
            }
            Arc::new(Schedule::new(id, row, Found::default(), shared))
        };
        Arc::clone(&self.of.entry(exchange).or_insert_with(make))
    }

    /// The schedule of an exchange, if a message ever waited there.
    pub(super) fn get(&self, exchange: ExchangeId) -> Option<Arc<Schedule>> {
        self.of.get(&exchange).map(|schedule| Arc::clone(&schedule))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(ExchangeId, Arc<Schedule>)> {
        self.of.iter().map(|each| (*each.key(), Arc::clone(each.value()))).collect()
    }

    /// Takes a schedule back, at start.
    pub(super) fn restore(&self, exchange: ExchangeId, schedule: Schedule) {
        self.of.insert(exchange, Arc::new(schedule));
    }

    /// Whether messages of one of them are stored under this number.
    pub(super) fn has(&self, id: QueueId) -> bool {
        self.of.iter().any(|each| each.id == id)
    }

    /// Forgets the schedules of exchanges that are gone, and everything in them.
    pub(super) fn keep(&self, exists: impl Fn(ExchangeId) -> bool) {
        if self.of.is_empty() {
            return;
        }
        self.of.retain(|exchange, schedule| {
            let stays = exists(*exchange);
            if !stays {
                schedule.forget();
            }
            stays
        });
    }
}

impl Schedule {
    /// A schedule, stored if it has a row.
    pub(super) fn new(
        id: QueueId,
        row: Option<KeptRow>,
        found: Found,
        shared: &Arc<Shared>,
    ) -> Self {
        let (next_position, missing) = (found.next_position, found.away.count);
        let found_until = next_position;
        let stored = shared.store.clone().zip(row);
        let agenda = if stored.is_some() {
            Agenda::on(Arc::clone(&shared.scratch) as Arc<dyn Scratch>)
        } else {
            Agenda::default()
        };
        let waiting = Waiting { agenda, next_position, missing, found_until, ..Waiting::default() };
        Self { id, stored, shared: Arc::clone(shared), waiting: Mutex::new(waiting) }
    }

    fn store(&self) -> Option<&Arc<Store>> {
        self.stored.as_ref().map(|(store, _)| store)
    }

    /// Keeps a message until it is due. Returns the log position that makes it safe.
    pub(super) fn hold(
        &self,
        message: &Message,
        at: u64,
        together: Option<&Together>,
    ) -> LogPosition {
        let mut waiting = self.waiting.lock();
        let position = waiting.next_position;
        waiting.next_position += 1;
        let safe_at = match self.store() {
            Some(store) => {
                let lasting = message.is_persistent();
                let record = Record::Message(NewMessage {
                    queue: self.id,
                    position,
                    message,
                    expires: Some(at),
                    lasting,
                    shared: None,
                });
                let safe_at = append(store, record, together);
                if lasting { safe_at } else { LogPosition::default() }
            }
            None => {
                self.shared.memory.changed(0, message.memory() as u64);
                waiting.in_memory.insert(position, message.clone());
                LogPosition::default()
            }
        };
        waiting.agenda.insert(Due { at, position });
        let untidy = waiting.agenda.wants_merge();
        drop(waiting);
        self.shared.alarm.sooner(if untidy { 0 } else { at });
        safe_at
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.agenda.len() + waiting.missing
    }

    /// Messages that wait, in the order in which they are due, beginning behind `after`.
    pub(super) fn list(&self, after: Option<Due>, most: usize) -> Vec<Scheduled> {
        let look = self.waiting.lock().agenda.look(after, most);
        let dues = look.read().unwrap_or_else(|why| {
            self.cannot_tell(&why);
            Vec::new()
        });
        let (mut messages, _) = self.messages(&dues);
        let of = |due: Due| {
            let message = messages.remove(&due.position)?;
            Some(Scheduled { due, message })
        };
        dues.into_iter().filter_map(of).collect()
    }

    /// Takes a message out, so that it is never routed. False if it does not wait here.
    pub(super) fn cancel(&self, due: Due) -> bool {
        let removed = self.waiting.lock().agenda.remove(due);
        let removed = removed.unwrap_or_else(|why| {
            self.cannot_tell(&why);
            false
        });
        if removed {
            self.gone(due.position, Reason::Discarded, None);
        }
        removed
    }

    /// What is due is `let_go`, in order. Returns when the next one is due: at once if a batch was
    /// not all.
    ///
    /// What would have to be read from disk waits while there is no memory for messages.
    fn release(
        &self,
        now: u64,
        mut let_go: impl FnMut(&Message, Option<&Together>),
    ) -> Option<u64> {
        const NO_ROOM: u64 = 100;
        if self.stored.is_some() && self.shared.memory.is_full() {
            return Some(now + NO_ROOM);
        }
        let mut due = Vec::new();
        let all_known = {
            let mut waiting = self.waiting.lock();
            if waiting.missing > 0 {
                return None;
            }
            waiting.agenda.take_due(now, BATCH, &mut due)
        };
        let (mut messages, all_read) = self.messages(&due);
        let together = self.store().map(|store| store.begin());
        for due in due {
            match messages.remove(&due.position) {
                Some(message) => {
                    let_go(&message, together.as_ref());
                    self.gone(due.position, Reason::Expired, together.as_ref());
                }
                None if all_read => {
                    tracing::error!(schedule = %self.id, "a message is not on disk where it should be");
                    self.gone(due.position, Reason::Expired, None);
                }
                // What cannot be read now is tried again later.
                None => self.waiting.lock().agenda.insert(Due { at: now + LATER, ..due }),
            }
        }
        if let Some(together) = together {
            together.commit();
        }
        if let Err(why) = all_known {
            self.cannot_tell(&why);
            return Some(now + LATER);
        }
        self.waiting.lock().agenda.next()
    }

    fn cannot_tell(&self, why: &std::io::Error) {
        tracing::error!(schedule = %self.id, "cannot read when messages are due: {why}");
    }

    /// Whether what the agenda has on disk should be tidied up.
    fn is_untidy(&self) -> bool {
        self.waiting.lock().agenda.wants_merge()
    }

    /// Tidies up what the agenda has on disk. Takes up to some seconds, during which messages come and
    /// go.
    fn tidy(&self) {
        let begun = self.waiting.lock().agenda.begin_merge();
        let Some(merge) = begun else { return };
        let done = merge.carry_out();
        let done = self.waiting.lock().agenda.merged(&merge, done);
        if let Err(why) = done {
            tracing::error!(schedule = %self.id, "cannot tidy up when messages are due: {why}");
        }
    }

    /// Messages by their positions, and whether all that should be there could be read.
    fn messages(&self, dues: &[Due]) -> (FxHashMap<u64, Message>, bool) {
        let Some(store) = self.store() else {
            let waiting = self.waiting.lock();
            let of =
                |due: &Due| Some((due.position, waiting.in_memory.get(&due.position)?.clone()));
            return (dues.iter().filter_map(of).collect(), true);
        };
        let mut positions: Vec<u64> = dues.iter().map(|due| due.position).collect();
        positions.sort_unstable();
        let mut found = FxHashMap::default();
        let read = self.read(store, &positions, &mut found);
        if let Err(why) = &read {
            tracing::error!(schedule = %self.id, "cannot read what is due: {why}");
        }
        (found, read.is_ok())
    }

    /// Messages from disk. Those that stand in a row are read together.
    fn read(
        &self,
        store: &Store,
        positions: &[u64],
        found: &mut FxHashMap<u64, Message>,
    ) -> Result<(), CannotFetch> {
        for row in positions.chunk_by(|a, b| a + 1 == *b) {
            let mut row = row;
            while let Some(&from) = row.first() {
                let (messages, bytes) = (row.len(), BATCH_BYTES);
                let stored = store.fetch(Wanted { queue: self.id, from, messages, bytes })?;
                let Some(last) = stored.last().map(|last| last.position) else { break };
                found.extend(stored.into_iter().map(|each| (each.position, each.message)));
                row = &row[row.partition_point(|position| *position <= last)..];
            }
        }
        Ok(())
    }

    /// A message has left for good.
    fn gone(&self, position: u64, reason: Reason, together: Option<&Together>) {
        match self.store() {
            Some(store) => {
                let gone = Record::Gone { queue: self.id, first: position, count: 1, reason };
                append(store, gone, together);
            }
            None => {
                let message = self.waiting.lock().in_memory.remove(&position);
                let memory = message.map_or(0, |message| message.memory() as u64);
                self.shared.memory.changed(memory, 0);
            }
        }
    }

    /// Reads from disk what a restart found: only when it is due.
    fn load(&self) {
        let Some(store) = self.store() else { return };
        let mut from = 0;
        let before = self.waiting.lock().found_until;
        while self.waiting.lock().missing > 0 {
            let wanted = Wanted { queue: self.id, from, messages: BATCH, bytes: BATCH_BYTES };
            let stored = match store.fetch(wanted) {
                Ok(stored) => stored,
                Err(why) => {
                    tracing::error!(schedule = %self.id, "cannot read what is scheduled: {why}");
                    Vec::new()
                }
            };
            let mut waiting = self.waiting.lock();
            let old = stored.iter().filter(|each| each.position < before);
            for each in old {
                let (at, position) = (each.expires.unwrap_or(0), each.position);
                waiting.agenda.insert(Due { at, position });
                waiting.missing = waiting.missing.saturating_sub(1);
            }
            match stored.last() {
                Some(last) if last.position < before => from = last.position + 1,
                // What is not there any more is not waited for.
                Some(_) | None => waiting.missing = 0,
            }
            drop(waiting);
            self.tidy();
        }
    }

    /// Forgets everything: the exchange is gone.
    fn forget(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let memory = waiting.in_memory.values().map(|message| message.memory() as u64).sum();
        self.shared.memory.changed(memory, 0);
        if let Some((_, row)) = &self.stored {
            self.shared.write_rows(&[row.gone()], &[self.id]);
        }
    }
}
