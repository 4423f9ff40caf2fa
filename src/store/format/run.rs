//! Runs: messages of one queue that lie behind each other in a segment.
//!
//! A run is the unit in which the store remembers cold messages: one row of the catalogue, and a
//! few dozen bytes of memory, for up to 256 KiB of them. The same bytes stand in a segment's
//! footer and in the catalogue; in the footer everything is live.
//!
//! ```text
//! row key:   queue 8 BE | first position 8 BE | segment 8 BE
//! row value:
//!  0  version  1   1
//!  1  timed    1   whether any of them ever expires
//!  2  (zero)   2
//!  4  span     4   last position − first position
//!  8  stored   4   how many messages there are in the segment …
//! 12  live     4   … and how many of them are not gone
//! 16  offset   8   where the first one's record starts
//! 24  bytes    4   how far the records reach
//! 28  (zero)   4
//! 32  bodies   8   bytes of all stored bodies
//! 40  bits     (span + 1 + 63) / 64 × 8   which positions are live; missing if all are
//! ```

use crate::names::QueueId;

const VERSION: u8 = 1;
const FIXED: usize = 40;

/// No run reaches over more positions: its bits are at most 2 KiB.
pub(crate) const MAX_SPAN: u32 = 16 * 1024 - 1;
/// No run is longer, unless it is a single message.
pub(crate) const MAX_BYTES: u32 = 256 * 1024;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
    pub(crate) span: u32,
    pub(crate) stored: u32,
    pub(crate) live: u32,
    pub(crate) bodies: u64,
    /// Some of them expire.
    pub(crate) timed: bool,
    /// Which positions are live, counted from the first; `None` if all are.
    pub(crate) bits: Option<Box<[u64]>>,
}

/// A run's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunKey {
    pub(crate) queue: QueueId,
    pub(crate) first: u64,
    pub(crate) segment: u64,
}

impl RunKey {
    pub(crate) fn encode(&self) -> Vec<u8> {
        [self.queue.0, self.first, self.segment].iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    pub(crate) fn decode(key: &[u8]) -> Option<Self> {
        let key: &[u8; 24] = key.try_into().ok()?;
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|n| key[at + n]));
        Some(Self { queue: QueueId(word(0)), first: word(8), segment: word(16) })
    }
}

impl Run {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, self.timed.into(), 0, 0];
        for word in [self.span, self.stored, self.live] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.bodies.to_le_bytes());
        for word in self.bits.iter().flatten() {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out
    }

    pub(crate) fn decode(segment: u64, value: &[u8]) -> Option<Self> {
        let (fixed, bits) = value.split_first_chunk::<FIXED>()?;
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| fixed[at + n]));
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| fixed[at + n]));
        let (span, stored, live) = (word(4), word(8), word(12));
        if fixed[0] != VERSION || span > MAX_SPAN || stored == 0 || stored > span + 1 {
            return None;
        }
        let bits: Vec<u64> =
            bits.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let set: u32 = bits.iter().map(|word| word.count_ones()).sum();
        let bits = if live == span + 1 && bits.is_empty() {
            None
        } else if bits.len() == words(span) && set == live {
            Some(bits.into_boxed_slice())
        } else {
            return None;
        };
        let (offset, bytes, bodies) = (long(16), word(24), long(32));
        let timed = fixed[1] != 0;
        Some(Self { segment, offset, bytes, span, stored, live, bodies, timed, bits })
    }

    /// Whether a position, counted from the first, is live.
    pub(crate) fn is_live(&self, at: u64) -> bool {
        at <= self.span.into()
            && self.bits.as_ref().is_none_or(|bits| bits[(at / 64) as usize] >> (at % 64) & 1 == 1)
    }

    /// The first live position, counted from the first, at `at` or behind.
    pub(crate) fn next_live(&self, at: u64) -> Option<u64> {
        let Some(bits) = &self.bits else { return (at <= self.span.into()).then_some(at) };
        let mut word = (at / 64) as usize;
        let mut rest = bits.get(word)? & (u64::MAX << (at % 64));
        while rest == 0 {
            word += 1;
            rest = *bits.get(word)?;
        }
        Some(word as u64 * 64 + u64::from(rest.trailing_zeros()))
    }

    /// Makes positions from `from` up to before `to`, counted from the first, gone. Returns how
    /// many were live.
    pub(crate) fn clear(&mut self, from: u64, to: u64) -> u32 {
        let to = to.min(u64::from(self.span) + 1);
        if from >= to || (self.bits.is_some() && self.next_live(from).is_none_or(|at| at >= to)) {
            return 0;
        }
        let span = self.span;
        let bits = self.bits.get_or_insert_with(|| all(span));
        let mut cleared = 0;
        let (first, last) = (from / 64, (to - 1) / 64);
        for word in first..=last {
            let mut mask = u64::MAX;
            if word == first {
                mask &= u64::MAX << (from % 64);
            }
            if word == last {
                mask &= u64::MAX >> (63 - (to - 1) % 64);
            }
            let word = &mut bits[word as usize];
            cleared += (*word & mask).count_ones();
            *word &= !mask;
        }
        self.live -= cleared;
        cleared
    }
}

/// Bits for which all positions are live.
fn all(span: u32) -> Box<[u64]> {
    let mut bits = vec![u64::MAX; words(span)].into_boxed_slice();
    let used = (span + 1) % 64;
    if used > 0
        && let Some(last) = bits.last_mut()
    {
        *last = (1 << used) - 1;
    }
    bits
}

/// Bits for which nothing is live.
pub(crate) fn none(span: u32) -> Box<[u64]> {
    vec![0; words(span)].into_boxed_slice()
}

fn words(span: u32) -> usize {
    (span as usize + 1).div_ceil(64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn run(span: u32) -> Run {
        let (stored, live) = (span + 1, span + 1);
        Run {
            segment: 3,
            offset: 64,
            bytes: 1000,
            span,
            stored,
            live,
            bodies: 9,
            timed: true,
            bits: None,
        }
    }

    #[test]
    fn its_row_comes_back() {
        let key = RunKey { queue: QueueId(7), first: 1 << 40, segment: 3 };
        assert_eq!(RunKey::decode(&key.encode()), Some(key));
        let mut run = run(200);
        assert_eq!(Run::decode(3, &run.encode()), Some(run.clone()));
        run.clear(20, 90);
        assert_eq!(Run::decode(3, &run.encode()), Some(run.clone()));
        let bytes = run.encode();
        for len in 0..bytes.len() {
            assert_eq!(Run::decode(3, &bytes[..len]), None, "{len}");
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_positions(
            span in 0u32..300,
            clears in proptest::collection::vec((0u64..310, 0u64..40), 0..20),
        ) {
            let mut run = run(span);
            let mut model: BTreeSet<u64> = (0..=span.into()).collect();
            for (from, count) in clears {
                let before = model.len();
                model.retain(|at| *at < from || *at >= from + count);
                prop_assert_eq!(run.clear(from, from + count) as usize, before - model.len());
                prop_assert_eq!(run.live as usize, model.len());
                prop_assert_eq!(run.next_live(from), model.range(from..).next().copied());
                for at in 0..310 {
                    prop_assert_eq!(run.is_live(at), model.contains(&at));
                }
            }
        }
    }
}
