//! What exists in a vhost, by name: exchanges, queues and the bindings between them, and the
//! policies, parameters and properties that it has.
//!
//! Owns declarations and routing; decides whether a name may be declared, deleted or bound, where
//! a message goes, and which policies govern what. It must not know what queues hold or who consumes: whether a queue is
//! empty or unused is asked of the queue before [`Topology::remove_queue`] is called.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod bindings;
pub mod delay;
mod exchange;
pub mod exchange_options;
pub mod governed;
pub mod happenings;
pub mod limits;
pub mod listing;
pub mod parameters;
mod paused;
pub mod properties;
mod route;
pub mod rows;
mod vhost_rules;

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{ConnectionId, ExchangeName, QueueId, QueueName, VhostName};
use crate::policy::{Governing, Object};
use crate::protocol::fault::Fault;
use crate::protocol::request::DeclareExchange;
use crate::queue::options::{Declaration, Inequivalent, inequivalent};
use crate::routing::Kind;
use crate::wire::table::Table;
use exchange::Exchange;
pub use exchange::{Destination, ExchangeId, Station};
use exchange_options::{ExchangeDeclaration, ExchangeOptions};
pub use route::{JustAsking, Passage, Routed, Stations};
use rows::{Row, RowChange};

/// The exchanges that every vhost has.
const PREDECLARED: [(&str, Kind, bool); 6] = [
    ("amq.direct", Kind::Direct, false),
    ("amq.fanout", Kind::Fanout, false),
    ("amq.topic", Kind::Topic, false),
    ("amq.headers", Kind::Headers, false),
    ("amq.match", Kind::Headers, false),
    ("amq.rabbitmq.trace", Kind::Topic, true),
];

/// One vhost's exchanges, queues and bindings.
#[derive(Debug)]
pub struct Topology {
    vhost: VhostName,
    /// Changes whenever a message could go another way than before.
    version: u64,
    exchange_names: BTreeMap<ExchangeName, ExchangeId>,
    exchanges: BTreeMap<ExchangeId, Exchange>,
    next_exchange: u32,
    queue_names: BTreeMap<QueueName, QueueId>,
    queues: BTreeMap<QueueId, Declaration>,
    /// The exclusive queues of each connection that has any.
    owned: BTreeMap<ConnectionId, BTreeSet<QueueId>>,
    /// Which exchanges have bindings to a destination.
    bound: BTreeMap<Destination, BTreeSet<ExchangeId>>,
    rules: governed::Rules,
    /// Which policies govern a queue, where any do.
    governed: BTreeMap<QueueId, Governing>,
    /// Queues that hand nothing out.
    paused: BTreeSet<QueueId>,
    parameters: parameters::Parameters,
    properties: properties::Properties,
    /// It is being deleted, and nothing comes into it any more.
    ended: bool,
    /// What became of durable things since [`Topology::take_changes`].
    changes: Vec<RowChange>,
    happenings: happenings::Happenings,
    /// Who was bound to exchanges with a history since [`Topology::take_newcomers`].
    newcomers: Vec<(ExchangeId, Destination)>,
}

/// What a queue.declare of a name that may exist comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// It is there, and it is the same.
    Existing(QueueId),
    /// It is new.
    Created(QueueId),
}

impl Topology {
    /// A vhost with nothing but the predeclared exchanges.
    pub fn new(vhost: VhostName) -> Self {
        let mut topology = Self {
            vhost,
            version: 0,
            exchange_names: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            next_exchange: 0,
            queue_names: BTreeMap::new(),
            queues: BTreeMap::new(),
            owned: BTreeMap::new(),
            bound: BTreeMap::new(),
            rules: governed::Rules::default(),
            governed: BTreeMap::new(),
            paused: BTreeSet::new(),
            parameters: parameters::Parameters::new(),
            properties: properties::Properties::default(),
            ended: false,
            changes: Vec::new(),
            happenings: happenings::Happenings::default(),
            newcomers: Vec::new(),
        };
        for (name, kind, internal) in PREDECLARED {
            topology.add_exchange(ExchangeDeclaration {
                vhost: topology.vhost.clone(),
                name: name.into(),
                kind,
                durable: true,
                auto_delete: false,
                internal,
                arguments: Table::default(),
            });
        }
        // The predeclared ones are there without being written down.
        topology.changes.clear();
        topology
    }

    /// The vhost's name.
    pub fn vhost(&self) -> &VhostName {
        &self.vhost
    }

    /// Changes whenever a message could go another way than before.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What became of durable exchanges, queues and bindings since this was last asked: rows of
    /// the catalogue to be written or removed.
    pub fn take_changes(&mut self) -> Vec<RowChange> {
        std::mem::take(&mut self.changes)
    }

