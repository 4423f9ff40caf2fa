//! Requests to the management API.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::Request;

use super::failure::{Exit, Failure};

/// Seconds that a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What may stand in a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Somebody's access to a broker's API.
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
    authorization: String,
}

/// A path below `/api` from its parts, each encoded.
pub(super) fn path(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("/{}", utf8_percent_encode(part, PLAIN))).collect()
}

impl Client {
    pub(super) fn new(base: &str, user: &str, password: &str, timeout: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .timeout_connect(Some(CONNECT))
            .build()
            .into();
        let authorization = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        Self { agent, base: base.trim_end_matches('/').to_owned(), authorization }
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send("GET", path, None)
    }

    pub(super) fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send("PUT", path, Some(body))
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send("POST", path, Some(body))
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.send("DELETE", path, None)
    }

    /// Whether something is there.
    pub(super) fn exists(&self, path: &str) -> Result<bool, Failure> {
        match self.get(path) {
            Ok(_) => Ok(true),
            Err(failure) if failure.status == Some(404) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Deletes something for a reason that its client is told.
    pub(super) fn delete_because(&self, path: &str, reason: &str) -> Result<Value, Failure> {
        self.ask("DELETE", path, None, &[("x-reason", reason)])
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.ask(method, path, body, &[])
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/api{path}", self.base))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request =
            request.body(body).map_err(|why| Failure::usage(format!("{}: {why}", self.base)))?;
        let mut answer = self.agent.run(request).map_err(|why| self.no_answer(&why))?;
        let body = answer.body_mut().read_to_vec().map_err(|why| self.no_answer(&why))?;
        let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let status = answer.status();
        if status.is_success() { Ok(value) } else { Err(refusal(status.as_u16(), &value)) }
    }

    fn no_answer(&self, why: &ureq::Error) -> Failure {
        if let ureq::Error::Timeout(_) = why {
            return Failure::new(Exit::TemporaryFailure, format!("{}: {why}", self.base));
        }
        Failure::unavailable(format!(
            "unable to perform an operation on the node at {}: {why}. Is the broker running?",
            self.base
        ))
    }
}

/// What a refusal means.
fn refusal(status: u16, body: &Value) -> Failure {
    let reason = match &body["reason"] {
        Value::String(reason) => reason.clone(),
        Value::Null => format!("the broker answered with status {status}"),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    };
    let exit = match status {
        401 | 403 => Exit::Unavailable,
        400 | 404 | 405 | 412 => Exit::Data,
        503 => Exit::Unavailable,
        _ => Exit::Software,
    };
    Failure { exit, text: reason, status: Some(status) }
}
