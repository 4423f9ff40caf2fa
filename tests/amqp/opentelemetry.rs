//! Messages' ways as an OpenTelemetry collector is shown them.

use std::io::{Read, Write};
use std::net::TcpStream;

use opentelemetry_proto::tonic::trace::v1::Span;
use warren::config::{Compression, SamplerKind};
use warren::spans::context::{Context, SpanId, TraceId};
use warren::wire::content::{Property, property};
use warren::wire::table::TableRef;

use crate::support::client::{Consume, Delivered, declare, publish_frames, publish_method};
use crate::support::collector::{Answering, Collector, attribute, only};
use crate::support::{Client, Payload, TestBroker, eventually};

const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const PARENT: u64 = 0xb7ad_6b71_6920_3331;
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const NO_ACK: Consume<'static> =
    Consume { no_ack: true, exclusive: false, tag: "", priority: None };

/// A persistent message's content header with this `traceparent`.
fn header(body: &str, traceparent: &str) -> Payload {
    let headers = Payload::new().text("kept", "as it is").text("traceparent", traceparent);
    let header = Payload::new().u16(60).u16(0).u64(body.len() as u64).u16(1 << 13 | 1 << 12);
    header.table(&headers).u8(2)
}

fn publish(client: &mut Client, to: (&str, &str), body: &str, traceparent: &str) {
    let method = publish_method(to.0, to.1, 0);
    let frames = publish_frames(1, &method, &header(body, traceparent), body.as_bytes(), 8192);
    client.say(&frames);
}

fn declare_durable(client: &mut Client, queue: &str) {
    client.method(1, &declare(queue, 2));
    client.declare_ok();
}

fn id(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

/// All belong to one trace, which is returned.
#[track_caller]
fn trace(spans: &[Span]) -> u128 {
    let of = |span: &Span| u128::from_be_bytes((*span.trace_id).try_into().expect("16 bytes"));
    let first = of(&spans[0]);
    assert!(spans.iter().all(|span| of(span) == first), "{spans:?}");
    first
}

#[track_caller]
fn is_part_of(part: &Span, whole: &Span) {
    assert_eq!(part.parent_span_id, whole.span_id, "{} is a part of {}", part.name, whole.name);
}

fn traceparent(delivered: &Delivered) -> Option<Context> {
    Context::of_message(&delivered.header)
}

#[test]
fn a_message_is_shown_from_its_publish_to_its_ack() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| collector.watches(config));
    let mut client = broker.client();
    declare_durable(&mut client, "q");
    client.method(
        1,
        &Payload::method(50, 20)
            .u16(0)
            .short("q")
            .short("amq.direct")
            .short("k")
            .u8(0)
            .table(&Payload::new()),
    );
    client.expect(1, 50, 21);
    client.consume("q");
    publish(&mut client, ("amq.direct", "k"), "hello", SAMPLED);
    let delivered = client.delivery();
    assert_eq!(delivered.header, header("hello", SAMPLED).0, "the consumer sees what was sent");
    client.ack(delivered.tag, false);
    let spans = collector.hears(5);
    assert_eq!(trace(&spans), TRACE);
    let [publish, route, enqueue, deliver, ack] =
        ["publish", "route", "enqueue", "deliver", "ack"].map(|operation| only(&spans, operation));
    assert_eq!(id(&publish.parent_span_id), PARENT);
    is_part_of(route, publish);
    is_part_of(enqueue, publish);
    is_part_of(deliver, enqueue);
    is_part_of(ack, deliver);
    assert_eq!(publish.name, "publish amq.direct:k");
    assert_eq!(deliver.name, "deliver amq.direct:k:q");
    assert_eq!(id(&deliver.links[0].span_id), PARENT);
    for span in &spans {
        assert_eq!(attribute(&span.attributes, "messaging.system"), "rabbitmq");
        assert_eq!(attribute(&span.attributes, "messaging.message.body.size"), "5");
        assert_eq!(attribute(&span.attributes, "warren.vhost"), "/");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    assert_eq!(attribute(&deliver.attributes, "messaging.rabbitmq.message.delivery_tag"), "1");
    assert_eq!(attribute(&enqueue.attributes, "warren.durable"), "true");
    assert_eq!(attribute(&ack.attributes, "warren.outcome"), "acked");
    let port = broker.address().port().to_string();
    assert_eq!(attribute(&ack.attributes, "server.port"), port);
    let order = [publish, enqueue, deliver, ack].map(|span| span.start_time_unix_nano);
    assert!(order.is_sorted(), "{order:?}");
    assert!(publish.end_time_unix_nano >= enqueue.end_time_unix_nano);
}

