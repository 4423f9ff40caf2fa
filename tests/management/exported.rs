//! What RabbitMQ 4.3.6 exported goes in, with its users.

use base64::Engine;
use serde_json::{Value, json};

use crate::http::{ask, send};
use crate::support::TestBroker;

const EXPORTED: &str = include_str!("exported/rabbitmq-4.3.6.json");

/// Their passwords are known here, and hashed there.
#[test]
fn its_users_can_log_in() {
    let exported: Value = serde_json::from_str(EXPORTED).expect("JSON");
    let broker = TestBroker::start();
    assert_eq!(ask(&broker, "POST", "/api/definitions", Some(&exported)).status, 204);
    for (user, password) in [("app", "app secret"), ("ops", "öps")] {
        let both = format!("{user}:{password}");
        let login = base64::engine::general_purpose::STANDARD.encode(both);
        let headers = [("Authorization", &*format!("Basic {login}"))];
        let answer = send(&broker, "GET", "/api/whoami", &headers, b"");
        assert_eq!((answer.status, &answer.json()["name"]), (200, &json!(user)));
    }
}

/// The sections of a definitions file, each sorted: their order says nothing.
fn sections(definitions: &Value) -> Vec<(&'static str, Vec<String>)> {
    let names = [
        "users",
        "vhosts",
        "permissions",
        "topic_permissions",
        "parameters",
        "global_parameters",
        "policies",
        "queues",
        "exchanges",
        "bindings",
    ];
    // RabbitMQ exports a predeclared exchange that only it has; and bindings of `inner`, which is
    // internal, without that.
    let is_odd = |row: &&Value| {
        row["name"] == "amq.rabbitmq.log"
            || [&row["source"], &row["destination"]].contains(&&json!("inner"))
    };
    let sorted = |name: &'static str| {
        let rows = definitions[name].as_array().unwrap_or_else(|| panic!("{name} are there"));
        // Maps are sorted by name when they are written.
        let mut rows: Vec<String> =
            rows.iter().filter(|row| !is_odd(row)).map(Value::to_string).collect();
        rows.sort();
        (name, rows)
    };
    names.into_iter().map(sorted).collect()
}

#[test]
fn it_comes_out_as_it_went_in() {
    let exported: Value = serde_json::from_str(EXPORTED).expect("JSON");
    let mut definitions = exported.clone();
    for round in ["RabbitMQ's", "ours"] {
        let broker = TestBroker::start();
        assert_eq!(ask(&broker, "POST", "/api/definitions", Some(&definitions)).status, 204);
        let ours = ask(&broker, "GET", "/api/definitions", None).json();
        for (before, after) in sections(&exported).iter().zip(sections(&ours)) {
            assert_eq!(*before, after, "after importing {round}");
        }
        definitions = ours;
    }
}
