//! Messages that wait at an exchange until they are due.

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeBindOptions,
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, Consumer, ExchangeKind};

use crate::support::{TestBroker, eventually};

const HOUR: i64 = 3_600_000;

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

/// A durable delayed exchange `later` of a type, and a durable queue `q` bound to it with `k`.
async fn later(channel: &Channel, kind: &str) {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let delayed = ExchangeKind::Custom("x-delayed-message".into());
    let arguments = table(&[("x-delayed-type", text(kind))]);
    channel.exchange_declare("later".into(), delayed, options, arguments).await.expect("it works");
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("q".into(), options, FieldTable::default()).await.expect("it works");
    let options = QueueBindOptions::default();
    let none = FieldTable::default();
    channel
        .queue_bind("q".into(), "later".into(), "k".into(), options, none)
        .await
        .expect("it works");
}

/// Publishes a persistent message and waits for the confirm.
async fn publish(channel: &Channel, to: (&str, &str), body: &str, headers: &[(&str, AMQPValue)]) {
    let how = BasicProperties::default().with_delivery_mode(2).with_headers(table(headers));
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish(to.0.into(), to.1.into(), options, body.as_bytes(), how);
    let confirmed = sent.await.expect("it works").await.expect("it works");
    assert!(confirmed.is_ack() && confirmed.take_message().is_none(), "{body} is taken");
}

async fn after(channel: &Channel, milliseconds: i64, body: &str) {
    let delay = [("x-delay", AMQPValue::LongLongInt(milliseconds))];
    publish(channel, ("later", "k"), body, &delay).await;
}

async fn consumer(channel: &Channel) -> Consumer {
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let none = FieldTable::default();
    channel.basic_consume("q".into(), "".into(), options, none).await.expect("it works")
}

async fn bodies(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let delivery = consumer.next().await.expect("it comes").expect("it works");
        bodies.push(String::from_utf8(delivery.data).expect("it works"));
    }
    bodies
}

fn scheduled(broker: &TestBroker) -> Vec<String> {
    let all = broker.vhost().scheduled("later", None, 100);
    all.iter().map(|each| String::from_utf8_lossy(each.message.body()).into_owned()).collect()
}

#[test]
fn messages_come_in_the_order_in_which_they_are_due() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        later(&channel, "direct").await;
        // An absolute time is the same for all, however long this test is kept from running.
        let at = |ms: u64| {
            [("x-deliver-at", AMQPValue::LongLongInt(i64::try_from(ms).expect("it works")))]
        };
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it works").as_millis() as u64;
        for (ms, body) in [(4200, "third"), (4000, "first"), (4100, "second"), (0, "at once")] {
            publish(&channel, ("later", "k"), body, &at(now + ms)).await;
        }
        after(&channel, -5, "in the past").await;
        let mut consumer = consumer(&channel).await;
        let found = bodies(&mut consumer, 5).await;
        let due: Vec<_> = found.iter().filter(|body| !body.contains(' ')).collect();
        assert_eq!(due, ["first", "second", "third"]);
        eventually("nothing waits", || broker.vhost().scheduled_count("later") == Some(0));
    });
}

#[test]
fn who_receives_it_sees_how_long_it_has_waited() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        later(&channel, "direct").await;
        let mut consumer = consumer(&channel).await;
        let headers = [("x-delay", text("20")), ("mine", AMQPValue::LongInt(7))];
        publish(&channel, ("later", "k"), "text will do", &headers).await;
        let delivery = consumer.next().await.expect("it works").expect("it works");
        assert_eq!((delivery.exchange.as_str(), delivery.routing_key.as_str()), ("later", "k"));
        let headers = delivery.properties.headers().clone().expect("it works");
        assert_eq!(headers.inner().get("x-delay"), Some(&AMQPValue::LongInt(-20)));
        assert_eq!(headers.inner().get("mine"), Some(&AMQPValue::LongInt(7)));
    });
}

#[test]
fn what_waits_is_counted_listed_and_cancelled() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        later(&channel, "direct").await;
        let century = 100 * 365 * 24 * HOUR;
        after(&channel, century, "in a hundred years").await;
        after(&channel, HOUR, "in an hour").await;
        let at = AMQPValue::Timestamp(4_000_000_000);
        publish(&channel, ("later", "k"), "in 2096", &[("x-deliver-at", at)]).await;
        let vhost = broker.vhost();
        assert_eq!(vhost.scheduled_count("later"), Some(3));
        assert_eq!(scheduled(&broker), ["in an hour", "in 2096", "in a hundred years"]);
        let all = vhost.scheduled("later", None, 100);
        assert_eq!(all[1].due.at, 4_000_000_000_000);
        let behind = vhost.scheduled("later", Some(all[0].due), 1);
        assert_eq!(behind[0].due, all[1].due);

        assert!(vhost.cancel_scheduled("later", all[1].due));
        assert!(!vhost.cancel_scheduled("later", all[1].due), "it is gone");
        assert_eq!(scheduled(&broker), ["in an hour", "in a hundred years"]);
        assert_eq!(vhost.scheduled_count("nowhere"), None);
        assert_eq!(broker.counts("q").ready, 0);

        let options = ExchangeDeleteOptions::default();
        channel.exchange_delete("later".into(), options).await.expect("it works");
        later(&channel, "direct").await;
        assert_eq!(vhost.scheduled_count("later"), Some(0), "they went with their exchange");
    });
}

