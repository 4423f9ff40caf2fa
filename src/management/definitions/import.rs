//! Definitions taken: in an order in which whatever is named exists already.

use std::sync::Arc;

use serde_json::Value;

use super::super::api::Api;
use super::super::bindings::NOBODY;
use super::super::fields::Fields;
use super::super::permissions::{put_permission, put_topic_permission};
use super::super::problem::Problem;
use super::super::users::put_user;
use crate::auth::password::HashingAlgorithm;
use crate::broker::vhost::Vhost;
use crate::policy::{Class, Policy};
use crate::protocol::fault::Code;
use crate::protocol::request::{Binding, DeclareExchange};
use crate::queue::options::{Declaration, Declared, QueueKind};
use crate::topology::limits::{Limits, LimitsOf, VHOST_LIMITS};

/// Takes the definitions of a whole broker.
pub(super) async fn all(api: &Arc<Api>, file: &Fields, by: &str) -> Result<(), Problem> {
    let algorithm = default_algorithm(file);
    for user in entries(file, "users")? {
        let name = name_of(&user)?;
        put_user(api, &name, &user, algorithm, by).await?;
        if let Some(Value::Object(limits)) = user.get("limits") {
            let limits = Limits::read(LimitsOf::User, limits)?;
            api.broker.set_user_limits(&name.as_str().into(), limits);
        }
    }
    for vhost in entries(file, "vhosts")? {
        api.broker.import_vhost(&name_of(&vhost)?, vhost.as_map())?;
    }
    for each in entries(file, "permissions")? {
        let (vhost, user) = (text(&each, "vhost")?, text(&each, "user")?);
        put_permission(api, &vhost, &user, &each, by).await?;
    }
    for exchange in entries(file, "exchanges")? {
        declare_exchange(&*vhost_of(api, &exchange)?, &exchange)?;
    }
    for each in entries(file, "topic_permissions")? {
        let (vhost, user) = (text(&each, "vhost")?, text(&each, "user")?);
        put_topic_permission(api, &vhost, &user, &each, by).await?;
    }
    for each in entries(file, "global_parameters")? {
        let value = each.get("value").cloned().unwrap_or_default();
        let name = name_of(&each)?;
        // The identity of the cluster that the file is from stays with that cluster.
        if name != "internal_cluster_id" {
            api.broker.put_global_parameter(&name, value)?;
        }
    }
    for policy in entries(file, "policies")? {
        put_policy(&*vhost_of(api, &policy)?, Class::User, &policy)?;
    }
    for each in entries(file, "parameters")? {
        put_parameter(&*vhost_of(api, &each)?, &each)?;
    }
    for queue in entries(file, "queues")? {
        if queue.get("vhost").is_none() {
            tracing::warn!(queue = ?queue.get("name"), "definitions: a queue without a vhost");
            continue;
        }
        declare_queue(&vhost_of(api, &queue)?, &queue)?;
    }
    for binding in entries(file, "bindings")? {
        bind(&*vhost_of(api, &binding)?, &binding)?;
    }
    api.safe(api.broker.shared.last_row()).await;
    Ok(())
}

/// Takes the definitions of one vhost.
pub(super) async fn one(api: &Api, vhost: &Arc<Vhost>, file: &Fields) -> Result<(), Problem> {
    for exchange in entries(file, "exchanges")? {
        declare_exchange(vhost, &exchange)?;
    }
    for each in entries(file, "parameters")? {
        put_parameter(vhost, &each)?;
    }
    for policy in entries(file, "policies")? {
        put_policy(vhost, Class::User, &policy)?;
    }
    for queue in entries(file, "queues")? {
        declare_queue(vhost, &queue)?;
    }
    for binding in entries(file, "bindings")? {
        bind(vhost, &binding)?;
    }
    api.safe(api.broker.shared.last_row()).await;
    Ok(())
}

/// The objects of a section; a section that is not there has none.
fn entries(file: &Fields, section: &str) -> Result<Vec<Fields>, Problem> {
    let bad = || Problem::bad_request(format_args!("{section} must be a list of objects"));
    match file.get(section) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => entries
            .iter()
            .map(|entry| entry.as_object().cloned().map(Fields::of).ok_or_else(bad))
            .collect(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => Err(bad()),
    }
}

fn text(entry: &Fields, field: &str) -> Result<String, Problem> {
    entry.must_have(&[field])?;
    Ok(entry.text(field)?.unwrap_or_default())
}

fn name_of(entry: &Fields) -> Result<String, Problem> {
    text(entry, "name")
}

fn vhost_of(api: &Api, entry: &Fields) -> Result<Arc<Vhost>, Problem> {
    let name = text(entry, "vhost")?;
    let missing = || Problem::bad_request(format_args!("vhost '{name}' does not exist"));
    api.broker.vhost(&name).ok_or_else(missing)
}

