//! Requests and what RabbitMQ 4.3.6 answered to each of them, in this order.

use serde_json::{Value, json};

use crate::http::{ask, send};
use crate::support::TestBroker;
use crate::support::client::declare;

/// The bit of queue.declare that makes it exclusive.
const EXCLUSIVE: u8 = 4;

/// Asks each question and compares status and body.
#[track_caller]
fn conversation(broker: &TestBroker, questions: &[(&str, &str, Value, u16, Value)]) {
    for (method, path, body, status, expected) in questions {
        let body = (!body.is_null()).then_some(body);
        let answer = ask(broker, method, path, body);
        let said = format!("{method} {path} {body:?}");
        assert_eq!((answer.status, answer.json()), (*status, expected.clone()), "{said}");
    }
}

fn bad(reason: impl Into<Value>) -> Value {
    json!({"error": "bad_request", "reason": reason.into()})
}

fn not_found() -> Value {
    json!({"error": "Object Not Found", "reason": "Not Found"})
}

fn missing(reason: &str) -> Value {
    json!({"error": "not_found", "reason": reason})
}

fn refused() -> Value {
    json!({"error": "not_authorised", "reason": "Access refused."})
}

#[test]
fn queues() {
    let broker = TestBroker::start();
    let none = Value::Null;
    conversation(
        &broker,
        &[
            ("PUT", "/api/queues/%2F/w1", json!({}), 201, none.clone()),
            ("PUT", "/api/queues/%2F/w1", json!({}), 204, none.clone()),
            (
                "PUT",
                "/api/queues/%2F/w1",
                json!({"durable": true}),
                400,
                bad(
                    "inequivalent arg 'durable' for queue 'w1' in vhost '/': received 'true' but current is 'false'",
                ),
            ),
            (
                "PUT",
                "/api/queues/%2F/w2",
                json!({"durable": "true", "auto_delete": "false", "arguments": {"x-max-length": "a"}}),
                400,
                bad(
                    "invalid arg 'x-max-length' for queue 'w2' in vhost '/': \"expected integer, got longstr\"",
                ),
            ),
            (
                "PUT",
                "/api/queues/%2F/w2",
                json!({"durable": "maybe"}),
                400,
                bad(json!(["not_boolean", "maybe"])),
            ),
            (
                "PUT",
                "/api/queues/%2F/w2",
                json!({"arguments": {"a": null}}),
                400,
                bad("null_not_allowed"),
            ),
            ("PUT", "/api/queues/nope/w2", json!({}), 404, missing("vhost_not_found")),
            ("PUT", "/api/queues/%2F/amq.foo", json!({}), 401, refused()),
            ("DELETE", "/api/queues/%2F/nope", none.clone(), 404, not_found()),
            ("GET", "/api/queues/%2F/nope", none.clone(), 404, not_found()),
            ("GET", "/api/queues/nope", none.clone(), 404, not_found()),
            ("DELETE", "/api/queues/%2F/nope/contents", none.clone(), 404, not_found()),
            (
                "POST",
                "/api/queues/%2F/w1/actions",
                json!({"action": "sync"}),
                400,
                bad(json!(["unknown", "sync"])),
            ),
            ("DELETE", "/api/queues/%2F/w1", none.clone(), 204, none.clone()),
            ("POST", "/api/queues", json!({}), 405, none),
        ],
    );
}

#[test]
fn queues_that_are_not_to_be_deleted() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("full");
    client.publish("full", b"x");
    client.method(1, &declare("mine", EXCLUSIVE));
    client.declare_ok();
    client.consume("mine");
    client.sync();
    let none = Value::Null;
    let locked = bad(
        "cannot obtain exclusive access to locked queue 'mine' in vhost '/'. It could be originally \
         declared on another connection or the exclusive property value does not match that of the \
         original declaration.",
    );
    conversation(
        &broker,
        &[
            (
                "DELETE",
                "/api/queues/%2F/full?if-empty=true",
                none.clone(),
                400,
                bad("queue 'full' in vhost '/' not empty"),
            ),
            ("DELETE", "/api/queues/%2F/mine", none.clone(), 400, locked.clone()),
            ("DELETE", "/api/queues/%2F/mine/contents", none.clone(), 400, locked),
            ("DELETE", "/api/queues/%2F/full/contents", none.clone(), 204, none.clone()),
            (
                "DELETE",
                "/api/queues/%2F/full?if-empty=true&if-unused=true",
                none.clone(),
                204,
                none,
            ),
        ],
    );
}

