//! Numbers over time: samples kept finely for a while and coarsely for longer, and the rates
//! between them. Pure: time comes in as milliseconds.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::VecDeque;

/// How far apart samples are in milliseconds, and how many are kept: ten minutes, an hour, eight
/// hours, a day, as RabbitMQ's `sample_retention_policies` have it.
const TIERS: [(u64, usize); 4] = [(5_000, 121), (60_000, 61), (600_000, 49), (1_800_000, 49)];
/// A rate is taken over at least this many milliseconds, if there is so much history.
pub(super) const RATE_OVER: u64 = 4_000;
/// The most samples that one answer has.
const MOST_SAMPLES: u64 = 1_000;

/// What an object's numbers were at some moments.
#[derive(Clone, Debug)]
pub struct History<const N: usize> {
    tiers: Vec<VecDeque<Sample<N>>>,
    /// How many samples of the finest tier are kept.
    fine: usize,
    /// When the first was kept. Before that there was nothing to be counted.
    began: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Sample<const N: usize> {
    at: u64,
    values: [u64; N],
}

/// For how long samples are asked for, and how far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Milliseconds back from now.
    pub age: u64,
    /// Milliseconds between two samples.
    pub step: u64,
}

/// One sample of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The number.
    pub value: u64,
    /// When it was that, in milliseconds.
    pub at: u64,
}

impl<const N: usize> History<N> {
    /// One that goes back for a minute, which is enough for rates.
    pub fn brief() -> Self {
        Self { tiers: vec![VecDeque::new()], fine: 13, began: None }
    }

