//! Messages of the log that others may refer to. Only for a short while: the queues that a
//! message is routed to get their turns right after each other.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::hot::Spot;
use super::queue::Particulars;

/// A message that others may refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    pub(crate) spot: Spot,
    pub(crate) particulars: Particulars,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    by_lsn: FxHashMap<u64, Body>,
    in_order: VecDeque<u64>,
}

impl Bodies {
    pub(crate) fn insert(&mut self, lsn: u64, body: Body) {
        self.by_lsn.insert(lsn, body);
        self.in_order.push_back(lsn);
    }

    pub(crate) fn get(&self, lsn: u64) -> Option<Body> {
        self.by_lsn.get(&lsn).copied()
    }

    /// Nobody will refer to those in front of an lsn any more.
    #[inline]
    pub(crate) fn forget_before(&mut self, lsn: u64) {
        while let Some(first) = self.in_order.front().copied().filter(|first| *first < lsn) {
            self.in_order.pop_front();
            self.by_lsn.remove(&first);
        }
    }

    /// Whether somebody may still refer to a message in a log file up to this one.
    pub(crate) fn any_up_to_file(&self, file: u64) -> bool {
        let first = self.in_order.front().and_then(|lsn| self.by_lsn.get(lsn));
        first.is_some_and(|body| u64::from(body.spot.file) <= file)
    }
}
