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
