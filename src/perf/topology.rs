//! What a load needs to exist on the broker, and where its messages go.

use super::connection::Connection;
use super::options::{ExchangeType, PerfArgs};
use crate::wire::method::{AnyMethod, exchange, field_table, queue};
use crate::wire::table::{Table, TableBuilder, Value};

/// Queues, perhaps an exchange, and their bindings.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    queues: usize,
    queue_prefix: String,
    queue_arguments: Table,
    durable: bool,
    /// The exchange; none is the default exchange.
    exchange: Option<(ExchangeType, String)>,
    keys: usize,
    extra_bindings: usize,
    /// Publishers rotate over the queues.
    spread: bool,
}

/// How a message is addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) exchange: String,
    pub(super) routing_key: String,
    /// Only for a headers exchange.
    pub(super) headers: Option<Table>,
}

impl Topology {
    /// As the arguments, which have been checked, ask for.
    pub(super) fn new(args: &PerfArgs) -> Self {
        let name = args.exchange.as_ref().unwrap_or(&args.queue_name);
        Self {
            queues: args.queues,
            queue_prefix: args.queue_name.clone(),
            queue_arguments: arguments(&args.queue_arg),
            durable: args.durable,
            exchange: args.exchange_type.map(|kind| (kind, name.clone())),
            keys: args.routing_keys,
            extra_bindings: args.extra_bindings,
            spread: args.spread,
        }
    }

    /// The queue that consumer `n` consumes from.
    pub(super) fn queue_of(&self, n: usize) -> String {
        self.queue_name(n % self.queues)
    }

    /// How often a message of publisher `n` is delivered when each of `consumers` has consumed
    /// what its queue got.
    pub(super) fn copies(&self, n: usize, consumers: usize) -> u64 {
        let consumed = consumers.min(self.queues);
        match self.exchange {
            Some((ExchangeType::Fanout, _)) => consumed as u64,
            Some((ExchangeType::ConsistentHash, _)) => (consumed == self.queues).into(),
            None | Some(_) if self.spread => (consumed == self.queues).into(),
            None
            | Some((ExchangeType::Direct | ExchangeType::Topic | ExchangeType::Headers, _)) => {
                (n % self.queues < consumed).into()
            }
        }
    }

    /// The addresses that publisher `n` rotates over.
    pub(super) fn addresses(&self, n: usize) -> Vec<Address> {
        let queues = if self.spread { self.queues } else { 1 };
        let all = |key| (n..n + queues).map(move |n| self.address(n % self.queues, key));
        (0..self.keys).flat_map(all).collect()
    }

    fn address(&self, queue: usize, key: usize) -> Address {
        let Some((kind, exchange)) = self.exchange.clone() else {
            let routing_key = self.queue_name(queue);
            return Address { exchange: String::new(), routing_key, headers: None };
        };
        let headers = (kind == ExchangeType::Headers).then(|| {
            let headers = TableBuilder::new().with("queue", Value::Text(place(queue).as_bytes()));
            headers.with("key", Value::I64(key as i64)).build()
        });
        Address { exchange, routing_key: routing_key(queue, key), headers }
    }

    fn queue_name(&self, n: usize) -> String {
        format!("{}-{n}", self.queue_prefix)
    }

    /// Where the extra bindings lead, if there are any.
    fn spare(&self) -> Option<String> {
        (self.extra_bindings > 0).then(|| format!("{}-spare", self.queue_prefix))
    }

    fn queue_names(&self) -> impl Iterator<Item = String> {
        (0..self.queues).map(|n| self.queue_name(n)).chain(self.spare())
    }

    /// The exchange, if it is ours to declare and to delete.
    fn own_exchange(&self) -> Option<(ExchangeType, &str)> {
        let (kind, name) = self.exchange.as_ref()?;
        (!name.starts_with("amq.")).then_some((*kind, name))
    }

    /// Declares all of it; what exists alike already is fine.
    pub(super) fn declare(&self, control: &mut Connection) -> anyhow::Result<()> {
        if let Some((kind, name)) = self.own_exchange() {
            control.call(AnyMethod::Exchange(exchange::AMQPMethod::Declare(
                exchange::Declare {
                    exchange: name.into(),
                    kind: kind.as_str().into(),
                    durable: self.durable,
                    ..exchange::Declare::default()
                },
            )))?;
        }
        control.call_all(
            self.queue_names()
                .map(|name| declare_queue(&name, self.durable, &self.queue_arguments)),
        )?;
        control.call_all(self.bindings())
    }

    /// Deletes all of it.
    pub(super) fn delete(&self, control: &mut Connection) -> anyhow::Result<()> {
        control.call_all(self.queue_names().map(|name| delete_queue(&name)))?;
        control.call_all(self.own_exchange().map(|(_, name)| {
            let delete = exchange::Delete { exchange: name.into(), ..exchange::Delete::default() };
            AnyMethod::Exchange(exchange::AMQPMethod::Delete(delete))
        }))
    }

