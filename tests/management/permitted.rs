//! What a user may do over HTTP: every operation with exactly the rights it needs, and without each
//! of them; and what the tags of a user open. Rights are those of AMQP, as in RabbitMQ.

use base64::Engine;
use serde_json::{Value, json};

use crate::http::{Answer, ask, send};
use crate::support::TestBroker;

const CONFIGURE: usize = 0;
const WRITE: usize = 1;
const READ: usize = 2;
const RIGHTS: [&str; 3] = ["configure", "write", "read"];

/// A right that an operation needs, and the name of the thing.
type Need = (usize, &'static str);

/// A request in the vhost `/`, where queue `q`, topic exchange `x`, fanout exchange `y` and delayed
/// exchange `later` are.
struct Operation {
    method: &'static str,
    path: &'static str,
    body: Value,
    needs: Vec<Need>,
}

fn operation(method: &'static str, path: &'static str, body: Value, needs: &[Need]) -> Operation {
    Operation { method, path, body, needs: needs.to_vec() }
}

fn operations() -> Vec<Operation> {
    let none = || json!({});
    let publish = || json!({"routing_key": "a.b", "payload": "x", "payload_encoding": "string", "properties": {}});
    let get = json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"});
    let key = || json!({"routing_key": "a.b"});
    let dead = json!({"arguments": {"x-dead-letter-exchange": "y"}});
    let alternate = json!({"type": "fanout", "arguments": {"alternate-exchange": "y"}});
    let redrive = json!({"destination": {"exchange": "y"}, "count": 1});
    vec![
        operation("PUT", "queues/%2F/new", none(), &[(CONFIGURE, "new")]),
        operation(
            "PUT",
            "queues/%2F/mortal",
            dead,
            &[(CONFIGURE, "mortal"), (READ, "mortal"), (WRITE, "y")],
        ),
        operation("DELETE", "queues/%2F/gone", none(), &[(CONFIGURE, "gone")]),
        operation("DELETE", "queues/%2F/q/contents", none(), &[(READ, "q")]),
        operation("POST", "queues/%2F/q/get", get, &[(READ, "q")]),
        operation("GET", "queues/%2F/q/peek", none(), &[(READ, "q")]),
        operation("PUT", "queues/%2F/q/pause", none(), &[(CONFIGURE, "q")]),
        operation("PUT", "queues/%2F/q/resume", none(), &[(CONFIGURE, "q")]),
        operation("POST", "queues/%2F/q/move", redrive, &[(READ, "q"), (WRITE, "y")]),
        operation("PUT", "exchanges/%2F/new", json!({"type": "fanout"}), &[(CONFIGURE, "new")]),
        operation(
            "PUT",
            "exchanges/%2F/alt",
            alternate,
            &[(CONFIGURE, "alt"), (READ, "alt"), (WRITE, "y")],
        ),
        operation("DELETE", "exchanges/%2F/gone", none(), &[(CONFIGURE, "gone")]),
        operation("POST", "exchanges/%2F/x/publish", publish(), &[(WRITE, "x")]),
        operation(
            "POST",
            "exchanges/%2F/amq.default/publish",
            publish(),
            &[(WRITE, "amq.default")],
        ),
        operation("GET", "exchanges/%2F/later/scheduled", none(), &[(READ, "later")]),
        operation("POST", "bindings/%2F/e/x/q/q", key(), &[(WRITE, "q"), (READ, "x")]),
        operation("DELETE", "bindings/%2F/e/x/q/q/a.b", none(), &[(WRITE, "q"), (READ, "x")]),
        operation("POST", "bindings/%2F/e/x/e/y", key(), &[(WRITE, "y"), (READ, "x")]),
        operation("DELETE", "bindings/%2F/e/x/e/y/a.b", none(), &[(WRITE, "y"), (READ, "x")]),
    ]
}

fn broker() -> TestBroker {
    let broker = TestBroker::start();
    let delayed = json!({"type": "x-delayed-message", "arguments": {"x-delayed-type": "direct"}});
    for (path, body) in [
        ("queues/%2F/q", json!({})),
        ("exchanges/%2F/x", json!({"type": "topic"})),
        ("exchanges/%2F/y", json!({"type": "fanout"})),
        ("exchanges/%2F/later", delayed),
        ("users/anna", json!({"password": "secret", "tags": "management"})),
    ] {
        must(&broker, "PUT", path, &body);
    }
    broker
}

/// As guest, who may do everything.
#[track_caller]
fn must(broker: &TestBroker, method: &str, path: &str, body: &Value) {
    let answer = ask(broker, method, &format!("/api/{path}"), Some(body));
    assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
}

fn as_anna(broker: &TestBroker, operation: &Operation) -> Answer {
    let login = base64::engine::general_purpose::STANDARD.encode("anna:secret");
    let headers = [("Authorization", &*format!("Basic {login}"))];
    let body = operation.body.to_string();
    let body = if operation.method == "GET" { "" } else { &body };
    send(broker, operation.method, &format!("/api/{}", operation.path), &headers, body.as_bytes())
}

/// Anna may do just this.
fn permit<'a>(broker: &TestBroker, needs: impl Iterator<Item = &'a Need>) {
    let mut patterns = [const { Vec::new() }; 3];
    needs.for_each(|(right, name)| patterns[*right].push(name.replace('.', r"\.")));
    let [configure, write, read] = patterns.map(|names| format!("^({})$", names.join("|")));
    let permission = json!({"configure": configure, "write": write, "read": read});
    must(broker, "PUT", "permissions/%2F/anna", &permission);
}

