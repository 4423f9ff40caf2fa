//! Bindings: made, undone, and gone with what they bind.

use super::rows::{self, BindingRow, RowChange};
use super::{Destination, Exchange, ExchangeId, Topology};
use crate::names::ConnectionId;
use crate::protocol::fault::Fault;
use crate::protocol::request::Binding;
use crate::queue::options::{Declaration, QueueKind};
use crate::routing::{self, BadBinding, Kind};

impl Topology {
    /// exchange.bind
    pub fn bind_exchange(&mut self, binding: &Binding) -> Result<(), Fault> {
        if binding.source.is_empty() || binding.destination.is_empty() {
            return Err(Fault::default_exchange());
        }
        let source = self.exchange(&binding.source)?;
        let destination = Destination::Exchange(self.exchange(&binding.destination)?);
        self.bind(source, destination, binding)
    }

    /// exchange.unbind; what is not there is unbound already.
    pub fn unbind_exchange(&mut self, binding: &Binding) -> Result<(), Fault> {
        if binding.source.is_empty() || binding.destination.is_empty() {
            return Err(Fault::default_exchange());
        }
        let (Ok(source), Ok(destination)) =
            (self.exchange(&binding.source), self.exchange(&binding.destination))
        else {
            return Ok(());
        };
        self.unbind(source, Destination::Exchange(destination), binding);
        Ok(())
    }

    /// queue.bind by a connection.
    pub fn bind_queue(&mut self, binding: &Binding, by: ConnectionId) -> Result<(), Fault> {
        if binding.source.is_empty() {
            return Err(Fault::default_exchange());
        }
        let source = self.exchange(&binding.source)?;
        let queue = self.queue_for(&binding.destination, by)?;
        self.bind(source, Destination::Queue(queue), binding)
    }

    /// queue.unbind by a connection; what is not there is unbound already, whoever asks.
    pub fn unbind_queue(&mut self, binding: &Binding, by: ConnectionId) -> Result<(), Fault> {
        if binding.source.is_empty() {
            return Err(Fault::default_exchange());
        }
        let queue = self.queue_names.get(binding.destination.as_str()).copied();
        let (Ok(source), Some(queue)) = (self.exchange(&binding.source), queue) else {
            return Ok(());
        };
        let destination = Destination::Queue(queue);
        if self.exchanges[&source].is_bound(destination, binding) {
            self.queue_for(&binding.destination, by)?;
            self.unbind(source, destination, binding);
        }
        Ok(())
    }

    fn bind(
        &mut self,
        source: ExchangeId,
        destination: Destination,
        binding: &Binding,
    ) -> Result<(), Fault> {
        let seed = self.seed(destination);
        self.check_binding(source, destination, binding).map_err(Fault::precondition)?;
        let Some(exchange) = self.exchanges.get_mut(&source) else { return Ok(()) };
        if exchange.router.bind(destination, seed, &binding.routing_key, &binding.arguments) {
            self.bound.entry(destination).or_default().insert(source);
            self.version += 1;
            if exchange.station.as_ref().is_some_and(|station| station.history.is_some()) {
                self.newcomers.push((source, destination));
            }
            self.changes.extend(self.row(source, destination, binding));
            let binding =
                routing::Binding::new(destination, &binding.routing_key, &binding.arguments);
            self.tell_of_binding("binding.created", source, &binding);
        }
        Ok(())
    }

    fn check_binding(
        &self,
        source: ExchangeId,
        destination: Destination,
        binding: &Binding,
    ) -> Result<(), BadBinding> {
        let Some(exchange) = self.exchanges.get(&source) else { return Ok(()) };
        let kind = exchange.router.kind();
        kind.check_binding(&binding.routing_key, &binding.arguments)?;
        match destination {
            _ if kind != Kind::LocalRandom => Ok(()),
            Destination::Exchange(_) => Err(BadBinding::NoQueue),
            Destination::Queue(id) => {
                // The others may be led by another node.
                let kind = self.queues.get(&id).and_then(Declaration::kind);
                match kind.unwrap_or_default() {
                    QueueKind::Classic => Ok(()),
                    other @ (QueueKind::Quorum | QueueKind::Stream) => {
                        Err(BadBinding::QueueKind(other.module()))
                    }
                }
            }
        }
    }

    /// What exchanges that hash tell a destination by: its name, which survives what its number
    /// does not.
    fn seed(&self, destination: Destination) -> u64 {
        match destination {
            Destination::Queue(id) => {
                let name = self.queues.get(&id).map_or("", |queue| queue.name.as_str());
                routing::seed(&["queue", name])
            }
            Destination::Exchange(id) => {
                let exchange = self.exchanges.get(&id);
                let name = exchange.map_or("", |each| each.declaration.name.as_str());
                routing::seed(&["exchange", name])
            }
        }
    }