#[test]
fn what_its_publisher_does_not_keep_is_not_shown() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| collector.watches(config));
    let mut client = broker.client();
    client.declare("q");
    client.consume_as(1, "q", NO_ACK);
    client.publish("q", "without");
    for context in [UNSAMPLED, "", "nonsense", &SAMPLED.to_uppercase()] {
        publish(&mut client, ("", "q"), "unseen", context);
        assert_eq!(client.delivery().text().len(), if context == UNSAMPLED { 7 } else { 6 });
    }
    client.delivery();
    // What comes last shows that nothing came before.
    publish(&mut client, ("", "q"), "seen", SAMPLED);
    assert_eq!(client.delivery().header, header("seen", SAMPLED).0);
    let spans = collector.hears(4);
    assert_eq!(trace(&spans), TRACE);
}

#[test]
fn a_share_of_what_comes_without_a_context_gets_one() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| {
        collector.watches(config);
        config.opentelemetry.ratio = 1.0;
    });
    let mut client = broker.client();
    client.declare("q");
    client.consume_as(1, "q", NO_ACK);
    client.publish("q", "plain");
    let plain = traceparent(&client.delivery()).expect("a context");
    let spans = collector.hears(4);
    assert_eq!(TraceId(trace(&spans)), plain.trace);
    let publish_span = only(&spans, "publish");
    assert_eq!(publish_span.parent_span_id, b"", "the trace begins here");
    assert_eq!(SpanId(id(&publish_span.span_id)), plain.span);
    is_part_of(only(&spans, "enqueue"), publish_span);
    is_part_of(only(&spans, "deliver"), only(&spans, "enqueue"));

    publish(&mut client, ("", "q"), "odd", "no context");
    let odd = client.delivery();
    assert!(traceparent(&odd).is_some_and(|context| context.trace != plain.trace));
    let headers = property(&odd.header, Property::Headers).expect("headers");
    let headers = TableRef::checked(headers).expect("a table");
    assert_eq!(headers.get("kept").and_then(|value| value.as_text()), Some("as it is"));
    assert_eq!(headers.iter().count(), 2, "what was no context is replaced");

    publish(&mut client, ("", "q"), "not kept", UNSAMPLED);
    assert_eq!(client.delivery().header, header("not kept", UNSAMPLED).0, "its publisher decides");
    collector.hears(8);
}

#[test]
fn a_sampler_may_go_by_the_trace_alone() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| {
        collector.watches(config);
        config.opentelemetry.sampler = SamplerKind::AlwaysOn;
    });
    let mut client = broker.client();
    client.declare("q");
    publish(&mut client, ("", "q"), "x", UNSAMPLED);
    client.get("q", true).expect("a message");
    assert_eq!(trace(&collector.hears(4)), TRACE);
}

#[test]
fn what_became_of_deliveries_is_told() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| collector.watches(config));
    let mut client = broker.client();
    client.declare("q");
    publish(&mut client, ("", "q"), "x", SAMPLED);
    let get = |client: &mut Client| client.get("q", false).expect("a message").0;
    let nack = |tag: u64, bits: u8| Payload::method(60, 120).u64(tag).u8(bits);
    let tag = get(&mut client).delivery_tag;
    client.method(1, &nack(tag, 2));
    let again = get(&mut client);
    assert!(again.redelivered);
    client.method(1, &Payload::method(60, 90).u64(again.delivery_tag).u8(1));
    get(&mut client);
    client.close_channel(1);
    client.open_channel(1);
    let last = get(&mut client);
    client.method(1, &Payload::method(60, 90).u64(last.delivery_tag).u8(0));
    let spans = collector.hears(11);
    trace(&spans);
    let of = |operation: &str| {
        let of_it = |span: &&Span| span.name.starts_with(operation);
        spans.iter().filter(of_it).collect::<Vec<_>>()
    };
    let delivered = of("deliver");
    assert_eq!(delivered.len(), 4);
    for each in &delivered {
        is_part_of(each, only(&spans, "enqueue"));
    }
    assert_eq!(attribute(&delivered[0].attributes, "warren.redelivered"), "");
    assert_eq!(attribute(&delivered[1].attributes, "warren.redelivered"), "true");
    let outcome = |span: &Span| attribute(&span.attributes, "warren.outcome");
    let settled = [of("nack")[0], of("reject")[0], of("release")[0], of("reject")[1]];
    assert_eq!(settled.map(outcome), ["requeued", "requeued", "requeued", "discarded"]);
    for (settled, delivered) in settled.into_iter().zip(delivered) {
        is_part_of(settled, delivered);
    }
}

