//! Runtime parameters of vhosts, global parameters, and the cluster's name.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, done, list, object, put as put_answer};
use super::api::Api;
use super::caller::{Administrator, Caller, PolicyMaker};
use super::fields::{Fields, Named, Query};
use super::listing::{NameFilter, Row};
use super::policies::vhost_to_change;
use super::problem::Problem;
use super::routes::Routes;
use crate::broker::vhost::Vhost;
use crate::broker::vhost_rules::Put;
use crate::policy::{Class, Policy};
use crate::topology::limits::{LIMITS, VHOST_LIMITS};
use crate::topology::parameters::CLUSTER_NAME;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/parameters", get(all))
        .route("/parameters/{component}", get(of_component))
        .route("/parameters/{component}/{vhost}", get(of_vhost))
        .route("/parameters/{component}/{vhost}/{name}", get(one).put(put).delete(delete))
        .route("/global-parameters", get(globals))
        .route("/global-parameters/{name}", get(global).put(put_global).delete(delete_global))
        .route("/cluster-name", get(cluster_name).put(put_cluster_name))
}

/// A runtime parameter as RabbitMQ lists it.
#[derive(Serialize)]
pub(super) struct ParameterView {
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    vhost: Option<String>,
    component: String,
    name: String,
}

/// A global parameter as RabbitMQ lists it.
#[derive(Serialize)]
pub(super) struct GlobalView {
    name: String,
    value: Value,
}

impl Row for ParameterView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

impl Row for GlobalView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

/// The parameters that somebody set, without those that are policies or limits.
fn set(vhost: &Vhost, say: bool) -> Vec<ParameterView> {
    let view = |((component, name), value)| ParameterView {
        value,
        vhost: say.then(|| vhost.name.to_string()),
        component,
        name,
    };
    vhost.parameters().into_iter().map(view).collect()
}

/// All of a vhost's parameters: RabbitMQ keeps policies and limits among them.
fn of(vhost: &Vhost) -> Vec<ParameterView> {
    let mut all = but_policies(vhost, true);
    all.extend(policies(vhost, Class::User, true));
    all
}

/// Those that definitions have among the parameters.
pub(super) fn but_policies(vhost: &Vhost, say: bool) -> Vec<ParameterView> {
    let mut all = set(vhost, say);
    all.extend(policies(vhost, Class::Operator, say));
    let limits = vhost.properties().limits;
    if !limits.is_empty() {
        all.push(ParameterView {
            value: Value::Object(limits.to_json()),
            vhost: say.then(|| vhost.name.to_string()),
            component: VHOST_LIMITS.to_owned(),
            name: LIMITS.to_owned(),
        });
    }
    all
}

fn policies(vhost: &Vhost, class: Class, say: bool) -> Vec<ParameterView> {
    let of = |policy: &Arc<Policy>| ParameterView {
        value: json!({
            "pattern": policy.pattern.as_str(),
            "definition": policy.definition.as_map(),
            "priority": policy.priority,
            "apply-to": policy.apply_to.name(),
        }),
        vhost: say.then(|| vhost.name.to_string()),
        component: class.component().to_owned(),
        name: policy.name.clone(),
    };
    vhost.policies(class).iter().map(of).collect()
}

async fn all(
    State(api): State<Arc<Api>>,
    PolicyMaker(caller): PolicyMaker,
    Query(query): Query,
) -> Answer {
    list(query, move |_| api.vhosts(&caller).iter().flat_map(|vhost| of(vhost)).collect()).await
}

async fn of_component(
    State(api): State<Arc<Api>>,
    PolicyMaker(caller): PolicyMaker,
    Named(component): Named<String>,
    Query(query): Query,
) -> Answer {
    list(query, move |_| {
        let all = api.vhosts(&caller);
        let mut all: Vec<_> = all.iter().flat_map(|vhost| of(vhost)).collect();
        all.retain(|each| each.component == component);
        all
    })
    .await
}

