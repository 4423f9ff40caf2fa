//! Field tables: every type goes through unchanged, in headers, arguments and properties.

use crate::support::client::{Consume, METHOD, publish_frames, publish_method};
use crate::support::{Client, Login, Payload, TestBroker};

fn long(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    Payload::new().long(bytes).0
}

/// A value of each type that RabbitMQ knows, and of those with several ways to be odd, several.
fn values() -> Vec<(u8, Vec<u8>)> {
    let nested =
        Payload::new().text("inner", "value").entry("deep", b'F', long(b"\x01kI\0\0\0\x07"));
    let array = Payload::new().raw(b"S").long("text").raw(b"t\x01").raw(b"A").long(b"VV").0;
    vec![
        (b't', vec![1]),
        (b't', vec![0]),
        (b't', vec![7]), // true, as any byte that is not 0
        (b'b', vec![0x80]),
        (b'B', vec![0xFF]),
        (b's', vec![0x80, 0]),
        (b'u', vec![0xFF, 0xFF]),
        (b'I', vec![0x80, 0, 0, 0]),
        (b'i', vec![0xFF; 4]),
        (b'l', vec![0x80, 0, 0, 0, 0, 0, 0, 0]),
        (b'L', vec![0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        (b'f', 1.5f32.to_be_bytes().to_vec()),
        (b'f', f32::NAN.to_be_bytes().to_vec()),
        (b'd', (-0.0f64).to_be_bytes().to_vec()),
        (b'd', f64::INFINITY.to_be_bytes().to_vec()),
        (b'D', vec![255, 0xFF, 0xFF, 0xFF, 0xFF]),
        (b'S', long("text")),
        (b'S', long("")),
        (b'S', long([0xFF, 0, 0xC3])), // no UTF-8
        (b'S', long(vec![b'x'; 5000])),
        (b'x', long([0, 1, 2, 255])),
        (b'A', long(array)),
        (b'A', long("")),
        (b'T', vec![0xFF; 8]),
        (b'F', long(nested.0)),
        (b'F', long("")),
        (b'V', vec![]),
    ]
}

fn all_values() -> Payload {
    let mut table = Payload::new();
    for (at, (kind, value)) in values().into_iter().enumerate() {
        table = table.entry(&format!("key {at}"), kind, value);
    }
    // Order and repetition are the client's business, and so are odd keys.
    table.text("a", "1").text("a", "2").text("", "no key").text("ключ", "ключ")
}

/// A content header with a table and nothing else.
fn header(body_size: u64, table: &Payload) -> Payload {
    Payload::new().u16(60).u16(0).u64(body_size).u16(1 << 13).table(table)
}

fn publish_with(client: &mut Client, exchange: &str, key: &str, header: &Payload) {
    client.say(&publish_frames(1, &publish_method(exchange, key, 0), header, b"x", 131_072));
}

#[test]
fn headers_go_through_byte_by_byte() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    let header = header(1, &all_values());
    publish_with(&mut client, "", "q", &header);
    assert_eq!(client.get("q", false).expect("a message").1.header, header.0);
    client.method(1, &Payload::method(60, 90).u64(1).u8(1));
    client.consume_as(1, "q", Consume { no_ack: true, ..Consume::default() });
    assert_eq!(client.delivery().header, header.0);
    publish_with(&mut client, "", "q", &header);
    assert_eq!(client.delivery().header, header.0);
}

#[test]
fn so_do_headers_of_messages_that_come_back() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    let header = header(1, &all_values());
    let method = publish_method("", "nowhere", 1);
    client.say(&publish_frames(1, &method, &header, b"x", 131_072));
    assert_eq!(client.expect(1, 60, 50).header, header.0);
}

