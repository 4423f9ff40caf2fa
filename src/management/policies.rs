//! Policies and operator policies.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::answer::{Answer, done, list, object, put as put_answer};
use super::api::Api;
use super::caller::{Administrator, Caller, PolicyMaker};
use super::fields::{Fields, Named, Query};
use super::listing::{ListQuery, NameFilter, Row};
use super::problem::Problem;
use super::routes::Routes;
use crate::broker::vhost::Vhost;
use crate::broker::vhost_rules::Put;
use crate::policy::{Class, Invalid, Policy};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route(
            "/policies",
            get(async |api, caller, query| all(Class::User, api, caller, query).await),
        )
        .route(
            "/policies/{vhost}",
            get(async |api, caller, vhost, query| {
                of_vhost(Class::User, api, caller, vhost, query).await
            }),
        )
        .route(
            "/policies/{vhost}/{name}",
            get(async |api, caller, names| one(Class::User, api, caller, names))
                .put(async |api, PolicyMaker(caller), names, fields| {
                    put(Class::User, api, caller, names, fields).await
                })
                .delete(async |api, PolicyMaker(caller), names| {
                    delete(Class::User, api, caller, names).await
                }),
        )
        .route(
            "/operator-policies",
            get(async |api, caller, query| all(Class::Operator, api, caller, query).await),
        )
        .route(
            "/operator-policies/{vhost}",
            get(async |api, caller, vhost, query| {
                of_vhost(Class::Operator, api, caller, vhost, query).await
            }),
        )
        .route(
            "/operator-policies/{vhost}/{name}",
            get(async |api, caller, names| one(Class::Operator, api, caller, names))
                .put(async |api, Administrator(caller), names, fields| {
                    put(Class::Operator, api, caller, names, fields).await
                })
                .delete(async |api, Administrator(caller), names| {
                    delete(Class::Operator, api, caller, names).await
                }),
        )
}

type TheApi = State<Arc<Api>>;
type Names = Named<(String, String)>;

/// A policy as RabbitMQ lists it.
#[derive(Serialize)]
pub(super) struct PolicyView {
    #[serde(skip_serializing_if = "Option::is_none")]
    vhost: Option<String>,
    name: String,
    pattern: String,
    #[serde(rename = "apply-to")]
    apply_to: &'static str,
    definition: Map<String, Value>,
    priority: Number,
}

impl Row for PolicyView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

impl PolicyView {
    pub(super) fn of(vhost: Option<&Vhost>, policy: &Policy) -> Self {
        Self {
            vhost: vhost.map(|vhost| vhost.name.to_string()),
            name: policy.name.clone(),
            pattern: policy.pattern.as_str().to_owned(),
            apply_to: policy.apply_to.name(),
            definition: policy.definition.as_map().clone(),
            priority: policy.priority.clone(),
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::bad_request(invalid)
    }
}

/// A vhost that a change names: RabbitMQ says `vhost_not_found` then.
pub(super) async fn vhost_to_change(
    api: &Api,
    caller: &Caller,
    name: &str,
) -> Result<Arc<Vhost>, Problem> {
    if api.broker.vhost(name).is_none() {
        return Err(Problem::missing("vhost_not_found"));
    }
    api.entered(caller, name).await.map(|(vhost, _)| vhost)
}

fn of(class: Class, vhost: &Vhost) -> Vec<PolicyView> {
    vhost.policies(class).iter().map(|policy| PolicyView::of(Some(vhost), policy)).collect()
}

async fn all(class: Class, State(api): TheApi, caller: Caller, Query(query): Query) -> Answer {
    list(query, move |_: &ListQuery| {
        api.vhosts(&caller).iter().flat_map(|vhost| of(class, vhost)).collect()
    })
    .await
}

async fn of_vhost(
    class: Class,
    State(api): TheApi,
    caller: Caller,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    list(query, move |_: &ListQuery| of(class, &vhost)).await
}

fn one(class: Class, State(api): TheApi, caller: Caller, Named((vhost, name)): Names) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    let policy = vhost.policy(class, &name).ok_or_else(Problem::not_found)?;
    Ok(object(&PolicyView::of(Some(&vhost), &policy)))
}

async fn put(
    class: Class,
    State(api): TheApi,
    caller: Caller,
    Named((vhost, name)): Names,
    fields: Fields,
) -> Answer {
    let vhost = vhost_to_change(&api, &caller, &vhost).await?;
    let policy = Policy::read(class, &name, fields.as_map())?;
    let put = vhost.put_policy(class, policy);
    api.safe(api.broker.shared.last_row()).await;
    Ok(put_answer(put == Put::Created))
}

async fn delete(
    class: Class,
    State(api): TheApi,
    caller: Caller,
    Named((vhost, name)): Names,
) -> Answer {
    let vhost = api.broker.vhost(&vhost).ok_or_else(Problem::not_found)?;
    api.entered(&caller, vhost.name.as_str()).await?;
    if !vhost.delete_policy(class, &name) {
        return Err(Problem::not_found());
    }
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}
