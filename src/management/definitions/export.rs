//! What there is, as definitions.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::api::{Api, RABBITMQ_VERSION};
use super::super::parameters::{self, GlobalView, ParameterView, global_views};
use super::super::permissions::{PermissionView, TopicView};
use super::super::policies::PolicyView;
use super::super::tables::Arguments;
use super::super::users::UserView;
use crate::broker::vhost::Vhost;
use crate::policy::{Class, Policy};
use crate::topology::listing::NamedDestination;

/// The definitions of a whole broker.
#[derive(Serialize)]
pub(super) struct ClusterDefinitions {
    rabbit_version: &'static str,
    rabbitmq_version: &'static str,
    product_name: &'static str,
    product_version: &'static str,
    rabbitmq_definition_format: &'static str,
    original_cluster_name: String,
    explanation: String,
    users: Vec<UserView>,
    vhosts: Vec<VhostDefinition>,
    permissions: Vec<PermissionView>,
    topic_permissions: Vec<TopicView>,
    parameters: Vec<ParameterView>,
    global_parameters: Vec<GlobalView>,
    policies: Vec<PolicyView>,
    queues: Vec<QueueDefinition>,
    exchanges: Vec<ExchangeDefinition>,
    bindings: Vec<BindingDefinition>,
}

/// The definitions of one vhost.
#[derive(Serialize)]
pub(super) struct VhostDefinitions {
    rabbit_version: &'static str,
    rabbitmq_version: &'static str,
    product_name: &'static str,
    product_version: &'static str,
    rabbitmq_definition_format: &'static str,
    original_vhost_name: String,
    explanation: String,
    description: String,
    metadata: Value,
    limits: Map<String, Value>,
    parameters: Vec<ParameterView>,
    policies: Vec<PolicyView>,
    queues: Vec<QueueDefinition>,
    exchanges: Vec<ExchangeDefinition>,
    bindings: Vec<BindingDefinition>,
}

#[derive(Serialize)]
struct VhostDefinition {
    name: String,
    metadata: Value,
    limits: Map<String, Value>,
}

#[derive(Serialize)]
struct QueueDefinition {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vhost: Option<String>,
    r#type: &'static str,
    durable: bool,
    auto_delete: bool,
    arguments: Arguments,
}

#[derive(Serialize)]
struct ExchangeDefinition {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vhost: Option<String>,
    r#type: &'static str,
    durable: bool,
    auto_delete: bool,
    /// RabbitMQ leaves it out; an exchange that is internal must not come back as one that is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    internal: bool,
    arguments: Arguments,
}

#[derive(Serialize)]
struct BindingDefinition {
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vhost: Option<String>,
    destination: String,
    destination_type: &'static str,
    routing_key: String,
    arguments: Arguments,
}

/// Everything.
pub(super) fn all(api: &Api) -> ClusterDefinitions {
    let vhosts = api.broker.vhosts();
    let auth = &api.broker.auth;
    ClusterDefinitions {
        rabbit_version: RABBITMQ_VERSION,
        rabbitmq_version: RABBITMQ_VERSION,
        product_name: "Warren",
        product_version: env!("CARGO_PKG_VERSION"),
        rabbitmq_definition_format: "cluster",
        original_cluster_name: api.cluster_name(),
        explanation: format!("Definitions of cluster '{}'", api.cluster_name()),
        users: auth.users().iter().map(|user| UserView::of(api, user)).collect(),
        vhosts: vhosts.iter().map(|vhost| vhost_definition(vhost)).collect(),
        permissions: auth.permissions().iter().map(|each| PermissionView::of(each)).collect(),
        topic_permissions: auth
            .topic_permissions()
            .iter()
            .map(|each| TopicView::of(each))
            .collect(),
        parameters: vhosts.iter().flat_map(|vhost| parameters::but_policies(vhost, true)).collect(),
        global_parameters: global_views(api),
        policies: vhosts.iter().flat_map(|vhost| policies(vhost, true)).collect(),
        queues: vhosts.iter().flat_map(|vhost| queues(vhost, true)).collect(),
        exchanges: vhosts.iter().flat_map(|vhost| exchanges(vhost, true)).collect(),
        bindings: vhosts.iter().flat_map(|vhost| bindings(vhost, true)).collect(),
    }
}