#[test]
fn exchanges_and_bindings() {
    let broker = TestBroker::start();
    let none = Value::Null;
    conversation(
        &broker,
        &[
            ("PUT", "/api/queues/%2F/q", json!({"durable": true}), 201, none.clone()),
            ("PUT", "/api/exchanges/%2F/y1", json!({}), 201, none.clone()),
            ("PUT", "/api/exchanges/%2F/y1", json!({}), 204, none.clone()),
            (
                "PUT",
                "/api/exchanges/%2F/y1",
                json!({"type": "fanout"}),
                400,
                bad(
                    "inequivalent arg 'type' for exchange 'y1' in vhost '/': received 'fanout' but current is 'direct'",
                ),
            ),
            (
                "PUT",
                "/api/exchanges/%2F/y2",
                json!({"type": "nope"}),
                400,
                bad("unknown exchange type 'nope'"),
            ),
            ("PUT", "/api/exchanges/%2F/amq.y", json!({"type": "direct"}), 401, refused()),
            ("PUT", "/api/exchanges/%2F/amq.default", json!({"type": "direct"}), 401, refused()),
            ("DELETE", "/api/exchanges/%2F/amq.direct", none.clone(), 401, refused()),
            ("DELETE", "/api/exchanges/%2F/nope", none.clone(), 404, not_found()),
            ("POST", "/api/bindings/%2F/e/y1/q/q", json!({}), 201, none.clone()),
            (
                "POST",
                "/api/bindings/%2F/e/y1/q/q",
                json!({"routing_key": "r k/#"}),
                201,
                none.clone(),
            ),
            (
                "POST",
                "/api/bindings/%2F/e/y1/q/nope",
                json!({}),
                404,
                missing("no queue 'nope' in vhost '/'"),
            ),
            (
                "POST",
                "/api/bindings/%2F/e/nope/q/q",
                json!({}),
                404,
                missing("no exchange 'nope' in vhost '/'"),
            ),
            (
                "DELETE",
                "/api/exchanges/%2F/y1?if-unused=true",
                none.clone(),
                400,
                bad("exchange 'y1' in vhost '/' in use"),
            ),
            ("GET", "/api/bindings/%2F/e/y1/q/q/nope", none.clone(), 404, not_found()),
            (
                "GET",
                "/api/bindings/%2F/e/y1/q/q/r+k%252F%2523",
                none.clone(),
                200,
                json!({"source": "y1", "vhost": "/", "destination": "q", "destination_type": "queue",
                "routing_key": "r k/#", "arguments": {}, "properties_key": "r+k%2F%23"}),
            ),
            ("DELETE", "/api/bindings/%2F/e/y1/q/q/~", none.clone(), 204, none.clone()),
            ("DELETE", "/api/bindings/%2F/e/y1/q/q/~", none.clone(), 404, not_found()),
            ("GET", "/api/bindings/%2F/e/nope/q/q", none.clone(), 200, json!([])),
            ("DELETE", "/api/exchanges/%2F/y1", none.clone(), 204, none),
        ],
    );
    let queue = ask(&broker, "PUT", "/api/exchanges/%2F/y3", Some(&json!({"type": "topic"})));
    assert_eq!(queue.status, 201);
    let bound =
        ask(&broker, "POST", "/api/bindings/%2F/e/y3/q/q", Some(&json!({"routing_key": "r k/#"})));
    assert_eq!(bound.header("location"), Some("q/r%2Bk%252F%2523"));
}

#[test]
fn bodies_that_are_no_objects() {
    let broker = TestBroker::start();
    let doubly = "invalid payload: the request body JSON-decoded to a string. Is the input \
                  doubly-JSON-encoded?";
    for (body, status, expected) in [
        (&b"{"[..], 400, bad("not_json")),
        (b"5", 400, bad("not_json")),
        (b"[]", 400, bad("not_json")),
        (b"\xff", 400, bad("not_json")),
        (b"\"a\"", 400, bad(doubly)),
        (b"null", 201, Value::Null),
        (b"undefined", 204, Value::Null),
        (b"", 204, Value::Null),
    ] {
        let answer = send(&broker, "PUT", "/api/queues/%2F/raw", &[], body);
        assert_eq!((answer.status, answer.json()), (status, expected), "{}", body.escape_ascii());
    }
}

#[test]
fn callers_that_are_not_known() {
    let broker = TestBroker::start();
    let ask_as = |authorization| {
        send(&broker, "GET", "/api/overview", &[("Authorization", authorization)], b"")
    };
    let answer = ask_as("Basic Z3Vlc3Q6YmFk");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json(), json!({"error": "not_authorized", "reason": "Not_Authorized"}));
    let realm = Some("Basic realm=\"RabbitMQ Management\"");
    assert_eq!(answer.header("www-authenticate"), realm);
    for malformed in ["Basic !!!", "Foo x", "Basic", "Basic Z3Vlc3Q="] {
        assert_eq!(ask_as(malformed).status, 400, "{malformed}");
    }
}

#[test]
fn paths_that_are_none() {
    let broker = TestBroker::start();
    let none = Value::Null;
    conversation(
        &broker,
        &[
            ("GET", "/api/nope", none.clone(), 404, not_found()),
            ("GET", "/nope", none.clone(), 404, not_found()),
            ("GET", "/api/nodes/x", none.clone(), 404, not_found()),
            ("GET", "/api/vhosts/%ZZ", none.clone(), 400, bad("malformed percent-encoding")),
            ("GET", "/api/vhosts/%FF", none.clone(), 400, bad("malformed percent-encoding")),
            ("GET", "/api/connections/nope", none.clone(), 404, not_found()),
            ("DELETE", "/api/overview", none.clone(), 405, none.clone()),
            ("GET", "/api/health/checks/port-listener/x", none.clone(), 400, bad("Invalid port")),
            (
                "GET",
                "/api/health/checks/certificate-expiration/1/foo",
                none.clone(),
                400,
                bad("Time unit not recognised. Supported units: days, weeks, months, years."),
            ),
            (
                "GET",
                "/api/health/checks/certificate-expiration/x/days",
                none.clone(),
                400,
                bad("Invalid expiration value."),
            ),
            ("PUT", "/api/feature-flags/nope/enable", none.clone(), 400, bad("unsupported")),
            (
                "GET",
                "/api/queues/?page=9",
                none,
                400,
                json!({"error": "page_out_of_range", "reason": "Page out of range, page: 9 page size: 100, len: 0"}),
            ),
        ],
    );
}

#[test]
fn options_and_head() {
    let broker = TestBroker::start();
    let options = ask(&broker, "OPTIONS", "/api/queues/%2F/q", None);
    assert_eq!(options.status, 200);
    let allowed = options.header("allow").expect("what is allowed");
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        assert!(allowed.contains(method), "{allowed}");
    }
    let head = ask(&broker, "HEAD", "/api/overview", None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), Some("application/json"));
    let text = send(&broker, "GET", "/api/overview", &[("Accept", "text/plain")], b"");
    assert_eq!(text.status, 406);
}