    fn bindings(&self) -> Vec<AnyMethod> {
        let Some((kind, exchange)) = &self.exchange else { return Vec::new() };
        let bind = |queue: &str, routing_key: &str, arguments: Table| {
            AnyMethod::Queue(queue::AMQPMethod::Bind(queue::Bind {
                queue: queue.into(),
                exchange: exchange.as_str().into(),
                routing_key: routing_key.into(),
                arguments: field_table(&arguments),
                ..queue::Bind::default()
            }))
        };
        // One key per rotation where the exchange compares keys, one binding per place elsewhere.
        let bind_place = |queue: &str, place: &str| match kind {
            ExchangeType::Direct => (0..self.keys)
                .map(|key| bind(queue, &format!("perf.{place}.{key}"), Table::default()))
                .collect(),
            ExchangeType::Topic => vec![bind(queue, &format!("perf.{place}.*"), Table::default())],
            ExchangeType::Fanout => vec![bind(queue, "", Table::default())],
            // The binding's key is its weight.
            ExchangeType::ConsistentHash => vec![bind(queue, "1", Table::default())],
            ExchangeType::Headers => {
                let wanted = TableBuilder::new().with("x-match", Value::Text(b"all"));
                vec![bind(queue, "", wanted.with("queue", Value::Text(place.as_bytes())).build())]
            }
        };
        let extra = self.spare().into_iter().flat_map(|spare| {
            let bind_extra = |n| bind_place(&spare, &format!("x{n}")).into_iter().take(1);
            (0..self.extra_bindings).flat_map(bind_extra).collect::<Vec<_>>()
        });
        let own = (0..self.queues).flat_map(|n| bind_place(&self.queue_name(n), &place(n)));
        extra.chain(own).collect()
    }
}

/// queue.declare
pub(super) fn declare_queue(name: &str, durable: bool, arguments: &Table) -> AnyMethod {
    AnyMethod::Queue(queue::AMQPMethod::Declare(queue::Declare {
        queue: name.into(),
        durable,
        arguments: field_table(arguments),
        ..queue::Declare::default()
    }))
}

/// queue.delete
pub(super) fn delete_queue(name: &str) -> AnyMethod {
    let delete = queue::Delete { queue: name.into(), ..queue::Delete::default() };
    AnyMethod::Queue(queue::AMQPMethod::Delete(delete))
}

/// A queue's word in routing keys and headers.
fn place(queue: usize) -> String {
    format!("q{queue}")
}

fn routing_key(queue: usize, key: usize) -> String {
    format!("perf.{}.{key}", place(queue))
}

/// `--queue-arg` as a table.
pub(super) fn arguments(pairs: &[String]) -> Table {
    let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
    let table = pairs.fold(TableBuilder::new(), |table, (key, value)| {
        let whole = value.parse().map(Value::I64).ok();
        let truth = value.parse().map(Value::Bool).ok();
        table.with(key, whole.or(truth).unwrap_or(Value::Text(value.as_bytes())))
    });
    table.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        perf: PerfArgs,
    }

    fn topology(line: &str) -> Topology {
        let words = std::iter::once("perf").chain(line.split_whitespace());
        Topology::new(&Command::try_parse_from(words).unwrap().perf)
    }

    #[test]
    fn without_an_exchange_the_key_is_the_queue() {
        let one = topology("--queues 2 --queue-name q");
        let addresses = one.addresses(3);
        assert_eq!(addresses.len(), 1);
        assert_eq!((&*addresses[0].exchange, &*addresses[0].routing_key), ("", "q-1"));
        assert!(one.bindings().is_empty());
    }

    #[test]
    fn extra_bindings_lead_to_a_spare_queue() {
        let topic = topology("--exchange-type topic --extra-bindings 1000 --routing-keys 3");
        assert_eq!(topic.bindings().len(), 1001);
        assert_eq!(topic.queue_names().last().unwrap(), "warren-perf-spare");
        assert_eq!(topic.addresses(0)[2].routing_key, "perf.q0.2");
        let direct = topology("--exchange-type direct --extra-bindings 10 --routing-keys 3");
        assert_eq!(direct.bindings().len(), 13);
    }

    #[test]
    fn copies_are_those_that_someone_consumes() {
        let fanout = topology("--exchange-type fanout --queues 10");
        assert_eq!([1, 10, 20].map(|consumers| fanout.copies(0, consumers)), [1, 10, 10]);
        let plain = topology("--queues 2");
        assert_eq!([0, 1, 2].map(|publisher| plain.copies(publisher, 1)), [1, 0, 1]);
        let spread = topology("--queues 2 --spread");
        assert_eq!([1, 2].map(|consumers| spread.copies(0, consumers)), [0, 1]);
        let keys = spread.addresses(1).into_iter().map(|address| address.routing_key);
        assert_eq!(keys.collect::<Vec<_>>(), ["warren-perf-1", "warren-perf-0"]);
    }

    #[test]
    fn queue_arguments_have_the_types_that_they_look_like() {
        let table = arguments(&["x-max-length=5".into(), "on=true".into(), "x=a=b".into()]);
        assert_eq!(table.get("x-max-length"), Some(Value::I64(5)));
        assert_eq!(table.get("on"), Some(Value::Bool(true)));
        assert_eq!(table.get("x"), Some(Value::Text(b"a=b")));
    }
}
