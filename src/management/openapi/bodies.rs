//! What the bodies of requests look like: a line for each, `key` or `key!` (mandatory) with its type.

use serde_json::{Map, Value, json};

/// Method, path, fields.
const BODIES: &[(&str, &str, &str)] = &[
    ("PUT", "/queues/{vhost}/{name}", "durable:flag auto_delete:flag arguments:table node:text"),
    (
        "POST",
        "/queues/{vhost}/{name}/get",
        "count!:number ackmode!:ackmode encoding!:encoding truncate:number",
    ),
    ("POST", "/queues/{vhost}/{name}/actions", "action!:text"),
    (
        "PUT",
        "/exchanges/{vhost}/{name}",
        "type:text durable:flag auto_delete:flag internal:flag arguments:table",
    ),
    (
        "POST",
        "/exchanges/{vhost}/{name}/publish",
        "properties!:table routing_key!:text payload!:text payload_encoding!:text",
    ),
    (
        "POST",
        "/bindings/{vhost}/e/{source}/{kind}/{destination}",
        "routing_key:text arguments:table",
    ),
    (
        "PUT",
        "/vhosts/{vhost}",
        "description:text tags:text default_queue_type:text tracing:flag protected_from_deletion:flag",
    ),
    ("PUT", "/users/{name}", "password:text password_hash:text hashing_algorithm:text tags!:text"),
    ("POST", "/users/bulk-delete", "users!:names"),
    ("PUT", "/permissions/{vhost}/{user}", "configure!:text write!:text read!:text"),
    ("PUT", "/topic-permissions/{vhost}/{user}", "exchange!:text write!:text read!:text"),
    (
        "PUT",
        "/policies/{vhost}/{name}",
        "pattern!:text definition!:table priority:number apply-to:text",
    ),
    (
        "PUT",
        "/operator-policies/{vhost}/{name}",
        "pattern!:text definition!:table priority:number apply-to:text",
    ),
    ("PUT", "/parameters/{component}/{vhost}/{name}", "value!:any"),
    ("PUT", "/global-parameters/{name}", "value!:any"),
    ("PUT", "/cluster-name", "name!:text"),
    ("PUT", "/vhost-limits/{vhost}/{name}", "value!:number"),
    ("PUT", "/user-limits/{user}/{name}", "value!:number"),
    ("PUT", "/nodes/{name}/log-level", "level!:text"),
    ("POST", "/definitions", DEFINITIONS),
    ("POST", "/all-configuration", DEFINITIONS),
    ("POST", "/definitions/{vhost}", DEFINITIONS),
];

const DEFINITIONS: &str = "users:objects vhosts:objects permissions:objects topic_permissions:objects \
                           parameters:objects global_parameters:objects policies:objects \
                           queues:objects exchanges:objects bindings:objects";

/// What the body of a request looks like, if it has one.
pub(super) fn of(method: &str, path: &str) -> Option<Value> {
    let (.., fields) = BODIES.iter().find(|(m, p, _)| *m == method && *p == path)?;
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in fields.split_whitespace() {
        let (name, kind) = field.split_once(':').unwrap_or((field, "any"));
        let plain = name.trim_end_matches('!');
        if plain != name {
            required.push(plain);
        }
        properties.insert(plain.to_owned(), schema(kind));
    }
    let mut body = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        body["required"] = json!(required);
    }
    Some(body)
}

/// The requests whose bodies are described.
#[cfg(test)]
pub(super) fn described() -> impl Iterator<Item = (&'static str, &'static str)> {
    BODIES.iter().map(|(method, path, _)| (*method, *path))
}

fn schema(kind: &str) -> Value {
    match kind {
        "flag" => json!({"type": "boolean"}),
        "number" => json!({"type": "integer"}),
        "text" => json!({"type": "string"}),
        "table" => json!({"type": "object"}),
        "names" => json!({"type": "array", "items": {"type": "string"}}),
        "objects" => json!({"type": "array", "items": {"type": "object"}}),
        "encoding" => json!({"type": "string", "enum": ["auto", "base64"]}),
        "ackmode" => json!({
            "type": "string",
            "enum": [
                "ack_requeue_true", "ack_requeue_false", "reject_requeue_true",
                "reject_requeue_false",
            ],
        }),
        _ => json!({}),
    }
}
