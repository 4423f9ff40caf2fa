//! Which exchange, queue or channel numbers are about: RabbitMQ 4.3.6's own answers to the same
//! story, with `management.rates_mode = detailed` (without it the lists are empty there).

use serde_json::Value;
use warren::wire::content::{Property, property};

use crate::http::get;
use crate::support::client::{Consume, publish_frames, publish_method};
use crate::support::{Client, Payload, TestBroker, eventually};

const MANDATORY: u8 = 1;
const FRAME_MAX: usize = 4096;

/// Each part of a list: what it is about, and what of it is not 0.
fn parts(object: &Value, list: &str) -> Vec<String> {
    let part = |part: &Value| {
        let about = ["exchange", "queue", "channel_details"];
        let about = about.iter().find_map(|about| part.get(about)).expect("what it is about");
        let name = about["name"].as_str().expect("a name");
        let name = name.rsplit(' ').next().expect("what stands last");
        let stats = part["stats"].as_object().expect("numbers");
        let mut line = format!("{name}:");
        for (key, value) in stats {
            if let Some(number) = value.as_u64() {
                assert!(stats[&format!("{key}_details")]["rate"].is_f64(), "{key} has a rate");
                if number > 0 {
                    line += &format!(" {key}={number}");
                }
            }
        }
        line
    };
    let list = object[list].as_array().unwrap_or_else(|| panic!("{list} in {object}"));
    list.iter().map(part).collect()
}

fn say(client: &mut Client, exchange: &str, key: &str, mandatory: u8) {
    let method = publish_method(exchange, key, mandatory);
    let bytes = publish_frames(1, &method, &Payload::header(3), b"abc", FRAME_MAX);
    client.say(&bytes);
}

/// Two queues behind a topic exchange, which also leads to a fanout exchange that has them too.
fn publish(client: &mut Client) {
    client.confirm_select(1);
    for (name, kind) in [("sx", "topic"), ("sy", "fanout")] {
        client.method(1, &Payload::method(40, 10).u16(0).short(name).short(kind).u8(0).u32(0));
        client.expect(1, 40, 11);
    }
    client
        .method(1, &Payload::method(40, 30).u16(0).short("sy").short("sx").short("#").u8(0).u32(0));
    client.expect(1, 40, 31);
    for queue in ["sc", "sq"] {
        client.declare(queue);
        for (exchange, key) in [("sx", "a"), ("sy", "")] {
            let bind = Payload::method(50, 20).u16(0).short(queue).short(exchange).short(key);
            client.method(1, &bind.u8(0).u32(0));
            client.expect(1, 50, 21);
        }
    }
    for queue in ["sc", "sq"] {
        for _ in 0..5 {
            say(client, "", queue, 0);
        }
        for _ in 0..4 {
            say(client, "sx", "a", 0);
        }
    }
    say(client, "sy", "", 0);
    say(client, "sx", "zz", MANDATORY);
    say(client, "", "nosuch", MANDATORY);
    say(client, "", "nosuch", 0);
}

/// Fetches in every way, and consumes.
fn consume(client: &mut Client) {
    let (first, _) = client.get("sc", false).expect("a message");
    client.ack(first.delivery_tag, false);
    client.get("sc", true).expect("a message");
    let (third, _) = client.get("sc", false).expect("a message");
    client.method(1, &Payload::method(60, 120).u64(third.delivery_tag).u8(0b10));
    assert!(client.get("sc", false).expect("a message").0.redelivered);
    client.declare("sempty");
    assert!(client.get("sempty", false).is_none());
    client.prefetch(1, 3, false);
    client.consume_as(1, "sc", Consume { tag: "ct", ..Consume::default() });
    let first = client.delivery().tag;
    client.deliveries(2);
    client.ack(first, false);
    client.deliveries(1);
}

fn channel_of(broker: &TestBroker, nth: usize) -> Value {
    let channels = get(broker, "/api/channels");
    let name = channels[nth]["name"].as_str().expect("a channel");
    get(broker, &format!("/api/channels/{}", name.replace(' ', "%20").replace('>', "%3E")))
}

fn confirmed(broker: &TestBroker) -> Option<u64> {
    channel_of(broker, 0)["message_stats"]["confirm"].as_u64()
}