    fn unbind(&mut self, source: ExchangeId, destination: Destination, binding: &Binding) {
        let Some(exchange) = self.exchanges.get_mut(&source) else { return };
        if !exchange.router.unbind(destination, &binding.routing_key, &binding.arguments) {
            return;
        }
        self.version += 1;
        if exchange.router.bindings_to(destination).next().is_none()
            && let Some(sources) = self.bound.get_mut(&destination)
        {
            sources.remove(&source);
            if sources.is_empty() {
                self.bound.remove(&destination);
            }
        }
        self.changes.extend(self.row(source, destination, binding).map(rows::gone));
        let binding = routing::Binding::new(destination, &binding.routing_key, &binding.arguments);
        self.tell_of_binding("binding.deleted", source, &binding);
        self.remove_if_unused(source);
    }

    /// Removes every binding to a destination that is about to go, and the auto-delete exchanges
    /// that go with them.
    pub(super) fn forget_destination(&mut self, destination: Destination) {
        let sources = self.bound.remove(&destination).unwrap_or_default();
        for source in sources {
            let Some(exchange) = self.exchanges.get(&source) else { continue };
            let bindings: Vec<_> = exchange.router.bindings_to(destination).cloned().collect();
            let gone = bindings
                .iter()
                .filter_map(|binding| self.row_of(exchange, binding))
                .map(rows::gone);
            let gone: Vec<RowChange> = gone.collect();
            self.changes.extend(gone);
            for binding in &bindings {
                self.tell_of_binding("binding.deleted", source, binding);
            }
            if let Some(exchange) = self.exchanges.get_mut(&source) {
                exchange.router.remove_destination(destination);
            }
            self.remove_if_unused(source);
        }
    }

    /// Notes that every binding of an exchange goes, which is about to go itself.
    pub(super) fn note_bindings_gone(&mut self, source: ExchangeId) {
        let Some(exchange) = self.exchanges.get(&source) else { return };
        let bindings: Vec<_> = exchange.router.bindings().cloned().collect();
        let gone =
            bindings.iter().filter_map(|binding| self.row_of(exchange, binding)).map(rows::gone);
        let gone: Vec<RowChange> = gone.collect();
        self.changes.extend(gone);
        for binding in &bindings {
            self.tell_of_binding("binding.deleted", source, binding);
        }
    }

    /// Takes a binding back, at start.
    pub(super) fn restore_binding(&mut self, row: &BindingRow) {
        let name = row.destination.as_str();
        let destination = if row.to_queue {
            self.queue_names.get(name).copied().map(Destination::Queue)
        } else {
            self.exchange_names.get(name).copied().map(Destination::Exchange)
        };
        let source = self.exchange_names.get(row.source.as_str()).copied();
        // A binding whose ends are not both there was being removed with one of them.
        if let (Some(source), Some(destination)) = (source, destination)
            && let seed = self.seed(destination)
            && let Some(exchange) = self.exchanges.get_mut(&source)
            && exchange.router.bind(destination, seed, &row.routing_key, &row.arguments)
        {
            self.bound.entry(destination).or_default().insert(source);
            self.version += 1;
        }
    }

    /// The row of a binding, if both its ends are durable.
    fn row(
        &self,
        source: ExchangeId,
        destination: Destination,
        binding: &Binding,
    ) -> Option<RowChange> {
        let binding = routing::Binding::new(destination, &binding.routing_key, &binding.arguments);
        self.row_of(self.exchanges.get(&source)?, &binding)
    }

    fn row_of(
        &self,
        exchange: &Exchange,
        binding: &routing::Binding<Destination>,
    ) -> Option<RowChange> {
        let (to_queue, name, durable) = match binding.destination {
            Destination::Queue(id) => {
                let queue = self.queues.get(&id)?;
                (true, queue.name.to_string(), queue.declared.durable)
            }
            Destination::Exchange(id) => {
                let declaration = &self.exchanges.get(&id)?.declaration;
                (false, declaration.name.to_string(), declaration.durable)
            }
        };
        (durable && exchange.declaration.durable).then(|| {
            rows::binding(&BindingRow {
                vhost: self.vhost.to_string(),
                source: exchange.declaration.name.to_string(),
                to_queue,
                destination: name,
                routing_key: binding.key.to_string(),
                arguments: binding.arguments.clone(),
            })
        })
    }
}
