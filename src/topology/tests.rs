//! Stories about a vhost.

use super::*;
use crate::protocol::fault::Code;
use crate::protocol::request::Binding;
use crate::queue::options::{Declared as Bits, QueueKind};
use crate::routing::Envelope;
use crate::wire::table::{TableBuilder, Value};

const ME: ConnectionId = ConnectionId(1);
const OTHER: ConnectionId = ConnectionId(2);

fn topology() -> Topology {
    Topology::new("/".into())
}

fn exchange(name: &str, kind: &str) -> DeclareExchange {
    DeclareExchange {
        exchange: name.into(),
        kind: kind.into(),
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: Table::default(),
    }
}

fn queue(topology: &mut Topology, id: u64, name: &str) -> QueueId {
    owned_queue(topology, id, name, None)
}

fn owned_queue(
    topology: &mut Topology,
    id: u64,
    name: &str,
    owner: Option<ConnectionId>,
) -> QueueId {
    let bits = Bits { durable: true, owner, ..Bits::default() };
    let declaration =
        Declaration::new("/".into(), name.into(), bits, &Table::default(), QueueKind::Classic);
    topology.add_queue(QueueId(id), declaration);
    QueueId(id)
}

fn binding(source: &str, destination: &str, key: &str) -> Binding {
    Binding {
        source: source.into(),
        destination: destination.into(),
        routing_key: key.into(),
        arguments: Table::default(),
    }
}

fn route(topology: &Topology, exchange: &str, key: &str) -> Vec<QueueId> {
    let keys = [key.as_bytes()];
    let routed = topology.route(exchange, &Envelope::with_keys(&keys), &mut JustAsking);
    routed.expect("the exchange is there").queues
}

#[test]
fn the_default_exchange_leads_to_the_queue_of_the_name() {
    let mut topology = topology();
    let q = queue(&mut topology, 1, "q");
    assert_eq!(route(&topology, "", "q"), [q]);
    assert_eq!(route(&topology, "", "other"), []);
}

#[test]
fn one_copy_however_many_ways_lead_there() {
    let mut topology = topology();
    let q = queue(&mut topology, 1, "q");
    for key in ["a.*", "*.b", "#"] {
        topology.bind_queue(&binding("amq.topic", "q", key), ME).expect("bound");
    }
    topology.bind_exchange(&binding("amq.topic", "amq.fanout", "#")).expect("bound");
    topology.bind_queue(&binding("amq.fanout", "q", ""), ME).expect("bound");
    assert_eq!(route(&topology, "amq.topic", "a.b"), [q]);
}

#[test]
fn a_circle_of_exchanges_ends() {
    let mut topology = topology();
    let q = queue(&mut topology, 1, "q");
    for (source, destination) in
        [("amq.fanout", "amq.direct"), ("amq.direct", "amq.topic"), ("amq.topic", "amq.fanout")]
    {
        let key = if source == "amq.topic" { "#" } else { "k" };
        topology.bind_exchange(&binding(source, destination, key)).expect("bound");
    }
    topology.bind_queue(&binding("amq.topic", "q", "k"), ME).expect("bound");
    assert_eq!(route(&topology, "amq.direct", "k"), [q]);
}

#[test]
fn an_alternate_exchange_takes_what_matched_nothing() {
    let mut topology = topology();
    let (q, rest) = (queue(&mut topology, 1, "q"), queue(&mut topology, 2, "rest"));
    let arguments =
        TableBuilder::new().with("alternate-exchange", Value::Text(b"amq.fanout")).build();
    topology
        .declare_exchange(&DeclareExchange { arguments, ..exchange("x", "direct") })
        .expect("new");
    topology.bind_queue(&binding("x", "q", "k"), ME).expect("bound");
    topology.bind_queue(&binding("amq.fanout", "rest", ""), ME).expect("bound");
    assert_eq!(route(&topology, "x", "k"), [q]);
    assert_eq!(route(&topology, "x", "other"), [rest]);
}

#[test]
fn auto_delete_exchanges_go_with_their_last_binding_one_after_the_other() {
    let mut topology = topology();
    let q = queue(&mut topology, 1, "q");
    for name in ["first", "second"] {
        let declare = DeclareExchange { auto_delete: true, ..exchange(name, "fanout") };
        topology.declare_exchange(&declare).expect("new");
    }
    topology.bind_exchange(&binding("first", "second", "")).expect("bound");
    topology.bind_queue(&binding("second", "q", ""), ME).expect("bound");
    assert_eq!(route(&topology, "first", ""), [q]);
    topology.remove_queue(q);
    assert!(topology.exchange("first").is_err() && topology.exchange("second").is_err());
    assert!(topology.bound.is_empty());
}

