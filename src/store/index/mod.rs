//! What is stored and where: the store's memory.
//!
//! The index is what all records of the log, applied in order, come to. The log writer applies a
//! record once its bytes are written, recovery applies those that it finds: one code for both, so
//! what comes back after a restart is what was there.

pub(crate) mod bodies;
pub(crate) mod cold;
pub(crate) mod hot;
pub(crate) mod moves;
pub(crate) mod open;
pub(crate) mod queue;
pub(crate) mod unsaved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::disk::DiskFile;
use super::format::read::{Flaw, Raw, View};
use super::format::record::{Place, flag};
use super::format::run::RunKey;
use crate::names::QueueId;
use bodies::{Bodies, Body};
use cold::Shrunk;
use hot::Spot;
use moves::Segment;
use open::{Departed, Transactions};
use queue::{Particulars, QueueIndex};
use unsaved::Unsaved;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The broker has started anew: what was only written to save memory does not count, and
    /// messages that were moved may stand in the log still.
    pub(crate) restarting: bool,
    queues: FxHashMap<QueueId, QueueIndex>,
    /// Messages that others may refer to.
    pub(crate) bodies: Bodies,
    /// Transactions that have not ended.
    pub(crate) transactions: Transactions,
    /// What the catalogue does not know yet.
    pub(crate) unsaved: Unsaved,
    /// The files of the log, to read from.
    pub(crate) logs: BTreeMap<u64, Arc<dyn DiskFile>>,
    /// The segments, to read from.
    pub(crate) segments: BTreeMap<u64, Segment>,
    /// Segments with damage, whose messages are to be moved whatever their number.
    pub(crate) condemned: BTreeSet<u64>,
    /// There is something for the janitor to clear away.
    pub(crate) untidy: bool,
}

impl Index {
    /// Applies a record that stands at a place of the log.
    #[inline]
    pub(crate) fn apply(&mut self, raw: &Raw<'_>, file: u64, offset: u64) -> Result<(), Flaw> {
        match raw.view()? {
            View::Message(place, content) => {
                let spot = Spot::new(file, offset, raw.len(), content.body_len());
                let lasting = !raw.has(flag::PASSING);
                if raw.has(flag::SHARED) {
                    let particulars = Particulars { expires: place.expires, lasting };
                    self.bodies.insert(raw.lsn, Body { spot, particulars });
                }
                if self.message(&place, lasting, spot) {
                    self.note(raw, &place, spot);
                }
            }
            View::Reference { place, body } => {
                // A body that is no longer known was moved or is gone, and the reference with it.
                if let Some(body) = self.bodies.get(body) {
                    let lasting = !raw.has(flag::PASSING);
                    let particulars = Particulars { expires: place.expires, lasting };
                    if self.message(&place, lasting, body.spot) {
                        self.note(raw, &place, body.spot);
                        if particulars != body.particulars {
                            let queue = self.queues.entry(place.queue).or_default();
                            queue.particulars.insert(place.position, particulars);
                        }
                    }
                }
            }
            View::Gone { queue, reason: _, ranges } if let Some(together) = raw.together => {
                for (first, count) in ranges.counted() {
                    let departed = Departed { queue, first, count, file };
                    self.transactions.departed(together, departed);
                }
            }
            View::Gone { queue, reason: _, ranges } => {
                self.change(queue, file, |queue, shrunk| {
                    for (first, count) in ranges.counted() {
                        queue.gone(first, count, &mut *shrunk);
                    }
                });
            }
            View::Purge { queue, before } => {
                self.change(queue, file, |queue, shrunk| queue.purge(before, shrunk));
            }
            View::QueueDeleted { queue } => {
                self.change(queue, file, |queue, shrunk| queue.cold.clear(0, u64::MAX, shrunk));
                if self.queues.remove(&queue).is_some_and(|queue| queue.in_catalog) {
                    self.unsaved.queue(queue, file);
                }
            }
            View::Delivered { queue: id, ranges } => {
                let Some(queue) = self.queues.get_mut(&id) else { return Ok(()) };
                for (first, count, deliveries) in ranges.with_deliveries() {
                    if queue.delivered(first, count, deliveries) {
                        self.unsaved.queue(id, file);
                    }
                }
            }
            View::Put { key, value } => {
                self.unsaved.row(key, Some(value), file);
                self.untidy = true;
            }
            View::Delete { key } => {
                self.unsaved.row(key, None, file);
                self.untidy = true;
            }
            View::Commit { together } => self.commit(together),
            View::Abandon { together } => self.abandon(together),
            View::Mark { .. } => {}
            View::Blob(_) => return Err(Flaw::Content),
        }
        Ok(())
    }

    /// A message reached a queue. Returns whether it is wanted in the log.
    #[inline]
    fn message(&mut self, place: &Place, lasting: bool, spot: Spot) -> bool {
        let queue = self.queues.entry(place.queue).or_default();
        if self.restarting && (!lasting || queue.cold.contains(place.position)) {
            queue.passed(place.position);
            return false;
        }
        queue.timed |= place.expires.is_some();
        queue.message(place.position, place.deliveries, spot);
        true
    }

    /// A message is in the index; if it came in a transaction, it may have to leave again.
    #[inline]
    fn note(&mut self, raw: &Raw<'_>, place: &Place, spot: Spot) {
        if let Some(together) = raw.together {
            let Place { queue, position, .. } = *place;
            self.transactions.message(together, queue, position, spot.file.into());
        }
    }

    /// A transaction counts: what left in it has left.
    fn commit(&mut self, together: u64) {
        let Some((open, awaited)) = self.transactions.end(together) else { return };
        self.untidy |= awaited;
        for Departed { queue, first, count, file } in open.departures {
            self.change(queue, file, |queue, shrunk| queue.gone(first, count, shrunk));
        }
    }

    /// A transaction does not count: what came in it was never there.
    fn abandon(&mut self, together: u64) {
        let Some((open, awaited)) = self.transactions.end(together) else { return };
        self.untidy |= awaited;
        for (queue, position) in open.messages {
            self.change(queue, 0, |queue, shrunk| queue.gone(position, 1, shrunk));
        }
    }

    /// What has no end in the log will not get one any more. Returns how many transactions that
    /// were.
    pub(crate) fn abandon_all(&mut self) -> usize {
        let open = self.transactions.numbers();
        open.iter().for_each(|together| self.abandon(*together));
        open.len()
    }

    /// Takes messages out of a queue, and notes which runs and segments that changed.
    fn change(
        &mut self,
        id: QueueId,
        file: u64,
        change: impl FnOnce(&mut QueueIndex, &mut dyn FnMut(Shrunk)),
    ) {
        let Self { queues, segments, unsaved, untidy, .. } = self;
        let Some(queue) = queues.get_mut(&id) else { return };
        change(queue, &mut |Shrunk { first, segment, gone }| {
            unsaved.run(RunKey { queue: id, first, segment }, file);
            if let Some(segment) = segments.get_mut(&segment) {
                segment.live -= u64::from(gone);
                *untidy |= segment.is_sparse();
            }
        });
    }

    /// A queue.
    pub(crate) fn get(&self, queue: QueueId) -> Option<&QueueIndex> {
        self.queues.get(&queue)
    }

    /// A queue, to change what does not concern the disk.
    pub(crate) fn get_mut(&mut self, queue: QueueId) -> Option<&mut QueueIndex> {
        self.queues.get_mut(&queue)
    }

    /// All queues, in no order that matters.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (QueueId, &QueueIndex)> {
        self.queues.iter().map(|(id, queue)| (*id, queue))
    }
}