/// What hashes are that do not say what they are: the versions before 3.6 had MD5.
fn default_algorithm(file: &Fields) -> HashingAlgorithm {
    let version = file.get("rabbitmq_version").or_else(|| file.get("rabbit_version"));
    let mut parts = version.and_then(Value::as_str).unwrap_or_default().split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    match (number(), number()) {
        (Some(3), Some(..6)) => HashingAlgorithm::Md5,
        _ => HashingAlgorithm::Sha256,
    }
}

fn put_policy(vhost: &Vhost, class: Class, entry: &Fields) -> Result<(), Problem> {
    let policy = Policy::read(class, &name_of(entry)?, entry.as_map())?;
    vhost.put_policy(class, policy);
    Ok(())
}

/// Parameters; operator policies and limits of vhosts are among them in RabbitMQ's files.
fn put_parameter(vhost: &Vhost, entry: &Fields) -> Result<(), Problem> {
    let (component, name) = (text(entry, "component")?, name_of(entry)?);
    let value = entry.get("value").cloned().unwrap_or_default();
    let fields = || value.as_object().cloned().unwrap_or_default();
    if component == Class::Operator.component() {
        vhost.put_policy(Class::Operator, Policy::read(Class::Operator, &name, &fields())?);
    } else if component == VHOST_LIMITS {
        for (limit, value) in fields() {
            vhost.set_limit(&limit, &value)?;
        }
    } else {
        vhost.put_parameter(&component, &name, value)?;
    }
    Ok(())
}

/// Names that the broker has for itself.
fn is_reserved(what: &str, name: &str) -> bool {
    let reserved = name.is_empty() || name.starts_with("amq.");
    if reserved {
        tracing::warn!(name, "definitions: the broker's own {what} is passed over");
    }
    reserved
}

/// An exchange that is there stays as it is.
fn declare_exchange(vhost: &Vhost, entry: &Fields) -> Result<(), Problem> {
    let exchange = name_of(entry)?;
    if is_reserved("exchange", &exchange) {
        return Ok(());
    }
    let declare = DeclareExchange {
        kind: text(entry, "type")?,
        passive: false,
        durable: entry.flag("durable", true)?,
        auto_delete: entry.flag("auto_delete", false)?,
        internal: entry.flag("internal", false)?,
        arguments: entry.table("arguments")?,
        exchange,
    };
    vhost.change(|topology| {
        if topology.exchange_named(&declare.exchange).is_some() {
            return Ok(());
        }
        topology.declare_exchange(&declare)
    })?;
    Ok(())
}

/// A queue that is there stays as it is.
fn declare_queue(vhost: &Arc<Vhost>, entry: &Fields) -> Result<(), Problem> {
    let name = name_of(entry)?;
    let exists = vhost.look(|topology| topology.queue(&name)).is_some();
    if exists || is_reserved("queue", &name) {
        return Ok(());
    }
    let declared = Declared {
        durable: entry.flag("durable", true)?,
        auto_delete: entry.flag("auto_delete", false)?,
        owner: None,
        server_named: false,
    };
    let kind = entry.text("type")?.and_then(|name| QueueKind::from_name(name.as_bytes()));
    let arguments = entry.table("arguments")?;
    let name = name.as_str().into();
    let kind = kind.unwrap_or_else(|| vhost.properties().default_kind());
    vhost.declare_queue(Declaration::new(vhost.name.clone(), name, declared, &arguments, kind))?;
    Ok(())
}

fn bind(vhost: &Vhost, entry: &Fields) -> Result<(), Problem> {
    let binding = Binding {
        source: text(entry, "source")?,
        destination: text(entry, "destination")?,
        routing_key: entry.text("routing_key")?.unwrap_or_default(),
        arguments: entry.table("arguments")?,
    };
    if binding.source.is_empty() {
        return Ok(());
    }
    let bound = match text(entry, "destination_type")?.as_str() {
        "queue" => vhost.change(|topology| topology.bind_queue(&binding, NOBODY)).map(drop),
        "exchange" => vhost.change(|topology| topology.bind_exchange(&binding)).map(drop),
        other => {
            let why = format_args!("destination_type '{other}' is neither queue nor exchange");
            return Err(Problem::bad_request(why));
        }
    };
    match bound {
        // RabbitMQ exports bindings of internal exchanges without the exchanges, and passes over
        // them when it takes its own file.
        Err(fault) if fault.code == Code::NotFound => {
            tracing::warn!(?binding, "definitions: one end of a binding is not there");
            Ok(())
        }
        bound => Ok(bound?),
    }
}
