//! Steps of messages on their way to an OpenTelemetry collector.
//!
//! Whoever takes a step holds locks, so it is put in line here, and a [thread of its
//! own](exporter) makes spans of what is in line and sends them (OTLP over HTTP). The line has an
//! end: what finds no room, for the collector is slow or away, is dropped and counted, and nobody
//! waits.

pub mod exporter;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use crate::config::OpenTelemetryConfig;
use crate::spans::sampling::Sampler;
use crate::spans::step::Step;

/// Bytes of messages that steps in line keep in memory at most.
const MOST_BYTES: usize = 64 << 20;

/// Takes steps of those messages that are to be shown.
pub struct Spans {
    /// Which those are.
    pub sampler: Sampler,
    /// Tells this run of the broker from others.
    pub run: u64,
    line: Arc<Line>,
    clock: Clock,
}

/// How many spans have become of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The collector has taken them.
    pub exported: u64,
    /// They found no room, or the collector did not take them.
    pub dropped: u64,
}

/// The time in ns since 1970; a clock that is set does not make it jump.
#[derive(Clone, Copy)]
struct Clock {
    since: Instant,
    then: u64,
}

/// Steps in line.
struct Line {
    most: usize,
    batch: usize,
    delay: Duration,
    state: Mutex<State>,
    bell: Condvar,
    exported: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    steps: Vec<Step>,
    bytes: usize,
    /// Nothing more comes.
    closed: bool,
}

impl Spans {
    /// A line that somebody has to [send](exporter::Exporter) on; `None` if nothing is to be told.
    pub fn new(config: &OpenTelemetryConfig) -> Option<Self> {
        let (ratio, asks_parent) = config.share();
        let line = Arc::new(Line {
            most: config.queue,
            batch: config.batch,
            delay: Duration::from_millis(config.delay),
            state: Mutex::default(),
            bell: Condvar::new(),
            exported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let sampler = Sampler::new(ratio, asks_parent);
        config.enabled.then(|| Self { sampler, run: rand::random(), line, clock: Clock::start() })
    }

    /// What time it is, in ns since 1970.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Puts steps in line, if there is room.
    pub fn push(&self, steps: impl IntoIterator<Item = Step>) {
        self.line.push(steps);
    }

    /// How many spans have become of steps.
    pub fn told(&self) -> Told {
        let exported = self.line.exported.load(Ordering::Relaxed);
        Told { exported, dropped: self.line.dropped.load(Ordering::Relaxed) }
    }
}

/// Whoever sends ends with those who take steps.
impl Drop for Spans {
    fn drop(&mut self) {
        self.line.close();
    }
}

impl Clock {
    fn start() -> Self {
        let then = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { since: Instant::now(), then: u64::try_from(then.as_nanos()).unwrap_or(u64::MAX) }
    }

    fn now(self) -> u64 {
        let passed = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.then.saturating_add(passed)
    }
}

impl Line {
    fn push(&self, steps: impl IntoIterator<Item = Step>) {
        let mut state = self.state.lock();
        let before = state.steps.len();
        for step in steps {
            let bytes = step.message.memory();
            if state.steps.len() >= self.most || state.bytes + bytes > MOST_BYTES || state.closed {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            state.bytes += bytes;
            state.steps.push(step);
        }
        // The sender looks by itself now and then; only a full batch does not wait for that.
        let is_due = before < self.batch && state.steps.len() >= self.batch;
        drop(state);
        if is_due {
            self.bell.notify_one();
        }
    }

    /// Waits until there is a batch, or some of one for long enough, and takes it. `None`: all
    /// are taken and no more come.
    fn take(&self) -> Option<Vec<Step>> {
        let mut state = self.state.lock();
        let mut due = Instant::now() + self.delay;
        while state.steps.len() < self.batch && !state.closed {
            if self.bell.wait_until(&mut state, due).timed_out() {
                if !state.steps.is_empty() {
                    break;
                }
                due = Instant::now() + self.delay;
            }
        }
        if state.steps.is_empty() {
            return None;
        }
        let count = state.steps.len().min(self.batch);
        let rest = state.steps.split_off(count);
        let steps = std::mem::replace(&mut state.steps, rest);
        state.bytes -= steps.iter().map(|step| step.message.memory()).sum::<usize>();
        Some(steps)
    }

    /// Waits, unless nothing more comes. Returns whether that is so.
    fn pause(&self, how_long: Duration) -> bool {
        let mut state = self.state.lock();
        let until = Instant::now() + how_long;
        while !state.closed && !self.bell.wait_until(&mut state, until).timed_out() {}
        state.closed
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, Parts};
    use crate::spans::context::{SpanId, TraceId};
    use crate::spans::step::What;

    fn step(body: &[u8]) -> Step {
        let message = Message::from_parts(Parts {
            exchange: b"",
            routing_key: b"q",
            header: &crate::wire::content::header(body.len() as u64, &[]),
            body,
            persistent: false,
            priority: 0,
            expires: false,
            died: false,
        });
        Step {
            trace: TraceId(1),
            span: SpanId(2),
            parent: None,
            began: 0,
            ended: 0,
            vhost: "/".into(),
            message,
            what: What::Routed { reached: true },
        }
    }

    fn spans(queue: usize, batch: usize) -> Spans {
        let config = OpenTelemetryConfig {
            enabled: true,
            queue,
            batch,
            delay: 3_600_000,
            ..OpenTelemetryConfig::default()
        };
        Spans::new(&config).expect("something is told")
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let spans = spans(5, 3);
        spans.push((0..7).map(|_| step(b"x")));
        assert_eq!(spans.told(), Told { exported: 0, dropped: 2 });
        assert_eq!(spans.line.take().map(|batch| batch.len()), Some(3));
        spans.push([step(b"x")]);
        assert_eq!(spans.line.take().map(|batch| batch.len()), Some(3));
        assert_eq!(spans.told().dropped, 2);
    }

    #[test]
    fn large_messages_take_room_too() {
        let spans = spans(1000, 1);
        let large = step(&vec![0; MOST_BYTES / 4]);
        spans.push((0..5).map(|_| large.clone()));
        assert_eq!(spans.told().dropped, 2);
        while spans.line.state.lock().bytes > 0 {
            spans.line.take();
        }
        spans.push([large]);
        assert_eq!(spans.told().dropped, 2, "there is room again");
    }

    #[test]
    fn the_end_is_not_waited_for() {
        let spans = spans(10, 10);
        spans.push([step(b"x")]);
        let line = Arc::clone(&spans.line);
        drop(spans);
        assert_eq!(line.take().map(|batch| batch.len()), Some(1), "what is there is taken");
        assert!(line.take().is_none() && line.pause(Duration::from_secs(3600)));
    }
}
