//! The catalogue learns what changed.
//!
//! In an order that holds wherever it is cut off, also within a batch:
//!
//! 1. the rows of runs, new and changed and gone, and of the broker; synced;
//! 2. the one row that says which segments there are; synced. A run in another segment does not
//!    count, a segment that is not in this row is removed at the next start;
//! 3. the rows of runs that were written anew in another segment;
//! 4. files of segments that are not in the row any more are removed.

use super::{Flush, Janitor};
use crate::names::QueueId;
use crate::store::catalog::{Catalog, Change, Tree};
use crate::store::error::{Failure, Tried};
use crate::store::format::rows;
use crate::store::index::Index;
use crate::store::index::moves::Segment;

/// Changes that are given to the catalogue at once.
const BATCH: usize = 4096;
/// Delivery counts that stand in one row.
const COUNTS_IN_A_ROW: usize = 256;

impl Janitor {
    /// Saves everything that is not saved yet.
    pub(super) fn save(&mut self, flush: Flush<'_>) -> Result<(), Failure> {
        let mut index = self.shared.index.lock();
        if index.unsaved.is_empty() && index.segments.values().all(|segment| segment.live > 0) {
            return Ok(());
        }
        let lsn = self.shared.progress.last_written();
        let (mut first, set, last, dead) = self.changes(&mut index);
        let unsaved = std::mem::take(&mut index.unsaved);
        let deleted = unsaved.queues.iter().filter(|queue| index.get(**queue).is_none());
        let deleted: Vec<QueueId> = deleted.copied().collect();
        drop(index);
        for queue in deleted {
            first.extend(self.forget_queue(queue)?);
        }
        if !flush() {
            return Ok(());
        }
        self.rows_changed |= !unsaved.rows.is_empty();
        // The index has forgotten what is to be saved, so there is no second attempt.
        self.write(lsn, first, set, last, dead).map_err(Failure::for_good)
    }

    fn write(
        &mut self,
        lsn: u64,
        first: Vec<Change>,
        set: Change,
        last: Vec<Change>,
        dead: Vec<Segment>,
    ) -> Result<(), Failure> {
        self.apply(&first)?;
        if self.rows_changed {
            self.write_snapshot(lsn)?;
            self.rows_changed = false;
        }
        self.apply(&[set])?;
        if !last.is_empty() {
            self.apply(&last)?;
        }
        for segment in dead {
            self.shared.disk.remove(&segment.path).or_failure("remove", &segment.path)?;
        }
        Ok(())
    }

    /// What to change in the catalogue: first, then the set of segments, then the rest; and the
    /// segments that are of no use any more.
    fn changes(&self, index: &mut Index) -> (Vec<Change>, Change, Vec<Change>, Vec<Segment>) {
        let mut first = Vec::new();
        for key in &index.unsaved.runs {
            let cold = index.get(key.queue).and_then(|queue| queue.cold.get(key.first));
            let cold = cold.filter(|cold| cold.run.segment == key.segment);
            first.push(match cold {
                Some(cold) if !cold.lasting => continue,
                Some(cold) => Change::put(Tree::Runs, key.encode(), cold.run.encode()),
                None => Change::delete(Tree::Runs, key.encode()),
            });
        }
        let unsaved = &index.unsaved;
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
        for (key, value) in &index.unsaved.rows {
            first.push(match value {
                Some(value) => Change::put(Tree::Catalog, key.clone(), value.clone()),
                None => Change::delete(Tree::Catalog, key.clone()),
            });
        }
        let last = index
            .unsaved
            .replaced
            .iter()
            .map(|key| Change::delete(Tree::Runs, key.encode()))
            .collect();
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
        let counts = self.catalog.scan_prefix(Tree::Acks, &key).map_err(std::io::Error::other);
        let counts = counts.or_failure("read the catalogue in", &self.shared.options.dir)?;
        let mut changes = vec![Change::delete(Tree::Queue, key)];
        changes.extend(counts.into_iter().map(|(key, _)| Change::delete(Tree::Acks, key)));
        Ok(changes)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let dir = self.shared.options.dir.clone();
        for part in changes.chunks(BATCH) {
            self.catalog
                .apply(part)
                .map_err(std::io::Error::other)
                .or_failure("change the catalogue in", &dir)?;
        }
        self.catalog.sync().map_err(std::io::Error::other).or_failure("sync the catalogue in", &dir)
    }

    /// The catalogue.
    pub(super) fn catalog(&self) -> &dyn Catalog {
        &*self.catalog
    }
}