#[test]
fn every_property_goes_through() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    let header = Payload::new()
        .u16(60)
        .u16(0)
        .u64(1)
        .u16(0b1111_1111_1111_1100)
        .short("text/plain")
        .short("gzip")
        .table(&all_values())
        .u8(2)
        .u8(9)
        .short("correlation")
        .short("reply to")
        .short("60000")
        .short("message id")
        .u64(u64::MAX)
        .short("type")
        .short("guest")
        .short("app")
        .short("cluster");
    publish_with(&mut client, "", "q", &header);
    assert_eq!(client.get("q", true).expect("a message").1.header, header.0);
}

#[test]
fn other_headers_stay_when_blind_copies_are_taken_out() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for queue in ["q", "cc", "bcc"] {
        client.declare(queue);
    }
    let list = |queue: &str| long(Payload::new().raw(b"S").long(queue).0);
    let before = all_values();
    let table = Payload(before.0.clone())
        .entry("BCC", b'A', list("bcc"))
        .entry("CC", b'A', list("cc"))
        .text("z", "last");
    let expected = Payload(before.0).entry("CC", b'A', list("cc")).text("z", "last");
    publish_with(&mut client, "", "q", &header(1, &table));
    for queue in ["q", "cc", "bcc"] {
        let (_, heard) = client.get(queue, true).expect("a copy");
        assert_eq!(heard.header, header(1, &expected).0, "in {queue}");
    }
}

/// Binds the queue to the headers exchange.
fn bind(client: &mut Client, queue: &str, arguments: &Payload) {
    let bind = Payload::method(50, 20).u16(0).short(queue).short("amq.headers").short("");
    client.method(1, &bind.u8(0).table(arguments));
    client.expect(1, 50, 21);
}

#[test]
fn bindings_take_every_type_and_match_it() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    for (kind, value) in values() {
        let arguments = Payload::new().text("x-match", "all").entry("key", kind, &value);
        bind(&mut client, "q", &arguments);
        let table = Payload::new().entry("key", kind, &value);
        publish_with(&mut client, "amq.headers", "", &header(1, &table));
        client.sync();
        let ready = broker.counts("q").ready;
        // RabbitMQ takes a header's timestamp for milliseconds and a binding's for seconds.
        let expected = usize::from(kind != b'T');
        assert_eq!(ready, expected, "type {} {value:?}", kind as char);
        let unbind = Payload::method(50, 50).u16(0).short("q").short("amq.headers").short("");
        client.method(1, &unbind.table(&arguments));
        client.expect(1, 50, 51);
        publish_with(&mut client, "amq.headers", "", &header(1, &table));
        client.sync();
        assert_eq!(broker.counts("q").ready, ready, "type {}: the binding stays", kind as char);
        client.method(1, &Payload::method(50, 30).u16(0).short("q").u8(0));
        client.expect(1, 50, 31);
    }
}

#[test]
fn arguments_of_methods_take_every_type() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    for (at, (kind, value)) in values().into_iter().enumerate() {
        let arguments = Payload::new().entry("something", kind, value);
        let exchange = Payload::method(40, 10).u16(0).short(format!("x{at}")).short("fanout").u8(0);
        client.method(1, &exchange.table(&arguments));
        client.expect(1, 40, 11);
        let bind =
            Payload::method(40, 30).u16(0).short(format!("x{at}")).short("amq.topic").short("");
        client.method(1, &bind.u8(0).table(&arguments));
        client.expect(1, 40, 31);
        let consume = Payload::method(60, 20).u16(0).short("q").short("").u8(0);
        client.method(1, &consume.table(&arguments));
        client.expect(1, 60, 21);
    }
}

#[test]
fn client_properties_take_every_type() {
    let broker = TestBroker::start();
    let mut client = broker.stranger();
    client.say(&warren::wire::PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    let start_ok = Payload::method(10, 11).table(&all_values()).short("PLAIN");
    client.method(0, &start_ok.long(b"\0guest\0guest").short("en_US"));
    client.expect(0, 10, 30);
    client.tune(&Login::default());
    client.say(&Login::default().open().frame(METHOD, 0));
    client.expect(0, 10, 41);
}
