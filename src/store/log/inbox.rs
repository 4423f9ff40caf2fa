//! Where records wait for the log's writer.
//!
//! Any thread puts records in, under a lock that is held for a copy. The writer takes everything
//! that is there at once; while it writes, the next batch gathers, so that batches grow with the
//! load and nobody waits for a timer. What nobody waits for is left to gather for a little while:
//! much of it is gone again before it would have been written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::names::{LogPosition, QueueId};
use crate::store::format::file_header;
use crate::store::format::record::{Encoder, MARK, Place, flag};
use crate::store::record::{NewMessage, Reason, Record};
use crate::store::waiting::{Asked, Registration};

/// Bytes left free in front of a batch, for a file's header and the mark that opens a write.
pub(crate) const FRONT: usize = file_header::LEN + MARK;
/// From so many bytes on, a batch is written even if nobody waits for it.
const WORTH_WRITING: usize = 256 << 10;
/// How long the writer stays half awake after its last work. While it is, appending wakes nobody.
const DOZE: Duration = Duration::from_secs(1);

/// What was appended between two turns of the writer.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Records behind each other, without checksums; [`FRONT`] bytes are free in front of them.
    pub(crate) bytes: Vec<u8>,
    /// What left, as far as it stands in no group.
    pub(crate) gone: Vec<Departure>,
    /// The position of the last record, also if it is not in here any more.
    pub(crate) last: u64,
    /// Somebody waits for it, or will.
    pub(crate) urgent: bool,
    /// References in later batches will be to bodies from here on.
    pub(crate) shareable_from: u64,
    /// Somebody waits for a mark to be on the disk: the how-manieth.
    pub(crate) mark: Option<u64>,
}

/// Messages that left a queue, in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Departure {
    pub(crate) queue: QueueId,
    pub(crate) reason: Reason,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

/// See the module.
pub(crate) struct Inbox {
    state: Mutex<State>,
    wake: Condvar,
    full: AtomicBool,
    room: usize,
    lazy: Duration,
    eager: bool,
}

struct State {
    batch: Batch,
    next: u64,
    /// When the first record of the batch came.
    since: Option<Instant>,
    /// Somebody wants the batch written, be it durable or not.
    hurry: bool,
    /// The highest position that somebody asked about.
    wanted: u64,
    durable: u64,
    questions: Vec<(u64, Registration)>,
    room_questions: Vec<Registration>,
    shareable_from: u64,
    /// The position of the batch's first record.
    batch_began: u64,
    /// How many marks were wanted.
    marks: u64,
    /// The log has too many files: no more room until some are cleared.
    blocked: bool,
    /// The writer sleeps without a limit: the first record has to wake it.
    asleep: bool,
    closing: bool,
    failed: bool,
}

/// What the writer found when it came back.
pub(crate) enum Work {
    /// Something to write, or only to sync.
    Batch(Batch),
    /// The same, and nothing will follow.
    Last(Batch),
}

impl Inbox {
    /// An empty inbox whose first record will stand at `next`. An eager one hands out every
    /// record as soon as it can.
    pub(crate) fn new(next: u64, room: usize, lazy: Duration, eager: bool) -> Self {
        let state = State {
            batch: Batch::empty(Vec::new()),
            next,
            since: None,
            hurry: false,
            wanted: 0,
            durable: next - 1,
            questions: Vec::new(),
            room_questions: Vec::new(),
            shareable_from: next,
            batch_began: next,
            marks: 0,
            blocked: false,
            asleep: false,
            closing: false,
            failed: false,
        };
        let (wake, full) = (Condvar::new(), AtomicBool::new(false));
        Self { state: Mutex::new(state), wake, full, room, lazy, eager }
    }

