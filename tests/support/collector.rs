//! An OpenTelemetry collector: takes spans (OTLP over HTTP) and remembers them.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::runtime::Runtime;
use warren::config::Config;

use super::eventually;

/// What a collector was sent in one request.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) request: ExportTraceServiceRequest,
}

/// How it answers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Answering {
    /// It takes everything.
    #[default]
    Taking,
    /// With this status.
    Status(u16),
    /// It takes all but so many spans of each request.
    Rejecting(i64),
    /// Never.
    Silence,
}

#[derive(Default)]
struct Shared {
    sent: Mutex<Vec<Sent>>,
    answering: Mutex<Answering>,
}

/// A collector on a port and a runtime of its own.
pub(crate) struct Collector {
    runtime: Option<Runtime>,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { runtime: Some(runtime), address, shared }
    }

    /// Settings by which a broker shows it everything at once that its publishers' contexts ask for.
    pub(crate) fn watches(&self, config: &mut Config) {
        config.opentelemetry.enabled = true;
        config.opentelemetry.endpoint = format!("http://{}", self.address);
        config.opentelemetry.delay = 10;
    }

    pub(crate) fn answer(&self, answering: Answering) {
        *self.shared.answering.lock().expect("no panic") = answering;
    }

    /// All requests so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.shared.sent.lock().expect("no panic").clone()
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let resources = self.sent().into_iter().flat_map(|sent| sent.request.resource_spans);
        resources.flat_map(|each| each.scope_spans).flat_map(|each| each.spans).collect()
    }

    /// Waits until there are so many spans, and no more than that.
    #[track_caller]
    pub(crate) fn hears(&self, count: usize) -> Vec<Span> {
        eventually("all spans have come", || self.spans().len() >= count);
        let spans = self.spans();
        let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
        assert_eq!(spans.len(), count, "{names:?}");
        spans
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Vec<u8>) {
    let answering = *shared.answering.lock().expect("no panic");
    let mut answer = ExportTraceServiceResponse::default();
    match answering {
        Answering::Taking => {}
        Answering::Status(status) => {
            return (StatusCode::from_u16(status).expect("a status"), Vec::new());
        }
        Answering::Rejecting(rejected_spans) => {
            let error_message = "no".into();
            answer.partial_success =
                Some(ExportTracePartialSuccess { rejected_spans, error_message });
        }
        Answering::Silence => std::future::pending().await,
    }
    let mut plain = body.to_vec();
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        plain.clear();
        GzDecoder::new(&*body).read_to_end(&mut plain).expect("gzip");
    }
    let request = ExportTraceServiceRequest::decode(&*plain).expect("spans");
    let path = uri.path().into();
    shared.sent.lock().expect("no panic").push(Sent { path, headers, request });
    (StatusCode::OK, answer.encode_to_vec())
}

/// The only span of such an operation, by the first word of its name.
#[track_caller]
pub(crate) fn only<'a>(spans: &'a [Span], operation: &str) -> &'a Span {
    let of_it = |span: &&Span| span.name.split(' ').next() == Some(operation);
    let found: Vec<_> = spans.iter().filter(of_it).collect();
    assert_eq!(found.len(), 1, "{operation}: {found:?}");
    found[0]
}

/// An attribute as text; nothing if it is not there.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|each| each.key == key);
    match found.and_then(|each| each.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        None => String::new(),
        other => panic!("{key}: {other:?}"),
    }
}
