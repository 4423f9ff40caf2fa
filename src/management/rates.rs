//! Counters with their rates and samples, as RabbitMQ writes them: `x` and `x_details`.

use std::hash::Hash;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::listing::Ages;
use crate::metrics::figures::{Figures, MESSAGE_STATS, READY, UNACKED};
use crate::metrics::history::{History, Point, Span};

/// What stands under `x_details`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub(super) struct Details {
    /// Per second.
    pub(super) rate: f64,
    #[serde(flatten)]
    samples: Option<Samples>,
}

impl Details {
    /// Where no samples are kept.
    pub(super) fn of_rate(rate: f64) -> Self {
        Self { rate, samples: None }
    }
}

/// What an age parameter asks for.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
struct Samples {
    avg: f64,
    avg_rate: f64,
    samples: Vec<SampleView>,
}

/// A sample as RabbitMQ gives it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
struct SampleView {
    sample: u64,
    timestamp: u64,
}

/// The rates of an object whose history is known, or of one that has none.
#[derive(Clone, Copy)]
pub(super) struct Rates<'a, const N: usize> {
    history: Option<&'a History<N>>,
    now: u64,
}

impl<'a, const N: usize> Rates<'a, N> {
    /// Those of one of several objects.
    pub(super) fn of<K: Hash + Eq>(
        histories: &'a std::collections::HashMap<K, History<N>>,
        key: &K,
        now: u64,
    ) -> Self {
        Self { history: histories.get(key), now }
    }

    /// Those that a history has.
    pub(super) fn from(history: &'a History<N>, now: u64) -> Self {
        Self { history: Some(history), now }
    }

    /// Of something whose history is not known.
    pub(super) fn none() -> Self {
        Self { history: None, now: 0 }
    }

    /// How one number changed.
    pub(super) fn details(&self, which: usize, value: u64, span: Option<Span>) -> Details {
        let Some(history) = self.history else { return Details::default() };
        let now = Point { value, at: self.now };
        let rate = history.rate(which, now);
        let samples = span.map(|span| samples(&history.samples(which, now, span)));
        Details { rate, samples }
    }
}

fn samples(points: &[Point]) -> Samples {
    let sum: f64 = points.iter().map(|point| point.value as f64).sum();
    let avg = sum / points.len().max(1) as f64;
    let ends = points.last().zip(points.first());
    let avg_rate = ends.map_or(0.0, |(old, new)| crate::metrics::history::per_second(*old, *new));
    let view = |point: &Point| SampleView { sample: point.value, timestamp: point.at };
    Samples { avg, avg_rate, samples: points.iter().map(view).collect() }
}

/// `message_stats`.
#[derive(Clone, Debug)]
pub(super) struct MessageStatsView {
    figures: Figures,
    details: Vec<Details>,
}

impl MessageStatsView {
    /// Nothing, if nothing was ever counted.
    pub(super) fn of<const N: usize>(
        figures: Figures,
        rates: Rates<'_, N>,
        ages: &Ages,
    ) -> Option<Self> {
        let counted = figures[..MESSAGE_STATS.len()].iter().any(|value| *value != 0);
        counted.then(|| Self::always(figures, rates, ages))
    }

    /// Also if nothing was ever counted.
    pub(super) fn always<const N: usize>(
        figures: Figures,
        rates: Rates<'_, N>,
        ages: &Ages,
    ) -> Self {
        let detail = |which| rates.details(which, figures[which], ages.rates);
        Self { figures, details: (0..MESSAGE_STATS.len()).map(detail).collect() }
    }
}

impl Serialize for MessageStatsView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 * MESSAGE_STATS.len()))?;
        for (which, (name, details)) in MESSAGE_STATS.into_iter().enumerate() {
            map.serialize_entry(name, &self.figures[which])?;
            map.serialize_entry(details, &self.details[which])?;
        }
        map.end()
    }
}

/// How many messages there are, with how that changes.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Lengths {
    messages: u64,
    messages_details: Details,
    messages_ready: u64,
    messages_ready_details: Details,
    messages_unacknowledged: u64,
    messages_unacknowledged_details: Details,
}

impl Lengths {
    pub(super) fn of<const N: usize>(figures: &Figures, rates: Rates<'_, N>, ages: &Ages) -> Self {
        let (ready, unacked) = (figures[READY], figures[UNACKED]);
        let messages_ready_details = rates.details(READY, ready, ages.lengths);
        let messages_unacknowledged_details = rates.details(UNACKED, unacked, ages.lengths);
        Self {
            messages: ready + unacked,
            messages_details: sum(&messages_ready_details, &messages_unacknowledged_details),
            messages_ready: ready,
            messages_ready_details,
            messages_unacknowledged: unacked,
            messages_unacknowledged_details,
        }
    }
}

/// How the sum of two numbers changes that are sampled together.
fn sum(a: &Details, b: &Details) -> Details {
    let both = |a: &Samples, b: &Samples| Samples {
        avg: a.avg + b.avg,
        avg_rate: a.avg_rate + b.avg_rate,
        samples: a
            .samples
            .iter()
            .zip(&b.samples)
            .map(|(a, b)| SampleView { sample: a.sample + b.sample, timestamp: a.timestamp })
            .collect(),
    };
    let samples = a.samples.as_ref().zip(b.samples.as_ref()).map(|(a, b)| both(a, b));
    Details { rate: a.rate + b.rate, samples }
}
