//! How messages come to their end, as lapin sees it: on durable queues, in memory and on disk.

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    BasicRejectOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};

use warren::broker::live_queue::Peek;
use warren::queue::peek::Standing;

use crate::support::{Payload, TestBroker, eventually};

fn table(arguments: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn number(value: i32) -> AMQPValue {
    AMQPValue::LongInt(value)
}

async fn declare(channel: &Channel, name: &str, arguments: &[(&str, AMQPValue)]) {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(name.into(), options, table(arguments)).await;
    declared.expect("declared");
}

async fn confirms(channel: &Channel) {
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
}

/// Publishes persistent messages and returns whether each was taken.
async fn publish(
    channel: &Channel,
    queue: &str,
    count: usize,
    expiration: Option<&str>,
) -> Vec<bool> {
    let mut waiting = Vec::new();
    for body in 0..count {
        let mut properties = BasicProperties::default().with_delivery_mode(2);
        if let Some(expiration) = expiration {
            properties = properties.with_expiration(expiration.into());
        }
        let (options, body) = (BasicPublishOptions::default(), body.to_string());
        let confirm =
            channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties);
        waiting.push(confirm.await.expect("published"));
    }
    let mut taken = Vec::new();
    for confirm in waiting {
        taken.push(confirm.await.expect("answered").is_ack());
    }
    taken
}

async fn consume(channel: &Channel, queue: &str, no_ack: bool) -> Consumer {
    let options = BasicConsumeOptions { no_ack, ..BasicConsumeOptions::default() };
    let consumer =
        channel.basic_consume(queue.into(), "c".into(), options, FieldTable::default()).await;
    consumer.expect("consuming")
}

/// Bodies and reasons of the next dead letters.
async fn hear(consumer: &mut Consumer, count: usize) -> Vec<(usize, String)> {
    let mut heard = Vec::new();
    for _ in 0..count {
        let delivery = consumer.next().await.expect("there is one more").expect("delivered");
        let body = String::from_utf8(delivery.data).expect("text").parse().expect("a number");
        let headers = delivery.properties.headers().clone().expect("headers");
        let reason = &headers.inner()[&ShortString::from("x-last-death-reason")];
        let AMQPValue::LongString(reason) = reason else { panic!("no text: {reason:?}") };
        heard.push((body, reason.to_string()));
    }
    heard
}

#[test]
fn a_full_queue_refuses_what_is_too_much_in_the_middle_of_a_batch() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        let overflow = ("x-overflow", text("reject-publish"));
        declare(&channel, "q", &[("x-max-length", number(600)), overflow]).await;
        confirms(&channel).await;
        let taken = publish(&channel, "q", 1000, None).await;
        assert!(taken[..600].iter().all(|taken| *taken), "there was room");
        assert!(!taken[600..].iter().any(|taken| *taken), "there was none");
    });
    assert_eq!(broker.counts("q").ready, 600);
}

#[test]
fn messages_that_are_only_on_disk_expire_and_are_dead_lettered() {
    let broker = TestBroker::with(|config| config.limits.queue_window = 10);
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        declare(&channel, "grave", &[]).await;
        let to = ("x-dead-letter-exchange", text(""));
        declare(&channel, "q", &[to, ("x-dead-letter-routing-key", text("grave"))]).await;
        confirms(&channel).await;
        publish(&channel, "q", 1, None).await;
        publish(&channel, "q", 300, Some("100")).await;
        let mut mourner = consume(&channel, "grave", true).await;
        let mut heard = hear(&mut mourner, 300).await;
        assert!(heard.iter().all(|(_, reason)| reason == "expired"));
        heard.sort_unstable();
        assert!(heard.iter().map(|(body, _)| *body).eq(0..300), "each of them once");
        assert_eq!(broker.counts("q").ready, 1, "what does not expire stays");
        eventually("all are gone", || broker.counts("q").counters.dead_lettered == 300);
    });
}

#[test]
fn a_queue_that_nobody_ever_uses_expires() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        declare(&channel, "idle", &[("x-expires", number(20))]).await;
        eventually("it is gone", || broker.queue("idle").is_none());
    });
}

#[test]
fn a_ttl_empties_a_queue_without_reading_it() {
    let broker = TestBroker::with(|config| config.limits.queue_window = 10);
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        declare(&channel, "q", &[("x-message-ttl", number(300))]).await;
        confirms(&channel).await;
        publish(&channel, "q", 500, None).await;
        eventually("all are gone", || broker.counts("q").ready == 0);
        assert_eq!(broker.counts("q").counters.expired, 500);
    });
}

