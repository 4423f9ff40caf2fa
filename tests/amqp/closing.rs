//! How connections end: by the client, by the broker, by both at once, or by accident.

use std::time::{Duration, Instant};

use crate::support::client::{BODY, METHOD, close_of, declare, publish};
use crate::support::{Client, Login, PATIENCE, Payload, TestBroker, eventually};

fn close() -> Payload {
    Payload::method(10, 50).u16(200).short("bye").u16(0).u16(0)
}

/// Makes the broker close the connection: this channel is not open.
fn misbehave(client: &mut Client) {
    client.method(99, &declare("q", 0));
}

#[test]
fn everything_said_before_the_close_counts_and_nothing_after_it() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    let mut bytes = Vec::new();
    for number in 0..1000 {
        bytes.extend(publish(1, "", "q", format!("{number}").as_bytes(), 8192));
    }
    bytes.extend(close().frame(METHOD, 0));
    bytes.extend(publish(1, "", "q", b"too late", 8192));
    bytes.extend(Payload::new().frame(BODY, 77));
    client.say(&bytes);
    client.expect(0, 10, 51);
    client.hears_the_end();
    assert_eq!(broker.counts("q").ready, 1000);
}

#[test]
fn exclusive_queues_are_gone_before_the_close_is_answered() {
    let broker = TestBroker::start();
    for _ in 0..50 {
        let mut owner = broker.client();
        owner.method(1, &declare("mine", 4));
        owner.declare_ok();
        owner.method(0, &close());
        owner.expect(0, 10, 51);
        assert_eq!(broker.vhost().queue_count(), 0);
        owner.hears_the_end();
    }
}

#[test]
fn after_the_brokers_close_everything_is_ignored_but_the_answer() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    misbehave(&mut client);
    client.expect(0, 10, 50);
    client.publish("q", "ignored");
    client.method(1, &declare("ignored", 0));
    misbehave(&mut client);
    client.hears_nothing();
    client.method(0, &Payload::method(10, 51));
    client.hears_the_end();
    assert_eq!(broker.counts("q").ready, 0);
    assert!(broker.queue("ignored").is_none());
}

#[test]
fn what_was_published_before_a_fault_counts() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    let mut bytes = publish(1, "", "q", b"before", 8192);
    bytes.extend(declare("q", 0).frame(METHOD, 99));
    bytes.extend(publish(1, "", "q", b"after", 8192));
    client.say(&bytes);
    client.is_closed(504, (50, 10));
    assert_eq!(broker.counts("q").ready, 1);
}

#[test]
fn both_may_close_at_once() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    let mut bytes = declare("q", 0).frame(METHOD, 99);
    bytes.extend(close().frame(METHOD, 0));
    client.say(&bytes);
    client.expect(0, 10, 50);
    client.expect(0, 10, 51);
    client.say(&Payload::method(10, 51).frame(METHOD, 0));
    client.hears_the_end();
}

#[test]
fn a_client_that_takes_no_note_of_the_close_is_left() {
    let broker = TestBroker::with(|config| config.amqp.close_timeout = 1);
    let mut client = broker.client();
    misbehave(&mut client);
    client.expect(0, 10, 50);
    let since = Instant::now();
    client.hears_the_end();
    let time = since.elapsed();
    assert!(time > Duration::from_millis(900) && time < PATIENCE, "after {time:?}");
    eventually("nobody is connected", || broker.server().broker().peers.is_empty());
}

#[test]
fn a_client_that_vanishes_leaves_nothing_behind() {
    let broker = TestBroker::start();
    let mut witness = broker.client();
    witness.declare("q");
    witness.publish_numbers("q", 0..3);
    witness.sync();
    let mut client = broker.client();
    client.method(1, &declare("mine", 4));
    client.declare_ok();
    client.consume("q");
    assert_eq!(client.deliveries(3), ["0", "1", "2"]);
    assert_eq!((broker.counts("q").unacked, broker.counts("q").consumers), (3, 1));
    client.vanish();
    eventually("the messages are back", || broker.counts("q").ready == 3);
    eventually("the consumer is gone", || broker.counts("q").consumers == 0);
    eventually("its own queue is gone", || broker.vhost().queue_count() == 1);
    witness.consume("q");
    for number in ["0", "1", "2"] {
        let delivery = witness.delivery();
        assert_eq!((delivery.text(), delivery.redelivered), (number.to_owned(), true));
    }
}

#[test]
fn a_client_that_stops_speaking_has_ended() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.publish("q", "last words");
    client.fall_silent();
    client.hears_the_end();
    assert_eq!(broker.counts("q").ready, 1);
}

#[test]
fn a_torn_frame_at_the_end_is_no_message() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    let whole = publish(1, "", "q", b"0123456789", 8192);
    client.say(&whole);
    client.say(&whole[..whole.len() - 1]);
    client.fall_silent();
    client.hears_the_end();
    assert_eq!(broker.counts("q").ready, 1);
}

#[test]
fn the_reason_arrives_even_if_the_client_is_still_talking() {
    let broker = TestBroker::start();
    for _ in 0..20 {
        let mut client = broker.client();
        client.declare("q");
        // Much more than the broker reads at once: it must not reset the connection, or the
        // reason would be lost on the way.
        let mut bytes = declare("q", 0).frame(METHOD, 99);
        for _ in 0..40 {
            bytes.extend(publish(1, "", "q", &[7; 50_000], 131_072));
        }
        let mut writer = client.writer();
        std::thread::scope(|scope| {
            scope.spawn(|| writer.say(&bytes));
            assert_eq!(close_of(&client.expect(0, 10, 50)).0, 504);
            client.method(0, &Payload::method(10, 51));
            client.rest();
        });
    }
}

#[test]
fn connections_come_and_go_and_nothing_stays() {
    let broker = TestBroker::start();
    for round in 0..100 {
        let mut client = broker.connect(&Login::default());
        match round % 4 {
            0 => client.close(),
            1 => client.vanish(),
            2 => client.fall_silent(),
            _ => {
                client.say(b"nonsense");
                client.fall_silent();
            }
        }
    }
    eventually("nobody is connected", || broker.server().broker().peers.is_empty());
}
