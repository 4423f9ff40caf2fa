//! What the bodies of requests look like: a line for each, `key` or `key!` (mandatory) with its type.

use serde_json::{Value, json};

use super::answers::object;

/// Method, path, fields.
const BODIES: &[(&str, &str, &str)] = &[
    ("PUT", "/queues/{vhost}/{name}", "durable:flag auto_delete:flag arguments:table node:text"),
    (
        "POST",
        "/queues/{vhost}/{name}/get",
        "count!:number ackmode!:ackmode encoding!:encoding truncate:number",
    ),
    ("POST", "/queues/{vhost}/{name}/actions", "action!:text"),
    ("POST", "/queues/{vhost}/{name}/move", "destination!:destination filter:text count:number"),
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
    ("PUT", "/nodes/{name}/memory-watermark", "absolute:number relative:real"),
    ("PUT", "/nodes/{name}/disk-free-limit", "absolute:number mem_relative:real"),
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
    Some(object(fields))
}

/// What a request may be asked with besides: method, path, parameters of the query.
const QUERIES: &[(&str, &str, &str)] = &[
    ("GET", "/queues/{vhost}/{name}", AGES),
    ("GET", "/exchanges/{vhost}/{name}", AGES),
    ("GET", "/channels/{name}", AGES),
    ("GET", "/connections/{name}", AGES),
    ("GET", "/vhosts/{vhost}", AGES),
    ("GET", "/overview", AGES),
    ("DELETE", "/queues/{vhost}/{name}", "if-unused:flag if-empty:flag"),
    ("DELETE", "/exchanges/{vhost}/{name}", "if-unused:flag"),
    (
        "GET",
        "/queues/{vhost}/{name}/peek",
        "offset:number count:number filter:text truncate:number encoding:encoding",
    ),
    (
        "GET",
        "/exchanges/{vhost}/{name}/scheduled",
        "after:text count:number truncate:number encoding:encoding",
    ),
    ("GET", "/logs", "lines:number level:level"),
    ("GET", "/logs/stream", "lines:number level:level"),
];

/// For how long samples are wanted, and how far apart, in seconds.
const AGES: &str = "msg_rates_age:number msg_rates_incr:number lengths_age:number \
                    lengths_incr:number data_rates_age:number data_rates_incr:number \
                    columns:text disable_stats:flag";

/// The parameters of a request's query, if they are its own.
pub(super) fn query(method: &str, path: &str) -> Option<Vec<Value>> {
    let (.., fields) = QUERIES.iter().find(|(m, p, _)| *m == method && *p == path)?;
    let parameter = |field: &str| {
        let (name, kind) = field.split_once(':').unwrap_or((field, "any"));
        json!({"name": name, "in": "query", "schema": schema(kind)})
    };
    Some(fields.split_whitespace().map(parameter).collect())
}

/// The requests whose bodies are described.
#[cfg(test)]
pub(super) fn described() -> impl Iterator<Item = (&'static str, &'static str)> {
    BODIES.iter().chain(QUERIES).map(|(method, path, _)| (*method, *path))
}

pub(super) fn schema(kind: &str) -> Value {
    match kind {
        "real" => json!({"type": "number"}),
        "level" => json!({"type": "string", "enum": ["error", "warn", "info", "debug", "trace"]}),
        "destination" => json!({"oneOf": [
            {"type": "string", "enum": ["origin"]},
            object("queue!:text"),
            object("exchange!:text routing_key:text"),
        ]}),
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
