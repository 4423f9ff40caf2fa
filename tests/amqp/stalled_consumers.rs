//! A client that stops reading costs a bounded amount of memory, and nobody else anything.

use std::time::{Duration, Instant};

use warren::wire::method::{AnyMethod, basic};

use crate::support::client::{Consume, METHOD, publish, publish_frames, publish_method};
use crate::support::{Client, Login, PATIENCE, Payload, TestBroker, eventually};

const NO_ACK: Consume<'static> =
    Consume { no_ack: true, exclusive: false, tag: "", priority: None };

const LARGE: usize = 100_000;
/// How many large messages make 200 MB.
const MANY: usize = 2000;

/// What may be on its way to a client that does not read: the broker's outbox (256 KiB, and as
/// much again in its writer's hands, each with one message more), and what the system's buffers
/// take. Those of loopback grow to some 10 MB.
const ON_ITS_WAY: u64 = 16 * 1024 * 1024;

/// A body of this size that says which one it is.
fn numbered(number: usize, size: usize) -> Vec<u8> {
    let mut body = vec![b' '; size];
    let digits = number.to_string();
    body[..digits.len()].copy_from_slice(digits.as_bytes());
    body
}

fn number_of(body: &[u8]) -> usize {
    std::str::from_utf8(body).expect("text").trim_end().parse().expect("a number")
}

/// Publishes numbered messages and waits until all are confirmed.
fn publish_all(broker: &TestBroker, exchange: &str, queue: &str, count: usize, size: usize) {
    let mut publisher = broker.client();
    publisher.confirm_select(1);
    let mut writer = publisher.writer();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..count {
                let body = numbered(number, size);
                writer.say(&publish(1, exchange, queue, &body, 131_072));
            }
        });
        let mut confirmed = 0;
        while confirmed < count as u64 {
            let heard = publisher.expect(1, 60, 80);
            let AnyMethod::Basic(basic::AMQPMethod::Ack(ack)) = heard.method else {
                panic!("not an ack");
            };
            confirmed = ack.delivery_tag;
        }
    });
    publisher.close();
}

/// A consumer of `q` that does not read what it is sent.
fn stalled(broker: &TestBroker, how: Consume<'_>) -> Client {
    let mut client = broker.client();
    client.declare("q");
    client.consume_as(1, "q", how);
    client
}

fn on_its_way(broker: &TestBroker, published: usize) -> u64 {
    (published * LARGE) as u64 - broker.counts("q").body_bytes
}

#[test]
fn two_hundred_megabytes_wait_in_the_queue_not_in_the_outbox() {
    let broker = TestBroker::start();
    let mut deaf = stalled(&broker, NO_ACK);
    publish_all(&broker, "", "q", MANY, LARGE);
    let unread = on_its_way(&broker, MANY);
    assert!(unread < ON_ITS_WAY, "{unread} bytes are on their way to a client that does not read");
    assert_eq!(broker.counts("q").unacked, 0);
    // It reads again: everything is there, in order.
    for number in 0..MANY {
        assert_eq!(number_of(&deaf.delivery().body), number);
    }
    assert_eq!(broker.counts("q").body_bytes, 0);
    deaf.close();
}

#[test]
fn small_messages_wait_as_well() {
    let broker = TestBroker::start();
    let mut deaf = stalled(&broker, NO_ACK);
    const COUNT: usize = 300_000;
    publish_all(&broker, "", "q", COUNT, 100);
    let ready = broker.counts("q").ready;
    assert!(ready > COUNT / 2, "only {ready} of {COUNT} wait in the queue");
    for number in 0..COUNT {
        assert_eq!(number_of(&deaf.delivery().body), number);
    }
}

#[test]
fn acknowledgements_without_a_limit_change_nothing() {
    let broker = TestBroker::start();
    let deaf = stalled(&broker, Consume::default());
    publish_all(&broker, "", "q", MANY / 4, LARGE);
    let counts = broker.counts("q");
    assert_eq!(counts.ready + counts.unacked, MANY / 4);
    assert!((counts.unacked * LARGE) as u64 <= ON_ITS_WAY, "{} are handed out", counts.unacked);
    // It goes without ever having read: everything is back, in order.
    deaf.vanish();
    eventually("all are ready again", || broker.counts("q").ready == MANY / 4);
    let mut other = stalled(&broker, NO_ACK);
    for number in 0..MANY / 4 {
        assert_eq!(number_of(&other.delivery().body), number);
    }
}

#[test]
fn a_slow_reader_does_not_slow_a_fast_one_of_the_same_queue() {
    let broker = TestBroker::start();
    let deaf = stalled(&broker, NO_ACK);
    let mut fast = stalled(&broker, NO_ACK);
    std::thread::scope(|scope| {
        scope.spawn(|| publish_all(&broker, "", "q", MANY, LARGE));
        let (mut heard, mut last) = (0, None);
        // The slow one has what its buffers take; all others come here.
        while heard < MANY - ON_ITS_WAY as usize / LARGE {
            let number = number_of(&fast.delivery().body);
            assert!(Some(number) > last, "{number} after {last:?}");
            (heard, last) = (heard + 1, Some(number));
        }
    });
    deaf.vanish();
}

