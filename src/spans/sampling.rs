//! Which messages are shown.

use super::context::{Context, TraceId};

/// Who decides, by the names of OpenTelemetry's samplers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// A message's own context says whether it is shown.
    asks_parent: bool,
    /// Of 2^63, the share of traces that are shown for which nobody has said it.
    below: u64,
}

/// As many different traces there are, as far as sampling tells them apart.
const ALL: u64 = 1 << 63;

impl Sampler {
    /// This share of traces, from 0 to 1. `asks_parent`: a message that comes with a context goes
    /// by what that says instead.
    pub fn new(ratio: f64, asks_parent: bool) -> Self {
        let share = ratio.clamp(0.0, 1.0) * ALL as f64;
        // 2^63 itself is there in an f64, and stays as it is.
        Self { asks_parent, below: share as u64 }
    }

    /// Whether a message that came with a context is shown.
    #[inline]
    pub fn takes(&self, context: &Context) -> bool {
        if self.asks_parent { context.sampled } else { self.takes_trace(context.trace) }
    }

    /// Whether any message without a context is shown.
    #[inline]
    pub fn begins_traces(&self) -> bool {
        self.below > 0
    }

    /// Whether a new trace is shown whose id ends in this.
    #[inline]
    pub fn takes_new(&self, end: u64) -> bool {
        end >> 1 < self.below
    }

    /// The same trace is decided alike everywhere, as OpenTelemetry's libraries do.
    fn takes_trace(&self, trace: TraceId) -> bool {
        self.takes_new(trace.0 as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::context::SpanId;
    use super::*;

    fn context(trace: u128, sampled: bool) -> Context {
        Context { trace: TraceId(trace), span: SpanId(1), sampled }
    }

    #[test]
    fn a_parent_decides_if_it_is_asked() {
        let asking = Sampler::new(0.0, true);
        assert!(asking.takes(&context(1, true)) && !asking.takes(&context(1, false)));
        assert!(!asking.begins_traces());
        let deaf = Sampler::new(1.0, false);
        assert!(deaf.takes(&context(u128::MAX, false)) && deaf.begins_traces());
        assert!(!Sampler::new(0.0, false).takes(&context(1, true)));
    }

    #[test]
    fn all_and_none() {
        for end in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            assert!(Sampler::new(1.0, true).takes_new(end));
            assert!(!Sampler::new(0.0, true).takes_new(end));
        }
    }

    proptest! {
        #[test]
        fn larger_shares_have_the_smaller_ones_in_them(end in any::<u64>(), a in 0.0..1.0f64, b in 0.0..1.0f64) {
            let (less, more) = (a.min(b), a.max(b));
            prop_assert!(!Sampler::new(less, true).takes_new(end) || Sampler::new(more, true).takes_new(end));
        }
    }

    #[test]
    fn a_share_is_about_that_share() {
        let sampler = Sampler::new(0.01, true);
        // Steps of the golden ratio are spread evenly.
        let ends = (0..100_000u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let taken = ends.filter(|end| sampler.takes_new(*end)).count();
        assert!((900..1100).contains(&taken), "{taken}");
    }
}
