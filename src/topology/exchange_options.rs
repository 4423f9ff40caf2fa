//! What an exchange was asked to be: the declaration, its typed arguments, and redeclares.
//!
//! Arguments that nobody knows are accepted and ignored, and so are those of another kind.

use crate::names::{ExchangeName, VhostName};
use crate::queue::options::equivalence::Difference;
use crate::queue::options::erlang_term::{Term, text};
use crate::queue::options::{
    Arguments, DEDUPLICATION_ARGUMENTS, Deduplication, InvalidArgument, Subject,
};
use crate::routing::{HashOn, Kind};
use crate::wire::content::Property;
use crate::wire::table::{Table, Value};

const ALTERNATE_EXCHANGE: &str = "alternate-exchange";
const HASH_HEADER: &str = "hash-header";
const HASH_PROPERTY: &str = "hash-property";
const DELAYED_TYPE: &str = "x-delayed-type";
const HISTORY_LENGTH: &str = "x-recent-history-length";
/// How many messages an `x-recent-history` exchange remembers when it is not said.
const DEFAULT_HISTORY_LENGTH: u64 = 20;

/// An exchange as it was declared; kept for reports and for the next exchange.declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeDeclaration {
    /// Where.
    pub vhost: VhostName,
    /// Its name.
    pub name: ExchangeName,
    /// How it routes.
    pub kind: Kind,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Takes messages from other exchanges alone.
    pub internal: bool,
    /// The arguments as they came.
    pub arguments: Table,
}

/// What an exchange's declaration asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// `alternate-exchange`: where messages go that match no binding. It need not exist, and its
    /// name may be longer than any exchange's; then those messages are unroutable.
    pub alternate_exchange: Option<ExchangeName>,
    /// `x-message-deduplication` and its companions (LavinMQ).
    pub deduplication: Option<Deduplication>,
    /// `hash-header` or `hash-property` (x-consistent-hash): what decides where a message goes.
    pub hash_on: HashOn,
    /// `x-recent-history-length` (x-recent-history), at least one: how many messages it gives to
    /// who is bound later.
    pub history: Option<u64>,
    /// `x-delayed-type` (x-delayed-message): how messages are routed once they are due. `None`:
    /// as the exchange's kind says.
    pub routes_as: Option<Kind>,
}

/// Why an exchange.declare is refused, in the words of RabbitMQ and its plugins: channel error 406
/// PRECONDITION_FAILED.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExchange {
    /// An argument that every kind has.
    #[error(transparent)]
    Argument(#[from] InvalidArgument),
    /// There can be only one thing to hash on.
    #[error("hash-header and hash-property are mutually exclusive")]
    TwoHashes,
    /// No property that can be hashed on.
    #[error("Unsupported property: {0}")]
    UnsupportedProperty(String),
    /// Not a number of messages.
    #[error("Invalid argument {0}, 'x-recent-history-length' must be a positive integer")]
    HistoryLength(String),
    /// No kind that messages could be routed by once they are due.
    #[error("Invalid argument, 'x-delayed-type' must be an existing exchange type")]
    NoDelayedType,
    /// What has waited is not to wait again.
    #[error("Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'")]
    DelayedTwice,
}

impl ExchangeDeclaration {
    /// How texts name it.
    pub fn subject(&self) -> Subject {
        Subject::Exchange(self.vhost.clone(), self.name.clone())
    }
}

impl ExchangeOptions {
    /// Types a declaration's arguments, or says why they are refused. When the exchange exists
    /// already, only [`inequivalent`] is asked.
    pub fn parse(wanted: &ExchangeDeclaration) -> Result<Self, BadExchange> {
        let subject = wanted.subject();
        let arguments = Arguments::new(&subject, &wanted.arguments, &[DEDUPLICATION_ARGUMENTS]);
        let alternate_exchange = arguments.exchange(ALTERNATE_EXCHANGE)?;
        let delayed = wanted.kind == Kind::Delayed;
        let routes_as = delayed.then(|| delayed_type(wanted)).transpose()?;
        let kind = routes_as.unwrap_or(wanted.kind);
        let hashes = kind == Kind::ConsistentHash;
        let hash_on = if hashes { hash_on(wanted)? } else { HashOn::default() };
        let remembers = kind == Kind::RecentHistory;
        let history = remembers.then(|| history_length(wanted)).transpose()?;
        let deduplication = if wanted.kind == Kind::Deduplicating {
            Some(Deduplication::required(&arguments)?)
        } else {
            Deduplication::parse(&arguments)?
        };
        Ok(Self { alternate_exchange, deduplication, hash_on, history, routes_as })
    }
}

fn delayed_type(wanted: &ExchangeDeclaration) -> Result<Kind, BadExchange> {
    let name = wanted.arguments.get(DELAYED_TYPE).and_then(|name| name.as_text());
    match name.and_then(Kind::parse) {
        Some(Kind::Delayed) => Err(BadExchange::DelayedTwice),
        Some(kind) => Ok(kind),
        None => Err(BadExchange::NoDelayedType),
    }
}

