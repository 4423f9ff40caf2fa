//! What rabbitmqctl asks of a node by Erlang's means, as endpoints of our own: suspending its
//! listeners, its log level, its end. Administrators only; each act is in the audit log.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{post, put};
use tracing_subscriber::EnvFilter;

use super::answer::{Answer, done};
use super::api::Api;
use super::caller::{Administrator, Caller};
use super::fields::{Fields, Named};
use super::nodes::must_be_here;
use super::problem::Problem;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/nodes/{name}/listeners/suspend", post(suspend))
        .route("/nodes/{name}/listeners/resume", post(resume))
        .route("/nodes/{name}/log-level", put(set_log_level))
        .route("/nodes/{name}/stop", post(stop))
}

async fn suspend(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
) -> Answer {
    accept(&api, &caller, &name, false)
}

async fn resume(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
) -> Answer {
    accept(&api, &caller, &name, true)
}

fn accept(api: &Api, caller: &Caller, name: &str, accepting: bool) -> Answer {
    must_be_here(api, name)?;
    tracing::info!(target: "warren::audit", by = %caller.user, accepting, "AMQP listeners");
    api.broker.control.accept(accepting);
    Ok(done())
}

async fn set_log_level(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
    fields: Fields,
) -> Answer {
    must_be_here(&api, &name)?;
    fields.must_have(&["level"])?;
    let level = directives(&fields.text("level")?.unwrap_or_default())?;
    tracing::info!(target: "warren::audit", by = %caller.user, level, "log level set");
    api.broker.control.set_log_level(level);
    Ok(done())
}

/// RabbitMQ's levels, or what `log.level` in the settings may say.
fn directives(level: &str) -> Result<String, Problem> {
    let level = match level {
        "none" => "off",
        "critical" | "alert" | "emergency" => "error",
        "notice" => "info",
        "warning" => "warn",
        other => other,
    };
    let known = !level.is_empty() && EnvFilter::try_new(level).is_ok();
    // A word that is no level would be taken for a target's name.
    let words = ["off", "error", "warn", "info", "debug", "trace"];
    if known && (words.contains(&level) || level.contains('=')) {
        return Ok(level.to_owned());
    }
    Err(Problem::bad_request(format_args!("unknown log level {level}")))
}

async fn stop(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
) -> Answer {
    must_be_here(&api, &name)?;
    tracing::info!(target: "warren::audit", by = %caller.user, "the broker is asked to end");
    api.broker.control.end();
    Ok(done())
}
