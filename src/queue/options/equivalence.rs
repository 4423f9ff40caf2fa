//! Whether a redeclare asks for what there is, and RabbitMQ's text if not.

use std::borrow::Cow;
use std::fmt;

use super::Subject;
use super::erlang_term::{Term, text};
use crate::wire::table::{Table, Value};

/// A redeclare differs from what there is: channel error 406 PRECONDITION_FAILED.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "inequivalent arg '{argument}' for {subject}: received {received} but current is {current}"
)]
pub struct Difference {
    subject: Subject,
    argument: &'static str,
    received: String,
    current: String,
}

impl Difference {
    /// Compares one property (durable, type, …).
    pub(crate) fn of_property<T: PartialEq + fmt::Display>(
        subject: &Subject,
        property: &'static str,
        current: T,
        received: T,
    ) -> Option<Self> {
        if current == received {
            return None;
        }
        Some(Self {
            subject: subject.clone(),
            argument: property,
            received: format!("'{received}'"),
            current: format!("'{current}'"),
        })
    }

    /// Compares the arguments of these names, in this order; others may differ.
    pub(crate) fn of_arguments(
        subject: &Subject,
        names: &[&'static str],
        current: &Table,
        received: &Table,
    ) -> Option<Self> {
        names.iter().find_map(|argument| {
            let (current, received) = match (current.get(argument), received.get(argument)) {
                (None, None) => return None,
                (Some(current), Some(received)) if same(current, received) => return None,
                (Some(current), Some(received)) => (bare(current), bare(received)),
                (current, received) => (with_type(current), with_type(received)),
            };
            Some(Self { subject: subject.clone(), argument, received, current })
        })
    }
}

/// Whether two values are the same to RabbitMQ: widths of numbers do not matter, nor does
/// whether a string is text or bytes. Inside of arrays and tables types and order matter.
fn same(a: Value<'_>, b: Value<'_>) -> bool {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a == b;
    }
    if let (Some(a), Some(b)) = (float(a), float(b)) {
        return a == b || (a.is_nan() && b.is_nan());
    }
    match (a, b) {
        (Value::Text(a) | Value::Bytes(a), Value::Text(b) | Value::Bytes(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => same_items(a.iter(), b.iter(), |a, b| nested(*a, *b)),
        (Value::Table(a), Value::Table(b)) => {
            same_items(a.iter(), b.iter(), |(name, a), (other, b)| name == other && nested(*a, *b))
        }
        // Both are the empty list.
        (Value::Array(array), Value::Table(table)) | (Value::Table(table), Value::Array(array)) => {
            array.iter().next().is_none() && table.is_empty()
        }
        (a, b) => a == b,
    }
}

fn nested(a: Value<'_>, b: Value<'_>) -> bool {
    a.type_name() == b.type_name() && same(a, b)
}

fn same_items<T>(
    mut a: impl Iterator<Item = T>,
    mut b: impl Iterator<Item = T>,
    same: impl Fn(&T, &T) -> bool,
) -> bool {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if same(&a, &b) => {}
            _ => return false,
        }
    }
}

/// A whole number of any width; to RabbitMQ a timestamp is one too.
fn number(value: Value<'_>) -> Option<i128> {
    if let Value::Timestamp(seconds) = value {
        return Some(seconds.into());
    }
    value.as_integer().map(i128::from)
}

fn float(value: Value<'_>) -> Option<f64> {
    if let Value::F32(number) = value {
        return Some(number.into());
    }
    if let Value::F64(number) = value { Some(number) } else { None }
}

/// How a value is shown when both sides have one.
fn bare(value: Value<'_>) -> String {
    if value == Value::Void { "none".to_owned() } else { format!("'{}'", shown(value)) }
}

/// How a value is shown when the other side has none.
fn with_type(value: Option<Value<'_>>) -> String {
    value.map_or_else(
        || "none".to_owned(),
        |value| format!("the value '{}' of type '{}'", shown(value), value.type_name()),
    )
}

/// Strings stand there as they are, all else as a term.
fn shown(value: Value<'_>) -> Cow<'_, str> {
    if let Value::Text(bytes) | Value::Bytes(bytes) = value {
        text(bytes)
    } else {
        Term(value).to_string().into()
    }
}
