//! Bindings, by their two ends and by RabbitMQ's `properties_key`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::answer::{Answer, done, list, object};
use super::api::Api;
use super::caller::Caller;
use super::exchanges::default_name;
use super::fields::{Fields, Named, Query};
use super::listing::{NameFilter, Row};
use super::problem::Problem;
use super::routes::Routes;
use super::tables::Arguments;
use crate::auth::Resource;
use crate::broker::vhost::Vhost;
use crate::names::ConnectionId;
use crate::protocol::fault::Fault;
use crate::protocol::request::Binding;
use crate::topology::listing::{NamedBinding, NamedDestination};
use crate::wire::table::Table;

/// A connection that nobody has: exclusive queues are locked to the API.
pub(super) const NOBODY: ConnectionId = ConnectionId(0);

/// What stands in a properties key as it is; Erlang's `quote_plus`.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/bindings", get(all))
        .route("/bindings/{vhost}", get(of_vhost))
        .route("/bindings/{vhost}/e/{source}/{kind}/{destination}", get(between).post(bind))
        .route("/bindings/{vhost}/e/{source}/{kind}/{destination}/{props}", get(one).delete(unbind))
}

/// A binding as RabbitMQ lists it.
#[derive(Debug, Serialize)]
pub(super) struct BindingView {
    source: String,
    vhost: String,
    destination: String,
    destination_type: &'static str,
    routing_key: String,
    arguments: Arguments,
    properties_key: String,
}

impl Row for BindingView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.source) || filter.fits(&self.destination)
    }
}

/// A binding's name among those of its two ends: the quoted routing key and a hash of the
/// arguments, `~` where there are neither.
fn properties_key(routing_key: &str, arguments: &Table) -> String {
    let key = utf8_percent_encode(routing_key, QUOTED).to_string().replace("%20", "+");
    if arguments.is_empty() {
        return if key.is_empty() { "~".into() } else { key };
    }
    let hash = crc32c::crc32c(arguments.as_ref().as_bytes());
    format!("{key}~{}", URL_SAFE_NO_PAD.encode(hash.to_be_bytes()))
}

fn view(vhost: &Vhost, binding: NamedBinding) -> BindingView {
    let destination_type = match binding.destination {
        NamedDestination::Queue(_) => "queue",
        NamedDestination::Exchange(_) => "exchange",
    };
    BindingView {
        source: binding.source.to_string(),
        vhost: vhost.name.to_string(),
        destination: binding.destination.name().to_owned(),
        destination_type,
        properties_key: properties_key(&binding.routing_key, &binding.arguments),
        routing_key: binding.routing_key.to_string(),
        arguments: Arguments(binding.arguments),
    }
}

pub(super) fn views(vhost: &Vhost, bindings: Vec<NamedBinding>) -> Vec<BindingView> {
    bindings.into_iter().map(|binding| view(vhost, binding)).collect()
}

/// The binding that every queue has to the default exchange.
pub(super) fn implicit(vhost: &Vhost, queue: &str) -> BindingView {
    BindingView {
        source: String::new(),
        vhost: vhost.name.to_string(),
        destination: queue.to_owned(),
        destination_type: "queue",
        routing_key: queue.to_owned(),
        arguments: Arguments::default(),
        properties_key: properties_key(queue, &Table::default()),
    }
}

/// All bindings of a vhost, those to the default exchange first.
fn of(vhost: &Vhost) -> Vec<BindingView> {
    let (queues, bindings) = vhost.look(|topology| {
        let queues = topology.declarations().map(|(_, queue)| queue.name.clone());
        (queues.collect::<Vec<_>>(), topology.named_bindings())
    });
    let mut all: Vec<_> = queues.iter().map(|queue| implicit(vhost, queue.as_str())).collect();
    all.extend(views(vhost, bindings));
    all
}

async fn all(State(api): State<Arc<Api>>, caller: Caller, Query(query): Query) -> Answer {
    list(query, move |_| api.vhosts(&caller).iter().flat_map(|vhost| of(vhost)).collect()).await
}

async fn of_vhost(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    list(query, move |_| of(&vhost)).await
}

/// The two ends of a binding, as a path names them.
struct Ends {
    source: String,
    to_queue: bool,
    destination: String,
}

impl Ends {
    fn of(source: &str, kind: &str, destination: String) -> Result<Self, Problem> {
        let to_queue = match kind {
            "q" => true,
            "e" => false,
            _ => return Err(Problem::bad_request("a destination is q (queue) or e (exchange)")),
        };
        let destination = if to_queue { destination } else { default_name(&destination).into() };
        Ok(Self { source: default_name(source).into(), to_queue, destination })
    }