#[test]
fn a_trace_goes_on_after_a_restart() {
    let collector = Collector::start();
    let mut broker = TestBroker::with(|config| collector.watches(config));
    let mut client = broker.client();
    declare_durable(&mut client, "q");
    client.confirm_select(1);
    publish(&mut client, ("", "q"), "kept", SAMPLED);
    client.expect(1, 60, 80);
    collector.hears(3);
    broker.restart();
    let mut client = broker.client();
    client.consume("q");
    let delivered = client.delivery();
    assert_eq!(delivered.header, header("kept", SAMPLED).0);
    client.ack(delivered.tag, false);
    let spans = collector.hears(5);
    assert_eq!(trace(&spans), TRACE);
    is_part_of(only(&spans, "deliver"), only(&spans, "enqueue"));
    is_part_of(only(&spans, "ack"), only(&spans, "deliver"));
}

#[test]
fn however_a_message_comes_its_spans_are_parts_of_each_other() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| collector.watches(config));
    let mut client = broker.client();
    client.declare("q");
    // One that is mandatory, one in several frames, and one that is taken over HTTP.
    let long = "x".repeat(20_000);
    for (count, (bits, body)) in [(1, "x"), (0, long.as_str()), (0, "x")].into_iter().enumerate() {
        let (method, header) = (publish_method("", "q", bits), header(body, SAMPLED));
        client.say(&publish_frames(1, &method, &header, body.as_bytes(), 8192));
        client.sync();
        if count < 2 {
            let (_, heard) = client.get("q", false).expect("a message");
            assert_eq!((&heard.header, heard.body.len()), (&header.0, body.len()));
            client.ack(u64::try_from(count).expect("small") + 1, false);
        } else {
            let queue = broker.queue("q").expect("it is there");
            assert_eq!(queue.take(1, warren::queue::Outcome::Accept).len(), 1);
        }
        let spans = collector.hears(5 * (count + 1));
        let spans = &spans[5 * count..];
        is_part_of(only(spans, "enqueue"), only(spans, "publish"));
        is_part_of(only(spans, "deliver"), only(spans, "enqueue"));
        is_part_of(only(spans, "ack"), only(spans, "deliver"));
        let size = attribute(&only(spans, "ack").attributes, "messaging.message.body.size");
        assert_eq!(size, body.len().to_string());
    }
}

#[test]
fn what_is_left_is_sent_at_the_end() {
    let collector = Collector::start();
    let mut broker = TestBroker::with(|config| {
        collector.watches(config);
        config.opentelemetry.delay = 3_600_000;
    });
    let mut client = broker.client();
    client.declare("q");
    publish(&mut client, ("", "q"), "x", SAMPLED);
    client.sync();
    drop(client);
    let stopped = broker.begin_stop();
    broker.block_on(stopped).expect("stopped");
    collector.hears(3);
}

