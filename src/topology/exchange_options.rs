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
