//! Vhosts, with what is in them and went through them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, columns, done, list, object, put as put_answer};
use super::api::Api;
use super::caller::{Administrator, Caller};
use super::fields::{Fields, Named, Query};
use super::listing::{Ages, NameFilter, Row};
use super::permissions::put_permission;
use super::problem::Problem;
use super::rates::{Details, Lengths, MessageStatsView, Rates};
use super::routes::Routes;
use crate::broker::vhost::Vhost;
use crate::broker::vhost_rules::Put;
use crate::broker::vhosts::NotDeleted;
use crate::metrics::figures::{FIGURES, VhostTotals};
use crate::metrics::sampler;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/vhosts", get(all))
        .route("/vhosts/{vhost}", get(one).put(put).delete(delete))
        .route(
            "/vhosts/{vhost}/deletion/protection",
            get(protection).post(protect).delete(unprotect),
        )
        .route("/vhosts/{vhost}/start/{node}", post(start))
}

/// A vhost as RabbitMQ lists it.
#[derive(Serialize)]
struct VhostView {
    name: String,
    description: String,
    tags: Vec<String>,
    default_queue_type: &'static str,
    tracing: bool,
    protected_from_deletion: bool,
    metadata: Value,
    cluster_state: BTreeMap<String, &'static str>,
    #[serde(flatten)]
    lengths: Lengths,
    recv_oct: u64,
    recv_oct_details: Details,
    send_oct: u64,
    send_oct_details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_stats: Option<MessageStatsView>,
}

impl Row for VhostView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

fn view(api: &Api, vhost: &Vhost, ages: &Ages) -> VhostView {
    let totals = VhostTotals::of(&api.broker, vhost);
    api.sampler.read(|seen| {
        let now = sampler::now();
        let rates = Rates::of(&seen.vhosts, &vhost.name, now);
        let bytes = Rates::of(&seen.vhost_bytes, &vhost.name, now);
        render(api, vhost, &totals, (rates, bytes), ages)
    })
}

fn render(
    api: &Api,
    vhost: &Vhost,
    totals: &VhostTotals,
    (rates, bytes): (Rates<'_, FIGURES>, Rates<'_, 2>),
    ages: &Ages,
) -> VhostView {
    let figures = totals.figures();
    let properties = vhost.properties();
    VhostView {
        name: vhost.name.to_string(),
        metadata: properties.metadata(),
        default_queue_type: properties.default_kind().name(),
        description: properties.description,
        tags: properties.tags,
        tracing: properties.tracing,
        protected_from_deletion: properties.protected,
        cluster_state: BTreeMap::from([(api.node.clone(), "running")]),
        lengths: Lengths::of(&figures, rates, ages),
        recv_oct: totals.received_bytes,
        recv_oct_details: bytes.details(0, totals.received_bytes, ages.data),
        send_oct: totals.sent_bytes,
        send_oct_details: bytes.details(1, totals.sent_bytes, ages.data),
        message_stats: MessageStatsView::of(figures, rates, ages),
    }
}

async fn all(State(api): State<Arc<Api>>, caller: Caller, Query(query): Query) -> Answer {
    list(query, move |query| {
        api.vhosts(&caller).iter().map(|vhost| view(&api, vhost, &query.ages)).collect()
    })
    .await
}

async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    Ok(columns(&view(&api, &vhost, &query.ages), &query))
}

async fn put(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
    fields: Fields,
) -> Answer {
    let put = api.broker.put_vhost(&name, fields.as_map())?;
    if put == Put::Created {
        give_everything(&api, &name, caller.user.as_str()).await?;
    }
    api.safe(api.broker.shared.last_row()).await;
    Ok(put_answer(put == Put::Created))
}

/// Whoever makes a vhost may do everything in it, as with RabbitMQ.
async fn give_everything(api: &Api, vhost: &str, user: &str) -> Result<(), Problem> {
    let all = ["configure", "write", "read"].map(|may| (may.to_owned(), ".*".into()));
    let fields = Fields::of(all.into_iter().collect());
    put_permission(api, vhost, user, &fields, user).await.map(|_| ())
}

async fn delete(
    State(api): State<Arc<Api>>,
    Administrator(_): Administrator,
    Named(name): Named<String>,
) -> Answer {
    api.broker.delete_vhost(&name).map_err(|why| match why {
        NotDeleted::Missing(_) => Problem::not_found(),
        NotDeleted::Protected(_) => {
            let status = StatusCode::PRECONDITION_FAILED;
            Problem::new(status, "precondition_failed", why.to_string())
        }
    })?;
    let position = api.broker.auth.vhost_deleted(&name);
    api.safe(position.max(api.broker.shared.last_row())).await;
    Ok(done())
}

async fn protection(
    State(api): State<Arc<Api>>,
    Administrator(_): Administrator,
    Named(name): Named<String>,
) -> Answer {
    let vhost = api.broker.vhost(&name).ok_or_else(Problem::not_found)?;
    let protected = vhost.properties().protected;
    Ok(object(&json!({"name": name, "protected_from_deletion": protected})))
}

async fn protect(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(name): Named<String>,
) -> Answer {
    set_protection(&api, &name, true).await
}

async fn unprotect(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(name): Named<String>,
) -> Answer {
    set_protection(&api, &name, false).await
}

async fn set_protection(api: &Api, name: &str, protected: bool) -> Answer {
    api.broker.vhost(name).ok_or_else(Problem::not_found)?.protect(protected);
    api.safe(api.broker.shared.last_row()).await;
    Ok(done())
}

/// A vhost that exists runs.
async fn start(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named((name, node)): Named<(String, String)>,
) -> Answer {
    let exists = api.broker.vhost(&name).is_some() && node == api.node;
    if exists { Ok(done()) } else { Err(Problem::not_found()) }
}
