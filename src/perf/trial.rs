//! One trial: connect, warm up, measure, come to an end.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::connection::Connection;
use super::consumer::{self, Manner};
use super::meter::Meter;
use super::options::PerfArgs;
use super::publisher;
use super::report::{Report, show_progress};
use super::run::Run;
use super::template::{Shape, Template};
use super::topology::Topology;
use crate::wire::method::{AnyMethod, confirm};

/// How often the trial looks whether it is over.
const GLANCE: Duration = Duration::from_millis(10);
/// How often it shows how it goes.
const PROGRESS: Duration = Duration::from_secs(1);

/// Runs it on a topology that exists.
pub(super) fn run(args: &PerfArgs, topology: &Topology) -> anyhow::Result<Report> {
    let crew = Crew::connect(args, topology)?;
    let copies = (0..args.publishers).map(|n| topology.copies(n, args.consumers)).collect();
    let run = Arc::new(Run::new(copies, args.consumers));
    stop_at_ctrl_c(&run)?;
    let meter = Meter::start(&run, args.pid);
    let threads = crew.set_off(&run, args, topology).inspect_err(|_| run.stop())?;
    let report = measure(&run, meter, args);
    run.stop();
    for thread in threads {
        thread.join().expect("a worker's errors are values, it does not panic");
    }
    run.take_fault().map_or(Ok(report), Err)
}

/// The connections of a trial, ready to go.
struct Crew {
    consumers: Vec<Connection>,
    publishers: Vec<Connection>,
    manner: Manner,
}

impl Crew {
    /// Consumers first: they are there when the first message comes.
    fn connect(args: &PerfArgs, topology: &Topology) -> anyhow::Result<Self> {
        let manner = Manner { prefetch: args.prefetch, ack: args.ack };
        let consumers = (0..args.consumers).map(|n| {
            let mut connection = Connection::open(&args.uri, &format!("consumer {n}"))?;
            consumer::subscribe(&mut connection, &topology.queue_of(n), manner)?;
            Ok(connection)
        });
        let consumers = consumers.collect::<anyhow::Result<_>>()?;
        let publishers = (0..args.publishers).map(|n| {
            let mut connection = Connection::open(&args.uri, &format!("publisher {n}"))?;
            if args.confirm.is_some() {
                let select = confirm::Select { nowait: false };
                connection.call(AnyMethod::Confirm(confirm::AMQPMethod::Select(select)))?;
            }
            Ok(connection)
        });
        Ok(Self { consumers, publishers: publishers.collect::<anyhow::Result<_>>()?, manner })
    }

    /// Gives every connection its threads.
    fn set_off(
        self,
        run: &Arc<Run>,
        args: &PerfArgs,
        topology: &Topology,
    ) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let mut threads = Vec::new();
        for (n, connection) in self.consumers.into_iter().enumerate() {
            threads.push(consumer::start(run, n, connection, self.manner)?);
        }
        for (n, connection) in self.publishers.into_iter().enumerate() {
            let shape = Shape {
                size: args.size,
                persistent: args.persistent,
                mandatory: args.mandatory,
                max_payload: connection.max_payload,
            };
            let template = Template::new(&topology.addresses(n), shape);
            threads.extend(publisher::start(run, n, connection, template, args)?);
        }
        Ok(threads)
    }
}

/// Watches over the threads until the trial is over. `meter` has measured since before they
/// began, and starts anew after the warm-up.
fn measure<'a>(run: &'a Run, mut meter: Meter<'a>, args: &PerfArgs) -> Report {
    let began = Instant::now();
    let warmup = Duration::from_secs_f64(args.warmup);
    let mut end = End::new(args);
    let mut warm = args.warmup == 0.0;
    let mut next_progress = PROGRESS;
    while !run.stopping() {
        thread::sleep(GLANCE);
        let elapsed = began.elapsed();
        if elapsed >= next_progress {
            next_progress += PROGRESS;
            let second = meter.step();
            if !args.quiet {
                show_progress(&second, warm, run.is_blocked());
            }
        }
        if !warm && elapsed >= warmup {
            warm = true;
            meter = Meter::start(run, args.pid);
        }
        if end.reached(run, elapsed) {
            break;
        }
    }
    let window = meter.finish();
    Report::new(&window, end.missing)
}

/// What ends a trial.
struct End {
    /// Warm-up and measuring, if they end it.
    after: Option<Duration>,
    /// Whether a count ends it.
    counted: bool,
    /// The messages to consume altogether, if there is nobody to publish them.
    to_consume: Option<u64>,
    /// Whether there is anybody to wait for once all is published.
    consumers: bool,
    patience: Duration,
    /// How much was consumed when that last became more, and when.
    progress: Option<(u64, Duration)>,
    /// What a count came to: messages that were to be consumed and were not; negative if there
    /// were too many.
    missing: Option<i64>,
}

impl End {
    fn new(args: &PerfArgs) -> Self {
        Self {
            after: args.seconds().map(|seconds| Duration::from_secs_f64(args.warmup + seconds)),
            counted: args.count.is_some(),
            to_consume: args.count.filter(|_| args.publishers == 0),
            consumers: args.consumers > 0,
            patience: Duration::from_secs_f64(args.patience),
            progress: None,
            missing: None,
        }
    }

    fn reached(&mut self, run: &Run, elapsed: Duration) -> bool {
        self.after.is_some_and(|after| elapsed >= after)
            || (self.counted && run.published_all() && self.consumed_all(run, elapsed))
    }

    /// Whether all came, or nothing came for too long.
    fn consumed_all(&mut self, run: &Run, elapsed: Duration) -> bool {
        if !self.consumers {
            return true;
        }
        let consumed = run.totals().consumed;
        let expected = self.to_consume.unwrap_or_else(|| run.expected());
        let (before, since) = *self.progress.get_or_insert((consumed, elapsed));
        if consumed > before {
            self.progress = Some((consumed, elapsed));
        }
        let over = consumed >= expected || (consumed == before && elapsed - since >= self.patience);
        if over {
            self.missing = Some(expected.wrapping_sub(consumed).cast_signed());
        }
        over
    }
}

/// Ctrl-C ends the trial and lets it report; a second one ends the process.
fn stop_at_ctrl_c(run: &Arc<Run>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = run.clone();
    let listen = move || {
        while runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            if run.stopping() {
                std::process::exit(130);
            }
            run.stop();
        }
    };
    thread::Builder::new().name("ctrl-c".into()).spawn(listen).context("a thread for Ctrl-C")?;
    Ok(())
}