#[test]
fn what_goes_takes_its_bindings_along() {
    let mut topology = topology();
    let q = queue(&mut topology, 1, "q");
    topology.declare_exchange(&exchange("x", "direct")).expect("new");
    topology.bind_queue(&binding("x", "q", "k"), ME).expect("bound");
    topology.bind_exchange(&binding("amq.fanout", "x", "")).expect("bound");
    topology.delete_exchange("x", false).expect("deleted");
    topology.declare_exchange(&exchange("x", "direct")).expect("new");
    assert_eq!(route(&topology, "amq.fanout", "k"), []);
    topology.bind_queue(&binding("x", "q", "k"), ME).expect("bound");
    topology.remove_queue(q);
    queue(&mut topology, 2, "q");
    assert_eq!(route(&topology, "x", "k"), []);
}

#[test]
fn names_of_the_brokers_own() {
    let mut topology = topology();
    let refused = |result: Result<(), Fault>| result.expect_err("refused").code;
    assert_eq!(
        refused(topology.declare_exchange(&exchange("amq.new", "direct"))),
        Code::AccessRefused
    );
    assert_eq!(refused(topology.declare_exchange(&exchange("", "direct"))), Code::AccessRefused);
    assert_eq!(refused(topology.delete_exchange("amq.direct", false)), Code::AccessRefused);
    assert_eq!(refused(topology.delete_exchange("", false)), Code::AccessRefused);
    assert_eq!(
        refused(topology.declare_exchange(&exchange("amq.direct", "fanout"))),
        Code::PreconditionFailed
    );
    topology.declare_exchange(&exchange("amq.direct", "direct")).expect("the same");
}

#[test]
fn an_exclusive_queue_is_its_connections_own() {
    let mut topology = topology();
    let q = owned_queue(&mut topology, 1, "q", Some(ME));
    assert_eq!(topology.queue_for("q", ME), Ok(q));
    assert_eq!(topology.queue_for("q", OTHER), Err(Fault::locked_queue("q", "/")));
    assert_eq!(topology.queues_of(ME), [q]);
    assert_eq!(route(&topology, "", "q"), [q], "everybody may publish to it");
}

#[test]
fn every_way_a_message_could_change_has_a_version() {
    let mut topology = topology();
    let mut last = topology.version();
    let mut changed = |topology: &Topology, what: &str| {
        assert_ne!(topology.version(), last, "{what}");
        last = topology.version();
    };
    let q = queue(&mut topology, 1, "q");
    changed(&topology, "queue");
    topology.declare_exchange(&exchange("x", "direct")).expect("new");
    changed(&topology, "exchange");
    topology.bind_queue(&binding("x", "q", "k"), ME).expect("bound");
    changed(&topology, "binding");
    topology.unbind_queue(&binding("x", "q", "k"), ME).expect("unbound");
    changed(&topology, "no binding");
    topology.remove_queue(q);
    changed(&topology, "no queue");
    topology.delete_exchange("x", false).expect("deleted");
    changed(&topology, "no exchange");
}

/// The rows that are left after all changes so far.
fn rows_of(topology: &mut Topology, rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for change in topology.take_changes() {
        match change.value {
            Some(value) => {
                rows.insert(change.key, value);
            }
            None => {
                assert!(rows.remove(&change.key).is_some(), "what goes was written");
            }
        }
    }
}

#[test]
fn what_is_durable_comes_back_from_its_rows() {
    let mut topology = topology();
    let mut rows = BTreeMap::new();
    let (q, temporary) = (queue(&mut topology, 1, "q"), queue(&mut topology, 2, "temporary"));
    owned_queue(&mut topology, 3, "mine", Some(ME));
    topology.declare_exchange(&exchange("x", "topic")).expect("new");
    let transient = DeclareExchange { durable: false, ..exchange("t", "fanout") };
    topology.declare_exchange(&transient).expect("new");
    for (source, destination, key) in [
        ("x", "q", "a.#"),
        ("x", "q", "b"),
        ("x", "temporary", "#"),
        ("x", "mine", "#"),
        ("t", "q", ""),
    ] {
        topology.bind_queue(&binding(source, destination, key), ME).expect("bound");
    }
    topology.bind_exchange(&binding("amq.fanout", "x", "")).expect("bound");
    topology.unbind_queue(&binding("x", "q", "b"), ME).expect("unbound");
    rows_of(&mut topology, &mut rows);
    topology.remove_queue(temporary);
    rows_of(&mut topology, &mut rows);

    let mut restored = Topology::new("/".into());
    let mut read: Vec<Row> =
        rows.iter().map(|(key, value)| rows::read(key, value).expect("readable")).collect();
    read.sort_by_key(|row| matches!(row, Row::Binding(_)));
    for row in read {
        restored.restore(row);
    }
    assert_eq!(restored.take_changes(), []);
    assert_eq!(route(&restored, "x", "a.b"), [q]);
    assert_eq!(route(&restored, "x", "b"), []);
    assert_eq!(route(&restored, "amq.fanout", "a.b"), [q]);
    assert!(restored.exchange("t").is_err() && restored.queue("mine").is_none());

    restored.delete_exchange("x", false).expect("deleted");
    restored.remove_queue(q);
    rows_of(&mut restored, &mut rows);
    assert!(rows.is_empty(), "everything is gone: {rows:?}");
}
