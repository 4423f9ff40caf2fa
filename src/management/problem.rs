//! Requests that are refused: RabbitMQ's status codes and bodies.

use std::fmt::Display;

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::listing::BadQuery;
use crate::protocol::fault::{Code, Fault};

/// The realm that browsers show.
const REALM: &str = "Basic realm=\"RabbitMQ Management\"";

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    error: &'static str,
    reason: Value,
    challenge: bool,
}

impl Problem {
    pub(super) fn new(status: StatusCode, error: &'static str, reason: impl Into<Value>) -> Self {
        Self { status, error, reason: reason.into(), challenge: false }
    }

    /// Why, in words.
    pub(super) fn reason(&self) -> String {
        self.reason.as_str().map_or_else(|| self.reason.to_string(), str::to_owned)
    }

    /// There is no such thing.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// Something that the request needs is not there.
    pub(super) fn missing(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    /// The request makes no sense.
    pub(super) fn bad_request(reason: impl Display) -> Self {
        Self::bad_request_value(reason.to_string())
    }

    /// The request makes no sense; RabbitMQ tells why as a term.
    pub(super) fn bad_request_value(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    /// The caller may not do that.
    pub(super) fn not_authorised(reason: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorised", reason)
    }

    /// Nobody knows who the caller is.
    pub(super) fn unknown_caller() -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "not_authorized", "Not_Authorized");
        Self { challenge: true, ..problem }
    }

    /// A publish that AMQP refuses: the reply code stands before the text.
    pub(super) fn of_publish(fault: &Fault) -> Self {
        Self::bad_request(format_args!("{} {fault}", fault.code.number()))
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault.code {
            Code::NotFound => Self::missing(&fault.explanation),
            Code::AccessRefused | Code::NotAllowed => Self::not_authorised("Access refused."),
            Code::NoRoute
            | Code::ConnectionForced
            | Code::ResourceLocked
            | Code::PreconditionFailed
            | Code::FrameError
            | Code::SyntaxError
            | Code::CommandInvalid
            | Code::ChannelError
            | Code::UnexpectedFrame
            | Code::ResourceError
            | Code::NotImplemented
            | Code::InternalError => Self::bad_request(fault.explanation),
        }
    }
}

impl From<BadQuery> for Problem {
    fn from(bad: BadQuery) -> Self {
        let error = match bad {
            BadQuery::NotNumbers => "bad_request",
            BadQuery::OutOfBounds { .. } => "invalid_pagination_parameters",
            BadQuery::NoSuchPage { .. } => "page_out_of_range",
        };
        Self::new(StatusCode::BAD_REQUEST, error, bad.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": self.error, "reason": self.reason}));
        let challenge = self.challenge.then_some([(header::WWW_AUTHENTICATE, REALM)]);
        let headers: [(HeaderName, &str); 0] = [];
        match challenge {
            Some(challenge) => (self.status, challenge, body).into_response(),
            None => (self.status, headers, body).into_response(),
        }
    }
}
