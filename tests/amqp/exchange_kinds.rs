//! Exchanges that choose, and exchanges that remember.

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeBindOptions,
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};

use crate::support::TestBroker;

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

async fn exchange(
    channel: &Channel,
    name: &str,
    kind: &str,
    arguments: &[(&str, AMQPValue)],
) -> lapin::Result<()> {
    let (kind, options) = (ExchangeKind::Custom(kind.into()), ExchangeDeclareOptions::default());
    channel.exchange_declare(name.into(), kind, options, table(arguments)).await
}

async fn bound(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let (options, none) = (QueueDeclareOptions::default(), FieldTable::default());
    channel.queue_declare(queue.into(), options, none.clone()).await?;
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.into(), exchange.into(), key.into(), options, none).await
}

/// Publishes and waits for the confirm. Returns whether the message came back.
async fn publish(channel: &Channel, to: (&str, &str), body: &str, how: BasicProperties) -> bool {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish(to.0.into(), to.1.into(), options, body.as_bytes(), how);
    let confirmed = sent.await.expect("it works").await.expect("it works");
    assert!(confirmed.is_ack(), "{confirmed:?}");
    confirmed.take_message().is_some()
}

fn plain() -> BasicProperties {
    BasicProperties::default()
}

/// Everything in a queue, in order.
async fn drain(channel: &Channel, queue: &str) -> Vec<String> {
    let mut all = Vec::new();
    let options = BasicGetOptions { no_ack: true };
    while let Some(message) = channel.basic_get(queue.into(), options).await.expect("it works") {
        all.push(String::from_utf8(message.delivery.data).expect("it works"));
    }
    all
}

/// What a refused request's 406 says.
fn refusal(refused: lapin::Result<()>) -> String {
    let refused = refused.expect_err("it is refused");
    let lapin::ErrorKind::ProtocolError(error) = refused.kind() else {
        panic!("not the broker's refusal: {refused}");
    };
    assert_eq!(error.get_id(), 406);
    error.get_message().to_string()
}

#[test]
fn a_key_keeps_its_queue_and_every_queue_has_keys() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        for kind in ["x-consistent-hash", "x-modulus-hash"] {
            exchange(&channel, kind, kind, &[]).await.expect("it works");
            let queues: Vec<_> = (0..4).map(|n| format!("{kind} {n}")).collect();
            for queue in &queues {
                bound(&channel, queue, kind, "1").await.expect("it works");
            }
            for round in ["first", "second"] {
                for key in 0..40 {
                    let body = format!("{key} {round}");
                    let key = key.to_string();
                    assert!(!publish(&channel, (kind, &key), &body, plain()).await);
                }
            }
            let mut count = 0;
            for queue in &queues {
                let found = drain(&channel, queue).await;
                assert!(!found.is_empty(), "{queue} has keys");
                count += found.len();
                let of = |round| {
                    let mine = found.iter().filter_map(move |body| body.strip_suffix(round));
                    mine.collect::<Vec<_>>()
                };
                assert_eq!(of(" first"), of(" second"), "{queue}: the same keys, in order");
            }
            assert_eq!(count, 80, "each goes to one");
        }
    });
}

#[test]
fn a_hash_by_header_does_not_look_at_the_key() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        exchange(&channel, "x", "x-consistent-hash", &[("hash-header", text("user"))])
            .await
            .expect("it works");
        exchange(&channel, "p", "x-consistent-hash", &[("hash-property", text("message_id"))])
            .await
            .expect("it works");
        for queue in ["a", "b", "c", "d"] {
            bound(&channel, queue, "x", "1").await.expect("it works");
            bound(&channel, queue, "p", "1").await.expect("it works");
        }
        for n in 0..30 {
            let key = n.to_string();
            let headers = table(&[("user", text("ann"))]);
            publish(&channel, ("x", &key), "ann", plain().with_headers(headers)).await;
            publish(&channel, ("p", &key), "one id", plain().with_message_id("1".into())).await;
        }
        let mut holders = Vec::new();
        for queue in ["a", "b", "c", "d"] {
            let mut found = drain(&channel, queue).await;
            found.sort();
            found.dedup();
            holders.extend(found);
        }
        holders.sort();
        assert_eq!(holders, ["ann", "one id"], "each in one queue only");
    });
}

#[test]
fn arguments_and_bindings_that_mean_nothing_are_refused() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let new = async || connection.create_channel().await.expect("it works");
        let both = [("hash-header", text("h")), ("hash-property", text("message_id"))];
        let refused = exchange(&new().await, "x", "x-consistent-hash", &both).await;
        let exclusive = "hash-header and hash-property are mutually exclusive";
        assert_eq!(refusal(refused), format!("PRECONDITION_FAILED - {exclusive}"));
        let none = [("x-recent-history-length", AMQPValue::LongInt(0))];
        let refused = refusal(exchange(&new().await, "x", "x-recent-history", &none).await);
        assert!(refused.ends_with("must be a positive integer"), "{refused}");

        exchange(&new().await, "x", "x-consistent-hash", &[]).await.expect("it works");
        let refused = bound(&new().await, "q", "x", "heavy").await;
        let integer = "The binding key must be an integer: <<\"heavy\">>";
        assert_eq!(refusal(refused), format!("PRECONDITION_FAILED - {integer}"));
        exchange(&new().await, "local", "x-local-random", &[]).await.expect("it works");
        let refused = bound(&new().await, "q", "local", "k").await;
        let empty = "Non empty binding 'k' key not permitted";
        assert_eq!(refusal(refused), format!("PRECONDITION_FAILED - {empty}"));
        let options = ExchangeBindOptions::default();
        let refused = new().await;
        let refused = refused
            .exchange_bind(
                "amq.fanout".into(),
                "local".into(),
                "".into(),
                options,
                FieldTable::default(),
            )
            .await;
        assert_eq!(refusal(refused), "PRECONDITION_FAILED - Destination not found");
    });
}

