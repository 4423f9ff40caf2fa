//! The whole broker at a glance.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, columns};
use super::api::{Api, NO_ERLANG, Ports, RABBITMQ_VERSION};
use super::caller::Caller;
use super::fields::Query;
use super::listing::Ages;
use super::rates::{Lengths, MessageStatsView, Rates};
use super::routes::Routes;
use crate::metrics::figures::VhostTotals;
use crate::metrics::history::Span;
use crate::metrics::sampler;

pub(super) fn routes() -> Routes {
    Routes::new().route("/overview", get(overview))
}

/// An exchange type, or an authentication mechanism.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Plugin {
    name: &'static str,
    description: &'static str,
    enabled: bool,
}

const fn plugin(name: &'static str, description: &'static str) -> Plugin {
    Plugin { name, description, enabled: true }
}

/// What exchanges there may be.
pub(super) const EXCHANGE_TYPES: [Plugin; 4] = [
    plugin("direct", "AMQP direct exchange, as per the AMQP specification"),
    plugin("fanout", "AMQP fanout exchange, as per the AMQP specification"),
    plugin("headers", "AMQP headers exchange, as per the AMQP specification"),
    plugin("topic", "AMQP topic exchange, as per the AMQP specification"),
];

/// How clients may log in.
pub(super) const AUTH_MECHANISMS: [Plugin; 2] = [
    plugin("PLAIN", "SASL PLAIN authentication mechanism"),
    plugin("AMQPLAIN", "QPid AMQPLAIN mechanism"),
];

/// `GET /overview`
#[derive(Serialize)]
struct Overview {
    management_version: &'static str,
    rates_mode: &'static str,
    sample_retention_policies: Retention,
    exchange_types: [Plugin; 4],
    product_name: &'static str,
    product_version: &'static str,
    rabbitmq_version: &'static str,
    cluster_name: String,
    cluster_tags: Map<String, Value>,
    node_tags: Map<String, Value>,
    erlang_version: &'static str,
    erlang_full_version: &'static str,
    crypto_lib_version: &'static str,
    release_series_support_status: &'static str,
    disable_stats: bool,
    default_queue_type: &'static str,
    is_op_policy_updating_enabled: bool,
    enable_queue_totals: bool,
    message_stats: MessageStatsView,
    churn_rates: Value,
    queue_totals: Lengths,
    object_totals: ObjectTotals,
    statistics_db_event_queue: u64,
    node: String,
    listeners: Vec<Listener>,
    contexts: Vec<Context>,
    /// Not in RabbitMQ: the alarms that are up, as its health check lists them.
    alarms: Vec<Value>,
}

/// For how many seconds samples are kept.
#[derive(Serialize)]
struct Retention {
    global: [u32; 4],
    basic: [u32; 2],
    detailed: [u32; 1],
}

#[derive(Serialize)]
struct ObjectTotals {
    connections: usize,
    channels: usize,
    exchanges: usize,
    queues: usize,
    consumers: usize,
}

/// A port that clients connect to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Listener {
    node: String,
    pub(super) protocol: &'static str,
    ip_address: String,
    pub(super) port: u16,
    socket_opts: Map<String, Value>,
}

/// A port of HTTP.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Context {
    node: String,
    description: &'static str,
    path: String,
    ip: String,
    port: String,
}

/// The ports that there are.
pub(super) fn listeners(api: &Api) -> Vec<Listener> {
    let Ports { amqp, amqps, http, https, prometheus, prometheus_tls } = api.ports;
    let all = [
        ("amqp", Some(amqp)),
        ("amqp/ssl", amqps),
        ("http", Some(http)),
        ("https", https),
        ("http/prometheus", Some(prometheus)),
        ("https/prometheus", prometheus_tls),
    ];
    let listener = |(protocol, address): (&'static str, Option<SocketAddr>)| {
        let address = address?;
        Some(Listener {
            node: api.node.clone(),
            protocol,
            ip_address: address.ip().to_string(),
            port: address.port(),
            socket_opts: Map::new(),
        })
    };
    all.into_iter().filter_map(listener).collect()
}

