//! The load generator behind `warren perf`: a client for any AMQP 0-9-1 broker.
//!
//! Owns its connections, its load and its measurements. It knows the wire format and nothing of
//! the broker's insides, so that its figures for Warren and for others are the same figures.
//!
//! It must never be the bottleneck, hence its shape: plain threads with blocking sockets (one
//! system call per wake; a publisher's clock is finer than a runtime's timer), many publishes per
//! write, frames counted in place in the read buffer, one write of acks per read.
//!
//! ```text
//! trial ── starts, measures a window, stops ──► report
//!   ├─ publisher: writer thread  pace, window, backlog → template → socket
//!   │             reader thread  confirms, returns, blocked, close
//!   └─ consumer:  one thread     socket → incoming → count, latency, acks
//! ```
//!
//! Latency: a message's first eight bytes carry the time it was sent, or with `--rate` the time
//! it should have been sent, so that a stalled broker is charged for everything it held up
//! (no coordinated omission).

mod clock;
mod confirms;
mod connection;
mod consumer;
mod idle;
mod incoming;
mod input;
mod meter;
mod options;
mod pace;
mod publisher;
mod report;
mod run;
mod template;
mod topology;
mod trial;
mod uri;
mod usage;

use anyhow::Context;

pub use options::PerfArgs;

/// Puts load on a broker as `args` say and prints what came of it.
///
/// Blocks until done; Ctrl-C ends the load early and still reports. An error is also what the
/// broker refused, and messages that were published and never came.
pub fn run(args: &PerfArgs) -> anyhow::Result<()> {
    args.check()?;
    if let Some(pid) = args.pid {
        usage::resident(pid).with_context(|| format!("there is no process {pid} to watch"))?;
    }
    if args.idle_connections > 0 || args.idle_queues > 0 {
        return idle::run(args);
    }
    let topology = topology::Topology::new(args);
    let mut control = connection::Connection::open(&args.uri, "control")?;
    topology.declare(&mut control)?;
    let outcome = trial::run(args, &topology);
    // Printed first: a broker that hangs must not take the figures with it.
    let outcome = outcome.and_then(|report| report.print(args.json).map(|()| report));
    let tidied = if args.keep { Ok(()) } else { topology.delete(&mut control) };
    outcome?.verdict()?;
    control.close();
    tidied.context("deleting what was declared")
}
