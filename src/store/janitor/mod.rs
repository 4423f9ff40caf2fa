//! What happens behind the log: files made ready and cleared, messages moved out of the way.
//!
//! The janitor works through the oldest log file first. Messages in it that are still wanted are
//! moved to a segment; what the catalogue has to know is saved; then the file goes back to the
//! pool. Mostly nothing in it is wanted any more, and the janitor moves and saves nothing.
//!
//! What it derives from the index goes to disk only once the log is durable as far as the index
//! had come: a message that left in a group with its dead letter must not be forgotten before
//! the dead letter is safe. A file with records of a transaction that has not ended stays.

mod checkpoint;
mod merge;
mod reopening;
mod retire;
mod snapshot;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::Failure;
use super::log::inbox::Block;
use super::shared::Shared;

use checkpoint::Checkpoint;
pub(crate) use reopening::Reopening;
pub(crate) use snapshot::{dir as snapshot_dir, newest_snapshot, snapshot_problems};

/// Log files that are kept ready.
const READY: usize = 2;
/// How long the broker's rows are left to settle before they are saved: they mostly change many
/// at a time.
const SETTLED: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Janitor {
    shared: Arc<Shared>,
    catalog: Reopening,
    /// The number of the next segment; never used twice.
    next_segment: u64,
    /// What was begun to be saved, and found no room.
    checkpoint: Option<Checkpoint>,
    /// It waits for room on the disk.
    waits: bool,
}

/// Makes everything that was appended so far durable, with a mark. Returns whether it is; if
/// not, the store has failed.
pub(crate) type Flush<'a> = &'a mut dyn FnMut() -> bool;

impl Janitor {
    /// A janitor whose next segment has this number.
    pub(crate) fn new(shared: Arc<Shared>, catalog: Reopening, next_segment: u64) -> Self {
        Self { shared, catalog, next_segment, checkpoint: None, waits: false }
    }

    /// The janitor's thread.
    pub(crate) fn work(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut flush = || shared.progress.wait_marked(shared.inbox.want_mark());
        let mut rows_since: Option<Instant> = None;
        loop {
            if shared.is_over() {
                return self.end(&mut flush);
            }
            let done = match rows_since {
                Some(since) if since.elapsed() >= SETTLED => {
                    rows_since = None;
                    self.save(&mut flush).map(|()| true)
                }
                Some(_) | None => self.step(&mut flush),
            };
            match done {
                // That something could be cleared does not say that there is room to fill.
                Ok(true) if shared.pool.wants(READY) => {}
                Ok(true) => self.has_room(),
                Ok(false) => {
                    self.has_room();
                    if rows_since.is_none() && !shared.index.lock().unsaved.rows.is_empty() {
                        rows_since = Some(Instant::now());
                    }
                    shared.bell.wait(rows_since.map(|_| SETTLED));
                }
                Err(failure) if failure.is_full() => {
                    self.wait_for_room(&failure);
                    if !self.makes_room() {
                        shared.bell.wait(Some(5 * shared.options.patience));
                    }
                }
                Err(failure) => return shared.fail(failure),
            }
        }
    }

    /// There is no room on the disk: publishers wait until what was tried has worked.
    fn wait_for_room(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.waits, true) {
            self.shared.say_no_room(failure);
            self.shared.inbox.block(Block::Janitor, true);
        }
    }

    /// Files that are ready for the log, but for one, are not needed as much as what clears others
    /// away. Returns whether there was one to remove.
    fn makes_room(&self) -> bool {
        self.shared.pool.give_up_one(&*self.shared.disk).unwrap_or(false)
    }

    fn has_room(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.shared.inbox.block(Block::Janitor, false);
        }
    }

    /// Leaves everything in the catalogue, so that it can be looked at, and less of the log has
    /// to be when the store is opened again.
    fn end(&mut self, flush: Flush<'_>) {
        if self.shared.failure.get().is_some() {
            return;
        }
        match self.save(flush) {
            Ok(()) => {}
            // It is all in the log.
            Err(failure) if failure.is_full() => self.shared.say_no_room(&failure),
            Err(failure) => self.shared.fail(failure),
        }
    }

    /// Does one thing that is to be done. Returns whether there was one.
    pub(crate) fn step(&mut self, flush: Flush<'_>) -> Result<bool, Failure> {
        if self.shared.is_over() {
            return Ok(false);
        }
        if self.checkpoint.is_some() || self.shared.index.lock().unsaved.urgent {
            self.save(flush)?;
            return Ok(true);
        }
        // A file that is cleared need not be filled, so that comes first, unless the log is about to
        // be out of files. Where there is no room, it may make some.
        let (waits, mut full) = (self.waits, None);
        let runs_out = self.shared.pool.ready() == 0;
        if (!waits && runs_out && self.fill(&mut full)?)
            || self.retire_oldest(flush)?
            || (!waits && self.fill(&mut full)?)
            || self.merge_sparse(flush)?
            || (waits && self.fill(&mut full)?)
        {
            return Ok(true);
        }
        full.map_or(Ok(false), Err)
    }

    /// Fills a file for the log, if one is wanted. Returns whether it did; that there is no room for
    /// it is `full`.
    fn fill(&self, full: &mut Option<Failure>) -> Result<bool, Failure> {
        if full.is_some() || !self.shared.pool.wants(READY) {
            return Ok(false);
        }
        match self.shared.pool.fill(&*self.shared.disk) {
            Err(failure) if failure.is_full() => {
                *full = Some(failure);
                Ok(false)
            }
            filled => filled.map(|()| true),
        }
    }
}
