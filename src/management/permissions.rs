//! Permissions and topic permissions: what a user may do in a vhost.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use serde_json::json;

use super::answer::{Answer, done, list, object, put as put_answer};
use super::api::Api;
use super::caller::Administrator;
use super::fields::{Fields, Named, Query};
use super::listing::{NameFilter, Row};
use super::problem::Problem;
use super::routes::Routes;
use crate::auth::{AccountError, BadPattern, Pattern, Permission, TopicPattern, TopicPermission};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/permissions", get(all))
        .route("/permissions/{vhost}/{user}", get(one).put(put).delete(delete))
        .route("/vhosts/{vhost}/permissions", get(of_vhost))
        .route("/users/{user}/permissions", get(of_user))
        .route("/topic-permissions", get(all_topic))
        .route("/topic-permissions/{vhost}/{user}", get(topic).put(put_topic).delete(delete_topic))
        .route(
            "/topic-permissions/{vhost}/{user}/{exchange}",
            get(topic_of_exchange).delete(delete_topic_of_exchange),
        )
        .route("/vhosts/{vhost}/topic-permissions", get(topic_of_vhost))
        .route("/users/{user}/topic-permissions", get(topic_of_user))
}

/// A permission as RabbitMQ lists it.
#[derive(Serialize)]
pub(super) struct PermissionView {
    user: String,
    vhost: String,
    configure: String,
    write: String,
    read: String,
}

/// A topic permission as RabbitMQ lists it.
#[derive(Serialize)]
pub(super) struct TopicView {
    user: String,
    vhost: String,
    exchange: String,
    write: String,
    read: String,
}

impl PermissionView {
    pub(super) fn of(permission: &Permission) -> Self {
        Self {
            user: permission.user.to_string(),
            vhost: permission.vhost.to_string(),
            configure: permission.configure.as_str().into(),
            write: permission.write.as_str().into(),
            read: permission.read.as_str().into(),
        }
    }
}

impl TopicView {
    pub(super) fn of(permission: &TopicPermission) -> Self {
        Self {
            user: permission.user.to_string(),
            vhost: permission.vhost.to_string(),
            exchange: permission.exchange.to_string(),
            write: permission.write.as_str().into(),
            read: permission.read.as_str().into(),
        }
    }
}

impl Row for PermissionView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.user)
    }
}

impl Row for TopicView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.user)
    }
}

fn bad_pattern(bad: BadPattern) -> Problem {
    Problem::bad_request_value(json!(["invalid_regexp", bad.pattern, bad.why]))
}

fn missing_end() -> Problem {
    Problem::bad_request("vhost_or_user_not_found")
}

fn put_refused(error: AccountError) -> Problem {
    if matches!(error, AccountError::NoSuchUser(_)) { missing_end() } else { error.into() }
}

/// The permissions for which something holds.
fn permissions(api: &Api, wanted: impl Fn(&Permission) -> bool) -> Vec<PermissionView> {
    let all = api.broker.auth.permissions();
    all.iter().filter(|each| wanted(each)).map(|each| PermissionView::of(each)).collect()
}

fn topics(api: &Api, wanted: impl Fn(&TopicPermission) -> bool) -> Vec<TopicView> {
    let all = api.broker.auth.topic_permissions();
    all.iter().filter(|each| wanted(each)).map(|each| TopicView::of(each)).collect()
}

fn vhost_exists(api: &Api, vhost: &str) -> Result<(), Problem> {
    api.broker.vhost(vhost).map(|_| ()).ok_or_else(Problem::not_found)
}

fn user_exists(api: &Api, user: &str) -> Result<(), Problem> {
    api.broker.auth.user(user).map(|_| ()).ok_or_else(Problem::not_found)
}

async fn all(State(api): State<Arc<Api>>, _: Administrator, Query(query): Query) -> Answer {
    list(query, move |_| permissions(&api, |_| true)).await
}

async fn of_vhost(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    vhost_exists(&api, &vhost)?;
    list(query, move |_| permissions(&api, |each| each.vhost.as_str() == vhost)).await
}

async fn of_user(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(user): Named<String>,
    Query(query): Query,
) -> Answer {
    user_exists(&api, &user)?;
    list(query, move |_| permissions(&api, |each| each.user.as_str() == user)).await
}

async fn one(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named((vhost, user)): Named<(String, String)>,
) -> Answer {
    let permission = api.broker.auth.permission(&vhost, &user).ok_or_else(Problem::not_found)?;
    Ok(object(&PermissionView::of(&permission)))
}

