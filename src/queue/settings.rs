//! What a queue goes by: its declared arguments, completed by defaults and by whoever knows
//! policies, in numbers that need no further look at where they came from.
//!
//! A queue is given its settings at birth, and new ones with [`super::Command::Configure`]. Times
//! are milliseconds.

use std::time::Duration;

use super::Return;
use super::options::{
    DeadLetterStrategy, DelayedRetry, DeliveryLimit, Overflow, QueueKind, QueueOptions,
    RetryOptions,
};
use crate::names::ExchangeName;

/// How often a message of a quorum queue may come back if nothing else is said (RabbitMQ 4).
pub const QUORUM_DELIVERY_LIMIT: u64 = 20;
/// Quorum queues tell so many priorities apart without being asked (RabbitMQ 4.3: 0 to 31).
pub const QUORUM_MAX_PRIORITY: u8 = 31;
/// The longest wait between retries if nothing else is said: an hour.
const LONGEST_RETRY: u64 = 3_600_000;

/// What a queue goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Quorum queues count and refuse differently.
    pub kind: QueueKind,
    /// How long a message may wait.
    pub message_ttl: Option<u64>,
    /// How long the queue may idle before it is deleted.
    pub expires: Option<u64>,
    /// How many ready messages there may be.
    pub max_length: Option<u64>,
    /// How many bytes their bodies may have.
    pub max_length_bytes: Option<u64>,
    /// What happens at the limit.
    pub overflow: Overflow,
    /// Where dead messages go.
    pub dead_letter: Option<DeadLetter>,
    /// The highest priority that is told apart; `None`: none is.
    pub max_priority: Option<u8>,
    /// One consumer at a time gets everything.
    pub single_active: bool,
    /// A message that came back more often than this is dead-lettered.
    pub delivery_limit: Option<u64>,
    /// How long a delivery may stay unsettled. The consumer's own goes before it; 0 is for ever.
    pub consumer_timeout: Option<u64>,
    /// Messages that come back are kept back for a while.
    pub retry: Option<Retry>,
}

/// Where dead messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The exchange; the empty name is the default exchange. It need not exist.
    pub exchange: ExchangeName,
    /// With which key; `None`: with their own.
    pub routing_key: Option<Box<[u8]>>,
    /// Whether the move may lose a message.
    pub strategy: DeadLetterStrategy,
}

/// How long messages are kept back that come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Which of them.
    pub which: DelayedRetry,
    /// The first wait.
    pub delay: u64,
    /// How each further wait grows.
    pub growth: Growth,
    /// No wait is longer.
    pub longest: u64,
    /// By how many percent a wait may be shorter.
    pub jitter: u8,
    /// How often a message is tried again.
    pub attempts: Option<u64>,
}

/// How waits grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// The n-th is n times the first.
    Linear,
    /// Each is so many times the one before.
    Times(u32),
}

impl Settings {
    /// What a queue's arguments come to, where nothing else (a policy) has a say.
    pub fn of(options: &QueueOptions) -> Self {
        let quorum = options.kind == QueueKind::Quorum;
        let delivery_limit = match options.delivery_limit {
            Some(DeliveryLimit::Times(limit)) => Some(limit),
            Some(DeliveryLimit::Unlimited) => None,
            None => quorum.then_some(QUORUM_DELIVERY_LIMIT),
        };
        Self {
            kind: options.kind,
            message_ttl: options.message_ttl.map(ms),
            expires: options.expires.map(ms),
            max_length: options.max_length,
            max_length_bytes: options.max_length_bytes,
            overflow: options.overflow.unwrap_or_default(),
            dead_letter: DeadLetter::of(options),
            max_priority: if quorum { Some(QUORUM_MAX_PRIORITY) } else { options.max_priority },
            single_active: options.single_active_consumer,
            delivery_limit,
            consumer_timeout: options.consumer_timeout.map(ms),
            retry: Retry::of(&options.retry),
        }
    }

    /// Whether the queue may refuse publishes.
    pub fn refuses(&self) -> bool {
        let limited = self.max_length.is_some() || self.max_length_bytes.is_some();
        limited && self.overflow != Overflow::DropHead
    }

    /// Whether it is as if nothing was said.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl DeadLetter {
    fn of(options: &QueueOptions) -> Option<Self> {
        // At least once needs a queue that refuses rather than drops (RabbitMQ falls back too).
        let strategy = match options.dead_letter_strategy {
            Some(DeadLetterStrategy::AtLeastOnce)
                if options.overflow == Some(Overflow::RejectPublish) =>
            {
                DeadLetterStrategy::AtLeastOnce
            }
            Some(DeadLetterStrategy::AtLeastOnce | DeadLetterStrategy::AtMostOnce) | None => {
                DeadLetterStrategy::AtMostOnce
            }
        };
        Some(Self {
            exchange: options.dead_letter_exchange.clone()?,
            routing_key: options.dead_letter_routing_key.clone(),
            strategy,
        })
    }
}

impl Retry {
    /// What the options come to; `x-retry-delay` goes before `x-delayed-retry-type`.
    pub fn of(options: &RetryOptions) -> Option<Self> {
        if let Some(delay) = options.delay.map(ms) {
            return Some(Self {
                which: DelayedRetry::All,
                delay,
                growth: Growth::Times(options.multiplier.unwrap_or(2)),
                longest: options.max_delay.map_or_else(|| LONGEST_RETRY.max(delay), ms),
                jitter: options.jitter.unwrap_or_default(),
                attempts: options.attempts,
            });
        }
        let which = options.delayed.filter(|which| *which != DelayedRetry::Disabled)?;
        let delay = options.delayed_min.map(ms)?;
        let longest = options.delayed_max.map_or(u64::MAX, ms);
        Some(Self { which, delay, growth: Growth::Linear, longest, jitter: 0, attempts: None })
    }

