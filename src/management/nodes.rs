//! The node: what it uses and what it may use.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, columns, object};
use super::api::{Api, NO_ERLANG, RABBITMQ_VERSION};
use super::caller::Monitor;
use super::fields::{Named, Query};
use super::listing::Ages;
use super::overview::{AUTH_MECHANISMS, Context, EXCHANGE_TYPES, Plugin, churn_rates, contexts};
use super::problem::Problem;
use super::routes::Routes;
use crate::metrics::machine::Usage;
use crate::metrics::memory::Breakdown;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/nodes", get(all))
        .route("/nodes/{name}", get(one))
        .route("/nodes/{name}/memory", get(memory))
        .route("/nodes/{name}/memory/relative", get(relative_memory))
}

/// A node as RabbitMQ lists it.
#[derive(Serialize)]
struct NodeView {
    name: String,
    r#type: &'static str,
    running: bool,
    being_drained: bool,
    os_pid: String,
    uptime: u32,
    processors: usize,
    run_queue: u64,
    proc_used: usize,
    proc_total: u64,
    fd_used: u64,
    fd_total: u64,
    sockets_used: usize,
    sockets_total: u64,
    mem_used: u64,
    mem_limit: u64,
    mem_alarm: bool,
    mem_calculation_strategy: &'static str,
    disk_free: u64,
    disk_free_limit: u64,
    disk_free_alarm: bool,
    rates_mode: &'static str,
    context_switches: u64,
    rabbitmq_version: &'static str,
    erlang_version: &'static str,
    erlang_full_version: &'static str,
    crypto_lib_version: &'static str,
    net_ticktime: u32,
    db_dir: String,
    config_files: Vec<String>,
    log_files: Vec<String>,
    enabled_plugins: Vec<&'static str>,
    partitions: Vec<String>,
    applications: Vec<Application>,
    exchange_types: [Plugin; 4],
    auth_mechanisms: [Plugin; 2],
    contexts: Vec<Context>,
    cluster_links: Vec<Value>,
    #[serde(flatten)]
    churn: Map<String, Value>,
}

#[derive(Serialize)]
struct Application {
    name: &'static str,
    description: &'static str,
    version: &'static str,
}

fn view(api: &Api, ages: &Ages) -> NodeView {
    let config = &api.broker.config;
    let usage = Usage::now(&config.data.dir);
    let up = SystemTime::now().duration_since(api.broker.started).unwrap_or_default();
    let shared = &api.broker.shared;
    NodeView {
        name: api.node.clone(),
        r#type: "disc",
        running: true,
        being_drained: !api.broker.control.is_accepting(),
        os_pid: std::process::id().to_string(),
        // RabbitMQ's own Rust client reads 32 bits, which are full after 49 days.
        uptime: u32::try_from(up.as_millis()).unwrap_or(u32::MAX),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        run_queue: 0,
        proc_used: api.broker.peers.len(),
        proc_total: 1_048_576,
        fd_used: usage.descriptors,
        fd_total: usage.descriptors_limit,
        sockets_used: api.broker.peers.len(),
        sockets_total: usage.descriptors_limit,
        mem_used: usage.memory,
        mem_limit: shared.watermark.limit(),
        mem_alarm: shared.is_low_on_memory(),
        mem_calculation_strategy: "rss",
        disk_free: usage.disk_free,
        disk_free_limit: shared.disk.limit(),
        disk_free_alarm: shared.disk.is_low(),
        rates_mode: "basic",
        context_switches: usage.context_switches,
        rabbitmq_version: RABBITMQ_VERSION,
        erlang_version: "none",
        erlang_full_version: NO_ERLANG,
        crypto_lib_version: "none",
        net_ticktime: 60,
        db_dir: config.data.dir.display().to_string(),
        config_files: Vec::new(),
        log_files: vec!["<stderr>".into()],
        enabled_plugins: vec!["rabbitmq_management"],
        partitions: Vec::new(),
        applications: vec![Application {
            name: "warren",
            description: env!("CARGO_PKG_DESCRIPTION"),
            version: env!("CARGO_PKG_VERSION"),
        }],
        exchange_types: EXCHANGE_TYPES,
        auth_mechanisms: AUTH_MECHANISMS,
        contexts: contexts(api),
        cluster_links: Vec::new(),
        churn: churn_rates(api, ages.node),
    }
}

pub(super) fn must_be_here(api: &Api, name: &str) -> Result<(), Problem> {
    if api.node == name { Ok(()) } else { Err(Problem::not_found()) }
}

async fn all(State(api): State<Arc<Api>>, _: Monitor, Query(query): Query) -> Answer {
    let node: Value =
        serde_json::from_slice(&super::listing::one(&view(&api, &query.ages), &query))
            .map_err(Problem::bad_request)?;
    Ok(object(&[node]))
}

async fn one(
    State(api): State<Arc<Api>>,
    _: Monitor,
    Named(name): Named<String>,
    Query(query): Query,
) -> Answer {
    must_be_here(&api, &name)?;
    Ok(columns(&view(&api, &query.ages), &query))
}

/// What memory is used for. It looks at all queues.
async fn breakdown(api: &Arc<Api>) -> Breakdown {
    let api = Arc::clone(api);
    let looked = tokio::task::spawn_blocking(move || Breakdown::look(&api.broker, &api.sampler));
    looked.await.expect("a look does not panic and is not cancelled")
}

async fn memory(State(api): State<Arc<Api>>, _: Monitor, Named(name): Named<String>) -> Answer {
    must_be_here(&api, &name)?;
    let breakdown = breakdown(&api).await;
    let total = breakdown.total;
    let parts = breakdown.parts().iter();
    let mut memory: Map<_, _> =
        parts.map(|part| (part.name.to_owned(), part.bytes.into())).collect();
    memory.insert("strategy".into(), "rss".into());
    memory.insert("total".into(), json!({"rss": total, "allocated": total, "erlang": total}));
    Ok(object(&json!({"memory": memory})))
}

async fn relative_memory(
    State(api): State<Arc<Api>>,
    _: Monitor,
    Named(name): Named<String>,
) -> Answer {
    must_be_here(&api, &name)?;
    let breakdown = breakdown(&api).await;
    let total = breakdown.total.max(1);
    let share = |bytes: u64| (bytes * 100).div_ceil(total);
    let parts = breakdown.parts().iter();
    let mut memory: Map<String, Value> =
        parts.map(|part| (part.name.to_owned(), share(part.bytes).into())).collect();
    memory.insert("total".into(), 100.into());
    Ok(object(&json!({"memory": memory})))
}
