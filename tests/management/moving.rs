//! Messages moved between queues, and back to where they died.

use serde_json::{Value, json};

use crate::http::{ask, get};
use crate::support::client::Consume;
use crate::support::{TestBroker, eventually};

const PUBLISH: &str = "/api/exchanges/%2F/amq.default/publish";

fn declare(broker: &TestBroker, queue: &str, arguments: Value) {
    let body = json!({"durable": true, "arguments": arguments});
    let declared = ask(broker, "PUT", &format!("/api/queues/%2F/{queue}"), Some(&body));
    assert_eq!(declared.status, 201);
}

/// Publishes persistent messages `0`, `1`, … to a queue.
fn fill(broker: &TestBroker, queue: &str, count: usize) {
    for number in 0..count {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let properties = json!({"delivery_mode": 2, "headers": {"parity": parity}});
        let message = json!({"properties": properties, "routing_key": queue,
            "payload": number.to_string(), "payload_encoding": "string"});
        assert_eq!(ask(broker, "POST", PUBLISH, Some(&message)).json(), json!({"routed": true}));
    }
}

#[track_caller]
fn moves(broker: &TestBroker, queue: &str, order: &Value, answer: (u16, Value)) {
    let got = ask(broker, "POST", &format!("/api/queues/%2F/{queue}/move"), Some(order));
    assert_eq!((got.status, got.json()), answer, "{order}");
}

fn moved(count: u64) -> (u16, Value) {
    (200, json!({"moved": count, "unroutable": 0, "refused": false}))
}

#[track_caller]
fn bodies(broker: &TestBroker, queue: &str) -> Vec<String> {
    let page = get(broker, &format!("/api/queues/%2F/{queue}/peek?count=1000"));
    let rows = page["messages"].as_array().expect("rows");
    rows.iter().map(|row| row["payload"].as_str().expect("text").to_owned()).collect()
}

fn numbers(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| number.to_string()).collect()
}

#[test]
fn messages_are_moved_by_filter_and_count_and_stay_moved() {
    // Most of them are only on disk.
    let mut broker = TestBroker::with(|config| config.limits.queue_window = 6);
    declare(&broker, "q", json!({}));
    declare(&broker, "r", json!({}));
    fill(&broker, "q", 30);
    let order = json!({"destination": {"queue": "r"}, "filter": "header.parity=odd", "count": 12});
    moves(&broker, "q", &order, moved(12));
    let (stay, go) =
        (numbers((0..30).filter(|n| n % 2 == 0 || *n >= 24)), numbers((1..24).step_by(2)));
    for _ in 0..2 {
        assert_eq!(bodies(&broker, "q"), stay);
        assert_eq!(bodies(&broker, "r"), go);
        assert_eq!((broker.counts("q").ready, broker.counts("r").ready), (18, 12));
        broker.restart();
    }
    moves(
        &broker,
        "r",
        &json!({"destination": {"exchange": "amq.default", "routing_key": "q"}}),
        moved(12),
    );
    moves(&broker, "r", &json!({"destination": {"queue": "q"}}), moved(0));
    let mut client = broker.client();
    client.consume_as(1, "q", Consume { no_ack: true, ..Consume::default() });
    assert_eq!(client.deliveries(30), [stay, go].concat());
    assert_eq!(broker.counts("q").ready, 0);
}

#[test]
fn into_itself_a_queue_is_moved_once() {
    let broker = TestBroker::start();
    declare(&broker, "q", json!({}));
    fill(&broker, "q", 600);
    moves(&broker, "q", &json!({"destination": {"queue": "q"}}), moved(600));
    assert_eq!(bodies(&broker, "q"), numbers(0..600));
}

#[test]
fn what_leads_nowhere_or_to_a_full_queue_stays_where_it_is() {
    let broker = TestBroker::with(|config| config.limits.queue_window = 4);
    declare(&broker, "q", json!({}));
    declare(&broker, "full", json!({"x-max-length": 2, "x-overflow": "reject-publish"}));
    fill(&broker, "q", 10);
    let nowhere = json!({"destination": {"exchange": "amq.topic", "routing_key": "nowhere"}});
    moves(&broker, "q", &nowhere, (200, json!({"moved": 0, "unroutable": 10, "refused": false})));
    moves(
        &broker,
        "q",
        &json!({"destination": "origin"}),
        (200, json!({"moved": 0, "unroutable": 10, "refused": false})),
    );
    let full = json!({"destination": {"queue": "full"}});
    moves(&broker, "q", &full, (200, json!({"moved": 2, "unroutable": 0, "refused": true})));
    assert_eq!(bodies(&broker, "full"), ["0", "1"]);
    let mut client = broker.client();
    client.consume("q");
    assert_eq!(client.deliveries(8), numbers(2..10));
}

#[test]
fn dead_letters_go_back_to_where_they_died() {
    let broker = TestBroker::start();
    let dead_to = json!({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"});
    declare(&broker, "q", dead_to);
    declare(&broker, "dead", json!({}));
    fill(&broker, "q", 5);
    let reject = json!({"count": 5, "ackmode": "reject_requeue_false", "encoding": "auto"});
    ask(&broker, "POST", "/api/queues/%2F/q/get", Some(&reject));
    eventually("all are dead", || broker.counts("dead").ready == 5);
    moves(&broker, "dead", &json!({"destination": "origin", "count": 3}), moved(3));
    assert_eq!((bodies(&broker, "q"), bodies(&broker, "dead")), (numbers(0..3), numbers(3..5)));
    let page = get(&broker, "/api/queues/%2F/q/peek");
    let back = &page["messages"][0];
    assert_eq!((&back["exchange"], &back["routing_key"]), (&json!(""), &json!("q")));
    assert_eq!(back["properties"]["headers"]["x-death"][0]["count"], 1);
    // It can die once more.
    ask(&broker, "POST", "/api/queues/%2F/q/get", Some(&reject));
    eventually("they are dead again", || broker.counts("dead").ready == 5);
    let page = get(&broker, "/api/queues/%2F/dead/peek");
    assert_eq!(page["messages"][4]["properties"]["headers"]["x-death"][0]["count"], 2);
}

#[test]
fn what_cannot_be_moved() {
    let broker = TestBroker::start();
    declare(&broker, "q", json!({}));
    let bad = |reason: &str| (400, json!({"error": "bad_request", "reason": reason}));
    let missing = |reason: &str| (404, json!({"error": "not_found", "reason": reason}));
    let no_goal =
        "destination must be {\"queue\": …}, {\"exchange\": …, \"routing_key\": …} or \"origin\"";
    for (order, answer) in [
        (json!({}), bad("[{key_missing,destination}]")),
        (json!({"destination": "elsewhere"}), bad(no_goal)),
        (json!({"destination": {}}), bad(no_goal)),
        (json!({"destination": {"queue": "q", "exchange": "e"}}), bad(no_goal)),
        (json!({"destination": {"queue": "nope"}}), missing("queue_not_found")),
        (json!({"destination": {"exchange": "nope"}}), missing("exchange_not_found")),
        (
            json!({"destination": {"exchange": "amq.rabbitmq.trace"}}),
            bad("the exchange is internal"),
        ),
        (
            json!({"destination": {"queue": "q"}, "count": -1}),
            bad("count must be a number, 0 or more"),
        ),
    ] {
        moves(&broker, "q", &order, answer);
    }
    moves(&broker, "nope", &json!({"destination": "origin"}), missing("queue_not_found"));
}
