//! The HTTP management API: RabbitMQ's paths, objects and answers, on the broker's live state.
//!
//! A thin shell: each file is one family of endpoints and says what its JSON looks like in typed
//! structs; [`listing`] knows pages, order and columns and nothing else. What is changed is
//! changed by the same functions that AMQP clients use. Must not know: sockets of AMQP clients,
//! what queues hold beyond what they report.

mod absent;
mod alarms;
mod answer;
mod api;
mod attempts;
mod bindings;
mod caller;
mod channels;
mod connections;
mod consumers;
mod dashboard;
mod definitions;
mod exchanges;
mod features;
mod fields;
mod health;
mod limits;
pub mod listing;
mod logs;
mod messages;
mod middleware;
mod moving;
mod nodes;
mod openapi;
mod operations;
mod overview;
mod parameters;
mod parts;
mod peeking;
mod permissions;
mod policies;
mod problem;
mod properties;
mod queues;
mod rates;
mod routes;
mod scheduled;
mod serve;
mod tables;
mod users;
mod vhosts;
mod whoami;

pub use api::{Api, Ports};
pub use definitions::CannotLoad;
pub use serve::serve;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use routes::Routes;

/// All paths below `/api`.
fn api_routes() -> Routes {
    Routes::new()
        .merge(overview::routes())
        .merge(nodes::routes())
        .merge(operations::routes())
        .merge(whoami::routes())
        .merge(vhosts::routes())
        .merge(connections::routes())
        .merge(channels::routes())
        .merge(consumers::routes())
        .merge(exchanges::routes())
        .merge(queues::routes())
        .merge(bindings::routes())
        .merge(messages::routes())
        .merge(peeking::routes())
        .merge(moving::routes())
        .merge(scheduled::routes())
        .merge(users::routes())
        .merge(policies::routes())
        .merge(parameters::routes())
        .merge(limits::routes())
        .merge(permissions::routes())
        .merge(definitions::routes())
        .merge(features::routes())
        .merge(attempts::routes())
        .merge(absent::routes())
        .merge(logs::routes())
        .merge(alarms::routes())
        .merge(health::routes())
        .merge(openapi::routes())
}

/// All paths below the path prefix.
fn routes() -> Router<Arc<Api>> {
    let (api, _) = api_routes().into_parts();
    Router::new()
        .route("/health", get(health::liveness))
        .merge(dashboard::routes())
        .nest("/api", api)
}
