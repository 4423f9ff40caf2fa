//! Attempts to log in, and lists of what there is none of: compared with RabbitMQ 4.3.6.

use serde_json::{Value, json};

use crate::http::{ask, get};
use crate::support::TestBroker;

#[test]
fn attempts_are_listed_and_forgotten() {
    let broker = TestBroker::start();
    let node = get(&broker, "/api/overview")["node"].as_str().expect("a name").to_owned();
    let path = format!("/api/auth/attempts/{node}");
    assert_eq!(ask(&broker, "DELETE", &path, None).status, 204);
    let attempts = get(&broker, &path);
    let http = attempts.as_array().and_then(|all| all.iter().find(|one| one["protocol"] == "http"));
    let of_http = json!({"protocol": "http", "auth_attempts": 1, "auth_attempts_failed": 0,
        "auth_attempts_succeeded": 1});
    assert_eq!(http, Some(&of_http), "{attempts}");
    // Where they came from is not tracked unless `auth.track_attempt_source` is on.
    assert_eq!(get(&broker, &format!("{path}/source")), json!([]));
    assert_eq!(ask(&broker, "GET", "/api/auth/attempts/rabbit@nowhere", None).status, 404);
}

#[test]
fn what_there_is_none_of_is_an_empty_list() {
    let broker = TestBroker::start();
    for what in [
        "shovels",
        "federation-links",
        "stream/connections",
        "stream/publishers",
        "stream/consumers",
    ] {
        assert_eq!(get(&broker, &format!("/api/{what}")), json!([]), "{what}");
        assert_eq!(get(&broker, &format!("/api/{what}/%2F")), json!([]), "{what}");
        assert_eq!(
            ask(&broker, "GET", &format!("/api/{what}/nowhere"), None).status,
            404,
            "{what}"
        );
    }
    // Nor has a queue that is not there any bindings: tools ask before they unbind.
    assert_eq!(get(&broker, "/api/queues/%2F/nothing/bindings"), Value::Array(Vec::new()));
}
