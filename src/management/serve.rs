//! The port: each connection is served by the routes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use tokio::net::TcpListener;
use tower_service::Service;

use super::api::Api;
use super::middleware::Asked;
use super::{middleware, routes};
use crate::broker::actor::acting;
use crate::transport::Transport;
use crate::web::{self, Bounds};

/// Serves until the task is ended.
pub async fn serve(listener: TcpListener, transport: Transport, api: Arc<Api>) {
    let router = middleware::around(routes(), &api).with_state(Arc::clone(&api));
    let bounds = Bounds {
        connections: api.config().max_connections,
        timeout: Duration::from_secs(api.config().timeout),
    };
    let answer = move |request, peer| answer(Arc::clone(&api), router.clone(), request, peer);
    web::serve(listener, transport, bounds, answer).await;
}

async fn answer(
    api: Arc<Api>,
    mut router: Router,
    mut request: Request,
    peer: SocketAddr,
) -> Response {
    let asked = Asked::of(&request);
    let answer = match middleware::normalise(&mut request) {
        Some(refused) => refused,
        None => {
            request.extensions_mut().insert(ConnectInfo(peer));
            let answered: Result<_, Infallible> = acting(router.call(request)).await;
            answered.unwrap_or_else(|never| match never {})
        }
    };
    asked.finish(&api, answer)
}
