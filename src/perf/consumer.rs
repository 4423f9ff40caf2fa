//! A consumer: reads, counts, and acknowledges with one write per read.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::connection::{CHANNEL, Connection, goodbye, write_patiently};
use super::incoming::{Event, Incoming};
use super::input::Filled;
use super::run::Run;
use crate::wire::encode::Out;
use crate::wire::method::{AnyMethod, MethodId, basic};

/// How long a stopped consumer waits until its goodbye is answered.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How a consumer consumes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Messages unacknowledged at most; 0 is no limit.
    pub(super) prefetch: u16,
    /// Every so many messages are acknowledged together; 0 is never, none is asked for.
    pub(super) ack: u64,
}

/// Subscribes a connection to a queue. Messages may come from here on.
pub(super) fn subscribe(
    connection: &mut Connection,
    queue: &str,
    manner: Manner,
) -> anyhow::Result<()> {
    let qos = basic::Qos { prefetch_count: manner.prefetch, global: false };
    connection.call(AnyMethod::Basic(basic::AMQPMethod::Qos(qos)))?;
    // Named by us and short, so that every broker's deliveries are of the same size.
    let consume = basic::Consume {
        queue: queue.into(),
        consumer_tag: "c".into(),
        no_ack: manner.ack == 0,
        ..basic::Consume::default()
    };
    connection.brace()?;
    connection
        .call(AnyMethod::Basic(basic::AMQPMethod::Consume(consume)))
        .map(|_| ())
        .with_context(|| format!("consuming from {queue}"))
}

/// Starts consumer `n` on its subscribed connection.
pub(super) fn start(
    run: &Arc<Run>,
    n: usize,
    connection: Connection,
    manner: Manner,
) -> anyhow::Result<thread::JoinHandle<()>> {
    let Connection { stream, input, .. } = connection;
    let acks = Acks { every: manner.ack, last: 0, acked: 0, out: Out::default() };
    let incoming = Incoming::new(input);
    let mut consumer = Consumer { run: run.clone(), n, stream, incoming, acks };
    let consume = move || {
        let run = consumer.run.clone();
        run.consume_cpu.count(|| consumer.consume()).unwrap_or_else(|fault| run.fail(fault));
    };
    Ok(thread::Builder::new().name(format!("consume-{n}")).spawn(consume)?)
}

struct Consumer {
    run: Arc<Run>,
    n: usize,
    stream: TcpStream,
    incoming: Incoming,
    acks: Acks,
}

impl Consumer {
    fn consume(&mut self) -> anyhow::Result<()> {
        // What came together with the answer to basic.consume is looked at before the first read.
        self.take_all()?;
        while !self.run.stopping() {
            match self.incoming.fill(&self.stream)? {
                Filled::More => self.take_all()?,
                Filled::Quiet => {}
                Filled::End => bail!("the broker closed the socket of consumer {}", self.n),
            };
        }
        self.acks.add_rest();
        self.write_acks()?;
        self.say_goodbye()
    }

    /// Counts and acknowledges what has been read.
    fn take_all(&mut self) -> anyhow::Result<()> {
        let own = &self.run.consumers[self.n];
        let mut count = 0;
        let mut now = None;
        while let Some(event) = self.incoming.next()? {
            let Event::Delivered { tag, stamp } = event else { continue };
            count += 1;
            self.acks.add(tag);
            if let Some(sent) = self.run.clock.time_in(stamp) {
                own.latencies.record(sent, *now.get_or_insert_with(|| self.run.clock.now()));
            }
        }
        own.consumed.fetch_add(count, Relaxed);
        self.write_acks()
    }

    fn write_acks(&mut self) -> anyhow::Result<()> {
        let bytes = self.acks.out.contiguous().expect("acks are copied, not shared");
        if !bytes.is_empty() {
            write_patiently(&self.stream, bytes, || !self.run.stopping())?;
            self.acks.out.clear();
        }
        Ok(())
    }

    /// Closes the connection and passes over what still comes.
    fn say_goodbye(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        write_patiently(&self.stream, &goodbye(), || began.elapsed() < LAST_WORDS)?;
        while began.elapsed() < LAST_WORDS && self.incoming.fill(&self.stream)? != Filled::End {
            while let Some(event) = self.incoming.next()? {
                if event == Event::Closed {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Acks that wait for the end of a read.
struct Acks {
    /// As [`Manner::ack`].
    every: u64,
    /// The last message that came.
    last: u64,
    /// The last message that is acknowledged.
    acked: u64,
    out: Out,
}

impl Acks {
    #[inline]
    fn add(&mut self, tag: u64) {
        self.last = tag;
        if self.every > 0 && tag - self.acked >= self.every {
            self.add_up_to(tag);
        }
    }

    /// Acknowledges what has not reached a full number.
    fn add_rest(&mut self) {
        if self.every > 0 && self.last > self.acked {
            self.add_up_to(self.last);
        }
    }

    fn add_up_to(&mut self, tag: u64) {
        self.out.confirm(CHANNEL, MethodId::ACK, tag, self.every > 1);
        self.acked = tag;
    }
}
