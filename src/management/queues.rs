//! Queues: declared, deleted, purged, listed with what they hold.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{delete, get, post};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, columns, done, list, put as put_answer};
use super::api::Api;
use super::bindings::{self, NOBODY};
use super::caller::{Administrator, Caller};
use super::connections::ConnectionDetails;
use super::consumers::{self, ConsumerView};
use super::fields::{Fields, Flags, Named, Query};
use super::listing::{ListQuery, NameFilter, Row};
use super::parts::{self, Part};
use super::problem::Problem;
use super::rates::{Lengths, MessageStatsView, Rates};
use super::routes::Routes;
use super::tables::Arguments;
use crate::auth::{Resource, Right};
use crate::broker::live_queue::{Counts, LiveQueue};
use crate::broker::vhost::Vhost;
use crate::metrics::figures::{FIGURES, READY, UNACKED, of_queue};
use crate::metrics::sampler;
use crate::policy::Governing;
use crate::protocol::fault::Fault;
use crate::queue::Undeletable;
use crate::queue::options::{Declaration, Declared};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/queues", get(all))
        .route("/queues/detailed", get(all))
        .route("/queues/{vhost}", get(of_vhost))
        .route("/queues/{vhost}/{name}", get(one).put(declare).delete(delete_queue))
        .route("/queues/{vhost}/{name}/bindings", get(bindings_to))
        .route("/queues/{vhost}/{name}/contents", delete(purge))
        .route("/queues/{vhost}/{name}/actions", post(act))
        .route("/rebalance/queues", post(rebalance))
}

/// A queue as RabbitMQ lists it.
#[derive(Serialize)]
struct QueueView {
    name: String,
    vhost: String,
    r#type: &'static str,
    durable: bool,
    auto_delete: bool,
    exclusive: bool,
    arguments: Arguments,
    node: String,
    state: &'static str,
    policy: Option<String>,
    operator_policy: Option<String>,
    effective_policy_definition: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_pid_details: Option<ConnectionDetails>,
    #[serde(flatten)]
    lengths: Option<Lengths>,
    #[serde(flatten)]
    totals: Option<Totals>,
    #[serde(flatten)]
    stats: Option<Stats>,
}

/// How many messages a queue has, where nothing else is told.
#[derive(Serialize)]
struct Totals {
    messages: u64,
    messages_ready: u64,
    messages_unacknowledged: u64,
}

/// What else a queue has and has counted.
#[derive(Serialize)]
struct Stats {
    messages_ram: usize,
    messages_ready_ram: usize,
    messages_unacknowledged_ram: usize,
    messages_persistent: u64,
    message_bytes: u64,
    message_bytes_ready: u64,
    message_bytes_unacknowledged: u64,
    message_bytes_ram: u64,
    message_bytes_persistent: u64,
    memory: u64,
    consumers: usize,
    consumer_utilisation: f64,
    consumer_capacity: f64,
    /// Messages that came back and wait to be tried again (`x-retry-delay`).
    messages_delayed: usize,
    /// Messages that repeated one, and were left out (`x-message-deduplication`).
    messages_deduplicated: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_stats: Option<MessageStatsView>,
}

impl Row for QueueView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

/// One queue, with what only it shows.
#[derive(Serialize)]
struct QueuePage {
    #[serde(flatten)]
    queue: QueueView,
    consumer_details: Vec<ConsumerView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incoming: Option<Vec<Part<1>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<Part<8>>>,
}

fn stats(counts: &Counts, message_stats: Option<MessageStatsView>) -> Stats {
    let waits = counts.ready > 0;
    let capacity = if waits || counts.consumers == 0 { 0.0 } else { 1.0 };
    Stats {
        messages_ram: counts.in_memory,
        messages_ready_ram: counts.in_memory - counts.unacked,
        messages_unacknowledged_ram: counts.unacked,
        messages_persistent: counts.lasting.messages,
        message_bytes: counts.body_bytes,
        message_bytes_ready: counts.body_bytes - counts.unacked_bytes,
        message_bytes_unacknowledged: counts.unacked_bytes,
        message_bytes_ram: counts.bytes_in_memory,
        message_bytes_persistent: counts.lasting.bytes,
        memory: counts.memory(),
        consumers: counts.consumers,
        consumer_utilisation: capacity,
        consumer_capacity: capacity,
        messages_delayed: counts.delayed,
        messages_deduplicated: counts.duplicates,
        message_stats,
    }
}

fn view(
    api: &Api,
    (declaration, governing): (&Declaration, &Governing),
    queue: &LiveQueue,
    query: &ListQuery,
    rates: Rates<'_, FIGURES>,
) -> QueueView {
    let counts = queue.counts();
    let figures = of_queue(&counts);
    let owner = declaration.declared.owner;
    let totals = Totals {
        messages: figures[READY] + figures[UNACKED],
        messages_ready: figures[READY],
        messages_unacknowledged: figures[UNACKED],
    };
    let with_stats = !query.disable_stats;
    QueueView {
        name: declaration.name.to_string(),
        vhost: declaration.vhost.to_string(),
        r#type: declaration.kind().unwrap_or_default().name(),
        durable: declaration.declared.durable,
        auto_delete: declaration.declared.auto_delete,
        exclusive: owner.is_some(),
        arguments: Arguments(declaration.arguments.clone()),
        node: api.node.clone(),
        state: if counts.paused { "paused" } else { "running" },
        policy: governing.policy.as_ref().map(|policy| policy.name.clone()),
        operator_policy: governing.operator.as_ref().map(|policy| policy.name.clone()),
        effective_policy_definition: governing.definition().as_map().clone(),
        owner_pid_details: owner
            .and_then(|owner| api.broker.peers.get(owner))
            .map(|peer| ConnectionDetails::of(&peer)),
        lengths: with_stats.then(|| Lengths::of(&figures, rates, &query.ages)),
        totals: (!with_stats && query.enable_queue_totals).then_some(totals),
        stats: with_stats
            .then(|| stats(&counts, MessageStatsView::of(figures, rates, &query.ages))),
    }
}

