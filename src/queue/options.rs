//! What a queue was asked to be: the arguments of queue.declare, typed once.
//!
//! A [`Declaration`] is what a peer said (or the catalogue remembers); [`QueueOptions::parse`]
//! types it, and refuses it as RabbitMQ does, with RabbitMQ's text. When the queue exists
//! already, only [`inequivalent`] is asked: RabbitMQ does not validate a redeclare.
//!
//! Pure data. It must not know policies (they are merged with these options elsewhere, which is
//! why what was not given stays `None` here), permissions, or whether an exchange exists.
//!
//! Arguments that nobody knows are accepted and ignored, as RabbitMQ does.

mod arguments;
mod declaration;
mod deduplication;
pub mod equivalence;
pub mod erlang_term;
mod invalid;
mod kind;
mod retry;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use arguments::{Arguments, value};
pub use declaration::{Declaration, Declared, Inequivalent, inequivalent};
pub(crate) use deduplication::DEDUPLICATION_ARGUMENTS;
pub use deduplication::Deduplication;
pub use invalid::{InvalidArgument, Reason, Subject};
pub use kind::QueueKind;
pub use retry::{DelayedRetry, RetryOptions};

use crate::names::ExchangeName;
use crate::wire::table::Value;

/// The longest time a TTL may have, in milliseconds: ten years (RabbitMQ's `MAX_EXPIRY_TIMER`).
pub const MAX_EXPIRY_MS: i64 = 315_360_000_000;

/// What a queue's declaration asked for. `None`: not said there, so that a policy may say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// `x-queue-type`: classic, quorum or stream.
    pub kind: QueueKind,
    /// `x-expires`, given in ms, never zero: how long the queue may idle before it is deleted.
    pub expires: Option<Duration>,
    /// `x-message-ttl`, given in ms, may be zero: how long a message may wait.
    pub message_ttl: Option<Duration>,
    /// `x-dead-letter-exchange`: where dead messages go. The empty name is the default exchange.
    /// It may be longer than any exchange's name, for RabbitMQ accepts that; then none is found.
    pub dead_letter_exchange: Option<ExchangeName>,
    /// `x-dead-letter-routing-key`, at most 255 bytes: with which key; `None`: with their own.
    pub dead_letter_routing_key: Option<Box<[u8]>>,
    /// `x-dead-letter-strategy` (quorum): whether the move may lose a message.
    pub dead_letter_strategy: Option<DeadLetterStrategy>,
    /// `x-max-length`: how many ready messages there may be.
    pub max_length: Option<u64>,
    /// `x-max-length-bytes`: how many bytes their bodies may have.
    pub max_length_bytes: Option<u64>,
    /// `x-max-priority` (classic): the highest priority that is told apart.
    pub max_priority: Option<u8>,
    /// `x-overflow`: what happens at the limit. On a quorum queue `reject-publish-dlx` becomes
    /// `drop-head`: RabbitMQ accepts it and logs that it does so.
    pub overflow: Option<Overflow>,
    /// `x-single-active-consumer`: one consumer at a time gets everything.
    pub single_active_consumer: bool,
    /// `x-consumer-timeout`, given in ms: how long a delivery may stay unsettled.
    pub consumer_timeout: Option<Duration>,
    /// `x-quorum-initial-group-size` (quorum), never zero: how many members it starts with.
    pub initial_group_size: Option<u32>,
    /// `x-queue-leader-locator`: on which node the leader starts.
    pub leader_locator: Option<LeaderLocator>,
    /// `x-delivery-limit`: how often a message may come back. Not given, it is 20 on a quorum
    /// queue and no limit on a classic one. RabbitMQ knows it on quorum queues alone.
    pub delivery_limit: Option<DeliveryLimit>,
    /// `x-message-deduplication` and its companions.
    pub deduplication: Option<Deduplication>,
    /// `x-retry-*` and `x-delayed-retry-*`: returned messages are kept back for a while.
    pub retry: RetryOptions,
}

