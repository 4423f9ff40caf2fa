//! Every mistake of the reply-code table, frame by frame: its code, the method it is blamed on, and
//! what it closes. The texts are compared with RabbitMQ's in `tests/compat`.
//!
//! Codes that need two clients, time, or the end of the broker have their tests elsewhere: 312 in
//! `returning`, 320 in `shutdown`, 403 and 530 of the handshake in `handshake` and `tuning`, the
//! exclusive consumer in `consuming`, sizes in `limits`.

use crate::support::client::{
    BODY, Consume, HEADER, HEARTBEAT, METHOD, consume, declare, publish, publish_frames,
    publish_method,
};
use crate::support::{Client, Payload, TestBroker};

/// Something a client does wrong on channel 1, where a queue `q` has been declared.
struct Mistake {
    what: &'static str,
    code: u16,
    by: (u16, u16),
    doing: fn(&mut Client),
}

const fn mistake(what: &'static str, code: u16, by: (u16, u16), doing: fn(&mut Client)) -> Mistake {
    Mistake { what, code, by, doing }
}

const NO_TABLE: fn() -> Payload = Payload::new;

fn method(client: &mut Client, payload: Payload) {
    client.method(1, &payload);
}

/// exchange.declare; bits: 1 passive, 2 durable, 4 auto-delete, 8 internal
fn exchange(name: &str, kind: &str, bits: u8) -> Payload {
    Payload::method(40, 10).u16(0).short(name).short(kind).u8(bits).table(&NO_TABLE())
}

fn queue_with(name: &str, arguments: &Payload) -> Payload {
    Payload::method(50, 10).u16(0).short(name).u8(0).table(arguments)
}

fn bind(queue: &str, exchange: &str) -> Payload {
    Payload::method(50, 20).u16(0).short(queue).short(exchange).short("").u8(0).table(&NO_TABLE())
}

fn unbind(queue: &str, exchange: &str) -> Payload {
    Payload::method(50, 50).u16(0).short(queue).short(exchange).short("").table(&NO_TABLE())
}

fn bind_exchange(destination: &str, source: &str) -> Payload {
    Payload::method(40, 30)
        .u16(0)
        .short(destination)
        .short(source)
        .short("")
        .u8(0)
        .table(&NO_TABLE())
}

fn purge(queue: &str) -> Payload {
    Payload::method(50, 30).u16(0).short(queue).u8(0)
}

/// queue.delete; bits: 1 if-unused, 2 if-empty
fn delete(queue: &str, bits: u8) -> Payload {
    Payload::method(50, 40).u16(0).short(queue).u8(bits)
}

fn delete_exchange(exchange: &str, if_unused: bool) -> Payload {
    Payload::method(40, 20).u16(0).short(exchange).u8(if_unused.into())
}

fn get(queue: &str) -> Payload {
    Payload::method(60, 70).u16(0).short(queue).u8(0)
}

/// A publish with one property.
fn publish_with(client: &mut Client, flag: u16, property: Payload) {
    let header = Payload::new().u16(60).u16(0).u64(1).u16(flag).raw(&property.0);
    client.say(&publish_frames(1, &publish_method("", "q", 0), &header, b"x", 8192));
}

