//! How often somebody tried to log in to a node, by protocol and by where they came from.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::answer::{Answer, done, list};
use super::api::Api;
use super::caller::{Administrator, Monitor};
use super::fields::{Named, Query};
use super::listing::{NameFilter, Row};
use super::nodes::must_be_here;
use super::routes::Routes;
use crate::auth::{Attempts, Source};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/auth/attempts/{node}", get(by_protocol).delete(forget))
        .route("/auth/attempts/{node}/source", get(by_source).delete(forget))
}

/// Attempts as RabbitMQ lists them.
#[derive(Serialize)]
struct AttemptsView {
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    protocol: &'static str,
    auth_attempts: u64,
    auth_attempts_failed: u64,
    auth_attempts_succeeded: u64,
}

impl Row for AttemptsView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(self.protocol)
    }
}

fn view(protocol: &'static str, attempts: Attempts) -> AttemptsView {
    AttemptsView {
        remote_address: None,
        username: None,
        protocol,
        auth_attempts: attempts.succeeded + attempts.failed,
        auth_attempts_failed: attempts.failed,
        auth_attempts_succeeded: attempts.succeeded,
    }
}

fn view_of_source((source, attempts): (Source, Attempts)) -> AttemptsView {
    AttemptsView {
        remote_address: Some(source.address.to_string()),
        username: Some(source.user),
        ..view(source.protocol, attempts)
    }
}

async fn by_protocol(
    State(api): State<Arc<Api>>,
    _: Monitor,
    Named(node): Named<String>,
    Query(query): Query,
) -> Answer {
    must_be_here(&api, &node)?;
    let all = api.broker.auth.attempts().into_iter();
    let all = all.map(|(protocol, attempts)| view(protocol, attempts)).collect();
    list(query, move |_| all).await
}

async fn by_source(
    State(api): State<Arc<Api>>,
    _: Monitor,
    Named(node): Named<String>,
    Query(query): Query,
) -> Answer {
    must_be_here(&api, &node)?;
    let all = api.broker.auth.attempts_by_source().into_iter().map(view_of_source).collect();
    list(query, move |_| all).await
}

async fn forget(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(node): Named<String>,
) -> Answer {
    must_be_here(&api, &node)?;
    api.broker.auth.forget_attempts();
    Ok(done())
}
