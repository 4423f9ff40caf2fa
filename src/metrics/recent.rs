//! The last two looks at some numbers: enough for a rate, and so small that there can be one for
//! each exchange of each channel.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashMap;
use std::hash::Hash;

use super::history::{Point, RATE_OVER, per_second};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Recent<const N: usize> {
    last: Look<N>,
    before: Look<N>,
}

#[derive(Clone, Copy, Debug)]
struct Look<const N: usize> {
    at: u64,
    values: [u64; N],
}

impl<const N: usize> Recent<N> {
    /// The first look.
    pub fn first(at: u64, values: [u64; N]) -> Self {
        let look = Look { at, values };
        Self { last: look, before: look }
    }

    /// Another look.
    #[must_use]
    pub fn next(self, at: u64, values: [u64; N]) -> Self {
        Self { last: Look { at, values }, before: self.last }
    }

    /// What changed per second, up to now.
    pub fn rate(&self, which: usize, now: Point) -> f64 {
        let old_enough = self.last.at + RATE_OVER <= now.at;
        let look = if old_enough { self.last } else { self.before };
        per_second(Point { value: look.values[which], at: look.at }, now)
    }

    /// Takes a look at all there are, and forgets those that are gone.
    pub fn keep<K: Hash + Eq>(
        all: &mut HashMap<K, Self>,
        at: u64,
        numbers: impl IntoIterator<Item = (K, [u64; N])>,
    ) {
        let mut before = std::mem::take(all);
        let look = |(key, values)| {
            let seen = before.remove(&key);
            let recent = seen.map_or_else(|| Self::first(at, values), |seen| seen.next(at, values));
            (key, recent)
        };
        *all = numbers.into_iter().map(look).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_over_four_seconds_or_more() {
        let recent = Recent::first(0, [100]).next(5_000, [200]);
        assert_eq!(recent.rate(0, Point { value: 220, at: 6_000 }), 20.0);
        assert_eq!(recent.rate(0, Point { value: 280, at: 9_000 }), 20.0);
        assert_eq!(Recent::first(7, [5]).rate(0, Point { value: 5, at: 7 }), 0.0);
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut all = HashMap::new();
        Recent::keep(&mut all, 0, [("a", [1]), ("b", [1])]);
        Recent::keep(&mut all, 5_000, [("b", [6]), ("c", [1])]);
        let now = |value| Point { value, at: 5_000 };
        assert!(!all.contains_key("a"));
        assert_eq!((all["b"].rate(0, now(6)), all["c"].rate(0, now(1))), (1.0, 0.0));
    }
}