#[test]
fn copies_and_dead_letters_belong_to_the_same_trace() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| collector.watches(config));
    let mut client = broker.client();
    let dead =
        Payload::new().text("x-dead-letter-exchange", "").text("x-dead-letter-routing-key", "dead");
    client.method(1, &Payload::method(50, 10).u16(0).short("a").u8(0).table(&dead));
    client.declare_ok();
    client.declare("b");
    client.declare("dead");
    for queue in ["a", "b"] {
        let bind = Payload::method(50, 20).u16(0).short(queue).short("amq.fanout");
        client.method(1, &bind.short("").u8(0).table(&Payload::new()));
        client.expect(1, 50, 21);
    }
    publish(&mut client, ("amq.fanout", ""), "x", SAMPLED);
    let (got, _) = client.get("a", false).expect("a message");
    client.method(1, &Payload::method(60, 90).u64(got.delivery_tag).u8(0));
    // publish, route, twice enqueue, deliver, reject; and once more enqueue.
    let spans = collector.hears(7);
    assert_eq!(trace(&spans), TRACE);
    let queues: Vec<_> = spans
        .iter()
        .filter(|span| span.name.starts_with("enqueue"))
        .map(|span| attribute(&span.attributes, "warren.queue"))
        .collect();
    assert_eq!(queues, ["a", "b", "dead"]);
}

#[test]
fn replies_and_transactions_are_shown_too() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| collector.watches(config));
    let mut server = broker.client();
    server.declare("questions");
    server.consume_as(1, "questions", NO_ACK);
    let mut client = broker.client();
    client.consume_as(1, "amq.rabbitmq.reply-to", NO_ACK);
    let question = Payload::new().u16(60).u16(0).u64(1).u16(1 << 9).short("amq.rabbitmq.reply-to");
    client.say(&publish_frames(1, &publish_method("", "questions", 0), &question, b"?", 8192));
    let question = server.delivery();
    let address = property(&question.header, Property::ReplyTo).expect("a reply-to");
    let address = String::from_utf8(address.to_vec()).expect("text");
    publish(&mut server, ("", &address), "!", SAMPLED);
    client.delivery();
    let spans = collector.hears(3);
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["publish", "route", "deliver"], "what the broker named is not in names");
    is_part_of(&spans[2], &spans[0]);

    let mut client = broker.client();
    client.declare("q");
    client.method(1, &Payload::method(90, 10));
    client.expect(1, 90, 11);
    publish(&mut client, ("", "q"), "x", SAMPLED);
    client.sync();
    assert_eq!(collector.spans().len(), 3, "nothing is published before the commit");
    client.method(1, &Payload::method(90, 20));
    client.expect(1, 90, 21);
    collector.hears(6);
}

#[test]
fn refusals_are_errors() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| collector.watches(config));
    let mut client = broker.client();
    let full = Payload::new().text("x-overflow", "reject-publish").entry("x-max-length", b'b', [0]);
    client.method(1, &Payload::method(50, 10).u16(0).short("full").u8(0).table(&full));
    client.declare_ok();
    publish(&mut client, ("", "full"), "x", SAMPLED);
    publish(&mut client, ("", "nowhere"), "x", SAMPLED);
    publish(&mut client, ("no such", "k"), "x", SAMPLED);
    client.channel_is_closed(1, 404, (60, 40));
    let spans = collector.hears(5);
    let errors: Vec<_> = spans
        .iter()
        .filter(|span| span.name.starts_with("publish"))
        .map(|span| attribute(&span.attributes, "error.type"))
        .collect();
    assert_eq!(errors.len(), 3);
    for error in ["queue_full", "", "NOT_FOUND"] {
        assert!(errors.iter().any(|each| each == error), "{errors:?}");
    }
    let outcomes: Vec<_> = spans
        .iter()
        .filter(|span| span.name.starts_with("route"))
        .map(|span| attribute(&span.attributes, "warren.outcome"))
        .collect();
    assert_eq!(outcomes, ["routed", "unroutable"]);
}

/// How many spans the metrics say were exported, and dropped.
fn told(broker: &TestBroker) -> (u64, u64) {
    let mut socket = TcpStream::connect(broker.server().prometheus_address()).expect("metrics");
    socket
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .expect("sent");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("text");
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.expect("the metric is there").trim().parse::<f64>().expect("a number") as u64
    };
    let name = |what| format!("warren_opentelemetry_spans_{what}_total ");
    (number(&name("exported")), number(&name("dropped")))
}

