//! When messages of a queue are due (to expire), wherever they stand, in memory or on disk.
//!
//! ```text
//!   runs (ring)                          apart (heap of 16 bytes each)
//!   due 3.2 s: 17 … 940, due 3.3 s: …    (due 0.9 s, position 55, body 120), …
//!   those whose due times ascend         all others
//! ```
//!
//! Messages with the queue's own TTL are due in the order in which they came: a run of them
//! costs some 60 bytes for each [`GRAIN`] in which any came, and nothing for each message. Only a
//! message that is due out of that order costs an entry of its own.
//!
//! Time is looked at in steps of [`GRAIN`]: after a sweep just those messages are gone whose due
//! time lies at or before the last step ([`Dues::is_swept`]). That makes the rule a function of
//! the message alone, so that one which comes from disk is known to be swept or not. (Whoever
//! hands out a message looks at its exact time.)
//!
//! What is here may be out of date: a message was taken meanwhile, and its entry stays until it
//! is due. Whoever sweeps asks the queue whether it is still there.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::ready::Entry;
use super::volume::Volume;

/// Milliseconds of a step: a message goes at most so much later than it is due.
pub const GRAIN: u64 = 32;
/// The due time of what is never due.
pub const NEVER: u64 = u64::MAX;
/// The latest due time that an entry can have: beyond the year 2500.
const LATEST: u64 = (1 << 44) - 1;
/// The bit that says that a message is only on disk …
const AWAY: u64 = 1 << 39;
/// … and the one that says that it is persistent.
const LASTING: u64 = 1 << 38;
/// Stale entries that are left alone.
const FEW_STALE: usize = 1024;

/// An entry: due time 44 bits, position 44 bits, whether it is only on disk 1 bit, whether it is
/// persistent 1 bit, length of the body 38 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Apart(u128);

impl Apart {
    fn new(message: Timed) -> Self {
        let Timed { position, due, len, away, lasting } = message;
        debug_assert!(position < 1 << 44 && len < LASTING);
        let flags = (u64::from(away) * AWAY) | (u64::from(lasting) * LASTING);
        let low = (position << 40) | flags | len;
        let high = position >> 24;
        Self(u128::from(due.min(LATEST)) << 84 | u128::from(high) << 64 | u128::from(low))
    }

    fn due(self) -> u64 {
        (self.0 >> 84) as u64
    }

    fn position(self) -> u64 {
        (self.0 >> 40) as u64 & LATEST
    }

    fn len(self) -> u64 {
        self.0 as u64 & (LASTING - 1)
    }

    fn lasting(self) -> bool {
        self.0 as u64 & LASTING != 0
    }

    fn away(self) -> bool {
        self.0 as u64 & AWAY != 0
    }
}

/// Messages that came behind each other and are due in the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The step.
    due: u64,
    first: u64,
    last: u64,
    /// How many of them are only on disk …
    away: u64,
    /// … and the bytes of their bodies.
    away_bytes: u64,
    /// Of these, what is persistent.
    away_lasting: Volume,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// One message.
    One {
        /// Where it stood.
        position: u64,
        /// Bytes of its body.
        len: u64,
        /// It was only on disk when it was added.
        away: bool,
        /// It is persistent.
        lasting: bool,
        /// The step in which it was due.
        step: u64,
    },
    /// All that are still there between two positions, both included.
    Run {
        /// The first position.
        first: u64,
        /// The last position.
        last: u64,
        /// How many of them are only on disk.
        away: u64,
        /// Bytes of the bodies of those.
        away_bytes: u64,
        /// What of those is persistent.
        away_lasting: Volume,
        /// The step in which they were due.
        step: u64,
    },
}

/// When messages of a queue are due.
#[derive(Clone, Debug, Default)]
pub struct Dues {
    runs: VecDeque<Run>,
    apart: BinaryHeap<Reverse<Apart>>,
    swept: u64,
}

/// A message that is due some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    /// Where it stands.
    pub position: u64,
    /// When it is due, in ms since 1970.
    pub due: u64,
    /// Bytes of its body.
    pub len: u64,
    /// It is only on disk.
    pub away: bool,
    /// It is persistent.
    pub lasting: bool,
}

impl Timed {
    /// A message that has a place.
    pub fn of(entry: &Entry, away: bool) -> Self {
        let Entry { position, due, ref message, .. } = *entry;
        let (len, lasting) = (message.body_len() as u64, message.is_persistent());
        Self { position, due, len, away, lasting }
    }
}

