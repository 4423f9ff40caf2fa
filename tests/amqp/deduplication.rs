//! Exchanges that let a message pass once.

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};

use crate::support::{TestBroker, eventually};

async fn channel(connection: &Connection) -> Channel {
    let channel = connection.create_channel().await.expect("it works");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("it works");
    channel
}

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in entries {
        table.insert((*key).into(), value.clone());
    }
    table
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// A durable exchange, and a durable queue `q` bound to it with the key `k`.
async fn declare(channel: &Channel, name: &str, kind: &str, arguments: &[(&str, AMQPValue)]) {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let kind = ExchangeKind::Custom(kind.into());
    channel.exchange_declare(name.into(), kind, options, table(arguments)).await.expect("it works");
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("q".into(), options, FieldTable::default()).await.expect("it works");
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind("q".into(), name.into(), "k".into(), options, none).await.expect("it works");
}

/// Publishes a persistent message and waits for the ack. Returns whether it came back.
async fn publish(channel: &Channel, to: (&str, &str), id: Option<AMQPValue>, body: &str) -> bool {
    publish_with(channel, to, id.map(|id| ("x-deduplication-header", id)), body).await
}

async fn publish_with(
    channel: &Channel,
    to: (&str, &str),
    header: Option<(&str, AMQPValue)>,
    body: &str,
) -> bool {
    let headers = table(header.as_slice());
    let how = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish(to.0.into(), to.1.into(), options, body.as_bytes(), how);
    let confirmed = sent.await.expect("it works").await.expect("it works");
    assert!(confirmed.is_ack(), "{body}: {confirmed:?}");
    confirmed.take_message().is_some()
}

async fn drain(channel: &Channel) -> Vec<String> {
    let mut all = Vec::new();
    let options = BasicGetOptions { no_ack: true };
    while let Some(message) = channel.basic_get("q".into(), options).await.expect("it works") {
        all.push(String::from_utf8(message.delivery.data).expect("it works"));
    }
    all
}

#[test]
fn a_duplicate_is_acked_and_counted_and_goes_nowhere() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        declare(&channel, "typed", "x-message-deduplication", &[]).await;
        let on = [("x-message-deduplication", AMQPValue::Boolean(true))];
        declare(&channel, "argued", "direct", &on).await;
        for exchange in ["typed", "argued"] {
            for id in [Some(text("a")), Some(text("b")), Some(text("a")), None, None] {
                let body = id.as_ref().map_or("none", |_| "some");
                assert!(!publish(&channel, (exchange, "k"), id, body).await);
            }
            assert_eq!(drain(&channel).await, ["some", "some", "none", "none"]);
            let counts = broker.vhost().deduplicated(exchange);
            assert_eq!((counts.remembered, counts.duplicates), (2, 1));
        }
    });
}

#[test]
fn a_queue_takes_a_message_once_also_after_a_restart() {
    let mut broker = TestBroker::start();
    for round in 0..2 {
        broker.with_lapin(async |connection| {
            let channel = channel(&connection).await;
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let on = table(&[
                ("x-message-deduplication", AMQPValue::Boolean(true)),
                ("x-max-length", AMQPValue::LongInt(2)),
                ("x-overflow", text("reject-publish")),
            ]);
            channel.queue_declare("q".into(), options, on).await.expect("it works");
            for id in [Some(text("a")), Some(text("b")), Some(text("a"))] {
                // A queue that is full does not refuse what it has.
                assert!(!publish(&channel, ("", "q"), id, "some").await);
            }
            let expected: &[&str] = if round == 0 { &["some", "some"] } else { &[] };
            assert_eq!(drain(&channel).await, expected, "round {round}");
            publish(&channel, ("", "q"), None, "none").await;
            publish(&channel, ("", "q"), None, "none").await;
            assert_eq!(drain(&channel).await, ["none", "none"]);
            let duplicates = if round == 0 { 1 } else { 3 };
            assert_eq!(broker.counts("q").duplicates, duplicates);
        });
        broker.restart();
    }
}

