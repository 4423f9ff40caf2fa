//! A look into queues, and queues that are paused.

use serde_json::{Value, json};

use crate::http::{ask, get};
use crate::support::TestBroker;

/// Declares a durable queue and publishes persistent messages `0`, `1`, … to it.
fn fill(broker: &TestBroker, queue: &str, count: usize) {
    let declared =
        ask(broker, "PUT", &format!("/api/queues/%2F/{queue}"), Some(&json!({"durable": true})));
    assert_eq!(declared.status, 201);
    for number in 0..count {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let properties = json!({"delivery_mode": 2, "headers": {"parity": parity}});
        let message = json!({"properties": properties, "routing_key": queue,
            "payload": format!("number {number}"), "payload_encoding": "string"});
        let published =
            ask(broker, "POST", "/api/exchanges/%2F/amq.default/publish", Some(&message));
        assert_eq!(published.json(), json!({"routed": true}));
    }
}

/// Positions and states of a page, and where the next one begins.
#[track_caller]
fn peek(broker: &TestBroker, query: &str) -> (Vec<(u64, String)>, Value) {
    let page = get(broker, &format!("/api/queues/%2F/q/peek?{query}"));
    let row = |row: &Value| {
        let position = row["position"].as_u64().expect("a number");
        assert_eq!(row["payload"], format!("number {position}"));
        (position, row["state"].as_str().expect("a state").to_owned())
    };
    let rows = page["messages"].as_array().expect("rows").iter().map(row).collect();
    (rows, page["next_offset"].clone())
}

fn ready(positions: impl IntoIterator<Item = u64>) -> Vec<(u64, String)> {
    positions.into_iter().map(|position| (position, "ready".to_owned())).collect()
}

#[test]
fn a_look_at_a_queue_changes_nothing() {
    // Most of it is only on disk.
    let mut broker = TestBroker::with(|config| config.limits.queue_window = 4);
    fill(&broker, "q", 20);
    for _ in 0..2 {
        assert_eq!(peek(&broker, "count=3"), (ready(0..3), json!(3)));
        assert_eq!(peek(&broker, "offset=3&count=5"), (ready(3..8), json!(8)));
        assert_eq!(peek(&broker, "offset=15"), (ready(15..20), Value::Null));
        assert_eq!(peek(&broker, "offset=20"), (ready([]), Value::Null));
        assert_eq!(peek(&broker, "filter=number+1&count=3"), (ready([1, 10, 11]), json!(12)));
        let odd = peek(&broker, "filter=header.parity%3Dodd&offset=9&count=2");
        assert_eq!(odd, (ready([9, 11]), json!(13)));
        assert_eq!(peek(&broker, "filter=nowhere"), (ready([]), Value::Null));
        broker.restart();
    }
    let counts = broker.counts("q");
    assert_eq!((counts.ready, counts.unacked, counts.counters.redelivered), (20, 0, 0));

    let mut client = broker.client();
    let (got, _) = client.get("q", false).expect("there is one");
    assert!(!got.redelivered, "a look is no delivery");
    let mut expected = ready(0..2);
    expected[0].1 = "unacked".into();
    assert_eq!(peek(&broker, "count=2"), (expected, json!(2)));
}

#[test]
fn a_row_says_what_is_known() {
    let broker = TestBroker::start();
    broker.client().declare("q");
    let properties =
        json!({"timestamp": 1_700_000_000, "expiration": "3600000", "headers": {"a": 1}});
    let message = json!({"properties": properties, "routing_key": "q", "payload": "AAECgA==",
        "payload_encoding": "base64"});
    ask(&broker, "POST", "/api/exchanges/%2F/amq.default/publish", Some(&message));
    let mut page = get(&broker, "/api/queues/%2F/q/peek?truncate=3");
    let expires_at = page["messages"][0]["expires_at"].take();
    assert!(expires_at.as_u64().is_some_and(|due| due > 1_700_000_000_000));
    let row = json!({"position": 0, "state": "ready", "retry_at": null, "redelivered": false, "delivery_count": 0,
        "expires_at": null, "published_at": 1_700_000_000_000u64, "payload_bytes": 4,
        "exchange": "", "routing_key": "q", "properties": properties, "payload": "AAEC",
        "payload_encoding": "base64"});
    // The first three bytes are text, so asked for as they come they would be written as that.
    let as_text = page["messages"][0]["payload"].as_str() == Some("\0\u{1}\u{2}");
    assert!(as_text, "{page}");
    let mut page = get(&broker, "/api/queues/%2F/q/peek?truncate=3&encoding=base64");
    page["messages"][0]["expires_at"] = Value::Null;
    let whole = json!({"messages": [row], "next_offset": null, "scanned": 1, "message_count": 1});
    assert_eq!(page, whole);
    for (query, reason) in [
        ("offset=x", "offset must be a number, 0 or more"),
        ("count=-1", "count must be a number, 0 or more"),
        ("encoding=foo", "Unsupported encoding. Please use auto or base64."),
    ] {
        let answer = ask(&broker, "GET", &format!("/api/queues/%2F/q/peek?{query}"), None);
        assert_eq!((answer.status, &answer.json()["reason"]), (400, &json!(reason)));
    }
    assert_eq!(ask(&broker, "GET", "/api/queues/%2F/nope/peek", None).status, 404);
}

#[test]
fn a_paused_queue_gives_nothing_until_it_is_resumed() {
    let mut broker = TestBroker::start();
    fill(&broker, "q", 2);
    let state = |broker: &TestBroker| get(broker, "/api/queues/%2F/q")["state"].clone();
    assert_eq!(state(&broker), "running");
    assert_eq!(ask(&broker, "PUT", "/api/queues/%2F/q/pause", None).status, 204);
    assert_eq!(ask(&broker, "PUT", "/api/queues/%2F/nope/pause", None).status, 404);
    for _ in 0..2 {
        assert_eq!(state(&broker), "paused");
        let mut client = broker.client();
        assert!(client.get("q", true).is_none());
        let fetch = json!({"count": 5, "ackmode": "ack_requeue_false", "encoding": "auto"});
        assert_eq!(ask(&broker, "POST", "/api/queues/%2F/q/get", Some(&fetch)).json(), json!([]));
        client.publish("q", "more");
        client.consume("q");
        client.hears_nothing();
        assert!(broker.counts("q").ready >= 3);
        broker.restart();
    }
    let mut client = broker.client();
    client.consume("q");
    assert_eq!(ask(&broker, "PUT", "/api/queues/%2F/q/resume", None).status, 204);
    assert_eq!(client.deliveries(2), ["number 0", "number 1"]);
    assert_eq!(state(&broker), "running");
    broker.restart();
    assert_eq!(state(&broker), "running");
}
