//! What comes out when a declaration, a policy and an operator policy speak at once.
//!
//! Policy and operator policy are merged first (see [`Definition::merged`]). Then, as RabbitMQ
//! has it for queues: of two limits or times the lower one holds, whoever said it; everything
//! else is as it was declared, and the policy says what the declaration left open.

use std::sync::Arc;
use std::time::Duration;

use super::{Definition, Object, Policies, Policy};
use crate::names::ExchangeName;
use crate::queue::options::{
    DeadLetterStrategy, DelayedRetry, DeliveryLimit, MAX_EXPIRY_MS, Overflow, QueueKind,
    QueueOptions, RetryOptions,
};

/// Which policies govern an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Governing {
    /// The policy, if one does.
    pub policy: Option<Arc<Policy>>,
    /// The operator policy, if one does.
    pub operator: Option<Arc<Policy>>,
}

impl Governing {
    /// Those that come first for an object.
    pub fn of(object: Object<'_>, policies: &Policies, operators: &Policies) -> Self {
        Self {
            policy: policies.first_for(object).cloned(),
            operator: operators.first_for(object).cloned(),
        }
    }

    /// Whether nothing governs.
    pub fn is_none(&self) -> bool {
        self.policy.is_none() && self.operator.is_none()
    }

    /// What they say together (`effective_policy_definition`); empty if nothing governs.
    pub fn definition(&self) -> Definition {
        match (&self.policy, &self.operator) {
            (Some(policy), Some(operator)) => policy.definition.merged(&operator.definition),
            (Some(one), None) | (None, Some(one)) => one.definition.clone(),
            (None, None) => Definition::default(),
        }
    }
}

/// What a queue goes by: its options as they were declared, with what its policies say.
#[must_use]
pub fn queue_options(declared: QueueOptions, said: &Definition) -> QueueOptions {
    if said.is_empty() {
        return declared;
    }
    let kind = declared.kind;
    QueueOptions {
        expires: least(declared.expires, time(said, "expires")),
        message_ttl: least(declared.message_ttl, time(said, "message-ttl")),
        dead_letter_exchange: declared
            .dead_letter_exchange
            .or_else(|| said.text("dead-letter-exchange").map(ExchangeName::from)),
        dead_letter_routing_key: declared
            .dead_letter_routing_key
            .or_else(|| said.text("dead-letter-routing-key").map(routing_key)),
        dead_letter_strategy: declared
            .dead_letter_strategy
            .or_else(|| said.text("dead-letter-strategy").and_then(strategy)),
        max_length: least(declared.max_length, said.natural("max-length")),
        max_length_bytes: least(declared.max_length_bytes, said.natural("max-length-bytes")),
        overflow: declared
            .overflow
            .or_else(|| said.text("overflow").and_then(|word| overflow(word, kind))),
        consumer_timeout: least(declared.consumer_timeout, time(said, "consumer-timeout")),
        delivery_limit: delivery_limit(declared.delivery_limit, said.integer("delivery-limit")),
        retry: retry(declared.retry, kind, said),
        ..declared
    }
}

/// Where an exchange's unroutable messages go.
pub fn alternate_exchange(
    declared: Option<ExchangeName>,
    said: &Definition,
) -> Option<ExchangeName> {
    declared.or_else(|| said.text("alternate-exchange").map(ExchangeName::from))
}

fn least<T: Ord>(declared: Option<T>, said: Option<T>) -> Option<T> {
    match (declared, said) {
        (Some(declared), Some(said)) => Some(declared.min(said)),
        (one, None) | (None, one) => one,
    }
}

/// Milliseconds. RabbitMQ takes longer ones from a policy than from an argument, to no use.
fn time(said: &Definition, name: &str) -> Option<Duration> {
    let most = MAX_EXPIRY_MS.unsigned_abs();
    said.natural(name).map(|ms| Duration::from_millis(ms.min(most)))
}

fn routing_key(text: &str) -> Box<[u8]> {
    let text = text.as_bytes();
    text[..text.len().min(u8::MAX.into())].into()
}

fn strategy(word: &str) -> Option<DeadLetterStrategy> {
    match word {
        "at-most-once" => Some(DeadLetterStrategy::AtMostOnce),
        "at-least-once" => Some(DeadLetterStrategy::AtLeastOnce),
        _ => None,
    }
}

fn overflow(word: &str, kind: QueueKind) -> Option<Overflow> {
    match word {
        "drop-head" => Some(Overflow::DropHead),
        "reject-publish" => Some(Overflow::RejectPublish),
        "reject-publish-dlx" if kind == QueueKind::Quorum => Some(Overflow::DropHead),
        "reject-publish-dlx" => Some(Overflow::RejectPublishDlx),
        _ => None,
    }
}

/// The lower one; no limit at all yields to one.
fn delivery_limit(declared: Option<DeliveryLimit>, said: Option<i64>) -> Option<DeliveryLimit> {
    let said = said
        .map(|limit| u64::try_from(limit).map_or(DeliveryLimit::Unlimited, DeliveryLimit::Times));
    match (declared, said) {
        (Some(DeliveryLimit::Times(a)), Some(DeliveryLimit::Times(b))) => {
            Some(DeliveryLimit::Times(a.min(b)))
        }
        (Some(DeliveryLimit::Unlimited) | None, Some(other)) => Some(other),
        (declared, Some(DeliveryLimit::Unlimited) | None) => declared,
    }
}

/// RabbitMQ's keys concern quorum queues alone, Warren's all.
fn retry(declared: RetryOptions, kind: QueueKind, said: &Definition) -> RetryOptions {
    let quorum = |value| if kind == QueueKind::Quorum { value } else { None };
    let percent = |n: u64| u8::try_from(n).ok();
    RetryOptions {
        delay: declared.delay.or_else(|| time(said, "retry-delay")),
        multiplier: declared
            .multiplier
            .or_else(|| said.natural("retry-multiplier").and_then(|n| n.try_into().ok())),
        max_delay: declared.max_delay.or_else(|| time(said, "retry-max-delay")),
        jitter: declared.jitter.or_else(|| said.natural("retry-jitter").and_then(percent)),
        attempts: declared.attempts.or_else(|| said.natural("retry-attempts")),
        delayed: declared
            .delayed
            .or_else(|| quorum(said.text("delayed-retry-type")).and_then(delayed)),
        delayed_min: declared.delayed_min.or_else(|| quorum_time(said, kind, "delayed-retry-min")),
        delayed_max: declared.delayed_max.or_else(|| quorum_time(said, kind, "delayed-retry-max")),
    }
}

fn quorum_time(said: &Definition, kind: QueueKind, name: &str) -> Option<Duration> {
    if kind == QueueKind::Quorum { time(said, name) } else { None }
}

fn delayed(word: &str) -> Option<DelayedRetry> {
    match word {
        "all" => Some(DelayedRetry::All),
        "failed" => Some(DelayedRetry::Failed),
        "returned" => Some(DelayedRetry::Returned),
        "disabled" => Some(DelayedRetry::Disabled),
        _ => None,
    }
}