/// Mistakes that close the channel.
const OF_A_CHANNEL: &[Mistake] = &[
    // 403
    mistake("declare a queue amq.…", 403, (50, 10), |c| method(c, declare("amq.mine", 0))),
    mistake("declare an exchange amq.…", 403, (40, 10), |c| {
        method(c, exchange("amq.mine", "direct", 0));
    }),
    mistake("declare the default exchange", 403, (40, 10), |c| {
        method(c, exchange("", "direct", 2))
    }),
    mistake("delete the default exchange", 403, (40, 20), |c| {
        method(c, delete_exchange("", false))
    }),
    mistake("delete amq.topic", 403, (40, 20), |c| method(c, delete_exchange("amq.topic", false))),
    mistake("bind to the default exchange", 403, (50, 20), |c| method(c, bind("q", ""))),
    mistake("unbind from the default exchange", 403, (50, 50), |c| method(c, unbind("q", ""))),
    mistake("bind the default exchange", 403, (40, 30), |c| {
        method(c, bind_exchange("amq.topic", ""))
    }),
    mistake("publish to an internal exchange", 403, (60, 40), |c| {
        method(c, exchange("inside", "fanout", 8));
        c.expect(1, 40, 11);
        c.say(&publish(1, "inside", "", b"x", 8192));
    }),
    // 404
    mistake("ask for a queue", 404, (50, 10), |c| method(c, declare("missing", 1))),
    mistake("ask for an exchange", 404, (40, 10), |c| method(c, exchange("missing", "direct", 1))),
    mistake("consume from nothing", 404, (60, 20), |c| {
        method(c, consume("missing", Consume::default()));
    }),
    mistake("get from nothing", 404, (60, 70), |c| method(c, get("missing"))),
    mistake("purge nothing", 404, (50, 30), |c| method(c, purge("missing"))),
    mistake("publish to nothing", 404, (60, 40), |c| c.say(&publish(1, "missing", "", b"x", 8192))),
    mistake("bind nothing", 404, (50, 20), |c| method(c, bind("missing", "amq.direct"))),
    mistake("bind to nothing", 404, (50, 20), |c| method(c, bind("q", "missing"))),
    mistake("bind an exchange to nothing", 404, (40, 30), |c| {
        method(c, bind_exchange("amq.topic", "missing"));
    }),
    mistake("mean the last queue on a channel that has none", 404, (50, 30), |c| {
        c.close_channel(1);
        c.open_channel(1);
        method(c, purge(""));
    }),
    // 405 needs a second connection, see below.
    // 406
    mistake("declare a queue otherwise", 406, (50, 10), |c| method(c, declare("q", 2))),
    mistake("declare an exchange otherwise", 406, (40, 10), |c| {
        method(c, exchange("amq.topic", "direct", 2));
    }),
    mistake("an argument of the wrong type", 406, (50, 10), |c| {
        method(c, queue_with("new", &Payload::new().text("x-max-length", "ten")));
    }),
    mistake("an argument of no sense", 406, (50, 10), |c| {
        method(c, queue_with("new", &Payload::new().entry("x-expires", b'I', 0u32.to_be_bytes())));
    }),
    mistake("a kind of queue that does not exist", 406, (50, 10), |c| {
        method(c, queue_with("new", &Payload::new().text("x-queue-type", "fast")));
    }),
    mistake("a way to match that does not exist", 406, (50, 20), |c| {
        let arguments = Payload::new().text("x-match", "some");
        let bind = Payload::method(50, 20).u16(0).short("q").short("amq.headers").short("").u8(0);
        method(c, bind.table(&arguments));
    }),
    mistake("ack what was never delivered", 406, (60, 80), |c| c.ack(1, false)),
    mistake("ack up to what was never delivered", 406, (60, 80), |c| c.ack(1, true)),
    mistake("nack what was never delivered", 406, (60, 120), |c| {
        method(c, Payload::method(60, 120).u64(7).u8(2));
    }),
    mistake("reject what was never delivered", 406, (60, 90), |c| {
        method(c, Payload::method(60, 90).u64(0).u8(1));
    }),
    mistake("delete a queue in use if it is not", 406, (50, 40), |c| {
        c.consume("q");
        method(c, delete("q", 1));
    }),
    mistake("delete a queue with messages if it has none", 406, (50, 40), |c| {
        c.publish("q", "x");
        method(c, delete("q", 2));
    }),
    mistake("delete an exchange in use if it is not", 406, (40, 20), |c| {
        method(c, exchange("used", "fanout", 0));
        c.expect(1, 40, 11);
        method(c, bind("q", "used"));
        c.expect(1, 50, 21);
        method(c, delete_exchange("used", true));
    }),
    mistake("commit without a transaction", 406, (90, 20), |c| method(c, Payload::method(90, 20))),
    mistake("roll back without a transaction", 406, (90, 30), |c| {
        method(c, Payload::method(90, 30))
    }),
    mistake("a transaction on a channel with confirms", 406, (90, 10), |c| {
        c.confirm_select(1);
        method(c, Payload::method(90, 10));
    }),
    mistake("confirms on a channel with transactions", 406, (85, 10), |c| {
        method(c, Payload::method(90, 10));
        c.expect(1, 90, 11);
        method(c, Payload::method(85, 10).u8(0));
    }),
    mistake("an expiration that is no number", 406, (60, 40), |c| {
        publish_with(c, 1 << 8, Payload::new().short("soon"));
    }),
    mistake("an expiration in the past", 406, (60, 40), |c| {
        publish_with(c, 1 << 8, Payload::new().short("-1"));
    }),
    mistake("somebody else's user id", 406, (60, 40), |c| {
        publish_with(c, 1 << 4, Payload::new().short("somebody"));
    }),
    mistake("a CC that is no list", 406, (60, 40), |c| {
        publish_with(c, 1 << 13, Payload::new().table(&Payload::new().text("CC", "q")));
    }),
    mistake("want replies without consuming them", 406, (60, 40), |c| {
        publish_with(c, 1 << 9, Payload::new().short("amq.rabbitmq.reply-to"));
    }),
    mistake("acknowledge replies", 406, (60, 20), |c| {
        method(c, consume("amq.rabbitmq.reply-to", Consume::default()));
    }),
];