/// The step in which something is due.
pub fn step(due: u64) -> u64 {
    due.min(LATEST - GRAIN).next_multiple_of(GRAIN)
}

impl Dues {
    /// Adds a message that stands behind all others. `in_order`: it has the queue's TTL, so it is
    /// most likely due last.
    pub fn add(&mut self, message: Timed, in_order: bool) {
        let Timed { position, due, .. } = message;
        let due_step = step(due);
        match self.runs.back_mut() {
            Some(last) if due_step == last.due && position == last.last + 1 => {
                last.last = position;
                last.count(message);
            }
            last if in_order && last.as_ref().is_none_or(|last| due_step >= last.due) => {
                let mut run = Run::new(due_step, position);
                run.count(message);
                self.runs.push_back(run);
            }
            last => {
                // By the time that the run is due this one is gone, so it does not interrupt it.
                if let Some(last) = last.filter(|last| due_step < last.due)
                    && position == last.last + 1
                {
                    last.last = position;
                }
                self.again(message);
            }
        }
    }

    /// Adds a message that came back, or one that stands anywhere.
    pub fn again(&mut self, message: Timed) {
        self.apart.push(Reverse(Apart::new(message)));
    }

    /// A message that was only on disk is in memory now.
    pub fn arrived(&mut self, message: Timed) {
        if let Some(run) = self.run_of(message.position, message.due) {
            run.away = run.away.saturating_sub(1);
            run.away_bytes = run.away_bytes.saturating_sub(message.len);
            run.away_lasting.take(Volume::if_lasting(message.lasting, message.len));
        }
    }

    /// A message that [had arrived](Self::arrived) is only on disk again.
    pub fn left_memory(&mut self, message: Timed) {
        if let Some(run) = self.run_of(message.position, message.due) {
            run.count(Timed { away: true, ..message });
        }
    }

    fn run_of(&mut self, position: u64, due: u64) -> Option<&mut Run> {
        let at = self.runs.partition_point(|run| run.last < position);
        let run = self.runs.get_mut(at)?;
        (run.first <= position && run.due == step(due)).then_some(run)
    }

    /// When something is due next.
    #[inline]
    pub fn next(&self) -> Option<u64> {
        let run = self.runs.front().map(|run| run.due);
        let apart = self.apart.peek().map(|Reverse(apart)| step(apart.due()));
        match (run, apart) {
            (Some(run), Some(apart)) => Some(run.min(apart)),
            (one, other) => one.or(other),
        }
    }

    /// Whether a message that is due then has been swept away.
    pub fn is_swept(&self, due: u64) -> bool {
        due != NEVER && due <= self.swept
    }

    /// Up to when everything due has been swept: always a whole step.
    pub fn swept(&self) -> u64 {
        self.swept
    }

    /// Takes out what is due by now. After `most` entries, the rest of their step included, it
    /// leaves the others for the next time: then [`Self::next`] lies in the past.
    pub fn sweep(&mut self, now: u64, most: usize, mut each: impl FnMut(Swept)) {
        let until = now - now % GRAIN;
        let mut taken = 0;
        while let Some(step) = self.next().filter(|next| *next <= until) {
            if taken >= most {
                return;
            }
            taken += self.sweep_step(step, &mut each);
            self.swept = self.swept.max(step);
        }
        self.swept = self.swept.max(until);
    }

    fn sweep_step(&mut self, this: u64, each: &mut impl FnMut(Swept)) -> usize {
        let mut taken = 0;
        while let Some(run) = self.runs.pop_front_if(|run| run.due == this) {
            let Run { due: step, first, last, away, away_bytes, away_lasting } = run;
            each(Swept::Run { first, last, away, away_bytes, away_lasting, step });
            taken += usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1);
        }
        while let Some(Reverse(next)) = self.apart.peek().copied()
            && step(next.due()) == this
        {
            self.apart.pop();
            let (position, len, away) = (next.position(), next.len(), next.away());
            each(Swept::One { position, len, away, lasting: next.lasting(), step: this });
            taken += 1;
        }
        taken
    }

    /// Forgets entries of messages that are not there any more, if there are many of them;
    /// `live` is how many messages there are at most.
    pub fn tidy(&mut self, live: usize, mut is_there: impl FnMut(u64) -> bool) {
        if self.apart.len() > 2 * live + FEW_STALE {
            let mut apart = std::mem::take(&mut self.apart).into_vec();
            apart.sort_unstable();
            apart.dedup();
            apart.retain(|Reverse(each)| is_there(each.position()));
            self.apart = apart.into();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.runs = VecDeque::new();
        self.apart = BinaryHeap::new();
    }

    /// What must hold: runs ascend in both ways.
    pub(super) fn validate(&self) {
        let ascending = |pair: (&Run, &Run)| pair.0.due <= pair.1.due && pair.0.last < pair.1.first;
        assert!(self.runs.iter().zip(self.runs.iter().skip(1)).all(ascending), "runs ascend");
        assert!(self.runs.iter().all(|run| run.first <= run.last));
    }
}

