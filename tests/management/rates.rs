//! Rates and samples.

use warren::metrics::figures::{READY, of_queue};
use warren::metrics::history::{Point, Span};
use warren::metrics::sampler::Sampler;

use serde_json::json;

use crate::http::{ask, get};
use crate::support::client::{Consume, publish};
use crate::support::{TestBroker, eventually};

/// Two looks, ten seconds apart as far as the sampler knows.
#[test]
fn what_happened_between_two_looks() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("busy");
    client.declare("idle");
    client.publish_numbers("busy", 0..10);
    client.sync();
    let sampler = Sampler::default();
    sampler.look(broker.server().broker(), 1_000_000);
    client.publish_numbers("busy", 0..50);
    client.sync();
    sampler.look(broker.server().broker(), 1_010_000);
    let queue = |name| broker.queue(name).expect("it exists");
    sampler.read(|seen| {
        let busy = queue("busy");
        let history = seen.queues.get(&busy.id).expect("it was busy");
        let now = Point { value: of_queue(&busy.counts())[READY], at: 1_010_000 };
        assert_eq!(history.rate(READY, now), 5.0);
        let samples = history.samples(READY, now, Span { age: 10_000, step: 10_000 });
        assert_eq!(samples.iter().map(|point| point.value).collect::<Vec<_>>(), [60, 10]);
        assert!(!seen.queues.contains_key(&queue("idle").id), "idle queues cost nothing");
        assert_eq!(seen.vhosts.len(), 1);
        assert_eq!(seen.connections.len(), 1);
    });
}

#[test]
fn samples_are_given_if_asked_for() {
    let broker = TestBroker::start();
    let asked = get(
        &broker,
        "/api/overview?lengths_age=60&lengths_incr=5&msg_rates_age=3600&\
                              msg_rates_incr=60&columns=queue_totals,message_stats",
    );
    let length = &asked["queue_totals"]["messages_details"];
    assert_eq!(length["samples"].as_array().map(Vec::len), Some(13));
    let rate = &asked["message_stats"]["publish_details"];
    assert_eq!(rate["samples"].as_array().map(Vec::len), Some(61));
    assert_eq!((rate["avg"].as_f64(), rate["rate"].as_f64()), (Some(0.0), Some(0.0)));
    let newest = &rate["samples"][0]["timestamp"].as_u64().expect("milliseconds");
    assert_eq!(newest % 60_000, 0);
    let plain = get(&broker, "/api/overview");
    assert!(plain["message_stats"]["publish_details"].get("samples").is_none());
}

#[test]
fn exchanges_count_what_comes_in_and_goes_out() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for queue in ["a", "b"] {
        client.declare(queue);
        let path = format!("/api/bindings/%2F/e/amq.fanout/q/{queue}");
        assert_eq!(ask(&broker, "POST", &path, Some(&json!({}))).status, 201);
    }
    for exchange in ["amq.fanout", "amq.direct"] {
        client.say(&publish(1, exchange, "nowhere", b"", 4096));
    }
    client.publish_numbers("a", 0..3);
    client.sync();
    let sampler = Sampler::default();
    sampler.look(broker.server().broker(), 1_000_000);
    let seen = sampler.read(|seen| seen.exchanges.len());
    assert_eq!(seen, 3, "exchanges that nobody publishes to cost nothing");
    let stats = |name: &str| {
        let exchange = get(&broker, &format!("/api/exchanges/%2F/{name}"));
        let stats = &exchange["message_stats"];
        (stats["publish_in"].as_u64(), stats["publish_out"].as_u64())
    };
    assert_eq!(stats("amq.fanout"), (Some(1), Some(2)));
    assert_eq!(stats("amq.direct"), (Some(1), Some(0)));
    assert_eq!(stats("amq.default"), (Some(3), Some(3)));
    assert_eq!(stats("amq.topic"), (None, None));
    let listed = get(&broker, "/api/exchanges/%2F?name=fanout&columns=message_stats.publish_out");
    assert_eq!(listed[0]["message_stats"]["publish_out"], 2);
}

/// Two looks, as above, at what is about two objects.
#[test]
fn parts_have_rates_too() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("busy");
    client.consume_as(1, "busy", Consume { no_ack: true, tag: "c", ..Consume::default() });
    let sampler = Sampler::default();
    for (at, count) in [(1_000_000, 10), (1_010_000, 50)] {
        client.publish_numbers("busy", 0..count);
        client.deliveries(count);
        sampler.look(broker.server().broker(), at);
    }
    let queue = broker.queue("busy").expect("it exists").id;
    sampler.read(|seen| {
        let now = |value| Point { value, at: 1_010_000 };
        assert_eq!(seen.flows[&(None, queue)].rate(0, now(60)), 5.0);
        let published = seen.published.iter().next().expect("a channel");
        assert_eq!((published.0.1, published.0.2, published.1.rate(2, now(60))), (1, None, 5.0));
        let handed_out = seen.handed_out.iter().next().expect("a channel");
        assert_eq!(
            (handed_out.0.1, handed_out.0.2, handed_out.1.rate(3, now(60))),
            (1, queue, 5.0)
        );
    });
    drop(client);
    eventually("the connection is gone", || broker.server().broker().peers.is_empty());
    sampler.look(broker.server().broker(), 1_020_000);
    sampler.read(|seen| assert!(seen.published.is_empty() && seen.handed_out.is_empty()));
}
