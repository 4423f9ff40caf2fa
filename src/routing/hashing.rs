//! Hashes that are the same after a restart, in a later Warren, and on another machine: where a
//! message goes depends on them.

use super::envelope::Envelope;
use crate::wire::content::{Property, property};
use crate::wire::table::Value;

/// What of a message decides to which destination an `x-consistent-hash` exchange sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HashOn {
    /// The routing key. Of several (CC, BCC) the first, as in RabbitMQ.
    #[default]
    RoutingKey,
    /// `hash-header`: a header's value. Messages without it all go to one destination.
    Header(Box<str>),
    /// `hash-property`: a property. Messages without it all go to one destination.
    Property(Property),
}

/// Odd, and its bits look like chance (the golden ratio's fraction).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl HashOn {
    /// The hash of what is hashed on.
    pub(super) fn hash(&self, message: &Envelope<'_>) -> u64 {
        match self {
            Self::RoutingKey => hash(message.keys.first().copied().unwrap_or_default()),
            Self::Header(name) => {
                let value = message.headers.and_then(|headers| headers.get(name));
                value.map_or(0, hash_of_value)
            }
            Self::Property(name) => property(message.properties, *name).map_or(0, hash),
        }
    }
}

/// The hash of some bytes.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = mix(hash ^ u64::from_le_bytes(word));
    }
    mix(hash)
}

/// Spreads a number over all 64 bits; no two numbers become one. (The finalizer of splitmix64.)
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(MULTIPLIER);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The hash of a header: whole numbers of every width alike, as RabbitMQ compares them.
fn hash_of_value(value: Value<'_>) -> u64 {
    match value {
        Value::Text(bytes) | Value::Bytes(bytes) => hash(bytes),
        Value::Bool(flag) => mix(u64::from(flag)),
        Value::Timestamp(number) => mix(number),
        Value::F32(number) => mix(f64::from(number).to_bits()),
        Value::F64(number) => mix(number.to_bits()),
        Value::Decimal { scale, digits } => mix(u64::from(digits) << 8 | u64::from(scale)),
        // Nested values are not told apart, nor in RabbitMQ, which does not route by them.
        Value::Array(_) | Value::Table(_) | Value::Void => 0,
        Value::I8(_)
        | Value::U8(_)
        | Value::I16(_)
        | Value::U16(_)
        | Value::I32(_)
        | Value::U32(_)
        | Value::I64(_) => mix(value.as_integer().unwrap_or_default().cast_unsigned()),
    }
}