    /// One that goes back for a day.
    pub fn long() -> Self {
        Self { tiers: vec![VecDeque::new(); TIERS.len()], fine: TIERS[0].1, began: None }
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> u64 {
        let samples: usize = self.tiers.iter().map(VecDeque::capacity).sum();
        (size_of::<Self>() + samples * size_of::<Sample<N>>()) as u64
    }

    /// Somebody looks: from now on ten minutes are kept.
    pub fn watch(&mut self) {
        self.fine = TIERS[0].1;
    }

    /// Keeps what the numbers are now. What stays the same costs two samples, however long.
    pub fn push(&mut self, at: u64, values: [u64; N]) {
        self.began.get_or_insert(at);
        for (tier, (step, most)) in self.tiers.iter_mut().zip(TIERS) {
            // A tick may come a little early.
            if tier.back().is_some_and(|last| at < last.at + step - step / 10) {
                continue;
            }
            let same = tier.len() > 1 && tier.iter().rev().take(2).all(|s| s.values == values);
            match tier.back_mut() {
                Some(last) if same => last.at = at,
                Some(_) | None => tier.push_back(Sample { at, values }),
            }
            let most = if step == TIERS[0].0 { self.fine } else { most };
            let oldest = at.saturating_sub(step * (most as u64 - 1));
            // One is kept from before, to say what the number was then.
            while tier.len() > most && tier.get(1).is_some_and(|second| second.at <= oldest) {
                tier.pop_front();
            }
        }
    }

    /// What changed per second, up to now.
    pub fn rate(&self, which: usize, now: Point) -> f64 {
        let fine = &self.tiers[0];
        let old_enough = fine.iter().rev().find(|sample| sample.at + RATE_OVER <= now.at);
        let Some(before) = old_enough.or_else(|| fine.front()) else { return 0.0 };
        per_second(Point { value: before.values[which], at: before.at }, now)
    }

    /// Samples up to now, the newest first, at times that are multiples of the step.
    pub fn samples(&self, which: usize, now: Point, span: Span) -> Vec<Point> {
        let step = span.step.max(1_000);
        let count = (span.age / step).min(MOST_SAMPLES - 1) + 1;
        let newest = now.at / step * step;
        let at = |back: u64| newest.saturating_sub(back * step);
        let point = |at: u64| Point { value: self.value_at(which, at, now), at };
        (0..count).map(|back| point(at(back))).collect()
    }

    /// What a number was: that of the last sample before; of the first one that is left, if there
    /// were earlier ones; nothing, before there were any.
    fn value_at(&self, which: usize, at: u64, now: Point) -> u64 {
        if self.began.is_some_and(|began| at < began) {
            return 0;
        }
        for tier in &self.tiers {
            let behind = tier.partition_point(|sample| sample.at <= at);
            if behind > 0 {
                return tier[behind - 1].values[which];
            }
        }
        let first = self.tiers.iter().rev().find_map(|tier| tier.front());
        first.map_or(now.value, |first| first.values[which])
    }
}

/// What changed per second between two moments. What became less was counted anew.
pub fn per_second(before: Point, after: Point) -> f64 {
    let seconds = after.at.saturating_sub(before.at) as f64 / 1000.0;
    if seconds <= 0.0 {
        return 0.0;
    }
    (after.value as f64 - before.value as f64) / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred more each second, sampled every five.
    fn steady(history: &mut History<1>, seconds: u64) -> Point {
        for tick in 0..=seconds / 5 {
            history.push(tick * 5_000, [tick * 500]);
        }
        Point { value: seconds * 100, at: seconds * 1000 }
    }

    #[test]
    fn a_steady_rate() {
        let mut history = History::brief();
        let now = steady(&mut history, 30);
        assert_eq!(history.rate(0, now), 100.0);
        assert_eq!(History::<1>::brief().rate(0, now), 0.0);
        let samples = history.samples(0, now, Span { age: 20_000, step: 5_000 });
        let expected: Vec<Point> =
            [30, 25, 20, 15, 10].map(|s| Point { value: s * 100, at: s * 1000 }).into();
        assert_eq!(samples, expected);
    }

    #[test]
    fn what_nobody_looks_at_is_kept_for_a_minute() {
        let mut brief = History::brief();
        let now = steady(&mut brief, 600);
        let span = Span { age: 600_000, step: 60_000 };
        assert_eq!(brief.samples(0, now, span)[9].value, 54_000, "the first that is left");
        let mut watched = History::brief();
        watched.watch();
        let now = steady(&mut watched, 600);
        assert_eq!(watched.samples(0, now, span)[9].value, 6_000);
    }

    #[test]
    fn a_day_is_kept_coarsely() {
        let mut long = History::long();
        let day = 86_400;
        let now = steady(&mut long, day);
        let samples = long.samples(0, now, Span { age: 86_400_000, step: 1_800_000 });
        assert_eq!(samples.len(), 49);
        for point in samples {
            let off = (point.value as i64 - point.at as i64 / 10).abs();
            assert!(off <= 180_000, "{point:?} is half an hour off at most");
        }
        // Samples may come a tenth early, and one of each tier is from before.
        let most = (121 + 61 + 49 + 49) * 10 / 9 + 2 * TIERS.len();
        assert!(long.tiers.iter().map(VecDeque::len).sum::<usize>() <= most);
    }

    #[test]
    fn what_stays_the_same_costs_two_samples() {
        let mut history = History::long();
        for tick in 0..1_000 {
            history.push(tick * 5_000, [7]);
        }
        assert!(history.tiers.iter().all(|tier| tier.len() <= 2));
        history.push(5_000_000, [57]);
        let now = Point { value: 57, at: 5_000_000 };
        assert_eq!(history.rate(0, now), 10.0);
        assert_eq!(history.samples(0, now, Span { age: 5_000, step: 5_000 })[1].value, 7);
    }

    #[test]
    fn before_the_first_look_there_was_nothing() {
        let mut history = History::brief();
        history.push(60_000, [2_700]);
        let now = Point { value: 2_700, at: 62_000 };
        let samples = history.samples(0, now, Span { age: 10_000, step: 5_000 });
        assert_eq!(samples.iter().map(|point| point.value).collect::<Vec<_>>(), [2_700, 0, 0]);
    }

    #[test]
    fn odd_times_do_no_harm() {
        let history = History::<1>::long();
        let now = Point { value: 5, at: 3 };
        for (age, step) in [(0, 0), (u64::MAX, 0), (u64::MAX, 1), (5, u64::MAX)] {
            assert!(history.samples(0, now, Span { age, step }).len() <= 1000);
        }
    }
}
