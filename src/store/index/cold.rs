//! One queue's messages that have left the log: runs of them in segments.
//!
//! Runs may reach into each other: a message that was paged out late stands between others that
//! were moved before. No position is live in two of them, and none reaches over more than
//! [`MAX_SPAN`] positions, so the run that holds a position is never far in front of it.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::iter::Peekable;

use crate::store::format::run::{MAX_SPAN, Run};

/// Marks of a run are no closer, in bytes: what stands between two is walked through each time.
pub(crate) const MARKS: u32 = 16 << 10;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cold {
    /// By their first position.
    runs: BTreeMap<u64, ColdRun>,
    live: u64,
}

/// A run in memory.
#[derive(Clone, Debug)]
pub(crate) struct ColdRun {
    pub(crate) run: Run,
    /// Whether its messages are wanted back after a restart.
    pub(crate) lasting: bool,
    /// From which position on the last fetch left off, and where in the run that stands.
    left_off: (u64, u32),
    /// Messages that a fetch had to walk past, some of them: whoever wants single messages here and there
    /// need not walk from the front each time.
    marks: Vec<Mark>,
}

/// Where in a run a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Counted from the run's first position.
    pub(crate) nth: u32,
    pub(crate) at: u32,
}

impl ColdRun {
    fn new(first: u64, run: Run, lasting: bool) -> Self {
        Self { run, lasting, left_off: (first, 0), marks: Vec::new() }
    }

    /// From where on to look for a position; `first` is the run's.
    pub(crate) fn near(&self, first: u64, position: u64) -> u32 {
        let behind = self.marks.partition_point(|mark| first + u64::from(mark.nth) <= position);
        let mark = behind.checked_sub(1).map_or(0, |last| self.marks[last].at);
        let (upto, at) = self.left_off;
        if upto <= position { at.max(mark) } else { mark }
    }

    fn mark(&mut self, new: Mark) {
        let place = self.marks.partition_point(|mark| mark.at < new.at);
        let (before, behind) = self.marks.split_at(place);
        let near = |mark: &Mark| mark.at.abs_diff(new.at) < MARKS;
        if !before.last().is_some_and(near) && !behind.first().is_some_and(near) {
            self.marks.insert(place, new);
        }
    }
}

/// A run that lost messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shrunk {
    pub(crate) first: u64,
    pub(crate) segment: u64,
    pub(crate) gone: u32,
}

impl Cold {
    /// How many messages it holds.
    pub(crate) fn len(&self) -> u64 {
        self.live
    }

    /// Adds a run that has live messages. Returns the one that stood in its place.
    pub(crate) fn insert(&mut self, first: u64, run: Run, lasting: bool) -> Option<Run> {
        self.live += u64::from(run.live);
        let old = self.runs.insert(first, ColdRun::new(first, run, lasting))?.run;
        self.live -= u64::from(old.live);
        Some(old)
    }

    /// Takes a run out.
    pub(crate) fn take(&mut self, first: u64) -> Option<ColdRun> {
        let taken = self.runs.remove(&first)?;
        self.live -= u64::from(taken.run.live);
        Some(taken)
    }

    /// The run that starts at a position.
    pub(crate) fn get(&self, first: u64) -> Option<&ColdRun> {
        self.runs.get(&first)
    }

    /// Remembers where a fetch left off: behind which position, and where that stands; and marks.
    pub(crate) fn fetched(&mut self, run: (u64, u64), left_off: (u64, u32), marks: &[Mark]) {
        let (first, segment) = run;
        if let Some(cold) = self.runs.get_mut(&first)
            && cold.run.segment == segment
        {
            cold.left_off = left_off;
            marks.iter().for_each(|mark| cold.mark(*mark));
        }
    }

    /// All runs, in order of their first positions.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, &ColdRun)> {
        self.runs.iter().map(|(first, run)| (*first, run))
    }

    /// Whether a position is live.
    pub(crate) fn contains(&self, position: u64) -> bool {
        let near = self.runs.range(position.saturating_sub(MAX_SPAN.into())..=position).rev();
        near.into_iter().any(|(first, cold)| cold.run.is_live(position - first))
    }

    /// Makes positions from `from` up to before `to` gone, and tells of each run that changed.
    pub(crate) fn clear(&mut self, from: u64, to: u64, mut changed: impl FnMut(Shrunk)) {
        if self.runs.is_empty() || from >= to {
            return;
        }
        let mut dead = Vec::new();
        for (first, cold) in self.runs.range_mut(from.saturating_sub(MAX_SPAN.into())..to) {
            let (first, run) = (*first, &mut cold.run);
            let whole = from <= first && first + u64::from(run.span) < to;
            let gone = if whole {
                std::mem::take(&mut run.live)
            } else {
                run.clear(from.saturating_sub(first), to - first)
            };
            if gone > 0 {
                self.live -= u64::from(gone);
                changed(Shrunk { first, segment: run.segment, gone });
            }
            if run.live == 0 {
                dead.push(first);
            }
        }
        for first in dead {
            self.runs.remove(&first);
        }
    }

    /// The live positions from one on, in order, each with the first position of its run.
    pub(crate) fn from(&self, position: u64) -> Positions<'_> {
        let rest = self.runs.range(position.saturating_sub(MAX_SPAN.into())..);
        Positions { from: position, active: Vec::new(), rest: rest.peekable() }
    }
}

