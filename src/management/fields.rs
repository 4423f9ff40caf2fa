//! What a request brings: names in its path, its query, and a body of JSON that RabbitMQ's
//! clients write with more liberty than JSON's types allow.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::api::Api;
use super::listing::ListQuery;
use super::problem::Problem;
use super::tables;
use crate::wire::table::Table;

/// The names in a path, decoded.
pub(super) struct Named<T>(pub(super) T);

/// What a list is asked for with.
pub(super) struct Query(pub(super) ListQuery);

/// Flags in a query, such as `if-unused=true`.
pub(super) struct Flags(Vec<(String, String)>);

/// The JSON object of a body.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Api>> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let names = Path::<T>::from_request_parts(parts, api).await;
        names.map(|Path(names)| Self(names)).map_err(|bad| Problem::bad_request(bad.body_text()))
    }
}

impl FromRequestParts<Arc<Api>> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        Ok(Self(ListQuery::parse(parts.uri.query().unwrap_or(""))?))
    }
}

impl FromRequestParts<Arc<Api>> for Flags {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or("");
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Flags {
    /// Whether a flag is set.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// What a parameter says.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Arc<Api>> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        Self::parse(&read(request.into_body(), api).await?)
    }
}

/// Reads a body that is neither too long nor too slow.
async fn read(body: Body, api: &Api) -> Result<Bytes, Problem> {
    let most = api.config().max_body_size;
    let patience = Duration::from_secs(api.config().timeout);
    match timeout(patience, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Problem::bad_request(format_args!(
            "Exceeded HTTP request body size limit of {most} bytes"
        ))),
        Err(_) => Err(Problem::bad_request("the request body did not come in time")),
    }
}

impl Fields {
    /// The fields of an object within a body.
    pub(super) fn of(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Reads a body. Nothing, `null` and `undefined` mean an empty object, as in RabbitMQ.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        if matches!(body.trim_ascii(), b"" | b"null" | b"undefined") {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(Value::String(_)) => Err(Problem::bad_request(
                "invalid payload: the request body JSON-decoded to a string. Is the input \
                 doubly-JSON-encoded?",
            )),
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | Err(_) => {
                Err(Problem::bad_request("not_json"))
            }
        }
    }

    /// All of them.
    pub(super) fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A field as a number, if it is one, also one that is written as a text.
    pub(super) fn number(&self, name: &str) -> Value {
        let value = self.get(name).cloned().unwrap_or_default();
        let number = value.as_str().and_then(|text| text.trim().parse::<i64>().ok());
        number.map_or(value, Value::from)
    }

    /// A field, unless it is missing.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Refuses a body that lacks one of these fields.
    pub(super) fn must_have(&self, names: &[&str]) -> Result<(), Problem> {
        let missing: Vec<String> = names
            .iter()
            .filter(|name| !self.0.contains_key(**name))
            .map(|name| format!("{{key_missing,{name}}}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Problem::bad_request(format_args!("[{}]", missing.join(","))))
    }

    /// A text; numbers and truth values are taken as they are written.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(other.to_string())),
            Some(Value::Array(_) | Value::Object(_)) => {
                Err(Problem::bad_request_value(json!(["not_string", name])))
            }
        }
    }

    /// A truth value, also written as a text.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(other) => Err(Problem::bad_request_value(json!(["not_boolean", other]))),
        }
    }

    /// A whole number, also written as a text.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Problem> {
        let bad = || Problem::bad_request_value(json!(["not_int", name]));
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(bad),
            Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| bad()),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(bad()),
        }
    }

    /// A table of arguments; `[]` is an empty one.
    pub(super) fn table(&self, name: &str) -> Result<Table, Problem> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(Table::default()),
            Some(value) => tables::from_json(value),
        }
    }
}