/// `x-overflow`: what a full queue does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Drops (dead-letters) messages from the head.
    #[default]
    DropHead,
    /// Refuses new messages.
    RejectPublish,
    /// Refuses new messages and dead-letters them too.
    RejectPublishDlx,
}

/// `x-dead-letter-strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadLetterStrategy {
    /// Dead-lettered and forgotten; a crash or a missing target loses the message.
    #[default]
    AtMostOnce,
    /// Kept until the target queues have confirmed. Works only with [`Overflow::RejectPublish`].
    AtLeastOnce,
}

/// `x-delivery-limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryLimit {
    /// Any negative number.
    Unlimited,
    /// A message that came back more often than this is dead-lettered.
    Times(u64),
}

/// `x-queue-leader-locator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderLocator {
    /// On the node where it was declared.
    ClientLocal,
    /// On the node that leads fewest. RabbitMQ takes its older names `random`, `least-leaders`
    /// and `min-masters` for the same.
    Balanced,
}

impl QueueOptions {
    /// Types a declaration's arguments, or says why RabbitMQ refuses them.
    ///
    /// Of several faults RabbitMQ's first is reported, except that what Warren does not keep is
    /// looked at last. The caller checks the permissions on [`Self::dead_letter_exchange`].
    pub fn parse(wanted: &Declaration) -> Result<Self, InvalidArgument> {
        let subject = wanted.subject();
        let kind = kind_of(wanted, &subject)?;
        let arguments = Arguments::new(&subject, &wanted.arguments, kind.known_arguments());
        // Before all others, as RabbitMQ does for the sake of the permissions on that exchange.
        let dead_letter_exchange = arguments.exchange("x-dead-letter-exchange")?;
        let options = Self {
            kind,
            expires: arguments.read("x-expires", value::idle_time)?,
            message_ttl: arguments.read("x-message-ttl", value::expiry)?,
            dead_letter_routing_key: arguments.read("x-dead-letter-routing-key", |key| {
                routing_key(key, dead_letter_exchange.is_some())
            })?,
            dead_letter_exchange,
            dead_letter_strategy: arguments.read("x-dead-letter-strategy", strategy)?,
            max_length: arguments.read("x-max-length", value::natural)?,
            max_length_bytes: arguments.read("x-max-length-bytes", value::natural)?,
            max_priority: arguments.read("x-max-priority", value::priority)?,
            overflow: arguments.read("x-overflow", |value| overflow(value, kind))?,
            single_active_consumer: arguments
                .read("x-single-active-consumer", value::flag)?
                .unwrap_or(false),
            consumer_timeout: arguments.read("x-consumer-timeout", value::duration)?,
            initial_group_size: arguments.read("x-quorum-initial-group-size", value::positive)?,
            leader_locator: arguments.read("x-queue-leader-locator", leader_locator)?,
            delivery_limit: arguments.get("x-delivery-limit").and_then(delivery_limit),
            deduplication: Deduplication::parse(&arguments)?,
            retry: RetryOptions::parse(&arguments)?,
        };
        check_what_is_not_kept(&arguments)?;
        arguments.refuse_foreign(kind, QueueKind::queue_arguments)?;
        check_restrictions(kind, &wanted.declared, &subject)?;
        Ok(options)
    }
}

/// What kind of queue is wanted; a server-named queue is refused here if its kind has none.
fn kind_of(wanted: &Declaration, subject: &Subject) -> Result<QueueKind, InvalidArgument> {
    let refuse = |reason| InvalidArgument::Value {
        argument: "x-queue-type",
        subject: subject.clone(),
        reason,
    };
    let Some(value) = wanted.arguments.get("x-queue-type") else {
        return Ok(QueueKind::Classic);
    };
    let name = value::text(value).map_err(refuse)?;
    let kind = QueueKind::from_name(name);
    if wanted.declared.server_named {
        return match kind {
            Some(QueueKind::Classic) => Ok(QueueKind::Classic),
            Some(kind @ (QueueKind::Quorum | QueueKind::Stream)) => {
                Err(InvalidArgument::ServerNamed(kind))
            }
            None => Err(InvalidArgument::UnknownKind(erlang_term::text(name).into())),
        };
    }
    kind.ok_or_else(|| refuse(Reason::UnsupportedKind(erlang_term::text(name).into())))
}

