//! How much vhosts and users may have.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, put};
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{Answer, done, list};
use super::api::Api;
use super::caller::{Administrator, Caller};
use super::fields::{Fields, Named, Query};
use super::listing::{NameFilter, Row};
use super::problem::Problem;
use super::routes::Routes;
use crate::broker::vhost::Vhost;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/vhost-limits", get(of_all_vhosts))
        .route("/vhost-limits/{vhost}", get(of_vhost))
        .route("/vhost-limits/{vhost}/{name}", put(put_vhost_limit).delete(clear_vhost_limit))
        .route("/user-limits", get(of_all_users))
        .route("/user-limits/{user}", get(of_user))
        .route("/user-limits/{user}/{name}", put(put_user_limit).delete(clear_user_limit))
}

/// A vhost's limits as RabbitMQ lists them.
#[derive(Serialize)]
struct VhostLimits {
    vhost: String,
    value: Map<String, Value>,
}

/// A user's limits as RabbitMQ lists them.
#[derive(Serialize)]
struct UserLimits {
    user: String,
    value: Map<String, Value>,
}

impl Row for VhostLimits {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.vhost)
    }
}

impl Row for UserLimits {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.user)
    }
}

/// The limits of vhosts that have any.
fn limits(vhosts: &[Arc<Vhost>]) -> Vec<VhostLimits> {
    let of = |vhost: &Arc<Vhost>| {
        let limits = vhost.properties().limits;
        let value = limits.to_json();
        (!limits.is_empty()).then(|| VhostLimits { vhost: vhost.name.to_string(), value })
    };
    vhosts.iter().filter_map(of).collect()
}

async fn of_all_vhosts(State(api): State<Arc<Api>>, caller: Caller, Query(query): Query) -> Answer {
    list(query, move |_| limits(&api.vhosts(&caller))).await
}

async fn of_vhost(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    list(query, move |_| limits(&[vhost])).await
}

async fn put_vhost_limit(
    State(api): State<Arc<Api>>,
    Administrator(_): Administrator,
    Named((vhost, name)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let vhost = api.broker.vhost(&vhost).ok_or_else(Problem::not_found)?;
    fields.must_have(&["value"])?;
    vhost.set_limit(&name, &fields.number("value"))?;
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}

async fn clear_vhost_limit(
    State(api): State<Arc<Api>>,
    Administrator(_): Administrator,
    Named((vhost, name)): Named<(String, String)>,
) -> Answer {
    api.broker.vhost(&vhost).ok_or_else(Problem::not_found)?.clear_limit(&name);
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}

async fn of_all_users(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Query(query): Query,
) -> Answer {
    list(query, move |_| {
        let all = api.broker.all_user_limits().into_iter();
        all.map(|(user, limits)| UserLimits { user: user.to_string(), value: limits.to_json() })
            .collect()
    })
    .await
}

async fn of_user(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(user): Named<String>,
    Query(query): Query,
) -> Answer {
    api.broker.auth.user(&user).ok_or_else(Problem::not_found)?;
    list(query, move |_| {
        let limits = api.broker.user_limits(&user.as_str().into());
        let value = limits.to_json();
        (!limits.is_empty()).then_some(UserLimits { user, value }).into_iter().collect()
    })
    .await
}

async fn put_user_limit(
    State(api): State<Arc<Api>>,
    Administrator(_): Administrator,
    Named((user, name)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let user = api.broker.auth.user(&user).ok_or_else(Problem::not_found)?;
    fields.must_have(&["value"])?;
    api.broker.set_user_limit(&user.name, &name, &fields.number("value"))?;
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}

async fn clear_user_limit(
    State(api): State<Arc<Api>>,
    Administrator(_): Administrator,
    Named((user, name)): Named<(String, String)>,
) -> Answer {
    let user = api.broker.auth.user(&user).ok_or_else(Problem::not_found)?;
    api.broker.clear_user_limit(&user.name, &name);
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}