    /// Who was bound to exchanges with a history since this was last asked, and is to be given it.
    pub fn take_newcomers(&mut self) -> Vec<(ExchangeId, Destination)> {
        std::mem::take(&mut self.newcomers)
    }

    /// Takes a row of the catalogue back, at start. Policies come before what they govern, and
    /// exchanges and queues before bindings.
    pub fn restore(&mut self, row: Row) {
        match row {
            Row::Exchange(declaration) => self.add_exchange(declaration),
            Row::Queue(id, declaration) => self.add_queue(id, declaration),
            Row::Binding(row) => self.restore_binding(&row),
            Row::Paused(_, queue) => self.restore_paused(queue.as_str()),
            Row::Rule(rule) => self.restore_rule(*rule),
        }
        self.changes.clear();
    }

    // Exchanges.

    /// exchange.declare
    pub fn declare_exchange(&mut self, declare: &DeclareExchange) -> Result<(), Fault> {
        // The order of the checks is RabbitMQ's.
        let existing = self.exchange_names.get(declare.exchange.as_str());
        let existing = existing.map(|id| &self.exchanges[id].declaration);
        if declare.passive {
            if declare.exchange.is_empty() {
                return Err(Fault::default_exchange());
            }
            let missing = || Fault::no_exchange(&declare.exchange, &self.vhost);
            return existing.map(|_| ()).ok_or_else(missing);
        }
        let kind = exchange_kind(&declare.kind)?;
        if declare.exchange.is_empty() {
            return Err(Fault::default_exchange());
        }
        if existing.is_none() && declare.exchange.starts_with("amq.") {
            return Err(Fault::reserved_name("exchange", &declare.exchange));
        }
        let wanted = ExchangeDeclaration {
            vhost: self.vhost.clone(),
            name: declare.exchange.as_str().into(),
            kind,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments: declare.arguments.clone(),
        };
        if let Some(existing) = existing {
            let difference = exchange_options::inequivalent(existing, &wanted);
            return difference.map_or(Ok(()), |difference| Err(Fault::precondition(difference)));
        }
        ExchangeOptions::parse(&wanted).map_err(Fault::precondition)?;
        self.add_exchange(wanted);
        Ok(())
    }

    fn add_exchange(&mut self, declaration: ExchangeDeclaration) {
        let id = ExchangeId(self.next_exchange);
        self.next_exchange += 1;
        self.exchange_names.insert(declaration.name.clone(), id);
        if declaration.durable {
            self.changes.push(rows::exchange(&declaration));
        }
        self.tell_of_exchange(&declaration);
        let name = declaration.name.as_str();
        let governing = self.rules.governing(Object::Exchange { name });
        self.exchanges.insert(id, Exchange::new(declaration, governing));
        self.version += 1;
    }

    /// What kind of exchange has this name.
    pub fn kind_of(&self, exchange: &str) -> Option<Kind> {
        let id = self.exchange_names.get(exchange)?;
        Some(self.exchanges[id].declaration.kind)
    }

    /// exchange.delete
    pub fn delete_exchange(&mut self, name: &str, if_unused: bool) -> Result<(), Fault> {
        if name.is_empty() {
            return Err(Fault::default_exchange());
        }
        if name.starts_with("amq.") {
            return Err(Fault::reserved_exchange(name, &self.vhost));
        }
        let Some(&id) = self.exchange_names.get(name) else { return Ok(()) };
        if if_unused && !self.exchanges[&id].router.is_empty() {
            return Err(Fault::in_use("exchange", name, &self.vhost));
        }
        self.remove_exchange(id);
        Ok(())
    }

    /// Removes an exchange, and every auto-delete exchange that loses its last binding by it.
    fn remove_exchange(&mut self, id: ExchangeId) {
        self.forget_destination(Destination::Exchange(id));
        self.note_bindings_gone(id);
        let Some(exchange) = self.exchanges.remove(&id) else { return };
        if exchange.declaration.durable {
            self.changes.push(rows::gone(rows::exchange(&exchange.declaration)));
        }
        self.exchange_names.remove(&exchange.declaration.name);
        self.tell_gone("exchange.deleted", exchange.declaration.name.as_str());
        self.version += 1;
        for destination in exchange.destinations() {
            if let Some(sources) = self.bound.get_mut(&destination) {
                sources.remove(&id);
            }
        }
    }