/// A thousand messages go through, each of which is shown.
fn traffic(broker: &TestBroker) {
    let mut client = broker.client();
    client.declare("q");
    client.confirm_select(1);
    for _ in 0..1000 {
        publish(&mut client, ("", "q"), "x", SAMPLED);
    }
    let mut confirmed = 0;
    while confirmed < 1000 {
        let heard = client.expect(1, 60, 80);
        let warren::wire::method::AnyMethod::Basic(method) = heard.method else { panic!("an ack") };
        let warren::wire::method::basic::AMQPMethod::Ack(ack) = method else { panic!("an ack") };
        confirmed = ack.delivery_tag;
    }
    client.consume("q");
    for _ in 0..1000 {
        let tag = client.delivery().tag;
        client.ack(tag, false);
    }
    client.sync();
    eventually("all are acked", || broker.counts("q").unacked == 0);
}

#[test]
fn a_collector_that_is_away_holds_nobody_up() {
    let mut broker = TestBroker::with(|config| {
        config.opentelemetry.enabled = true;
        // Nobody listens there: the port is that of a collector which has ended.
        let gone = Collector::start();
        gone.watches(config);
        config.opentelemetry.queue = 100;
        config.opentelemetry.batch = 50;
    });
    traffic(&broker);
    eventually("what finds no room is counted", || told(&broker).1 >= 4500);
    assert_eq!(told(&broker).0, 0);
    let stopped = broker.begin_stop();
    broker.block_on(stopped).expect("it ends all the same");
}

#[test]
fn a_collector_that_hangs_holds_nobody_up() {
    let collector = Collector::start();
    collector.answer(Answering::Silence);
    let broker = TestBroker::with(|config| {
        collector.watches(config);
        config.opentelemetry.queue = 100;
        config.opentelemetry.batch = 50;
        config.opentelemetry.timeout = 1;
    });
    traffic(&broker);
    assert!(told(&broker).1 > 4000, "{:?}", told(&broker));
    // When it is back, what comes then is taken.
    collector.answer(Answering::Taking);
    eventually("spans come again", || !collector.spans().is_empty());
    eventually("and are counted", || told(&broker).0 > 0);
}

#[test]
fn what_a_collector_refuses_is_counted_and_not_sent_again() {
    let collector = Collector::start();
    collector.answer(Answering::Status(400));
    let broker = TestBroker::with(|config| collector.watches(config));
    let mut client = broker.client();
    client.declare("q");
    publish(&mut client, ("", "q"), "x", SAMPLED);
    eventually("it is lost", || told(&broker) == (0, 3));
    collector.answer(Answering::Status(503));
    publish(&mut client, ("", "q"), "x", SAMPLED);
    client.sync();
    collector.answer(Answering::Taking);
    eventually("it is sent again", || told(&broker) == (3, 3));
    collector.hears(3);
    collector.answer(Answering::Rejecting(1));
    publish(&mut client, ("", "q"), "x", SAMPLED);
    eventually("one of three is not taken", || {
        let (exported, dropped) = told(&broker);
        exported + dropped == 9 && dropped > 3
    });
}

#[test]
fn requests_are_as_the_settings_say() {
    let collector = Collector::start();
    let broker = TestBroker::with(|config| {
        collector.watches(config);
        config.opentelemetry.headers.0 = vec!["api-key=secret".into()];
        config.opentelemetry.compression = Compression::Gzip;
        config.opentelemetry.service_name = "orders".into();
        config.opentelemetry.resource =
            vec!["deployment.environment.name=test".into(), "host.name=other".into()];
    });
    let mut client = broker.client();
    client.declare("q");
    publish(&mut client, ("", "q"), "x", SAMPLED);
    collector.hears(3);
    let sent = &collector.sent()[0];
    assert_eq!(sent.path, "/v1/traces");
    for (name, value) in [
        ("api-key", "secret"),
        ("content-encoding", "gzip"),
        ("content-type", "application/x-protobuf"),
    ] {
        assert_eq!(sent.headers.get(name).and_then(|value| value.to_str().ok()), Some(value));
    }
    let resource = sent.request.resource_spans[0].resource.as_ref().expect("a resource");
    for (key, value) in [
        ("service.name", "orders"),
        ("deployment.environment.name", "test"),
        ("host.name", "other"),
    ] {
        assert_eq!(attribute(&resource.attributes, key), value);
    }
    let names: Vec<_> = resource.attributes.iter().map(|each| &each.key).collect();
    assert_eq!(names.iter().filter(|name| **name == "host.name").count(), 1, "{names:?}");
}
