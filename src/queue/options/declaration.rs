//! What a queue.declare said, kept for reports and for the next queue.declare.

use super::equivalence::Difference;
use super::{QueueKind, Subject};
use crate::names::{ConnectionId, QueueName, VhostName};
use crate::wire::table::{Table, TableBuilder, Value};

/// A queue as it was declared, completed as RabbitMQ completes it (see [`Declaration::new`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Where.
    pub vhost: VhostName,
    /// The name it has, also if the broker chose it.
    pub name: QueueName,
    /// The bits of queue.declare.
    pub declared: Declared,
    /// The arguments, `x-queue-type` always among them. Reports show these.
    pub arguments: Table,
}

/// The bits of queue.declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Survives a restart. Never set on an exclusive queue.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Exclusive to this connection.
    pub owner: Option<ConnectionId>,
    /// Declared without a name, so that the broker chose one.
    pub server_named: bool,
}

/// Why a redeclare is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inequivalent {
    /// Exclusive on one side only, or to another connection: channel error 405 RESOURCE_LOCKED.
    #[error(
        "cannot obtain exclusive access to locked {0}. It could be originally declared on another \
         connection or the exclusive property value does not match that of the original declaration."
    )]
    Locked(Subject),
    /// It differs in something else: channel error 406 PRECONDITION_FAILED.
    #[error(transparent)]
    Differs(#[from] Difference),
}

impl Declaration {
    /// What was declared, with what RabbitMQ makes of it: an exclusive queue is never durable,
    /// and a queue without an `x-queue-type` gets the vhost's default kind, or classic if that
    /// kind cannot be what was asked for.
    pub fn new(
        vhost: VhostName,
        name: QueueName,
        declared: Declared,
        arguments: &Table,
        default_kind: QueueKind,
    ) -> Self {
        let possible = declared.durable && !declared.auto_delete && declared.owner.is_none();
        let kind = if possible { default_kind } else { QueueKind::Classic };
        let durable = declared.durable && declared.owner.is_none();
        let declared = Declared { durable, ..declared };
        Self { vhost, name, declared, arguments: with_kind(arguments, kind) }
    }

    /// How texts name it.
    pub fn subject(&self) -> Subject {
        Subject::Queue(self.vhost.clone(), self.name.clone())
    }

    /// The kind that is asked for, if there is such a kind.
    pub fn kind(&self) -> Option<QueueKind> {
        match self.arguments.get("x-queue-type") {
            Some(Value::Text(name)) => QueueKind::from_name(name),
            Some(_) => None,
            None => Some(QueueKind::Classic),
        }
    }
}

/// Compares a redeclare with the queue that there is, in RabbitMQ's order: exclusive, durable,
/// auto-delete, then the arguments that the existing queue's kind knows.
///
/// A redeclare is not validated: RabbitMQ overlooks whatever is not compared.
pub fn inequivalent(existing: &Declaration, wanted: &Declaration) -> Option<Inequivalent> {
    let subject = existing.subject();
    let (current, received) = (&existing.declared, &wanted.declared);
    if current.owner != received.owner {
        return Some(Inequivalent::Locked(subject));
    }
    let property =
        |name, current, received| Difference::of_property(&subject, name, current, received);
    property("durable", current.durable, received.durable)
        .or_else(|| property("auto_delete", current.auto_delete, received.auto_delete))
        .or_else(|| {
            let names = existing.kind().unwrap_or_default().queue_arguments();
            Difference::of_arguments(&subject, names, &existing.arguments, &wanted.arguments)
        })
        .map(Inequivalent::Differs)
}

/// The arguments with an `x-queue-type`. RabbitMQ sorts them when it adds one, and takes an
/// empty one and `undefined` for none.
fn with_kind(arguments: &Table, kind: QueueKind) -> Table {
    const KEY: &str = "x-queue-type";
    if !matches!(arguments.get(KEY), None | Some(Value::Text(b"" | b"undefined"))) {
        return arguments.clone();
    }
    let mut entries: Vec<_> = arguments.iter().filter(|(name, _)| *name != KEY).collect();
    entries.push((KEY, Value::Text(kind.name().as_bytes())));
    entries.sort_by_key(|(name, _)| *name);
    let mut table = TableBuilder::new();
    for (name, value) in entries {
        table.push(name, value);
    }
    table.build()
}
