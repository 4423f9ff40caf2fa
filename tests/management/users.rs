//! Users and permissions, and what callers may do by them.

use base64::Engine;
use serde_json::{Value, json};

use crate::http::{Answer, ask, get, send};
use crate::support::TestBroker;

#[track_caller]
fn answers(broker: &TestBroker, method: &str, path: &str, body: &Value, status: u16) -> Value {
    let body = (!body.is_null()).then_some(body);
    let answer = ask(broker, method, path, body);
    assert_eq!(answer.status, status, "{method} {path} {body:?}: {:?}", answer.json());
    answer.json()
}

fn ask_as(broker: &TestBroker, who: &str, method: &str, path: &str, body: &Value) -> Answer {
    let who = base64::engine::general_purpose::STANDARD.encode(who);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let who = format!("Basic {who}");
    send(broker, method, path, &[("Authorization", &who)], body.as_bytes())
}

/// Compared with RabbitMQ 4.3.6.
#[test]
fn users_come_and_go() {
    let broker = TestBroker::start();
    let user = "/api/users/u1";
    for (body, status, reason) in [
        (json!({"tags": ""}), 201, Value::Null),
        (json!({"password": "", "tags": ""}), 204, Value::Null),
        (json!({"password": "a"}), 400, json!("tags_not_present")),
        (
            json!({"password": "a", "password_hash": "b", "tags": ""}),
            400,
            json!("both_password_and_password_hash_are_provided"),
        ),
        (json!({"password_hash": "zzz", "tags": ""}), 400, json!(["not_base64", "zzz"])),
        (json!({"password_hash": "", "tags": ""}), 204, Value::Null),
        (json!({"password": "a", "tags": ["x", 1]}), 204, Value::Null),
    ] {
        let answer = answers(&broker, "PUT", user, &body, status);
        assert_eq!(answer["reason"], reason, "{body}");
    }
    let seen = get(&broker, user);
    assert_eq!(seen["tags"], json!(["x", "1"]));
    assert_eq!(seen["hashing_algorithm"], "rabbit_password_hashing_sha256");
    assert_eq!(get(&broker, "/api/users/without-permissions")[0]["name"], "u1");
    answers(&broker, "PUT", user, &json!({"password": "a", "tags": 5}), 400);
    answers(&broker, "DELETE", user, &Value::Null, 204);
    answers(&broker, "DELETE", user, &Value::Null, 404);
    let users = json!({"users": ["zz", "yy"]});
    answers(&broker, "POST", "/api/users/bulk-delete", &users, 204);
}

#[test]
fn permissions_come_and_go() {
    let broker = TestBroker::start();
    answers(&broker, "PUT", "/api/users/bob", &json!({"password": "x", "tags": "management"}), 201);
    let all = json!({"configure": ".*", "write": "", "read": "^q"});
    let path = "/api/permissions/%2F/bob";
    answers(&broker, "PUT", path, &all, 201);
    answers(&broker, "PUT", path, &all, 204);
    let expected =
        json!({"user": "bob", "vhost": "/", "configure": ".*", "write": "", "read": "^q"});
    assert_eq!(get(&broker, path), expected);
    assert_eq!(get(&broker, "/api/users/bob/permissions"), json!([expected]));
    let lacks = answers(&broker, "PUT", path, &json!({"configure": "", "write": ""}), 400);
    assert_eq!(lacks["reason"], "[{key_missing,read}]");
    let bad = json!({"configure": "", "write": "(", "read": ""});
    assert_eq!(answers(&broker, "PUT", path, &bad, 400)["reason"][0], "invalid_regexp");
    for nobody in ["/api/permissions/nope/bob", "/api/permissions/%2F/nope"] {
        let refused = answers(&broker, "PUT", nobody, &all, 400);
        assert_eq!(refused["reason"], "vhost_or_user_not_found");
    }
    let topic = json!({"exchange": "amq.topic", "write": "a", "read": "b"});
    answers(&broker, "PUT", "/api/topic-permissions/%2F/bob", &topic, 201);
    assert_eq!(get(&broker, "/api/topic-permissions/%2F/bob")[0]["exchange"], "amq.topic");
    let path_of_exchange = "/api/topic-permissions/%2F/bob/amq.topic";
    answers(&broker, "DELETE", path_of_exchange, &Value::Null, 204);
    answers(&broker, "GET", path_of_exchange, &Value::Null, 404);
    answers(&broker, "DELETE", path, &Value::Null, 204);
    answers(&broker, "GET", path, &Value::Null, 404);
}

/// Who may see and do what, by tag and by permission.
#[test]
fn tags_and_permissions_decide() {
    let broker = TestBroker::start();
    let body = |tags: &str| json!({"password": "x", "tags": tags});
    for (name, tags) in
        [("none", ""), ("low", "management"), ("mon", "monitoring"), ("adm", "administrator")]
    {
        answers(&broker, "PUT", &format!("/api/users/{name}"), &body(tags), 201);
    }
    let limited = json!({"configure": "^mine", "write": "", "read": ""});
    answers(&broker, "PUT", "/api/permissions/%2F/low", &limited, 201);
    broker.client().declare("theirs");
    let (none, empty) = (Value::Null, json!({}));
    for (who, method, path, body, status) in [
        ("none:x", "GET", "/api/overview", &none, 401),
        ("low:y", "GET", "/api/overview", &none, 401),
        ("low:x", "GET", "/api/overview", &none, 200),
        ("low:x", "GET", "/api/users", &none, 401),
        ("low:x", "GET", "/api/nodes", &none, 401),
        ("low:x", "GET", "/api/queues/%2F", &none, 200),
        ("low:x", "PUT", "/api/queues/%2F/mine1", &empty, 201),
        ("low:x", "PUT", "/api/queues/%2F/other", &empty, 401),
        ("low:x", "DELETE", "/api/queues/%2F/theirs", &none, 401),
        ("low:x", "DELETE", "/api/queues/%2F/theirs/contents", &none, 401),
        ("low:x", "PUT", "/api/exchanges/%2F/other", &empty, 401),
        ("low:x", "POST", "/api/bindings/%2F/e/amq.topic/q/mine1", &empty, 401),
        ("mon:x", "GET", "/api/nodes", &none, 200),
        ("mon:x", "GET", "/api/queues/%2F", &none, 200),
        ("mon:x", "PUT", "/api/queues/%2F/mine2", &empty, 401),
        ("mon:x", "GET", "/api/definitions", &none, 401),
        ("adm:x", "GET", "/api/definitions", &none, 200),
        ("adm:x", "PUT", "/api/queues/%2F/mine3", &empty, 401),
    ] {
        let answer = ask_as(&broker, who, method, path, body);
        assert_eq!(answer.status, status, "{who} {method} {path}: {:?}", answer.json());
    }
    let reason = |who, path| ask_as(&broker, who, "GET", path, &none).json()["reason"].clone();
    assert_eq!(reason("none:x", "/api/overview"), "Not management user");
    assert_eq!(reason("low:x", "/api/users"), "Not administrator user");
    let get = json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"});
    let refused = ask_as(&broker, "low:x", "POST", "/api/queues/%2F/mine1/get", &get).json();
    let text = "ACCESS_REFUSED - read access to queue 'mine1' in vhost '/' refused for user 'low'";
    assert_eq!(refused, json!({"error": "not_authorised", "reason": text}));
    assert_eq!(
        ask_as(&broker, "mon:x", "GET", "/api/whoami", &none).json()["tags"],
        json!(["monitoring"])
    );
}