async fn of_vhost(
    State(api): State<Arc<Api>>,
    PolicyMaker(caller): PolicyMaker,
    Named((component, vhost)): Named<(String, String)>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    list(query, move |_| {
        let mut all = of(&vhost);
        all.retain(|each| each.component == component);
        all
    })
    .await
}

async fn one(
    State(api): State<Arc<Api>>,
    PolicyMaker(caller): PolicyMaker,
    Named((component, vhost, name)): Named<(String, String, String)>,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    let mut all = of(&vhost).into_iter();
    let found = all.find(|each| each.component == component && each.name == name);
    Ok(object(&found.ok_or_else(Problem::not_found)?))
}

async fn put(
    State(api): State<Arc<Api>>,
    PolicyMaker(caller): PolicyMaker,
    Named((component, vhost, name)): Named<(String, String, String)>,
    fields: Fields,
) -> Answer {
    let vhost = vhost_to_change(&api, &caller, &vhost).await?;
    fields.must_have(&["value"])?;
    let value = fields.get("value").cloned().unwrap_or_default();
    let put = match component == VHOST_LIMITS {
        true => vhost.put_limits(&name, &value)?,
        false => vhost.put_parameter(&component, &name, value)?,
    };
    api.safe(api.broker.shared.last_row()).await;
    Ok(put_answer(put == Put::Created))
}

async fn delete(
    State(api): State<Arc<Api>>,
    PolicyMaker(caller): PolicyMaker,
    Named((component, vhost, name)): Named<(String, String, String)>,
) -> Answer {
    let (vhost, _) = api.entered(&caller, &vhost).await?;
    let was_there = match component == VHOST_LIMITS {
        true => name == LIMITS && vhost.clear_limits(),
        false => vhost.delete_parameter(&component, &name),
    };
    if !was_there {
        return Err(Problem::not_found());
    }
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}

/// All global parameters.
pub(super) fn global_views(api: &Api) -> Vec<GlobalView> {
    let mut all = api.broker.global_parameters();
    let name = || Value::String(api.cluster_name());
    all.entry(CLUSTER_NAME.to_owned()).or_insert_with(name);
    all.into_iter().map(|(name, value)| GlobalView { name, value }).collect()
}

async fn globals(State(api): State<Arc<Api>>, _: PolicyMaker, Query(query): Query) -> Answer {
    list(query, move |_| global_views(&api)).await
}

async fn global(State(api): State<Arc<Api>>, _: PolicyMaker, Named(name): Named<String>) -> Answer {
    let found = global_views(&api).into_iter().find(|each| each.name == name);
    Ok(object(&found.ok_or_else(Problem::not_found)?))
}

async fn put_global(
    State(api): State<Arc<Api>>,
    _: PolicyMaker,
    Named(name): Named<String>,
    fields: Fields,
) -> Answer {
    fields.must_have(&["value"])?;
    let value = fields.get("value").cloned().unwrap_or_default();
    let put = api.broker.put_global_parameter(&name, value)?;
    api.safe(api.broker.shared.last_row()).await;
    Ok(put_answer(put == Put::Created))
}

async fn delete_global(
    State(api): State<Arc<Api>>,
    _: PolicyMaker,
    Named(name): Named<String>,
) -> Answer {
    if !api.broker.delete_global_parameter(&name) {
        return Err(Problem::not_found());
    }
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}

async fn cluster_name(State(api): State<Arc<Api>>, _: Caller) -> Answer {
    Ok(object(&json!({"name": api.cluster_name()})))
}

async fn put_cluster_name(State(api): State<Arc<Api>>, _: Administrator, fields: Fields) -> Answer {
    fields.must_have(&["name"])?;
    let name = fields.get("name").cloned().unwrap_or_default();
    api.broker.put_global_parameter(CLUSTER_NAME, name)?;
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}
