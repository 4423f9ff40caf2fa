//! What there is, for reports and definitions.

use std::sync::Arc;

use super::exchange_options::ExchangeDeclaration;
use super::{Destination, Exchange, Topology};
use crate::names::{ExchangeName, QueueId, QueueName};
use crate::queue::options::Declaration;
use crate::routing;
use crate::wire::table::Table;

/// A binding by the names of what it binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBinding {
    /// Where messages come from.
    pub source: ExchangeName,
    /// Where they go.
    pub destination: NamedDestination,
    /// The binding key.
    pub routing_key: Arc<str>,
    /// Its arguments.
    pub arguments: Table,
}

/// What a binding leads to, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedDestination {
    /// A queue.
    Queue(QueueName),
    /// An exchange.
    Exchange(ExchangeName),
}

impl NamedDestination {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Queue(name) => name.as_str(),
            Self::Exchange(name) => name.as_str(),
        }
    }
}

impl Topology {
    /// All exchanges but the default one, by name.
    pub fn exchanges(&self) -> impl Iterator<Item = &ExchangeDeclaration> {
        self.exchange_names.values().map(|id| &self.exchanges[id].declaration)
    }

    /// How an exchange was declared.
    pub fn exchange_named(&self, name: &str) -> Option<&ExchangeDeclaration> {
        self.exchange_names.get(name).map(|id| &self.exchanges[id].declaration)
    }

    /// All queues, by name, and how they were declared.
    pub fn declarations(&self) -> impl Iterator<Item = (QueueId, &Declaration)> {
        self.queue_names.values().map(|id| (*id, &self.queues[id]))
    }

    /// All bindings, by the name of their source; those to the default exchange are left out.
    pub fn named_bindings(&self) -> Vec<NamedBinding> {
        let all = self.exchange_names.values().flat_map(|id| {
            let exchange = &self.exchanges[id];
            exchange.router.bindings().map(move |binding| (exchange, binding))
        });
        all.filter_map(|(exchange, binding)| self.named(exchange, binding)).collect()
    }

    /// The bindings that an exchange is the source of.
    pub fn bindings_from(&self, exchange: &str) -> Vec<NamedBinding> {
        let Some(exchange) = self.exchange_names.get(exchange).map(|id| &self.exchanges[id]) else {
            return Vec::new();
        };
        exchange.router.bindings().filter_map(|each| self.named(exchange, each)).collect()
    }

    /// The bindings that lead to an exchange.
    pub fn bindings_to_exchange(&self, name: &str) -> Vec<NamedBinding> {
        let id = self.exchange_names.get(name).copied();
        id.map_or_else(Vec::new, |id| self.bindings_to(Destination::Exchange(id)))
    }

    /// The bindings that lead to a queue.
    pub fn bindings_to_queue(&self, name: &str) -> Vec<NamedBinding> {
        let id = self.queue_names.get(name).copied();
        id.map_or_else(Vec::new, |id| self.bindings_to(Destination::Queue(id)))
    }

    fn bindings_to(&self, destination: Destination) -> Vec<NamedBinding> {
        let sources = self.bound.get(&destination).into_iter().flatten();
        let exchanges = sources.filter_map(|id| self.exchanges.get(id));
        let all = exchanges.flat_map(|exchange| {
            exchange.router.bindings_to(destination).map(move |binding| (exchange, binding))
        });
        all.filter_map(|(exchange, binding)| self.named(exchange, binding)).collect()
    }

    fn named(
        &self,
        source: &Exchange,
        binding: &routing::Binding<Destination>,
    ) -> Option<NamedBinding> {
        let destination = match binding.destination {
            Destination::Queue(id) => NamedDestination::Queue(self.queues.get(&id)?.name.clone()),
            Destination::Exchange(id) => {
                let exchange = self.exchanges.get(&id)?;
                NamedDestination::Exchange(exchange.declaration.name.clone())
            }
        };
        Some(NamedBinding {
            source: source.declaration.name.clone(),
            destination,
            routing_key: Arc::clone(&binding.key),
            arguments: binding.arguments.clone(),
        })
    }
}
