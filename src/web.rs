//! HTTP ports: connections that are not too many and not too slow, plain or with TLS, each served by
//! a function. Knows neither what is asked nor what is answered.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use crate::transport::{NotReady, Transport};

/// How long to wait when the system has no file descriptor left for another connection.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// How much a port puts up with.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many connections there may be.
    pub connections: usize,
    /// How long a client may take for a request's head, and to take some of the answer.
    pub timeout: Duration,
}

/// Serves until the task is ended.
pub async fn serve<H, F>(listener: TcpListener, transport: Transport, bounds: Bounds, answer: H)
where
    H: Fn(Request, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(bounds.connections));
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
            tracing::warn!(%peer, "refused: as many HTTP connections as there may be");
            continue;
        };
        let (transport, answer) = (transport.clone(), answer.clone());
        tokio::spawn(async move {
            if let Err(error) = serve_one(socket, peer, &transport, bounds.timeout, answer).await {
                tracing::debug!(%peer, %error, "HTTP connection refused");
            }
            drop(place);
        });
    }
}

async fn serve_one<H, F>(
    socket: TcpStream,
    peer: SocketAddr,
    transport: &Transport,
    timeout: Duration,
    answer: H,
) -> Result<(), NotReady>
where
    H: Fn(Request, SocketAddr) -> F,
    F: Future<Output = Response>,
{
    let _ = socket.set_nodelay(true);
    let ready = transport.prepare(socket, peer).await?;
    let peer = ready.peer;
    // Somebody who does not take the answer is not waited for either.
    let mut stream = TimeoutStream::new(ready.stream);
    stream.set_write_timeout(Some(timeout));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let answered = answer(request.map(Body::new), peer);
        async { Ok::<_, Infallible>(answered.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
    Ok(())
}