#[test]
fn what_is_about_whom() {
    let broker = TestBroker::start();
    let (mut publisher, mut consumer) = (broker.client(), broker.client());
    publish(&mut publisher);
    eventually("all is confirmed", || confirmed(&broker) == Some(22));
    consume(&mut consumer);

    let queue = get(&broker, "/api/queues/%2F/sc");
    assert_eq!(parts(&queue, "incoming"), [": publish=5", "sx: publish=9", "sy: publish=1"]);
    let out = "ack=2 deliver=4 deliver_get=8 get=3 get_no_ack=1 redeliver=1";
    assert_eq!(parts(&queue, "deliveries"), [format!("(1): {out}")]);
    let stats = &queue["message_stats"];
    assert_eq!((stats["get"].as_u64(), stats["get_no_ack"].as_u64()), (Some(3), Some(1)));
    let empty = get(&broker, "/api/queues/%2F/sempty");
    assert_eq!(parts(&empty, "deliveries"), ["(1): get_empty=1"]);
    assert_eq!(empty["message_stats"]["get_empty"], 1);

    let channel = channel_of(&broker, 0);
    assert_eq!(
        parts(&channel, "publishes"),
        [
            ": confirm=12 drop_unroutable=1 publish=12 return_unroutable=1",
            "sx: confirm=9 publish=9",
            "sy: confirm=1 publish=1",
        ]
    );
    assert!(parts(&channel, "deliveries").is_empty());
    let channel = channel_of(&broker, 1);
    assert!(parts(&channel, "publishes").is_empty());
    assert_eq!(
        parts(&channel, "deliveries"),
        [format!("sc: {out}"), "sempty: get_empty=1".to_owned()]
    );
    let stats = &channel["message_stats"];
    assert_eq!((stats["deliver_get"].as_u64(), stats["ack"].as_u64()), (Some(8), Some(2)));

    for (exchange, incoming, outgoing) in [
        ("sx", "(1): confirm=9 publish=9", 9),
        ("sy", "(1): confirm=1 publish=1", 1),
        ("amq.default", "(1): confirm=12 drop_unroutable=1 publish=12 return_unroutable=1", 5),
    ] {
        let exchange = get(&broker, &format!("/api/exchanges/%2F/{exchange}"));
        assert_eq!(parts(&exchange, "incoming"), [incoming]);
        let of = |queue| format!("{queue}: publish={outgoing}");
        assert_eq!(parts(&exchange, "outgoing"), [of("sc"), of("sq")]);
        assert_eq!(exchange["message_stats"]["publish_out"], 2 * outgoing);
    }
    let unused = get(&broker, "/api/exchanges/%2F/amq.direct");
    assert!(parts(&unused, "incoming").is_empty() && parts(&unused, "outgoing").is_empty());
}

/// A channel's parts go with it; how much an exchange brought to a queue stays while both are there.
#[test]
fn what_is_gone() {
    let broker = TestBroker::start();
    let (mut publisher, mut consumer) = (broker.client(), broker.client());
    publish(&mut publisher);
    eventually("all is confirmed", || confirmed(&broker) == Some(22));
    consume(&mut consumer);
    drop((publisher, consumer));
    eventually("both are gone", || broker.server().broker().peers.is_empty());
    let queue = get(&broker, "/api/queues/%2F/sc");
    assert!(parts(&queue, "deliveries").is_empty());
    assert_eq!(parts(&queue, "incoming"), [": publish=5", "sx: publish=9", "sy: publish=1"]);
    let exchange = get(&broker, "/api/exchanges/%2F/sx");
    assert!(parts(&exchange, "incoming").is_empty());

    let mut client = broker.client();
    for delete in [
        Payload::method(40, 20).u16(0).short("sy").u8(0),
        Payload::method(50, 40).u16(0).short("sq").u8(0),
    ] {
        client.method(1, &delete);
        client.hear();
    }
    let queue = get(&broker, "/api/queues/%2F/sc");
    assert_eq!(parts(&queue, "incoming"), [": publish=5", "sx: publish=9"]);
    let exchange = get(&broker, "/api/exchanges/%2F/sx");
    assert_eq!(parts(&exchange, "outgoing"), ["sc: publish=9"]);
    broker.vhost().tidy_exchange_traffic();
    let exchange = get(&broker, "/api/exchanges/%2F/sx");
    assert_eq!(exchange["message_stats"]["publish_out"], 18, "sums stay");
}

#[test]
fn lists_have_no_parts() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    for (path, list) in [
        ("/api/queues", "incoming"),
        ("/api/queues?page=1", "deliveries"),
        ("/api/channels", "publishes"),
        ("/api/exchanges", "outgoing"),
        ("/api/queues/%2F/q?disable_stats=true", "incoming"),
    ] {
        let answer = get(&broker, path);
        let rows = answer.get("items").unwrap_or(&answer);
        let row = rows.get(0).unwrap_or(rows);
        assert!(row.is_object() && row.get(list).is_none(), "{path}");
    }
}

/// Direct replies come from no queue.
#[test]
fn direct_replies_are_nobodys() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("work");
    client.consume_as(
        1,
        "amq.rabbitmq.reply-to",
        Consume { tag: "r", no_ack: true, ..Consume::default() },
    );
    client.consume_as(1, "work", Consume { tag: "w", no_ack: true, ..Consume::default() });
    let method = publish_method("", "work", 0);
    let header = Payload::method(60, 0).u64(1).u16(1 << 9).short("amq.rabbitmq.reply-to");
    let bytes = publish_frames(1, &method, &header, b"?", FRAME_MAX);
    client.say(&bytes);
    let request = client.delivery();
    let reply_to = property(&request.header, Property::ReplyTo).expect("an address");
    let reply_to = String::from_utf8(reply_to.to_vec()).expect("text");
    say(&mut client, "", &reply_to, 0);
    client.delivery();
    let channel = channel_of(&broker, 0);
    assert_eq!(parts(&channel, "deliveries"), ["work: deliver_get=1 deliver_no_ack=1"]);
    assert_eq!(parts(&channel, "publishes"), [": publish=2"]);
    assert_eq!(channel["message_stats"]["deliver_no_ack"], 2);
}
