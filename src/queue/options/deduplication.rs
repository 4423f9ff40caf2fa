//! `x-message-deduplication` and its companions: LavinMQ's, and the RabbitMQ plugin's.

use std::time::Duration;

use super::arguments::{Arguments, value};
use super::{InvalidArgument, Reason};
use crate::wire::table::Value;

/// The arguments that are about deduplication.
pub(crate) const DEDUPLICATION_ARGUMENTS: &[&str] =
    &["x-message-deduplication", "x-cache-size", "x-cache-ttl", "x-deduplication-header"];

/// How duplicates are told; a queue or an exchange may have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deduplication {
    /// `x-cache-size`: how many values are remembered.
    pub cache_size: u32,
    /// `x-cache-ttl`, given in ms: for how long; `None`: until the cache is full.
    pub cache_ttl: Option<Duration>,
    /// `x-deduplication-header`: the message header whose value is remembered.
    pub header: Box<str>,
}

impl Deduplication {
    /// As many as LavinMQ remembers when no `x-cache-size` is given.
    pub const DEFAULT_CACHE_SIZE: u32 = 128;
    /// The header that is read when no `x-deduplication-header` is given.
    pub const DEFAULT_HEADER: &'static str = "x-deduplication-header";

    /// What the arguments say, if they turn it on. Otherwise its companions are not looked at,
    /// for to RabbitMQ without the plugin they mean nothing.
    pub(crate) fn parse(arguments: &Arguments<'_>) -> Result<Option<Self>, InvalidArgument> {
        if arguments.read("x-message-deduplication", value::flag)? != Some(true) {
            return Ok(None);
        }
        Self::required(arguments).map(Some)
    }

    /// What its companions say where it is on anyway.
    pub(crate) fn required(arguments: &Arguments<'_>) -> Result<Self, InvalidArgument> {
        let size = arguments.read("x-cache-size", |size| with_number(size, value::positive))?;
        let ttl = arguments.read("x-cache-ttl", |ttl| with_number(ttl, value::duration))?;
        let header = arguments.read("x-deduplication-header", value::text)?;
        Ok(Self {
            cache_size: size.unwrap_or(Self::DEFAULT_CACHE_SIZE),
            cache_ttl: ttl,
            header: header.map_or_else(
                || Self::DEFAULT_HEADER.into(),
                |header| String::from_utf8_lossy(header).into(),
            ),
        })
    }
}

/// The plugin takes numbers that are written as strings, and its examples do so.
fn with_number<T>(
    value: Value<'_>,
    read: impl FnOnce(Value<'_>) -> Result<T, Reason>,
) -> Result<T, Reason> {
    let number = value.as_text().and_then(|text| text.parse().ok());
    read(number.map_or(value, Value::I64))
}
