//! Where the alarms of memory and disk go off, changed while the broker runs; until the next start, as
//! in RabbitMQ. These endpoints are ours: rabbitmqctl does it by Erlang's means.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::put;

use super::answer::{Answer, done};
use super::api::Api;
use super::caller::Administrator;
use super::fields::{Fields, Named};
use super::nodes::must_be_here;
use super::problem::Problem;
use super::routes::Routes;
use crate::config::memory_limit;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/nodes/{name}/memory-watermark", put(memory))
        .route("/nodes/{name}/disk-free-limit", put(disk))
}

/// Bytes: `absolute`, or a share of the memory there is.
fn bytes(fields: &Fields, share: &str, most: f64) -> Result<u64, Problem> {
    if let Some(absolute) = fields.integer("absolute")? {
        return u64::try_from(absolute)
            .map_err(|_| Problem::bad_request("absolute must not be negative"));
    }
    fields.must_have(&[share])?;
    let said = fields.get(share).and_then(|value| match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => value.as_f64(),
    });
    match said {
        Some(part) if (0.0..=most).contains(&part) => Ok((memory_limit() as f64 * part) as u64),
        Some(_) | None => Err(Problem::bad_request(format_args!(
            "{share} must be a number from 0 to {most}, absolute a number of bytes"
        ))),
    }
}

async fn memory(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
    fields: Fields,
) -> Answer {
    must_be_here(&api, &name)?;
    let limit = bytes(&fields, "relative", 1.0)?;
    tracing::info!(target: "warren::audit", by = %caller.user, limit, "memory watermark set");
    api.broker.shared.watermark.set_limit(limit);
    Ok(done())
}

async fn disk(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
    fields: Fields,
) -> Answer {
    must_be_here(&api, &name)?;
    // RabbitMQ takes more than the memory there is: room to page all of it out, and some.
    let limit = bytes(&fields, "mem_relative", 10.0)?;
    tracing::info!(target: "warren::audit", by = %caller.user, limit, "disk free limit set");
    api.broker.shared.disk.set_limit(limit);
    Ok(done())
}