/// One vhost.
pub(super) fn one(vhost: &Vhost) -> VhostDefinitions {
    let properties = vhost.properties();
    VhostDefinitions {
        rabbit_version: RABBITMQ_VERSION,
        rabbitmq_version: RABBITMQ_VERSION,
        product_name: "Warren",
        product_version: env!("CARGO_PKG_VERSION"),
        rabbitmq_definition_format: "single_virtual_host",
        original_vhost_name: vhost.name.to_string(),
        explanation: format!("Definitions of virtual host '{}'", vhost.name),
        description: properties.description.clone(),
        metadata: properties.metadata(),
        limits: properties.limits.to_json(),
        parameters: parameters::but_policies(vhost, false),
        policies: policies(vhost, false),
        queues: queues(vhost, false),
        exchanges: exchanges(vhost, false),
        bindings: bindings(vhost, false),
    }
}

fn vhost_definition(vhost: &Vhost) -> VhostDefinition {
    let properties = vhost.properties();
    VhostDefinition {
        name: vhost.name.to_string(),
        metadata: properties.metadata(),
        limits: properties.limits.to_json(),
    }
}

fn policies(vhost: &Vhost, say: bool) -> Vec<PolicyView> {
    let of = |policy: &Arc<Policy>| PolicyView::of(say.then_some(vhost), policy);
    vhost.policies(Class::User).iter().map(of).collect()
}

fn named(vhost: &Vhost, say: bool) -> Option<String> {
    say.then(|| vhost.name.to_string())
}

/// The queues that are nobody's own.
fn queues(vhost: &Vhost, say: bool) -> Vec<QueueDefinition> {
    vhost.look(|topology| {
        let shared = topology.declarations().filter(|(_, each)| each.declared.owner.is_none());
        shared
            .map(|(_, declaration)| QueueDefinition {
                name: declaration.name.to_string(),
                vhost: named(vhost, say),
                r#type: declaration.kind().unwrap_or_default().name(),
                durable: declaration.declared.durable,
                auto_delete: declaration.declared.auto_delete,
                arguments: Arguments(declaration.arguments.clone()),
            })
            .collect()
    })
}

/// The exchanges that somebody declared.
fn exchanges(vhost: &Vhost, say: bool) -> Vec<ExchangeDefinition> {
    vhost.look(|topology| {
        let declared = topology.exchanges().filter(|each| !each.name.as_str().starts_with("amq."));
        declared
            .map(|declaration| ExchangeDefinition {
                name: declaration.name.to_string(),
                vhost: named(vhost, say),
                r#type: declaration.kind.as_str(),
                durable: declaration.durable,
                auto_delete: declaration.auto_delete,
                internal: declaration.internal,
                arguments: Arguments(declaration.arguments.clone()),
            })
            .collect()
    })
}

/// The bindings, but those to queues that are somebody's own.
fn bindings(vhost: &Vhost, say: bool) -> Vec<BindingDefinition> {
    vhost.look(|topology| {
        let owned = |name: &str| {
            let declaration = topology.queue(name).and_then(|id| topology.declaration(id));
            declaration.is_some_and(|each| each.declared.owner.is_some())
        };
        let of = |binding: crate::topology::listing::NamedBinding| {
            let destination_type = match &binding.destination {
                NamedDestination::Queue(name) if owned(name.as_str()) => return None,
                NamedDestination::Queue(_) => "queue",
                NamedDestination::Exchange(_) => "exchange",
            };
            Some(BindingDefinition {
                source: binding.source.to_string(),
                vhost: named(vhost, say),
                destination: binding.destination.name().to_owned(),
                destination_type,
                routing_key: binding.routing_key.to_string(),
                arguments: Arguments(binding.arguments),
            })
        };
        topology.named_bindings().into_iter().filter_map(of).collect()
    })
}