#[test]
fn what_comes_back_to_a_queue_is_no_duplicate_of_itself() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        let options = || QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let first = table(&[
            ("x-message-deduplication", AMQPValue::Boolean(true)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("wait")),
        ]);
        channel.queue_declare("q".into(), options(), first).await.expect("it works");
        let wait = table(&[
            ("x-message-ttl", AMQPValue::LongInt(1)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("q")),
        ]);
        channel.queue_declare("wait".into(), options(), wait).await.expect("it works");
        publish(&channel, ("", "q"), Some(text("a")), "some").await;
        let got = channel.basic_get("q".into(), BasicGetOptions::default()).await;
        let got = got.expect("it works").expect("there is one");
        got.delivery.nack(lapin::options::BasicNackOptions::default()).await.expect("it works");
        eventually("it is back", || broker.counts("q").ready == 1);
        assert_eq!(drain(&channel).await, ["some"]);
    });
}

#[test]
fn the_window_is_as_large_as_was_said() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        let arguments =
            [("x-cache-size", AMQPValue::LongInt(2)), ("x-deduplication-header", text("my-id"))];
        declare(&channel, "x", "x-message-deduplication", &arguments).await;
        for (n, id) in [1, 2, 1, 3, 1].into_iter().enumerate() {
            let header = Some(("my-id", AMQPValue::LongInt(id)));
            publish_with(&channel, ("x", ""), header, &n.to_string()).await;
        }
        // The third repeats the first; by the fifth that is forgotten.
        assert_eq!(drain(&channel).await, ["0", "1", "3", "4"]);
        assert_eq!(broker.vhost().deduplicated("x").remembered, 2);
    });
}

#[test]
fn what_reached_nobody_may_come_again() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        let on = [("x-message-deduplication", AMQPValue::Boolean(true))];
        declare(&channel, "x", "direct", &on).await;
        assert!(publish(&channel, ("x", "nowhere"), Some(text("a")), "lost").await);
        assert!(publish(&channel, ("x", "nowhere"), Some(text("a")), "lost").await);
        assert!(!publish(&channel, ("x", "k"), Some(text("a")), "found").await);
        assert!(!publish(&channel, ("x", "k"), Some(text("a")), "again").await);
        assert_eq!(drain(&channel).await, ["found"]);
    });
}

#[test]
fn a_restart_forgets_nothing() {
    let mut broker = TestBroker::start();
    let on = [("x-cache-size", AMQPValue::LongInt(3))];
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        declare(&channel, "x", "x-message-deduplication", &on).await;
        for id in ["a", "b", "c", "d"] {
            publish(&channel, ("x", ""), Some(text(id)), id).await;
        }
    });
    for _ in 0..2 {
        broker.restart();
        assert_eq!(broker.vhost().deduplicated("x").remembered, 3);
    }
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        for id in ["d", "c", "b", "a"] {
            publish(&channel, ("x", ""), Some(text(id)), &format!("{id} again")).await;
        }
        assert_eq!(drain(&channel).await, ["a", "b", "c", "d", "a again"]);
    });
    broker.restart();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        // Now "b" is out, and the others are in the order in which they came.
        for id in ["c", "d", "a", "b"] {
            publish(&channel, ("x", ""), Some(text(id)), &format!("{id} once more")).await;
        }
        assert_eq!(drain(&channel).await, ["b once more"]);
    });
}

#[test]
fn many_publishers_of_the_same_get_one_message_in() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let setup = channel(&connection).await;
        let on = [("x-message-deduplication", AMQPValue::Boolean(true))];
        declare(&setup, "x", "direct", &on).await;
        declare(&setup, "y", "direct", &on).await;
        let url = format!("amqp://guest:guest@{}", broker.address());
        let publisher = async |first: &'static str, second: &'static str| {
            let properties = lapin::ConnectionProperties::default();
            let connection = Connection::connect(&url, properties).await.expect("it works");
            let channel = channel(&connection).await;
            for n in 0..100 {
                // In opposite orders, so that two could wait for each other.
                publish(&channel, (first, "k"), Some(AMQPValue::LongInt(n)), first).await;
                publish(&channel, (second, "k"), Some(AMQPValue::LongInt(n)), second).await;
            }
        };
        let all = [publisher("x", "y"), publisher("y", "x"), publisher("x", "y")];
        futures_util::future::join_all(all).await;
        let found = drain(&setup).await;
        for exchange in ["x", "y"] {
            assert_eq!(found.iter().filter(|body| *body == exchange).count(), 100);
            assert_eq!(broker.vhost().deduplicated(exchange).duplicates, 200);
        }
    });
}