/// Mistakes that close the connection.
const OF_A_CONNECTION: &[Mistake] = &[
    // 501
    mistake("a frame with another end", 501, (0, 0), |c| {
        c.say(&[METHOD, 0, 1, 0, 0, 0, 1, 0, 0xCD])
    }),
    mistake("a frame of another type", 501, (0, 0), |c| c.frame(4, 1, &Payload::new())),
    mistake("a frame that is too large", 501, (0, 0), |c| {
        c.frame(METHOD, 1, &Payload(vec![0; 131_072 + 1]));
    }),
    mistake("a frame that is announced too large", 501, (0, 0), |c| {
        c.say(&[METHOD, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]);
    }),
    mistake("a body that is too long", 501, (60, 40), |c| {
        method(c, publish_method("", "q", 0));
        c.frame(HEADER, 1, &Payload::header(3));
        c.frame(BODY, 1, &Payload(b"four".to_vec()));
    }),
    // 502
    mistake("a method that ends too early", 502, (50, 10), |c| {
        method(c, Payload::method(50, 10).u16(0).short("q"));
    }),
    mistake("a method with something behind it", 502, (50, 30), |c| {
        method(c, purge("q").u8(0).u8(0));
    }),
    mistake("a table with a type that does not exist", 502, (50, 10), |c| {
        method(c, queue_with("q", &Payload::new().entry("k", b'?', [])));
    }),
    mistake("a table that ends too early", 502, (50, 10), |c| {
        method(c, queue_with("q", &Payload::new().entry("k", b'S', [0, 0, 0, 9, b'x'])));
    }),
    mistake("a table that is deeper than anything", 502, (50, 10), |c| {
        let mut table = Payload::new();
        for _ in 0..1000 {
            table = Payload::new().entry("k", b'F', Payload::new().table(&table).0);
        }
        method(c, queue_with("q", &table));
    }),
    mistake("a content header that ends too early", 502, (0, 0), |c| {
        method(c, publish_method("", "q", 0));
        c.frame(HEADER, 1, &Payload::new().u16(60).u16(0).u64(0));
    }),
    mistake("a content header with a table that is none", 502, (0, 0), |c| {
        publish_with(c, 1 << 13, Payload::new().table(&Payload::new().entry("k", b'?', [])));
    }),
    // 503
    mistake("an answer that only brokers give", 503, (50, 11), |c| {
        method(c, Payload::method(50, 11).short("q").u32(0).u32(0));
    }),
    mistake("a delivery", 503, (60, 60), |c| {
        method(c, Payload::method(60, 60).short("me").u64(1).u8(0).short("").short("q"));
    }),
    mistake("to be told that a channel is open", 503, (20, 11), |c| {
        method(c, Payload::method(20, 11).long(""));
    }),
    // 504
    mistake("a channel that was never opened", 504, (50, 10), |c| {
        c.method(2, &declare("q", 0));
    }),
    mistake("a channel that was closed", 504, (60, 80), |c| {
        c.close_channel(1);
        c.ack(1, false);
    }),
    mistake("a channel opened twice", 504, (20, 10), |c| {
        method(c, Payload::method(20, 10).short(""));
    }),
    mistake("a channel's method on channel 0", 504, (50, 10), |c| c.method(0, &declare("q", 0))),
    mistake("another handshake", 504, (10, 40), |c| {
        c.method(0, &Payload::method(10, 40).short("/").short("").u8(0));
    }),
    // 505
    mistake("a header of nothing", 505, (0, 0), |c| c.frame(HEADER, 1, &Payload::header(0))),
    mistake("a body of nothing", 505, (0, 0), |c| c.frame(BODY, 1, &Payload(b"x".to_vec()))),
    mistake("a body before its header", 505, (60, 40), |c| {
        method(c, publish_method("", "q", 0));
        c.frame(BODY, 1, &Payload(b"x".to_vec()));
    }),
    mistake("two headers", 505, (60, 40), |c| {
        method(c, publish_method("", "q", 0));
        c.frame(HEADER, 1, &Payload::header(1));
        c.frame(HEADER, 1, &Payload::header(1));
    }),
    mistake("a method between header and body", 505, (60, 40), |c| {
        method(c, publish_method("", "q", 0));
        c.frame(HEADER, 1, &Payload::header(1));
        method(c, purge("q"));
    }),
    mistake("a header of another class", 505, (60, 40), |c| {
        method(c, publish_method("", "q", 0));
        c.frame(HEADER, 1, &Payload::new().u16(50).u16(0).u64(0).u16(0));
    }),
    mistake("a heartbeat on a channel", 505, (0, 0), |c| c.frame(HEARTBEAT, 1, &Payload::new())),
    // 530
    mistake("a consumer's name again", 530, (60, 20), |c| {
        let me = Consume { tag: "me", ..Consume::default() };
        c.consume_as(1, "q", me);
        method(c, consume("q", me));
    }),
    // 540
    mistake("stop the flow", 540, (20, 20), |c| method(c, Payload::method(20, 20).u8(0))),
    mistake("publish immediately", 540, (60, 40), |c| method(c, publish_method("", "q", 2))),
    mistake("a prefetch of bytes", 540, (60, 10), |c| {
        method(c, Payload::method(60, 10).u32(1).u16(0).u8(0));
    }),
    mistake("recover without requeueing", 540, (60, 110), |c| {
        method(c, Payload::method(60, 110).u8(0));
    }),
    mistake("a class that does not exist", 540, (70, 10), |c| method(c, Payload::method(70, 10))),
    mistake("a method that does not exist", 540, (60, 99), |c| method(c, Payload::method(60, 99))),
];

