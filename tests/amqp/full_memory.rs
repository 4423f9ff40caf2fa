//! Memory for messages is full: publishers wait, consumers go on, nothing is lost.

use std::time::{Duration, Instant};

use warren::config::{Config, Durability};
use warren::wire::method::{AnyMethod, connection};

use crate::support::client::{Consume, publish};
use crate::support::{Client, Heard, Login, Payload, TestBroker, eventually};

const LIMIT: usize = 8 * 1024 * 1024;
const BODY: usize = 10_000;
/// Three times the limit.
const MANY: usize = 2500;
/// What one more read of each publisher may bring in.
const A_READ: usize = 1024 * 1024;

const NO_ACK: Consume<'static> =
    Consume { no_ack: true, exclusive: false, tag: "", priority: None };

/// Little memory, and no disk to go to.
fn small_broker() -> TestBroker {
    TestBroker::with(|config| {
        limit_memory(config);
        config.data.durability = Durability::None;
    })
}

fn limit_memory(config: &mut Config) {
    config.limits.message_memory = 1.0;
    let all = config.limits.message_memory_bytes();
    config.limits.message_memory = LIMIT as f64 / all as f64;
    config.amqp.close_timeout = 1;
}

fn used(broker: &TestBroker) -> usize {
    broker.server().broker().shared.memory.used()
}

fn body(number: usize) -> Vec<u8> {
    let mut body = number.to_string().into_bytes();
    body.resize(BODY, b' ');
    body
}

fn is_blocked(heard: &Heard) -> bool {
    let AnyMethod::Connection(connection::AMQPMethod::Blocked(blocked)) = &heard.method else {
        return false;
    };
    assert!(blocked.reason.as_str().contains("memory"), "{}", blocked.reason);
    true
}

/// Publishes until the memory is full, and some more: what is sent later comes when there is room.
fn fill(broker: &TestBroker) -> Client {
    let mut publisher = broker.client();
    publisher.declare("q");
    let mut writer = publisher.writer();
    std::thread::spawn(move || {
        for number in 0..MANY {
            writer.say(&publish(1, "", "q", &body(number), 131_072));
        }
    });
    assert!(is_blocked(&publisher.hear()), "it is told that it has to wait");
    publisher
}

/// A publisher that was stopped may go on, maybe after some more stops.
#[track_caller]
fn goes_on(publisher: &mut Client) {
    let mut waits = true;
    publisher.method(1, &Payload::method(20, 20).u8(1));
    loop {
        let heard = publisher.hear();
        match heard.id {
            (10, 60 | 61) => {
                assert_ne!(is_blocked(&heard), waits, "told twice");
                waits = !waits;
            }
            (60, 80) => {}
            (20, 21) => return assert!(!waits, "it was not told that it may go on"),
            _ => panic!("heard {heard:?}"),
        }
    }
}

/// Takes everything that was published, in order.
fn drain(broker: &TestBroker) {
    let mut consumer = broker.client();
    consumer.consume_as(1, "q", NO_ACK);
    for number in 0..MANY {
        assert_eq!(consumer.delivery().text().trim_end(), number.to_string());
    }
    consumer.close();
}

#[test]
fn a_publisher_is_stopped_and_told_and_goes_on_when_there_is_room() {
    let broker = small_broker();
    let mut publisher = fill(&broker);
    publisher.hears_nothing();
    let full = used(&broker);
    assert!(full > LIMIT && full < LIMIT + A_READ, "{full} bytes with a limit of {LIMIT}");
    drain(&broker);
    goes_on(&mut publisher);
    assert_eq!(used(&broker), 0);
}

#[test]
fn many_publishers_are_stopped_one_read_later_at_most() {
    let broker = small_broker();
    let mut first = fill(&broker);
    let mut others: Vec<Client> = (0..10).map(|_| broker.client()).collect();
    for other in &mut others {
        other.confirm_select(1);
        other.publish("q", "one more");
        // What was read before it was stopped is confirmed.
        let mut heard = [other.hear().id, other.hear().id];
        heard.sort_unstable();
        assert_eq!(heard, [(10, 60), (60, 80)]);
        other.publish("q", "not read");
        other.hears_nothing();
    }
    assert!(used(&broker) < LIMIT + A_READ);
    let mut consumer = broker.client();
    consumer.consume_as(1, "q", NO_ACK);
    let mut waited = 0;
    for _ in 0..MANY + 20 {
        waited += usize::from(consumer.delivery().body.len() < BODY);
    }
    assert_eq!(waited, 20);
    goes_on(&mut first);
    for other in &mut others {
        goes_on(other);
    }
}

#[test]
fn whoever_does_not_publish_is_not_stopped() {
    let broker = small_broker();
    let mut publisher = fill(&broker);
    let mut client = broker.client();
    client.declare("p");
    client.sync();
    for number in 0..10 {
        let (_, heard) = client.get("q", true).expect("a message");
        assert_eq!(String::from_utf8(heard.body).expect("text").trim_end(), number.to_string());
    }
    client.close();
    publisher.hears_nothing();
}

