//! The log's writer: one write and one sync for everything that gathered.
//!
//! ```text
//! a file:   header | mark, records | mark, records | … | 8 zeros | what an earlier life left
//! a write:           ╰──── one ───╯
//! ```
//!
//! A mark says how many bytes of its file were known to be on the disk when it was written: if
//! bytes in front of that are damaged, it is not the torn end of the last write. A file is
//! synced before the next one is begun, and the next one's header says where it ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::gathering::{Batch, FRONT};
use super::inbox::{Block, Work};
use super::pool::Ready;
use crate::store::disk::DiskFile;
use crate::store::error::{Failure, Tried};
use crate::store::format::file_header::{self, FileHeader, Kind, seed};
use crate::store::format::record::{Encoder, MARK, TERMINATOR, seal};
use crate::store::options::Durability;
use crate::store::shared::Shared;
use crate::store::waiting::Registration;

/// See the module.
pub(crate) struct LogWriter {
    shared: Arc<Shared>,
    open: Option<OpenLog>,
    /// Where the file before the open one ended.
    before: u64,
    /// When the first byte was written that is not synced.
    unsynced_since: Option<Instant>,
    woken: Vec<Registration>,
    /// Memory for the next batch but one.
    spare: Vec<u8>,
    /// How long a sync took, of late.
    sync_takes: Duration,
}

/// A sync that takes longer is for the log's own thread: whoever waits for it does nothing else.
const QUICK: Duration = Duration::from_micros(500);
/// So is a batch with more bytes.
const SMALL: u64 = 64 << 10;

/// The file that is written to.
struct OpenLog {
    file: u64,
    path: PathBuf,
    handle: Arc<dyn DiskFile>,
    seed: u32,
    /// How long it was when it was begun.
    filled: u64,
    /// Where the next write goes; 0 = the header is still to be written.
    offset: u64,
    /// So much of it is on the disk.
    synced: u64,
}

impl OpenLog {
    fn write(&self, shared: &Shared, bytes: &[u8]) -> Result<(), Failure> {
        // On a full disk a part may have been written; then all of it is, once there is room.
        shared.with_patience(|| {
            self.handle.write_at(bytes, self.offset).or_failure("write to", &self.path)
        })
    }

    /// What opens a write: a mark, and the file's header if there is none yet.
    fn front(&self, shared: &Shared, before: u64, lsn: u64) -> Vec<u8> {
        let mut front = Vec::with_capacity(FRONT);
        if self.offset == 0 {
            let (kind, file, store) = (Kind::Log, self.file, shared.store_id);
            let count = file_header::filled(self.filled);
            let header = FileHeader { kind, file, store, first: lsn, before, count };
            front.extend_from_slice(&header.encode());
        }
        let mark = front.len();
        Encoder::new(&mut front, lsn, 0).mark(shared.oldest_log(), self.synced);
        seal(&mut front[mark..], self.seed);
        front
    }
}

impl LogWriter {
    /// A writer that begins a new file; the one before it, if any, ends at `before`.
    pub(crate) fn new(shared: Arc<Shared>, before: u64) -> Self {
        Self {
            shared,
            open: None,
            before,
            unsynced_since: None,
            woken: Vec::new(),
            spare: Vec::new(),
            sync_takes: Duration::ZERO,
        }
    }

    /// The log's thread.
    pub(crate) fn work(writer: &Mutex<Self>) {
        let shared = Arc::clone(&writer.lock().shared);
        let mut sync_by = None;
        loop {
            let last = match shared.inbox.wait(sync_by) {
                Work::Some => false,
                Work::Last => true,
                Work::Failed => return,
            };
            // What is there is taken under the lock: batches are written in their order.
            let mut writer = writer.lock();
            let mut batch = shared.inbox.take(std::mem::take(&mut writer.spare));
            batch.urgent |= last;
            let done = writer.commit(&mut batch);
            let done = if last { done.and_then(|()| writer.finish()) } else { done };
            if let Err(failure) = done {
                return shared.fail(failure);
            }
            if last {
                return shared.progress.end();
            }
            writer.spare = batch.into_spare(shared.options.room);
            sync_by = writer.sync_by();
        }
    }

    /// Commits what gathered in the caller's thread, if nobody else waits for the log and it will
    /// not take long: waking another thread and being woken by it costs more than such a sync.
    pub(crate) fn commit_here(&mut self) {
        let Some(open) = self.open.as_ref().filter(|_| self.is_quick()) else { return };
        let used = open.offset + (MARK + TERMINATOR) as u64;
        let room = self.shared.options.log_file.saturating_sub(used).min(SMALL) as usize;
        let shared = Arc::clone(&self.shared);
        let spare = std::mem::take(&mut self.spare);
        let mut batch = match shared.inbox.take_alone(spare, room) {
            Ok(batch) => batch,
            Err(spare) => return self.spare = spare,
        };
        match self.commit(&mut batch) {
            Ok(()) => self.spare = batch.into_spare(shared.options.room),
            Err(failure) => shared.fail(failure),
        }
    }

    /// Whether a commit neither needs room on the disk nor takes long, as far as one can know.
    fn is_quick(&self) -> bool {
        let durability = self.shared.options.durability;
        let sync = if durability == Durability::Os { Duration::ZERO } else { self.sync_takes };
        self.shared.pool.is_in_place() && sync < QUICK
    }

    /// When what is written has to be synced, whoever waits or not.
    pub(crate) fn sync_by(&self) -> Option<Instant> {
        match self.shared.options.durability {
            Durability::Confirm => {
                self.unsynced_since.map(|since| since + self.shared.options.lazy)
            }
            Durability::Always | Durability::Os => None,
        }
    }

