//! The OpenAPI document says what the routes do.

use serde_json::{Value, json};

use crate::http::{ask, get, send};
use crate::support::TestBroker;

#[test]
fn the_document_tells_the_truth() {
    let broker = TestBroker::start();
    let document = get(&broker, "/api/openapi.json");
    assert_eq!(document["openapi"], "3.0.3");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 80, "{}", paths.len());
    for (path, operations) in paths {
        let operations = operations.as_object().expect("operations");
        assert!(!operations.is_empty(), "{path} answers to nothing");
        // What OPTIONS says is what there is.
        let concrete = format!("/api{}", path.replace(['{', '}'], ""));
        let answer = ask(&broker, "OPTIONS", &concrete, None);
        assert_eq!(answer.status, 200, "{path}");
        let allowed = answer.header("allow").expect("allow").to_lowercase();
        for method in ["get", "put", "post", "delete", "patch"] {
            let said = operations.contains_key(method);
            let is = allowed.split(',').any(|each| each.trim() == method);
            assert_eq!(said, is, "{method} {path}: {allowed}");
        }
    }
    let put = &paths["/queues/{vhost}/{name}"]["put"];
    assert_eq!(put["parameters"][0]["name"], "vhost");
    let body = &put["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["properties"]["durable"]["type"], "boolean");
}

/// It needs no login, so that tools can read it first.
#[test]
fn anybody_may_read_it() {
    let broker = TestBroker::start();
    let stranger = [("Authorization", "Basic bm9ib2R5Om5vYm9keQ==")];
    let answer = send(&broker, "GET", "/api/openapi.json", &stranger, b"");
    assert_eq!(answer.status, 200);
    let document: Value = answer.json();
    assert!(document["paths"]["/overview"]["get"].is_object());
}

/// What of a value is not as a schema says.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        return faults(document, &document["components"]["schemas"][name], value, at);
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().flat_map(|each| faults(document, each, value, at)).collect();
    }
    if let Some(one) = schema["oneOf"].as_array() {
        let each: Vec<_> = one.iter().map(|each| faults(document, each, value, at)).collect();
        let fits = each.iter().filter(|faults| faults.is_empty()).count();
        return if fits == 1 { Vec::new() } else { each.concat() };
    }
    if value.is_null() && schema["nullable"] == true {
        return Vec::new();
    }
    let is = match schema["type"].as_str() {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some(_) => value.is_number(),
    };
    if !is {
        return vec![format!("{at}: {value} is no {}", schema["type"])];
    }
    let mut wrong = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            wrong.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            wrong.extend(faults(document, schema, value, &format!("{at}.{name}")));
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        wrong.extend(faults(document, &schema["items"], item, &format!("{at}[]")));
    }
    wrong
}

/// Whatever is there, it looks as the document says.
#[test]
fn answers_are_as_described() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.publish_numbers("q", 0..5);
    client.prefetch(1, 2, false);
    client.consume("q");
    client.deliveries(2);
    for (path, body) in [
        (
            "/api/exchanges/%2F/later",
            json!({"type": "x-delayed-message", "arguments": {"x-delayed-type": "direct"}}),
        ),
        ("/api/policies/%2F/p", json!({"pattern": "^none$", "definition": {"max-length": 5}})),
        (
            "/api/operator-policies/%2F/o",
            json!({"pattern": "^none$", "definition": {"max-length": 5}}),
        ),
        ("/api/vhost-limits/%2F/max-queues", json!({"value": 100})),
        ("/api/user-limits/guest/max-channels", json!({"value": 100})),
        (
            "/api/topic-permissions/%2F/guest",
            json!({"exchange": "amq.topic", "write": "", "read": ""}),
        ),
        ("/api/global-parameters/g", json!({"value": 1})),
    ] {
        let status = ask(&broker, "PUT", path, Some(&body)).status;
        assert!(status == 201 || status == 204, "{path}: {status}");
    }
    let publish = json!({
        "properties": {"headers": {"x-delay": 100_000}}, "routing_key": "q", "payload": "later",
        "payload_encoding": "string",
    });
    let document = get(&broker, "/api/openapi.json");
    let answers = [
        ("POST", "/exchanges/{vhost}/{name}/publish", "/exchanges/%2F/later/publish", publish),
        (
            "POST",
            "/queues/{vhost}/{name}/get",
            "/queues/%2F/q/get",
            json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}),
        ),
        (
            "POST",
            "/queues/{vhost}/{name}/move",
            "/queues/%2F/q/move",
            json!({"destination": {"queue": "q"}, "count": 1}),
        ),
    ];
    let check = |method: &str, path: &str, said: &Value| {
        let operation = &document["paths"][path][method.to_lowercase()];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert_ne!(schema, &json!({}), "{path} is described");
        assert_eq!(faults(&document, schema, said, path), Vec::<String>::new());
    };
    for (method, path, concrete, body) in answers {
        let answer = ask(&broker, method, &format!("/api{concrete}"), Some(&body));
        assert_eq!(answer.status, 200, "{path}");
        check(method, path, &answer.json());
    }
    let channels = get(&broker, "/api/channels");
    let name = channels[0]["name"].as_str().expect("a channel").replace(' ', "%20");
    let channel = name.replace('>', "%3E");
    let connection = channel.trim_end_matches("%20(1)");
    let node = get(&broker, "/api/overview")["node"].as_str().expect("a name").to_owned();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let schema =
            &operations["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        if schema.as_object().is_none_or(serde_json::Map::is_empty) {
            continue;
        }
        let name = match path.split('/').nth(1).expect("a first word") {
            "exchanges" => "later",
            "policies" => "p",
            "operator-policies" => "o",
            "connections" => connection,
            "channels" => &channel,
            "nodes" => &node,
            "users" => "guest",
            "global-parameters" => "g",
            "parameters" => continue,
            _ => "q",
        };
        if path.ends_with("{props}") {
            continue;
        }
        let concrete = path
            .replace("{vhost}", "%2F")
            .replace("{user}", "guest")
            .replace("{name}", name)
            .replace("{source}", "amq.default")
            .replace("{kind}", "q")
            .replace("{destination}", "q");
        check("GET", path, &get(&broker, &format!("/api{concrete}")));
    }
    check("GET", "/queues", &get(&broker, "/api/queues?page=1"));
    let sampled =
        "/api/queues/%2F/q?msg_rates_age=60&msg_rates_incr=5&lengths_age=60&lengths_incr=5";
    check("GET", "/queues/{vhost}/{name}", &get(&broker, sampled));
}
