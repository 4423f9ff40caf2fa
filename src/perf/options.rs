//! What can be asked for on the command line, and which askings contradict each other.

use anyhow::ensure;
use clap::{Args, ValueEnum};

use super::uri::Uri;

/// Put load on a broker and measure rates, latency and CPU.
///
/// Publisher i publishes to queue i mod QUEUES and consumer j consumes from queue j mod QUEUES;
/// with a fanout exchange every message goes to every queue. Progress goes to stderr, once a
/// second; the report goes to stdout. The queues and the exchange are deleted at the end.
#[derive(Args, Clone, Debug)]
pub struct PerfArgs {
    /// The broker: amqp://user:password@host:port/vhost
    #[arg(long, env = "WARREN_PERF_URI", hide_env_values = true)]
    #[arg(default_value = "amqp://guest:guest@127.0.0.1:5672/")]
    pub uri: Uri,

    /// Publishers, each with a connection of its own; may be 0
    #[arg(short = 'x', long, default_value_t = 1, value_name = "N", help_heading = "Who")]
    pub publishers: usize,
    /// Consumers, each with a connection of its own; may be 0
    #[arg(short = 'y', long, default_value_t = 1, value_name = "N", help_heading = "Who")]
    pub consumers: usize,
    /// Queues, named PREFIX-0, PREFIX-1, …
    #[arg(short, long, default_value_t = 1, value_name = "N", help_heading = "Who")]
    pub queues: usize,
    /// What the queues' names start with
    #[arg(long, default_value = "warren-perf", value_name = "PREFIX", help_heading = "Who")]
    pub queue_name: String,

    /// Declare durable queues and a durable exchange
    #[arg(long, help_heading = "Topology")]
    pub durable: bool,
    /// An argument of the queues, such as x-queue-type=quorum; may be repeated. Whole numbers,
    /// true and false are sent as such
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Topology")]
    pub queue_arg: Vec<String>,
    /// Publish through an exchange of this type instead of the default exchange
    #[arg(long, value_enum, value_name = "TYPE", help_heading = "Topology")]
    pub exchange_type: Option<ExchangeType>,
    /// That exchange's name [default: the queues' PREFIX]; one that starts with amq. is used as
    /// it is
    #[arg(long, value_name = "NAME", requires = "exchange_type", help_heading = "Topology")]
    pub exchange: Option<String>,
    /// Rotate over N routing keys (or header values) per publisher; all lead to its queue
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Topology")]
    pub routing_keys: usize,
    /// Bind a spare queue N times with keys (or headers) that no message has
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Topology")]
    #[arg(requires = "exchange_type")]
    pub extra_bindings: usize,
    /// Leave queues and exchange behind
    #[arg(long, help_heading = "Topology")]
    pub keep: bool,

    /// Bytes of a message's body; below 8 there is no room for a time, and no latency
    #[arg(short, long, default_value_t = 16, value_name = "BYTES", help_heading = "Publishing")]
    pub size: usize,
    /// Messages per second and publisher, on a fixed schedule; without it as fast as it goes
    #[arg(short, long, value_name = "MSG/S", help_heading = "Publishing")]
    pub rate: Option<f64>,
    /// Publish persistent messages (delivery mode 2)
    #[arg(short, long, help_heading = "Publishing")]
    pub persistent: bool,
    /// Use publisher confirms, with at most WINDOW messages unconfirmed
    #[arg(short, long, value_name = "WINDOW", help_heading = "Publishing")]
    pub confirm: Option<usize>,
    /// Publish with the mandatory flag
    #[arg(long, help_heading = "Publishing")]
    pub mandatory: bool,
    /// Publishes per write at most [default: what fits into 64 KiB]
    #[arg(long, value_name = "N", help_heading = "Publishing")]
    pub batch: Option<u64>,
    /// Pause publishing while more than N messages are published and not consumed yet, so that a
    /// queue does not grow without bound [default: no limit]
    #[arg(long, value_name = "N", help_heading = "Publishing")]
    pub max_backlog: Option<u64>,

    /// Each publisher rotates over all queues, instead of having one
    #[arg(long, help_heading = "Publishing")]
    pub spread: bool,

    /// Messages a consumer may hold unacknowledged; 0 is no limit
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Consuming")]
    pub prefetch: u16,
    /// 0: the broker need not wait for acks; 1: each message has its own ack; N: every N-th
    /// message acknowledges all up to it
    #[arg(short, long, default_value_t = 0, value_name = "N", help_heading = "Consuming")]
    pub ack: u64,

    /// Seconds to measure [default: 10, unless there is a count]
    #[arg(short, long, value_name = "SECONDS", help_heading = "How long")]
    pub duration: Option<f64>,
    /// Messages per publisher; then wait until all are consumed. Fails if some are missing.
    /// Without publishers: messages to consume altogether
    #[arg(short = 'n', long, value_name = "N", help_heading = "How long")]
    pub count: Option<u64>,
    /// Seconds of load before the measuring starts
    #[arg(short, long, default_value_t = 0.0, value_name = "SECONDS", help_heading = "How long")]
    pub warmup: f64,
    /// With a count: give up when no message came for so many seconds
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS", help_heading = "How long")]
    pub patience: f64,

