//! What happens in a vhost, for those who listen at `amq.rabbitmq.event`: names and facts as
//! RabbitMQ's event exchange has them. While nobody listens nothing is noted.

use serde_json::Value as Json;

use super::exchange_options::ExchangeDeclaration;
use super::limits::{LIMITS, Limits, VHOST_LIMITS};
use super::properties::Properties;
use super::{Destination, ExchangeId, Topology};
use crate::names::ExchangeName;
use crate::policy::{Class, Policy};
use crate::queue::options::{Declaration, QueueKind};
use crate::routing;
use crate::routing::Kind;
use crate::wire::json;
use crate::wire::table::{ArrayBuilder, Table, TableBuilder, Value};

/// The exchange where events are told. Only one vhost has it.
pub const EVENTS: &str = "amq.rabbitmq.event";

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What: the routing key.
    pub key: &'static str,
    /// The facts.
    pub facts: Table,
}

#[derive(Debug, Default)]
pub(super) struct Happenings {
    watched: bool,
    told: Vec<Happening>,
}

impl Topology {
    /// Declares the exchange where events are told.
    pub fn add_event_exchange(&mut self) {
        self.add_exchange(ExchangeDeclaration {
            vhost: self.vhost.clone(),
            name: ExchangeName::from(EVENTS),
            kind: Kind::Topic,
            durable: true,
            auto_delete: false,
            internal: true,
            arguments: Table::default(),
        });
        // As the other predeclared ones it is there without being written down.
        self.changes.clear();
    }

    /// Whether anything is bound to the exchange where events are told.
    pub fn has_listeners(&self) -> bool {
        let events = self.exchange_id(EVENTS).and_then(|id| self.exchanges.get(&id));
        events.is_some_and(|exchange| !exchange.router.is_empty())
    }

    /// From now on what happens is noted, or it is not.
    pub fn watch(&mut self, watched: bool) {
        self.happenings.watched = watched;
    }

    /// What happened since this was last asked.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings.told)
    }

    pub(super) fn tell(&mut self, key: &'static str, facts: impl FnOnce() -> TableBuilder) {
        if self.happenings.watched {
            let vhost = Value::Text(self.vhost.as_str().as_bytes());
            let facts = facts().with("vhost", vhost).build();
            self.happenings.told.push(Happening { key, facts });
        }
    }

    pub(super) fn tell_of_queue(&mut self, queue: &Declaration) {
        self.tell("queue.created", || {
            TableBuilder::new()
                .with("name", text(queue.name.as_str()))
                .with("type", text(queue_type(queue)))
                .with("durable", Value::Bool(queue.declared.durable))
                .with("auto_delete", Value::Bool(queue.declared.auto_delete))
                .with("exclusive", Value::Bool(queue.declared.owner.is_some()))
                .with("arguments", Value::Table(queue.arguments.as_ref()))
        });
    }

    pub(super) fn tell_of_exchange(&mut self, exchange: &ExchangeDeclaration) {
        self.tell("exchange.created", || {
            TableBuilder::new()
                .with("name", text(exchange.name.as_str()))
                .with("type", text(exchange.kind.as_str()))
                .with("durable", Value::Bool(exchange.durable))
                .with("auto_delete", Value::Bool(exchange.auto_delete))
                .with("internal", Value::Bool(exchange.internal))
                .with("arguments", Value::Table(exchange.arguments.as_ref()))
        });
    }

    pub(super) fn tell_queue_gone(&mut self, queue: &Declaration) {
        self.tell("queue.deleted", || {
            TableBuilder::new()
                .with("name", text(queue.name.as_str()))
                .with("type", text(queue_type(queue)))
        });
    }

    /// Something named is gone.
    pub(super) fn tell_gone(&mut self, key: &'static str, name: &str) {
        self.tell(key, || TableBuilder::new().with("name", text(name)));
    }

    /// A binding came or went, whose ends are still there.
    pub(super) fn tell_of_binding(
        &mut self,
        key: &'static str,
        source: ExchangeId,
        binding: &routing::Binding<Destination>,
    ) {
        if !self.happenings.watched {
            return;
        }
        let name_of = |id: &ExchangeId| {
            self.exchanges.get(id).map(|exchange| exchange.declaration.name.to_string())
        };
        let (kind, destination) = match &binding.destination {
            Destination::Queue(id) => ("queue", self.queues.get(id).map(|it| it.name.to_string())),
            Destination::Exchange(id) => ("exchange", name_of(id)),
        };
        let (Some(source), Some(destination)) = (name_of(&source), destination) else { return };
        self.tell(key, || {
            TableBuilder::new()
                .with("source_name", text(&source))
                .with("source_kind", text("exchange"))
                .with("destination_name", text(&destination))
                .with("destination_kind", text(kind))
                .with("routing_key", text(binding.key.as_ref()))
                .with("arguments", Value::Table(binding.arguments.as_ref()))
        });
    }

    /// An operator policy is a parameter besides, as in RabbitMQ.
    pub(super) fn tell_of_policy(&mut self, class: Class, policy: &Policy) {
        if !self.happenings.watched {
            return;
        }
        let definition = Json::Object(policy.definition.as_map().clone());
        let said = [
            ("pattern", Json::from(policy.pattern.as_str())),
            ("apply-to", policy.apply_to.name().into()),
            ("priority", Json::Number(policy.priority.clone())),
            ("definition", definition),
        ];
        if class == Class::Operator {
            let value = said.clone().map(|(key, value)| (key.to_owned(), value));
            let value = Json::Object(value.into_iter().collect());
            self.tell_of_parameter(
                "parameter.set",
                (class.component(), &policy.name),
                Some(&value),
            );
        }
        self.tell("policy.set", || {
            let name = TableBuilder::new().with("name", text(&policy.name));
            said.iter().fold(name, |facts, (key, value)| with_json(facts, key, value))
        });
    }

    pub(super) fn tell_policy_gone(&mut self, class: Class, name: &str) {
        match class {
            Class::User => self.tell_gone("policy.cleared", name),
            Class::Operator => {
                self.tell_of_parameter("parameter.cleared", (class.component(), name), None);
                self.tell_gone("operator.policy.cleared", name);
            }
        }
    }

    pub(super) fn tell_of_parameter(
        &mut self,
        key: &'static str,
        (component, name): (&str, &str),
        value: Option<&Json>,
    ) {
        self.tell(key, || parameter(component, name, value));
    }

    /// The vhost's limits are others now. They are a parameter besides, as in RabbitMQ.
    pub(super) fn tell_of_limits(&mut self) {
        let limits = self.properties.limits.clone();
        let value = Json::Object(limits.to_json());
        self.tell_of_parameter("parameter.set", (VHOST_LIMITS, LIMITS), Some(&value));
        self.tell("vhost.limits.set", || limits.told());
    }
}

