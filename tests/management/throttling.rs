//! How fast users and vhosts may publish: set over HTTP, felt by the socket that is too fast, and by
//! nobody else. Nothing is refused or lost.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::{ask, get};
use crate::support::{Login, TestBroker};

const VHOST: &str = "/api/vhost-limits/%2F";
const USER: &str = "/api/user-limits/guest";

fn limit(broker: &TestBroker, of: &str, name: &str, value: i64) {
    let path = format!("{of}/{name}");
    let status = ask(broker, "PUT", &path, Some(&json!({"value": value}))).status;
    assert_eq!(status, 204, "{path}");
}

#[test]
fn whoever_publishes_too_fast_is_not_read_for_a_while() {
    let broker = TestBroker::start();
    limit(&broker, VHOST, "max-messages-per-second", 100);
    limit(&broker, USER, "max-bytes-per-second", 1_000_000_000);
    let listed = json!([{"vhost": "/", "value": {"max-messages-per-second": 100}}]);
    assert_eq!(get(&broker, "/api/vhost-limits"), listed);
    let listed = json!([{"user": "guest", "value": {"max-bytes-per-second": 1_000_000_000}}]);
    assert_eq!(get(&broker, "/api/user-limits/guest"), listed);
    let mut publisher = broker.client();
    publisher.declare("q");
    let begun = Instant::now();
    publisher.publish_numbers("q", 0..180);
    // What is read at once is taken at once: the first of these may be, the second is not.
    publisher.sync();
    publisher.sync();
    // A second's worth is there at first.
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
    assert_eq!(broker.counts("q").ready, 180);
}

#[test]
fn a_lifted_limit_lets_go_and_others_never_waited() {
    let broker = TestBroker::start();
    let other = json!({"password": "pass", "tags": ""});
    assert_eq!(ask(&broker, "PUT", "/api/users/other", Some(&other)).status, 201);
    let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
    assert_eq!(ask(&broker, "PUT", "/api/permissions/%2F/other", Some(&all)).status, 201);
    limit(&broker, USER, "max-messages-per-second", 1);
    let mut publisher = broker.client();
    publisher.declare("q");
    publisher.publish_numbers("q", 0..1000);
    // It will not be heard before about a quarter of an hour has passed.
    publisher.hears_nothing();
    let mut other =
        broker.connect(&Login { response: b"\0other\0pass".to_vec(), ..Login::default() });
    other.open_channel(1);
    other.publish_numbers("q", 0..500);
    other.sync();
    let connections = get(&broker, "/api/connections?columns=user,state");
    let state = |user: &str| {
        let mut all = connections.as_array().expect("a list").iter();
        all.find(|each| each["user"] == user).map(|each| each["state"].clone())
    };
    assert_eq!((state("guest"), state("other")), (Some(json!("flow")), Some(json!("running"))));
    let cleared = ask(&broker, "DELETE", &format!("{USER}/max-messages-per-second"), None);
    assert_eq!(cleared.status, 204);
    publisher.sync();
    assert_eq!(broker.counts("q").ready, 1500);
}
