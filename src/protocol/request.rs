//! The vocabulary between a peer and the broker: what a channel asks, and what it is told.

use crate::wire::method::MethodId;
use crate::wire::table::Table;

/// What a channel asks of the broker, besides publishing and settling, which have ways of their
/// own because every message takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// exchange.declare
    DeclareExchange(DeclareExchange),
    /// exchange.delete
    DeleteExchange {
        /// Which.
        exchange: String,
        /// Only if nothing is bound to it.
        if_unused: bool,
    },
    /// exchange.bind
    BindExchange(Binding),
    /// exchange.unbind
    UnbindExchange(Binding),
    /// queue.declare
    DeclareQueue(DeclareQueue),
    /// queue.bind
    BindQueue(Binding),
    /// queue.unbind
    UnbindQueue(Binding),
    /// queue.purge
    PurgeQueue {
        /// Which; empty is the last declared.
        queue: String,
    },
    /// queue.delete
    DeleteQueue {
        /// Which; empty is the last declared.
        queue: String,
        /// Only if nobody consumes from it.
        if_unused: bool,
        /// Only if no message is ready in it.
        if_empty: bool,
    },
    /// basic.consume
    Consume(Consume),
    /// basic.cancel
    Cancel {
        /// Whom.
        consumer_tag: String,
    },
    /// basic.get
    Get {
        /// From where; empty is the last declared.
        queue: String,
        /// It counts as settled when it is sent.
        no_ack: bool,
    },
}

impl Request {
    /// The method that asks it.
    pub fn method(&self) -> MethodId {
        match self {
            Self::DeclareExchange(_) => MethodId::of(40, 10),
            Self::DeleteExchange { .. } => MethodId::of(40, 20),
            Self::BindExchange(_) => MethodId::of(40, 30),
            Self::UnbindExchange(_) => MethodId::of(40, 40),
            Self::DeclareQueue(_) => MethodId::of(50, 10),
            Self::BindQueue(_) => MethodId::of(50, 20),
            Self::PurgeQueue { .. } => MethodId::of(50, 30),
            Self::DeleteQueue { .. } => MethodId::of(50, 40),
            Self::UnbindQueue(_) => MethodId::of(50, 50),
            Self::Consume(_) => MethodId::of(60, 20),
            Self::Cancel { .. } => MethodId::of(60, 30),
            Self::Get { .. } => MethodId::of(60, 70),
        }
    }
}

/// exchange.declare
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclareExchange {
    /// Its name.
    pub exchange: String,
    /// What kind it is, by the name of the kind.
    pub kind: String,
    /// Only ask whether it exists.
    pub passive: bool,
    /// It survives a restart.
    pub durable: bool,
    /// It goes with its last binding.
    pub auto_delete: bool,
    /// Clients cannot publish to it.
    pub internal: bool,
    /// alternate-exchange and what its kind knows.
    pub arguments: Table,
}

/// queue.declare
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclareQueue {
    /// Its name; empty lets the broker choose one.
    pub queue: String,
    /// Only ask whether it exists.
    pub passive: bool,
    /// It survives a restart.
    pub durable: bool,
    /// It belongs to this connection and goes with it.
    pub exclusive: bool,
    /// It goes with its last consumer.
    pub auto_delete: bool,
    /// What its options are made from.
    pub arguments: Table,
}

/// A binding to make or to undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The exchange that messages come from.
    pub source: String,
    /// The queue or exchange they go to; an empty queue is the last declared.
    pub destination: String,
    /// The binding key.
    pub routing_key: String,
    /// What a headers exchange matches on.
    pub arguments: Table,
}

/// basic.consume
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consume {
    /// From where; empty is the last declared.
    pub queue: String,
    /// What to call the consumer; empty lets the broker choose.
    pub consumer_tag: String,
    /// Messages count as settled when they are sent.
    pub no_ack: bool,
    /// Nobody else may consume from the queue.
    pub exclusive: bool,
    /// x-priority and others.
    pub arguments: Table,
    /// How many it may hold unacked: what basic.qos said last; 0 is no limit.
    pub prefetch: u16,
}
