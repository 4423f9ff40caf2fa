//! One queue as the store knows it: which of its messages are here, and where.

use std::collections::BTreeMap;

use super::cold::{Cold, Shrunk};
use super::hot::{Hot, Spot};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueueIndex {
    /// Messages in the log.
    pub(crate) hot: Hot,
    /// Messages in segments.
    pub(crate) cold: Cold,
    /// How often messages were handed out that came back.
    pub(crate) deliveries: BTreeMap<u64, u32>,
    /// What is true of messages that refer to another's content, where it differs from what
    /// stands there.
    pub(crate) particulars: BTreeMap<u64, Particulars>,
    /// Some of its messages in the log expire, or did.
    pub(crate) timed: bool,
    /// Runs that are just being replaced.
    pub(crate) replaced: Cold,
    /// The catalogue has rows about it.
    pub(crate) in_catalog: bool,
    /// One more than the highest position seen.
    pub(crate) next_position: u64,
}

/// What is true of a message in one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Particulars {
    /// When it expires.
    pub(crate) expires: Option<u64>,
    /// Whether it is wanted back after a restart.
    pub(crate) lasting: bool,
}

impl QueueIndex {
    /// A message was here that is not wanted back.
    pub(crate) fn passed(&mut self, position: u64) {
        self.next_position = self.next_position.max(position.saturating_add(1));
    }

    /// A message is here.
    #[inline]
    pub(crate) fn message(&mut self, position: u64, deliveries: u32, spot: Spot) {
        self.passed(position);
        self.hot.insert(position, spot);
        if deliveries > 0 {
            self.deliveries.insert(position, deliveries);
        }
    }

    /// Messages left. Tells of the runs that changed.
    #[inline]
    pub(crate) fn gone(&mut self, first: u64, count: u64, changed: impl FnMut(Shrunk)) {
        let end = first.saturating_add(count);
        forget(&mut self.deliveries, first, end);
        forget(&mut self.particulars, first, end);
        let before = self.hot.len();
        // A range is no longer than what is held, unless it is about cold messages too.
        if count <= 2 * self.hot.len() as u64 {
            for position in first..end {
                self.hot.remove(position);
            }
        } else {
            let held: Vec<u64> = self.hot.from(first).map(|(position, _)| position).collect();
            for position in held.into_iter().take_while(|position| *position < end) {
                self.hot.remove(position);
            }
        }
        if ((before - self.hot.len()) as u64) < count {
            self.cold.clear(first, end, changed);
        }
    }

    /// Everything in front of a position left.
    pub(crate) fn purge(&mut self, before: u64, changed: impl FnMut(Shrunk)) {
        self.next_position = self.next_position.max(before);
        self.hot.remove_before(before);
        self.deliveries = self.deliveries.split_off(&before);
        self.particulars = self.particulars.split_off(&before);
        self.cold.clear(0, before, changed);
    }

    /// Messages were handed out and came back. Returns whether there are cold ones among them.
    pub(crate) fn delivered(&mut self, first: u64, count: u32, deliveries: u32) -> bool {
        let mut any_cold = false;
        for position in first..first.saturating_add(count.into()) {
            let cold = self.cold.contains(position);
            if cold || self.hot.contains(position) {
                self.deliveries.insert(position, deliveries);
            }
            any_cold |= cold;
        }
        any_cold
    }

    /// How many messages are here.
    pub(crate) fn len(&self) -> u64 {
        self.hot.len() as u64 + self.cold.len()
    }
}

fn forget<T>(map: &mut BTreeMap<u64, T>, first: u64, end: u64) {
    while let Some((position, _)) = map.range(first..end).next() {
        let position = *position;
        map.remove(&position);
    }
}