    /// Puts records in; `group`ed ones count only together.
    pub(crate) fn append<'a>(
        &self,
        records: impl IntoIterator<Item = Record<'a>>,
        group: bool,
    ) -> LogPosition {
        let mut state = self.state.lock();
        let mut last_start = None;
        for record in records {
            last_start = Some(state.batch.bytes.len());
            state.push(&record, if group { flag::GROUP } else { 0 });
        }
        if group && let Some(start) = last_start {
            state.batch.bytes[start + 9] |= flag::GROUP_END;
        }
        let position = LogPosition(state.next - 1);
        if state.failed {
            state.batch = Batch::empty(Vec::new());
        }
        if state.since.is_none() && last_start.is_some() {
            state.since = Some(Instant::now());
        }
        if state.size() >= self.room {
            self.full.store(true, Ordering::Relaxed);
        }
        let wake = state.asleep || state.is_ripe(self.eager);
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        position
    }

    /// Asks to be woken when the log is durable up to a position.
    pub(crate) fn ask(&self, position: LogPosition, who: &Registration) -> Asked {
        let mut state = self.state.lock();
        if position.0 <= state.durable {
            return Asked::Now;
        }
        if state.failed {
            return Asked::Never;
        }
        if who.ask() {
            state.questions.push((position.0, who.clone()));
        }
        state.wanted = state.wanted.max(position.0);
        drop(state);
        self.wake.notify_one();
        Asked::Later
    }

    /// Whether there is room for more. A relaxed look: a few may pass that come too late.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        !self.full.load(Ordering::Relaxed)
    }

    /// Asks to be woken when there is room.
    pub(crate) fn ask_for_room(&self, who: &Registration) -> Asked {
        let mut state = self.state.lock();
        if state.failed {
            return Asked::Never;
        }
        if self.has_room() {
            return Asked::Now;
        }
        if who.ask_for_room() {
            state.room_questions.push(who.clone());
        }
        Asked::Later
    }

    /// Has what is there written now, and synced if `urgent`. Returns its last position.
    pub(crate) fn hurry(&self, urgent: bool) -> u64 {
        let mut state = self.state.lock();
        state.hurry = true;
        let last = state.next - 1;
        if urgent {
            state.wanted = state.wanted.max(last);
        }
        drop(state);
        self.wake.notify_one();
        last
    }

    /// Has a mark written with what is there, and all of it synced. Returns which mark.
    pub(crate) fn want_mark(&self) -> u64 {
        let mut state = self.state.lock();
        state.marks += 1;
        state.batch.mark = Some(state.marks);
        state.batch.urgent = true;
        let mark = state.marks;
        drop(state);
        self.wake.notify_one();
        mark
    }

    /// Whether the log has too many files to take more, which holds publishers back.
    pub(crate) fn block(&self, blocked: bool) {
        let mut state = self.state.lock();
        state.blocked = blocked;
        if blocked {
            self.full.store(true, Ordering::Relaxed);
            return;
        }
        let waiting = self.make_room(&mut state);
        drop(state);
        waiting.iter().for_each(Registration::room);
    }

    /// There is room, unless the log is blocked. Returns those to wake.
    fn make_room(&self, state: &mut State) -> Vec<Registration> {
        let room = !state.blocked && state.size() < self.room;
        if room && self.full.swap(false, Ordering::Relaxed) {
            std::mem::take(&mut state.room_questions)
        } else {
            Vec::new()
        }
    }

    /// The last position that was given out.
    pub(crate) fn last(&self) -> u64 {
        self.state.lock().next - 1
    }

    /// Ends the writer, after all that is there.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.wake.notify_one();
    }

    /// Takes what is there, at once.
    #[cfg(test)]
    pub(crate) fn take(&self, spare: Vec<u8>) -> Batch {
        self.take_locked(self.state.lock(), spare)
    }

    /// Waits until there is something to write, or, from `sync_by` on, to sync. Gives `spare` for
    /// the next batch.
    pub(crate) fn wait(&self, spare: Vec<u8>, sync_by: Option<Instant>) -> Work {
        let mut state = self.state.lock();
        let doze_until = Instant::now() + DOZE;
        loop {
            if state.closing {
                return Work::Last(self.take_locked(state, spare));
            }
            if state.is_ripe(self.eager) {
                break;
            }
            let now = Instant::now();
            let due = [state.since.map(|since| since + self.lazy), sync_by];
            match due.into_iter().flatten().min() {
                Some(due) if due <= now => break,
                Some(due) => {
                    self.wake.wait_until(&mut state, due);
                }
                None if now < doze_until => {
                    self.wake.wait_until(&mut state, now + self.lazy);
                }
                None => {
                    state.asleep = true;
                    self.wake.wait(&mut state);
                    state.asleep = false;
                }
            }
        }
        Work::Batch(self.take_locked(state, spare))
    }

    fn take_locked(&self, mut state: MutexGuard<'_, State>, spare: Vec<u8>) -> Batch {
        let mut batch = std::mem::replace(&mut state.batch, Batch::empty(spare));
        batch.last = state.next - 1;
        batch.urgent |= state.wanted > state.durable;
        // What this batch has can be referred to while the next one gathers, and no longer.
        batch.shareable_from = state.batch_began;
        state.shareable_from = state.batch_began;
        state.batch_began = state.next;
        (state.since, state.hurry) = (None, false);
        let waiting = self.make_room(&mut state);
        drop(state);
        waiting.iter().for_each(Registration::room);
        batch
    }

    /// The log is durable up to here. Returns those to wake.
    pub(crate) fn durable(&self, position: u64, woken: &mut Vec<Registration>) {
        let mut state = self.state.lock();
        state.durable = position;
        state.questions.retain(|(asked, who)| {
            if *asked <= position {
                woken.push(who.clone());
            }
            *asked > position
        });
    }

    /// Nothing will be durable any more. Returns those to wake.
    pub(crate) fn failed(&self, woken: &mut Vec<Registration>) {
        let mut state = self.state.lock();
        state.failed = true;
        woken.extend(state.questions.drain(..).map(|(_, who)| who));
        let room = std::mem::take(&mut state.room_questions);
        drop(state);
        room.iter().for_each(Registration::room);
    }
}