fn hash_on(wanted: &ExchangeDeclaration) -> Result<HashOn, BadExchange> {
    let long_string = |argument| match wanted.arguments.get(argument) {
        None => Ok(None),
        Some(Value::Text(value)) => Ok(Some(text(value))),
        Some(other) => {
            let (found, subject) = (other.type_name(), wanted.subject());
            Err(InvalidArgument::WrongType { argument, found, subject })
        }
    };
    match (long_string(HASH_HEADER)?, long_string(HASH_PROPERTY)?) {
        (None, None) => Ok(HashOn::RoutingKey),
        (Some(header), None) => Ok(HashOn::Header(header.into())),
        (None, Some(property)) => Ok(HashOn::Property(match &*property {
            "correlation_id" => Property::CorrelationId,
            "message_id" => Property::MessageId,
            "timestamp" => Property::Timestamp,
            _ => return Err(BadExchange::UnsupportedProperty(property.into())),
        })),
        (Some(_), Some(_)) => Err(BadExchange::TwoHashes),
    }
}

fn history_length(wanted: &ExchangeDeclaration) -> Result<u64, BadExchange> {
    let Some(length) = wanted.arguments.get(HISTORY_LENGTH) else {
        return Ok(DEFAULT_HISTORY_LENGTH);
    };
    let positive = length.as_integer().and_then(|length| u64::try_from(length).ok());
    let positive = positive.filter(|length| *length > 0);
    positive.ok_or_else(|| BadExchange::HistoryLength(Term(length).to_string()))
}

