//! Durable exchanges, queues and bindings as rows of the catalogue: what is written when one
//! comes or goes, and how they come back.
//!
//! ```text
//! x vhost name                             → kind, flags, arguments
//! q vhost name                             → id, flags, arguments
//! b vhost source destination key arguments → nothing more
//! z vhost queue                            → nothing more: it is paused
//! ```
//!
//! Policies, parameters, limits and vhosts are in [`rules`].
//!
//! Keys are a letter and postcard-encoded strings, values start with their version.

pub mod rules;

use serde::{Deserialize, Serialize};

use super::exchange_options::ExchangeDeclaration;
use crate::names::{QueueId, QueueName, VhostName};
use crate::queue::options::{Declaration, Declared};
use crate::routing::Kind;
use crate::wire::table::Table;

/// The version that values are written in.
const VERSION: u8 = 1;

/// One change of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The row.
    pub key: Vec<u8>,
    /// What it says now; `None`: it is gone.
    pub value: Option<Vec<u8>>,
}

/// A row, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// An exchange.
    Exchange(ExchangeDeclaration),
    /// A queue.
    Queue(QueueId, Declaration),
    /// A binding.
    Binding(BindingRow),
    /// A queue of this name is paused.
    Paused(VhostName, QueueName),
    /// A policy, a parameter, a limit or a vhost.
    Rule(Box<rules::Rule>),
}

/// A binding by the names of what it binds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingRow {
    /// The vhost.
    pub vhost: String,
    /// The exchange that messages come from.
    pub source: String,
    /// Whether they go to a queue; otherwise to an exchange.
    pub to_queue: bool,
    /// Where they go.
    pub destination: String,
    /// The binding key.
    pub routing_key: String,
    /// What a headers exchange matches on.
    #[serde(with = "table_bytes")]
    pub arguments: Table,
}

/// Bytes that are no row of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRow {
    /// A kind of row, or a version, that this Warren does not know.
    #[error("a row of the catalogue was written by a newer Warren")]
    Unknown,
    /// It cannot be read.
    #[error("a row of the catalogue cannot be read")]
    Malformed,
}

#[derive(Serialize, Deserialize)]
struct Named {
    vhost: String,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct ExchangeValue {
    kind: String,
    auto_delete: bool,
    internal: bool,
    #[serde(with = "table_bytes")]
    arguments: Table,
}

#[derive(Serialize, Deserialize)]
struct QueueValue {
    id: u64,
    auto_delete: bool,
    server_named: bool,
    #[serde(with = "table_bytes")]
    arguments: Table,
}

/// A durable exchange's row.
pub fn exchange(declaration: &ExchangeDeclaration) -> RowChange {
    let value = ExchangeValue {
        kind: declaration.kind.as_str().into(),
        auto_delete: declaration.auto_delete,
        internal: declaration.internal,
        arguments: declaration.arguments.clone(),
    };
    let key = named(b'x', &declaration.vhost, declaration.name.as_str());
    RowChange { key, value: Some(versioned(&value)) }
}

/// A durable queue's row.
pub fn queue(id: QueueId, declaration: &Declaration) -> RowChange {
    let value = QueueValue {
        id: id.0,
        auto_delete: declaration.declared.auto_delete,
        server_named: declaration.declared.server_named,
        arguments: declaration.arguments.clone(),
    };
    let key = named(b'q', &declaration.vhost, declaration.name.as_str());
    RowChange { key, value: Some(versioned(&value)) }
}

/// A durable binding's row.
pub fn binding(row: &BindingRow) -> RowChange {
    RowChange { key: keyed(b'b', row), value: Some(vec![VERSION]) }
}

/// The row that says that a durable queue is paused.
pub fn paused(vhost: &VhostName, queue: &QueueName) -> RowChange {
    RowChange { key: named(b'z', vhost, queue.as_str()), value: Some(vec![VERSION]) }
}

/// The same row, gone.
pub fn gone(row: RowChange) -> RowChange {
    RowChange { value: None, ..row }
}

/// Reads a row back.
pub fn read(key: &[u8], value: &[u8]) -> Result<Row, BadRow> {
    let (&kind, key) = key.split_first().ok_or(BadRow::Malformed)?;
    let (&version, value) = value.split_first().ok_or(BadRow::Malformed)?;
    if version != VERSION {
        return Err(BadRow::Unknown);
    }
    match kind {
        b'x' => read_exchange(key, value).map(Row::Exchange),
        b'q' => read_queue(key, value).map(|(id, declaration)| Row::Queue(id, declaration)),
        b'b' => decoded(key).map(Row::Binding),
        b'z' => decoded(key).map(|Named { vhost, name }| Row::Paused(vhost.into(), name.into())),
        kind if rules::is_one(kind) => {
            rules::read(kind, key, value).map(|rule| Row::Rule(Box::new(rule)))
        }
        _ => Err(BadRow::Unknown),
    }
}

fn read_exchange(key: &[u8], value: &[u8]) -> Result<ExchangeDeclaration, BadRow> {
    let (key, value): (Named, ExchangeValue) = (decoded(key)?, decoded(value)?);
    Ok(ExchangeDeclaration {
        vhost: key.vhost.into(),
        name: key.name.into(),
        kind: Kind::parse(&value.kind).ok_or(BadRow::Unknown)?,
        durable: true,
        auto_delete: value.auto_delete,
        internal: value.internal,
        arguments: value.arguments,
    })
}

fn read_queue(key: &[u8], value: &[u8]) -> Result<(QueueId, Declaration), BadRow> {
    let (key, value): (Named, QueueValue) = (decoded(key)?, decoded(value)?);
    let declared = Declared {
        durable: true,
        auto_delete: value.auto_delete,
        owner: None,
        server_named: value.server_named,
    };
    let declaration = Declaration {
        vhost: key.vhost.into(),
        name: key.name.into(),
        declared,
        arguments: value.arguments,
    };
    Ok((QueueId(value.id), declaration))
}

fn named(kind: u8, vhost: &VhostName, name: &str) -> Vec<u8> {
    keyed(kind, &Named { vhost: vhost.to_string(), name: name.into() })
}

fn keyed(kind: u8, key: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(key, vec![kind]).expect("a key can be written to memory")
}

fn versioned(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("a value can be written to memory")
}

fn decoded<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, BadRow> {
    postcard::from_bytes(bytes).map_err(|_| BadRow::Malformed)
}

/// Tables as the bytes that they are.
mod table_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::wire::table::Table;

