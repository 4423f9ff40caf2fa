//! Segments that are mostly gone are cleared away: what is left in them moves together.

use std::collections::BTreeMap;

use super::{Flush, Janitor};
use crate::store::error::{Failure, Tried};
use crate::store::format::read::{Flaw, View};
use crate::store::index::moves::{OldRun, Segment};
use crate::store::segments;
use crate::store::segments::read::records;
use crate::store::segments::write::SegmentWriter;

/// Bytes of messages that are moved at once.
const MOST: u64 = 64 << 20;
/// So many segments that are mostly gone are worth being merged.
const FEW_SPARSE: usize = 2;
/// So many small segments of about one size are. Each message is moved once for a size, of which
/// there are few.
const MANY_SMALL: usize = 8;

impl Janitor {
    /// Merges segments that are mostly gone, and removes those that are wholly so. Returns
    /// whether there were any.
    pub(super) fn merge_sparse(&mut self, flush: Flush<'_>) -> Result<bool, Failure> {
        let index = self.shared.index.lock();
        let dead = index.segments.values().any(|segment| segment.live == 0);
        let condemned =
            index.condemned.iter().copied().filter(|at| index.segments.contains_key(at));
        let mut chosen: Vec<u64> = condemned.collect();
        if chosen.is_empty() {
            chosen = self.worth_merging(&index.segments);
        }
        let runs = if chosen.is_empty() { Vec::new() } else { index.runs_of(&chosen) };
        drop(index);
        if !runs.is_empty() {
            self.merge(&chosen, &runs).inspect_err(|_| self.give_up())?;
            self.shared.index.lock().condemned.clear();
        }
        if dead || !runs.is_empty() {
            self.save(flush)?;
        }
        Ok(dead || !runs.is_empty())
    }

    /// Several segments that are mostly gone; or else so many small ones of about one size that
    /// their number is a burden.
    fn worth_merging(&self, segments: &BTreeMap<u64, Segment>) -> Vec<u64> {
        let mut bytes = 0;
        let sparse = segments.iter().filter(|(_, segment)| segment.live > 0 && segment.is_sparse());
        let sparse = sparse.take_while(|(_, segment)| {
            bytes += segment.live_bytes();
            bytes <= MOST
        });
        let sparse: Vec<u64> = sparse.map(|(number, _)| *number).collect();
        if sparse.len() >= FEW_SPARSE {
            return sparse;
        }
        let mut sizes: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for (number, segment) in segments.iter().filter(|(_, segment)| segment.live > 0) {
            let bytes = segment.live_bytes();
            if bytes < self.shared.options.log_file / 2 {
                sizes.entry(bytes.max(1).ilog2() / 3).or_default().push(*number);
            }
        }
        sizes.into_values().find(|of_a_size| of_a_size.len() >= MANY_SMALL).unwrap_or_default()
    }

    fn merge(&mut self, sparse: &[u64], runs: &[OldRun]) -> Result<(), Failure> {
        let mut new = self.new_segment()?;
        // Runs of one queue may reach into each other, so they are read side by side.
        for of_queue in runs.chunk_by(|a, b| a.key.queue == b.key.queue) {
            let mut rest = of_queue;
            while let Some(first) = rest.first() {
                // As many as reach into each other.
                let mut end = first.last_position();
                let mut count = 1;
                while let Some(next) = rest.get(count)
                    && next.key.first <= end
                {
                    end = end.max(next.last_position());
                    count += 1;
                }
                let (together, behind) = rest.split_at(count);
                rest = behind;
                self.copy(&mut new, together)?;
            }
        }
        let new = new.finish(0, sparse)?;
        self.shared.index.lock().replace_runs(runs, new);
        Ok(())
    }

    /// Copies what is live in some runs, in order of positions.
    fn copy(&self, new: &mut SegmentWriter, runs: &[OldRun]) -> Result<(), Failure> {
        let mut read = Vec::new();
        for old in runs {
            let path = segments::path(&self.shared.options.dir, old.run.segment);
            let mut bytes = vec![0; old.run.bytes as usize];
            let len = old.handle.read_at(&mut bytes, old.run.offset).or_failure("read", &path)?;
            bytes.truncate(len);
            read.push((old, path, bytes));
        }
        let mut messages = Vec::new();
        for (old, path, bytes) in &read {
            let mut found = 0;
            let mut damage = Failure::damaged(path, old.run.offset, Flaw::Ends);
            for record in records(bytes, 0, segments::seed(old.run.segment)) {
                let view = match record {
                    Ok((_, raw)) => raw.view(),
                    Err((at, flaw)) => {
                        damage = Failure::damaged(path, old.run.offset + at as u64, flaw);
                        continue;
                    }
                };
                if let Ok(View::Message(place, content)) = view
                    && place.queue == old.key.queue
                    && place
                        .position
                        .checked_sub(old.key.first)
                        .is_some_and(|at| old.run.is_live(at))
                {
                    messages.push((place, old.lasting, content));
                    found += 1;
                }
            }
            // Damage to what is gone is nobody's loss.
            if found < old.run.live {
                return Err(damage);
            }
        }
        messages.sort_by_key(|(place, ..)| place.position);
        for (place, lasting, content) in messages {
            new.push(&place, lasting, &content)?;
        }
        Ok(())
    }
}
