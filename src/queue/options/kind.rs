//! Kinds of queues, and which arguments each of them knows.
//!
//! RabbitMQ refuses an argument that only another kind knows, and ignores one that no kind
//! knows. The lists are those of RabbitMQ 4.3 (`capabilities()` of each queue type) in its order,
//! for redeclares are compared in that order.

use super::deduplication::DEDUPLICATION_ARGUMENTS;
use super::retry::RETRY_ARGUMENTS;

/// What kind of queue it is (`x-queue-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QueueKind {
    /// One node's queue, durable or not.
    #[default]
    Classic,
    /// A replicated queue.
    Quorum,
    /// A replicated log. Recognised, so that the caller can refuse it.
    Stream,
}

impl QueueKind {
    const ALL: [Self; 3] = [Self::Classic, Self::Quorum, Self::Stream];

    /// The name in `x-queue-type` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        }
    }

    /// The kind of this name. RabbitMQ knows no other spelling.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    /// RabbitMQ's module for it, which is what some of its texts name.
    pub fn module(self) -> &'static str {
        match self {
            Self::Classic => "rabbit_classic_queue",
            Self::Quorum => "rabbit_quorum_queue",
            Self::Stream => "rabbit_stream_queue",
        }
    }

    /// RabbitMQ's arguments of queue.declare: those that take part in a redeclare's comparison.
    pub(super) fn queue_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Classic => CLASSIC,
            Self::Quorum => QUORUM,
            Self::Stream => STREAM,
        }
    }

    /// All arguments of queue.declare that mean something to this kind: also those that are
    /// Warren's (or LavinMQ's) alone.
    pub(super) fn known_arguments(self) -> &'static [&'static [&'static str]] {
        match self {
            // Without x-consumer-timeout RabbitMQ 4.3 refuses what 3.13 to 4.2 obeyed.
            Self::Classic => {
                &[CLASSIC, &["x-consumer-timeout"], DEDUPLICATION_ARGUMENTS, RETRY_ARGUMENTS]
            }
            Self::Quorum => &[QUORUM, DEDUPLICATION_ARGUMENTS, RETRY_ARGUMENTS],
            Self::Stream => &[STREAM],
        }
    }

    /// RabbitMQ's arguments of basic.consume.
    pub(crate) fn consumer_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Classic => &["x-priority"],
            Self::Quorum => &["x-priority", "x-consumer-timeout"],
            Self::Stream => &["x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"],
        }
    }

    /// All arguments of basic.consume that mean something to this kind.
    pub(crate) fn known_consumer_arguments(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Classic | Self::Quorum => &[&["x-priority", "x-consumer-timeout"]],
            Self::Stream => &[&["x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"]],
        }
    }

    /// The argument's name as some kind's list has it.
    pub(super) fn known_anywhere(
        name: &str,
        list: fn(Self) -> &'static [&'static str],
    ) -> Option<&'static str> {
        Self::ALL.into_iter().flat_map(list).copied().find(|known| *known == name)
    }
}

const CLASSIC: &[&str] = &[
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
    "x-queue-master-locator",
    "x-queue-leader-locator",
    // Refused by RabbitMQ; Warren counts deliveries on classic queues too, as LavinMQ does.
    "x-delivery-limit",
];

const QUORUM: &[&str] = &[
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-overflow",
    "x-single-active-consumer",
    "x-queue-type",
    "x-quorum-initial-group-size",
    "x-delivery-limit",
    "x-message-ttl",
    "x-queue-leader-locator",
    "x-consumer-disconnected-timeout",
    "x-consumer-timeout",
    "x-delayed-retry-type",
    "x-delayed-retry-min",
    "x-delayed-retry-max",
];

const STREAM: &[&str] = &[
    "x-max-length-bytes",
    "x-queue-type",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-stream-filter-size-bytes",
    "x-initial-cluster-size",
    "x-queue-leader-locator",
];
