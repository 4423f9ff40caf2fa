//! Which messages somebody wants to see or to move.

use crate::message::Message;
use crate::wire::content::{Property, property};
use crate::wire::table::{TableRef, Value};

/// What a filter on one header begins with.
const HEADER: &str = "header.";

/// A condition on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// This text stands in the body, in the routing key, or in the properties (headers included).
    Text(Vec<u8>),
    /// A header has this value, written as text.
    Header {
        /// Which header.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Filter {
    /// Reads `header.NAME=VALUE`, or any other text as a text to be found. Nothing is no filter.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let header = text.strip_prefix(HEADER).and_then(|rest| rest.split_once('='));
        Some(match header {
            Some((name, value)) => Self::Header { name: name.into(), value: value.into() },
            None => Self::Text(text.into()),
        })
    }

    /// Whether a message is one of those.
    pub fn fits(&self, message: &Message) -> bool {
        match self {
            // Names and texts stand in the header as they are.
            Self::Text(text) => [message.body(), message.routing_key(), message.header()]
                .iter()
                .any(|bytes| contains(bytes, text)),
            Self::Header { name, value } => {
                let table = property(message.header(), Property::Headers);
                let table = table.and_then(|bytes| TableRef::checked(bytes).ok());
                table.and_then(|table| table.get(name)).is_some_and(|found| is(found, value))
            }
        }
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    let (Some(first), len) = (text.first(), text.len()) else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.get(..len) == Some(text) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn is(found: Value<'_>, value: &str) -> bool {
    match found {
        Value::Text(bytes) | Value::Bytes(bytes) => bytes == value.as_bytes(),
        Value::Bool(flag) => value == if flag { "true" } else { "false" },
        Value::Timestamp(seconds) => value == seconds.to_string(),
        Value::F32(number) => value.parse() == Ok(number),
        Value::F64(number) => value.parse() == Ok(number),
        Value::I8(_)
        | Value::U8(_)
        | Value::I16(_)
        | Value::U16(_)
        | Value::I32(_)
        | Value::U32(_)
        | Value::I64(_) => found.as_integer().is_some_and(|number| value == number.to_string()),
        Value::Decimal { .. } | Value::Array(_) | Value::Table(_) | Value::Void => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Parts;
    use crate::wire::content::{Replacement, header, replace};
    use crate::wire::table::TableBuilder;

    #[test]
    fn messages_by_text_and_by_header() {
        let table = TableBuilder::new()
            .with("tenant", Value::Text(b"blue"))
            .with("tries", Value::I32(3))
            .with("urgent", Value::Bool(true))
            .build();
        let with = Replacement::Table(table.as_ref());
        let message = Message::from_parts(Parts {
            exchange: b"shop",
            routing_key: b"order.new",
            header: &replace(&header(11, &[]), Property::Headers, with),
            body: b"42 oorapples",
            persistent: false,
            priority: 0,
            expires: false,
            died: false,
        });
        let fits = |text| Filter::parse(text).is_none_or(|filter| filter.fits(&message));
        for text in
            ["", "apples", "orapp", "order.new", "blue", "header.tenant=blue", "header.tries=3"]
        {
            assert!(fits(text), "{text}");
        }
        assert!(fits("header.urgent=true"));
        for text in ["pears", "applesx", "header.tenant=blu", "header.tries=4", "header.no=1"] {
            assert!(!fits(text), "{text}");
        }
    }
}
