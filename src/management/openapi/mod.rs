//! `GET /api/openapi.json`: the API as an OpenAPI 3.0 document.
//!
//! Paths are those of the router itself ([`Routes`]), and a path's methods are what the router says
//! to OPTIONS: the document cannot tell of what is not there, nor leave out what is. What bodies look
//! like is in [`bodies`], and what answers do in [`answers`].

mod answers;
mod bodies;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use tower_service::Service;

use super::api::{Api, RABBITMQ_VERSION};
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new().route("/openapi.json", get(document))
}

async fn document(State(api): State<Arc<Api>>) -> Response {
    let made = api.openapi.get_or_init(|| async { describe(&api).await.to_string() }).await;
    ([(header::CONTENT_TYPE, "application/json")], made.clone()).into_response()
}

/// Asks the router for everything that it has.
async fn describe(api: &Arc<Api>) -> Value {
    let (router, all) = super::api_routes().into_parts();
    let router: Router = router.with_state(Arc::clone(api));
    let mut paths = Map::new();
    for path in all {
        let mut operations = Map::new();
        for method in methods(router.clone(), path).await {
            operations.insert(method.to_lowercase(), operation(path, &method));
        }
        paths.insert(path.to_owned(), Value::Object(operations));
    }
    let mut schemas = answers::sorts();
    schemas.insert("Problem".into(), answers::object("error!:text reason!:any"));
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Warren management API",
            "description": "RabbitMQ's management HTTP API, and what Warren adds to it.",
            "version": env!("CARGO_PKG_VERSION"),
            "x-rabbitmq-version": RABBITMQ_VERSION,
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": format!("{}/api", api.config().path_prefix.trim_end_matches('/'))}],
        "security": [{"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
            "schemas": schemas,
        },
    })
}

/// What a path answers to, by what it says to a method that it does not know.
async fn methods(mut router: Router, path: &str) -> Vec<String> {
    let concrete = path.replace(['{', '}'], "");
    let request = Request::builder().method(Method::OPTIONS).uri(concrete).body(Body::empty());
    let Ok(request) = request else { return Vec::new() };
    let answered = router.call(request).await;
    let allowed = answered.ok().and_then(|answer| answer.headers().get(header::ALLOW).cloned());
    let allowed = allowed.as_ref().and_then(|allowed| allowed.to_str().ok()).unwrap_or_default();
    // HEAD comes with GET and needs no words.
    let methods = allowed.split(',').map(str::trim).filter(|m| !m.is_empty() && *m != "HEAD");
    methods.map(str::to_owned).collect()
}

fn operation(path: &str, method: &str) -> Value {
    let mut parameters = names_in(path);
    match bodies::query(method, path) {
        Some(query) => parameters.extend(query),
        None if method == "GET" && !path.ends_with('}') => parameters.extend(list_parameters()),
        None => {}
    }
    let mut operation = json!({
        "operationId": id(path, method),
        "tags": [path.split('/').nth(1).unwrap_or_default()],
        "parameters": parameters,
        "responses": responses(method, path),
    });
    if let Some(schema) = bodies::of(method, path) {
        let content = json!({"application/json": {"schema": schema}});
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

/// A name for programs: `put_queues_vhost_name`.
fn id(path: &str, method: &str) -> String {
    let words = path.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    format!("{}_{}", method.to_lowercase(), words.join("_"))
}

/// The names that stand in a path.
fn names_in(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        json!({
            "name": name, "in": "path", "required": true,
            "schema": {"type": "string", "minLength": 1},
        })
    };
    names.map(parameter).collect()
}

/// What every list can be asked with.
fn list_parameters() -> Vec<Value> {
    let number = json!({"type": "integer"});
    let text = json!({"type": "string"});
    let flag = json!({"type": "boolean"});
    let all = [
        ("page", &number),
        ("page_size", &number),
        ("pagination", &flag),
        ("name", &text),
        ("use_regex", &flag),
        ("sort", &text),
        ("sort_reverse", &flag),
        ("columns", &text),
    ];
    let parameter =
        |(name, schema): (&str, &Value)| json!({"name": name, "in": "query", "schema": schema});
    all.map(parameter).to_vec()
}

fn responses(method: &str, path: &str) -> Value {
    let problem = |description: &str| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        json!({"description": description, "content": {"application/json": {"schema": schema}}})
    };
    let said = |description: &str| json!({"description": description});
    let mut all = json!({
        "400": problem("Something in the request is wrong."),
        "401": problem("Unknown, or not allowed to."),
        "404": problem("There is no such thing."),
        "405": said("Not with this method."),
        "406": said("Only JSON is spoken."),
    });
    match method {
        "PUT" => {
            all["201"] = said("Made.");
            all["204"] = said("It was there, and is now like this.");
        }
        "DELETE" => {
            all["204"] = said("Gone.");
            all["412"] = problem("It is protected.");
        }
        _ => {
            all["200"] = json!({
                "description": "The answer.",
                "content": {"application/json": {"schema": answers::of(method, path).unwrap_or_else(|| json!({}))}},
            });
            all["201"] = said("Made.");
            all["204"] = said("Done.");
            all["503"] = problem("The check fails.");
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paths_names_become_parameters() {
        let names = names_in("/queues/{vhost}/{name}/get");
        assert_eq!((&names[0]["name"], &names[1]["name"]), (&json!("vhost"), &json!("name")));
        assert_eq!(id("/queues/{vhost}/{name}", "PUT"), "put_queues_vhost_name");
    }

    /// A body that is described is one of a route that there is.
    #[test]
    fn bodies_are_of_routes() {
        let (_, paths) = super::super::api_routes().into_parts();
        for (_, path) in bodies::described() {
            assert!(paths.contains(&path), "{path} is no route");
        }
    }
}
