//! Metrics for Prometheus, on a port of their own: RabbitMQ's paths and names.
//!
//! Reads the broker's counters when it is asked, on a thread for blocking work: ten thousand queues
//! keep no client waiting. Must not know: AMQP, HTTP beyond paths and queries.

mod exposition;
mod families;
mod rows;
mod scrape;
mod whole;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::net::TcpListener;

use crate::broker::Broker;
use crate::metrics::machine::node_name;
use crate::metrics::sampler::Sampler;
use crate::transport::Transport;
use crate::web::{self, Bounds};
use scrape::{Asked, Filter, scrape};
use whole::Told;

/// Connections: a few servers scrape, and each keeps one.
const CONNECTIONS: usize = 100;
/// How long a client may take to ask, and to take some of the answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Tells of a broker.
pub struct Exporter {
    broker: Arc<Broker>,
    sampler: Arc<Sampler>,
    node: String,
    told: Told,
}

impl Exporter {
    /// One for this broker.
    pub fn new(broker: Arc<Broker>, sampler: Arc<Sampler>) -> Self {
        Self { broker, sampler, node: node_name(), told: Told::default() }
    }

    fn asked(&self, request: &Request) -> Option<Asked> {
        let config = &self.broker.config.prometheus;
        let path = request.uri().path().trim_end_matches('/');
        match path.strip_prefix(config.path.trim_end_matches('/'))? {
            "" if config.return_per_object_metrics => Some(Asked::PerObject),
            "" => Some(Asked::Aggregated),
            "/per-object" => Some(Asked::PerObject),
            "/detailed" => {
                Some(Asked::Detailed(Filter::parse(request.uri().query().unwrap_or(""))))
            }
            "/memory-breakdown" => Some(Asked::Memory),
            _ => None,
        }
    }
}

/// Serves until the task is ended.
pub async fn serve(listener: TcpListener, transport: Transport, exporter: Arc<Exporter>) {
    let bounds = Bounds { connections: CONNECTIONS, timeout: TIMEOUT };
    let answer = move |request, _: SocketAddr| answer(Arc::clone(&exporter), request);
    web::serve(listener, transport, bounds, answer).await;
}

async fn answer(exporter: Arc<Exporter>, request: Request) -> Response {
    let Some(asked) = exporter.asked(&request) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let allowed = [(header::ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allowed).into_response();
    }
    let gzip = takes_gzip(request.headers());
    let written = tokio::task::spawn_blocking(move || {
        let text = scrape(&exporter, &asked).into_bytes();
        if gzip { compress(&text) } else { text }
    });
    let Ok(body) = written.await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let headers =
        [(header::CONTENT_TYPE, exposition::CONTENT_TYPE), (header::VARY, "accept-encoding")];
    let encoding = gzip.then_some([(header::CONTENT_ENCODING, "gzip")]);
    match encoding {
        Some(encoding) => (headers, encoding, body).into_response(),
        None => (headers, body).into_response(),
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::ACCEPT_ENCODING).iter();
    all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// The text repeats itself so much that the fastest level is nearly as good as the best.
fn compress(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("memory takes what is written");
    encoder.finish().expect("memory takes what is written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().expect("a header"));
            takes_gzip(&headers)
        };
        assert!(takes("deflate, gzip;q=0.5") && takes("GZIP"));
        assert!(!takes("identity") && !takes("gzip;q=0") && !takes("gzip; q=0.0"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
