//! Direct reply-to: questions and answers without a queue for the answers.

use crate::support::client::{Consume, consume, publish_frames, publish_method};
use crate::support::{Client, Payload, TestBroker, eventually};

const REPLIES: &str = "amq.rabbitmq.reply-to";
const NO_ACK: Consume<'static> =
    Consume { no_ack: true, exclusive: false, tag: "", priority: None };

/// A content header with a reply-to.
fn header(body: &[u8], reply_to: &str) -> Payload {
    Payload::new().u16(60).u16(0).u64(body.len() as u64).u16(1 << 9).short(reply_to)
}

fn ask(client: &mut Client, channel: u16, body: &[u8]) {
    let method = publish_method("", "questions", 0);
    client.say(&publish_frames(channel, &method, &header(body, REPLIES), body, 8192));
}

/// The reply-to of a message heard.
fn address(header: &[u8]) -> String {
    let address = warren::wire::content::property(header, warren::wire::content::Property::ReplyTo);
    String::from_utf8(address.expect("a reply-to").to_vec()).expect("text")
}

/// Takes a question. Returns it, and where it wants its answer.
fn question(server: &mut Client) -> (String, String) {
    let question = server.delivery();
    (question.text(), address(&question.header))
}

fn server(broker: &TestBroker) -> Client {
    let mut server = broker.client();
    server.declare("questions");
    server.consume_as(1, "questions", NO_ACK);
    server
}

#[test]
fn an_answer_finds_who_asked() {
    let broker = TestBroker::start();
    let mut server = server(&broker);
    let mut clients: Vec<Client> = (0..3).map(|_| broker.client()).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        client.consume_as(1, REPLIES, NO_ACK);
        ask(client, 1, at.to_string().as_bytes());
    }
    let mut addresses = Vec::new();
    for _ in &clients {
        let (text, address) = question(&mut server);
        assert!(address.starts_with("amq.rabbitmq.reply-to.") && address.len() > 30, "{address}");
        server.publish(&address, format!("re {text}"));
        addresses.push(address);
    }
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
    for (at, client) in clients.iter_mut().enumerate() {
        let answer = client.delivery();
        assert_eq!(answer.text(), format!("re {at}"));
        assert!(!answer.redelivered);
        client.hears_nothing();
    }
}

#[test]
fn each_channel_has_its_own_address() {
    let broker = TestBroker::start();
    let mut server = server(&broker);
    let mut client = broker.client();
    client.open_channel(2);
    for channel in [1, 2] {
        client.consume_as(channel, REPLIES, NO_ACK);
    }
    for channel in [2, 1, 2] {
        ask(&mut client, channel, b"?");
        let (_, address) = question(&mut server);
        server.publish(&address, "!");
        assert_eq!(client.delivery().channel, channel);
    }
}

#[test]
fn one_question_may_have_many_answers_in_order() {
    let broker = TestBroker::start();
    let mut server = server(&broker);
    let mut client = broker.client();
    client.consume_as(1, REPLIES, NO_ACK);
    ask(&mut client, 1, b"?");
    let (_, address) = question(&mut server);
    server.publish_numbers(&address, 0..1000);
    for number in 0..1000 {
        assert_eq!(client.delivery().text(), number.to_string());
    }
}

#[test]
fn an_answer_to_nobody_is_lost_and_known_to_be() {
    let broker = TestBroker::start();
    let mut server = server(&broker);
    let mut client = broker.client();
    client.consume_as(1, REPLIES, NO_ACK);
    ask(&mut client, 1, b"?");
    let (_, address) = question(&mut server);
    let passive = Payload::method(50, 10).u16(0).short(&address).u8(1).table(&Payload::new());
    server.method(1, &passive);
    assert_eq!(server.declare_ok().consumer_count, 1);
    client.close();
    eventually("nobody takes replies", || !broker.server().broker().reply_tos.exists(&address));
    server.publish(&address, "lost");
    let method = publish_method("", &address, 1);
    server.say(&publish_frames(1, &method, &Payload::header(1), b"x", 8192));
    server.expect(1, 60, 50);
    server.method(1, &passive);
    server.channel_is_closed(1, 404, (50, 10));
}

#[test]
fn a_made_up_address_is_nobodys() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.consume_as(1, REPLIES, NO_ACK);
    for address in ["amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA", REPLIES] {
        client.publish(address, "guess");
    }
    client.hears_nothing();
    client.sync();
}

#[test]
fn the_rules_of_reply_consumers() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("questions");
    // They cannot acknowledge.
    client.method(1, &consume(REPLIES, Consume::default()));
    client.channel_is_closed(1, 406, (60, 20));
    // There is one for each channel.
    client.open_channel(1);
    client.consume_as(1, REPLIES, NO_ACK);
    client.method(1, &consume(REPLIES, NO_ACK));
    client.channel_is_closed(1, 406, (60, 20));
    // Who wants answers consumes them, and on the same channel.
    client.open_channel(1);
    client.open_channel(2);
    client.consume_as(2, REPLIES, NO_ACK);
    ask(&mut client, 1, b"?");
    client.channel_is_closed(1, 406, (60, 40));
}

#[test]
fn a_cancelled_reply_consumer_takes_none() {
    let broker = TestBroker::start();
    let mut server = server(&broker);
    let mut client = broker.client();
    client.consume_as(1, REPLIES, Consume { tag: "me", ..NO_ACK });
    ask(&mut client, 1, b"?");
    let (_, address) = question(&mut server);
    client.method(1, &Payload::method(60, 30).short("me").u8(0));
    client.expect(1, 60, 31);
    server.publish(&address, "late");
    server.sync();
    client.hears_nothing();
    client.consume_as(1, REPLIES, NO_ACK);
}

#[test]
fn an_answer_of_any_size_comes_whole() {
    let broker = TestBroker::start();
    let mut server = server(&broker);
    let mut client = broker.client();
    client.consume_as(1, REPLIES, NO_ACK);
    for size in [0, 16_383, 16_384, 200_000, 3_000_000] {
        ask(&mut client, 1, b"?");
        let (_, address) = question(&mut server);
        let body = vec![7; size];
        server.publish(&address, &body);
        assert!(client.delivery().body == body, "an answer of {size} comes changed");
    }
}
