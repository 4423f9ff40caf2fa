//! The OpenAPI document says what the routes do.

use serde_json::Value;

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
