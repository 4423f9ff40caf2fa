//! Lists of what a broker has none of: RabbitMQ's plugins for shovels, federation and streams list
//! what they run, and tools that look everywhere ask for it. Nothing runs here, so each is empty.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;

use super::answer::{Answer, object};
use super::api::Api;
use super::caller::{Caller, Monitor};
use super::fields::Named;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/shovels", get(nothing))
        .route("/shovels/{vhost}", get(nothing_in))
        .route("/federation-links", get(nothing))
        .route("/federation-links/{vhost}", get(nothing_in))
        .route("/stream/connections", get(nothing_to_see))
        .route("/stream/connections/{vhost}", get(nothing_in))
        .route("/stream/publishers", get(nothing_to_see))
        .route("/stream/publishers/{vhost}", get(nothing_in))
        .route("/stream/consumers", get(nothing_to_see))
        .route("/stream/consumers/{vhost}", get(nothing_in))
}

async fn nothing(_: Monitor) -> Answer {
    Ok(object(&[(); 0]))
}

async fn nothing_to_see(_: Caller) -> Answer {
    Ok(object(&[(); 0]))
}

async fn nothing_in(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
) -> Answer {
    api.vhost(&caller, &vhost)?;
    Ok(object(&[(); 0]))
}
