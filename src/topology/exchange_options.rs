//! What an exchange was asked to be: the declaration, its typed arguments, and redeclares.
//!
//! What a kind of exchange makes of its own arguments (a hash header, a delayed type) is the
//! affair of `routing`. Arguments that nobody knows are accepted and ignored.

use crate::names::{ExchangeName, VhostName};
use crate::queue::options::equivalence::Difference;
use crate::queue::options::{
    Arguments, DEDUPLICATION_ARGUMENTS, Deduplication, InvalidArgument, Subject,
};
use crate::routing::Kind;
use crate::wire::table::Table;

const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

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

/// What an exchange's declaration asked for, beside its kind's own arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// `alternate-exchange`: where messages go that match no binding. It need not exist, and its
    /// name may be longer than any exchange's; then those messages are unroutable.
    pub alternate_exchange: Option<ExchangeName>,
    /// `x-message-deduplication` and its companions (LavinMQ).
    pub deduplication: Option<Deduplication>,
}

impl ExchangeDeclaration {
    /// How texts name it.
    pub fn subject(&self) -> Subject {
        Subject::Exchange(self.vhost.clone(), self.name.clone())
    }
}

impl ExchangeOptions {
    /// Types a declaration's arguments, or says why RabbitMQ refuses them (channel error 406
    /// PRECONDITION_FAILED). When the exchange exists already, only [`inequivalent`] is asked.
    pub fn parse(wanted: &ExchangeDeclaration) -> Result<Self, InvalidArgument> {
        let subject = wanted.subject();
        let arguments = Arguments::new(&subject, &wanted.arguments, &[DEDUPLICATION_ARGUMENTS]);
        Ok(Self {
            alternate_exchange: arguments.exchange(ALTERNATE_EXCHANGE)?,
            deduplication: Deduplication::parse(&arguments)?,
        })
    }
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