async fn put(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named((vhost, user)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let is_new = put_permission(&api, &vhost, &user, &fields, caller.user.as_str()).await?;
    Ok(put_answer(is_new))
}

/// Gives a user permissions as a body says.
pub(super) async fn put_permission(
    api: &Api,
    vhost: &str,
    user: &str,
    fields: &Fields,
    by: &str,
) -> Result<bool, Problem> {
    fields.must_have(&["configure", "write", "read"])?;
    let pattern = |name| {
        let text = fields.text(name)?.unwrap_or_default();
        Pattern::parse(&text).map_err(bad_pattern)
    };
    let permission = Permission {
        vhost: vhost.into(),
        user: user.into(),
        configure: pattern("configure")?,
        write: pattern("write")?,
        read: pattern("read")?,
    };
    api.broker.vhost(vhost).ok_or_else(missing_end)?;
    let put = api.broker.auth.put_permission(permission, by).map_err(put_refused)?;
    api.safe(put.safe_at).await;
    Ok(put.new)
}

async fn delete(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named((vhost, user)): Named<(String, String)>,
) -> Answer {
    let position = api.broker.auth.delete_permission(&vhost, &user, caller.user.as_str())?;
    api.safe(position).await;
    Ok(done())
}

async fn all_topic(State(api): State<Arc<Api>>, _: Administrator, Query(query): Query) -> Answer {
    list(query, move |_| topics(&api, |_| true)).await
}

async fn topic_of_vhost(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    vhost_exists(&api, &vhost)?;
    list(query, move |_| topics(&api, |each| each.vhost.as_str() == vhost)).await
}

async fn topic_of_user(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(user): Named<String>,
    Query(query): Query,
) -> Answer {
    user_exists(&api, &user)?;
    list(query, move |_| topics(&api, |each| each.user.as_str() == user)).await
}

async fn topic(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named((vhost, user)): Named<(String, String)>,
) -> Answer {
    let all = api.broker.auth.topic_permissions_of(&vhost, &user);
    if all.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(object(&all.iter().map(|each| TopicView::of(each)).collect::<Vec<_>>()))
}

async fn topic_of_exchange(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named((vhost, user, exchange)): Named<(String, String, String)>,
) -> Answer {
    let all = api.broker.auth.topic_permissions_of(&vhost, &user);
    let wanted = all.iter().filter(|each| each.exchange.as_str() == exchange);
    let wanted: Vec<_> = wanted.map(|each| TopicView::of(each)).collect();
    if wanted.is_empty() { Err(Problem::not_found()) } else { Ok(object(&wanted)) }
}

async fn put_topic(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named((vhost, user)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let is_new = put_topic_permission(&api, &vhost, &user, &fields, caller.user.as_str()).await?;
    Ok(put_answer(is_new))
}

/// Gives a user topic permissions as a body says.
pub(super) async fn put_topic_permission(
    api: &Api,
    vhost: &str,
    user: &str,
    fields: &Fields,
    by: &str,
) -> Result<bool, Problem> {
    fields.must_have(&["exchange", "write", "read"])?;
    let pattern = |name| {
        let text = fields.text(name)?.unwrap_or_default();
        TopicPattern::parse(&text).map_err(bad_pattern)
    };
    let permission = TopicPermission {
        vhost: vhost.into(),
        user: user.into(),
        exchange: fields.text("exchange")?.unwrap_or_default().into(),
        write: pattern("write")?,
        read: pattern("read")?,
    };
    api.broker.vhost(vhost).ok_or_else(missing_end)?;
    let put = api.broker.auth.put_topic_permission(permission, by).map_err(put_refused)?;
    api.safe(put.safe_at).await;
    Ok(put.new)
}

async fn delete_topic(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named((vhost, user)): Named<(String, String)>,
) -> Answer {
    let by = caller.user.as_str();
    let position = api.broker.auth.delete_topic_permissions(&vhost, &user, None, by)?;
    api.safe(position).await;
    Ok(done())
}

async fn delete_topic_of_exchange(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named((vhost, user, exchange)): Named<(String, String, String)>,
) -> Answer {
    let by = caller.user.as_str();
    let position = api.broker.auth.delete_topic_permissions(&vhost, &user, Some(&exchange), by)?;
    api.safe(position).await;
    Ok(done())
}
