//! The HTTP port. So far: whether the broker is alive, for probes and health checks.

use axum::Json;
use axum::Router;
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;

/// What a probe is told.
#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Serves until the task is ended.
pub async fn serve(listener: TcpListener) {
    let routes = Router::new().route("/health", get(async || Json(Health { status: "ok" })));
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the HTTP port failed");
    }
}
