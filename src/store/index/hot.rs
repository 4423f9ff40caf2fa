//! One queue's messages that stand in the log: position → where.
//!
//! Positions come in order and mostly go in order, so they stand in a ring; what leaves out of
//! order leaves a hole, and holes are closed when they outnumber the rest. What does not come in
//! order, by its position or by the file that holds its content, stands in a small ordered map:
//! messages that a queue paged out late, and references to a message in the file before.

use std::collections::{BTreeMap, VecDeque};

/// Holes that are left alone: closing them costs more than they do.
const FEW_HOLES: usize = 64;

/// Where a message's record stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The log file. Their numbers don't reach 2³²: that would be 64 PiB of log.
    pub(crate) file: u32,
    /// In units of 8 bytes.
    offset: u32,
    /// Of the record; 0 in a hole.
    pub(crate) len: u32,
    /// Of the body.
    pub(crate) body: u32,
}

impl Spot {
    /// A record of `len` bytes.
    pub(crate) fn new(file: u64, offset: u64, len: usize, body: u32) -> Self {
        debug_assert!(offset.is_multiple_of(8) && offset / 8 <= u32::MAX.into());
        Self { file: file as u32, offset: (offset / 8) as u32, len: len as u32, body }
    }

    /// What it leaves behind: files ascend along the ring, also over holes.
    fn hole(self) -> Self {
        Self { offset: 0, len: 0, body: 0, ..self }
    }

