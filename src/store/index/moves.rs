//! Messages on their way from the log to a segment, and from segments to another.

use std::path::PathBuf;
use std::sync::Arc;

use super::Index;
use super::cold::{Cold, ColdRun};
use super::hot::Spot;
use super::queue::{Particulars, QueueIndex};
use crate::names::QueueId;
use crate::store::disk::DiskFile;
use crate::store::format::run::{Run, RunKey};
use crate::store::segments::runs::NewRun;
use crate::store::segments::write::NewSegment;

/// A segment as the index knows it.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) handle: Arc<dyn DiskFile>,
    pub(crate) bytes: u64,
    /// How many messages were written to it.
    pub(crate) stored: u64,
    /// How many of them are not gone.
    pub(crate) live: u64,
}

/// A message that outlives its log file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Survivor {
    pub(crate) queue: QueueId,
    pub(crate) position: u64,
    pub(crate) deliveries: u32,
    pub(crate) particulars: Option<Particulars>,
    pub(crate) spot: Spot,
}

/// A run that is to be written again.
#[derive(Debug)]
pub(crate) struct OldRun {
    pub(crate) key: RunKey,
    pub(crate) run: Run,
    pub(crate) lasting: bool,
    pub(crate) handle: Arc<dyn DiskFile>,
}

impl OldRun {
    /// The last position that may be in it.
    pub(crate) fn last_position(&self) -> u64 {
        self.key.first + u64::from(self.run.span)
    }
}

impl Segment {
    /// Whether most of it is gone, so that it is worth clearing away.
    pub(crate) fn is_sparse(&self) -> bool {
        self.live * 4 < self.stored
    }

    /// About how many of its bytes are live.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.bytes * self.live / self.stored.max(1)
    }
}

impl Index {
    /// The messages in log files up to this one, in order of queue and position.
    pub(crate) fn survivors(&self, file: u64) -> Vec<Survivor> {
        let mut survivors = Vec::new();
        for (id, queue) in self.queues() {
            survivors.extend(queue.hot.up_to_file(file).into_iter().map(|(position, spot)| {
                let deliveries = queue.deliveries.get(&position).copied().unwrap_or(0);
                let particulars = queue.particulars.get(&position).copied();
                Survivor { queue: id, position, deliveries, particulars, spot }
            }));
        }
        survivors.sort_unstable_by_key(|survivor| (survivor.queue, survivor.position));
        survivors
    }

    /// A segment was written; its runs come next.
    pub(crate) fn add_segment(&mut self, new: &NewSegment) {
        let stored = new.stored;
        let (path, handle) = (new.path.clone(), Arc::clone(&new.handle));
        let segment = Segment { path, handle, bytes: new.bytes, stored, live: 0 };
        self.segments.insert(new.segment, segment);
        self.unsaved.segments = true;
    }

    /// Messages of log files up to `file` stand in a run now. Those that have left meanwhile are
    /// left out.
    pub(crate) fn move_to_run(&mut self, new: NewRun, file: u64) {
        self.adopt(new, |queue, position| {
            queue.particulars.remove(&position);
            queue.hot.remove_up_to_file(position, file)
        });
    }

    /// The runs of segments, to be written again, in order of queue and position.
    pub(crate) fn runs_of(&self, segments: &[u64]) -> Vec<OldRun> {
        let mut runs = Vec::new();
        for (id, queue) in self.queues() {
            for (first, cold) in queue.cold.runs() {
                let segment = cold.run.segment;
                if segments.contains(&segment)
                    && let Some(from) = self.segments.get(&segment)
                {
                    let key = RunKey { queue: id, first, segment };
                    let (run, lasting) = (cold.run.clone(), cold.lasting);
                    runs.push(OldRun { key, run, lasting, handle: Arc::clone(&from.handle) });
                }
            }
        }
        runs.sort_unstable_by_key(|old| old.key);
        runs
    }

    /// Messages of some runs stand in another segment now.
    pub(crate) fn replace_runs(&mut self, old: &[OldRun], new: NewSegment) {
        self.add_segment(&new);
        for OldRun { key, .. } in old {
            self.unsaved.replaced.push(*key);
            let Some(queue) = self.queues.get_mut(&key.queue) else { continue };
            let still = queue.cold.get(key.first).is_some_and(|c| c.run.segment == key.segment);
            if still && let Some(ColdRun { run, lasting, .. }) = queue.cold.take(key.first) {
                if let Some(segment) = self.segments.get_mut(&key.segment) {
                    segment.live -= u64::from(run.live);
                }
                queue.replaced.insert(key.first, run, lasting);
            }
        }
        for run in new.runs {
            self.adopt(run, |queue, position| queue.replaced.contains(position));
        }
        for OldRun { key, .. } in old {
            if let Some(queue) = self.queues.get_mut(&key.queue) {
                queue.replaced = Cold::default();
            }
        }
    }

    /// Takes up a run of a new segment, with those positions that are live.
    fn adopt(&mut self, new: NewRun, mut is_live: impl FnMut(&mut QueueIndex, u64) -> bool) {
        let NewRun { key, lasting, mut run } = new;
        let Some(queue) = self.queues.get_mut(&key.queue) else { return };
        let mut next = run.next_live(0);
        while let Some(at) = next {
            if !is_live(queue, key.first + at) {
                run.clear(at, at + 1);
            }
            next = run.next_live(at + 1);
        }
        if run.live > 0 {
            if let Some(segment) = self.segments.get_mut(&key.segment) {
                segment.live += u64::from(run.live);
            }
            queue.cold.insert(key.first, run, lasting);
            self.unsaved.runs.insert(key);
        }
    }

    /// A run was found when the store was opened.
    pub(crate) fn recover_run(&mut self, new: NewRun) {
        let NewRun { key, lasting, run } = new;
        if let Some(segment) = self.segments.get_mut(&key.segment) {
            segment.live += u64::from(run.live);
        }
        let queue = self.queues.entry(key.queue).or_default();
        queue.passed(key.first + u64::from(run.span));
        queue.cold.insert(key.first, run, lasting);
    }

    /// A queue was found when the store was opened.
    pub(crate) fn recover_queue(&mut self, id: QueueId, next_position: u64) {
        let queue = self.queues.entry(id).or_default();
        queue.next_position = queue.next_position.max(next_position);
        queue.in_catalog = true;
    }

    /// Delivery counts of cold messages were found when the store was opened.
    pub(crate) fn recover_counts(&mut self, id: QueueId, counts: &[(u64, u32)]) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        for (position, count) in counts {
            if queue.cold.contains(*position) {
                queue.deliveries.insert(*position, *count);
            }
        }
    }

    /// The catalogue knows nothing of what is here so far.
    pub(crate) fn forget_catalog(&mut self) {
        for (id, queue) in &self.queues {
            for (first, cold) in queue.cold.runs() {
                self.unsaved.run(RunKey { queue: *id, first, segment: cold.run.segment }, 0);
            }
        }
        self.unsaved.segments = true;
    }

    /// A cold message cannot be read any more.
    pub(crate) fn lose(&mut self, queue: QueueId, position: u64) {
        self.change(queue, 0, |queue, shrunk| queue.gone(position, 1, shrunk));
    }
}
