//! Who the caller is, and what this is.

use axum::routing::get;
use serde::Serialize;
use serde_json::json;

use super::answer::{Answer, object};
use super::api::RABBITMQ_VERSION;
use super::caller::Caller;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/whoami", get(whoami))
        .route("/version", get(version))
        .route("/extensions", get(extensions))
}

#[derive(Serialize)]
struct WhoAmI {
    name: String,
    tags: Vec<String>,
    is_internal_user: bool,
}

async fn whoami(caller: Caller) -> Answer {
    let is_internal_user = caller.principal.backend().is_none();
    let Caller { user, tags, .. } = caller;
    Ok(object(&WhoAmI { name: user.to_string(), tags, is_internal_user }))
}

async fn version(_: Caller) -> Answer {
    Ok(object(&RABBITMQ_VERSION))
}

/// RabbitMQ's dashboard asks which scripts to load beside its own.
async fn extensions(_: Caller) -> Answer {
    Ok(object(&json!([{"javascript": "dispatcher.js"}])))
}