#[test]
fn a_transaction_that_is_rolled_back_was_never_seen() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let confirming = channel(&connection).await;
        let on = [("x-message-deduplication", AMQPValue::Boolean(true))];
        declare(&confirming, "x", "direct", &on).await;
        let channel = connection.create_channel().await.expect("it works");
        channel.tx_select().await.expect("it works");
        for commit in [false, true, true] {
            let headers = table(&[("x-deduplication-header", text("a"))]);
            let how = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
            let options = BasicPublishOptions::default();
            channel
                .basic_publish("x".into(), "k".into(), options, b"a", how)
                .await
                .expect("it works");
            if commit { channel.tx_commit().await } else { channel.tx_rollback().await }
                .expect("it works");
        }
        assert_eq!(drain(&confirming).await, ["a"]);
    });
}

#[test]
fn what_a_full_queue_refused_may_come_again() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        let on = [("x-message-deduplication", AMQPValue::Boolean(true))];
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let full = table(&[
            ("x-max-length", AMQPValue::LongInt(1)),
            ("x-overflow", text("reject-publish")),
        ]);
        channel.queue_declare("q".into(), options, full).await.expect("it works");
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let kind = ExchangeKind::Direct;
        channel.exchange_declare("x".into(), kind, options, table(&on)).await.expect("it works");
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel
            .queue_bind("q".into(), "x".into(), "k".into(), options, none)
            .await
            .expect("it works");
        assert!(!publish(&channel, ("x", "k"), Some(text("a")), "a").await);
        let send = async |id: &str| {
            let headers = table(&[("x-deduplication-header", text(id))]);
            let how = BasicProperties::default().with_headers(headers);
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish("x".into(), "k".into(), options, id.as_bytes(), how);
            sent.await.expect("it works").await.expect("it works").is_ack()
        };
        assert!(!send("b").await, "the queue is full");
        assert_eq!(drain(&channel).await, ["a"]);
        assert!(send("b").await);
        assert_eq!(drain(&channel).await, ["b"]);
    });
}

#[test]
fn what_waits_or_has_died_is_no_duplicate_of_itself() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        let arguments = [
            ("x-message-deduplication", AMQPValue::Boolean(true)),
            ("x-delayed-type", text("direct")),
        ];
        declare(&channel, "x", "x-delayed-message", &arguments).await;
        // What expires in `short` comes back through the exchange that it was published to.
        let dead = [
            ("x-message-ttl", AMQPValue::LongInt(1)),
            ("x-dead-letter-exchange", text("x")),
            ("x-dead-letter-routing-key", text("k")),
        ];
        let options = QueueDeclareOptions::default();
        channel.queue_declare("short".into(), options, table(&dead)).await.expect("it works");
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel
            .queue_bind("short".into(), "x".into(), "s".into(), options, none)
            .await
            .expect("it works");
        assert!(!publish(&channel, ("x", "s"), Some(text("a")), "died").await);
        let headers =
            table(&[("x-deduplication-header", text("b")), ("x-delay", AMQPValue::LongInt(50))]);
        for _ in 0..2 {
            let how = BasicProperties::default().with_headers(headers.clone());
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish("x".into(), "k".into(), options, b"waited", how);
            assert!(sent.await.expect("it works").await.expect("it works").is_ack());
        }
        eventually("both have come", || broker.counts("q").ready == 2);
        let mut found = drain(&channel).await;
        found.sort();
        assert_eq!(found, ["died", "waited"]);
        assert_eq!(broker.vhost().deduplicated("x").duplicates, 1);
    });
}