/// See [`Cold::from`].
pub(crate) struct Positions<'a> {
    from: u64,
    /// Runs that have begun, with their next live position.
    active: Vec<(u64, u64, &'a ColdRun)>,
    rest: Peekable<Range<'a, u64, ColdRun>>,
}

impl<'a> Iterator for Positions<'a> {
    type Item = (u64, u64, &'a ColdRun);

    fn next(&mut self) -> Option<Self::Item> {
        let best = loop {
            let next = self.active.iter().map(|(next, ..)| *next).enumerate();
            let best = next.min_by_key(|(_, next)| *next);
            let begins = self.rest.next_if(|(first, _)| best.is_none_or(|(_, at)| **first <= at));
            match (begins, best) {
                (Some((first, cold)), _) => {
                    let at = self.from.saturating_sub(*first);
                    if let Some(next) = cold.run.next_live(at) {
                        self.active.push((first + next, *first, cold));
                    }
                }
                (None, Some((best, _))) => break best,
                (None, None) => return None,
            }
        };
        let (position, first, cold) = self.active[best];
        match cold.run.next_live(position + 1 - first) {
            Some(next) => self.active[best].0 = first + next,
            None => {
                self.active.swap_remove(best);
            }
        }
        Some((position, first, cold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::format::run::none;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Some positions in a few runs that reach into each other.
    fn scattered(of: &[u8]) -> (Cold, BTreeMap<u64, u64>) {
        let (mut cold, mut model) = (Cold::default(), BTreeMap::new());
        for part in 0..4 {
            let positions: Vec<u64> =
                (0..).zip(of).filter(|(_, to)| **to == part).map(|(at, _)| at * 7).collect();
            let (Some(first), Some(last)) = (positions.first(), positions.last()) else { continue };
            let (span, stored) = ((last - first) as u32, positions.len() as u32);
            let mut bits = none(span);
            for position in &positions {
                bits[((position - first) / 64) as usize] |= 1 << ((position - first) % 64);
                model.insert(*position, *first);
            }
            let (bits, live, segment) = (Some(bits), stored, part.into());
            let timed = false;
            let run =
                Run { segment, offset: 0, bytes: 0, span, stored, live, bodies: 0, timed, bits };
            assert!(cold.insert(*first, run, true).is_none());
        }
        (cold, model)
    }

    proptest! {
        /// Whatever was walked past before, a message is never in front of where it is looked for.
        #[test]
        fn near_a_position_is_not_behind_it(
            walks in proptest::collection::vec((0u32..500, 1u32..500), 0..20),
            position in 0u32..500,
        ) {
            const BYTES: u32 = 400;
            let (first, live) = (7, 500);
            let run = Run {
                segment: 1, offset: 64, bytes: live * BYTES, span: live - 1, stored: live, live,
                bodies: 0, timed: false, bits: None,
            };
            let mut cold = Cold::default();
            assert!(cold.insert(first, run, true).is_none());
            for (from, count) in walks {
                let past: Vec<Mark> =
                    (from..(from + count).min(500)).map(|nth| Mark { nth, at: nth * BYTES }).collect();
                let end = (from + count).min(500);
                cold.fetched((first, 1), (first + u64::from(end), end * BYTES), &past);
                cold.fetched((first, 2), (0, 1 << 20), &past);
            }
            let run = cold.get(first).expect("it is there");
            prop_assert!(run.near(first, first + u64::from(position)) <= position * BYTES);
            prop_assert!(run.marks.windows(2).all(|two| two[0].at + MARKS <= two[1].at));
        }

        #[test]
        fn it_is_an_ordered_set(
            of in proptest::collection::vec(0u8..6, 0..100),
            clears in proptest::collection::vec((0u64..700, 0u64..90), 0..20),
        ) {
            let (mut cold, mut model) = scattered(&of);
            for (from, count) in clears {
                let before = model.len();
                model.retain(|at, _| *at < from || *at >= from + count);
                let mut gone = 0;
                cold.clear(from, from + count, |shrunk| gone += shrunk.gone as usize);
                prop_assert_eq!(gone, before - model.len());
                prop_assert_eq!(cold.len() as usize, model.len());
                let all: Vec<_> = cold.from(from).map(|(at, first, _)| (at, first)).collect();
                let want: Vec<_> = model.range(from..).map(|(at, first)| (*at, *first)).collect();
                prop_assert_eq!(all, want);
                for at in 0..700 {
                    prop_assert_eq!(cold.contains(at), model.contains_key(&at));
                }
            }
        }
    }
}
