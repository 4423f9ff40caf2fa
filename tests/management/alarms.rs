//! Alarms of memory and disk: who publishes waits and is told so, who consumes goes on, and everybody
//! who asks can see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use warren::metrics::machine::{node_name, resident_memory};
use warren::wire::method::{AnyMethod, connection};

use crate::http::{ask, get};
use crate::support::client::{Consume, publish};
use crate::support::{Client, TestBroker, eventually};

const NO_ACK: Consume<'static> =
    Consume { no_ack: true, exclusive: false, tag: "", priority: None };
const MIB: u64 = 1024 * 1024;
/// Messages after which the alarm should have gone off, whatever others do.
const MOST: usize = 2000;

fn set(broker: &TestBroker, what: &str, limit: &Value) -> u16 {
    let path = format!("/api/nodes/{}/{what}", node_name());
    ask(broker, "PUT", &path, Some(limit)).status
}

#[track_caller]
fn is_told_to_wait(client: &mut Client, why: &str) {
    let heard = client.hear();
    let AnyMethod::Connection(connection::AMQPMethod::Blocked(blocked)) = &heard.method else {
        panic!("heard {heard:?}");
    };
    assert_eq!(blocked.reason.as_str(), why);
}

#[track_caller]
fn goes_on(client: &mut Client) {
    assert_eq!(client.hear().id, (10, 61), "connection.unblocked");
}

/// What node, overview, health checks and metrics say.
#[track_caller]
fn all_say(broker: &TestBroker, memory: bool, disk: bool) {
    let node = &get(broker, "/api/nodes")[0];
    assert_eq!((&node["mem_alarm"], &node["disk_free_alarm"]), (&json!(memory), &json!(disk)));
    let up = [(memory, "memory"), (disk, "disk")].into_iter().filter(|(up, _)| *up);
    let expected: Vec<Value> =
        up.map(|(_, resource)| json!({"node": node_name(), "resource": resource})).collect();
    assert_eq!(get(broker, "/api/overview")["alarms"], json!(expected));
    for check in ["alarms", "local-alarms"] {
        let answer = ask(broker, "GET", &format!("/api/health/checks/{check}"), None);
        if expected.is_empty() {
            assert_eq!(answer.status, 200);
        } else {
            assert_eq!((answer.status, &answer.json()["alarms"]), (503, &json!(expected)));
        }
    }
    assert_eq!(ask(broker, "GET", "/health", None).status, 200, "it is alive, alarm or not");
}

#[test]
fn a_process_that_takes_too_much_memory_lets_nobody_publish_until_it_is_drained() {
    let broker = TestBroker::with(|config| config.limits.max_message_size = 128 * MIB);
    let limit = resident_memory().expect("the system tells") + 96 * MIB;
    let mut publisher = broker.client();
    publisher.declare("q");
    assert_eq!(set(&broker, "memory-watermark", &json!({"absolute": limit})), 204);
    all_say(&broker, false, false);
    let mut writer = publisher.writer();
    let body = vec![b'x'; MIB as usize];
    // Until it is stopped: other tests' brokers in this process come and go with their memory.
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    let publishing = std::thread::spawn(move || {
        let mut sent = 0;
        while sent < MOST && !stop.load(Ordering::Relaxed) {
            writer.say(&publish(1, "", "q", &body, 131_072));
            sent += 1;
        }
        writer.say(&publish(1, "", "q", b"the last", 131_072));
        sent
    });
    is_told_to_wait(&mut publisher, "low on memory");
    stopped.store(true, Ordering::Relaxed);
    all_say(&broker, true, false);
    let mut consumer = broker.client();
    consumer.declare("elsewhere");
    consumer.consume_as(1, "q", NO_ACK);
    // It may be told to wait and to go on more than once; what it says arrives in the end.
    let mut got = 0;
    loop {
        let delivery = consumer.delivery();
        if delivery.body == b"the last" {
            break;
        }
        assert_eq!(delivery.body.len() as u64, MIB);
        got += 1;
    }
    assert_eq!(publishing.join().expect("everything was sent"), got);
    consumer.sync();
    assert_eq!(broker.counts("q").ready, 0);
    eventually("the alarm is over", || !broker.server().broker().shared.watermark.is_over());
    all_say(&broker, false, false);
}

#[test]
fn a_watermark_of_nothing_and_a_disk_of_nothing() {
    let broker = TestBroker::start();
    let mut publisher = broker.client();
    publisher.declare("q");
    assert_eq!(set(&broker, "memory-watermark", &json!({"relative": 0})), 204);
    publisher.publish("q", "read before it was stopped");
    is_told_to_wait(&mut publisher, "low on memory");
    all_say(&broker, true, false);
    assert_eq!(set(&broker, "disk-free-limit", &json!({"absolute": i64::MAX})), 204);
    all_say(&broker, true, true);
    let node = &get(&broker, "/api/nodes")[0];
    assert_eq!((&node["mem_limit"], &node["disk_free_limit"]), (&json!(0), &json!(i64::MAX)));
    assert_eq!(set(&broker, "memory-watermark", &json!({"relative": "1.0"})), 204);
    publisher.hears_nothing();
    assert_eq!(set(&broker, "disk-free-limit", &json!({"mem_relative": 0.0})), 204);
    goes_on(&mut publisher);
    all_say(&broker, false, false);
    publisher.publish("q", "another");
    publisher.sync();
    assert_eq!(broker.counts("q").ready, 2);
}

#[test]
fn limits_that_make_no_sense() {
    let broker = TestBroker::start();
    for bad in
        [json!({}), json!({"relative": 1.5}), json!({"relative": "x"}), json!({"absolute": -1})]
    {
        assert_eq!(set(&broker, "memory-watermark", &bad), 400, "{bad}");
    }
    assert_eq!(set(&broker, "disk-free-limit", &json!({"mem_relative": -1})), 400);
    let elsewhere =
        ask(&broker, "PUT", "/api/nodes/other/memory-watermark", Some(&json!({"absolute": 1})));
    assert_eq!(elsewhere.status, 404);
}
