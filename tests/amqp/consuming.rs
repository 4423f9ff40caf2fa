//! Who gets which message, and what becomes of it.

use std::collections::BTreeMap;

use crate::support::client::{Consume, consume, declare};
use crate::support::{Client, Payload, TestBroker, eventually};

fn nack(client: &mut Client, tag: u64, multiple: bool, requeue: bool) {
    let bits = u8::from(multiple) | u8::from(requeue) << 1;
    client.method(1, &Payload::method(60, 120).u64(tag).u8(bits));
}

/// A client whose queue `q` has numbered messages.
fn with_messages(broker: &TestBroker, count: usize) -> Client {
    let mut client = broker.client();
    client.declare("q");
    client.publish_numbers("q", 0..count);
    client.sync();
    client
}

#[test]
fn messages_come_in_order_whether_they_waited_or_not() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 100);
    client.consume("q");
    client.publish_numbers("q", 100..200);
    for number in 0..200 {
        let delivery = client.delivery();
        assert_eq!(delivery.text(), number.to_string());
        assert_eq!((delivery.tag, delivery.redelivered), (number + 1, false));
        assert_eq!(delivery.routing_key, "q");
    }
}

#[test]
fn consumers_take_turns() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    for tag in ["a", "b", "c"] {
        client.consume_as(1, "q", Consume { tag, ..Consume::default() });
    }
    client.publish_numbers("q", 0..300);
    let mut shares = BTreeMap::new();
    for _ in 0..300 {
        *shares.entry(client.delivery().consumer).or_insert(0) += 1;
    }
    assert!(shares.values().eq(&[100, 100, 100]), "{shares:?}");
}

#[test]
fn connections_take_turns_too() {
    let broker = TestBroker::start();
    let mut publisher = broker.client();
    publisher.declare("q");
    let mut consumers: Vec<Client> = (0..4).map(|_| broker.client()).collect();
    for consumer in &mut consumers {
        consumer.consume("q");
    }
    publisher.publish_numbers("q", 0..400);
    for consumer in &mut consumers {
        let mut last = None;
        for text in consumer.deliveries(100) {
            let number: usize = text.parse().expect("a number");
            assert!(Some(number) > last, "{number} after {last:?}");
            last = Some(number);
        }
        consumer.hears_nothing();
    }
}

#[test]
fn whoever_has_no_credit_is_passed_over() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.prefetch(1, 1, false);
    client.consume_as(1, "q", Consume { tag: "one", ..Consume::default() });
    client.prefetch(1, 0, false);
    client.consume_as(1, "q", Consume { tag: "many", ..Consume::default() });
    client.publish_numbers("q", 0..10);
    let ones = (0..10).filter(|_| client.delivery().consumer == "one").count();
    assert_eq!(ones, 1);
}

#[test]
fn the_highest_priority_comes_first() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.prefetch(1, 3, false);
    for (tag, priority) in [("low", -5), ("none", 0), ("high", 10)] {
        let priority = (priority != 0).then_some(priority);
        client.consume_as(1, "q", Consume { tag, priority, ..Consume::default() });
    }
    client.publish_numbers("q", 0..9);
    let consumers: Vec<String> = (0..9).map(|_| client.delivery().consumer).collect();
    let expected = [["high"; 3], ["none"; 3], ["low"; 3]].concat();
    assert_eq!(consumers, expected);
    client.publish("q", "9");
    client.hears_nothing();
    // `none` and `low` have credit as well, but `high` has some again.
    client.ack(1, false);
    assert_eq!(client.delivery().consumer, "high");
}

#[test]
fn a_refused_message_returns_to_its_old_place() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 5);
    for _ in 0..3 {
        client.get("q", false).expect("a message");
    }
    // Fetched are 0, 1 and 2; they come back in the wrong order.
    for tag in [3, 1, 2] {
        client.method(1, &Payload::method(60, 90).u64(tag).u8(1));
    }
    client.consume("q");
    for number in 0..5 {
        let delivery = client.delivery();
        assert_eq!(delivery.text(), number.to_string());
        assert_eq!(delivery.redelivered, number < 3);
    }
}