#[test]
fn chance_gives_each_message_to_one() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        for kind in ["x-random", "x-local-random"] {
            exchange(&channel, kind, kind, &[]).await.expect("it works");
            assert!(publish(&channel, (kind, ""), "nobody", plain()).await, "it comes back");
            let queues = [format!("{kind} 1"), format!("{kind} 2")];
            for queue in &queues {
                bound(&channel, queue, kind, "").await.expect("it works");
            }
            for n in 0..60 {
                assert!(!publish(&channel, (kind, ""), &n.to_string(), plain()).await);
            }
            let first = drain(&channel, &queues[0]).await;
            let second = drain(&channel, &queues[1]).await;
            assert!(!first.is_empty() && !second.is_empty(), "both get some");
            assert_eq!(first.len() + second.len(), 60);
        }
    });
}

#[test]
fn who_comes_late_is_told_what_was_said() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        let length = [("x-recent-history-length", AMQPValue::LongInt(3))];
        exchange(&channel, "news", "x-recent-history", &length).await.expect("it works");
        assert!(publish(&channel, ("news", ""), "1", plain()).await, "nobody listens yet");
        bound(&channel, "early", "news", "k").await.expect("it works");
        for body in ["2", "3", "4"] {
            assert!(!publish(&channel, ("news", "any"), body, plain()).await);
        }
        let hidden = table(&[("x-recent-history-no-store", AMQPValue::Boolean(true))]);
        publish(&channel, ("news", ""), "secret", plain().with_headers(hidden)).await;

        bound(&channel, "late", "news", "").await.expect("it works");
        bound(&channel, "late", "news", "").await.expect("it works");
        assert!(!publish(&channel, ("news", ""), "5", plain()).await);
        assert_eq!(drain(&channel, "early").await, ["1", "2", "3", "4", "secret", "5"]);
        assert_eq!(drain(&channel, "late").await, ["2", "3", "4", "5"], "told once");

        // Through an exchange, too.
        exchange(&channel, "next", "fanout", &[]).await.expect("it works");
        bound(&channel, "behind", "next", "").await.expect("it works");
        let (options, none) = (ExchangeBindOptions::default(), FieldTable::default());
        channel
            .exchange_bind("next".into(), "news".into(), "".into(), options, none)
            .await
            .expect("it works");
        assert_eq!(drain(&channel, "behind").await, ["3", "4", "5"]);

        // An exchange declared anew has a history of its own.
        let options = ExchangeDeleteOptions::default();
        channel.exchange_delete("news".into(), options).await.expect("it works");
        exchange(&channel, "news", "x-recent-history", &[]).await.expect("it works");
        bound(&channel, "later", "news", "").await.expect("it works");
        assert!(drain(&channel, "later").await.is_empty());
    });
}

#[test]
fn routes_that_were_remembered_do_not_outlive_a_binding() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        exchange(&channel, "x", "x-consistent-hash", &[]).await.expect("it works");
        bound(&channel, "a", "x", "1").await.expect("it works");
        for _ in 0..3 {
            assert!(!publish(&channel, ("x", "key"), "to a", plain()).await);
        }
        bound(&channel, "b", "x", "100").await.expect("it works");
        let none = FieldTable::default();
        channel.queue_unbind("a".into(), "x".into(), "1".into(), none).await.expect("it works");
        assert!(!publish(&channel, ("x", "key"), "to b", plain()).await);
        assert_eq!(drain(&channel, "a").await.len(), 3);
        assert_eq!(drain(&channel, "b").await, ["to b"]);
    });
}

#[test]
fn alternates_copies_and_chains() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        exchange(&channel, "spare", "x-random", &[]).await.expect("it works");
        bound(&channel, "spare 1", "spare", "").await.expect("it works");
        let alternate = [("alternate-exchange", text("spare"))];
        for kind in ["x-consistent-hash", "x-modulus-hash", "x-random", "x-recent-history"] {
            exchange(&channel, kind, kind, &alternate).await.expect("it works");
            let cc = AMQPValue::FieldArray(vec![text("1"), text("2")].into());
            let copies = plain().with_headers(table(&[("CC", cc)]));
            assert!(!publish(&channel, (kind, "0"), kind, copies.clone()).await);
            assert_eq!(drain(&channel, "spare 1").await, [kind], "the alternate takes it");

            // Behind a direct exchange, and with further keys: still one queue.
            let (one, two) = (format!("{kind} one"), format!("{kind} two"));
            bound(&channel, &one, kind, "1").await.expect("it works");
            bound(&channel, &two, kind, "1").await.expect("it works");
            let (options, none) = (ExchangeBindOptions::default(), FieldTable::default());
            channel
                .exchange_bind(kind.into(), "amq.direct".into(), kind.into(), options, none)
                .await
                .expect("it works");
            assert!(!publish(&channel, ("amq.direct", kind), "chained", copies).await);
            let mut found = drain(&channel, &one).await;
            found.extend(drain(&channel, &two).await);
            found.retain(|body| body == "chained");
            assert_eq!(found.len(), if kind == "x-recent-history" { 2 } else { 1 });
            assert!(drain(&channel, "spare 1").await.is_empty());
        }
    });
}
