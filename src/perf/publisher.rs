//! A publisher: one thread writes, one reads what the broker says about it.
//!
//! Two threads, so that a broker which does not read can still be heard, and the other way round.
//! A publisher that waits for each confirm is one thread that does both by turns, as such clients
//! are: threads waking each other would be most of the latency that it measures.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::confirms::Confirms;
use super::connection::{Connection, TICK, goodbye, write_patiently};
use super::incoming::{Event, Incoming};
use super::input::Filled;
use super::options::PerfArgs;
use super::pace::Pace;
use super::run::{Run, Worker};
use super::template::Template;
use super::usage::sleep_precisely;

/// Bytes per write, about: enough to make the system call cheap, and still in the L1 and L2 cache.
const WRITE: usize = 64 * 1024;
/// Every so many messages of a write carry a time, besides the first. With a rate all do.
const SAMPLE: u64 = 64;
/// How long to wait before looking at the backlog again, the first time and at most: each time
/// twice as long, so that waiting for a slow broker costs nothing that its figures would show.
const SHORT_PAUSE: Duration = Duration::from_micros(50);
const LONG_PAUSE: Duration = Duration::from_millis(2);
/// How long a stopped publisher waits until its confirms have come, and again until its last
/// bytes are written.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long its reader waits: as long as the writer may take, and then for the answer.
const LAST_ANSWER: Duration = Duration::from_secs(6);

/// What bounds a publisher, besides the broker.
struct Bounds {
    /// Messages altogether.
    count: u64,
    /// Messages per write.
    batch: u64,
    /// Messages published and not consumed.
    backlog: Option<u64>,
    pace: Option<Pace>,
    confirms: Option<Arc<Confirms>>,
}

/// Starts publisher `n` on its connection, which is in confirm mode if the arguments say so.
pub(super) fn start(
    run: &Arc<Run>,
    n: usize,
    mut connection: Connection,
    template: Template,
    args: &PerfArgs,
) -> anyhow::Result<Vec<thread::JoinHandle<()>>> {
    connection.brace()?;
    let Connection { stream, input, .. } = connection;
    let stream = Arc::new(stream);
    let confirms = args.confirm.map(|window| Arc::new(Confirms::new(window)));
    let pace = args.rate.map(|rate| Pace::new(rate, run.clock.now(), n, args.publishers));
    let batch = args.batch.unwrap_or(u64::MAX).min(args.max_backlog.unwrap_or(u64::MAX));
    let bounds = Bounds {
        count: args.count.unwrap_or(u64::MAX),
        batch,
        backlog: args.max_backlog,
        pace,
        confirms: confirms.clone(),
    };
    let mut writer = Writer {
        run: run.clone(),
        n,
        stream: stream.clone(),
        template,
        bounds,
        pause: SHORT_PAUSE,
        reader: None,
    };
    let incoming = Incoming::new(input);
    let reader = Reader { run: run.clone(), n, stream, incoming, confirms };
    let named = |name| thread::Builder::new().name(format!("{name}-{n}"));
    let listen = |mut reader: Reader| {
        let run = reader.run.clone();
        run.publish_cpu.count(|| reader.listen()).unwrap_or_else(|fault| run.fail(fault));
        run.publisher_done();
    };
    let write = |mut writer: Writer| {
        let run = writer.run.clone();
        run.publish_cpu.count(|| writer.write_all()).unwrap_or_else(|fault| run.fail(fault));
        writer.reader
    };
    if args.confirm == Some(1) {
        writer.reader = Some(reader);
        let both = move || write(writer).map_or((), listen);
        return Ok(vec![named("publish").spawn(both)?]);
    }
    let write = move || drop(write(writer));
    Ok(vec![named("publish").spawn(write)?, named("confirm").spawn(move || listen(reader))?])
}

struct Writer {
    run: Arc<Run>,
    n: usize,
    stream: Arc<TcpStream>,
    template: Template,
    bounds: Bounds,
    /// How long the next look at the backlog is put off.
    pause: Duration,
    /// Of a publisher that waits for each confirm.
    reader: Option<Reader>,
}

impl Writer {
    fn write_all(&mut self) -> anyhow::Result<()> {
        if self.bounds.pace.is_some() {
            sleep_precisely();
        }
        let mut out = Vec::with_capacity(2 * WRITE);
        let mut sent = 0;
        while sent < self.bounds.count && !self.run.stopping() {
            let now = self.run.clock.now();
            let most = self.may_send(sent, now);
            if most == 0 {
                continue;
            }
            out.clear();
            let count = self.fill(&mut out, sent, most, now);
            if let Some(confirms) = &self.bounds.confirms {
                confirms.sent((sent..sent + count).map(|n| self.time_of(n, now)));
            }
            if !self.write(&out)? {
                // The broker got a part of a frame and does not read on: nothing more to say.
                return Ok(self.stream.shutdown(Shutdown::Both)?);
            }
            sent += count;
            self.own().published.store(sent, Relaxed);
            self.read_confirms()?;
        }
        self.wait_for_confirms();
        self.write(&goodbye()).map(|_| ())
    }