#[test]
fn a_chain_of_dead_letters_round_ten_queues_ends() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        for at in 0..10 {
            let next = format!("q{}", (at + 1) % 10);
            let ttl = ("x-message-ttl", number(0));
            let to = ("x-dead-letter-exchange", text(""));
            let key = ("x-dead-letter-routing-key", text(&next));
            declare(&channel, &format!("q{at}"), &[ttl, to, key]).await;
        }
        confirms(&channel).await;
        publish(&channel, "q0", 100, None).await;
        let gone = |at: usize| broker.counts(&format!("q{at}")).counters.dead_lettered == 100;
        eventually("once through each queue", || (0..10).all(gone));
        assert!((0..10).all(|at| broker.counts(&format!("q{at}")).ready == 0));
    });
}

#[test]
fn what_comes_back_too_often_is_dead_lettered_on_a_classic_queue_too() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        declare(&channel, "grave", &[]).await;
        let to = ("x-dead-letter-exchange", text(""));
        let key = ("x-dead-letter-routing-key", text("grave"));
        declare(&channel, "q", &[to, key, ("x-delivery-limit", number(2))]).await;
        confirms(&channel).await;
        publish(&channel, "q", 1, None).await;
        let mut consumer = consume(&channel, "q", false).await;
        for count in [None, Some(1), Some(2)] {
            let delivery = consumer.next().await.expect("delivered").expect("delivered");
            let headers = delivery.properties.headers().clone().unwrap_or_default();
            let said = headers.inner().get(&ShortString::from("x-delivery-count")).cloned();
            assert_eq!(said, count.map(AMQPValue::LongLongInt));
            let requeue = BasicRejectOptions { requeue: true };
            delivery.reject(requeue).await.expect("rejected");
        }
        let mourning = connection.create_channel().await.expect("a channel");
        let mut mourner = consume(&mourning, "grave", true).await;
        assert_eq!(hear(&mut mourner, 1).await, [(0, "delivery_limit".to_owned())]);
    });
}

#[test]
fn a_retry_waits_and_the_last_one_is_dead_lettered() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        declare(&channel, "grave", &[]).await;
        let to = ("x-dead-letter-exchange", text(""));
        let key = ("x-dead-letter-routing-key", text("grave"));
        let delay = ("x-retry-delay", number(20));
        declare(&channel, "q", &[to, key, delay, ("x-retry-attempts", number(2))]).await;
        confirms(&channel).await;
        publish(&channel, "q", 2, None).await;
        let mut consumer = consume(&channel, "q", false).await;
        for _ in 0..6 {
            let delivery = consumer.next().await.expect("delivered").expect("delivered");
            delivery.reject(BasicRejectOptions { requeue: true }).await.expect("rejected");
        }
        let mourning = connection.create_channel().await.expect("a channel");
        let mut mourner = consume(&mourning, "grave", true).await;
        let heard = hear(&mut mourner, 2).await;
        assert!(heard.iter().all(|(_, reason)| reason == "delivery_limit"), "{heard:?}");
    });
}

/// What each message of a queue waits for.
fn standing(broker: &TestBroker, queue: &str) -> Vec<Standing> {
    let all = Peek { from: 0, count: 10, filter: None };
    let queue = broker.queue(queue).expect("it is there");
    let page = queue.peek(&all).expect("it can be read");
    page.messages.iter().map(|each| each.standing).collect()
}

/// Two messages in `q`; the first came back and waits to be tried again.
fn first_of_two_waits(broker: &TestBroker, delay: i32) {
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        confirms(&channel).await;
        declare(&channel, "q", &[("x-retry-delay", number(delay))]).await;
        publish(&channel, "q", 2, None).await;
        let got = channel.basic_get("q".into(), BasicGetOptions::default()).await;
        let got = got.expect("it works").expect("there is one");
        let again = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        got.delivery.nack(again).await.expect("it works");
        eventually("it came back", || broker.counts("q").unacked == 0);
    });
}

#[test]
fn a_retry_waits_on_over_a_restart() {
    let mut broker = TestBroker::start();
    first_of_two_waits(&broker, 3_600_000);
    let before = standing(&broker, "q");
    assert!(matches!(before[..], [Standing::Delayed { .. }, Standing::Ready]), "{before:?}");
    broker.restart();
    eventually("it is known again", || standing(&broker, "q") == before);
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        let mut consumer = consume(&channel, "q", true).await;
        let heard = consumer.next().await.expect("one is ready").expect("delivered");
        assert_eq!(heard.data, b"1");
        eventually("the other waits", || standing(&broker, "q") == before[..1]);
    });
}

#[test]
fn a_retry_that_waited_over_a_restart_is_tried_again() {
    let mut broker = TestBroker::start();
    first_of_two_waits(&broker, 1000);
    broker.restart();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        let mut consumer = consume(&channel, "q", true).await;
        // How much of its wait the restart took decides which of them comes first.
        let mut heard = Vec::new();
        for _ in 0..2 {
            heard.push(consumer.next().await.expect("there is one more").expect("delivered").data);
        }
        heard.sort();
        assert_eq!(heard, [b"0", b"1"]);
        eventually("both are gone", || {
            broker.counts("q").ready == 0 && standing(&broker, "q").is_empty()
        });
    });
}

