//! Messages moved from a queue to elsewhere, and back to where they died.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use serde_json::{Value, json};

use super::answer::{Answer, object};
use super::api::Api;
use super::bindings::NOBODY;
use super::caller::Caller;
use super::exchanges::default_name;
use super::fields::{Fields, Named};
use super::peeking::unreadable;
use super::problem::Problem;
use super::routes::Routes;
use crate::auth::{Resource, Right};
use crate::broker::moving::{Goal, Move};
use crate::broker::vhost::Vhost;
use crate::queue::filter::Filter;

/// How the default exchange is called where permissions are matched.
const DEFAULT: &str = "amq.default";

pub(super) fn routes() -> Routes {
    Routes::new().route("/queues/{vhost}/{name}/move", post(move_messages))
}

async fn move_messages(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    if vhost.look(|topology| topology.queue(&name)).is_none() {
        return Err(Problem::missing("queue_not_found"));
    }
    may.must_access(Right::Read, Resource::Queue(&name)).await?;
    fields.must_have(&["destination"])?;
    let (to, exchange) = goal(&fields, &vhost)?;
    may.must_access(Right::Write, Resource::Exchange(&exchange)).await?;
    let most = match fields.integer("count")? {
        None => u64::MAX,
        Some(count) => u64::try_from(count)
            .map_err(|_| Problem::bad_request("count must be a number, 0 or more"))?,
    };
    let filter = fields.text("filter")?.as_deref().and_then(Filter::parse);
    let queue = vhost.queue_for(&name, NOBODY)?;
    let wanted = Move { to, most, filter };
    let place = Arc::clone(&vhost);
    let done = tokio::task::spawn_blocking(move || place.move_messages(&queue, &wanted));
    let done = done.await.expect("moving does not panic and is not cancelled");
    let done = done.map_err(unreadable)?;
    tracing::info!(target: "warren::audit", user = %caller.user, vhost = %vhost.name, queue = %name,
        moved = done.moved, "messages moved");
    Ok(object(&json!({
        "moved": done.moved,
        "unroutable": done.unroutable,
        "refused": done.refused,
    })))
}

/// Where messages are to go, and the exchange that its mover must be allowed to write to.
fn goal(fields: &Fields, vhost: &Vhost) -> Result<(Goal, String), Problem> {
    let destination = match fields.get("destination") {
        Some(Value::String(word)) if word == "origin" => return Ok((Goal::Origin, DEFAULT.into())),
        Some(Value::Object(destination)) => Fields::of(destination.clone()),
        Some(_) | None => return Err(no_goal()),
    };
    match (destination.text("queue")?, destination.text("exchange")?) {
        (Some(queue), None) => {
            if vhost.look(|topology| topology.queue(&queue)).is_none() {
                return Err(Problem::missing("queue_not_found"));
            }
            Ok((Goal::Queue(vhost.queue_for(&queue, NOBODY)?), DEFAULT.into()))
        }
        (None, Some(exchange)) => {
            let name = default_name(&exchange);
            let internal = vhost.look(|topology| Some(topology.exchange_named(name)?.internal));
            if internal.is_none() && !name.is_empty() {
                return Err(Problem::missing("exchange_not_found"));
            }
            if internal == Some(true) {
                return Err(Problem::bad_request("the exchange is internal"));
            }
            let routing_key = destination.text("routing_key")?;
            if routing_key.as_ref().is_some_and(|key| key.len() > 255) {
                return Err(Problem::bad_request("a routing key has at most 255 bytes"));
            }
            let routing_key = routing_key.map(|key| key.into_bytes().into());
            let asked_for = if name.is_empty() { DEFAULT } else { name };
            Ok((Goal::Exchange { name: name.into(), routing_key }, asked_for.to_owned()))
        }
        (Some(_), Some(_)) | (None, None) => Err(no_goal()),
    }
}

fn no_goal() -> Problem {
    Problem::bad_request(
        "destination must be {\"queue\": …}, {\"exchange\": …, \"routing_key\": …} or \"origin\"",
    )
}