    /// Whether a message is kept back that comes back for this reason. One whose consumer is gone
    /// is not to blame.
    pub fn covers(&self, why: Return) -> bool {
        match (self.which, why) {
            (_, Return::Released) | (DelayedRetry::Disabled, _) => false,
            (DelayedRetry::All, _) => true,
            (DelayedRetry::Failed, why) => why == Return::Rejected,
            (DelayedRetry::Returned, why) => why == Return::Nacked,
        }
    }

    /// How long a message is kept back that has come back for the `times`-th time (from 1).
    /// `draw` takes the place of chance for the jitter.
    pub fn wait(&self, times: u64, draw: u64) -> u64 {
        let times = times.max(1);
        let grown = match self.growth {
            Growth::Linear => self.delay.saturating_mul(times),
            Growth::Times(factor) => {
                let power = u32::try_from(times - 1).unwrap_or(u32::MAX);
                self.delay.saturating_mul(u64::from(factor).saturating_pow(power))
            }
        };
        let wait = grown.min(self.longest);
        let spread = u64::try_from(u128::from(wait) * u128::from(self.jitter) / 100);
        let spread = spread.unwrap_or(u64::MAX);
        // Knuth's multiplier scatters neighbours; the upper bits are the good ones.
        let scattered = draw.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        wait - if spread == 0 { 0 } else { scattered % (spread + 1) }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::options::{Declaration, Declared};
    use crate::wire::table::{TableBuilder, Value};

    const EXPONENTIAL: Retry = Retry {
        which: DelayedRetry::All,
        delay: 100,
        growth: Growth::Times(3),
        longest: 1000,
        jitter: 0,
        attempts: None,
    };

    fn settings(arguments: &[(&str, Value<'_>)]) -> Settings {
        let mut table = TableBuilder::new();
        for (name, value) in arguments {
            table.push(name, *value);
        }
        let durable = Declared { durable: true, ..Declared::default() };
        let arguments = table.build();
        let declaration =
            Declaration::new("/".into(), "q".into(), durable, &arguments, QueueKind::Classic);
        Settings::of(&QueueOptions::parse(&declaration).expect("accepted"))
    }

    #[test]
    fn a_queue_that_said_nothing_is_plain() {
        assert!(settings(&[]).is_plain());
        assert!(!settings(&[("x-message-ttl", Value::I32(0))]).is_plain());
    }

    #[test]
    fn quorum_queues_have_their_defaults() {
        let quorum = ("x-queue-type", Value::Text(b"quorum"));
        let said = settings(&[quorum]);
        assert_eq!((said.delivery_limit, said.max_priority), (Some(20), Some(31)));
        let unlimited = settings(&[quorum, ("x-delivery-limit", Value::I32(-1))]);
        assert_eq!(unlimited.delivery_limit, None);
    }

    #[test]
    fn at_least_once_needs_a_queue_that_refuses() {
        let quorum = ("x-queue-type", Value::Text(b"quorum"));
        let exchange = ("x-dead-letter-exchange", Value::Text(b"dlx"));
        let strategy = ("x-dead-letter-strategy", Value::Text(b"at-least-once"));
        let refuse = ("x-overflow", Value::Text(b"reject-publish"));
        let of = |said: Settings| said.dead_letter.map(|dead| dead.strategy);
        let kept = of(settings(&[quorum, exchange, strategy, refuse]));
        assert_eq!(kept, Some(DeadLetterStrategy::AtLeastOnce));
        let dropping = of(settings(&[quorum, exchange, strategy]));
        assert_eq!(dropping, Some(DeadLetterStrategy::AtMostOnce));
    }

    #[test]
    fn retries_are_asked_for_in_two_ways() {
        let own =
            settings(&[("x-retry-delay", Value::I32(5)), ("x-retry-attempts", Value::I32(3))]);
        let retry = own.retry.expect("asked for");
        assert_eq!((retry.delay, retry.attempts), (5, Some(3)));
        assert_eq!(retry.growth, Growth::Times(2));
        let quorum = ("x-queue-type", Value::Text(b"quorum"));
        let min = ("x-delayed-retry-min", Value::I32(5));
        let failed = ("x-delayed-retry-type", Value::Text(b"failed"));
        let theirs = settings(&[quorum, min, failed]).retry.expect("asked for");
        assert_eq!((theirs.which, theirs.growth), (DelayedRetry::Failed, Growth::Linear));
        let disabled = ("x-delayed-retry-type", Value::Text(b"disabled"));
        assert_eq!(settings(&[quorum, min, disabled]).retry, None);
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        let waits = |retry: Retry| [1, 2, 3, 4, u64::MAX].map(|times| retry.wait(times, 7));
        assert_eq!(waits(EXPONENTIAL), [100, 300, 900, 1000, 1000]);
        let linear = Retry { growth: Growth::Linear, longest: 350, ..EXPONENTIAL };
        assert_eq!(waits(linear), [100, 200, 300, 350, 350]);
    }

    #[test]
    fn jitter_shortens_by_no_more_than_it_may() {
        let retry = Retry { jitter: 20, ..EXPONENTIAL };
        let waits: Vec<u64> = (0..1000).map(|draw| retry.wait(1, draw)).collect();
        assert!(waits.iter().all(|wait| (80..=100).contains(wait)));
        assert!(waits.contains(&80) && waits.contains(&100), "the whole spread is used");
    }
}
