//! The keys that policies know: what each takes, who may use it, and what comes out when two say
//! it. The texts, the operator's keys and the kinds of queues are RabbitMQ 4.3's (`rabbit_policies`
//! and the `unsupported_policies` of each queue type).

use serde_json::Value;

use super::Class;
use super::term::Term;
use crate::queue::options::MAX_EXPIRY_MS;
use crate::queue::options::QueueKind::{self, Classic, Quorum, Stream};

/// One key.
pub(super) struct Key {
    name: &'static str,
    takes: Takes,
    /// What follows the value in the text that refuses it.
    complaint: &'static str,
    operators_too: bool,
    /// What comes out when a policy and an operator policy say it.
    pub(super) merge: Merge,
    /// The kinds of queues that cannot obey it.
    not_for: &'static [QueueKind],
}

/// What a key takes.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    /// A whole number from here on.
    From(i64),
    /// A whole number in these bounds.
    Between(i64, i64),
    Integer,
    OneOf(&'static [&'static str]),
    /// A number and a unit.
    Age,
    /// Nothing any more.
    Nothing,
}

/// What comes out when a policy and an operator policy both speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// The lower number.
    Least,
    /// The higher number.
    Most,
    /// The lower number; a negative one is no limit, and yields.
    LeastIfAny,
    /// The operator's.
    Operators,
}

use Merge::{Least, LeastIfAny, Most, Operators};
use Takes::{Age, Between, From, Integer, Nothing, OneOf, Text};

const fn key(name: &'static str, takes: Takes, complaint: &'static str) -> Key {
    Key { name, takes, complaint, operators_too: false, merge: Operators, not_for: &[] }
}

impl Key {
    const fn operators_too(self, merge: Merge) -> Self {
        Self { operators_too: true, merge, ..self }
    }

    const fn not_for(self, not_for: &'static [QueueKind]) -> Self {
        Self { not_for, ..self }
    }
}

const RETRIES: &[&str] = &["all", "failed", "returned", "disabled"];
const LOCATORS: &[&str] = &["client-local", "balanced", "random", "least-leaders"];

