//! The oldest log file goes.

use std::sync::Arc;

use super::{Flush, Janitor, READY};
use crate::store::disk::{DiskFile, Window};
use crate::store::error::{Failure, Tried};
use crate::store::format::file_header::seed;
use crate::store::format::read::{Flaw, Found, View, look};
use crate::store::format::record::{Place, flag};
use crate::store::index::moves::Survivor;
use crate::store::index::queue::Particulars;
use crate::store::log;
use crate::store::log::inbox::Block;
use crate::store::segments;
use crate::store::segments::write::SegmentWriter;
use crate::store::shared::Shared;

/// How often the last few appends are flushed to have nobody refer to the oldest file any more.
const FLUSHES: usize = 3;
/// How much of a file is read at a time, if that does not mean to read it again and again.
const PART: usize = 256 << 10;

/// Messages of several queues lie across each other: then all of the file is held.
fn part_to_read(survivors: &[Survivor], len: u64) -> usize {
    let in_order = survivors.is_sorted_by_key(|survivor| survivor.spot.offset());
    if in_order { PART } else { usize::try_from(len).unwrap_or(usize::MAX) }
}

impl Janitor {
    /// Clears the oldest log file, if there are enough. Returns whether it did.
    pub(super) fn retire_oldest(&mut self, flush: Flush<'_>) -> Result<bool, Failure> {
        let Some((file, handle)) = self.due() else { return Ok(false) };
        if !self.settle_references(file, flush) {
            return Ok(false);
        }
        let mut index = self.shared.index.lock();
        if index.transactions.hold(file) {
            return Ok(false);
        }
        let survivors = index.survivors(file);
        drop(index);
        if !survivors.is_empty() {
            self.move_survivors(file, &*handle, &survivors).inspect_err(|_| self.give_up())?;
        }
        drop(handle);
        if self.shared.index.lock().unsaved.any_up_to_file(file) || !survivors.is_empty() {
            self.save(flush)?;
        }
        self.shared.begin_log_with(file + 1);
        // Before the file goes, a mark that does not ask for it has to be safe.
        if !flush() {
            return Ok(false);
        }
        let mut index = self.shared.index.lock();
        let handle = index.logs.remove(&file);
        let files = index.logs.len();
        drop(index);
        if let Some(handle) = handle {
            let ready = self.shared.pool.ready();
            // Also where the log is longer than it should be: the next one need not be filled.
            let wanted = ready < READY || files + ready < self.shared.options.log_files + READY;
            self.shared.pool.recycle(&*self.shared.disk, file, handle, wanted)?;
        }
        if files < self.shared.options.most_log_files {
            self.shared.inbox.block(Block::Files, false);
        }
        Ok(true)
    }

    fn due(&self) -> Option<(u64, Arc<dyn DiskFile>)> {
        let index = self.shared.index.lock();
        let (file, handle) = index.logs.first_key_value()?;
        let enough = index.logs.len() > self.shared.options.log_files;
        if !enough && *file >= self.shared.condemned_logs {
            return None;
        }
        Some((*file, Arc::clone(handle)))
    }

    /// Sees to it that nobody will refer to a message in the file any more.
    fn settle_references(&self, file: u64, flush: Flush<'_>) -> bool {
        for _ in 0..FLUSHES {
            if !self.shared.index.lock().bodies.any_up_to_file(file) {
                return true;
            }
            if !flush() {
                return false;
            }
        }
        !self.shared.index.lock().bodies.any_up_to_file(file)
    }

    fn move_survivors(
        &mut self,
        file: u64,
        handle: &dyn DiskFile,
        survivors: &[Survivor],
    ) -> Result<(), Failure> {
        let path = log::path(&self.shared.options.dir, file);
        let len = handle.len().or_failure("look at", &path)?;
        let mut window = Window::new(handle, part_to_read(survivors, len));
        let mut segment = self.new_segment()?;
        for survivor in survivors {
            let at = survivor.spot.offset();
            let damaged = |flaw| Failure::damaged(&path, at, flaw);
            let len = survivor.spot.len as usize;
            let bytes = window.look_at(at, len).or_failure("read", &path)?;
            let raw = match look(bytes, seed(file)) {
                Found::Record(raw) => raw,
                Found::End => return Err(damaged(Flaw::Ends)),
                Found::Bad(flaw) => return Err(damaged(flaw)),
            };
            let View::Message(place, content) = raw.view().map_err(damaged)? else {
                return Err(damaged(Flaw::Content));
            };
            let lasting = !raw.has(flag::PASSING);
            let own = Particulars { expires: place.expires, lasting };
            let Particulars { expires, lasting } = survivor.particulars.unwrap_or(own);
            let Survivor { queue, position, deliveries, .. } = *survivor;
            let deliveries = deliveries.max(place.deliveries);
            segment.push(&Place { queue, position, deliveries, expires }, lasting, &content)?;
        }
        let new = segment.finish(file, &[])?;
        self.shared.index.lock().add_segment(&new);
        for run in new.runs {
            // One at a time, so that the log and the queues come between.
            self.shared.index.lock().move_to_run(run, file);
        }
        Ok(())
    }

    /// The last segment could not be written to its end.
    pub(super) fn give_up(&self) {
        let path = segments::unfinished(&self.shared.options.dir, self.next_segment - 1);
        // Only to make room; at the next start it would go in any case.
        let _ = self.shared.disk.remove(&path);
    }

    pub(super) fn new_segment(&mut self) -> Result<SegmentWriter, Failure> {
        let segment = self.next_segment;
        self.next_segment += 1;
        let Shared { disk, options, store_id, .. } = &*self.shared;
        SegmentWriter::create(Arc::clone(disk), options.dir.clone(), *store_id, segment)
    }
}
