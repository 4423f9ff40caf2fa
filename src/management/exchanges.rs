//! Exchanges: declared, deleted, listed with what went through them.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::answer::{Answer, columns, done, list, put as put_answer};
use super::api::Api;
use super::bindings;
use super::caller::Caller;
use super::fields::{Fields, Flags, Named, Query};
use super::listing::{Ages, ListQuery, NameFilter, Row};
use super::parts::{self, Part};
use super::problem::Problem;
use super::rates::{Details, Rates};
use super::routes::Routes;
use super::tables::Arguments;
use crate::auth::{Resource, Right};
use crate::broker::exchange_traffic::Which;
use crate::broker::vhost::Vhost;
use crate::metrics::sampler;
use crate::protocol::request::DeclareExchange;
use crate::routing::Kind;
use crate::topology::Topology;
use crate::topology::exchange_options::ExchangeDeclaration;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/exchanges", get(all))
        .route("/exchanges/{vhost}", get(of_vhost))
        .route("/exchanges/{vhost}/{name}", get(one).put(declare).delete(delete))
        .route("/exchanges/{vhost}/{name}/bindings/source", get(bindings_from))
        .route("/exchanges/{vhost}/{name}/bindings/destination", get(bindings_to))
}

/// The default exchange has no name, and `amq.default` where a path needs one.
pub(super) fn default_name(name: &str) -> &str {
    if name == "amq.default" { "" } else { name }
}

/// An exchange as RabbitMQ lists it.
#[derive(Serialize)]
struct ExchangeView {
    name: String,
    vhost: String,
    r#type: &'static str,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: Arguments,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_who_performed_action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_stats: Option<PassedView>,
    /// Messages that wait at an `x-delayed-message` exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages_delayed: Option<usize>,
    #[serde(skip)]
    id: Which,
}

impl Row for ExchangeView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

/// How many messages came to an exchange, and how many copies left it to queues.
#[derive(Serialize)]
struct PassedView {
    publish_in: u64,
    publish_in_details: Details,
    publish_out: u64,
    publish_out_details: Details,
}

impl PassedView {
    /// Nothing, if nothing was ever counted.
    fn of([came_in, went_out]: [u64; 2], rates: Rates<'_, 2>, ages: &Ages) -> Option<Self> {
        (came_in > 0).then(|| Self {
            publish_in: came_in,
            publish_in_details: rates.details(0, came_in, ages.rates),
            publish_out: went_out,
            publish_out_details: rates.details(1, went_out, ages.rates),
        })
    }
}

/// One exchange, with what only it shows.
#[derive(Serialize)]
struct ExchangePage {
    #[serde(flatten)]
    exchange: ExchangeView,
    #[serde(skip_serializing_if = "Option::is_none")]
    incoming: Option<Vec<Part<4>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outgoing: Option<Vec<Part<1>>>,
}

fn view(topology: &Topology, declaration: &ExchangeDeclaration) -> ExchangeView {
    let governing = topology.governing_exchange(declaration.name.as_str());
    let predeclared = declaration.name.as_str().starts_with("amq.");
    ExchangeView {
        name: declaration.name.to_string(),
        vhost: declaration.vhost.to_string(),
        r#type: declaration.kind.as_str(),
        durable: declaration.durable,
        auto_delete: declaration.auto_delete,
        internal: declaration.internal,
        arguments: Arguments(declaration.arguments.clone()),
        policy: governing.policy.map(|policy| policy.name.clone()),
        user_who_performed_action: predeclared.then_some("rmq-internal"),
        message_stats: None,
        messages_delayed: None,
        id: topology.exchange_id(declaration.name.as_str()),
    }
}

/// The default exchange, which is there without being declared.
fn default_exchange(vhost: &Vhost) -> ExchangeView {
    ExchangeView {
        name: String::new(),
        vhost: vhost.name.to_string(),
        r#type: "direct",
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: Arguments::default(),
        policy: None,
        user_who_performed_action: Some("rmq-internal"),
        message_stats: None,
        messages_delayed: None,
        id: None,
    }
}

fn of(api: &Api, vhost: &Vhost, query: &ListQuery) -> Vec<ExchangeView> {
    let mut all = vec![default_exchange(vhost)];
    vhost.look(|topology| all.extend(topology.exchanges().map(|each| view(topology, each))));
    count(api, vhost, &mut all, query);
    all
}

