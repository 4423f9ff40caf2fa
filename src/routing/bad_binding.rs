//! Bindings that an exchange refuses, told in RabbitMQ's words.
//!
//! RabbitMQ puts the offending value into its text as an Erlang term, so that is how values are
//! written here.

use std::fmt::Write;

use crate::wire::table::Value;

/// Arguments that a binding may not have: 406 to the peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBinding {
    /// A headers binding whose `x-match` says something that does not exist.
    #[error("Invalid x-match field value {0}; expected all, any, all-with-x, or any-with-x")]
    UnknownXMatch(String),
    /// A headers binding whose `x-match` is no long string.
    #[error("Invalid x-match field type {kind} (value {value}); expected longstr")]
    XMatchIsNoText {
        /// RabbitMQ's name for the type.
        kind: &'static str,
        /// The value.
        value: String,
    },
    /// A consistent-hash binding whose key is no number.
    #[error("The binding key must be an integer: {0}")]
    NoInteger(String),
    /// A consistent-hash binding that wants nothing, or less.
    #[error("The binding key must be greater than 0")]
    NoWeight,
    /// A consistent-hash binding that wants too much.
    #[error("The binding key must not exceed {0}")]
    TooHeavy(u64),
    /// A local-random binding with a key.
    #[error("Non empty binding '{0}' key not permitted")]
    KeyNotEmpty(String),
    /// A local-random binding to an exchange.
    #[error("Destination not found")]
    NoQueue,
    /// A local-random binding to a queue that may be led elsewhere.
    #[error("Queue type {0} not valid for this exchange type")]
    QueueKind(&'static str),
}

impl BadBinding {
    /// A key that should be a number.
    pub(super) fn no_integer(key: &str) -> Self {
        let mut term = String::new();
        write_binary(&mut term, key.as_bytes());
        Self::NoInteger(term)
    }

    /// What is wrong with an `x-match` that is none of the four.
    pub(super) fn x_match(value: Value<'_>) -> Self {
        let mut term = String::new();
        write_term(&mut term, value);
        if let Value::Text(_) = value {
            Self::UnknownXMatch(term)
        } else {
            Self::XMatchIsNoText { kind: value.type_name(), value: term }
        }
    }
}

/// Writes a value as the Erlang term that it is in RabbitMQ.
fn write_term(out: &mut String, value: Value<'_>) {
    let written = match value {
        Value::Bool(b) => write!(out, "{b}"),
        Value::I8(n) => write!(out, "{n}"),
        Value::U8(n) => write!(out, "{n}"),
        Value::I16(n) => write!(out, "{n}"),
        Value::U16(n) => write!(out, "{n}"),
        Value::I32(n) => write!(out, "{n}"),
        Value::U32(n) => write!(out, "{n}"),
        Value::I64(n) => write!(out, "{n}"),
        Value::Timestamp(n) => write!(out, "{n}"),
        Value::F32(n) => write!(out, "{:?}", f64::from(n)),
        Value::F64(n) => write!(out, "{n:?}"),
        Value::Decimal { scale, digits } => write!(out, "{{{scale},{digits}}}"),
        Value::Void => write!(out, "undefined"),
        Value::Text(bytes) | Value::Bytes(bytes) => {
            write_binary(out, bytes);
            Ok(())
        }
        Value::Array(array) => {
            write_list(out, array.iter().map(|item| (None, item)));
            Ok(())
        }
        Value::Table(table) => {
            write_list(out, table.iter().map(|(name, item)| (Some(name), item)));
            Ok(())
        }
    };
    written.expect("text can always grow");
}

/// `[{longstr,<<"a">>}]` for an array, `[{<<"name">>,longstr,<<"a">>}]` for a table.
fn write_list<'a>(out: &mut String, items: impl Iterator<Item = (Option<&'a str>, Value<'a>)>) {
    out.push('[');
    for (place, (name, item)) in items.enumerate() {
        out.push_str(if place == 0 { "{" } else { ",{" });
        if let Some(name) = name {
            write_binary(out, name.as_bytes());
            out.push(',');
        }
        out.push_str(item.type_name());
        out.push(',');
        write_term(out, item);
        out.push('}');
    }
    out.push(']');
}

/// `<<"text">>`, `<<"größe"/utf8>>`, or `<<1,2,3>>` for what cannot be printed.
fn write_binary(out: &mut String, bytes: &[u8]) {
    let utf8 = std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(is_printable));
    let latin1 = bytes.iter().copied().map(char::from);
    out.push_str("<<");
    if bytes.is_empty() {
        // Just `<<>>`.
    } else if let Some(text) = utf8 {
        write_quoted(out, text.chars());
        out.push_str(if text.is_ascii() { "" } else { "/utf8" });
    } else if latin1.clone().all(is_printable) {
        write_quoted(out, latin1);
    } else {
        let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
        out.push_str(&numbers.join(","));
    }
    out.push_str(">>");
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{8}'..='\r' | '\u{1b}' | '\u{a0}'..)
}

fn write_quoted(out: &mut String, text: impl Iterator<Item = char>) {
    out.push('"');
    for c in text {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            other => out.push(other),
        }
    }
    out.push('"');
}