    /// The record's first byte.
    pub(crate) fn offset(&self) -> u64 {
        u64::from(self.offset) * 8
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hot {
    ring: VecDeque<(u64, Spot)>,
    ring_live: usize,
    late: BTreeMap<u64, Spot>,
}

impl Hot {
    /// How many messages it holds.
    pub(crate) fn len(&self) -> usize {
        self.ring_live + self.late.len()
    }

    /// Adds a message. Returns whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, position: u64, spot: Spot) -> bool {
        let in_order =
            self.ring.back().is_none_or(|(last, at)| *last < position && at.file <= spot.file);
        if in_order {
            if self.ring.len() == self.ring.capacity() {
                // Not twice as much: there are hundreds of thousands of them.
                self.ring.reserve_exact(FEW_HOLES + self.ring.len() / 4);
            }
            self.ring.push_back((position, spot));
            self.ring_live += 1;
            self.late.is_empty() || self.late.remove(&position).is_none()
        } else if let Some(at) = self.find(position) {
            // Files ascend along the ring, so a newer copy cannot take the old one's place.
            self.ring[at].1 = self.ring[at].1.hole();
            self.ring_live -= 1;
            self.late.insert(position, spot);
            false
        } else {
            self.late.insert(position, spot).is_none()
        }
    }

    /// Takes a message out.
    #[inline]
    pub(crate) fn remove(&mut self, position: u64) -> Option<Spot> {
        let Some(at) = self.find(position) else {
            return if self.late.is_empty() { None } else { self.late.remove(&position) };
        };
        let spot = self.ring[at].1;
        self.ring[at].1 = spot.hole();
        self.ring_live -= 1;
        self.close_holes();
        Some(spot)
    }

    /// Takes a message out if it stands in a log file up to this one. Returns whether it did.
    pub(crate) fn remove_up_to_file(&mut self, position: u64, file: u64) -> bool {
        let ring = self.find(position).map(|at| self.ring[at].1);
        let spot = ring.or_else(|| self.late.get(&position).copied());
        let there = spot.is_some_and(|spot| u64::from(spot.file) <= file);
        there && self.remove(position).is_some()
    }

    /// Takes out everything in front of a position.
    pub(crate) fn remove_before(&mut self, position: u64) {
        self.late = self.late.split_off(&position);
        if self.ring.back().is_none_or(|(last, _)| *last < position) {
            self.ring = VecDeque::new();
            self.ring_live = 0;
            return;
        }
        let end = self.ring.partition_point(|(each, _)| *each < position);
        self.ring_live -= self.ring.drain(..end).filter(|(_, spot)| spot.len > 0).count();
        self.close_holes();
    }

    /// Everything from a position on, in order.
    pub(crate) fn from(&self, position: u64) -> impl Iterator<Item = (u64, Spot)> {
        let start = self.ring.partition_point(|(each, _)| *each < position);
        let mut ring = self.ring.range(start..).filter(|(_, spot)| spot.len > 0).peekable();
        let mut late = self.late.range(position..).peekable();
        std::iter::from_fn(move || match (ring.peek(), late.peek()) {
            (Some((a, _)), Some((b, _))) if a > b => late.next().map(|(at, spot)| (*at, *spot)),
            (None, Some(_)) => late.next().map(|(at, spot)| (*at, *spot)),
            (Some(_), Some(_) | None) | (None, None) => ring.next().copied(),
        })
    }

    /// Everything in log files up to this one, in order.
    pub(crate) fn up_to_file(&self, file: u64) -> Vec<(u64, Spot)> {
        let end = self.ring.partition_point(|(_, spot)| u64::from(spot.file) <= file);
        let mut found = Vec::with_capacity(end.min(self.ring_live));
        found.extend(self.ring.range(..end).filter(|(_, spot)| spot.len > 0).copied());
        let from_ring = found.len();
        let late = self.late.iter().filter(|(_, spot)| u64::from(spot.file) <= file);
        found.extend(late.map(|(position, spot)| (*position, *spot)));
        if found.len() > from_ring {
            found.sort_unstable_by_key(|(position, _)| *position);
        }
        found
    }

    /// Whether a position is held.
    pub(crate) fn contains(&self, position: u64) -> bool {
        self.find(position).is_some() || self.late.contains_key(&position)
    }

    #[inline]
    fn find(&self, position: u64) -> Option<usize> {
        let (first, _) = self.ring.front()?;
        // Without gaps the place follows from the position.
        let guess = usize::try_from(position.checked_sub(*first)?).ok()?;
        let at = match self.ring.get(guess) {
            Some((each, _)) if *each == position => guess,
            _ => self.ring.binary_search_by_key(&position, |(each, _)| *each).ok()?,
        };
        (self.ring[at].1.len > 0).then_some(at)
    }

    #[inline]
    fn close_holes(&mut self) {
        while matches!(self.ring.front(), Some((_, Spot { len: 0, .. }))) {
            self.ring.pop_front();
        }
        if self.ring.len() > 2 * self.ring_live + FEW_HOLES {
            self.ring.retain(|(_, spot)| spot.len > 0);
        }
        if self.ring.capacity() > 4 * self.ring.len() + 16 * FEW_HOLES {
            self.ring.shrink_to(2 * self.ring.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spot(file: u64) -> Spot {
        Spot::new(file, 8 * file, 24, 0)
    }

    /// The janitor clears a log file once everything in it is moved: what it does not see is lost.
    #[test]
    fn a_hole_at_the_end_does_not_hide_an_older_file() {
        let mut hot = Hot::default();
        for (position, file) in [(1, 2), (2, 2)] {
            hot.insert(position, spot(file));
        }
        hot.remove(2);
        hot.insert(3, spot(1));
        assert_eq!(hot.up_to_file(1), [(3, spot(1))]);
    }

    proptest! {
        #[test]
        fn it_is_an_ordered_map(steps in proptest::collection::vec((0u8..8, 0u64..200), 0..400)) {
            let (mut hot, mut model, mut next, mut file) = (Hot::default(), BTreeMap::new(), 0, 1);
            for (step, number) in steps {
                match step {
                    0..=2 => {
                        next += 1 + u64::from(number % 7 == 0);
                        file += u64::from(number % 50 == 0);
                        let at = spot(if number % 31 == 0 { file - 1 } else { file });
                        prop_assert_eq!(hot.insert(next, at), !model.contains_key(&next));
                        model.insert(next, at);
                    }
                    3 => {
                        prop_assert_eq!(hot.insert(number, spot(file)), !model.contains_key(&number));
                        model.insert(number, spot(file));
                    }
                    4 if number % 20 == 0 => {
                        hot.remove_before(number);
                        model = model.split_off(&number);
                    }
                    5 => {
                        let file = number / 20;
                        let want = model.iter().filter(|(_, s)| u64::from(s.file) <= file);
                        let want: Vec<_> = want.map(|(p, s)| (*p, *s)).collect();
                        prop_assert_eq!(hot.up_to_file(file), want);
                    }
                    _ => prop_assert_eq!(hot.remove(number), model.remove(&number)),
                }
                prop_assert_eq!(hot.len(), model.len());
                prop_assert_eq!(hot.contains(number), model.contains_key(&number));
                let all: Vec<_> = hot.from(number).collect();
                prop_assert_eq!(all, model.range(number..).map(|(p, s)| (*p, *s)).collect::<Vec<_>>());
            }
        }
    }
}