    fn target(&self) -> Resource<'_> {
        let name = self.destination.as_str();
        if self.to_queue { Resource::Queue(name) } else { Resource::Exchange(name) }
    }

    fn bindings(&self, vhost: &Vhost) -> Vec<BindingView> {
        let is_it = |binding: &NamedBinding| {
            let to_queue = matches!(binding.destination, NamedDestination::Queue(_));
            to_queue == self.to_queue && binding.destination.name() == self.destination
        };
        if self.source.is_empty() {
            let exists =
                self.to_queue && vhost.look(|topology| topology.queue(&self.destination)).is_some();
            return exists.then(|| implicit(vhost, &self.destination)).into_iter().collect();
        }
        let mut bindings = vhost.look(|topology| topology.bindings_from(&self.source));
        bindings.retain(is_it);
        views(vhost, bindings)
    }

    fn binding(&self, routing_key: String, arguments: Table) -> Binding {
        let (source, destination) = (self.source.clone(), self.destination.clone());
        Binding { source, destination, routing_key, arguments }
    }
}

type BetweenNames = Named<(String, String, String, String)>;
type OneName = Named<(String, String, String, String, String)>;

async fn between(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, source, kind, destination)): BetweenNames,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    let ends = Ends::of(&source, &kind, destination)?;
    list(query, move |_| ends.bindings(&vhost)).await
}

async fn bind(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, source, kind, destination)): BetweenNames,
    fields: Fields,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    let ends = Ends::of(&source, &kind, destination)?;
    let routing_key = fields.text("routing_key")?.unwrap_or_default();
    may.must_bind(&vhost, (&ends.source, ends.target()), &routing_key).await?;
    let arguments = fields.table("arguments")?;
    let name = properties_key(&routing_key, &arguments);
    let binding = ends.binding(routing_key, arguments);
    let position = if ends.to_queue {
        vhost.change(|topology| topology.bind_queue(&binding, NOBODY))?
    } else {
        vhost.change(|topology| topology.bind_exchange(&binding))?
    };
    api.safe(position).await;
    let quoted = |text: &str| utf8_percent_encode(text, QUOTED).to_string();
    let location = format!("{}/{}", quoted(&ends.destination), quoted(&name));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)]).into_response())
}

async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, source, kind, destination, name)): OneName,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    let ends = Ends::of(&source, &kind, destination)?;
    Ok(object(&find(&vhost, &ends, &name)?))
}

fn find(vhost: &Vhost, ends: &Ends, name: &str) -> Result<BindingView, Problem> {
    let mut bindings = ends.bindings(vhost).into_iter();
    bindings.find(|binding| is_named(binding, name)).ok_or_else(Problem::not_found)
}

async fn unbind(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, source, kind, destination, name)): OneName,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    let ends = Ends::of(&source, &kind, destination)?;
    let found = find(&vhost, &ends, &name);
    let key = found.as_ref().map_or("", |found| &found.routing_key);
    may.must_bind(&vhost, (&ends.source, ends.target()), key).await?;
    let found = found?;
    if ends.source.is_empty() {
        return Err(Fault::default_exchange().into());
    }
    let binding = ends.binding(found.routing_key, found.arguments.0);
    let position = if ends.to_queue {
        vhost.change(|topology| topology.unbind_queue(&binding, NOBODY))?
    } else {
        vhost.change(|topology| topology.unbind_exchange(&binding))?
    };
    api.safe(position).await;
    Ok(done())
}

/// Clients that quote less than RabbitMQ's keys do, or nothing, are understood, as there.
fn is_named(binding: &BindingView, name: &str) -> bool {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    binding.properties_key == name || decoded(&binding.properties_key) == decoded(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::table::{TableBuilder, Value};

    /// Compared with RabbitMQ 4.3.6; the hash of arguments is our own.
    #[test]
    fn properties_keys() {
        let none = Table::default();
        for (key, expected) in
            [("", "~"), ("a.#", "a.%23"), ("r k/#", "r+k%2F%23"), ("k k/ü", "k+k%2F%C3%BC")]
        {
            assert_eq!(properties_key(key, &none), expected);
        }
        let arguments = TableBuilder::new().with("a", Value::I64(1)).build();
        let named = properties_key("q", &arguments);
        assert!(named.starts_with("q~") && named.len() == 8, "{named}");
        assert!(properties_key("", &arguments).starts_with('~'));
    }
}