/// What is to go is there, and what is to be made is not.
fn prepare(broker: &TestBroker, operation: &Operation) {
    for gone in ["queues/%2F/gone", "exchanges/%2F/gone"] {
        must(broker, "PUT", gone, &json!({}));
    }
    for binding in ["bindings/%2F/e/x/q/q", "bindings/%2F/e/x/e/y"] {
        must(broker, "POST", binding, &json!({"routing_key": "a.b"}));
    }
    if operation.method == "PUT" && operation.needs[0].0 == CONFIGURE {
        let path = format!("/api/{}", operation.path);
        ask(broker, "DELETE", &path, None);
    }
}

#[test]
fn every_operation_with_the_rights_it_needs_and_without_each_of_them() {
    let broker = broker();
    for operation in operations() {
        let Operation { method, path, needs, .. } = &operation;
        prepare(&broker, &operation);
        for missing in needs {
            permit(&broker, needs.iter().filter(|need| *need != missing));
            let answer = as_anna(&broker, &operation);
            let (right, name) = (RIGHTS[missing.0], missing.1);
            let refused =
                answer.status == 401 || (answer.status == 400 && path.contains("publish"));
            assert!(refused, "{method} {path} without {right} on {name}: {answer:?}");
        }
        permit(&broker, needs.iter());
        let answer = as_anna(&broker, &operation);
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
    }
}

#[test]
fn a_topic_exchanges_keys_may_be_restricted() {
    let broker = broker();
    permit(&broker, [(WRITE, "q"), (READ, "x"), (WRITE, "x")].iter());
    let topic = json!({"exchange": "x", "write": "^mine", "read": "^mine"});
    must(&broker, "PUT", "topic-permissions/%2F/anna", &topic);
    for (key, status) in [("mine.a", 201), ("a.b", 401)] {
        let binding = operation("POST", "bindings/%2F/e/x/q/q", json!({"routing_key": key}), &[]);
        assert_eq!(as_anna(&broker, &binding).status, status, "{key}");
    }
    must(&broker, "POST", "bindings/%2F/e/x/q/q", &json!({"routing_key": "a.b"}));
    let unbind = operation("DELETE", "bindings/%2F/e/x/q/q/a.b", json!({}), &[]);
    assert_eq!(as_anna(&broker, &unbind).status, 401);
}

/// For each tag: what it opens, of what others do not.
#[test]
fn a_tag_opens_what_it_should_and_nothing_else() {
    let broker = broker();
    permit(&broker, [].iter());
    let [nobody, management, policymaker, monitoring] = [0, 1, 2, 3];
    let policy = || json!({"pattern": "^q$", "definition": {"max-length": 5}});
    let asked = [
        ("GET", "overview", json!({}), management),
        ("GET", "queues/%2F", json!({}), management),
        ("GET", "whoami", json!({}), management),
        ("GET", "nodes", json!({}), monitoring),
        ("GET", "policies", json!({}), management),
        ("PUT", "policies/%2F/p", policy(), policymaker),
        ("DELETE", "policies/%2F/p", json!({}), policymaker),
    ];
    let only_administrators = [
        ("GET", "users", json!({})),
        ("PUT", "users/bert", json!({"password": "x", "tags": ""})),
        ("DELETE", "users/bert", json!({})),
        ("PUT", "vhosts/v", json!({})),
        ("DELETE", "vhosts/v", json!({})),
        ("PUT", "permissions/%2F/anna", json!({"configure": "", "write": "", "read": ""})),
        ("PUT", "operator-policies/%2F/p", policy()),
        ("PUT", "vhost-limits/%2F/max-queues", json!({"value": 10})),
        ("GET", "definitions", json!({})),
    ];
    for (tags, level) in [("", nobody), ("management", management), ("policymaker", policymaker)] {
        must(&broker, "PUT", "users/anna", &json!({"password": "secret", "tags": tags}));
        for (method, path, body, least) in asked.clone() {
            let status = as_anna(&broker, &operation(method, path, body, &[])).status;
            assert_eq!(
                (200..300).contains(&status),
                level >= least,
                "{tags}: {method} {path}: {status}"
            );
        }
        for (method, path, body) in only_administrators.clone() {
            let status = as_anna(&broker, &operation(method, path, body, &[])).status;
            assert_eq!(status, 401, "{tags}: {method} {path}");
        }
    }
    must(&broker, "PUT", "users/anna", &json!({"password": "secret", "tags": "monitoring"}));
    for (method, path, body, _) in asked.iter().filter(|each| each.0 == "GET") {
        let status = as_anna(&broker, &operation(method, path, body.clone(), &[])).status;
        assert_eq!(status, 200, "monitoring: {method} {path}");
    }
    must(&broker, "PUT", "users/anna", &json!({"password": "secret", "tags": "administrator"}));
    for (method, path, body) in only_administrators {
        let status = as_anna(&broker, &operation(method, path, body, &[])).status;
        assert!((200..300).contains(&status), "administrator: {method} {path}: {status}");
    }
}
