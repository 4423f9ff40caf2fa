//! What a channel publishes, counted by exchange: publishes, confirms, and what led nowhere.
//!
//! Publishes to one exchange in a row are one *run*. A publish costs a look whether the run goes on
//! and one addition; everything else is done where a run ends. Confirms come in the order of the
//! publishes, so runs say which exchange's they are.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::broker::exchange_traffic::Which;
use crate::broker::traffic::{ChannelTraffic, Published};

/// How many runs are remembered until they are confirmed. Who publishes to several exchanges in turn
/// and leaves more of them open has what is beyond confirmed as publishes to the exchange before.
const RUNS: usize = 16 * 1024;

/// See the module.
#[derive(Default)]
pub(super) struct Publishes {
    /// Where this run is counted.
    now: Option<(Which, Arc<Published>)>,
    /// The exchanges that were published to.
    counted: Vec<Arc<Published>>,
    known: FxHashMap<Which, u32>,
    /// Which of them is this run's.
    current: u32,
    /// Publishes are confirmed.
    confirming: bool,
    /// How many publishes its exchange had before this run, or before what of it is unconfirmed.
    begun_at: u64,
    /// Runs before this one that are not all confirmed.
    runs: VecDeque<Run>,
}

struct Run {
    exchange: u32,
    unconfirmed: u64,
}

impl Publishes {
    /// Counts a publish.
    #[inline]
    pub(super) fn published(&mut self, to: Which, traffic: &ChannelTraffic) {
        match &self.now {
            Some((which, published)) if *which == to => published.published.add(1),
            Some(_) | None => self.turn_to(to, traffic).published.add(1),
        }
    }

    fn turn_to(&mut self, to: Which, traffic: &ChannelTraffic) -> &Published {
        self.end_run();
        let counted = &mut self.counted;
        self.current = *self.known.entry(to).or_insert_with(|| {
            counted.push(traffic.published.of(to));
            u32::try_from(counted.len() - 1).expect("fewer than 4 G exchanges")
        });
        let published = &self.counted[self.current as usize];
        self.begun_at = published.published.get();
        self.now = Some((to, Arc::clone(published)));
        published
    }

    fn end_run(&mut self) {
        let Some((_, before)) = &self.now else { return };
        let unconfirmed = before.published.get() - self.begun_at;
        if !self.confirming || unconfirmed == 0 {
            return;
        }
        let full = self.runs.len() >= RUNS;
        match self.runs.back_mut() {
            Some(last) if full => last.unconfirmed += unconfirmed,
            Some(_) | None => self.runs.push_back(Run { exchange: self.current, unconfirmed }),
        }
    }

    /// Publishes from now on are confirmed.
    pub(super) fn confirm_from_now(&mut self) {
        if !std::mem::replace(&mut self.confirming, true)
            && let Some((_, published)) = &self.now
        {
            self.begun_at = published.published.get();
        }
    }

    /// So many more publishes are confirmed.
    #[inline]
    pub(super) fn confirmed(&mut self, mut count: u64) {
        while count > 0
            && let Some(first) = self.runs.front_mut()
        {
            let of_run = count.min(first.unconfirmed);
            self.counted[first.exchange as usize].confirmed.add(of_run);
            first.unconfirmed -= of_run;
            count -= of_run;
            if first.unconfirmed == 0 {
                self.runs.pop_front();
            }
        }
        if let Some((_, published)) = &self.now {
            published.confirmed.add(count);
            self.begun_at += count;
        }
    }

    /// The last publish led to no queue, and is given back or dropped.
    pub(super) fn unroutable(&self, returned: bool) {
        if let Some((_, published)) = &self.now {
            let kind = if returned { &published.returned } else { &published.dropped };
            kind.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::exchange_traffic::ExchangeId;

    const A: Which = None;
    const B: Which = Some(ExchangeId(7));

    /// Publishes and confirms of each of two exchanges.
    fn counts(traffic: &ChannelTraffic) -> [(u64, u64); 2] {
        let of = |which| {
            let look = |each: &Published| (each.published.get(), each.confirmed.get());
            traffic.published.look(which, look).unwrap_or_default()
        };
        [of(A), of(B)]
    }

    #[test]
    fn confirms_are_of_the_exchanges_that_were_published_to() {
        let (mut publishes, traffic) = (Publishes::default(), ChannelTraffic::default());
        // Before confirm.select.
        publishes.published(A, &traffic);
        publishes.confirm_from_now();
        for to in [A, A, B, A, B, B] {
            publishes.published(to, &traffic);
        }
        let mut confirm = |count| {
            publishes.confirmed(count);
            counts(&traffic)
        };
        assert_eq!(confirm(1), [(4, 1), (3, 0)]);
        assert_eq!(confirm(2), [(4, 2), (3, 1)]);
        assert_eq!(confirm(2), [(4, 3), (3, 2)]);
        assert_eq!(confirm(0), [(4, 3), (3, 2)]);
        publishes.published(B, &traffic);
        publishes.confirmed(1);
        publishes.published(A, &traffic);
        publishes.confirmed(2);
        assert_eq!(counts(&traffic), [(5, 4), (4, 4)]);
        assert!(publishes.runs.is_empty());
    }

    #[test]
    fn runs_are_bounded_and_sums_stay_true() {
        let (mut publishes, traffic) = (Publishes::default(), ChannelTraffic::default());
        publishes.confirm_from_now();
        let all = 3 * RUNS as u64;
        for turn in 0..all {
            publishes.published(if turn % 2 == 0 { A } else { B }, &traffic);
        }
        assert!(publishes.runs.len() <= RUNS);
        publishes.confirmed(all);
        let [(_, a), (_, b)] = counts(&traffic);
        assert_eq!(a + b, all);
    }
}
