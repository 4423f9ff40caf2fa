//! Policies come, change and go, and what they govern with them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::names::QueueId;
use crate::protocol::request::{Binding, DeclareExchange};
use crate::queue::options::{Declared, QueueKind};
use crate::routing::Envelope;
use crate::topology::JustAsking;
use crate::topology::rows::{Row, RowChange};
use crate::wire::table::{Table, TableBuilder, Value as Argument};

const ME: crate::names::ConnectionId = crate::names::ConnectionId(1);

fn vhost() -> Topology {
    Topology::new("/".into())
}

fn policy(name: &str, pattern: &str, priority: i64, definition: &Value) -> Policy {
    let said = json!({"pattern": pattern, "priority": priority, "definition": definition});
    Policy::read(Class::User, name, said.as_object().unwrap()).unwrap()
}

fn queue(topology: &mut Topology, id: u64, name: &str) {
    queue_with(topology, id, name, &Table::default());
}

fn queue_with(topology: &mut Topology, id: u64, name: &str, arguments: &Table) {
    let bits = Declared { durable: true, ..Declared::default() };
    let declaration =
        Declaration::new("/".into(), name.into(), bits, arguments, QueueKind::Classic);
    topology.add_queue(QueueId(id), declaration);
}

fn exchange(topology: &mut Topology, name: &str, arguments: Table) {
    let declare = DeclareExchange {
        exchange: name.into(),
        kind: "direct".into(),
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments,
    };
    topology.declare_exchange(&declare).expect("new");
}

fn length(topology: &Topology, id: u64) -> Option<u64> {
    let declaration = topology.declaration(QueueId(id)).expect("there");
    topology.settings(declaration).max_length
}

#[test]
fn queues_that_are_there_and_queues_that_come() {
    let mut topology = vhost();
    queue(&mut topology, 1, "orders");
    queue(&mut topology, 2, "other");
    let short = policy("short", "^orders", 0, &json!({"max-length": 5}));
    let (new, told) = topology.put_policy(Class::User, short);
    assert!(new);
    let told: Vec<_> = told.into_iter().map(|(id, to)| (id.0, to.max_length)).collect();
    assert_eq!(told, [(1, Some(5))]);
    queue(&mut topology, 3, "orders.eu");
    assert_eq!((length(&topology, 3), length(&topology, 2)), (Some(5), None));
    assert_eq!(topology.governing(QueueId(3)).policy.expect("one").name, "short");

    // What changes nothing for a queue is not told.
    let same = policy("short", "^orders", 7, &json!({"max-length": 5}));
    assert_eq!(topology.put_policy(Class::User, same), (false, vec![]));

    let operator = policy("cap", "", 0, &json!({"max-length": 3}));
    let (_, told) = topology.put_policy(Class::Operator, operator);
    assert_eq!(told.len(), 3);
    assert_eq!([1, 2, 3].map(|id| length(&topology, id)), [Some(3); 3]);
    assert_eq!(topology.delete_policy(Class::User, "short").expect("there"), []);
    assert_eq!(topology.delete_policy(Class::Operator, "cap").expect("there").len(), 3);
    assert_eq!(topology.delete_policy(Class::User, "short"), None);
    assert_eq!([1, 2, 3].map(|id| length(&topology, id)), [None; 3]);
    assert!(topology.governed.is_empty());
}

#[test]
fn an_exchange_gets_and_loses_its_alternate_exchange() {
    let mut topology = vhost();
    queue(&mut topology, 1, "q");
    let declared = TableBuilder::new().with("alternate-exchange", Argument::Text(b"own"));
    exchange(&mut topology, "x", Table::default());
    exchange(&mut topology, "has", declared.build());
    let binding = Binding {
        source: "amq.fanout".into(),
        destination: "q".into(),
        routing_key: String::new(),
        arguments: Table::default(),
    };
    topology.bind_queue(&binding, ME).expect("bound");
    let route = |topology: &Topology, exchange| {
        let message = Envelope::with_keys(&[b"k"]);
        topology.route(exchange, &message, &mut JustAsking).expect("there").queues.len()
    };
    let version = topology.version();
    let said = json!({"alternate-exchange": "amq.fanout"});
    topology.put_policy(Class::User, policy("ae", "^(x|has|y)$", 0, &said));
    assert_ne!(topology.version(), version, "who remembers routes forgets them");
    assert_eq!((route(&topology, "x"), route(&topology, "has")), (1, 0));
    exchange(&mut topology, "y", Table::default());
    assert_eq!(route(&topology, "y"), 1);
    // One that says nothing to exchanges hides it all the same.
    let hides = policy("hides", "^x$", 9, &json!({"max-length": 1}));
    topology.put_policy(Class::User, hides);
    assert_eq!(route(&topology, "x"), 0);
    assert_eq!(topology.governing_exchange("x").policy.expect("one").name, "hides");
    topology.delete_policy(Class::User, "hides").expect("there");
    assert_eq!(route(&topology, "x"), 1);
    topology.delete_policy(Class::User, "ae").expect("there");
    assert_eq!(route(&topology, "x"), 0);
}

#[test]
fn a_queue_that_is_gone_is_governed_no_more() {
    let mut topology = vhost();
    topology.put_policy(Class::User, policy("p", "", 0, &json!({"max-length": 5})));
    queue(&mut topology, 1, "q");
    topology.remove_queue(QueueId(1));
    assert!(topology.governed.is_empty());
    assert_eq!(topology.delete_policy(Class::User, "p").expect("there"), []);
}

/// The rows that are left.
fn write(topology: &mut Topology, rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    apply(topology.take_changes(), rows);
}