    /// Writes a batch, syncs if it is time to, and wakes those who waited for it.
    pub(crate) fn commit(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        let durability = self.shared.options.durability;
        if durability != Durability::Always {
            batch.elide();
        }
        if !batch.is_empty() {
            batch.finish();
            self.write(batch)?;
        } else if batch.mark.is_some() {
            self.write_mark(batch.last)?;
        }
        let mut index = self.shared.index.lock();
        index.bodies.forget_before(batch.shareable_from);
        let untidy = std::mem::take(&mut index.untidy);
        drop(index);
        if untidy {
            self.shared.bell.ring();
        }
        self.shared.progress.written(batch.last);
        let sync = match durability {
            Durability::Confirm => batch.urgent || self.is_due(),
            Durability::Always => true,
            Durability::Os => false,
        };
        if sync {
            self.sync()?;
        }
        if self.unsynced_since.is_none() || durability == Durability::Os {
            self.durable(batch.last);
        }
        if let Some(mark) = batch.mark {
            self.shared.progress.marked(mark);
        }
        Ok(())
    }

    /// Says on the disk that all that was written is there, so that damage to it will show.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.sync()?;
        if self.open.is_some() {
            self.write_mark(self.shared.progress.last_written())?;
        }
        self.sync()
    }

    /// Writes a mark and nothing else.
    fn write_mark(&mut self, lsn: u64) -> Result<(), Failure> {
        if self.open.is_none() {
            self.next_file()?;
        }
        let Self { open: Some(open), .. } = self else { return Ok(()) };
        let mut bytes = open.front(&self.shared, self.before, lsn);
        let len = bytes.len() as u64;
        bytes.extend_from_slice(&[0; TERMINATOR]);
        open.write(&self.shared, &bytes)?;
        open.offset += len;
        self.unsynced_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.sync_by().is_some_and(|due| due <= Instant::now())
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        let mut start = FRONT;
        while start < batch.end() {
            let capacity = self.shared.options.log_file;
            let fresh = file_header::LEN as u64;
            let used = self.open.as_ref().map_or(capacity, |open| open.offset.max(fresh));
            let overhead = used + (MARK + TERMINATOR) as u64;
            let room = usize::try_from(capacity.saturating_sub(overhead)).unwrap_or(usize::MAX);
            let end = match batch.fit(start, room) {
                // What does not fit into an empty file makes that file longer.
                end if end == start && used == fresh => batch.unit(start),
                end => end,
            };
            if end == start {
                self.next_file()?;
                continue;
            }
            self.write_some(batch, start, end)?;
            start = end;
        }
        Ok(())
    }

    /// Writes records that go to one file.
    fn write_some(&mut self, batch: &mut Batch, start: usize, end: usize) -> Result<(), Failure> {
        let Self { open: Some(open), .. } = self else { return Ok(()) };
        let lsn = batch.seal(start, end, open.seed);
        let front = open.front(&self.shared, self.before, lsn);
        // What stood in front has been written or was left free, what follows is kept aside.
        let begin = start - front.len();
        batch.bytes[begin..start].copy_from_slice(&front);
        let mut next = [0; TERMINATOR];
        next.swap_with_slice(&mut batch.bytes[end..end + TERMINATOR]);
        let bytes = &batch.bytes[begin..end + TERMINATOR];
        open.write(&self.shared, bytes)?;
        batch.bytes[end..end + TERMINATOR].copy_from_slice(&next);

        let mut index = self.shared.index.lock();
        let at = open.offset + (start - begin) as u64;
        for (place, raw) in batch.records(start, end) {
            let offset = at + (place - start) as u64;
            index.apply(&raw, open.file, offset).expect("what we have encoded can be read");
        }
        open.offset = at + (end - start) as u64;
        drop(index);
        self.unsynced_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn next_file(&mut self) -> Result<(), Failure> {
        self.sync()?;
        if let Some(open) = self.open.take() {
            // Also where syncs are not wanted: a torn end in the middle of the log is damage.
            if open.synced < open.offset {
                open.handle.sync().or_failure("sync", &open.path)?;
            }
            self.before = open.offset;
        }
        let Ready { file, path, handle } =
            self.shared.with_patience(|| self.shared.pool.next(&*self.shared.disk))?;
        let filled = handle.len().or_failure("look at", &path)?;
        let mut index = self.shared.index.lock();
        index.logs.insert(file, Arc::clone(&handle));
        let files = index.logs.len();
        drop(index);
        if files >= self.shared.options.most_log_files {
            self.shared.inbox.block(Block::Files, true);
        }
        self.shared.bell.ring();
        let seed = seed(file);
        self.open = Some(OpenLog { file, path, handle, seed, filled, offset: 0, synced: 0 });
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        if self.unsynced_since.take().is_some()
            && self.shared.options.durability != Durability::Os
            && let Some(open) = &mut self.open
        {
            let began = Instant::now();
            open.handle.sync().or_failure("sync", &open.path)?;
            open.synced = open.offset;
            // One that takes very long says little about the next.
            self.sync_takes = (self.sync_takes * 7 + began.elapsed().min(2 * QUICK)) / 8;
        }
        Ok(())
    }

    fn durable(&mut self, position: u64) {
        self.shared.progress.durable(position);
        self.shared.inbox.durable(position, &mut self.woken);
        for who in self.woken.drain(..) {
            who.durable(crate::names::LogPosition(position));
        }
    }
}
