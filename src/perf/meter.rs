//! Measures a window of a run: counters, latencies, CPU and memory between two moments.

use hdrhistogram::Histogram;

use super::run::{Latencies, Run, Totals, Worker};
use super::usage::{process_cpu, resident};

/// Nanoseconds in a second.
const SECOND: f64 = 1e9;

/// What is known at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// Seconds since the run began.
    pub(super) at: f64,
    pub(super) totals: Totals,
    /// Seconds of CPU of the broker, of all of this process, and of its two halves.
    pub(super) broker_cpu: Option<f64>,
    pub(super) own_cpu: Option<f64>,
    pub(super) publish_cpu: f64,
    pub(super) consume_cpu: f64,
    /// The broker's resident memory in KiB.
    pub(super) broker_rss: Option<u64>,
}

/// Latencies of messages and of confirms.
pub(super) struct Both {
    pub(super) deliveries: Histogram<u32>,
    pub(super) confirms: Histogram<u32>,
}

impl Both {
    fn empty() -> Self {
        Self { deliveries: Latencies::empty(), confirms: Latencies::empty() }
    }

    /// What was noted since the last time.
    fn take(run: &Run) -> Self {
        let collect = |workers: &[Worker]| {
            let mut sum = Latencies::empty();
            workers.iter().for_each(|worker| worker.latencies.move_into(&mut sum));
            sum
        };
        Self { deliveries: collect(&run.consumers), confirms: collect(&run.publishers) }
    }

    fn add(&mut self, other: &Self) {
        for (sum, more) in
            [(&mut self.deliveries, &other.deliveries), (&mut self.confirms, &other.confirms)]
        {
            sum.add(more).expect("the histogram grows as needed");
        }
    }
}

/// A stretch of a run, measured.
pub(super) struct Window {
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) latencies: Both,
}

impl Window {
    /// How long it was.
    pub(super) fn seconds(&self) -> f64 {
        self.to.at - self.from.at
    }

    /// What happened in it.
    pub(super) fn totals(&self) -> Totals {
        self.to.totals - self.from.totals
    }
}

/// Measures a run.
pub(super) struct Meter<'a> {
    run: &'a Run,
    /// The broker's process.
    pid: Option<u32>,
    from: Moment,
    last: Moment,
    latencies: Both,
}

impl<'a> Meter<'a> {
    /// Measures from now on.
    pub(super) fn start(run: &'a Run, pid: Option<u32>) -> Self {
        Both::take(run);
        let now = moment(run, pid);
        Self { run, pid, from: now, last: now, latencies: Both::empty() }
    }

    /// What happened since the last step.
    pub(super) fn step(&mut self) -> Window {
        let latencies = Both::take(self.run);
        self.latencies.add(&latencies);
        let from = std::mem::replace(&mut self.last, moment(self.run, self.pid));
        Window { from, to: self.last, latencies }
    }

    /// What happened since the start.
    pub(super) fn finish(mut self) -> Window {
        self.step();
        Window { from: self.from, to: self.last, latencies: self.latencies }
    }
}

fn moment(run: &Run, pid: Option<u32>) -> Moment {
    Moment {
        at: run.clock.now() as f64 / SECOND,
        totals: run.totals(),
        broker_cpu: pid.and_then(|pid| process_cpu(&pid.to_string())),
        own_cpu: process_cpu("self"),
        publish_cpu: run.publish_cpu.seconds(),
        consume_cpu: run.consume_cpu.seconds(),
        broker_rss: pid.and_then(resident),
    }
}