fn apply(changes: Vec<RowChange>, rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for RowChange { key, value } in changes {
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        };
    }
}

fn read(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> Topology {
    let mut read: Vec<Row> =
        rows.iter().map(|(key, value)| rows::read(key, value).expect("readable")).collect();
    read.sort_by_key(|row| match row {
        Row::Rule(_) => 0,
        Row::Exchange(_) | Row::Queue(..) => 1,
        Row::Binding(_) | Row::Paused(..) => 2,
    });
    let mut topology = vhost();
    read.into_iter().for_each(|row| topology.restore(row));
    topology
}

#[test]
fn everything_comes_back_and_the_end_leaves_nothing() {
    let mut topology = vhost();
    let mut rows = BTreeMap::new();
    let body = json!({"description": "d", "tags": "t", "default_queue_type": "quorum"});
    let properties = topology.properties().put(body.as_object().unwrap()).unwrap();
    topology.set_properties(properties);
    topology.set_limit("max-queues", &json!(2)).expect("good");
    topology.put_policy(Class::User, policy("p", "", 3, &json!({"max-length": 5})));
    topology.put_policy(Class::Operator, policy("o", "", 3, &json!({"expires": 5000})));
    queue(&mut topology, 1, "q");
    exchange(&mut topology, "x", Table::default());
    let upstream = json!({"uri": "amqp://there"});
    let put = |topology: &mut Topology, name| {
        topology.put_parameter("federation-upstream", name, upstream.clone())
    };
    assert_eq!(put(&mut topology, "up"), Ok(true));
    assert_eq!(put(&mut topology, "up"), Ok(false));
    assert_eq!(put(&mut topology, "other"), Ok(true));
    assert!(topology.delete_parameter("federation-upstream", "other"));
    assert!(!topology.delete_parameter("federation-upstream", "other"));
    write(&mut topology, &mut rows);

    let mut back = read(&rows);
    assert_eq!(back.take_changes(), []);
    assert_eq!(back.properties(), topology.properties());
    assert_eq!(back.parameters(), topology.parameters());
    assert_eq!(back.governing(QueueId(1)), topology.governing(QueueId(1)));
    assert_eq!(length(&back, 1), Some(5));
    assert_eq!(back.check_queue_limit("r"), Ok(()));
    queue(&mut back, 2, "r");
    let refused = back.check_queue_limit("s").expect_err("two are there").to_string();
    let text = "PRECONDITION_FAILED - cannot declare queue 's': queue limit in vhost '/' (2) is \
                reached";
    assert_eq!(refused, text);

    write(&mut back, &mut rows);
    let (queues, changes) = back.end();
    assert_eq!(queues, [QueueId(1), QueueId(2)]);
    assert!(back.is_ended());
    apply(changes, &mut rows);
    assert!(rows.is_empty(), "everything is gone: {rows:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Put(Class, &'static str, &'static str, i64, u64),
    Delete(Class, &'static str),
    Declare(u64),
    Remove(u64),
}

fn some_steps() -> impl Strategy<Value = Vec<Step>> {
    let class = prop_oneof![Just(Class::User), Just(Class::Operator)];
    let name = prop::sample::select(&["a", "b", "c"][..]);
    let pattern = prop::sample::select(&["", "1", "[23]", "^q[0-2]$"][..]);
    let put = (class.clone(), name.clone(), pattern, 0..3_i64, 0..9_u64);
    prop::collection::vec(
        prop_oneof![
            4 => put.prop_map(|(class, name, pattern, priority, length)| {
                Step::Put(class, name, pattern, priority, length)
            }),
            2 => (class, name).prop_map(|(class, name)| Step::Delete(class, name)),
            3 => (0..5_u64).prop_map(Step::Declare),
            1 => (0..5_u64).prop_map(Step::Remove),
        ],
        0..40,
    )
}

proptest! {
    /// What queues were told is what they would be told if they came last; and it is so again
    /// after a restart.
    #[test]
    fn the_order_of_queues_and_policies_does_not_matter(steps in some_steps()) {
        let (mut topology, mut rows) = (vhost(), BTreeMap::new());
        let mut told: BTreeMap<u64, Settings> = BTreeMap::new();
        for step in steps {
            let reconfigured = match step {
                Step::Put(class, name, pattern, priority, length) => {
                    let said = json!({"max-length": length});
                    topology.put_policy(class, policy(name, pattern, priority, &said)).1
                }
                Step::Delete(class, name) => {
                    topology.delete_policy(class, name).unwrap_or_default()
                }
                Step::Declare(id) => {
                    if topology.declaration(QueueId(id)).is_none() {
                        queue(&mut topology, id, &format!("q{id}"));
                        let declaration = topology.declaration(QueueId(id)).expect("there");
                        told.insert(id, topology.settings(declaration));
                    }
                    Vec::new()
                }
                Step::Remove(id) => {
                    topology.remove_queue(QueueId(id));
                    told.remove(&id);
                    Vec::new()
                }
            };
            for (id, settings) in reconfigured {
                let before = told.insert(id.0, settings.clone());
                prop_assert_ne!(before, Some(settings), "a queue is told what is new");
            }
            write(&mut topology, &mut rows);
        }
        let back = read(&rows);
        for (id, settings) in told {
            let declaration = topology.declaration(QueueId(id)).expect("there");
            prop_assert_eq!(&topology.settings(declaration), &settings);
            prop_assert_eq!(&back.settings(declaration), &settings);
            prop_assert_eq!(back.governing(QueueId(id)), topology.governing(QueueId(id)));
            prop_assert_eq!(topology.governing(QueueId(id)), topology.governing_queue(declaration));
        }
    }
}
