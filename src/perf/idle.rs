//! What idle things cost: many connections or queues, held, and the broker's memory before and
//! after.

use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::connection::Connection;
use super::options::PerfArgs;
use super::report::show;
use super::topology::{arguments, declare_queue, delete_queue};
use super::usage::resident;

/// How long the broker may settle before its memory is read for the first time.
const SETTLE: Duration = Duration::from_millis(500);
/// Bytes in a KiB.
const KIB: f64 = 1024.0;

/// Memory before and after.
#[derive(Debug, Serialize)]
struct IdleReport {
    idle_connections: usize,
    idle_queues: usize,
    rss_before_kib: Option<u64>,
    rss_after_kib: Option<u64>,
    /// Per connection with one channel, or per queue; of both together if both were asked for.
    rss_bytes_each: Option<f64>,
}

/// Opens and declares as `args` say, holds it, and reports.
pub(super) fn run(args: &PerfArgs) -> anyhow::Result<()> {
    let mut control = Connection::open(&args.uri, "control")?;
    thread::sleep(SETTLE);
    let rss_before_kib = args.pid.and_then(resident);
    let connections = (0..args.idle_connections).map(|n| {
        let connection = Connection::open(&args.uri, &format!("idle {n}"));
        connection.with_context(|| format!("connection {n} of {}", args.idle_connections))
    });
    let connections = connections.collect::<anyhow::Result<Vec<_>>>()?;
    let names = || (0..args.idle_queues).map(|n| format!("{}-idle-{n}", args.queue_name));
    let queue_arguments = arguments(&args.queue_arg);
    let declared =
        control.call_all(names().map(|name| declare_queue(&name, args.durable, &queue_arguments)));
    declared.context("declaring idle queues")?;
    if !args.quiet {
        show(&format!("holding {} connections, {} queues", connections.len(), args.idle_queues));
    }
    thread::sleep(Duration::from_secs_f64(args.seconds().unwrap_or_default()));
    let rss_after_kib = args.pid.and_then(resident);
    let things = args.idle_connections + args.idle_queues;
    let growth =
        rss_after_kib.zip(rss_before_kib).map(|(after, before)| after as f64 - before as f64);
    let report = IdleReport {
        idle_connections: args.idle_connections,
        idle_queues: args.idle_queues,
        rss_before_kib,
        rss_after_kib,
        rss_bytes_each: growth.map(|kib| kib * KIB / things as f64),
    };
    connections.into_iter().for_each(Connection::close);
    if !args.keep {
        control.call_all(names().map(|name| delete_queue(&name)))?;
    }
    control.close();
    report.print(args.json)
}

impl IdleReport {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        let text = if json {
            serde_json::to_string(self)?
        } else if let Self { rss_before_kib: Some(before), rss_after_kib: Some(after), .. } = self {
            let each = self.rss_bytes_each.unwrap_or_default();
            format!("broker     {before} KiB before, {after} KiB after, {each:.0} bytes each")
        } else {
            "held; with --pid the broker's memory is reported".into()
        };
        Ok(writeln!(io::stdout(), "{text}")?)
    }
}
