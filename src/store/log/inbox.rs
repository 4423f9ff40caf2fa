//! Where records wait for the log's writer.
//!
//! Any thread puts records in, under a lock that is held for a copy. The writer takes everything
//! that is there at once; while it writes, the next batch gathers, so that batches grow with the
//! load and nobody waits for a timer. What nobody waits for is left to gather for a little while:
//! much of it is gone again before it would have been written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::gathering::{Batch, Bond, Gathering};
use crate::names::LogPosition;
use crate::store::format::record::flag;
use crate::store::record::Record;
use crate::store::waiting::{Asked, Registration};

/// How long the writer stays half awake after its last work. While it is, appending wakes nobody.
const DOZE: Duration = Duration::from_secs(1);
/// How long the end waits for transactions, which are at most a few queues' turns.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Inbox {
    state: Mutex<Gathering>,
    wake: Condvar,
    /// The last open transaction has ended.
    settled: Condvar,
    full: AtomicBool,
    room: usize,
    lazy: Duration,
    eager: bool,
}

/// Why publishers are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// The log has too many files; some have to be cleared.
    Files,
    /// There is no room on the disk for what the log has to write.
    Disk,
    /// There is none for what the janitor has to write.
    Janitor,
}

/// What the writer's thread is woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Something to write, or only to sync.
    Some,
    /// The same, and nothing will follow.
    Last,
    /// The store has failed.
    Failed,
}

impl Inbox {
    /// An empty inbox whose first record will stand at `next`. An eager one hands out every
    /// record as soon as it can.
    pub(crate) fn new(next: u64, room: usize, lazy: Duration, eager: bool) -> Self {
        let state = Gathering {
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
            open: 0,
            too_many_files: false,
            disk_full: false,
            janitor_waits: false,
            asleep: false,
            closing: false,
            failed: false,
        };
        let (wake, settled, full) = (Condvar::new(), Condvar::new(), AtomicBool::new(false));
        Self { state: Mutex::new(state), wake, settled, full, room, lazy, eager }
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
            state.push(&record, if group { Bond::Group } else { Bond::Free });
        }
        if group && let Some(start) = last_start {
            state.batch.bytes[start + 9] |= flag::GROUP_END;
        }
        let position = LogPosition(state.next - 1);
        if last_start.is_some() {
            self.appended(state);
        }
        position
    }

    /// Puts a record of a transaction in; a transaction gets its number with its first record.
    pub(crate) fn append_within(&self, record: &Record<'_>, together: &mut u64) -> LogPosition {
        let mut state = self.state.lock();
        if *together == 0 {
            *together = state.next;
            state.open += 1;
        }
        state.push(record, Bond::Transaction(*together));
        let position = LogPosition(state.next - 1);
        self.appended(state);
        position
    }

    /// Ends a transaction: its records count, or they do not.
    pub(crate) fn settle(&self, together: u64, committed: bool) -> LogPosition {
        let mut state = self.state.lock();
        state.settle(together, committed);
        if state.open == 0 {
            self.settled.notify_all();
        }
        let position = LogPosition(state.next - 1);
        self.appended(state);
        position
    }

    /// Waits until all transactions have ended: somebody is in the midst of each.
    pub(crate) fn wait_until_settled(&self) {
        let mut state = self.state.lock();
        let until = Instant::now() + PATIENCE;
        while state.open > 0 && !state.failed {
            if self.settled.wait_until(&mut state, until).timed_out() {
                tracing::error!(
                    open = state.open,
                    "the store does not wait for transactions any longer"
                );
                return;
            }
        }
    }

    /// Something was put in.
    #[inline]
    fn appended(&self, mut state: MutexGuard<'_, Gathering>) {
        if state.failed {
            state.batch = Batch::empty(Vec::new());
        }
        if state.since.is_none() {
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

    /// There is, or there is no longer, a reason to hold publishers back whatever room there is.
    pub(crate) fn block(&self, why: Block, blocked: bool) {
        let mut state = self.state.lock();
        match why {
            Block::Files => state.too_many_files = blocked,
            Block::Disk => state.disk_full = blocked,
            Block::Janitor => state.janitor_waits = blocked,
        }
        if blocked {
            self.full.store(true, Ordering::Relaxed);
            return;
        }
        let waiting = self.make_room(&mut state);
        drop(state);
        waiting.iter().for_each(Registration::room);
    }

    /// Whether something waits for room on the disk.
    pub(crate) fn is_out_of_space(&self) -> bool {
        let state = self.state.lock();
        state.disk_full || state.janitor_waits
    }

    /// There is room, unless the log is blocked. Returns those to wake.
    fn make_room(&self, state: &mut Gathering) -> Vec<Registration> {
        let held_back = state.too_many_files || state.disk_full || state.janitor_waits;
        let room = !held_back && state.size() < self.room;
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

    /// Waits until there is something to write, or, from `sync_by` on, to sync.
    pub(crate) fn wait(&self, sync_by: Option<Instant>) -> Work {
        let mut state = self.state.lock();
        let doze_until = Instant::now() + DOZE;
        loop {
            if state.failed {
                return Work::Failed;
            }
            if state.closing {
                return Work::Last;
            }
            if state.is_ripe(self.eager) {
                return Work::Some;
            }
            let now = Instant::now();
            let due = [state.since.map(|since| since + self.lazy), sync_by];
            match due.into_iter().flatten().min() {
                Some(due) if due <= now => return Work::Some,
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
    }

    /// Takes what is there. Gives `spare` for the next batch.
    pub(crate) fn take(&self, spare: Vec<u8>) -> Batch {
        self.take_locked(self.state.lock(), spare)
    }

    /// Takes what is there, if nobody else waits for it and it has no more than `room` bytes;
    /// otherwise gives `spare` back.
    pub(crate) fn take_alone(&self, spare: Vec<u8>, room: usize) -> Result<Batch, Vec<u8>> {
        let state = self.state.lock();
        let others = !state.questions.is_empty() || state.hurry || state.batch.mark.is_some();
        let over = state.closing || state.failed || state.disk_full;
        if others || over || state.batch.is_empty() || state.size() > room {
            return Err(spare);
        }
        let mut batch = self.take_locked(state, spare);
        batch.urgent = true;
        Ok(batch)
    }

    fn take_locked(&self, mut state: MutexGuard<'_, Gathering>, spare: Vec<u8>) -> Batch {
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
        self.wake.notify_one();
        room.iter().for_each(Registration::room);
    }
}
