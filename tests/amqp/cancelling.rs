//! Consumers that end: cancelled by their client, or because their queue is gone.

use warren::wire::method::{AnyMethod, basic};

use crate::support::client::{Consume, consume};
use crate::support::{Client, Login, Payload, TestBroker};

fn cancel(client: &mut Client, tag: &str) {
    client.method(1, &Payload::method(60, 30).short(tag).u8(0));
    client.expect(1, 60, 31);
}

fn delete(client: &mut Client, queue: &str) {
    client.method(1, &Payload::method(50, 40).u16(0).short(queue).u8(0));
    client.expect(1, 50, 41);
}

#[test]
fn nothing_comes_after_the_cancel_is_answered() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.consume_as(1, "q", Consume { tag: "me", ..Consume::default() });
    cancel(&mut client, "me");
    client.publish("q", "hello");
    client.hears_nothing();
    assert_eq!((broker.counts("q").ready, broker.counts("q").consumers), (1, 0));
}

#[test]
fn what_a_cancelled_consumer_had_can_still_be_settled() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.publish_numbers("q", 0..2);
    client.consume_as(1, "q", Consume { tag: "me", ..Consume::default() });
    client.deliveries(2);
    cancel(&mut client, "me");
    assert_eq!(broker.counts("q").unacked, 2);
    client.ack(1, false);
    client.method(1, &Payload::method(60, 90).u64(2).u8(1));
    client.sync();
    assert_eq!((broker.counts("q").ready, broker.counts("q").unacked), (1, 0));
}

#[test]
fn cancelling_nobody_is_answered_all_the_same() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    cancel(&mut client, "nobody");
    client.sync();
}

#[test]
fn a_name_is_free_after_the_cancel() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    for _ in 0..100 {
        client.consume_as(1, "q", Consume { tag: "me", ..Consume::default() });
        cancel(&mut client, "me");
    }
    assert_eq!(broker.counts("q").consumers, 0);
}

#[test]
fn consumers_hear_of_it_when_their_queue_is_deleted() {
    let broker = TestBroker::start();
    let mut consumer = broker.client();
    consumer.declare("q");
    consumer.consume_as(1, "q", Consume { tag: "me", ..Consume::default() });
    let mut other = broker.client();
    delete(&mut other, "q");
    let heard = consumer.expect(1, 60, 30);
    let AnyMethod::Basic(basic::AMQPMethod::Cancel(told)) = heard.method else {
        panic!("not a cancel");
    };
    assert_eq!(told.consumer_tag.as_str(), "me");
    // Polite clients say that they have understood.
    consumer.method(1, &Payload::method(60, 31).short("me"));
    consumer.sync();
    // The name is free.
    consumer.declare("q");
    consumer.consume_as(1, "q", Consume { tag: "me", ..Consume::default() });
}

#[test]
fn whoever_would_not_understand_is_not_told() {
    let broker = TestBroker::start();
    let mut consumer = broker.connect(&Login { capabilities: &[], ..Login::default() });
    consumer.open_channel(1);
    consumer.declare("q");
    consumer.consume("q");
    let mut other = broker.client();
    delete(&mut other, "q");
    consumer.hears_nothing();
    consumer.sync();
}

#[test]
fn messages_of_a_deleted_queue_can_still_be_settled() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.publish_numbers("q", 0..3);
    client.consume_as(1, "q", Consume { tag: "me", ..Consume::default() });
    client.deliveries(3);
    client.method(1, &Payload::method(50, 40).u16(0).short("q").u8(0));
    let mut heard = [client.hear().id, client.hear().id];
    heard.sort_unstable();
    assert_eq!(heard, [(50, 41), (60, 30)]);
    client.ack(2, true);
    client.method(1, &Payload::method(60, 90).u64(3).u8(1));
    client.sync();
    assert!(broker.queue("q").is_none());
}

#[test]
fn a_queue_deleted_while_it_is_consumed_from_and_published_to() {
    let broker = TestBroker::start();
    for _ in 0..30 {
        let mut consumer = broker.client();
        consumer.declare("q");
        consumer.consume_as(1, "q", Consume { no_ack: true, ..Consume::default() });
        let mut publisher = broker.client();
        let mut deleter = broker.client();
        publisher.publish_numbers("q", 0..200);
        delete(&mut deleter, "q");
        let mut next = 0;
        loop {
            let heard = consumer.hear();
            if heard.id == (60, 30) {
                break;
            }
            assert_eq!(String::from_utf8(heard.body).expect("text"), next.to_string());
            next += 1;
        }
        consumer.sync();
        publisher.sync();
        assert!(broker.queue("q").is_none());
    }
}

#[test]
fn a_no_wait_consumer_gets_its_messages() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.publish("q", "hello");
    let nowait = Payload::method(60, 20).u16(0).short("q").short("me").u8(8).table(&Payload::new());
    client.method(1, &nowait);
    let delivery = client.delivery();
    assert_eq!((delivery.consumer.as_str(), delivery.text().as_str()), ("me", "hello"));
}

#[test]
fn a_name_may_be_left_to_the_broker() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    let mut names = Vec::new();
    for _ in 0..2 {
        client.method(1, &consume("q", Consume::default()));
        let heard = client.expect(1, 60, 21);
        let AnyMethod::Basic(basic::AMQPMethod::ConsumeOk(ok)) = heard.method else {
            panic!("not a consume-ok");
        };
        names.push(ok.consumer_tag.to_string());
    }
    assert!(names[0].starts_with("amq.ctag-") && names[0] != names[1], "{names:?}");
}