#[test]
fn refusing_many_at_once() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 6);
    for _ in 0..4 {
        client.get("q", false).expect("a message");
    }
    nack(&mut client, 2, true, false); // 0 and 1 are gone
    nack(&mut client, 0, true, true); // 2 and 3 are back
    client.sync();
    assert_eq!((broker.counts("q").ready, broker.counts("q").unacked), (4, 0));
    client.consume("q");
    assert_eq!(client.deliveries(4), ["2", "3", "4", "5"]);
}

#[test]
fn a_message_is_settled_once() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 2);
    client.consume("q");
    client.deliveries(2);
    client.ack(1, false);
    client.ack(1, false);
    client.channel_is_closed(1, 406, (60, 80));
    assert_eq!((broker.counts("q").ready, broker.counts("q").unacked), (1, 0));
}

#[test]
fn a_channel_settles_only_what_it_was_given() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 1);
    client.open_channel(2);
    client.consume("q");
    client.delivery();
    client.method(2, &Payload::method(60, 80).u64(1).u8(0));
    client.channel_is_closed(2, 406, (60, 80));
    client.ack(1, false);
    client.sync();
    assert_eq!(broker.counts("q").unacked, 0);
}

#[test]
fn recovering_brings_everything_back() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 3);
    client.consume("q");
    client.deliveries(3);
    client.ack(2, false);
    client.method(1, &Payload::method(60, 110).u8(1));
    client.expect(1, 60, 111);
    for number in ["0", "2"] {
        let delivery = client.delivery();
        assert_eq!((delivery.text().as_str(), delivery.redelivered), (number, true));
    }
    // The old tags are not known any more.
    client.ack(1, false);
    client.channel_is_closed(1, 406, (60, 80));
}

#[test]
fn without_acknowledgements_there_is_nothing_to_settle() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 2);
    client.consume_as(1, "q", Consume { no_ack: true, ..Consume::default() });
    client.deliveries(2);
    assert_eq!((broker.counts("q").ready, broker.counts("q").unacked), (0, 0));
    client.ack(1, false);
    client.channel_is_closed(1, 406, (60, 80));
}

#[test]
fn fetching_one_by_one() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 3);
    for (number, left) in [("0", 2), ("1", 1), ("2", 0)] {
        let (ok, heard) = client.get("q", true).expect("a message");
        assert_eq!((heard.body, ok.message_count), (number.into(), left));
        assert!(!ok.redelivered);
    }
    assert!(client.get("q", true).is_none());
}

#[test]
fn an_exclusive_consumer_is_alone() {
    let broker = TestBroker::start();
    let mut first = broker.client();
    let mut second = broker.client();
    first.declare("q");
    let exclusive = Consume { exclusive: true, ..Consume::default() };
    first.consume_as(1, "q", exclusive);
    for how in [exclusive, Consume::default()] {
        second.method(1, &consume("q", how));
        second.channel_is_closed(1, 403, (60, 20));
        second.open_channel(1);
    }
    first.close();
    eventually("the consumer is gone", || broker.counts("q").consumers == 0);
    second.consume_as(1, "q", Consume::default());
    second.method(1, &consume("q", exclusive));
    second.channel_is_closed(1, 403, (60, 20));
}

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.method(1, &declare("brief", 8));
    client.declare_ok();
    for tag in ["a", "b"] {
        client.consume_as(1, "brief", Consume { tag, ..Consume::default() });
    }
    for tag in ["a", "b"] {
        assert!(broker.queue("brief").is_some());
        client.method(1, &Payload::method(60, 30).short(tag).u8(0));
        client.expect(1, 60, 31);
    }
    assert!(broker.queue("brief").is_none());
}

#[test]
fn what_one_consumer_leaves_the_next_one_gets() {
    let broker = TestBroker::start();
    let mut publisher = broker.client();
    publisher.declare("q");
    publisher.publish_numbers("q", 0..1000);
    publisher.sync();
    for round in 0..10 {
        let mut consumer = broker.client();
        consumer.prefetch(1, 200, false);
        consumer.consume("q");
        for number in 0..100 {
            assert_eq!(consumer.delivery().text(), (round * 100 + number).to_string());
        }
        // Another hundred are on their way, or here and not looked at. They come back to their
        // old place.
        consumer.ack(100, true);
        consumer.vanish();
        eventually("it has left", || broker.counts("q").consumers == 0);
        let counts = broker.counts("q");
        assert_eq!((counts.ready, counts.unacked), (900 - round * 100, 0));
    }
}
