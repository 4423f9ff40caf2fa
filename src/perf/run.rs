//! What the threads of a run share: its clock, its counters, and when to stop.

use std::iter::Sum;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use super::clock::Clock;
use super::usage::ThreadsCpu;

/// One run.
pub(super) struct Run {
    pub(super) clock: Clock,
    pub(super) publishers: Vec<Worker>,
    pub(super) consumers: Vec<Worker>,
    /// For each publisher, how often each of its messages is to be consumed.
    pub(super) copies: Vec<u64>,
    pub(super) publish_cpu: ThreadsCpu,
    pub(super) consume_cpu: ThreadsCpu,
    /// Publishers that have not said goodbye yet.
    publishing: AtomicUsize,
    /// Whether the broker last said that it wants no publishes.
    blocked: AtomicBool,
    stopping: AtomicBool,
    fault: Mutex<Option<anyhow::Error>>,
}

/// The counters of one publisher or consumer, away from those of the others.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Worker {
    pub(super) published: AtomicU64,
    pub(super) confirmed: AtomicU64,
    /// Confirmed with basic.nack.
    pub(super) rejected: AtomicU64,
    pub(super) returned: AtomicU64,
    pub(super) consumed: AtomicU64,
    /// A publisher's: until the confirm. A consumer's: until the message was read.
    pub(super) latencies: Latencies,
}

/// Nanoseconds, since somebody last took them.
pub(super) struct Latencies(Mutex<Histogram<u32>>);

/// A moment's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) published: u64,
    pub(super) confirmed: u64,
    pub(super) rejected: u64,
    pub(super) returned: u64,
    pub(super) consumed: u64,
}

impl Run {
    /// A run with a consumer count, and a publisher for each of `copies`.
    pub(super) fn new(copies: Vec<u64>, consumers: usize) -> Self {
        Self {
            clock: Clock::start(),
            publishers: copies.iter().map(|_| Worker::default()).collect(),
            consumers: (0..consumers).map(|_| Worker::default()).collect(),
            publishing: AtomicUsize::new(copies.len()),
            copies,
            publish_cpu: ThreadsCpu::default(),
            consume_cpu: ThreadsCpu::default(),
            blocked: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            fault: Mutex::new(None),
        }
    }

    /// Asks all threads to come to an end.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// Whether they should.
    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Ends the run because of an error; the first one counts.
    pub(super) fn fail(&self, fault: anyhow::Error) {
        self.fault.lock().get_or_insert(fault);
        self.stop();
    }

    /// What ended the run, if it was an error.
    pub(super) fn take_fault(&self) -> Option<anyhow::Error> {
        self.fault.lock().take()
    }

    /// One publisher less.
    pub(super) fn publisher_done(&self) {
        self.publishing.fetch_sub(1, Relaxed);
    }

    /// Whether every publisher is done, and the broker has taken what it sent.
    pub(super) fn published_all(&self) -> bool {
        self.publishing.load(Relaxed) == 0
    }

    /// The broker said that it wants no publishes for now, or wants them again.
    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }

    /// Whether it wants none.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    /// All counters.
    pub(super) fn totals(&self) -> Totals {
        self.publishers.iter().chain(&self.consumers).map(Worker::totals).sum()
    }

    /// Deliveries to expect of what is published so far and was neither returned nor refused.
    pub(super) fn expected(&self) -> u64 {
        let each = self.publishers.iter().zip(&self.copies).map(|(publisher, copies)| {
            let Totals { published, rejected, returned, .. } = publisher.totals();
            published.saturating_sub(rejected + returned) * copies
        });
        each.sum()
    }

    /// Messages on their way or in queues.
    pub(super) fn backlog(&self) -> u64 {
        let consumed = self.consumers.iter().map(|worker| worker.consumed.load(Relaxed));
        self.expected().saturating_sub(consumed.sum())
    }
}

impl Worker {
    fn totals(&self) -> Totals {
        Totals {
            published: self.published.load(Relaxed),
            confirmed: self.confirmed.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            returned: self.returned.load(Relaxed),
            consumed: self.consumed.load(Relaxed),
        }
    }
}

impl Latencies {
    /// Two digits, of whatever magnitude: a percentile is within one percent.
    pub(super) fn empty() -> Histogram<u32> {
        Histogram::new(2).expect("two digits are allowed")
    }

    /// Notes how long it took since `since`.
    pub(super) fn record(&self, since: u64, now: u64) {
        let took = now.saturating_sub(since);
        self.0.lock().record(took).expect("the histogram grows as needed");
    }

    /// Moves what was noted into `sum`.
    pub(super) fn move_into(&self, sum: &mut Histogram<u32>) {
        let mut noted = self.0.lock();
        sum.add(&*noted).expect("the histogram grows as needed");
        noted.reset();
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self(Mutex::new(Self::empty()))
    }
}

impl Totals {
    fn with(self, other: Self, each: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            published: each(self.published, other.published),
            confirmed: each(self.confirmed, other.confirmed),
            rejected: each(self.rejected, other.rejected),
            returned: each(self.returned, other.returned),
            consumed: each(self.consumed, other.consumed),
        }
    }
}

impl Sub for Totals {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }
}

impl Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |sum, one| sum.with(one, u64::add))
    }
}
