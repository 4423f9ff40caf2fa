//! Who calls, and what they may see and do.
//!
//! A handler names the least that its caller must be by the extractor that it takes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::api::Api;
use super::problem::Problem;
use crate::auth::{Origin, Pattern};
use crate::names::UserName;

/// The tags of whoever may use the API at all.
const TAGS: [&str; 4] = ["administrator", "monitoring", "policymaker", "management"];

/// Somebody who has logged in and has one of the management tags.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: UserName,
    pub(super) tags: Vec<String>,
}

/// A caller who may see what the node and everybody does: `monitoring` or `administrator`.
pub(super) struct Monitor;

/// A caller who may change policies and parameters: `policymaker` or `administrator`.
pub(super) struct PolicyMaker(pub(super) Caller);

/// A caller who may do everything.
pub(super) struct Administrator(pub(super) Caller);

impl Caller {
    fn has(&self, tags: &[&str]) -> bool {
        self.tags.iter().any(|tag| tags.contains(&tag.as_str()))
    }

    /// May do everything.
    pub(super) fn is_administrator(&self) -> bool {
        self.has(&["administrator"])
    }

    /// May see what everybody does.
    pub(super) fn is_monitor(&self) -> bool {
        self.has(&["administrator", "monitoring"])
    }

    /// May change policies and parameters.
    pub(super) fn is_policymaker(&self) -> bool {
        self.has(&["administrator", "policymaker"])
    }

    /// Whether it may see a connection of this user.
    pub(super) fn sees_connection_of(&self, user: &UserName) -> bool {
        self.is_monitor() || self.user == *user
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let (user, password) = basic(&parts.headers)?;
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let Some(from) = from else { return Err(Problem::unknown_caller()) };
        let api = Arc::clone(api);
        // Hashing takes time on purpose; it must not keep others waiting.
        let login = tokio::task::spawn_blocking(move || {
            let origin = Origin::of("http", from);
            api.broker.auth.check_password(&user, password.as_bytes(), &origin)
        });
        let user = match login.await {
            Ok(Ok(user)) => user,
            Ok(Err(refused)) => {
                tracing::warn!(%from, "management login refused: {refused}");
                return Err(Problem::unknown_caller());
            }
            Err(_) => return Err(Problem::unknown_caller()),
        };
        let caller = Self { user: user.name.clone(), tags: user.tags.clone() };
        if caller.has(&TAGS) {
            return Ok(caller);
        }
        Err(Problem::not_authorised("Not management user"))
    }
}

impl FromRequestParts<Arc<Api>> for Monitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        if caller.is_monitor() {
            return Ok(Self);
        }
        Err(Problem::not_authorised("Not monitor user"))
    }
}

impl FromRequestParts<Arc<Api>> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        if caller.is_administrator() {
            return Ok(Self(caller));
        }
        Err(Problem::not_authorised("Not administrator user"))
    }
}

impl FromRequestParts<Arc<Api>> for PolicyMaker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        if caller.is_policymaker() {
            return Ok(Self(caller));
        }
        Err(Problem::not_authorised("Not policymaker user"))
    }
}

/// Refuses a name that a permission does not match.
pub(super) fn must(pattern: &Pattern, name: &str) -> Result<(), Problem> {
    if pattern.matches(name) { Ok(()) } else { Err(Problem::not_authorised("Access refused.")) }
}

/// User and password of HTTP's basic authentication (RFC 7617).
fn basic(headers: &HeaderMap) -> Result<(String, String), Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Problem::unknown_caller());
    };
    let malformed = || Problem::bad_request("malformed authorization header");
    let (scheme, encoded) =
        value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let text = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (user, password) = text.split_once(':').ok_or_else(malformed)?;
    Ok((user.to_owned(), password.to_owned()))
}
