//! Messages published and fetched over HTTP.

use serde_json::{Value, json};

use crate::http::{ask, get};
use crate::support::TestBroker;

const PUBLISH: &str = "/api/exchanges/%2F/amq.default/publish";

#[track_caller]
fn publish(broker: &TestBroker, path: &str, body: &Value) -> (u16, Value) {
    let answer = ask(broker, "POST", path, Some(body));
    (answer.status, answer.json())
}

#[track_caller]
fn fetch(broker: &TestBroker, body: &Value) -> Value {
    let answer = ask(broker, "POST", "/api/queues/%2F/q/get", Some(body));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn text(key: &str, payload: &str) -> Value {
    json!({"properties": {}, "routing_key": key, "payload": payload, "payload_encoding": "string"})
}

#[test]
fn published_and_fetched_with_all_properties() {
    let broker = TestBroker::start();
    broker.client().declare("q");
    let properties = json!({"delivery_mode": 2, "headers": {"a": 1, "b": [1, "x"]},
        "content_type": "text/plain", "priority": 3, "timestamp": 12345, "user_id": "guest"});
    let message = json!({"properties": properties, "routing_key": "q", "payload": "AAECgA==",
        "payload_encoding": "base64"});
    assert_eq!(publish(&broker, PUBLISH, &message), (200, json!({"routed": true})));
    assert_eq!(publish(&broker, PUBLISH, &text("q", "hello")), (200, json!({"routed": true})));
    assert_eq!(publish(&broker, PUBLISH, &text("nowhere", "x")), (200, json!({"routed": false})));

    let both =
        fetch(&broker, &json!({"count": 10, "ackmode": "ack_requeue_true", "encoding": "auto"}));
    let first = json!({"payload_bytes": 4, "redelivered": false, "exchange": "", "routing_key": "q",
        "message_count": 1, "properties": properties, "payload": "AAECgA==",
        "payload_encoding": "base64"});
    let second = json!({"payload_bytes": 5, "redelivered": false, "exchange": "",
        "routing_key": "q", "message_count": 0, "properties": {}, "payload": "hello",
        "payload_encoding": "string"});
    assert_eq!(both, json!([first, second]));

    let cut = fetch(
        &broker,
        &json!({"count": "2", "ackmode": "ack_requeue_false",
        "encoding": "base64", "truncate": 3}),
    );
    assert_eq!(cut[1]["payload"], "aGVs");
    assert_eq!(cut[1]["redelivered"], true);
    assert_eq!(broker.counts("q").ready, 0);
    assert_eq!(broker.counts("q").unacked, 0);
}

#[test]
fn what_cannot_be_published_or_fetched() {
    let broker = TestBroker::start();
    broker.client().declare("q");
    let with = |key: &str, value: Value| {
        let mut message = text("q", "a");
        message[key] = value;
        message
    };
    let mut keyless = text("q", "a");
    keyless.as_object_mut().expect("an object").remove("routing_key");
    for (message, reason) in [
        (with("payload", json!(5)), json!("payload_not_string")),
        (with("payload_encoding", json!("foo")), json!(["unsupported_encoding", "foo"])),
        (keyless, json!("[{key_missing,routing_key}]")),
        (with("properties", json!({"delivery_mode": "x"})), json!(["not_int", "delivery_mode"])),
        (
            with("properties", json!({"user_id": "zz"})),
            json!(
                "406 PRECONDITION_FAILED - user_id \
            property set to 'zz' but authenticated user was 'guest'"
            ),
        ),
        (with("properties", json!(5)), json!("properties must be an object")),
    ] {
        let expected = json!({"error": "bad_request", "reason": reason});
        assert_eq!(publish(&broker, PUBLISH, &message), (400, expected), "{message}");
    }
    let nowhere = publish(&broker, "/api/exchanges/%2F/nope/publish", &text("q", "a"));
    assert_eq!(nowhere, (404, json!({"error": "not_found", "reason": "exchange_not_found"})));

    for (body, reason) in [
        (
            json!({"count": 2, "ackmode": "nope", "encoding": "auto"}),
            "Invalid ackmode value: nope. \
            Valid values are: ack_requeue_true, ack_requeue_false, reject_requeue_true, \
            reject_requeue_false",
        ),
        (json!({"count": 2, "encoding": "auto"}), "[{key_missing,ackmode}]"),
        (
            json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "foo"}),
            "Unsupported encoding. Please use auto or base64.",
        ),
    ] {
        let answer = ask(&broker, "POST", "/api/queues/%2F/q/get", Some(&body));
        assert_eq!(answer.json(), json!({"error": "bad_request", "reason": reason}), "{body}");
    }
    assert_eq!(get(&broker, "/api/queues/%2F/q")["messages"], 0);
}
