//! Credit: exactly as many unsettled messages as were asked for, no more and no fewer.

use std::ops::Range;

use crate::support::client::Consume;
use crate::support::{Client, Payload, TestBroker};

/// A client whose queue `q` has numbered messages.
fn with_messages(broker: &TestBroker, numbers: Range<usize>) -> Client {
    let mut client = broker.client();
    client.declare("q");
    client.publish_numbers("q", numbers);
    client.sync();
    client
}

#[test]
fn exactly_as_many_as_asked_for() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..10);
    client.prefetch(1, 3, false);
    client.consume("q");
    assert_eq!(client.deliveries(3), ["0", "1", "2"]);
    client.hears_nothing();
    client.ack(2, false);
    assert_eq!(client.deliveries(1), ["3"]);
    client.hears_nothing();
    client.ack(4, true);
    assert_eq!(client.deliveries(3), ["4", "5", "6"]);
    client.hears_nothing();
    assert_eq!((broker.counts("q").ready, broker.counts("q").unacked), (3, 3));
}

#[test]
fn every_kind_of_settlement_gives_credit_back() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..5);
    client.prefetch(1, 1, false);
    client.consume("q");
    assert_eq!(client.deliveries(1), ["0"]);
    client.ack(1, false);
    assert_eq!(client.deliveries(1), ["1"]);
    client.method(1, &Payload::method(60, 90).u64(2).u8(0)); // reject
    assert_eq!(client.deliveries(1), ["2"]);
    client.method(1, &Payload::method(60, 120).u64(3).u8(0)); // nack
    assert_eq!(client.deliveries(1), ["3"]);
    client.method(1, &Payload::method(60, 120).u64(4).u8(2)); // nack, requeue
    assert_eq!(client.deliveries(1), ["3"]);
    client.hears_nothing();
}

#[test]
fn it_holds_for_consumers_to_come() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..10);
    client.prefetch(1, 1, false);
    client.consume_as(1, "q", Consume { tag: "one", ..Consume::default() });
    client.delivery();
    client.prefetch(1, 2, false);
    client.hears_nothing();
    client.consume_as(1, "q", Consume { tag: "two", ..Consume::default() });
    let tags = [client.delivery(), client.delivery()].map(|delivery| delivery.consumer);
    assert_eq!(tags, ["two", "two"]);
    client.hears_nothing();
}

#[test]
fn without_acknowledgements_there_is_no_limit() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..100);
    client.prefetch(1, 1, false);
    client.consume_as(1, "q", Consume { no_ack: true, ..Consume::default() });
    assert_eq!(client.deliveries(100).len(), 100);
}

#[test]
fn zero_is_no_limit() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..5000);
    client.prefetch(1, 1, false);
    client.prefetch(1, 0, false);
    client.consume("q");
    assert_eq!(client.deliveries(5000).len(), 5000);
    client.ack(0, true);
    client.sync();
    assert_eq!(broker.counts("q").unacked, 0);
}

#[test]
fn a_global_limit_is_one_for_the_whole_channel() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..10);
    client.prefetch(1, 3, true);
    client.consume_as(1, "q", Consume { tag: "one", ..Consume::default() });
    client.deliveries(3);
    client.consume_as(1, "q", Consume { tag: "two", ..Consume::default() });
    client.hears_nothing();
    client.ack(1, false);
    client.deliveries(1);
    client.hears_nothing();
    client.ack(0, true);
    client.deliveries(3);
    client.hears_nothing();
    // It may be raised while consumers wait.
    client.method(1, &Payload::method(60, 10).u32(0).u16(5).u8(1));
    client.expect(1, 60, 11);
    client.deliveries(2);
    client.hears_nothing();
}

#[test]
fn a_global_limit_holds_over_several_queues() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..10);
    client.declare("p");
    client.publish_numbers("p", 0..10);
    client.prefetch(1, 4, true);
    client.consume("q");
    client.deliveries(4);
    client.method(1, &crate::support::client::consume("p", Consume::default()));
    client.expect(1, 60, 21);
    client.hears_nothing();
    for _ in 0..4 {
        client.ack(0, true);
        client.deliveries(4);
        client.hears_nothing();
    }
    client.ack(0, true);
    client.sync();
    let done = |queue| broker.counts(queue).ready + broker.counts(queue).unacked;
    assert_eq!(done("q") + done("p"), 0);
}

#[test]
fn both_limits_hold_together() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..10);
    client.prefetch(1, 3, true);
    client.prefetch(1, 2, false);
    client.consume_as(1, "q", Consume { tag: "one", ..Consume::default() });
    client.deliveries(2);
    client.hears_nothing();
    client.consume_as(1, "q", Consume { tag: "two", ..Consume::default() });
    assert_eq!(client.delivery().consumer, "two");
    client.hears_nothing();
}

#[test]
fn channels_do_not_share_a_limit() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..10);
    client.open_channel(2);
    for channel in [1, 2] {
        client.prefetch(channel, 2, true);
        client.consume_as(channel, "q", Consume::default());
        let deliveries = [client.delivery(), client.delivery()];
        assert_eq!(deliveries.map(|delivery| delivery.channel), [channel, channel]);
    }
    client.hears_nothing();
}

#[test]
fn fetched_messages_take_no_credit_from_consumers() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0..4);
    client.get("q", false).expect("a message");
    client.prefetch(1, 2, false);
    client.consume("q");
    assert_eq!(client.deliveries(2), ["1", "2"]);
    client.hears_nothing();
}

#[test]
fn under_load_the_limit_is_never_exceeded() {
    let broker = TestBroker::start();
    let mut consumer = broker.client();
    consumer.declare("q");
    consumer.prefetch(1, 7, false);
    consumer.consume("q");
    const COUNT: usize = 5000;
    std::thread::scope(|scope| {
        let mut publisher = broker.client();
        scope.spawn(move || {
            publisher.publish_numbers("q", 0..COUNT);
            publisher.close();
        });
        let mut settled = 0;
        for number in 0..COUNT {
            let delivery = consumer.delivery();
            assert_eq!(delivery.text(), number.to_string());
            assert!(delivery.tag <= settled + 7, "{} while {settled} are settled", delivery.tag);
            if delivery.tag == settled + 7 || number + 1 == COUNT {
                settled += 3;
                consumer.ack(settled, true);
            }
        }
    });
}
