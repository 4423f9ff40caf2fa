//! The kinds of exchanges, and which bindings each of them takes.

use super::bad_binding::BadBinding;
use super::headers::XMatch;
use crate::wire::table::Table;

/// What an exchange makes of its bindings (AMQP 0-9-1, 3.1.3; from `x-` on RabbitMQ's, or its
/// plugins').
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The routing key equals the binding key (3.1.3.1).
    Direct,
    /// Always (3.1.3.2).
    Fanout,
    /// The routing key fits the binding key's pattern of words (3.1.3.3).
    Topic,
    /// The message's headers fit the binding's arguments (3.1.3.4).
    Headers,
    /// One destination by the hash of the key, a header or a property; the binding key is the
    /// destination's weight.
    ConsistentHash,
    /// One destination by the hash of the key, whatever the binding keys.
    ModulusHash,
    /// One destination by chance.
    Random,
    /// One queue of this node by chance.
    LocalRandom,
    /// Always; and a destination that is bound later is given the last messages.
    RecentHistory,
    /// Like another kind, which its arguments name, once a message is due.
    Delayed,
    /// Always, and only the first of those with the same header.
    Deduplicating,
}

/// The largest weight that a destination may ask for, as in RabbitMQ.
const MAX_WEIGHT: u64 = 10_000;

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Direct,
        Self::Fanout,
        Self::Topic,
        Self::Headers,
        Self::ConsistentHash,
        Self::ModulusHash,
        Self::Random,
        Self::LocalRandom,
        Self::RecentHistory,
        Self::Delayed,
        Self::Deduplicating,
    ];

    /// The kind that a peer names in exchange.declare.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its name in exchange.declare.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
            Self::ConsistentHash => "x-consistent-hash",
            Self::ModulusHash => "x-modulus-hash",
            Self::Random => "x-random",
            Self::LocalRandom => "x-local-random",
            Self::RecentHistory => "x-recent-history",
            Self::Delayed => "x-delayed-message",
            Self::Deduplicating => "x-message-deduplication",
        }
    }

    /// Whether an exchange of this kind takes a binding with this key and these arguments.
    ///
    /// To be asked before [`super::Router::bind`], and not before [`super::Router::unbind`], as
    /// in RabbitMQ.
    pub fn check_binding(self, key: &str, arguments: &Table) -> Result<(), BadBinding> {
        match self {
            Self::Direct
            | Self::Fanout
            | Self::Topic
            | Self::ModulusHash
            | Self::Random
            | Self::RecentHistory
            | Self::Delayed
            | Self::Deduplicating => Ok(()),
            Self::Headers => XMatch::of(arguments).map(|_| ()),
            Self::ConsistentHash => weight(key).map(|_| ()),
            Self::LocalRandom if key.is_empty() => Ok(()),
            Self::LocalRandom => Err(BadBinding::KeyNotEmpty(key.into())),
        }
    }

    /// How much a binding counts among the candidates of which this kind takes one.
    pub(super) fn weight_of(self, key: &str) -> u64 {
        // What cannot be read was refused when it was declared, so it cannot stand here.
        if self == Self::ConsistentHash { weight(key).unwrap_or(1) } else { 1 }
    }
}

/// A binding key as a weight. As Erlang reads integers: with a sign, and zeros in front.
fn weight(key: &str) -> Result<u64, BadBinding> {
    let digits = key.strip_prefix(['+', '-']).unwrap_or(key);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadBinding::no_integer(key));
    }
    let weight = digits.parse().unwrap_or(u64::MAX);
    if key.starts_with('-') || weight == 0 {
        return Err(BadBinding::NoWeight);
    }
    if weight > MAX_WEIGHT { Err(BadBinding::TooHeavy(MAX_WEIGHT)) } else { Ok(weight) }
}
