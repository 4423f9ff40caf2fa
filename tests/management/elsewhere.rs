//! Callers of the API whom others know: by a token, or by a server that is asked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use warren::config::{BackendChoice, BackendKind};

use crate::http::{Answer, send};
use crate::support::token::{Signer, key_set};
use crate::support::{Elsewhere, TestBroker};

fn by(broker: &TestBroker, authorization: &str, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(broker, method, path, &[("Authorization", authorization)], body.as_bytes())
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn a_bearer_is_who_the_token_says() {
    let signer = Signer::new("one");
    let set = key_set(&[&signer]);
    let keys = Elsewhere::answering(move |_| (200, set.clone()));
    let broker = TestBroker::with(|config| {
        config.auth.backends =
            [BackendKind::Internal, BackendKind::OAuth2].map(BackendChoice::both).into();
        config.auth.oauth2.resource_server_id = "rabbitmq".into();
        config.auth.oauth2.jwks_url = keys.url("/keys");
    });
    assert_eq!(crate::http::ask(&broker, "PUT", "/api/vhosts/other", None).status, 201);
    let bearer = |scope: &str| format!("Bearer {}", signer.token(60, scope));
    let administrator = bearer("rabbitmq.tag:administrator rabbitmq.configure:*/*");
    let answer = by(&broker, &administrator, "GET", "/api/whoami", &Value::Null);
    let expected = json!({"name": "anna", "tags": ["administrator"], "is_internal_user": false});
    assert_eq!((answer.status, answer.json()), (200, expected));
    let queue = "/api/queues/%2F/q";
    assert_eq!(by(&broker, &administrator, "PUT", queue, &json!({})).status, 201);
    // Somebody with few scopes sees and does little.
    let manager = bearer("rabbitmq.tag:management rabbitmq.read:%2F/*");
    let vhosts = by(&broker, &manager, "GET", "/api/vhosts", &Value::Null).json();
    let names: Vec<&Value> =
        vhosts.as_array().expect("a list").iter().map(|v| &v["name"]).collect();
    assert_eq!(names, ["/"]);
    assert_eq!(by(&broker, &manager, "GET", queue, &Value::Null).status, 200);
    assert_eq!(by(&broker, &manager, "DELETE", queue, &Value::Null).status, 401);
    let elsewhere = "/api/queues/other";
    assert_eq!(by(&broker, &manager, "GET", elsewhere, &Value::Null).status, 401);
    let publish = json!({
        "routing_key": "q", "properties": {}, "payload": "x", "payload_encoding": "string",
    });
    let path = "/api/exchanges/%2F/amq.default/publish";
    let answer = by(&broker, &manager, "POST", path, &publish);
    assert_eq!(answer.status, 401, "{answer:?}");
    let writer = bearer("rabbitmq.tag:management rabbitmq.write:%2F/amq.default");
    let answer = by(&broker, &writer, "POST", path, &publish);
    assert_eq!((answer.status, answer.json()), (200, json!({"routed": true})));
    // A token without tags, one that is none, and one of somebody else's.
    for bad in [
        bearer("rabbitmq.read:*/*"),
        "Bearer nothing".into(),
        format!("Bearer {}", Signer::new("one").token(60, "rabbitmq.tag:administrator")),
        basic("anna", "guest"),
    ] {
        assert_eq!(by(&broker, &bad, "GET", "/api/whoami", &Value::Null).status, 401, "{bad}");
    }
    // The token may also be a password, and the accounts are still there.
    let as_password = basic("", &signer.token(60, "rabbitmq.tag:monitoring"));
    assert_eq!(by(&broker, &as_password, "GET", "/api/overview", &Value::Null).status, 200);
    assert_eq!(crate::http::ask(&broker, "GET", "/api/whoami", None).status, 200);
}

#[test]
fn a_server_is_asked_about_callers_too() {
    let server = Elsewhere::answering(|asked| {
        let answer = match (asked.path.as_str(), asked.parameter("username")) {
            ("/user", "anna") if asked.parameter("password") == "secret" => "allow management",
            ("/user", "otto") => "allow",
            ("/vhost", "anna") if asked.parameter("vhost") == "/" => "allow",
            ("/resource", "anna") if asked.parameter("name") != "not mine" => "allow",
            _ => "deny",
        };
        (200, answer.into())
    });
    let broker = TestBroker::with(|config| {
        config.auth.backends =
            [BackendKind::Internal, BackendKind::Http].map(BackendChoice::both).into();
        config.auth.http.user_path = server.url("/user");
        config.auth.http.vhost_path = server.url("/vhost");
        config.auth.http.resource_path = server.url("/resource");
        config.auth.http.topic_path = server.url("/topic");
    });
    assert_eq!(crate::http::ask(&broker, "PUT", "/api/vhosts/other", None).status, 201);
    let anna = basic("anna", "secret");
    let vhosts = by(&broker, &anna, "GET", "/api/vhosts", &Value::Null).json();
    assert_eq!(vhosts.as_array().expect("a list").len(), 1);
    let put =
        |name: &str| by(&broker, &anna, "PUT", &format!("/api/queues/%2F/{name}"), &json!({}));
    assert_eq!(put("mine").status, 201);
    assert_eq!(put("not%20mine").status, 401);
    assert_eq!(by(&broker, &anna, "PUT", "/api/queues/other/mine", &json!({})).status, 401);
    let publish = json!({
        "routing_key": "mine", "properties": {}, "payload": "x", "payload_encoding": "string",
    });
    let path = "/api/exchanges/%2F/amq.default/publish";
    let answer = by(&broker, &anna, "POST", path, &publish);
    assert_eq!((answer.status, answer.json()), (200, json!({"routed": true})));
    // A topic exchange asks about the key as well, which this server does not know.
    let path = "/api/exchanges/%2F/amq.topic/publish";
    let answer = by(&broker, &anna, "POST", path, &publish);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.json()["reason"].as_str().expect("text").contains("access to topic 'mine'"));
    for (user, password) in [("anna", "wrong"), ("otto", "secret"), ("emil", "secret")] {
        let answer = by(&broker, &basic(user, password), "GET", "/api/whoami", &Value::Null);
        assert_eq!(answer.status, 401, "{user}");
    }
}