fn of(api: &Api, vhost: &Vhost, query: &ListQuery) -> Vec<QueueView> {
    let live = vhost.live_queues();
    let governing = vhost.governing_all();
    let none = Governing::default();
    let now = sampler::now();
    api.sampler.read(|seen| {
        let rates = |queue: &LiveQueue| Rates::of(&seen.queues, &queue.id, now);
        live.iter()
            .map(|(declaration, queue)| {
                let governing = governing.get(&queue.id).unwrap_or(&none);
                view(api, (declaration, governing), queue, query, rates(queue))
            })
            .collect()
    })
}

/// The queue of a name, whoever it belongs to.
pub(super) fn find(vhost: &Vhost, name: &str) -> Result<(Declaration, Arc<LiveQueue>), Problem> {
    let declared = vhost.look(|topology| {
        let id = topology.queue(name)?;
        Some((id, topology.declaration(id)?.clone()))
    });
    let (id, declaration) = declared.ok_or_else(Problem::not_found)?;
    Ok((declaration, vhost.live(id).ok_or_else(Problem::not_found)?))
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
    let (declaration, queue) = find(&vhost, &name)?;
    if query.ages.any() {
        api.sampler.watch_queue(queue.id);
    }
    let governing = vhost.governing(&queue);
    let seen = api.sampler.read(|seen| {
        let rates = Rates::of(&seen.queues, &queue.id, sampler::now());
        view(&api, (&declaration, &governing), &queue, &query, rates)
    });
    let with_stats = !query.disable_stats;
    let page = QueuePage {
        queue: seen,
        consumer_details: consumers::of_queue(&api, &vhost, &queue),
        incoming: with_stats.then(|| parts::into_queue(&api, &vhost, queue.id)),
        deliveries: with_stats.then(|| parts::out_of_queue(&api, &vhost, &queue)),
    };
    Ok(columns(&page, &query))
}

async fn declare(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    if api.broker.vhost(&vhost).is_none() {
        return Err(Problem::missing("vhost_not_found"));
    }
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    may.must(Right::Configure, Resource::Queue(&name)).await?;
    let declared = Declared {
        durable: fields.flag("durable", false)?,
        auto_delete: fields.flag("auto_delete", false)?,
        owner: None,
        server_named: false,
    };
    let arguments = fields.table("arguments")?;
    let is_new = vhost.look(|topology| topology.queue(&name)).is_none();
    if is_new {
        let queue = Resource::Queue(&name);
        may.must_pass_on(queue, &arguments, "x-dead-letter-exchange").await?;
    }
    let wanted = Declaration::new(
        vhost.name.clone(),
        name.as_str().into(),
        declared,
        &arguments,
        vhost.properties().default_kind(),
    );
    let (_, position) = vhost.declare_queue(wanted)?;
    api.safe(position).await;
    Ok(put_answer(is_new))
}

async fn delete_queue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    flags: Flags,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    find(&vhost, &name)?;
    may.must(Right::Configure, Resource::Queue(&name)).await?;
    let queue = vhost.queue_for(&name, NOBODY)?;
    let deleted = vhost.delete_queue(&queue, flags.has("if-unused"), flags.has("if-empty"));
    let (_, position) = deleted.map_err(|why| match why {
        Undeletable::InUse => Fault::in_use("queue", &name, &vhost.name),
        Undeletable::NotEmpty => Fault::not_empty(&name, &vhost.name),
    })?;
    api.safe(position).await;
    Ok(done())
}

async fn bindings_to(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    // A queue that is not there has none, as in RabbitMQ (which lists its implicit one): tools look
    // here before they unbind.
    let exists = vhost.look(|topology| topology.queue(&name)).is_some();
    list(query, move |_| {
        let mut all: Vec<_> =
            exists.then(|| bindings::implicit(&vhost, &name)).into_iter().collect();
        let bound = vhost.look(|topology| topology.bindings_to_queue(&name));
        all.extend(bindings::views(&vhost, bound));
        all
    })
    .await
}

async fn purge(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    find(&vhost, &name)?;
    may.must(Right::Read, Resource::Queue(&name)).await?;
    vhost.queue_for(&name, NOBODY)?.purge();
    Ok(done())
}

/// There is nothing to synchronise on one node; RabbitMQ knows no action any more either.
async fn act(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named((vhost, name)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    find(&vhost, &name)?;
    fields.must_have(&["action"])?;
    let action = fields.text("action")?;
    Err(Problem::bad_request_value(json!(["unknown", action])))
}

async fn rebalance(_: Administrator) -> Answer {
    Ok(done())
}
