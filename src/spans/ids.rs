//! Ids of spans that two who do not talk to each other come to by themselves.
//!
//! A delivery's span is a child of the one in which its message entered the queue, which may have
//! been before a restart; an ack's is a child of its delivery's. Kept ids would cost memory for
//! each message, on disk too. So they are made of what both know: the trace, the queue, and where
//! in the queue the message stands.

use super::context::{SpanId, TraceId};

/// A message's entering into a queue.
pub fn enqueued(trace: TraceId, queue: u64, position: u64) -> SpanId {
    derived(trace, &[1, queue, position])
}

/// A delivery. `run` tells runs of the broker apart: deliveries are numbered anew in each.
pub fn delivered(
    trace: TraceId,
    queue: u64,
    position: u64,
    delivery: Option<u64>,
    run: u64,
) -> SpanId {
    derived(trace, &[2, queue, position, delivery.map_or(0, |id| id + 1), run])
}

/// What became of a delivery.
pub fn settled(trace: TraceId, queue: u64, position: u64, delivery: u64, run: u64) -> SpanId {
    derived(trace, &[3, queue, position, delivery, run])
}

fn derived(trace: TraceId, parts: &[u64]) -> SpanId {
    let both = [(trace.0 >> 64) as u64, trace.0 as u64];
    let mixed = both.iter().chain(parts).fold(0, |state, part| mixed(state ^ part));
    SpanId(mixed.max(1))
}

/// Sebastiano Vigna's splitmix64: each bit of the outcome depends on all bits.
fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let state = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ state >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ state >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_do_not_meet() {
        let mut seen = BTreeSet::new();
        let mut count = 0;
        for trace in [1, 2, 1 << 64, u128::MAX].map(TraceId) {
            for (queue, position) in (0..20).flat_map(|queue| (0..20).map(move |at| (queue, at))) {
                let ids = [
                    enqueued(trace, queue, position),
                    delivered(trace, queue, position, None, 7),
                    delivered(trace, queue, position, Some(0), 7),
                    delivered(trace, queue, position, Some(0), 8),
                    settled(trace, queue, position, 0, 7),
                ];
                seen.extend(ids.map(|id| id.0));
                count += ids.len();
            }
        }
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn a_later_build_comes_to_the_same() {
        assert_eq!(enqueued(TraceId(1), 2, 3), SpanId(ENQUEUED));
    }

    /// What brokers have written that came before this one.
    const ENQUEUED: u64 = 4_357_619_041_882_799_771;
}
