//! What is stored and where: the store's memory.
//!
//! The index is what all records of the log, applied in order, come to. The log writer applies a
//! record once its bytes are written, recovery applies those that it finds: one code for both, so
//! what comes back after a restart is what was there.

pub(crate) mod hot;
pub(crate) mod queue;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::disk::DiskFile;
use super::format::read::{Flaw, Raw, View};
use super::format::record::{Place, flag};
use crate::names::QueueId;
use hot::Spot;
use queue::{Particulars, QueueIndex};

/// Rows of the catalogue that changed since it was last written; `None` = deleted.
pub(crate) type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A message that others may refer to.
#[derive(Clone, Copy, Debug)]
struct Body {
    spot: Spot,
    particulars: Particulars,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The broker has started anew: what was only written to save memory does not count.
    pub(crate) restarting: bool,
    queues: FxHashMap<QueueId, QueueIndex>,
    /// Messages that others may refer to, by their lsn.
    bodies: FxHashMap<u64, Body>,
    /// The keys of `bodies` in order.
    bodies_in_order: VecDeque<u64>,
    /// Rows that the catalogue does not have yet.
    pub(crate) rows: Rows,
    /// The files of the log, to read from.
    pub(crate) logs: BTreeMap<u64, Arc<dyn DiskFile>>,
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
                    self.bodies_in_order.push_back(raw.lsn);
                }
                self.message(&place, lasting, spot);
            }
            View::Reference { place, body } => {
                // A body that is no longer known was moved or is gone, and the reference with it.
                if let Some(body) = self.bodies.get(&body).copied() {
                    let lasting = !raw.has(flag::PASSING);
                    let wanted = self.message(&place, lasting, body.spot);
                    let particulars = Particulars { expires: place.expires, lasting };
                    if wanted && particulars != body.particulars {
                        let queue = self.queue(place.queue);
                        queue.particulars.insert(place.position, particulars);
                    }
                }
            }
            View::Gone { queue, reason: _, ranges } => {
                if let Some(queue) = self.queues.get_mut(&queue) {
                    ranges.counted().for_each(|(first, count)| queue.gone(first, count));
                }
            }
            View::Delivered { queue, ranges } => {
                if let Some(queue) = self.queues.get_mut(&queue) {
                    for (first, count, deliveries) in ranges.with_deliveries() {
                        queue.delivered(first, count, deliveries);
                    }
                }
            }
            View::Purge { queue, before } => self.queue(queue).purge(before),
            View::QueueDeleted { queue } => {
                self.queues.remove(&queue);
            }
            View::Put { key, value } => {
                self.rows.insert(key.into(), Some(value.into()));
            }
            View::Delete { key } => {
                self.rows.insert(key.into(), None);
            }
            View::Mark { .. } => {}
            View::Blob(_) => return Err(Flaw::Content),
        }
        Ok(())
    }

    #[inline]
    fn message(&mut self, place: &Place, lasting: bool, spot: Spot) -> bool {
        let wanted = lasting || !self.restarting;
        let queue = self.queue(place.queue);
        if wanted {
            queue.message(place.position, place.deliveries, spot);
        } else {
            queue.passed(place.position);
        }
        wanted
    }

    /// Forgets bodies in front of an lsn: nobody will refer to them any more.
    pub(crate) fn forget_bodies(&mut self, before: u64) {
        while self.bodies_in_order.front().is_some_and(|lsn| *lsn < before) {
            if let Some(lsn) = self.bodies_in_order.pop_front() {
                self.bodies.remove(&lsn);
            }
        }
    }

    /// A queue.
    pub(crate) fn get(&self, queue: QueueId) -> Option<&QueueIndex> {
        self.queues.get(&queue)
    }

    /// All queues, in no order that matters.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (QueueId, &QueueIndex)> {
        self.queues.iter().map(|(id, queue)| (*id, queue))
    }

    #[inline]
    fn queue(&mut self, queue: QueueId) -> &mut QueueIndex {
        self.queues.entry(queue).or_default()
    }
}
