//! Reads one argument table, and turns what does not fit into RabbitMQ's text.

use super::{InvalidArgument, QueueKind, Reason, Subject};
use crate::names::ExchangeName;
use crate::wire::table::{Table, Value};

/// The arguments of one declare or consume, with the names that mean something there.
pub(crate) struct Arguments<'a> {
    subject: &'a Subject,
    table: &'a Table,
    known: &'static [&'static [&'static str]],
}

impl<'a> Arguments<'a> {
    /// The arguments in `table`, of which those in the lists of `known` are read.
    pub(crate) fn new(
        subject: &'a Subject,
        table: &'a Table,
        known: &'static [&'static [&'static str]],
    ) -> Self {
        Self { subject, table, known }
    }

    /// The value of an argument, if it means something here and was given.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        if self.knows(name) { self.table.get(name) } else { None }
    }

    /// Types an argument with one of the functions of [`value`].
    pub(crate) fn read<T>(
        &self,
        argument: &'static str,
        read: impl FnOnce(Value<'a>) -> Result<T, Reason>,
    ) -> Result<Option<T>, InvalidArgument> {
        self.get(argument).map(read).transpose().map_err(|reason| InvalidArgument::Value {
            argument,
            subject: self.subject.clone(),
            reason,
        })
    }

    /// The name of an exchange, whether the argument means something here or not.
    pub(crate) fn exchange(
        &self,
        argument: &'static str,
    ) -> Result<Option<ExchangeName>, InvalidArgument> {
        match self.table.get(argument) {
            None => Ok(None),
            Some(Value::Text(name)) => Ok(Some(String::from_utf8_lossy(name).into_owned().into())),
            Some(other) => Err(InvalidArgument::WrongType {
                argument,
                found: other.type_name(),
                subject: self.subject.clone(),
            }),
        }
    }

    /// Refuses the first argument that `kind` does not know but another kind's `list` has.
    pub(crate) fn refuse_foreign(
        &self,
        kind: QueueKind,
        list: fn(QueueKind) -> &'static [&'static str],
    ) -> Result<(), InvalidArgument> {
        let mut names = self.table.iter().map(|(name, _)| name);
        let foreign = names.find_map(|name| {
            if self.knows(name) { None } else { QueueKind::known_anywhere(name, list) }
        });
        foreign.map_or(Ok(()), |argument| {
            let subject = self.subject.clone();
            Err(InvalidArgument::Foreign { argument, subject, kind })
        })
    }

    fn knows(&self, name: &str) -> bool {
        self.known.iter().any(|list| list.contains(&name))
    }
}

/// What a value may be. RabbitMQ takes whole numbers of any width, and no strings for them.
pub(crate) mod value {
    use std::time::Duration;

    use super::super::MAX_EXPIRY_MS;
    use super::{Reason, Value};

    /// Any whole number.
    pub(crate) fn integer(value: Value<'_>) -> Result<i64, Reason> {
        value.as_integer().ok_or_else(|| Reason::NotInteger(value.type_name()))
    }

    /// A whole number from zero up.
    pub(crate) fn natural(value: Value<'_>) -> Result<u64, Reason> {
        let number = integer(value)?;
        u64::try_from(number).map_err(|_| Reason::Negative(number))
    }

    /// A whole number from one up. RabbitMQ has no upper limit; nobody means four thousand million.
    pub(crate) fn positive(value: Value<'_>) -> Result<u32, Reason> {
        match natural(value)? {
            0 => Err(Reason::Zero),
            number => u32::try_from(number).map_err(|_| Reason::TooHigh(number)),
        }
    }

    /// A priority, 0 to 255.
    pub(crate) fn priority(value: Value<'_>) -> Result<u8, Reason> {
        let number = natural(value)?;
        u8::try_from(number).map_err(|_| Reason::TooHigh(number))
    }

    /// Milliseconds, however many.
    pub(crate) fn duration(value: Value<'_>) -> Result<Duration, Reason> {
        natural(value).map(Duration::from_millis)
    }

    /// Milliseconds, at most [`MAX_EXPIRY_MS`].
    pub(crate) fn expiry(value: Value<'_>) -> Result<Duration, Reason> {
        let ms = integer(value)?;
        if ms > MAX_EXPIRY_MS { Err(Reason::TooLong(ms)) } else { duration(value) }
    }

    /// Milliseconds, at least one and at most [`MAX_EXPIRY_MS`].
    pub(crate) fn idle_time(value: Value<'_>) -> Result<Duration, Reason> {
        let time = expiry(value)?;
        if time.is_zero() { Err(Reason::Zero) } else { Ok(time) }
    }

    /// Yes or no.
    pub(crate) fn flag(value: Value<'_>) -> Result<bool, Reason> {
        if let Value::Bool(flag) = value { Ok(flag) } else { Err(unacceptable(value)) }
    }

    /// A long string.
    pub(crate) fn text(value: Value<'_>) -> Result<&[u8], Reason> {
        if let Value::Text(text) = value { Ok(text) } else { Err(unacceptable(value)) }
    }

    fn unacceptable(value: Value<'_>) -> Reason {
        Reason::UnacceptableType(value.type_name())
    }
}