#[test]
fn who_would_not_understand_is_stopped_without_a_word() {
    let broker = small_broker();
    let publisher = fill(&broker);
    let mut other = broker.connect(&Login { capabilities: &[], ..Login::default() });
    other.open_channel(1);
    other.publish("q", "one more");
    other.publish("q", "not read");
    other.hears_nothing();
    publisher.vanish();
    let mut consumer = broker.client();
    consumer.consume_as(1, "q", NO_ACK);
    while consumer.delivery().text() != "not read" {}
    other.sync();
}

#[test]
fn a_publisher_that_waits_is_not_taken_for_dead() {
    let broker = small_broker();
    let filler = fill(&broker);
    let mut publisher = broker.connect(&Login { heartbeat: 1, ..Login::default() });
    publisher.open_channel(1);
    publisher.publish("q", "one more");
    assert!(is_blocked(&publisher.hear()));
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(4) {
        // Its heartbeats are not read; the broker's come.
        let frame = publisher.next_frame(Instant::now() + Duration::from_secs(3));
        assert!(matches!(frame, Ok(Some(_))), "heard {frame:?}");
    }
    filler.vanish();
    let mut consumer = broker.client();
    consumer.method(1, &Payload::method(50, 30).u16(0).short("q").u8(0));
    consumer.expect(1, 50, 31);
    goes_on(&mut publisher);
}

#[test]
fn a_publisher_that_waits_and_vanishes_is_missed() {
    let broker = small_broker();
    let filler = fill(&broker);
    let mut publisher = broker.connect(&Login { heartbeat: 1, ..Login::default() });
    publisher.open_channel(1);
    publisher.method(1, &crate::support::client::declare("mine", 4));
    publisher.declare_ok();
    publisher.publish("q", "one more");
    assert!(is_blocked(&publisher.hear()));
    publisher.vanish();
    eventually("its queue is gone", || broker.vhost().queue_count() == 1);
    drop(filler);
}

#[test]
fn purging_or_deleting_makes_room() {
    let broker = small_broker();
    for delete in [false, true] {
        let mut publisher = fill(&broker);
        let mut other = broker.client();
        let purge = Payload::method(50, 30).u16(0).short("q").u8(0);
        let delete = if delete { Payload::method(50, 40).u16(0).short("q").u8(0) } else { purge };
        while !matches!(publisher.hear_until(Instant::now()), Ok(Some(heard)) if heard.id == (10, 61))
        {
            other.method(1, &delete);
            other.hear();
        }
        publisher.vanish();
        other.method(1, &Payload::method(50, 40).u16(0).short("q").u8(0));
        other.expect(1, 50, 41);
        eventually("the publisher is gone", || broker.server().broker().peers.len() <= 1);
        other.close();
        eventually("everything is released", || used(&broker) == 0);
    }
}

#[test]
fn a_full_broker_can_be_stopped() {
    let mut broker = small_broker();
    let mut publisher = fill(&broker);
    let stopped = broker.begin_stop();
    publisher.expect(0, 10, 50);
    publisher.method(0, &Payload::method(10, 51));
    broker.block_on(stopped).expect("stopped");
}

#[test]
fn a_long_queue_goes_to_disk_before_anybody_has_to_wait() {
    let mut broker = TestBroker::with(limit_memory);
    let mut publisher = broker.client();
    publisher.declare("q");
    for number in 0..MANY {
        publisher.say(&publish(1, "", "q", &body(number), 131_072));
    }
    publisher.sync();
    assert!(used(&broker) < LIMIT, "{} bytes in memory", used(&broker));
    let counts = broker.counts("q");
    assert_eq!((counts.ready, counts.body_bytes), (MANY, (MANY * BODY) as u64));
    let mut consumer = broker.client();
    consumer.consume("q");
    for number in 0..MANY {
        assert_eq!(consumer.delivery().text().trim_end(), number.to_string());
    }
    consumer.ack(MANY as u64, true);
    consumer.sync();
    assert_eq!(used(&broker), 0);
    // It is in memory again, and a restart knows nothing of it.
    publisher.publish("q", "one more");
    assert_eq!(consumer.delivery().text(), "one more");
    broker.restart();
    assert_eq!(broker.client().declare("q").message_count, 0);
}

#[test]
fn what_went_to_disk_goes_with_its_queue() {
    let broker = TestBroker::with(limit_memory);
    let mut publisher = broker.client();
    for _ in 0..2 {
        publisher.declare("q");
        for number in 0..MANY {
            publisher.say(&publish(1, "", "q", &body(number), 131_072));
        }
        publisher.sync();
        let queue = broker.queue("q").expect("it is there");
        let store = broker.server().broker().shared.store.as_ref().expect("there is a disk");
        assert!(store.count(queue.id) > 0);
        publisher.method(1, &Payload::method(50, 40).u16(0).short("q").u8(0));
        publisher.expect(1, 50, 41);
        eventually("the disk forgets it", || store.count(queue.id) == 0);
        assert_eq!(used(&broker), 0);
    }
}