/// Says of exchanges what went through them, unless that is not wanted.
fn count(api: &Api, vhost: &Vhost, exchanges: &mut [ExchangeView], query: &ListQuery) {
    if query.disable_stats {
        return;
    }
    let now = sampler::now();
    api.sampler.read(|seen| {
        for exchange in exchanges {
            let numbers = vhost.exchange_traffic.numbers(exchange.id);
            let rates = Rates::of(&seen.exchanges, &(vhost.name.clone(), exchange.id), now);
            exchange.message_stats = PassedView::of(numbers, rates, &query.ages);
            let delays = exchange.r#type == Kind::Delayed.as_str();
            exchange.messages_delayed =
                delays.then(|| vhost.scheduled_count(&exchange.name)).flatten();
        }
    });
}

fn find(vhost: &Vhost, name: &str) -> Result<ExchangeView, Problem> {
    match default_name(name) {
        "" => Ok(default_exchange(vhost)),
        name => {
            let found = vhost
                .look(|topology| topology.exchange_named(name).map(|each| view(topology, each)));
            found.ok_or_else(Problem::not_found)
        }
    }
}

async fn all(State(api): State<Arc<Api>>, caller: Caller, Query(query): Query) -> Answer {
    list(query, move |query| {
        api.vhosts(&caller).iter().flat_map(|vhost| of(&api, vhost, query)).collect()
    })
    .await
}

async fn of_vhost(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    list(query, move |query| of(&api, &vhost, query)).await
}

async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    let mut exchange = find(&vhost, &name)?;
    if query.ages.any() {
        api.sampler.watch_exchange(&(vhost.name.clone(), exchange.id));
    }
    count(&api, &vhost, std::slice::from_mut(&mut exchange), &query);
    let (which, with_stats) = (exchange.id, !query.disable_stats);
    let page = ExchangePage {
        exchange,
        incoming: with_stats.then(|| parts::into_exchange(&api, &vhost, which)),
        outgoing: with_stats.then(|| parts::out_of_exchange(&api, &vhost, which)),
    };
    Ok(columns(&page, &query))
}

async fn declare(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    may.must(Right::Configure, Resource::Exchange(default_name(&name))).await?;
    let declare = DeclareExchange {
        exchange: default_name(&name).to_owned(),
        kind: fields.text("type")?.unwrap_or_else(|| "direct".into()),
        passive: false,
        durable: fields.flag("durable", false)?,
        auto_delete: fields.flag("auto_delete", false)?,
        internal: fields.flag("internal", false)?,
        arguments: fields.table("arguments")?,
    };
    let there = |topology: &Topology| topology.exchange_named(&declare.exchange).is_some();
    if !vhost.look(there) {
        let exchange = Resource::Exchange(&declare.exchange);
        may.must_pass_on(exchange, &declare.arguments, "alternate-exchange").await?;
    }
    let mut is_new = false;
    let position = vhost.change(|topology| {
        is_new = !there(topology);
        topology.declare_exchange(&declare)
    })?;
    api.safe(position).await;
    Ok(put_answer(is_new))
}

async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    flags: Flags,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    find(&vhost, &name)?;
    may.must(Right::Configure, Resource::Exchange(default_name(&name))).await?;
    let (name, if_unused) = (default_name(&name), flags.has("if-unused"));
    let position = vhost.change(|topology| topology.delete_exchange(name, if_unused))?;
    api.safe(position).await;
    Ok(done())
}

async fn bindings_from(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    find(&vhost, &name)?;
    list(query, move |_| match default_name(&name) {
        "" => {
            let queues = vhost.look(|topology| {
                let names = topology.declarations().map(|(_, queue)| queue.name.clone());
                names.collect::<Vec<_>>()
            });
            queues.iter().map(|queue| bindings::implicit(&vhost, queue.as_str())).collect()
        }
        name => bindings::views(&vhost, vhost.look(|topology| topology.bindings_from(name))),
    })
    .await
}

async fn bindings_to(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    find(&vhost, &name)?;
    list(query, move |_| {
        let name = default_name(&name);
        bindings::views(&vhost, vhost.look(|topology| topology.bindings_to_exchange(name)))
    })
    .await
}
