//! Policies, vhosts, limits and parameters: compared with RabbitMQ 4.3.6.

use serde_json::{Value, json};

use crate::http::{ask, get};
use crate::support::TestBroker;

/// Asks each question and compares status and reason.
#[track_caller]
fn conversation(broker: &TestBroker, questions: &[(&str, &str, Value, u16, Value)]) {
    for (method, path, body, status, reason) in questions {
        let body = (!body.is_null()).then_some(body);
        let answer = ask(broker, method, path, body);
        let said = format!("{method} {path} {body:?}");
        assert_eq!((answer.status, &answer.json()["reason"]), (*status, reason), "{said}");
    }
}

#[test]
fn policies_govern_at_once() {
    let broker = TestBroker::start();
    broker.client().declare("orders");
    let none = Value::Null;
    let p = "/api/policies/%2F/p";
    let short = json!({"pattern": "^o", "definition": {"max-length": 5}, "priority": 1, "apply-to": "queues"});
    conversation(
        &broker,
        &[
            ("PUT", p, short.clone(), 201, none.clone()),
            ("PUT", p, short, 204, none.clone()),
            (
                "PUT",
                p,
                json!({"definition": {"max-length": 1}}),
                400,
                json!("[{key_missing,pattern}]"),
            ),
            (
                "PUT",
                p,
                json!({"pattern": "a", "definition": {"max-length": "x"}}),
                400,
                json!("Validation failed\n\n<<\"x\">> is not a valid maximum length\n"),
            ),
            (
                "PUT",
                "/api/policies/nope/p",
                json!({"pattern": "a", "definition": {"max-length": 1}}),
                404,
                json!("vhost_not_found"),
            ),
            (
                "PUT",
                "/api/operator-policies/%2F/op",
                json!({"pattern": ".*", "definition": {"max-length": 3}}),
                201,
                none.clone(),
            ),
            ("DELETE", "/api/policies/%2F/nope", none.clone(), 404, json!("Not Found")),
            ("GET", "/api/policies/nope", none.clone(), 404, json!("Not Found")),
        ],
    );
    let expected = json!({"vhost": "/", "name": "p", "pattern": "^o", "apply-to": "queues",
        "definition": {"max-length": 5}, "priority": 1});
    assert_eq!(get(&broker, p), expected);
    let queue = get(&broker, "/api/queues/%2F/orders");
    assert_eq!((&queue["policy"], &queue["operator_policy"]), (&json!("p"), &json!("op")));
    assert_eq!(queue["effective_policy_definition"], json!({"max-length": 3}));
    assert_eq!(get(&broker, "/api/queues")[0]["policy"], "p");
    conversation(&broker, &[("DELETE", p, none.clone(), 204, none)]);
    assert_eq!(get(&broker, "/api/queues/%2F/orders")["policy"], Value::Null);
}

#[test]
fn vhosts_come_and_go() {
    let broker = TestBroker::start();
    let none = Value::Null;
    conversation(
        &broker,
        &[
            (
                "PUT",
                "/api/vhosts/v2",
                json!({"description": "d", "tags": "a,b"}),
                201,
                none.clone(),
            ),
            (
                "PUT",
                "/api/vhosts/v2",
                json!({"default_queue_type": "nope"}),
                400,
                json!("nope is not a valid queue type"),
            ),
            ("PUT", "/api/queues/v2/q", json!({}), 201, none.clone()),
            ("PUT", "/api/vhost-limits/v2/max-queues", json!({"value": "1"}), 204, none.clone()),
            ("POST", "/api/vhosts/v2/deletion/protection", none.clone(), 204, none.clone()),
            (
                "DELETE",
                "/api/vhosts/v2",
                none.clone(),
                412,
                json!("Refusing to delete virtual host 'v2' because it is protected from deletion"),
            ),
            ("DELETE", "/api/vhosts/v2/deletion/protection", none.clone(), 204, none.clone()),
        ],
    );
    let seen = get(&broker, "/api/vhosts/v2");
    assert_eq!((&seen["description"], &seen["tags"]), (&json!("d"), &json!(["a", "b"])));
    assert_eq!(
        get(&broker, "/api/vhost-limits/v2"),
        json!([{"vhost": "v2", "value": {"max-queues": 1}}])
    );
    assert_eq!(get(&broker, "/api/vhosts/v2/permissions")[0]["user"], "guest");
    conversation(
        &broker,
        &[
            ("DELETE", "/api/vhost-limits/v2/max-queues", none.clone(), 204, none.clone()),
            ("DELETE", "/api/vhosts/v2", none.clone(), 204, none.clone()),
            ("DELETE", "/api/vhosts/v2", none, 404, json!("Not Found")),
        ],
    );
    assert_eq!(get(&broker, "/api/permissions").as_array().map(Vec::len), Some(1));
}

#[test]
fn parameters_and_names() {
    let broker = TestBroker::start();
    let none = Value::Null;
    conversation(
        &broker,
        &[
            (
                "PUT",
                "/api/parameters/nope/%2F/x",
                json!({"value": 1}),
                400,
                json!("Validation failed\n\ncomponent nope not found\n"),
            ),
            ("PUT", "/api/global-parameters/gp", json!({"value": {"a": 1}}), 201, none.clone()),
            ("DELETE", "/api/global-parameters/gp", none.clone(), 204, none.clone()),
            ("DELETE", "/api/global-parameters/gp", none.clone(), 404, json!("Not Found")),
            ("PUT", "/api/cluster-name", json!({"name": "zed"}), 204, none.clone()),
            ("PUT", "/api/cluster-name", json!({}), 400, json!("[{key_missing,name}]")),
            ("PUT", "/api/user-limits/guest/max-connections", json!({"value": 5}), 204, none),
        ],
    );
    assert_eq!(get(&broker, "/api/cluster-name"), json!({"name": "zed"}));
    assert_eq!(get(&broker, "/api/overview")["cluster_name"], "zed");
    assert_eq!(get(&broker, "/api/users/guest")["limits"], json!({"max-connections": 5}));
    assert_eq!(get(&broker, "/api/user-limits/guest")[0]["value"], json!({"max-connections": 5}));
}

/// RabbitMQ keeps a vhost's limits as a parameter, and tools set them as one.
#[test]
fn a_vhosts_limits_are_a_parameter() {
    let broker = TestBroker::start();
    let (none, path) = (Value::Null, "/api/parameters/vhost-limits/%2F/limits");
    let wrong = |why: &str| json!(format!("Validation failed\n\n{why}\n"));
    let value = |value: Value| json!({"value": value});
    conversation(
        &broker,
        &[
            ("DELETE", path, none.clone(), 404, json!("Not Found")),
            ("PUT", path, value(json!({"max-connections": 9})), 201, none.clone()),
            ("PUT", path, value(json!({"max-queues": 5})), 204, none.clone()),
            ("PUT", path, value(json!(5)), 400, wrong("limits not a list 5")),
            (
                "PUT",
                path,
                value(json!({"max-queues": "a"})),
                400,
                wrong("max-queues should be a number, actually was <<\"a\">>"),
            ),
        ],
    );
    let limits = json!({"max-queues": 5});
    let parameter =
        json!({"value": limits, "vhost": "/", "component": "vhost-limits", "name": "limits"});
    assert_eq!(get(&broker, path), parameter);
    assert_eq!(get(&broker, "/api/vhost-limits/%2F")[0]["value"], limits);
    conversation(&broker, &[("DELETE", path, none, 204, Value::Null)]);
    assert_eq!(get(&broker, "/api/vhost-limits"), json!([]));
}
