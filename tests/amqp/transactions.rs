//! tx: publishes and settlements that count together or not at all.

use crate::support::client::publish;
use crate::support::{Client, Payload, TestBroker};

fn tx(client: &mut Client, method: u16) {
    client.method(1, &Payload::method(90, method));
    client.expect(1, 90, method + 1);
}

fn select(client: &mut Client) {
    tx(client, 10);
}

fn commit(client: &mut Client) {
    tx(client, 20);
}

fn rollback(client: &mut Client) {
    tx(client, 30);
}

/// A client with an own transaction, whose queue `q` has numbered messages.
fn with_messages(broker: &TestBroker, count: usize) -> Client {
    let mut client = broker.client();
    client.declare("q");
    client.publish_numbers("q", 0..count);
    client.sync();
    select(&mut client);
    client
}

fn counts(broker: &TestBroker) -> (usize, usize) {
    let counts = broker.counts("q");
    (counts.ready, counts.unacked)
}

#[test]
fn publishes_are_there_once_committed() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0);
    client.publish_numbers("q", 0..100);
    client.sync();
    assert_eq!(counts(&broker), (0, 0));
    commit(&mut client);
    assert_eq!(counts(&broker), (100, 0));
}

#[test]
fn publishes_are_forgotten_when_rolled_back() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0);
    client.publish_numbers("q", 0..100);
    rollback(&mut client);
    commit(&mut client);
    assert_eq!(counts(&broker), (0, 0));
}

/// Fetches so many messages, to be settled.
fn get(client: &mut Client, count: usize) -> Vec<(String, bool)> {
    let each = |_| {
        let (ok, heard) = client.get("q", false).expect("a message");
        (String::from_utf8(heard.body).expect("text"), ok.redelivered)
    };
    (0..count).map(each).collect()
}

#[test]
fn settlements_count_once_committed() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 3);
    get(&mut client, 3);
    client.ack(1, false);
    client.method(1, &Payload::method(60, 120).u64(2).u8(0)); // nack: discard
    client.sync();
    assert_eq!(counts(&broker), (0, 3));
    commit(&mut client);
    assert_eq!(counts(&broker), (0, 1));
    client.method(1, &Payload::method(60, 90).u64(3).u8(1)); // reject: requeue
    client.sync();
    assert_eq!(counts(&broker), (0, 1));
    commit(&mut client);
    assert_eq!(get(&mut client, 1), [("2".to_owned(), true)]);
}

#[test]
fn settlements_are_forgotten_when_rolled_back() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 3);
    get(&mut client, 3);
    client.ack(3, true);
    rollback(&mut client);
    assert_eq!(counts(&broker), (0, 3));
    // They can be settled again, and otherwise.
    client.method(1, &Payload::method(60, 120).u64(3).u8(0b11));
    commit(&mut client);
    assert_eq!(counts(&broker), (3, 0));
    let again = ["0", "1", "2"].map(|number| (number.to_owned(), true));
    assert_eq!(get(&mut client, 3), again);
}

#[test]
fn a_channel_that_ends_rolls_back() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 3);
    get(&mut client, 3);
    client.ack(2, false);
    client.publish("q", "never");
    client.close_channel(1);
    assert_eq!(counts(&broker), (3, 0));
    client.open_channel(1);
    client.consume("q");
    assert_eq!(client.deliveries(3), ["0", "1", "2"]);
}

#[test]
fn order_is_kept_within_a_transaction() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 1);
    client.publish_numbers("q", 1..500);
    commit(&mut client);
    client.publish_numbers("q", 500..1000);
    commit(&mut client);
    client.consume("q");
    let expected: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(client.deliveries(1000), expected);
}

#[test]
fn a_mandatory_message_comes_back_at_the_commit() {
    use crate::support::client::{publish_frames, publish_method};
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0);
    let method = publish_method("", "nowhere", 1);
    client.say(&publish_frames(1, &method, &Payload::header(1), b"x", 8192));
    client.sync();
    client.method(1, &Payload::method(90, 20));
    assert_eq!(client.expect(1, 60, 50).body, b"x");
    client.expect(1, 90, 21);
}

#[test]
fn another_channel_is_not_held_up() {
    let broker = TestBroker::start();
    let mut client = with_messages(&broker, 0);
    client.open_channel(2);
    client.publish("q", "later");
    client.say(&publish(2, "", "q", b"now", 8192));
    client.sync();
    assert_eq!(counts(&broker), (1, 0));
    commit(&mut client);
    client.consume("q");
    assert_eq!(client.deliveries(2), ["now", "later"]);
}

#[test]
fn modes_do_not_mix() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for method in [20, 30] {
        client.method(1, &Payload::method(90, method));
        client.channel_is_closed(1, 406, (90, method));
        client.open_channel(1);
    }
    select(&mut client);
    client.method(1, &Payload::method(85, 10).u8(0));
    client.channel_is_closed(1, 406, (85, 10));
    client.open_channel(1);
    client.confirm_select(1);
    client.method(1, &Payload::method(90, 10));
    client.channel_is_closed(1, 406, (90, 10));
}
