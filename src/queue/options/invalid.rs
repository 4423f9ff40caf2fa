//! Refused arguments, in RabbitMQ's words. All are channel errors 406 PRECONDITION_FAILED; the
//! texts are what stands behind "PRECONDITION_FAILED - " (checked against RabbitMQ 4.3.6).

use std::fmt;

use super::QueueKind;
use super::erlang_term::CharList;
use crate::names::{ExchangeName, QueueName, VhostName};

/// Whose arguments they are, as RabbitMQ writes it: `queue 'q' in vhost '/'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A queue.
    Queue(VhostName, QueueName),
    /// An exchange.
    Exchange(VhostName, ExchangeName),
}

/// Why a declare or consume is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArgument {
    /// An argument's value does not fit.
    #[error("invalid arg '{argument}' for {subject}: {reason}")]
    Value {
        /// The argument.
        argument: &'static str,
        /// Whose.
        subject: Subject,
        /// What is wrong with it.
        reason: Reason,
    },
    /// An argument that only another kind of queue has.
    #[error("invalid arg '{argument}' for {subject} of queue type {}", kind.module())]
    Foreign {
        /// The argument.
        argument: &'static str,
        /// Whose.
        subject: Subject,
        /// The kind that does not have it.
        kind: QueueKind,
    },
    /// The name of an exchange is no long string.
    #[error("invalid type '{found}' for arg '{argument}' in {subject}")]
    WrongType {
        /// The argument.
        argument: &'static str,
        /// Its type in place of `longstr`.
        found: &'static str,
        /// Whose.
        subject: Subject,
    },
    /// A kind of queue that cannot be exclusive, auto-delete or transient.
    #[error("invalid property '{property}' for {subject}")]
    Property {
        /// What it cannot be.
        property: &'static str,
        /// Which queue.
        subject: Subject,
    },
    /// A kind of queue that cannot be given a name by the broker.
    #[error("Cannot declare a server-named queue for type {}", .0.module())]
    ServerNamed(QueueKind),
    /// A queue without a name is to be of a kind that does not exist.
    #[error("unknown queue type '{0}'")]
    UnknownKind(String),
}

/// What is wrong with a value, printed as the Erlang term that RabbitMQ prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Must be a whole number; has this type.
    NotInteger(&'static str),
    /// Must be a string or a boolean; has this type.
    UnacceptableType(&'static str),
    /// Must not be below zero.
    Negative(i64),
    /// Must not be zero.
    Zero,
    /// Longer than [`super::MAX_EXPIRY_MS`].
    TooLong(i64),
    /// Above what this argument allows.
    TooHigh(u64),
    /// No such `x-queue-version`.
    UnsupportedVersion(u64),
    /// No such `x-queue-type`.
    UnsupportedKind(String),
    /// RabbitMQ has a word of its own for it.
    Word(&'static str),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(vhost, name) => write!(f, "queue '{name}' in vhost '{vhost}'"),
            Self::Exchange(vhost, name) => write!(f, "exchange '{name}' in vhost '{vhost}'"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInteger(found) => write!(f, "\"expected integer, got {found}\""),
            Self::UnacceptableType(found) => write!(f, "{{unacceptable_type,{found}}}"),
            Self::Negative(number) => write!(f, "{{value_negative,{number}}}"),
            Self::Zero => f.write_str("{value_zero,0}"),
            Self::TooLong(number) => write!(f, "{{value_too_large,{number}}}"),
            Self::TooHigh(number) => write!(f, "{{max_value_exceeded,{number}}}"),
            Self::UnsupportedVersion(version) => {
                write!(f, "\"unsupported queue version '{version}'\"")
            }
            Self::UnsupportedKind(name) => {
                CharList(&format!("unsupported queue type '{name}'")).fmt(f)
            }
            Self::Word(word) => f.write_str(word),
        }
    }
}