#[test]
fn nor_one_of_another_queue_of_the_same_exchange() {
    let broker = TestBroker::start();
    let deaf = stalled(&broker, NO_ACK);
    let mut fast = broker.client();
    fast.declare("fast");
    for queue in ["q", "fast"] {
        let bind = Payload::method(50, 20).u16(0).short(queue).short("amq.fanout").short("");
        fast.method(1, &bind.u8(0).table(&Payload::new()));
        fast.expect(1, 50, 21);
    }
    fast.consume_as(1, "fast", NO_ACK);
    std::thread::scope(|scope| {
        scope.spawn(|| publish_all(&broker, "amq.fanout", "", MANY, LARGE));
        for number in 0..MANY {
            assert_eq!(number_of(&fast.delivery().body), number);
        }
    });
    assert!(on_its_way(&broker, MANY) < ON_ITS_WAY);
    deaf.vanish();
}

#[test]
fn nor_anything_else_that_goes_on() {
    let broker = TestBroker::start();
    let deaf = stalled(&broker, NO_ACK);
    let mut other = broker.client();
    other.declare("other");
    other.consume_as(1, "other", NO_ACK);
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| publish_all(&broker, "", "q", MANY, LARGE));
        let (mut slowest, mut rounds) = (Duration::ZERO, 0);
        while !busy.is_finished() || rounds < 100 {
            let since = Instant::now();
            other.publish("other", "there and back");
            other.delivery();
            slowest = slowest.max(since.elapsed());
            rounds += 1;
        }
        assert!(slowest < Duration::from_secs(5), "a message took {slowest:?}");
    });
    deaf.vanish();
}

#[test]
fn a_thousand_stalls_and_recoveries_lose_nothing() {
    let broker = TestBroker::with(|config| config.limits.outbox = 8192);
    let mut client = stalled(&broker, Consume::default());
    const COUNT: usize = 20_000;
    std::thread::scope(|scope| {
        scope.spawn(|| publish_all(&broker, "", "q", COUNT, 1000));
        for number in 0..COUNT {
            let delivery = client.delivery();
            assert_eq!(number_of(&delivery.body), number);
            if delivery.tag.is_multiple_of(64) {
                client.ack(delivery.tag, true);
            }
        }
    });
    client.ack(0, true);
    client.sync();
    assert_eq!((broker.counts("q").ready, broker.counts("q").unacked), (0, 0));
}

#[test]
fn a_stalled_consumer_can_be_cancelled_by_deleting_its_queue() {
    let broker = TestBroker::start();
    let mut deaf = stalled(&broker, NO_ACK);
    publish_all(&broker, "", "q", MANY / 4, LARGE);
    let mut other = broker.client();
    other.method(1, &Payload::method(50, 40).u16(0).short("q").u8(0));
    other.expect(1, 50, 41);
    assert_eq!(broker.server().broker().shared.memory.used(), 0);
    let mut next = 0;
    loop {
        let heard = deaf.hear();
        if heard.id == (60, 30) {
            break;
        }
        assert_eq!(number_of(&heard.body), next);
        next += 1;
    }
    deaf.sync();
}

/// Says the same until the broker takes no more. Returns how often that was.
fn say_without_listening(client: &mut Client, what: &[u8], most: usize) -> usize {
    let mut taken = 0;
    while taken < most {
        if client.say_for(what, Duration::from_secs(2)) < what.len() {
            return taken;
        }
        taken += 1;
    }
    panic!("the broker takes {most} without an answer being read");
}

#[test]
fn who_asks_and_does_not_listen_is_not_heard_any_more() {
    let broker = TestBroker::start();
    let mut deaf = broker.client();
    // Each comes back, so that what comes in has to go out.
    let method = publish_method("", "nowhere", 1);
    let body = vec![7; LARGE];
    let header = Payload::header(LARGE as u64);
    let mandatory = publish_frames(1, &method, &header, &body, 131_072);
    let taken = say_without_listening(&mut deaf, &mandatory, MANY);
    assert!((taken * LARGE) as u64 <= 2 * ON_ITS_WAY, "{taken} are in the air");
    broker.client().close();
    // It listens: all come back.
    for _ in 0..taken {
        assert!(deaf.expect(1, 60, 50).body == body);
    }
}

#[test]
fn questions_without_end_are_not_answered_without_end() {
    let broker = TestBroker::start();
    let mut deaf = broker.client();
    let question = Payload::method(20, 20).u8(1).frame(METHOD, 1).repeat(10_000);
    let taken = say_without_listening(&mut deaf, &question, 2000);
    let since = Instant::now();
    for _ in 0..taken * 10_000 {
        deaf.expect(1, 20, 21);
    }
    assert!(since.elapsed() < PATIENCE);
}

#[test]
fn a_client_that_hears_nothing_and_says_nothing_is_lost() {
    let broker = TestBroker::start();
    let mut deaf = broker.connect(&Login { heartbeat: 1, ..Login::default() });
    deaf.open_channel(1);
    deaf.declare("q");
    deaf.consume("q");
    publish_all(&broker, "", "q", MANY / 4, LARGE);
    // It does not read, but lives: its heartbeats come.
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(4) {
        deaf.frame(crate::support::client::HEARTBEAT, 0, &Payload::new());
        std::thread::park_timeout(Duration::from_millis(200));
    }
    assert_eq!(broker.counts("q").consumers, 1);
    // Now it is silent.
    eventually("it is lost", || broker.counts("q").consumers == 0);
    eventually("all are back", || broker.counts("q").ready == MANY / 4);
}
