//! Which rights each request needs, in RabbitMQ's order. What is refused for another reason
//! (reserved names, the default exchange) is left to those who know that reason.

use super::access::{Denied, Resource, Right};
use super::perform::Asker;
use super::reply_to::PSEUDO_QUEUE;
use crate::protocol::request::{Binding, DeclareExchange, DeclareQueue, Request};
use crate::routing::Kind;
use crate::wire::table::{Table, Value};

impl Asker<'_> {
    /// Whether the user may ask for this.
    pub(super) fn permit(&mut self, request: &Request) -> Result<(), Denied> {
        match request {
            Request::DeclareExchange(declare) => self.permit_exchange(declare),
            Request::DeleteExchange { exchange, .. } => {
                if exchange.is_empty() || is_reserved(exchange) {
                    return Ok(());
                }
                self.access.check(Right::Configure, Resource::Exchange(exchange))
            }
            Request::BindExchange(binding) | Request::UnbindExchange(binding) => {
                let destination = Resource::Exchange(&binding.destination);
                self.permit_binding(binding, destination, &binding.routing_key)
            }
            Request::DeclareQueue(declare) => self.permit_queue(declare),
            Request::BindQueue(binding) | Request::UnbindQueue(binding) => {
                let queue = self.name(binding.destination.clone())?;
                let unnamed = binding.destination.is_empty() && binding.routing_key.is_empty();
                let key = if unnamed { &queue } else { &binding.routing_key };
                self.permit_binding(binding, Resource::Queue(&queue), key)
            }
            Request::PurgeQueue { queue } | Request::Get { queue, .. } => self.permit_read(queue),
            Request::Consume(consume) if consume.queue == PSEUDO_QUEUE => Ok(()),
            Request::Consume(consume) => self.permit_read(&consume.queue),
            Request::DeleteQueue { queue, .. } => {
                let queue = self.name(queue.clone())?;
                self.access.check(Right::Configure, Resource::Queue(&queue))
            }
            Request::Cancel { .. } => Ok(()),
        }
    }

    fn permit_read(&mut self, queue: &str) -> Result<(), Denied> {
        let queue = self.name(queue.to_owned())?;
        self.access.check(Right::Read, Resource::Queue(&queue))
    }

    /// Whoever gives an exchange an alternate exchange publishes what it does not route there.
    fn permit_exchange(&mut self, declare: &DeclareExchange) -> Result<(), Denied> {
        let name = declare.exchange.as_str();
        if declare.passive || name.is_empty() || Kind::parse(&declare.kind).is_none() {
            return Ok(());
        }
        self.access.check(Right::Configure, Resource::Exchange(name))?;
        let exists = self.vhost.look(|topology| topology.kind_of(name).is_some());
        match argument(&declare.arguments, "alternate-exchange") {
            Some(alternate) if !exists && !is_reserved(name) => {
                self.access.check(Right::Read, Resource::Exchange(name))?;
                self.access.check(Right::Write, Resource::Exchange(alternate))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whoever gives a queue a dead-letter exchange publishes what dies in it there.
    fn permit_queue(&mut self, declare: &DeclareQueue) -> Result<(), Denied> {
        let name = declare.queue.as_str();
        if declare.passive || is_reserved(name) {
            return Ok(());
        }
        // The broker chooses a name like this one.
        let chosen = name.is_empty().then(|| self.access.chosen_name());
        let name = chosen.as_deref().unwrap_or(name);
        self.access.check(Right::Configure, Resource::Queue(name))?;
        let exists = self.vhost.look(|topology| topology.queue(name).is_some());
        match argument(&declare.arguments, "x-dead-letter-exchange") {
            Some(dead_letters) if !exists => {
                self.access.check(Right::Read, Resource::Queue(name))?;
                self.access.check(Right::Write, Resource::Exchange(dead_letters))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A binding writes to where it leads, and reads from where it begins.
    fn permit_binding(
        &mut self,
        binding: &Binding,
        destination: Resource<'_>,
        key: &str,
    ) -> Result<(), Denied> {
        self.access.check(Right::Write, destination)?;
        let source = binding.source.as_str();
        if source.is_empty() || destination == Resource::Exchange("") {
            return Ok(());
        }
        self.access.check(Right::Read, Resource::Exchange(source))?;
        let kind = self.vhost.look(|topology| topology.kind_of(source));
        if kind == Some(Kind::Topic) {
            self.access.check_topic(Right::Read, source, key)?;
        }
        Ok(())
    }
}

fn is_reserved(name: &str) -> bool {
    name.starts_with("amq.")
}

fn argument<'a>(arguments: &'a Table, name: &str) -> Option<&'a str> {
    match arguments.get(name) {
        Some(Value::Text(text)) => std::str::from_utf8(text).ok(),
        Some(_) | None => None,
    }
}