/// The ports of HTTP.
pub(super) fn contexts(api: &Api) -> Vec<Context> {
    let context = |address: SocketAddr| Context {
        node: api.node.clone(),
        description: "Warren management",
        path: format!("{}/", api.config().path_prefix.trim_end_matches('/')),
        ip: address.ip().to_string(),
        port: address.port().to_string(),
    };
    [Some(api.ports.http), api.ports.https].into_iter().flatten().map(context).collect()
}

/// What the numbers of [`sampler::churn`] are called.
const CHURN: [&str; sampler::CHURN] = [
    "connection_created",
    "connection_closed",
    "channel_created",
    "channel_closed",
    "queue_declared",
    "queue_created",
    "queue_deleted",
];

/// How much comes and goes, each with its rate.
pub(super) fn churn_rates(api: &Api, span: Option<Span>) -> Map<String, Value> {
    let counted = sampler::churn(&api.broker.shared.churn);
    let mut rates = Map::new();
    api.sampler.read(|seen| {
        let known = Rates::from(&seen.churn.0, sampler::now());
        for (which, name) in CHURN.into_iter().enumerate() {
            rates.insert(name.into(), counted[which].into());
            let details = known.details(which, counted[which], span);
            rates.insert(format!("{name}_details"), json!(details));
        }
    });
    rates
}

async fn overview(State(api): State<Arc<Api>>, caller: Caller, Query(query): Query) -> Answer {
    let seen =
        tokio::task::spawn_blocking(move || columns(&view(&api, &caller, &query.ages), &query));
    Ok(seen.await.expect("an overview does not panic and is not cancelled"))
}

fn view(api: &Api, caller: &Caller, ages: &Ages) -> Overview {
    let vhosts = api.vhosts(caller);
    let mut totals = VhostTotals::default();
    for vhost in &vhosts {
        totals.add(&VhostTotals::of(&api.broker, vhost));
    }
    let figures = totals.figures();
    let (message_stats, queue_totals) = api.sampler.read(|seen| {
        // Who sees but some vhosts sees no rates: those that are kept are of all together.
        let all = Rates::from(&seen.overall.0, sampler::now());
        let rates = if caller.is_monitor() { all } else { Rates::none() };
        (MessageStatsView::always(figures, rates, ages), Lengths::of(&figures, rates, ages))
    });
    let peers = super::connections::peers(api, caller);
    // Each vhost has its default exchange, which is not declared.
    let exchanges = vhosts.iter().map(|vhost| vhost.look(|t| t.exchange_count()) + 1).sum();
    Overview {
        management_version: RABBITMQ_VERSION,
        rates_mode: "basic",
        sample_retention_policies: Retention {
            global: [600, 3600, 28_800, 86_400],
            basic: [600, 3600],
            detailed: [600],
        },
        exchange_types: EXCHANGE_TYPES,
        product_name: "Warren",
        product_version: env!("CARGO_PKG_VERSION"),
        rabbitmq_version: RABBITMQ_VERSION,
        cluster_name: api.cluster_name(),
        cluster_tags: Map::new(),
        node_tags: Map::new(),
        erlang_version: "none",
        erlang_full_version: NO_ERLANG,
        crypto_lib_version: "none",
        release_series_support_status: "supported",
        disable_stats: false,
        default_queue_type: "classic",
        is_op_policy_updating_enabled: true,
        enable_queue_totals: false,
        message_stats,
        churn_rates: Value::Object(churn_rates(api, ages.rates)),
        queue_totals,
        object_totals: ObjectTotals {
            connections: peers.len(),
            channels: peers.iter().map(|peer| peer.channel_count()).sum(),
            exchanges,
            queues: totals.queues,
            consumers: totals.consumers,
        },
        statistics_db_event_queue: 0,
        node: api.node.clone(),
        listeners: listeners(api),
        contexts: contexts(api),
        alarms: super::health::raised(api),
    }
}
