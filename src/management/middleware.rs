//! What happens to every request and every answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;

use super::api::Api;
use super::problem::Problem;

/// What browsers take who follow something, such as the log.
const EVENTS: &str = "text/event-stream";

/// The routes with everything around them.
pub(super) fn around(routes: Router<Arc<Api>>, api: &Arc<Api>) -> Router<Arc<Api>> {
    let prefix = api.config().path_prefix.trim_end_matches('/');
    let routes = if prefix.is_empty() { routes } else { Router::new().nest(prefix, routes) };
    routes.fallback(async || Problem::not_found()).layer(CompressionLayer::new())
}

/// The path had a slash at its end, which is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndedInSlash;

/// Makes a path what the routes expect: no slash at its end, and no percent sign that stands for
/// nothing (which is refused). Whoever asks the API and does not take JSON is refused as well.
pub(super) fn normalise(request: &mut Request) -> Option<Response> {
    let path = request.uri().path();
    if path.split('/').any(|part| part == "api") && !takes_json(request.headers()) {
        return Some(StatusCode::NOT_ACCEPTABLE.into_response());
    }
    if !is_well_encoded(path) {
        return Some(Problem::bad_request("malformed percent-encoding").into_response());
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() < path.len() && !trimmed.is_empty() {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(uri) = format!("{trimmed}{query}").parse::<Uri>() {
            *request.uri_mut() = uri;
            request.extensions_mut().insert(EndedInSlash);
        }
    }
    None
}

fn is_well_encoded(path: &str) -> bool {
    let bytes = path.as_bytes();
    let whole = |at: usize| {
        bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    (0..bytes.len()).all(|at| bytes[at] != b'%' || whole(at))
        && percent_encoding::percent_decode_str(path).decode_utf8().is_ok()
}

/// What an answer needs to know of its request.
pub(super) struct Asked {
    is_options: bool,
    origin: Option<HeaderValue>,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            is_options: request.method() == Method::OPTIONS,
            origin: request.headers().get(header::ORIGIN).cloned(),
        }
    }

    /// Completes an answer.
    pub(super) fn finish(self, api: &Api, mut answer: Response) -> Response {
        if let Some(allowed) = answer.headers_mut().remove(header::ALLOW) {
            let allowed = format!("{},OPTIONS", allowed.to_str().unwrap_or_default());
            if let Ok(allowed) = HeaderValue::from_str(&allowed) {
                answer.headers_mut().insert(header::ALLOW, allowed);
            }
            if self.is_options {
                *answer.status_mut() = StatusCode::OK;
            }
        }
        let headers = answer.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding, origin"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(origin) = self.origin.filter(|origin| is_allowed(api, origin)) {
            share(headers, origin, api.config().cors_max_age);
        }
        answer
    }
}

fn takes_json(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().peekable();
    let takes = |value: &HeaderValue| {
        let Ok(value) = value.to_str() else { return false };
        value.split(',').any(|range| {
            let media = range.split(';').next().unwrap_or_default().trim();
            matches!(media, "*/*" | "application/*" | "application/json" | EVENTS | "")
        })
    };
    accepted.peek().is_none() || accepted.any(takes)
}

/// Whether pages of this origin may call (`http.cors_allow_origins`).
fn is_allowed(api: &Api, origin: &HeaderValue) -> bool {
    let allowed = &api.config().cors_allow_origins;
    allowed.iter().any(|each| each == "*" || each.as_bytes() == origin.as_bytes())
}

fn share(headers: &mut HeaderMap, origin: HeaderValue, max_age: u64) {
    let say = |headers: &mut HeaderMap, name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    say(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    say(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, "location");
    say(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type");
    say(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "HEAD, GET, POST, PUT, DELETE, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, max_age.into());
}
