//! The port: connections that are not too many and not too slow, each served by the routes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use super::api::Api;
use super::middleware::Asked;
use super::{middleware, routes};

/// How long to wait when the system has no file descriptor left for another connection.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// Serves until the task is ended.
pub async fn serve(listener: TcpListener, api: Arc<Api>) {
    let places = Arc::new(Semaphore::new(api.config().max_connections));
    let router = middleware::around(routes(), &api).with_state(Arc::clone(&api));
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::error!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(OUT_OF_SOCKETS).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(%peer, "refused: http.max_connections is reached");
            continue;
        };
        let (api, router) = (Arc::clone(&api), router.clone());
        tokio::spawn(async move {
            serve_one(socket, peer, api, router).await;
            drop(place);
        });
    }
}

async fn serve_one(socket: TcpStream, peer: SocketAddr, api: Arc<Api>, router: Router) {
    let timeout = Duration::from_secs(api.config().timeout);
    let _ = socket.set_nodelay(true);
    // Somebody who does not take the answer is not waited for either.
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(timeout));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        answer(Arc::clone(&api), router.clone(), request.map(Body::new), peer)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .serve_connection(TokioIo::new(Box::pin(socket)), service);
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
}

async fn answer(
    api: Arc<Api>,
    mut router: Router,
    mut request: Request,
    peer: SocketAddr,
) -> Result<Response, Infallible> {
    let asked = Asked::of(&request);
    let answer = match middleware::normalise(&mut request) {
        Some(refused) => refused,
        None => {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.call(request).await?
        }
    };
    Ok(asked.finish(&api, answer))
}
