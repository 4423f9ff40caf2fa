//! Policies, as what they govern shows them.

use serde_json::{Value, json};
use warren::policy::{Class, Policy};
use warren::queue::settings::Settings;

use crate::support::{Payload, TestBroker};

fn put(broker: &TestBroker, class: Class, name: &str, pattern: &str, definition: &Value) {
    let said = json!({"pattern": pattern, "definition": definition});
    let policy = Policy::read(class, name, said.as_object().expect("an object")).expect("accepted");
    broker.vhost().put_policy(class, policy);
}

/// What a running queue goes by.
fn settings(broker: &TestBroker, queue: &str) -> Settings {
    broker.queue(queue).expect("the queue exists").settings()
}

#[test]
fn queues_obey_at_once_and_after_a_restart() {
    let mut broker = TestBroker::start();
    let mut client = broker.client();
    client.method(1, &crate::support::client::declare("old", 0b10));
    client.declare_ok();
    put(&broker, Class::User, "short", "^(old|new)$", &json!({"max-length": 5, "expires": 99_000}));
    client.method(1, &crate::support::client::declare("new", 0b10));
    client.declare_ok();
    client.method(1, &crate::support::client::declare("other", 0b10));
    client.declare_ok();
    put(&broker, Class::Operator, "cap", "", &json!({"max-length": 3}));
    client.close();
    for round in ["as declared", "restarted"] {
        for queue in ["old", "new"] {
            let found = settings(&broker, queue);
            assert_eq!((found.max_length, found.expires), (Some(3), Some(99_000)), "{round}");
        }
        assert_eq!(settings(&broker, "other").max_length, Some(3), "{round}");
        if round == "as declared" {
            broker.restart();
        }
    }
    let vhost = broker.vhost();
    assert!(vhost.delete_policy(Class::Operator, "cap"));
    assert!(!vhost.delete_policy(Class::Operator, "cap"));
    assert_eq!(settings(&broker, "old").max_length, Some(5));
    assert!(vhost.delete_policy(Class::User, "short"));
    for queue in ["old", "new", "other"] {
        assert!(settings(&broker, queue).is_plain(), "{queue} is as if there had been none");
    }
    drop(vhost);
    broker.restart();
    assert!(broker.vhost().policies(Class::User).is_empty());
    assert!(settings(&broker, "old").is_plain());
}

#[test]
fn ten_thousand_queues() {
    let broker = TestBroker::with(|config| {
        config.data.durability = warren::config::Durability::None;
    });
    let mut client = broker.client();
    for number in 0..10_000 {
        // nowait: the answers would only be counted.
        let name = format!("q.{number}");
        client.method(1, &crate::support::client::declare(&name, 0b1_0000));
    }
    client.sync();
    for number in 0..50 {
        put(&broker, Class::User, &format!("p{number}"), "^other", &json!({"max-length": 1}));
    }
    put(&broker, Class::User, "all", "^q\\.", &json!({"message-ttl": 60_000}));
    for queue in ["q.0", "q.9999"] {
        assert_eq!(settings(&broker, queue).message_ttl, Some(60_000));
    }
    broker.vhost().delete_policy(Class::User, "all");
    assert!(settings(&broker, "q.5000").is_plain());
}

#[test]
fn an_alternate_exchange_comes_and_goes_under_a_publisher() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("lost");
    let bind = Payload::method(50, 20).u16(0).short("lost").short("amq.fanout").short("");
    client.method(1, &bind.u8(0).table(&Payload::new()));
    client.expect(1, 50, 21);
    let publish = |client: &mut crate::support::Client| {
        let method = crate::support::client::publish_method("amq.direct", "nowhere", 0);
        client.method(1, &method);
        client.frame(crate::support::client::HEADER, 1, &Payload::header(0));
        client.sync();
    };
    publish(&mut client);
    assert_eq!(broker.counts("lost").ready, 0);
    put(&broker, Class::User, "ae", "^amq\\.direct$", &json!({"alternate-exchange": "amq.fanout"}));
    publish(&mut client);
    assert_eq!(broker.counts("lost").ready, 1);
    broker.vhost().delete_policy(Class::User, "ae");
    publish(&mut client);
    assert_eq!(broker.counts("lost").ready, 1);
}