/// Arguments that have no effect in Warren, checked because RabbitMQ refuses bad ones.
/// `x-queue-mode` and `x-queue-master-locator` are not even checked: old applications send them.
fn check_what_is_not_kept(arguments: &Arguments<'_>) -> Result<(), InvalidArgument> {
    arguments.read("x-max-in-memory-length", value::natural)?;
    arguments.read("x-max-in-memory-bytes", value::natural)?;
    arguments.read("x-queue-version", queue_version)?;
    arguments.read("x-consumer-disconnected-timeout", value::natural)?;
    Ok(())
}

/// Quorum queues and streams are durable, shared and stay.
fn check_restrictions(
    kind: QueueKind,
    declared: &Declared,
    subject: &Subject,
) -> Result<(), InvalidArgument> {
    if kind == QueueKind::Classic {
        return Ok(());
    }
    let property = if declared.auto_delete {
        "auto-delete"
    } else if declared.owner.is_some() {
        "exclusive-owner"
    } else if !declared.durable {
        "non-durable"
    } else {
        return Ok(());
    };
    Err(InvalidArgument::Property { property, subject: subject.clone() })
}

/// A key for the dead is nothing without an exchange for them.
fn routing_key(value: Value<'_>, has_exchange: bool) -> Result<Box<[u8]>, Reason> {
    let key = value::text(value)?;
    if !has_exchange {
        return Err(Reason::Word("routing_key_but_no_dlx_defined"));
    }
    // A message's key is a short string. RabbitMQ keeps a longer one, and fails to deliver.
    Ok(key[..key.len().min(u8::MAX.into())].into())
}

fn strategy(value: Value<'_>) -> Result<DeadLetterStrategy, Reason> {
    match value::text(value)? {
        b"at-most-once" => Ok(DeadLetterStrategy::AtMostOnce),
        b"at-least-once" => Ok(DeadLetterStrategy::AtLeastOnce),
        _ => Err(Reason::Word("invalid_dlx_strategy")),
    }
}

fn overflow(value: Value<'_>, kind: QueueKind) -> Result<Overflow, Reason> {
    match value::text(value)? {
        b"drop-head" => Ok(Overflow::DropHead),
        b"reject-publish" => Ok(Overflow::RejectPublish),
        b"reject-publish-dlx" if kind == QueueKind::Quorum => Ok(Overflow::DropHead),
        b"reject-publish-dlx" => Ok(Overflow::RejectPublishDlx),
        _ => Err(Reason::Word("invalid_overflow")),
    }
}

fn leader_locator(value: Value<'_>) -> Result<LeaderLocator, Reason> {
    match value::text(value)? {
        b"client-local" => Ok(LeaderLocator::ClientLocal),
        b"balanced" | b"random" | b"least-leaders" | b"min-masters" => Ok(LeaderLocator::Balanced),
        _ => Err(Reason::Word("invalid_queue_locator_arg")),
    }
}

/// Version 1 is refused since 4.3; what 3.13 to 4.2 accepted is accepted.
fn queue_version(value: Value<'_>) -> Result<(), Reason> {
    match value::natural(value)? {
        1 | 2 => Ok(()),
        other => Err(Reason::UnsupportedVersion(other)),
    }
}

/// RabbitMQ does not check this one: what is no whole number is as good as not given.
fn delivery_limit(value: Value<'_>) -> Option<DeliveryLimit> {
    let limit = value.as_integer()?;
    Some(u64::try_from(limit).map_or(DeliveryLimit::Unlimited, DeliveryLimit::Times))
}