/// The facts of a parameter: without a value, of one that is gone.
pub fn parameter(component: &str, name: &str, value: Option<&Json>) -> TableBuilder {
    let facts = TableBuilder::new().with("component", text(component)).with("name", text(name));
    match value {
        Some(value) => with_json(facts, "value", value),
        None => facts,
    }
}

impl Limits {
    /// Their facts.
    pub fn told(&self) -> TableBuilder {
        let facts = TableBuilder::new().with("name", text(LIMITS));
        self.iter().fold(facts, |facts, (name, limit)| facts.with(name, Value::I64(limit)))
    }
}

impl Properties {
    /// Facts of a vhost.
    pub fn told(&self, vhost: &str) -> TableBuilder {
        let mut tags = ArrayBuilder::new();
        self.tags.iter().for_each(|tag| tags.push(text(tag)));
        TableBuilder::new()
            .with("name", text(vhost))
            .with("description", text(&self.description))
            .with("tags", tags.as_value())
            .with("default_queue_type", text(self.default_queue_type.unwrap_or_default().name()))
            .with("tracing", Value::Bool(self.tracing))
            .with("protected_from_deletion", Value::Bool(self.protected))
    }
}

/// What a table cannot say is told as JSON's own text.
fn with_json(mut facts: TableBuilder, key: &str, value: &Json) -> TableBuilder {
    if json::push(&mut facts, key, value).is_err() {
        facts.push(key, text(&value.to_string()));
    }
    facts
}

/// What RabbitMQ calls a kind of queue in events: the module that has its rules.
fn queue_type(queue: &Declaration) -> &'static str {
    match queue.kind().unwrap_or_default() {
        QueueKind::Classic => "rabbit_classic_queue",
        QueueKind::Quorum => "rabbit_quorum_queue",
        QueueKind::Stream => "rabbit_stream_queue",
    }
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{ConnectionId, QueueId};
    use crate::protocol::request::Binding;
    use crate::queue::options::Declared;

    fn binding(source: &str) -> Binding {
        Binding {
            source: source.into(),
            destination: "q".into(),
            routing_key: "#".into(),
            arguments: Table::default(),
        }
    }

    #[test]
    fn what_happens_is_told_while_somebody_listens() {
        let mut topology = Topology::new("/".into());
        topology.add_event_exchange();
        assert!(!topology.has_listeners());
        let declaration = Declaration {
            vhost: "/".into(),
            name: "q".into(),
            declared: Declared::default(),
            arguments: Table::default(),
        };
        topology.add_queue(QueueId(1), declaration);
        assert_eq!(topology.take_happenings(), [], "nobody listens");
        topology.bind_queue(&binding(EVENTS), ConnectionId(1)).expect("bound");
        assert!(topology.has_listeners());
        topology.watch(true);
        topology.bind_queue(&binding("amq.topic"), ConnectionId(1)).expect("bound");
        topology.remove_queue(QueueId(1));
        let told = topology.take_happenings();
        let keys: Vec<&str> = told.iter().map(|each| each.key).collect();
        let expected = ["binding.created", "binding.deleted", "binding.deleted", "queue.deleted"];
        assert_eq!(keys, expected);
        assert_eq!(told[0].facts.get("source_name"), Some(text("amq.topic")));
        assert_eq!(told[3].facts.get("name"), Some(text("q")));
        assert!(!topology.has_listeners());
    }
}
