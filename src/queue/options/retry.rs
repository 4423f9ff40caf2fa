//! Retry with backoff: `x-retry-*` (Warren's, every kind of queue) and `x-delayed-retry-*`
//! (RabbitMQ 4.3's, quorum queues).

use std::time::Duration;

use super::arguments::{Arguments, value};
use super::{InvalidArgument, Reason};
use crate::wire::table::Value;

/// Warren's arguments that are about retries.
pub(crate) const RETRY_ARGUMENTS: &[&str] = &[
    "x-retry-delay",
    "x-retry-multiplier",
    "x-retry-max-delay",
    "x-retry-jitter",
    "x-retry-attempts",
];

/// What the arguments say about retries; what was not said stays `None`, so that a policy may
/// say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryOptions {
    /// `x-retry-delay`, given in ms, never zero: how long a returned message is kept back the
    /// first time. It turns retries on.
    pub delay: Option<Duration>,
    /// `x-retry-multiplier`, 1 to 100: how many times longer each further time. 2 if not given.
    pub multiplier: Option<u32>,
    /// `x-retry-max-delay`, given in ms: no wait is longer. An hour if not given.
    pub max_delay: Option<Duration>,
    /// `x-retry-jitter`, 0 to 100: by how many percent a wait may be shorter. 0 if not given.
    pub jitter: Option<u8>,
    /// `x-retry-attempts`: how often a message is tried again before it is dead-lettered with
    /// the reason `delivery_limit`. No limit (but `x-delivery-limit`) if not given.
    pub attempts: Option<u64>,
    /// `x-delayed-retry-type` (quorum): which returns are kept back.
    pub delayed: Option<DelayedRetry>,
    /// `x-delayed-retry-min`, given in ms (quorum): the first wait; the n-th is n times as long.
    pub delayed_min: Option<Duration>,
    /// `x-delayed-retry-max`, given in ms (quorum): no wait is longer.
    pub delayed_max: Option<Duration>,
}

/// `x-delayed-retry-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayedRetry {
    /// Every message that a consumer puts back.
    All,
    /// Those put back with basic.reject, which counts as a failed delivery.
    Failed,
    /// Those put back with basic.nack, which does not.
    Returned,
    /// None.
    Disabled,
}

impl RetryOptions {
    pub(super) fn parse(arguments: &Arguments<'_>) -> Result<Self, InvalidArgument> {
        Ok(Self {
            delay: arguments.read("x-retry-delay", value::idle_time)?,
            multiplier: arguments.read("x-retry-multiplier", multiplier)?,
            max_delay: arguments.read("x-retry-max-delay", value::idle_time)?,
            jitter: arguments.read("x-retry-jitter", percent)?,
            attempts: arguments.read("x-retry-attempts", value::natural)?,
            // RabbitMQ 4.3 checks none of these three: what does not fit is as good as not given.
            delayed: arguments.get("x-delayed-retry-type").and_then(delayed),
            delayed_min: arguments.get("x-delayed-retry-min").and_then(lenient),
            delayed_max: arguments.get("x-delayed-retry-max").and_then(lenient),
        })
    }
}

fn multiplier(value: Value<'_>) -> Result<u32, Reason> {
    match value::positive(value)? {
        number @ 1..=100 => Ok(number),
        number => Err(Reason::TooHigh(number.into())),
    }
}

fn percent(value: Value<'_>) -> Result<u8, Reason> {
    match value::priority(value)? {
        number @ 0..=100 => Ok(number),
        number => Err(Reason::TooHigh(number.into())),
    }
}

fn delayed(value: Value<'_>) -> Option<DelayedRetry> {
    match value.as_text()? {
        "all" => Some(DelayedRetry::All),
        "failed" => Some(DelayedRetry::Failed),
        "returned" => Some(DelayedRetry::Returned),
        "disabled" => Some(DelayedRetry::Disabled),
        _ => None,
    }
}

fn lenient(value: Value<'_>) -> Option<Duration> {
    value::duration(value).ok()
}