#[test]
fn what_waits_survives_a_restart() {
    let mut broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        later(&channel, "topic").await;
        after(&channel, HOUR, "much later").await;
        after(&channel, 2 * HOUR, "cancelled").await;
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it works").as_millis() as i64;
        for n in 0..30 {
            // The last one first.
            let at = [("x-deliver-at", AMQPValue::LongLongInt(now + 4000 - n))];
            publish(&channel, ("later", "k"), &format!("soon {n}"), &at).await;
        }
    });
    let vhost = broker.vhost();
    let all = vhost.scheduled("later", None, 100);
    assert!(vhost.cancel_scheduled("later", all.last().expect("it works").due));
    drop((vhost, all));
    broker.restart();
    eventually("what was due has come", || broker.counts("q").ready == 30);
    assert_eq!(scheduled(&broker), ["much later"]);
    let found = broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        let mut consumer = consumer(&channel).await;
        bodies(&mut consumer, 30).await
    });
    let due: Vec<_> = (0..30).rev().map(|n| format!("soon {n}")).collect();
    assert_eq!(found, due, "in the order in which they were due");
    broker.restart();
    assert_eq!(broker.vhost().scheduled_count("later"), Some(1));
}

/// More than memory holds the times of.
#[test]
fn seventy_thousand_wait_in_order() {
    const MANY: u64 = 70_000;
    let mut broker = TestBroker::start();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it works").as_millis() as u64;
    // Each at a time of its own, in a mixed order, all an hour or more away.
    let first = now + HOUR as u64;
    let time = |n: u64| first + n * 7919 % MANY;
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        later(&channel, "direct").await;
        for n in 0..MANY {
            let at = AMQPValue::LongLongInt(time(n) as i64);
            let headers = table(&[("x-deliver-at", at)]);
            let how = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish("later".into(), "k".into(), options, b"", how);
            drop(sent.await.expect("it works"));
        }
        channel.wait_for_confirms().await.expect("it works");
    });
    let waiting = |broker: &TestBroker| {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = broker.vhost().scheduled("later", after, 5000);
            let Some(last) = page.last() else { return all };
            after = Some(last.due);
            all.extend(page.into_iter().map(|each| each.due));
        }
    };
    let mut all = waiting(&broker);
    assert!(all.iter().map(|due| due.at).eq(first..first + MANY));
    assert!(all.iter().all(|due| due.at == time(due.position)));
    for nth in [69_999, 35_000, 1] {
        let due = all.remove(nth);
        assert!(broker.vhost().cancel_scheduled("later", due));
        assert!(!broker.vhost().cancel_scheduled("later", due), "it is gone");
    }
    assert_eq!(waiting(&broker), all);
    broker.restart();
    eventually("they are read back", || waiting(&broker) == all);
    assert_eq!(broker.vhost().scheduled_count("later"), Some(all.len()));
}

#[test]
fn they_go_where_the_exchange_leads_when_they_are_due() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        later(&channel, "x-recent-history").await;
        // From another exchange, and with a further key, which a direct one will look at.
        let (options, none) = (ExchangeBindOptions::default(), FieldTable::default());
        channel
            .exchange_bind("later".into(), "amq.fanout".into(), "".into(), options, none.clone())
            .await
            .expect("it works");
        channel
            .exchange_bind("amq.direct".into(), "later".into(), "".into(), options, none.clone())
            .await
            .expect("it works");
        let options = QueueDeclareOptions::default();
        channel.queue_declare("copy".into(), options, none.clone()).await.expect("it works");
        let options = QueueBindOptions::default();
        channel
            .queue_bind("copy".into(), "amq.direct".into(), "cc".into(), options, none)
            .await
            .expect("it works");
        let cc = AMQPValue::FieldArray(vec![text("cc")].into());
        let headers = [("x-delay", AMQPValue::LongInt(300)), ("CC", cc)];
        publish(&channel, ("amq.fanout", "k"), "far", &headers).await;
        let mut consumer = consumer(&channel).await;
        assert_eq!(bodies(&mut consumer, 1).await, ["far"]);
        eventually("the copy has come", || broker.counts("copy").ready == 1);
    });
}

#[test]
fn without_a_disk_they_wait_in_memory() {
    let broker = TestBroker::with(|config| {
        config.data.durability = warren::config::Durability::None;
    });
    broker.with_lapin(async |connection| {
        let channel = channel(&connection).await;
        later(&channel, "direct").await;
        after(&channel, HOUR, "never").await;
        after(&channel, 100, "soon").await;
        let mut consumer = consumer(&channel).await;
        assert_eq!(bodies(&mut consumer, 1).await, ["soon"]);
        assert_eq!(scheduled(&broker), ["never"]);
    });
}