    /// Instead of load: open N connections with one channel each and hold them for the duration
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Idle things")]
    pub idle_connections: usize,
    /// Instead of load: declare N queues and hold them for the duration
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Idle things")]
    pub idle_queues: usize,

    /// The broker's process: report its CPU per message and its resident memory
    #[arg(long, help_heading = "Report")]
    pub pid: Option<u32>,
    /// Report as one JSON object
    #[arg(long, help_heading = "Report")]
    pub json: bool,
    /// No progress
    #[arg(long, help_heading = "Report")]
    pub quiet: bool,
}

/// Exchange types: those that every broker has, and one that shares out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExchangeType {
    /// The routing key is the binding's.
    Direct,
    /// To every queue.
    Fanout,
    /// The routing key matches a pattern.
    Topic,
    /// The headers match.
    Headers,
    /// The routing key's hash picks one queue of all.
    #[value(name = "x-consistent-hash")]
    ConsistentHash,
}

impl ExchangeType {
    /// Its name on the wire.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
            Self::ConsistentHash => "x-consistent-hash",
        }
    }
}

impl PerfArgs {
    /// Seconds to measure, unless a count ends it.
    pub(super) fn seconds(&self) -> Option<f64> {
        if self.count.is_some() { self.duration } else { Some(self.duration.unwrap_or(10.0)) }
    }

    /// Refuses what cannot work, rather than to hang or to measure something else.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let sensible = |n: f64| n.is_finite() && (0.0..1e9).contains(&n);
        ensure!(self.queues > 0, "--queues must be at least 1");
        ensure!(self.routing_keys > 0, "--routing-keys must be at least 1");
        ensure!(
            self.routing_keys == 1 || self.exchange_type.is_some(),
            "--routing-keys needs --exchange-type: the default exchange knows one key per queue"
        );
        ensure!(
            self.rate.is_none_or(|rate| sensible(rate) && rate > 0.0),
            "--rate is not positive"
        );
        ensure!(self.duration.is_none_or(sensible), "--duration is not a number of seconds");
        ensure!(sensible(self.warmup), "--warmup is not a number of seconds");
        ensure!(sensible(self.patience), "--patience is not a number of seconds");
        ensure!(self.confirm.is_none_or(|window| window > 0), "--confirm must be at least 1");
        ensure!(self.batch.is_none_or(|batch| batch > 0), "--batch must be at least 1");
        ensure!(
            self.max_backlog.is_none_or(|most| most > 0 && self.consumers > 0),
            "--max-backlog needs consumers and must be at least 1"
        );
        ensure!(
            self.prefetch == 0 || self.ack <= self.prefetch.into(),
            "--ack {} would wait for more messages than --prefetch {} lets come",
            self.ack,
            self.prefetch
        );
        let shared_out = self.spread || self.exchange_type == Some(ExchangeType::ConsistentHash);
        ensure!(
            !shared_out || self.consumers == 0 || self.consumers >= self.queues,
            "messages that are spread over {} queues need a consumer for each",
            self.queues
        );
        ensure!(
            self.queue_arg.iter().all(|arg| arg.contains('=')),
            "--queue-arg is written KEY=VALUE"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        perf: PerfArgs,
    }

    fn parse(line: &str) -> anyhow::Result<PerfArgs> {
        let words = std::iter::once("perf").chain(line.split_whitespace());
        let args = Command::try_parse_from(words)?.perf;
        args.check()?;
        Ok(args)
    }

    #[test]
    fn nothing_said_is_one_by_one_for_ten_seconds() {
        let args = parse("").unwrap();
        assert_eq!((args.publishers, args.consumers, args.queues), (1, 1, 1));
        assert_eq!((args.size, args.ack, args.prefetch), (16, 0, 0));
        assert_eq!(args.seconds(), Some(10.0));
    }

    #[test]
    fn a_count_ends_it_and_a_duration_may_as_well() {
        assert_eq!(parse("--count 5").unwrap().seconds(), None);
        assert_eq!(parse("--count 5 --duration 2").unwrap().seconds(), Some(2.0));
    }

    #[test]
    fn a_full_line_is_read() {
        let args = parse(
            "-x 2 -y 10 -q 10 --exchange-type topic --exchange t --extra-bindings 1000 \
             --routing-keys 3 -s 1024 -r 2.5 -p -c 200 --queue-arg x-queue-type=quorum \
             --queue-arg x-max-length=5 --prefetch 200 -a 10",
        );
        let args = args.unwrap();
        assert_eq!(args.exchange_type, Some(ExchangeType::Topic));
        assert_eq!((args.rate, args.confirm, args.persistent), (Some(2.5), Some(200), true));
        assert_eq!(args.queue_arg.len(), 2);
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "--queues 0",
            "--prefetch 5 --ack 10",
            "--routing-keys 2",
            "--extra-bindings 2",
            "--exchange x",
            "--rate 0",
            "--rate nan",
            "--duration -1",
            "--confirm 0",
            "--max-backlog 10 --consumers 0",
            "--queue-arg nothing",
            "--uri http://localhost",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