    /// An auto-delete exchange goes with the last binding that it is the source of.
    fn remove_if_unused(&mut self, id: ExchangeId) {
        let unused =
            |exchange: &Exchange| exchange.declaration.auto_delete && exchange.router.is_empty();
        if self.exchanges.get(&id).is_some_and(unused) {
            self.remove_exchange(id);
        }
    }

    /// The exchange of a name.
    pub fn exchange_id(&self, name: &str) -> Option<ExchangeId> {
        self.exchange_names.get(name).copied()
    }

    /// Whether there is still such an exchange.
    pub fn has_exchange(&self, id: ExchangeId) -> bool {
        self.exchanges.contains_key(&id)
    }

    /// The name of an exchange, while there is such a one.
    pub fn exchange_name(&self, id: ExchangeId) -> Option<&ExchangeName> {
        self.exchanges.get(&id).map(|exchange| &exchange.declaration.name)
    }

    fn exchange(&self, name: &str) -> Result<ExchangeId, Fault> {
        let id = self.exchange_names.get(name).copied();
        id.ok_or_else(|| Fault::no_exchange(name, &self.vhost))
    }

    // Queues.

    /// The queue of a name, if this connection may use it.
    pub fn queue_for(&self, name: &str, connection: ConnectionId) -> Result<QueueId, Fault> {
        let id = self.queue_names.get(name).copied();
        let id = id.ok_or_else(|| Fault::no_queue(name, &self.vhost))?;
        match self.queues[&id].declared.owner {
            Some(owner) if owner != connection => Err(Fault::locked_queue(name, &self.vhost)),
            Some(_) | None => Ok(id),
        }
    }

    /// The queue of a name, whoever it belongs to.
    pub fn queue(&self, name: &str) -> Option<QueueId> {
        self.queue_names.get(name).copied()
    }

    /// How a queue was declared.
    pub fn declaration(&self, id: QueueId) -> Option<&Declaration> {
        self.queues.get(&id)
    }

    /// All queues, by name.
    pub fn queue_ids(&self) -> impl Iterator<Item = QueueId> {
        self.queue_names.values().copied()
    }

    /// How many exchanges there are.
    pub fn exchange_count(&self) -> usize {
        self.exchanges.len()
    }

    /// Compares a queue.declare with the queue of that name. `None`: there is none yet.
    pub fn redeclare_queue(&self, wanted: &Declaration) -> Option<Result<QueueId, Fault>> {
        let id = self.queue(wanted.name.as_str())?;
        Some(match inequivalent(&self.queues[&id], wanted) {
            None => Ok(id),
            Some(Inequivalent::Locked(_)) => Err(Fault::locked_queue(&wanted.name, &self.vhost)),
            Some(Inequivalent::Differs(difference)) => Err(Fault::precondition(difference)),
        })
    }

    /// Adds a queue; [`Self::redeclare_queue`] has said that there is none of its name.
    pub fn add_queue(&mut self, id: QueueId, declaration: Declaration) {
        debug_assert!(!self.queue_names.contains_key(declaration.name.as_str()));
        self.queue_names.insert(declaration.name.clone(), id);
        if declaration.declared.durable {
            self.changes.push(rows::queue(id, &declaration));
        }
        self.tell_of_queue(&declaration);
        if let Some(owner) = declaration.declared.owner {
            self.owned.entry(owner).or_default().insert(id);
        }
        self.govern_queue(id, &declaration);
        self.queues.insert(id, declaration);
        self.version += 1;
    }

    /// Removes a queue with its bindings.
    pub fn remove_queue(&mut self, id: QueueId) {
        self.forget_destination(Destination::Queue(id));
        self.pause_queue(id, false);
        let Some(declaration) = self.queues.remove(&id) else { return };
        self.governed.remove(&id);
        if declaration.declared.durable {
            self.changes.push(rows::gone(rows::queue(id, &declaration)));
        }
        self.queue_names.remove(&declaration.name);
        self.tell_queue_gone(&declaration);
        if let Some(owner) = declaration.declared.owner
            && let Some(owned) = self.owned.get_mut(&owner)
        {
            owned.remove(&id);
            if owned.is_empty() {
                self.owned.remove(&owner);
            }
        }
        self.version += 1;
    }

    /// The exclusive queues of a connection.
    pub fn queues_of(&self, owner: ConnectionId) -> Vec<QueueId> {
        self.owned.get(&owner).into_iter().flatten().copied().collect()
    }
}

fn exchange_kind(name: &str) -> Result<Kind, Fault> {
    let unknown = || match name {
        "" => Fault::precondition("invalid exchange type ''"),
        _ => Fault::precondition(format_args!("unknown exchange type '{name}'")),
    };
    Kind::parse(name).ok_or_else(unknown)
}

#[cfg(test)]
mod tests;