/// Compares a redeclare with the exchange that there is, in RabbitMQ's order. Of the arguments
/// only the alternate exchange is compared.
pub fn inequivalent(
    existing: &ExchangeDeclaration,
    wanted: &ExchangeDeclaration,
) -> Option<Difference> {
    let subject = existing.subject();
    let property =
        |name, current, received| Difference::of_property(&subject, name, current, received);
    Difference::of_property(&subject, "type", existing.kind.as_str(), wanted.kind.as_str())
        .or_else(|| property("durable", existing.durable, wanted.durable))
        .or_else(|| property("auto_delete", existing.auto_delete, wanted.auto_delete))
        .or_else(|| property("internal", existing.internal, wanted.internal))
        .or_else(|| {
            let (current, received) = (&existing.arguments, &wanted.arguments);
            Difference::of_arguments(&subject, &[ALTERNATE_EXCHANGE], current, received)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::table::{TableBuilder, Value};

    fn direct(arguments: &[(&str, Value<'_>)]) -> ExchangeDeclaration {
        let mut table = TableBuilder::new();
        for (name, value) in arguments {
            table.push(name, *value);
        }
        ExchangeDeclaration {
            vhost: "/".into(),
            name: "x".into(),
            kind: Kind::Direct,
            durable: false,
            auto_delete: false,
            internal: false,
            arguments: table.build(),
        }
    }

    fn alternate(value: Value<'_>) -> ExchangeDeclaration {
        direct(&[(ALTERNATE_EXCHANGE, value)])
    }

    #[test]
    fn what_is_said_is_typed_and_the_unknown_ignored() {
        assert_eq!(ExchangeOptions::parse(&direct(&[])), Ok(ExchangeOptions::default()));
        let said = direct(&[
            (ALTERNATE_EXCHANGE, Value::Text(b"ae")),
            ("x-message-deduplication", Value::Bool(true)),
            ("x-cache-size", Value::I32(7)),
            ("x-nobody-knows", Value::Void),
        ]);
        let options = ExchangeOptions::parse(&said).unwrap();
        assert_eq!(options.alternate_exchange, Some("ae".into()));
        assert_eq!(options.deduplication.unwrap().cache_size, 7);
    }

    /// Compared with RabbitMQ 4.3.6.
    #[test]
    fn an_alternate_exchange_is_a_long_string() {
        for (value, name) in [
            (Value::I32(1), "signedint"),
            (Value::Bytes(b"a"), "binary"),
            (Value::Void, "void"),
            (Value::Bool(true), "bool"),
            (Value::F64(1.0), "double"),
        ] {
            let error = ExchangeOptions::parse(&alternate(value)).unwrap_err();
            let text = format!(
                "invalid type '{name}' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"
            );
            assert_eq!(error.to_string(), text);
        }
        assert!(ExchangeOptions::parse(&alternate(Value::Text(b""))).is_ok());
    }

    /// The texts are those of RabbitMQ 4.3.6's plugins.
    #[test]
    fn arguments_of_hashes_and_histories() {
        let of = |kind, arguments: &[(&str, Value<'_>)]| {
            let options =
                ExchangeOptions::parse(&ExchangeDeclaration { kind, ..direct(arguments) });
            options.map_err(|refused| refused.to_string())
        };
        let hashing = |arguments: &[_]| of(Kind::ConsistentHash, arguments).map(|o| o.hash_on);
        let text = |text: &'static str| Value::Text(text.as_bytes());
        assert_eq!(hashing(&[]), Ok(HashOn::RoutingKey));
        assert_eq!(hashing(&[(HASH_HEADER, text("h"))]), Ok(HashOn::Header("h".into())));
        for (name, property) in [
            ("correlation_id", Property::CorrelationId),
            ("message_id", Property::MessageId),
            ("timestamp", Property::Timestamp),
        ] {
            let found = hashing(&[(HASH_PROPERTY, text(name))]);
            assert_eq!(found, Ok(HashOn::Property(property)));
        }
        let both = hashing(&[(HASH_HEADER, text("h")), (HASH_PROPERTY, text("message_id"))]);
        assert_eq!(both.unwrap_err(), "hash-header and hash-property are mutually exclusive");
        let unknown = hashing(&[(HASH_PROPERTY, text("app_id"))]);
        assert_eq!(unknown.unwrap_err(), "Unsupported property: app_id");
        assert_eq!(
            hashing(&[(HASH_HEADER, Value::I32(1))]).unwrap_err(),
            "invalid type 'signedint' for arg 'hash-header' in exchange 'x' in vhost '/'"
        );
        let history = |arguments: &[_]| of(Kind::RecentHistory, arguments).map(|o| o.history);
        assert_eq!(history(&[]), Ok(Some(20)));
        assert_eq!(history(&[(HISTORY_LENGTH, Value::I64(3))]), Ok(Some(3)));
        for (bad, term) in [(Value::I32(0), "0"), (Value::I32(-1), "-1"), (text("3"), "<<\"3\">>")]
        {
            let refused = history(&[(HISTORY_LENGTH, bad)]).unwrap_err();
            let must = "'x-recent-history-length' must be a positive integer";
            assert_eq!(refused, format!("Invalid argument {term}, {must}"));
        }
        let delayed = |arguments: &[_]| of(Kind::Delayed, arguments).map(|o| o.routes_as);
        assert_eq!(delayed(&[(DELAYED_TYPE, text("topic"))]), Ok(Some(Kind::Topic)));
        let hashing = [(DELAYED_TYPE, text("x-consistent-hash")), (HASH_HEADER, text("h"))];
        let options = of(Kind::Delayed, &hashing).unwrap();
        assert_eq!(options.hash_on, HashOn::Header("h".into()));
        for bad in [&[][..], &[(DELAYED_TYPE, text("nonsense"))], &[(DELAYED_TYPE, Value::Void)]] {
            let must = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
            assert_eq!(delayed(bad).unwrap_err(), must);
        }
        let twice = delayed(&[(DELAYED_TYPE, text("x-delayed-message"))]).unwrap_err();
        let cannot = "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'";
        assert_eq!(twice, cannot);
        assert_eq!(of(Kind::Fanout, &[(HASH_HEADER, Value::I32(1))]).map(|o| o.history), Ok(None));
    }

    /// Compared with RabbitMQ 4.3.6.
    #[test]
    fn a_redeclare_must_ask_for_what_there_is() {
        let ae = |name: &'static str| alternate(Value::Text(name.as_bytes()));
        let (plain, other) = (direct(&[]), ae("a"));
        let internal = ExchangeDeclaration { internal: true, ..other.clone() };
        let auto_delete = ExchangeDeclaration { auto_delete: true, ..internal.clone() };
        let durable = ExchangeDeclaration { durable: true, ..auto_delete.clone() };
        let topic = ExchangeDeclaration { kind: Kind::Topic, ..durable.clone() };
        let typed = "the value 'a' of type 'longstr'";
        for (existing, wanted, name, received, current) in [
            (&plain, &topic, "type", "'topic'", "'direct'"),
            (&plain, &durable, "durable", "'true'", "'false'"),
            (&plain, &auto_delete, "auto_delete", "'true'", "'false'"),
            (&plain, &internal, "internal", "'true'", "'false'"),
            (&plain, &other, ALTERNATE_EXCHANGE, typed, "none"),
            (&other, &plain, ALTERNATE_EXCHANGE, "none", typed),
            (&other, &ae("b"), ALTERNATE_EXCHANGE, "'b'", "'a'"),
            (&other, &alternate(Value::I32(1)), ALTERNATE_EXCHANGE, "'1'", "'a'"),
        ] {
            let text = format!(
                "inequivalent arg '{name}' for exchange 'x' in vhost '/': \
                 received {received} but current is {current}"
            );
            let found = inequivalent(existing, wanted).expect("it differs");
            assert_eq!(found.to_string(), text);
        }
        assert_eq!(inequivalent(&other, &alternate(Value::Bytes(b"a"))), None);
        assert_eq!(inequivalent(&plain, &direct(&[("x-foo", Value::I32(1))])), None);
    }
}
