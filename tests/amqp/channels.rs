//! Channels: many on a connection, each with its own faults and numbers.

use crate::support::client::{METHOD, declare, publish};
use crate::support::{Login, Payload, TestBroker};

#[test]
fn a_channels_fault_is_its_own() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.open_channel(2);
    client.declare("q");
    client.method(2, &declare("missing", 1));
    client.channel_is_closed(2, 404, (50, 10));
    client.publish("q", "still here");
    client.sync();
    assert_eq!(broker.counts("q").ready, 1);
}

#[test]
fn a_number_is_free_again_after_either_sides_close() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for _ in 0..50 {
        client.method(1, &declare("missing", 1));
        client.channel_is_closed(1, 404, (50, 10));
        client.open_channel(1);
        client.close_channel(1);
        client.open_channel(1);
    }
}

#[test]
fn what_follows_a_fault_is_ignored_until_the_client_has_taken_note() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    let mut bytes = declare("missing", 1).frame(METHOD, 1);
    bytes.extend(publish(1, "", "q", b"ignored", 8192));
    bytes.extend(declare("ignored", 0).frame(METHOD, 1));
    client.say(&bytes);
    client.channel_is_closed(1, 404, (50, 10));
    client.open_channel(1);
    client.sync();
    assert_eq!(broker.counts("q").ready, 0);
    assert!(broker.queue("ignored").is_none());
}

#[test]
fn both_may_close_a_channel_at_once() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    let mut bytes = declare("missing", 1).frame(METHOD, 1);
    bytes.extend(Payload::method(20, 40).u16(200).short("").u16(0).u16(0).frame(METHOD, 1));
    client.say(&bytes);
    client.expect(1, 20, 40);
    client.expect(1, 20, 41);
    client.method(1, &Payload::method(20, 41));
    client.open_channel(1);
}

#[test]
fn delivery_tags_begin_again_on_a_new_channel() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    for _ in 0..3 {
        client.publish_numbers("q", 0..3);
        client.consume("q");
        let tags: Vec<u64> = (0..3).map(|_| client.delivery().tag).collect();
        assert_eq!(tags, [1, 2, 3]);
        client.ack(3, true);
        client.close_channel(1);
        client.open_channel(1);
    }
    assert_eq!(broker.counts("q").unacked + broker.counts("q").ready, 0);
}

#[test]
fn a_closed_channel_gives_back_what_it_had_in_order() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.publish_numbers("q", 0..10);
    client.consume("q");
    client.deliveries(10);
    client.ack(4, false);
    client.close_channel(1);
    assert_eq!((broker.counts("q").ready, broker.counts("q").consumers), (9, 0));
    client.open_channel(1);
    client.consume("q");
    assert_eq!(client.deliveries(9), ["0", "1", "2", "4", "5", "6", "7", "8", "9"]);
}

#[test]
fn two_thousand_channels_on_one_connection() {
    let broker = TestBroker::start();
    let mut client = broker.connect(&Login::default());
    let numbers = 1..=2000;
    let all = |payload: &Payload| -> Vec<u8> {
        numbers.clone().flat_map(|number| payload.frame(METHOD, number)).collect()
    };
    client.say(&all(&Payload::method(20, 10).short("")));
    for number in numbers.clone() {
        client.expect(number, 20, 11);
    }
    client.declare("q");
    let consume = Payload::method(60, 20).u16(0).short("q").short("").u8(0).table(&Payload::new());
    client.say(&all(&consume));
    for number in numbers.clone() {
        client.expect(number, 60, 21);
    }
    assert_eq!(broker.counts("q").consumers, 2000);
    let publishes: Vec<u8> =
        numbers.clone().flat_map(|number| publish(number, "", "q", b"hello", 8192)).collect();
    client.say(&publishes);
    // Round robin: each of them gets one.
    let mut receivers: Vec<u16> = numbers.clone().map(|_| client.delivery().channel).collect();
    receivers.sort_unstable();
    assert!(receivers.into_iter().eq(numbers.clone()));
    client.say(&all(&Payload::method(20, 40).u16(200).short("").u16(0).u16(0)));
    let mut answers: Vec<u16> = Vec::new();
    while answers.len() < 2000 {
        let heard = client.hear();
        match heard.id {
            (20, 41) => answers.push(heard.channel),
            // What a closing channel had goes to those that are still open.
            (60, 60) => {}
            _ => panic!("heard {heard:?}"),
        }
    }
    assert!(answers.into_iter().eq(numbers));
    let counts = broker.counts("q");
    assert_eq!((counts.ready, counts.unacked, counts.consumers), (2000, 0, 0));
}

#[test]
fn no_more_channels_than_agreed() {
    let broker = TestBroker::start();
    let mut client = broker.connect(&Login { channel_max: 3, ..Login::default() });
    for number in 1..=3 {
        client.open_channel(number);
    }
    client.close_channel(2);
    client.open_channel(2);
    client.method(4, &Payload::method(20, 10).short(""));
    client.is_closed(530, (0, 0));
}

#[test]
fn a_channel_can_be_asked_to_flow_on() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    let flow_ok = {
        client.method(1, &Payload::method(20, 20).u8(1));
        client.expect(1, 20, 21)
    };
    let expected = "FlowOk(FlowOk { active: true })";
    assert!(format!("{:?}", flow_ok.method).contains(expected), "{flow_ok:?}");
}

#[test]
fn access_is_granted_to_whoever_still_asks() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.method(1, &Payload::method(30, 10).short("/data").u8(0b11111));
    client.expect(1, 30, 11);
}

#[test]
fn consumers_may_have_the_same_name_on_different_channels() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.open_channel(2);
    client.declare("q");
    for channel in [1, 2] {
        let named =
            Payload::method(60, 20).u16(0).short("q").short("me").u8(0).table(&Payload::new());
        client.method(channel, &named);
        client.expect(channel, 60, 21);
    }
    client.method(1, &Payload::method(60, 30).short("me").u8(0));
    client.expect(1, 60, 31);
    assert_eq!(broker.counts("q").consumers, 1);
}
