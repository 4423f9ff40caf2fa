//! Who calls, and what they may see and do.
//!
//! A handler names the least that its caller must be by the extractor that it takes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::api::Api;
use super::problem::Problem;
use crate::auth::{Auth, Deed, Origin, Permission, Principal, Question, Resource, Right, Verdict};
use crate::broker::actor::act_as;
use crate::broker::vhost::Vhost;
use crate::names::{UserName, VhostName};
use crate::protocol::fault::Fault;
use crate::routing::Kind;
use crate::wire::table::{Table, Value};

/// The tags of whoever may use the API at all.
const TAGS: [&str; 4] = ["administrator", "monitoring", "policymaker", "management"];

/// Somebody who has logged in and has one of the management tags.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: UserName,
    pub(super) tags: Vec<String>,
    /// The same, and who says what they may do.
    pub(super) principal: Arc<Principal>,
    /// The vhosts that they may enter, if others than the accounts say so and they may not see
    /// everything anyway.
    enters: Option<Arc<BTreeSet<VhostName>>>,
}

/// What a caller may do in a vhost.
pub(super) struct May {
    auth: Arc<Auth>,
    principal: Arc<Principal>,
    vhost: VhostName,
    /// What the accounts say, if they are asked.
    permission: Option<Arc<Permission>>,
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

    /// Whether it may enter a vhost, by what is known of it.
    pub(super) fn enters(&self, api: &Api, vhost: &str) -> bool {
        match &self.enters {
            Some(vhosts) => vhosts.contains(vhost),
            None => api.broker.auth.permission(vhost, self.user.as_str()).is_some(),
        }
    }

    /// Asks of each vhost whether it may be entered, as RabbitMQ does.
    async fn vhosts_entered(&self, api: &Api) -> BTreeSet<VhostName> {
        let mut entered = BTreeSet::new();
        for vhost in api.broker.vhosts() {
            let question = Question { vhost: vhost.name.clone(), deed: Deed::Enter };
            let auth = Arc::clone(&api.broker.auth);
            if auth.ask(Arc::clone(&self.principal), question).await.is_allowed() {
                entered.insert(vhost.name.clone());
            }
        }
        entered
    }

    /// Whether it may see a connection of this user.
    pub(super) fn sees_connection_of(&self, user: &UserName) -> bool {
        self.is_monitor() || self.user == *user
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let (user, password) = credentials(&parts.headers)?;
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let Some(from) = from else { return Err(Problem::unknown_caller()) };
        let auth = Arc::clone(&api.broker.auth);
        let origin = Origin::of("http", from);
        let login = auth.check_password_slowly(user, password.into_bytes(), origin).await;
        let principal = Arc::new(login.map_err(|refused| {
            tracing::warn!(%from, "management login refused: {refused}");
            Problem::unknown_caller()
        })?);
        act_as(Some(&principal.name));
        let mut caller = Self {
            user: principal.name.clone(),
            tags: principal.tags.clone(),
            principal,
            enters: None,
        };
        if caller.principal.backend().is_some() && !caller.is_monitor() {
            caller.enters = Some(Arc::new(caller.vhosts_entered(api).await));
        }
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

impl May {
    /// What a caller may do in a vhost, if they may enter it.
    pub(super) async fn enter(api: &Api, caller: &Caller, vhost: &VhostName) -> Option<Self> {
        let auth = Arc::clone(&api.broker.auth);
        let principal = Arc::clone(&caller.principal);
        if principal.backend().is_none() {
            let permission = auth.permission(vhost.as_str(), caller.user.as_str())?;
            let vhost = vhost.clone();
            return Some(Self { auth, principal, vhost, permission: Some(permission) });
        }
        let may = Self { auth, principal, vhost: vhost.clone(), permission: None };
        may.ask(Deed::Enter).await.is_allowed().then_some(may)
    }

    async fn ask(&self, deed: Deed) -> Verdict {
        let question = Question { vhost: self.vhost.clone(), deed };
        Arc::clone(&self.auth).ask(Arc::clone(&self.principal), question).await
    }

    async fn allows(&self, right: Right, resource: Resource<'_>) -> bool {
        let (kind, name) = resource.kind_and_name();
        if let Some(permission) = &self.permission {
            return permission.of(right).matches(name);
        }
        self.ask(Deed::Use { right, kind, name: name.into() }).await.is_allowed()
    }

    /// Refuses what the caller may not do.
    pub(super) async fn must(&self, right: Right, resource: Resource<'_>) -> Result<(), Problem> {
        if self.allows(right, resource).await {
            return Ok(());
        }
        Err(Problem::not_authorised("Access refused."))
    }

    /// Refuses to have one thing pass on to an exchange what it does not keep (dead letters, what it
    /// does not route), unless the caller may read the one and write to the other.
    pub(super) async fn must_pass_on(
        &self,
        from: Resource<'_>,
        arguments: &Table,
        name: &str,
    ) -> Result<(), Problem> {
        let Some(Value::Text(to)) = arguments.get(name) else { return Ok(()) };
        let Ok(to) = std::str::from_utf8(to) else { return Ok(()) };
        self.must(Right::Read, from).await?;
        self.must(Right::Write, Resource::Exchange(to)).await
    }

    /// Refuses a binding, unless the caller may write to where it leads and read where it begins;
    /// and its key, where that is a topic exchange.
    pub(super) async fn must_bind(
        &self,
        vhost: &Vhost,
        (source, target): (&str, Resource<'_>),
        key: &str,
    ) -> Result<(), Problem> {
        self.must(Right::Write, target).await?;
        self.must(Right::Read, Resource::Exchange(source)).await?;
        if vhost.look(|topology| topology.kind_of(source)) != Some(Kind::Topic) {
            return Ok(());
        }
        let deed = Deed::Topic { right: Right::Read, exchange: source.into(), key: key.into() };
        if self.ask(deed).await.is_allowed() {
            return Ok(());
        }
        Err(Problem::not_authorised("Access refused."))
    }

    /// Refuses what the caller may not do, in AMQP's words.
    pub(super) async fn must_access(
        &self,
        right: Right,
        resource: Resource<'_>,
    ) -> Result<(), Problem> {
        if self.allows(right, resource).await {
            return Ok(());
        }
        let (kind, name) = resource.kind_and_name();
        let fault = Fault::no_access(right, kind, name, &self.vhost, &self.principal.name);
        Err(Problem::not_authorised(&fault.to_string()))
    }
}

/// User and password of HTTP's basic authentication (RFC 7617), or a bearer's token (RFC 6750), which
/// says itself whose it is.
fn credentials(headers: &HeaderMap) -> Result<(String, String), Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Problem::unknown_caller());
    };
    let malformed = || Problem::bad_request("malformed authorization header");
    let (scheme, encoded) =
        value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok((String::new(), encoded.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let text = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (user, password) = text.split_once(':').ok_or_else(malformed)?;
    Ok((user.to_owned(), password.to_owned()))
}
