//! Messages that nobody wants: returned if they are mandatory, dropped otherwise.

use warren::wire::method::{AnyMethod, basic};

use crate::support::client::{publish, publish_frames, publish_method};
use crate::support::{Client, Heard, Payload, TestBroker};

const MANDATORY: u8 = 1;

fn mandatory(client: &mut Client, exchange: &str, key: &str, body: &[u8]) {
    let method = publish_method(exchange, key, MANDATORY);
    let header = Payload::header(body.len() as u64);
    client.say(&publish_frames(1, &method, &header, body, 8192));
}

fn is_returned(heard: &Heard, exchange: &str, key: &str, body: &[u8]) {
    let AnyMethod::Basic(basic::AMQPMethod::Return(returned)) = &heard.method else {
        panic!("not a return: {heard:?}");
    };
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!((returned.exchange.as_str(), returned.routing_key.as_str()), (exchange, key));
    assert_eq!(heard.header, Payload::header(body.len() as u64).0);
    assert!(heard.body == body, "it comes back as it was");
}

#[test]
fn a_mandatory_message_without_a_queue_comes_back() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for (exchange, key, size) in
        [("", "nowhere", 5), ("amq.topic", "a.b", 0), ("amq.fanout", "", 20_000)]
    {
        let body = vec![7; size];
        mandatory(&mut client, exchange, key, &body);
        is_returned(&client.hear(), exchange, key, &body);
    }
}

#[test]
fn one_with_a_queue_does_not() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    mandatory(&mut client, "", "q", b"taken");
    client.sync();
    assert_eq!(broker.counts("q").ready, 1);
}

#[test]
fn what_is_not_mandatory_is_dropped_without_a_word() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.publish("nowhere", "lost");
    client.sync();
}

#[test]
fn the_return_comes_before_the_confirm() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.confirm_select(1);
    for tag in 1..=3 {
        mandatory(&mut client, "", "nowhere", b"back");
        is_returned(&client.hear(), "", "nowhere", b"back");
        let ack = client.expect(1, 60, 80);
        let expected = basic::AMQPMethod::Ack(basic::Ack { delivery_tag: tag, multiple: false });
        assert_eq!(ack.method, AnyMethod::Basic(expected));
    }
}

#[test]
fn it_comes_back_on_the_channel_that_published_it() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.open_channel(2);
    let method = publish_method("", "nowhere", MANDATORY);
    client.say(&publish_frames(2, &method, &Payload::header(1), b"x", 8192));
    assert_eq!(client.expect(2, 60, 50).body, b"x");
    client.sync();
}

#[test]
fn an_alternate_exchange_counts_as_a_way() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    let arguments = Payload::new().text("alternate-exchange", "amq.fanout");
    let declare = Payload::method(40, 10).u16(0).short("x").short("direct").u8(0);
    client.method(1, &declare.table(&arguments));
    client.expect(1, 40, 11);
    mandatory(&mut client, "x", "key", b"1");
    is_returned(&client.hear(), "x", "key", b"1");
    client.declare("rest");
    let bind = Payload::method(50, 20).u16(0).short("rest").short("amq.fanout").short("");
    client.method(1, &bind.u8(0).table(&Payload::new()));
    client.expect(1, 50, 21);
    mandatory(&mut client, "x", "key", b"2");
    client.sync();
    assert_eq!(client.get("rest", true).expect("a message").1.body, b"2");
}

#[test]
fn a_route_that_ends_is_forgotten_at_once() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    let mut other = broker.client();
    client.declare("q");
    for _ in 0..20 {
        mandatory(&mut client, "", "q", b"1");
        client.sync();
        other.method(1, &Payload::method(50, 40).u16(0).short("q").u8(0));
        other.expect(1, 50, 41);
        mandatory(&mut client, "", "q", b"2");
        is_returned(&client.hear(), "", "q", b"2");
        other.declare("q");
        mandatory(&mut client, "", "q", b"3");
        client.sync();
        assert_eq!(broker.counts("q").ready, 1);
    }
    client.say(&publish(1, "", "q", b"4", 8192));
    client.sync();
    assert_eq!(broker.counts("q").ready, 2);
}
