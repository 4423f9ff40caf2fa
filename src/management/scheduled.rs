//! Messages that wait at `x-delayed-message` exchanges.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{delete, get};
use serde::Serialize;

use super::answer::{Answer, done, object};
use super::api::Api;
use super::caller::Caller;
use super::fields::{Flags, Named};
use super::messages::{ContentView, Encoding};
use super::peeking::number;
use super::problem::Problem;
use super::routes::Routes;
use crate::auth::{Resource, Right};
use crate::broker::schedule::{Due, Scheduled};

/// Messages of a page that does not say.
const COUNT: usize = 50;
/// Messages of the longest page.
const MOST: usize = 1000;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/exchanges/{vhost}/{name}/scheduled", get(list))
        .route("/exchanges/{vhost}/{name}/scheduled/{id}", delete(cancel))
}

/// Messages in the order in which they are due.
#[derive(Serialize)]
struct PageView {
    /// How many wait.
    count: usize,
    messages: Vec<ScheduledView>,
    /// The `after` of the next page; null: that was all.
    next_after: Option<String>,
}

#[derive(Serialize)]
struct ScheduledView {
    id: String,
    /// In ms since 1970.
    due_at: u64,
    #[serde(flatten)]
    content: ContentView,
}

/// What a message that waits is called.
fn id_of(due: Due) -> String {
    format!("{}-{}", due.at, due.position)
}

fn due_of(id: &str) -> Option<Due> {
    let (at, position) = id.split_once('-')?;
    Some(Due { at: at.parse().ok()?, position: position.parse().ok()? })
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    asked: Flags,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    let count = vhost.scheduled_count(&name).ok_or_else(Problem::not_found)?;
    may.must_access(Right::Read, Resource::Exchange(&name)).await?;
    let wrong = || Problem::bad_request("after must be the id of a message");
    let after = asked.get("after").map(|id| due_of(id).ok_or_else(wrong)).transpose()?;
    let most = number(&asked, "count")?.unwrap_or(COUNT).min(MOST);
    let truncate = number(&asked, "truncate")?;
    let encoding = Encoding::parse(Some(asked.get("encoding").unwrap_or("auto")))?;
    // Reads files.
    let page = tokio::task::spawn_blocking(move || {
        let scheduled = vhost.scheduled(&name, after, most);
        let view = |each: &Scheduled| ScheduledView {
            id: id_of(each.due),
            due_at: each.due.at,
            content: ContentView::of(&each.message, truncate, encoding),
        };
        let last = scheduled.last().filter(|_| most > 0 && scheduled.len() == most);
        let next_after = last.map(|last| id_of(last.due));
        PageView { count, messages: scheduled.iter().map(view).collect(), next_after }
    });
    Ok(object(&page.await.expect("listing does not panic and is not cancelled")))
}

async fn cancel(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name, id)): Named<(String, String, String)>,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    vhost.scheduled_count(&name).ok_or_else(Problem::not_found)?;
    may.must_access(Right::Write, Resource::Exchange(&name)).await?;
    let cancelled = due_of(&id).is_some_and(|due| vhost.cancel_scheduled(&name, due));
    if !cancelled {
        return Err(Problem::not_found());
    }
    tracing::info!(target: "warren::audit", user = %caller.user, vhost = %vhost.name, exchange = %name,
        id, "scheduled message cancelled");
    Ok(done())
}