    /// Reads until everything is confirmed, if this thread is the one that reads.
    fn read_confirms(&mut self) -> anyhow::Result<()> {
        let (Some(reader), Some(confirms)) = (&mut self.reader, &self.bounds.confirms) else {
            return Ok(());
        };
        let mut patience = Patience::of(LAST_WORDS);
        while !confirms.are_all_settled() && patience.lasts(&self.run) && reader.read()? {}
        Ok(())
    }

    fn own(&self) -> &Worker {
        &self.run.publishers[self.n]
    }

    /// How many messages may go now. Waits a while for the first thing that forbids any.
    fn may_send(&mut self, sent: u64, now: u64) -> u64 {
        let Bounds { count, batch, backlog, pace, confirms } = &self.bounds;
        let mut most = (count - sent).min(*batch);
        if let Some(pace) = pace {
            most = most.min(pace.due(now).saturating_sub(sent));
            if most == 0 {
                let pause = Duration::from_nanos(pace.time_of(sent).saturating_sub(now));
                thread::sleep(pause.min(TICK));
                return 0;
            }
        }
        if backlog.is_some_and(|backlog| self.run.backlog() > backlog) {
            thread::sleep(self.pause);
            self.pause = (2 * self.pause).min(LONG_PAUSE);
            return 0;
        }
        self.pause = SHORT_PAUSE;
        match confirms {
            Some(confirms) => most.min(confirms.wait_for_room(TICK)),
            None => most,
        }
    }

    /// Encodes up to `most` messages, but not much more than a [`WRITE`]; how many.
    fn fill(&mut self, out: &mut Vec<u8>, sent: u64, most: u64, now: u64) -> u64 {
        let all = self.bounds.pace.is_some();
        let mut count = 0;
        while count < most && out.len() < WRITE {
            let stamped = all || count % SAMPLE == 0;
            let time = stamped.then(|| self.time_of(sent + count, now));
            self.template.push(out, time.map(|time| self.run.clock.stamp(time)));
            count += 1;
        }
        count
    }

    /// The time that a message's latency is measured from: when it should have been sent.
    fn time_of(&self, n: u64, now: u64) -> u64 {
        self.bounds.pace.map_or(now, |pace| pace.time_of(n))
    }

    /// Writes, for as long as the run goes on and a little longer; whether all was written.
    fn write(&self, bytes: &[u8]) -> anyhow::Result<bool> {
        let mut patience = Patience::of(LAST_WORDS);
        write_patiently(&self.stream, bytes, || patience.lasts(&self.run))
    }

    fn wait_for_confirms(&self) {
        let Some(confirms) = &self.bounds.confirms else { return };
        let mut patience = Patience::of(LAST_WORDS);
        while !confirms.wait_for_all(TICK) && patience.lasts(&self.run) {}
    }
}

/// Endless while the run goes on, limited once it stops.
struct Patience {
    limit: Duration,
    stopped: Option<Instant>,
}

impl Patience {
    fn of(limit: Duration) -> Self {
        Self { limit, stopped: None }
    }

    fn lasts(&mut self, run: &Run) -> bool {
        !run.stopping() || self.stopped.get_or_insert_with(Instant::now).elapsed() < self.limit
    }
}

struct Reader {
    run: Arc<Run>,
    n: usize,
    stream: Arc<TcpStream>,
    incoming: Incoming,
    confirms: Option<Arc<Confirms>>,
}

impl Reader {
    /// Reads until the writer's goodbye is answered: by then the broker has taken everything.
    fn listen(&mut self) -> anyhow::Result<()> {
        let mut patience = Patience::of(LAST_ANSWER);
        while self.read()? {
            ensure!(
                patience.lasts(&self.run),
                "the broker does not answer the end of publisher {}",
                self.n
            );
        }
        Ok(())
    }

    /// Reads once. Returns whether there may be more.
    fn read(&mut self) -> anyhow::Result<bool> {
        match self.incoming.fill(&*self.stream)? {
            Filled::More => {}
            Filled::Quiet => return Ok(true),
            Filled::End if self.run.stopping() => return Ok(false),
            Filled::End => bail!("the broker closed the socket of publisher {}", self.n),
        }
        let now = self.run.clock.now();
        while let Some(event) = self.incoming.next()? {
            if event == Event::Closed {
                return Ok(false);
            }
            self.note(event, now);
        }
        if let Some(confirms) = &self.confirms {
            confirms.wake();
        }
        Ok(true)
    }

    fn note(&self, event: Event, now: u64) {
        let own = &self.run.publishers[self.n];
        match event {
            Event::Settled { tag, multiple, accepted } => {
                let counter = if accepted { &own.confirmed } else { &own.rejected };
                if let Some(confirms) = &self.confirms {
                    confirms.settle(tag, multiple, |time| {
                        counter.fetch_add(1, Relaxed);
                        own.latencies.record(time, now);
                    });
                }
            }
            Event::Returned => {
                own.returned.fetch_add(1, Relaxed);
            }
            Event::Blocked(blocked) => self.run.set_blocked(blocked),
            Event::Delivered { .. } | Event::Closed => {}
        }
    }
}