/// All keys, by name. RabbitMQ keeps policies with `delivery-limit` from classic queues; Warren
/// counts deliveries there too. The `retry-` keys are Warren's.
const KEYS: &[Key] = &[
    key("alternate-exchange", Text, "is not a valid alternate exchange name"),
    key("consumer-disconnected-timeout", From(0), "is not a valid consumer disconnected timeout"),
    key("consumer-timeout", From(0), "is not a valid consumer timeout"),
    key("dead-letter-exchange", Text, "is not a valid dead letter exchange name")
        .not_for(&[Stream]),
    key("dead-letter-routing-key", Text, "is not a valid dead letter routing key")
        .not_for(&[Stream]),
    key(
        "dead-letter-strategy",
        OneOf(&["at-most-once", "at-least-once"]),
        "is not a valid dead letter strategy",
    )
    .not_for(&[Classic, Stream]),
    key(
        "delayed-retry-max",
        From(1),
        "is not a valid delayed retry maximum delay. Must be a positive integer",
    )
    .operators_too(Least),
    key(
        "delayed-retry-min",
        From(1),
        "is not a valid delayed retry minimum delay. Must be a positive integer",
    )
    .operators_too(Most),
    key(
        "delayed-retry-type",
        OneOf(RETRIES),
        "is not a valid delayed retry type. Must be one of: all, failed, returned, disabled",
    )
    .operators_too(Operators),
    key("delivery-limit", Integer, "is not a valid delivery limit")
        .operators_too(LeastIfAny)
        .not_for(&[Stream]),
    key("expires", From(1), "is not a valid queue expiry").operators_too(Least).not_for(&[Stream]),
    key("federation-upstream", Text, "is not a valid federation upstream name"),
    key("federation-upstream-set", Text, "is not a valid federation upstream set name"),
    key("initial-cluster-size", From(0), "is not a valid cluster size").not_for(&[Classic, Quorum]),
    key("max-age", Age, "is not a valid max age").not_for(&[Classic, Quorum]),
    key("max-in-memory-bytes", From(0), "is not a valid maximum memory in bytes")
        .operators_too(Least)
        .not_for(&[Classic, Stream]),
    key("max-in-memory-length", From(0), "is not a valid maximum memory in bytes")
        .operators_too(Least)
        .not_for(&[Classic, Stream]),
    key("max-length", From(0), "is not a valid maximum length")
        .operators_too(Least)
        .not_for(&[Stream]),
    key("max-length-bytes", From(0), "is not a valid maximum length in bytes").operators_too(Least),
    key("message-ttl", From(0), "is not a valid message TTL")
        .operators_too(Least)
        .not_for(&[Stream]),
    key(
        "overflow",
        OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]),
        "is not a valid overflow value",
    )
    .operators_too(Operators)
    .not_for(&[Stream]),
    key("queue-leader-locator", OneOf(LOCATORS), "is not a valid queue leader locator value"),
    key("queue-master-locator", Nothing, "").operators_too(Operators),
    key("queue-mode", OneOf(&["default", "lazy"]), "is not a valid queue-mode value")
        .not_for(&[Quorum, Stream]),
    key("queue-version", Between(1, 2), "is not a valid queue-version value")
        .operators_too(Operators),
    key("retry-attempts", From(0), "is not a valid number of retries"),
    key("retry-delay", Between(1, MAX_EXPIRY_MS), "is not a valid retry delay"),
    key("retry-jitter", Between(0, 100), "is not a valid retry jitter. Valid range is 0-100"),
    key("retry-max-delay", Between(1, MAX_EXPIRY_MS), "is not a valid maximum retry delay"),
    key(
        "retry-multiplier",
        Between(1, 100),
        "is not a valid retry multiplier. Valid range is 1-100",
    ),
    key(
        "stream-filter-size-bytes",
        Between(16, 255),
        "is not a valid filter size. Valid range is 16-255",
    ),
    key("stream-max-segment-size-bytes", From(0), "is not a valid segment size")
        .not_for(&[Classic, Quorum]),
    key("target-group-size", From(1), "is not a valid qq target count value")
        .operators_too(Operators)
        .not_for(&[Classic, Stream]),
];

impl Key {
    /// The key of a name.
    pub(super) fn of_name(name: &str) -> Option<&'static Self> {
        KEYS.binary_search_by(|key| key.name.cmp(name)).ok().map(|at| &KEYS[at])
    }

    /// Whether a policy of this class may use it.
    pub(super) fn is_for(&self, class: Class) -> bool {
        class == Class::User || self.operators_too
    }

    /// Whether a kind of queue can obey it.
    pub(super) fn fits(&self, kind: QueueKind) -> bool {
        !self.not_for.contains(&kind)
    }

    /// Says what is wrong with a value.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let integer = value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX));
        let right = match self.takes {
            Text => value.is_string(),
            From(least) => integer.is_some_and(|n| n >= least),
            Between(least, most) => integer.is_some_and(|n| (least..=most).contains(&n)),
            Integer => integer.is_some(),
            OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Age => value.as_str().is_some_and(is_age),
            Nothing => {
                return Err(format!("use of deprecated {} argument is not permitted", self.name));
            }
        };
        if right { Ok(()) } else { Err(format!("{} {}", Term(value), self.complaint)) }
    }
}

/// Digits and one of the units of streams: `7D`, `12h`.
fn is_age(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < text.len() && matches!(unit, "Y" | "M" | "D" | "h" | "m" | "s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_no_key_stands_there_twice() {
        assert!(KEYS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn ages() {
        for right in ["1h", "10D", "007s", "1Y", "1M", "1m"] {
            assert!(is_age(right), "{right}");
        }
        for wrong in ["", "h", "1", "1x", "1 h", "-1h", "1hh", "1.5h"] {
            assert!(!is_age(wrong), "{wrong}");
        }
    }
}
