//! The catalogue learns what changed.
//!
//! In an order that holds wherever it is cut off, also within a batch:
//!
//! 1. the rows of runs, new and changed and gone, and of the broker; synced;
//! 2. the one row that says which segments there are; synced. A run in another segment does not
//!    count, a segment that is not in this row is removed at the next start;
//! 3. the rows of runs that were written anew in another segment;
//! 4. files of segments that are not in the row any more are removed.

use std::collections::BTreeSet;

use super::{Flush, Janitor};
use crate::names::QueueId;
use crate::store::catalog::{Catalog, CatalogError, Change, Tree};
use crate::store::error::{Failure, Tried};
use crate::store::format::rows;
use crate::store::format::run::RunKey;
use crate::store::index::Index;
use crate::store::index::moves::Segment;
use crate::store::index::unsaved::Unsaved;

/// Changes that are given to the catalogue at once. sled keeps every page that it copies until the
/// end of a batch: with 4,096 rows at once, 10,000 queues took 8 to 15 MB more.
const BATCH: usize = 256;
/// Delivery counts that stand in one row.
const COUNTS_IN_A_ROW: usize = 256;

/// A catalogue writes about so much besides its rows. With less room on the disk some is made first,
/// if there is a file to do without; and whatever goes wrong is the disk's fault.
const ROOM: u64 = 2 << 20;

/// What is to be saved; the index has forgotten it. It may be written more than once.
pub(super) struct Checkpoint {
    /// The log up to here is in it.
    lsn: u64,
    first: Vec<Change>,
    set: Change,
    last: Vec<Change>,
    dead: Vec<Segment>,
    rows_changed: bool,
}

impl Janitor {
    /// Saves everything that is not saved yet.
    pub(super) fn save(&mut self, flush: Flush<'_>) -> Result<(), Failure> {
        self.finish_checkpoint()?;
        let index = self.shared.index.lock();
        if index.unsaved.is_empty() && index.segments.values().all(|segment| segment.live > 0) {
            return Ok(());
        }
        drop(index);
        if self.is_cramped() {
            self.makes_room();
        }
        let mut index = self.shared.index.lock();
        let lsn = self.shared.progress.last_written();
        let unsaved = std::mem::take(&mut index.unsaved);
        let deleted = unsaved.queues.iter().filter(|queue| index.get(**queue).is_none());
        let deleted: Vec<QueueId> = deleted.copied().collect();
        let rows_changed = !unsaved.rows.is_empty();
        let (mut first, set, last, dead) = self.changes(&mut index, unsaved);
        drop(index);
        for queue in deleted {
            first.extend(self.forget_queue(queue)?);
        }
        if !flush() {
            return Ok(());
        }
        self.checkpoint = Some(Checkpoint { lsn, first, set, last, dead, rows_changed });
        self.finish_checkpoint()
    }

    fn is_cramped(&self) -> bool {
        self.shared.free_space().is_some_and(|free| free < ROOM)
    }

    /// Writes a checkpoint that was begun; again from its start, if there was no room for it.
    pub(super) fn finish_checkpoint(&mut self) -> Result<(), Failure> {
        let Some(checkpoint) = self.checkpoint.take() else { return Ok(()) };
        match self.write(&checkpoint) {
            Err(failure) if failure.is_full() => {
                self.checkpoint = Some(checkpoint);
                Err(failure)
            }
            done => done,
        }
    }

    fn write(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        let Checkpoint { lsn, first, set, last, dead, rows_changed } = checkpoint;
        self.apply(first)?;
        if *rows_changed {
            self.write_snapshot(*lsn)?;
        }
        self.apply(std::slice::from_ref(set))?;
        if !last.is_empty() {
            self.apply(last)?;
        }
        for segment in dead {
            self.shared.disk.remove(&segment.path).or_failure("remove", &segment.path)?;
        }
        Ok(())
    }