#[test]
fn a_lifetime_goes_on_over_a_restart() {
    let mut broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        confirms(&channel).await;
        declare(&channel, "dead", &[]).await;
        let arguments = [
            ("x-message-ttl", number(1000)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("dead")),
        ];
        declare(&channel, "q", &arguments).await;
        declare(&channel, "own", &arguments[1..]).await;
        publish(&channel, "q", 3, None).await;
        publish(&channel, "own", 3, Some("1000")).await;
    });
    broker.restart();
    eventually("all have died of old age", || broker.counts("dead").ready == 6);
    assert_eq!((broker.counts("q").ready, broker.counts("own").ready), (0, 0));
}

/// Its dead letters, which nobody takes any more, must not keep the store from being closed.
#[test]
fn what_dies_while_clients_leave_keeps_nothing_from_being_written() {
    let mut broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        let arguments = [
            ("x-message-ttl", number(50)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("dead")),
        ];
        declare(&channel, "dead", &[]).await;
        declare(&channel, "q", &arguments).await;
        declare(&channel, "watch", &arguments[..1]).await;
        declare(&channel, "plain", &[]).await;
    });
    let mut holder = broker.client();
    holder.consume("q");
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        confirms(&channel).await;
        publish(&channel, "q", 1, None).await;
        publish(&channel, "watch", 1, None).await;
        eventually("what is held is too old", || broker.counts("watch").ready == 0);
        publish(&channel, "plain", 1, None).await;
        let got = channel.basic_get("plain".into(), BasicGetOptions::default()).await;
        let got = got.expect("it works").expect("there is one");
        got.delivery.ack(BasicAckOptions::default()).await.expect("it works");
        eventually("it is gone", || broker.counts("plain").unacked == 0);
    });
    holder.delivery();
    let leaves = std::thread::spawn(move || {
        holder.expect(0, 10, 50);
        holder.method(0, &Payload::method(10, 51));
    });
    broker.restart();
    leaves.join().expect("it was told");
    assert_eq!(broker.counts("plain").ready, 0, "it was acked");
    eventually("it was too old", || broker.counts("dead").ready == 1);
}

#[test]
fn a_higher_priority_still_comes_first_after_a_restart() {
    let mut broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        confirms(&channel).await;
        declare(&channel, "q", &[("x-max-priority", number(5))]).await;
        for priority in [0, 3, 1, 5] {
            let properties =
                BasicProperties::default().with_priority(priority).with_delivery_mode(2);
            let none = BasicPublishOptions::default();
            let said = [b'0' + priority];
            let sent = channel.basic_publish("".into(), "q".into(), none, &said, properties).await;
            sent.expect("it works").await.expect("it is confirmed");
        }
    });
    broker.restart();
    broker.with_lapin(async |connection| {
        eventually("it is known what there is", || broker.counts("q").in_memory == 4);
        let channel = connection.create_channel().await.expect("it works");
        for expected in [b"5", b"3", b"1", b"0"] {
            let got = channel.basic_get("q".into(), BasicGetOptions::default()).await;
            assert_eq!(got.expect("it works").expect("there is one").data, expected);
        }
    });
}

#[test]
fn at_least_once_waits_for_a_way() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("it works");
        confirms(&channel).await;
        let arguments = [
            ("x-queue-type", text("quorum")),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("dead")),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ];
        declare(&channel, "q", &arguments).await;
        publish(&channel, "q", 1, None).await;
        let got = channel.basic_get("q".into(), BasicGetOptions::default()).await;
        let got = got.expect("it works").expect("there is one");
        got.delivery.reject(BasicRejectOptions { requeue: false }).await.expect("it works");
        eventually("it is dead", || broker.counts("q").counters.discarded == 1);
        assert_eq!(broker.counts("q").counters.dead_lettered, 0, "it leads nowhere and is kept");
        declare(&channel, "dead", &[]).await;
        eventually("it has arrived", || broker.counts("dead").ready == 1);
        assert_eq!(broker.counts("q").counters.dead_lettered, 1);
    });
}

#[test]
fn a_consumer_that_takes_too_long_is_cancelled_and_nobody_else() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        declare(&channel, "q", &[("x-consumer-timeout", number(50))]).await;
        declare(&channel, "other", &[]).await;
        confirms(&channel).await;
        let mut slow = consume(&channel, "q", false).await;
        publish(&channel, "q", 1, None).await;
        slow.next().await.expect("delivered").expect("delivered");
        assert!(slow.next().await.is_none(), "the consumer is cancelled");
        let counts = broker.counts("q");
        assert_eq!((counts.ready, counts.unacked, counts.consumers), (1, 0, 0));
        publish(&channel, "other", 1, None).await;
        assert_eq!(broker.counts("other").ready, 1, "the channel goes on");
    });
}