    pub(super) fn serialize<S: Serializer>(table: &Table, to: S) -> Result<S::Ok, S::Error> {
        table.as_ref().as_bytes().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Table, D::Error> {
        let bytes = Vec::<u8>::deserialize(from)?;
        Table::checked(&bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::table::{TableBuilder, Value};

    fn arguments() -> Table {
        TableBuilder::new().with("x-max-length", Value::I32(5)).build()
    }

    fn back(change: &RowChange) -> Result<Row, BadRow> {
        read(&change.key, change.value.as_ref().expect("there"))
    }

    #[test]
    fn rows_come_back() {
        let wanted = ExchangeDeclaration {
            vhost: "/".into(),
            name: "logs".into(),
            kind: Kind::Topic,
            durable: true,
            auto_delete: true,
            internal: false,
            arguments: arguments(),
        };
        assert_eq!(back(&exchange(&wanted)), Ok(Row::Exchange(wanted)));
        let declared = Declared { durable: true, ..Declared::default() };
        let wanted =
            Declaration { vhost: "/".into(), name: "q".into(), declared, arguments: arguments() };
        assert_eq!(back(&queue(QueueId(7), &wanted)), Ok(Row::Queue(QueueId(7), wanted)));
        let wanted = BindingRow {
            vhost: "/".into(),
            source: "logs".into(),
            to_queue: true,
            destination: "q".into(),
            routing_key: "a.#".into(),
            arguments: arguments(),
        };
        assert_eq!(back(&binding(&wanted)), Ok(Row::Binding(wanted)));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let row = binding(&BindingRow {
            vhost: "/".into(),
            source: "x".into(),
            to_queue: false,
            destination: "y".into(),
            routing_key: String::new(),
            arguments: Table::default(),
        });
        assert_eq!(read(&row.key, &[9]), Err(BadRow::Unknown));
        assert_eq!(read(b"?", &[VERSION]), Err(BadRow::Unknown));
        assert_eq!(read(&row.key[..3], &[VERSION]), Err(BadRow::Malformed));
        assert_eq!(read(b"", b""), Err(BadRow::Malformed));
    }
}