    /// What to change in the catalogue: first, then the set of segments, then the rest; and the
    /// segments that are of no use any more.
    fn changes(
        &self,
        index: &mut Index,
        unsaved: Unsaved,
    ) -> (Vec<Change>, Change, Vec<Change>, Vec<Segment>) {
        let mut first = Vec::new();
        // Runs that stand elsewhere now count until the set of segments says so: they go last.
        let replaced: BTreeSet<RunKey> = unsaved.replaced.iter().copied().collect();
        for key in unsaved.runs.difference(&replaced) {
            let cold = index.get(key.queue).and_then(|queue| queue.cold.get(key.first));
            let cold = cold.filter(|cold| cold.run.segment == key.segment);
            first.push(match cold {
                Some(cold) if !cold.lasting => continue,
                Some(cold) => Change::put(Tree::Runs, key.encode(), cold.run.encode()),
                None => Change::delete(Tree::Runs, key.encode()),
            });
        }
        let of_runs = unsaved.runs.iter().map(|key| key.queue);
        let mut queues: Vec<QueueId> = of_runs.chain(unsaved.queues.iter().copied()).collect();
        queues.sort_unstable();
        queues.dedup();
        for queue in &queues {
            if let Some(queue) = index.get_mut(*queue) {
                queue.in_catalog = true;
            }
        }
        for queue in queues {
            first.extend(self.queue_rows(index, queue));
        }
        first.extend(unsaved.rows.into_iter().map(|(key, value)| match value {
            Some(value) => Change::put(Tree::Catalog, key, value),
            None => Change::delete(Tree::Catalog, key),
        }));
        let last = unsaved.replaced.iter().map(|key| Change::delete(Tree::Runs, key.encode()));
        let last = last.collect();
        let (dead, live): (Vec<_>, Vec<_>) = std::mem::take(&mut index.segments)
            .into_iter()
            .partition(|(_, segment)| segment.live == 0);
        index.segments = live.into_iter().collect();
        let set = rows::encode_segments(self.next_segment, index.segments.keys().copied());
        let set = Change::put(Tree::Meta, rows::SEGMENTS.to_vec(), set);
        (first, set, last, dead.into_iter().map(|(_, segment)| segment).collect())
    }

    /// The rows about a queue: its next position, and the delivery counts of its cold messages.
    fn queue_rows(&self, index: &Index, id: QueueId) -> Vec<Change> {
        let key = |piece: u32| {
            let mut key = id.0.to_be_bytes().to_vec();
            key.extend_from_slice(&piece.to_be_bytes());
            key
        };
        let Some(queue) = index.get(id) else { return Vec::new() };
        let next = rows::encode_queue(queue.next_position);
        let mut changes = vec![Change::put(Tree::Queue, id.0.to_be_bytes().to_vec(), next)];
        let cold = queue.deliveries.iter().filter(|(position, _)| queue.cold.contains(**position));
        let counts: Vec<(u64, u32)> = cold.map(|(position, count)| (*position, *count)).collect();
        let pieces = counts.chunks(COUNTS_IN_A_ROW);
        let used = pieces.len() as u32;
        for (piece, counts) in (0..).zip(pieces) {
            changes.push(Change::put(Tree::Acks, key(piece), rows::encode_counts(counts)));
        }
        // A row that is missing ends the list, so one is enough.
        changes.push(Change::delete(Tree::Acks, key(used)));
        changes
    }

    /// Removes the rows about a queue that was deleted.
    fn forget_queue(&self, id: QueueId) -> Result<Vec<Change>, Failure> {
        let key = id.0.to_be_bytes();
        let counts = self.catalog().scan_prefix(Tree::Acks, &key).map_err(std::io::Error::other);
        let counts = counts.or_failure("read the catalogue in", &self.shared.options.dir)?;
        let mut changes = vec![Change::delete(Tree::Queue, key)];
        changes.extend(counts.into_iter().map(|(key, _)| Change::delete(Tree::Acks, key)));
        Ok(changes)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), Failure> {
        for part in changes.chunks(BATCH) {
            self.change("change the catalogue in", |catalog| catalog.apply(part))?;
        }
        self.change("sync the catalogue in", |catalog| catalog.sync())
    }

    fn change(
        &mut self,
        what: &'static str,
        change: impl FnOnce(&mut dyn Catalog) -> Result<(), CatalogError>,
    ) -> Result<(), Failure> {
        let done = self.catalog.change(what, change);
        // A database that finds no room may not say so, or say it by a panic.
        done.map_err(|failure| if self.is_cramped() { failure.for_want_of_room() } else { failure })
    }

    /// The catalogue.
    pub(super) fn catalog(&self) -> &dyn Catalog {
        self.catalog.get()
    }
}