impl Run {
    fn new(due: u64, position: u64) -> Self {
        let (away, away_bytes, away_lasting) = (0, 0, Volume::default());
        Self { due, first: position, last: position, away, away_bytes, away_lasting }
    }

    fn count(&mut self, message: Timed) {
        if message.away {
            self.away += 1;
            self.away_bytes += message.len;
            self.away_lasting.add(Volume::if_lasting(message.lasting, message.len));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn timed(position: u64, due: u64) -> Timed {
        let (away, lasting) = (position.is_multiple_of(2), position.is_multiple_of(3));
        Timed { position, due, len: 1, away, lasting }
    }

    #[test]
    fn a_ttl_costs_nothing_for_each_message() {
        let mut dues = Dues::default();
        for position in 0..100_000 {
            dues.add(timed(position, 5000 + position / 1000), true);
        }
        assert!(dues.runs.len() <= 5 && dues.apart.is_empty(), "{} runs", dues.runs.len());
    }

    #[test]
    fn entries_of_messages_that_left_are_forgotten() {
        let mut dues = Dues::default();
        for position in 0..5000 {
            dues.add(timed(position, 10_000 - position), false);
            dues.tidy(10, |each| each + 10 > position);
        }
        assert!(dues.apart.len() <= FEW_STALE + 21);
    }

    proptest! {
        /// Every message is swept once, not before it is due and at most a step later, whatever
        /// the order, and those on disk are counted.
        #[test]
        fn what_is_due_is_swept(
            ttl in 1u64..500,
            messages in proptest::collection::vec((0u64..20, proptest::option::of(0u64..700)), 0..300),
            most in 1usize..50,
        ) {
            let (mut dues, mut now, mut left) = (Dues::default(), 1000, Vec::new());
            let sweep = |dues: &mut Dues, left: &mut Vec<Timed>, now: u64| {
                dues.sweep(now, most, |swept| match swept {
                    Swept::One { position, len, away, lasting, .. } => {
                        left.retain(|each| each.position != position || {
                            assert!(each.due <= now && each.len == len);
                            assert_eq!((each.away, each.lasting), (away, lasting));
                            false
                        });
                    }
                    Swept::Run { first, last, away, away_bytes, away_lasting, step: at } => {
                        let (mut on_disk, mut lasting) = (0, 0);
                        left.retain(|each| {
                            let inside = (first..=last).contains(&each.position);
                            assert!(!inside || each.due <= now);
                            let there = inside && each.away && step(each.due) == at;
                            on_disk += u64::from(there);
                            lasting += u64::from(there && each.lasting);
                            !inside
                        });
                        assert_eq!((away, away_bytes), (on_disk, on_disk));
                        let lasting = Volume { messages: lasting, bytes: lasting };
                        assert_eq!(away_lasting, lasting);
                    }
                });
                for each in left.iter() {
                    assert!(!dues.is_swept(each.due), "{each:?} is not swept yet");
                }
                dues.validate();
            };
            for (position, (pause, expiration)) in (0..).zip(messages) {
                now += pause;
                let due = now + ttl.min(expiration.unwrap_or(u64::MAX));
                dues.add(timed(position, due), true);
                left.push(timed(position, due));
                sweep(&mut dues, &mut left, now);
            }
            while let Some(next) = dues.next() {
                now = now.max(next);
                sweep(&mut dues, &mut left, now);
                if dues.next().is_none_or(|next| next > now) {
                    prop_assert!(left.iter().all(|each| each.due > now - now % GRAIN));
                }
            }
            prop_assert_eq!(left, vec![]);
        }
    }
}
