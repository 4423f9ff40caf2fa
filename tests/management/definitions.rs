//! Definitions out and in.

use serde_json::{Value, json};

use crate::http::{ask, get, send};
use crate::support::TestBroker;

/// As RabbitMQ 4.3 exports them, cut to what matters.
fn exported_by_rabbitmq() -> Value {
    json!({
        "rabbit_version": "4.3.6", "rabbitmq_version": "4.3.6", "product_name": "RabbitMQ",
        "rabbitmq_definition_format": "cluster", "original_cluster_name": "rabbit@vm",
        "explanation": "Definitions of cluster 'rabbit@vm'",
        "users": [{"name": "app", "password_hash": "EII/TgB5cjHt5Qw7mr+uWWK+IKtjgIZP93s9l0WAZRmAJB+G",
            "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["monitoring"], "limits": {}}],
        "vhosts": [{"name": "/", "description": "Default virtual host", "metadata": {}, "tags": [],
            "default_queue_type": "classic", "limits": []}],
        "permissions": [{"user": "app", "vhost": "/", "configure": "", "write": "", "read": ".*"}],
        "topic_permissions": [], "parameters": [], "policies": [],
        "global_parameters": [{"name": "cluster_name", "value": "rabbit@vm"}],
        "queues": [
            {"name": "orders", "vhost": "/", "durable": true, "auto_delete": false,
                "arguments": {"x-queue-type": "classic", "x-max-length": 1000}},
            {"name": "amq.gen-x", "vhost": "/", "durable": true, "auto_delete": false, "arguments": []},
            {"name": "lost", "durable": true, "auto_delete": false, "arguments": {}}],
        "exchanges": [{"name": "events", "vhost": "/", "type": "topic", "durable": true,
            "auto_delete": false, "internal": false, "arguments": {}}],
        "bindings": [{"source": "events", "vhost": "/", "destination": "orders",
            "destination_type": "queue", "routing_key": "order.#", "arguments": {}}],
    })
}

#[track_caller]
fn import(broker: &TestBroker, path: &str, file: &Value) {
    let answer = ask(broker, "POST", path, Some(file));
    assert_eq!(answer.status, 204, "{:?}", answer.json());
}

fn sections(file: &Value) -> Vec<Value> {
    ["users", "permissions", "topic_permissions", "queues", "exchanges", "bindings"]
        .map(|section| file[section].clone())
        .to_vec()
}

#[test]
fn in_and_out_and_in_again() {
    let broker = TestBroker::start();
    import(&broker, "/api/definitions", &exported_by_rabbitmq());
    let out = get(&broker, "/api/definitions");
    assert_eq!(out["queues"].as_array().map(Vec::len), Some(1));
    assert_eq!(out["queues"][0]["arguments"]["x-max-length"], 1000);
    assert_eq!(out["bindings"][0]["routing_key"], "order.#");
    assert_eq!(out["rabbitmq_definition_format"], "cluster");
    // The user can log in with the password that the hash is of.
    let me = send(&broker, "GET", "/api/whoami", &[("Authorization", "Basic YXBwOng=")], b"");
    assert_eq!((me.status, &me.json()["name"]), (200, &json!("app")));

    let other = TestBroker::start();
    import(&other, "/api/definitions", &out);
    let guests_hash = |mut file: Value| {
        let users = file["users"].as_array_mut().expect("users");
        users.retain(|user| user["name"] != "guest");
        file
    };
    let again = get(&other, "/api/definitions");
    assert_eq!(sections(&guests_hash(again)), sections(&guests_hash(out.clone())));
    // Twice is as good as once.
    import(&other, "/api/definitions", &out);
    assert_eq!(sections(&get(&other, "/api/definitions")), sections(&out));
}

#[test]
fn one_vhost() {
    let broker = TestBroker::start();
    import(&broker, "/api/definitions", &exported_by_rabbitmq());
    let out = get(&broker, "/api/definitions/%2F?download=a%22b.json");
    assert_eq!(out["rabbitmq_definition_format"], "single_virtual_host");
    assert!(out["queues"][0].get("vhost").is_none());
    let other = TestBroker::start();
    import(&other, "/api/definitions/%2F", &out);
    assert_eq!(get(&other, "/api/definitions/%2F")["bindings"], out["bindings"]);
    let nowhere = ask(&broker, "GET", "/api/definitions/nope", None);
    assert_eq!((nowhere.status, &nowhere.json()["reason"]), (400, &json!("vhost_not_found")));
}

#[test]
fn what_is_refused() {
    let broker = TestBroker::start();
    for (file, reason) in [
        (json!({"users": [{"name": "x"}]}), "tags_not_present"),
        (json!({"queues": 5}), "queues must be a list of objects"),
        (json!({"queues": [1]}), "queues must be a list of objects"),
        (json!({"queues": [{"vhost": "/"}]}), "[{key_missing,name}]"),
        (json!({"queues": [{"name": "q", "vhost": "nope"}]}), "vhost 'nope' does not exist"),
        (
            json!({"exchanges": [{"name": "x", "vhost": "/", "type": "nope"}]}),
            "unknown exchange type 'nope'",
        ),
    ] {
        let answer = ask(&broker, "POST", "/api/definitions", Some(&file));
        let expected = json!({"error": "bad_request", "reason": reason});
        assert_eq!((answer.status, answer.json()), (400, expected), "{file}");
    }
}

#[test]
fn taken_at_start() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("a.json"), exported_by_rabbitmq().to_string())
        .expect("written");
    std::fs::write(directory.path().join("b.txt"), "not mine").expect("written");
    let broker = TestBroker::with(|config| config.definitions.load = directory.path().into());
    assert!(broker.queue("orders").is_some());
}