impl Batch {
    fn empty(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        bytes.resize(FRONT, 0);
        Self { bytes, ..Self::default() }
    }

    /// Its memory, to gather the next but one in; not more of it than `keep`.
    pub(crate) fn into_spare(self, keep: usize) -> Vec<u8> {
        if self.bytes.capacity() > 2 * keep { Vec::new() } else { self.bytes }
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == FRONT && self.gone.is_empty()
    }
}

impl State {
    #[inline]
    fn push(&mut self, record: &Record<'_>, flags: u8) {
        let lsn = self.next;
        self.next += 1;
        self.batch.urgent |= record.is_urgent();
        match record {
            Record::Message(new) => self.message(lsn, new, flags),
            Record::Gone { queue, first, count, reason } if flags == 0 => {
                let (queue, reason, first, count) = (*queue, *reason, *first, *count);
                match self.batch.gone.last_mut() {
                    Some(last)
                        if (last.queue, last.reason) == (queue, reason)
                            && last.first + last.count == first =>
                    {
                        last.count += count;
                    }
                    Some(_) | None => {
                        self.batch.gone.push(Departure { queue, reason, first, count });
                    }
                }
            }
            Record::Gone { queue, first, count, reason } => {
                self.encoder(lsn, flags).gone(*queue, *reason as u8, &[(*first, *count)]);
            }
            Record::Delivered { queue, first, count, deliveries } => {
                self.encoder(lsn, flags).delivered(*queue, &[(*first, *count, *deliveries)]);
            }
            Record::Purge { queue, before } => self.encoder(lsn, flags).purge(*queue, *before),
            Record::QueueDeleted { queue } => self.encoder(lsn, flags).queue_deleted(*queue),
            Record::Put { key, value } => self.encoder(lsn, flags).put(key, value),
            Record::Delete { key } => self.encoder(lsn, flags).delete(key),
        }
    }

    #[inline]
    fn message(&mut self, lsn: u64, new: &NewMessage<'_>, flags: u8) {
        let NewMessage { queue, position, message, expires, lasting, shared } = *new;
        let place = Place { queue, position, deliveries: 0, expires };
        let flags = if lasting { flags } else { flags | flag::PASSING };
        let Some(shared) = shared else {
            return self.encoder(lsn, flags).message(&place, message);
        };
        if shared.place() >= self.shareable_from {
            self.encoder(lsn, flags).reference(&place, shared.place());
        } else {
            shared.set_place(lsn);
            self.encoder(lsn, flags | flag::SHARED).message(&place, message);
        }
    }

    fn encoder(&mut self, lsn: u64, flags: u8) -> Encoder<'_> {
        Encoder::new(&mut self.batch.bytes, lsn, flags)
    }

    fn size(&self) -> usize {
        self.batch.bytes.len() + self.batch.gone.len() * size_of::<Departure>()
    }

    /// Whether the writer should come now.
    #[inline]
    fn is_ripe(&self, eager: bool) -> bool {
        self.hurry
            || self.wanted > self.durable
            || self.batch.urgent
            || self.size() >= WORTH_WRITING
            || (eager && !self.batch.is_empty())
    }
}
