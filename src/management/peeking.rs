//! A look into a queue, and holding it still: what RabbitMQ has no endpoints for.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use serde::Serialize;

use super::answer::{Answer, done, object};
use super::api::Api;
use super::bindings::NOBODY;
use super::caller::Caller;
use super::fields::{Flags, Named};
use super::messages::{ContentView, Encoding};
use super::problem::Problem;
use super::queues::find;
use super::routes::Routes;
use crate::auth::{Resource, Right};
use crate::broker::live_queue::{Page, Peek};
use crate::queue::due::NEVER;
use crate::queue::filter::Filter;
use crate::queue::peek::{Peeked, Standing};
use crate::wire::content::{Property, property};

/// Messages of a page that does not say.
const COUNT: usize = 50;
/// Messages of the longest page.
const MOST: usize = 1000;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/queues/{vhost}/{name}/pause", put(pause))
        .route("/queues/{vhost}/{name}/resume", put(resume))
        .route("/queues/{vhost}/{name}/peek", get(peek))
}

/// Messages in the order in which they came.
#[derive(Serialize)]
struct PageView {
    messages: Vec<PeekedView>,
    /// The `offset` of the next page; null: that was all.
    next_offset: Option<u64>,
    /// How many messages were looked at.
    scanned: usize,
    /// How many the queue has by now.
    message_count: usize,
}

/// A message in its place.
#[derive(Serialize)]
struct PeekedView {
    position: u64,
    state: &'static str,
    /// In ms since 1970, if it waits for that.
    retry_at: Option<u64>,
    redelivered: bool,
    /// How often it was handed out and came back.
    delivery_count: u64,
    /// In ms since 1970, if it expires.
    expires_at: Option<u64>,
    /// In ms since 1970, if its publisher said so.
    published_at: Option<u64>,
    #[serde(flatten)]
    content: ContentView,
}

async fn pause(state: State<Arc<Api>>, caller: Caller, name: Named<(String, String)>) -> Answer {
    set_paused(state, caller, name, true).await
}

async fn resume(state: State<Arc<Api>>, caller: Caller, name: Named<(String, String)>) -> Answer {
    set_paused(state, caller, name, false).await
}

async fn set_paused(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    paused: bool,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    find(&vhost, &name)?;
    may.must(Right::Configure, Resource::Queue(&name)).await?;
    let queue = vhost.queue_for(&name, NOBODY)?;
    let position = vhost.pause_queue(&queue, paused);
    let done_what = if paused { "queue paused" } else { "queue resumed" };
    tracing::info!(target: "warren::audit", user = %caller.user, vhost = %vhost.name, queue = %name, "{done_what}");
    api.safe(position).await;
    Ok(done())
}

async fn peek(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    asked: Flags,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    let (_, queue) = find(&vhost, &name)?;
    may.must_access(Right::Read, Resource::Queue(&name)).await?;
    let wanted = Peek {
        from: number(&asked, "offset")?.unwrap_or(0),
        count: number(&asked, "count")?.unwrap_or(COUNT).min(MOST),
        filter: asked.get("filter").and_then(Filter::parse),
    };
    let truncate = number(&asked, "truncate")?;
    let encoding = Encoding::parse(Some(asked.get("encoding").unwrap_or("auto")))?;
    // What memory has no room for is read from disk.
    let page = tokio::task::spawn_blocking(move || {
        let page = queue.peek(&wanted)?;
        let counts = queue.counts();
        Ok(page_view(&page, counts.ready + counts.unacked + counts.delayed, truncate, encoding))
    });
    let page = page.await.expect("looking does not panic and is not cancelled");
    Ok(object(&page.map_err(unreadable)?))
}

pub(super) fn unreadable(why: crate::store::CannotFetch) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", why.to_string())
}

/// A number of a query.
pub(super) fn number<N: std::str::FromStr>(
    asked: &Flags,
    name: &str,
) -> Result<Option<N>, Problem> {
    let wrong = || Problem::bad_request(format_args!("{name} must be a number, 0 or more"));
    asked.get(name).map(|text| text.parse().map_err(|_| wrong())).transpose()
}

fn page_view(
    page: &Page,
    message_count: usize,
    truncate: Option<usize>,
    encoding: Encoding,
) -> PageView {
    let view = |peeked: &Peeked| PeekedView {
        position: peeked.position,
        state: match peeked.standing {
            Standing::Ready => "ready",
            Standing::Unacked => "unacked",
            Standing::Delayed { .. } => "delayed",
        },
        retry_at: match peeked.standing {
            Standing::Delayed { until } => Some(until),
            Standing::Ready | Standing::Unacked => None,
        },
        redelivered: peeked.deliveries.returned() > 0,
        delivery_count: peeked.deliveries.returned(),
        expires_at: (peeked.due != NEVER).then_some(peeked.due),
        published_at: published_at(peeked),
        content: ContentView::of(&peeked.message, truncate, encoding),
    };
    PageView {
        messages: page.messages.iter().map(view).collect(),
        next_offset: page.next,
        scanned: page.scanned,
        message_count,
    }
}

fn published_at(peeked: &Peeked) -> Option<u64> {
    let seconds = property(peeked.message.header(), Property::Timestamp)?;
    u64::from_be_bytes(seconds.try_into().ok()?).checked_mul(1000)
}