#[expect(clippy::print_stdout, reason = "shown if the test fails")]
fn make(broker: &TestBroker, mistake: &Mistake) -> Client {
    println!("mistake: {}", mistake.what);
    let mut client = broker.client();
    client.declare("q");
    (mistake.doing)(&mut client);
    client
}

#[test]
fn mistakes_that_close_the_channel() {
    let broker = TestBroker::start();
    let mut witness = broker.client();
    for mistake in OF_A_CHANNEL {
        let mut client = make(&broker, mistake);
        client.channel_is_closed(1, mistake.code, mistake.by);
        // The connection lives, and so does everything else.
        client.open_channel(1);
        client.method(1, &purge("q"));
        client.expect(1, 50, 31);
        client.close();
        witness.sync();
    }
}

#[test]
fn mistakes_that_close_the_connection() {
    let broker = TestBroker::start();
    let mut witness = broker.client();
    for mistake in OF_A_CONNECTION {
        let mut client = make(&broker, mistake);
        client.is_closed(mistake.code, mistake.by);
        witness.sync();
    }
}

#[test]
fn a_queue_of_another_connection_is_locked() {
    let broker = TestBroker::start();
    let mut owner = broker.client();
    owner.method(1, &declare("mine", 4));
    owner.declare_ok();
    for (by, request) in [
        ((50, 10), declare("mine", 4)),
        ((50, 10), declare("mine", 0)),
        ((50, 10), declare("mine", 1)),
        ((50, 20), bind("mine", "amq.topic")),
        ((50, 30), purge("mine")),
        ((50, 40), delete("mine", 0)),
        ((60, 20), consume("mine", Consume::default())),
        ((60, 70), get("mine")),
    ] {
        let mut other = broker.client();
        other.method(1, &request);
        other.channel_is_closed(1, 405, by);
        // Publishing is not using.
        other.open_channel(1);
        other.publish("mine", "hello");
        other.sync();
        other.close();
    }
    assert_eq!(owner.get("mine", true).expect("a message").0.message_count, 7);
}
