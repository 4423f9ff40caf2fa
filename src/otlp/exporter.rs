//! The thread that sends spans to the collector, batch by batch, and tries again for a while where
//! that may help (OTLP/HTTP: 429, 502, 503, 504, or no answer).

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;

use super::{Line, Spans};
use crate::client::{BadClientSetting, Certificates};
use crate::config::{Compression, OpenTelemetryConfig};
use crate::spans::semantics::{self, Attributes, Host, SCHEMA_URL};
use crate::spans::step::Step;

/// Pauses before a batch is tried again; after the last it is dropped, for newer ones are waiting.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// How often it is logged that spans are lost, at most.
const COMPLAINT: Duration = Duration::from_secs(60);
/// An answer is a few bytes; of a longer one nothing is read.
const LONGEST_ANSWER: u64 = 64 << 10;

/// The thread.
pub struct Exporter {
    thread: JoinHandle<()>,
    line: Arc<Line>,
}

impl Exporter {
    /// Begins to send.
    pub fn start(
        spans: &Spans,
        config: &OpenTelemetryConfig,
        host: Host,
    ) -> Result<Self, BadClientSetting> {
        let certificates =
            Certificates { verify: config.verify, ca: ("opentelemetry.ca", &config.ca), own: None };
        let timeout = Duration::from_secs(config.timeout);
        let agent = certificates.agent(timeout, timeout)?;
        let line = Arc::clone(&spans.line);
        let sender = Sender {
            agent,
            url: config.url(),
            config: config.clone(),
            resource: resource(config, &host, spans.run),
            host,
            complaints: Complaints::default(),
        };
        let taken = Arc::clone(&line);
        let thread = std::thread::Builder::new().name("otlp".into());
        let thread = thread.spawn(move || sender.run(&taken)).map_err(|why| BadClientSetting {
            setting: "opentelemetry.enabled",
            why: why.to_string(),
        })?;
        tracing::info!(url = config.url(), "messages are shown to an OpenTelemetry collector");
        Ok(Self { thread, line })
    }

    /// Sends what is left, if the collector takes it, and ends. It blocks.
    pub fn finish(self) {
        self.line.close();
        if self.thread.join().is_err() {
            tracing::error!("the thread that sends spans has panicked");
        }
    }
}

struct Sender {
    agent: ureq::Agent,
    url: String,
    config: OpenTelemetryConfig,
    resource: Resource,
    host: Host,
    complaints: Complaints,
}

/// Why a batch was not taken.
struct NotTaken {
    why: String,
    /// It may be if it is sent again.
    perhaps_later: bool,
}

impl Sender {
    fn run(mut self, line: &Line) {
        while let Some(steps) = line.take() {
            let count = steps.len() as u64;
            let body = self.body(&steps);
            // What they keep in memory is not needed any more, however long sending takes.
            drop(steps);
            let refused = match self.deliver(line, &body) {
                Ok(refused) => refused.min(count),
                Err(why) => {
                    self.complaints.of(&why, &self.url);
                    count
                }
            };
            line.exported.fetch_add(count - refused, Ordering::Relaxed);
            line.dropped.fetch_add(refused, Ordering::Relaxed);
            self.complaints.tell(line.dropped.load(Ordering::Relaxed));
        }
        self.complaints.last = None;
        self.complaints.tell(line.dropped.load(Ordering::Relaxed));
    }

    fn body(&self, steps: &[Step]) -> Vec<u8> {
        let spans = steps.iter().map(|step| semantics::span(step, &self.host)).collect();
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..InstrumentationScope::default()
        };
        let schema_url = SCHEMA_URL.to_owned();
        let scope_spans =
            vec![ScopeSpans { scope: Some(scope), spans, schema_url: schema_url.clone() }];
        let resource = Some(self.resource.clone());
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url }],
        };
        let plain = request.encode_to_vec();
        match self.config.compression {
            Compression::None => plain,
            Compression::Gzip => {
                let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(&plain).and_then(|()| gzip.finish()).expect("memory takes all")
            }
        }
    }

    /// Sends a batch until it is taken. Returns how many of its spans were not.
    fn deliver(&self, line: &Line, body: &[u8]) -> Result<u64, String> {
        let mut pauses = PAUSES.iter();
        loop {
            let not_taken = match self.send(body) {
                Ok(refused) => return Ok(refused),
                Err(not_taken) => not_taken,
            };
            match pauses.next() {
                Some(pause) if not_taken.perhaps_later && !line.pause(*pause) => {}
                Some(_) | None => return Err(not_taken.why),
            }
        }
    }

    fn send(&self, body: &[u8]) -> Result<u64, NotTaken> {
        let mut request = self.agent.post(&self.url).content_type("application/x-protobuf");
        for (name, value) in self.config.headers.pairs() {
            request = request.header(name, value);
        }
        if self.config.compression == Compression::Gzip {
            request = request.header("content-encoding", "gzip");
        }
        let answer = request.send(body);
        let mut answer =
            answer.map_err(|why| NotTaken { why: why.to_string(), perhaps_later: true })?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
        if !answer.status().is_success() {
            let perhaps_later = matches!(status, 429 | 502..=504);
            return Err(NotTaken { why: format!("status {status}"), perhaps_later });
        }
        // Somebody who takes spans and does not say so properly has taken them.
        let said = body.ok().and_then(|body| ExportTraceServiceResponse::decode(&*body).ok());
        let partial = said.and_then(|said| said.partial_success).unwrap_or_default();
        Ok(u64::try_from(partial.rejected_spans).unwrap_or(0))
    }
}

/// Who tells all this.
fn resource(config: &OpenTelemetryConfig, host: &Host, run: u64) -> Resource {
    let own = Attributes::default()
        .text("service.name", &config.service_name)
        .text("service.version", env!("CARGO_PKG_VERSION"))
        .text("service.instance.id", format!("{}-{run:016x}", host.address))
        .text("host.name", &host.address)
        .text("telemetry.sdk.name", "warren")
        .text("telemetry.sdk.language", "rust")
        .text("telemetry.sdk.version", env!("CARGO_PKG_VERSION"));
    let own = own.build();
    let mut attributes: Vec<_> = {
        let said = config.attributes().filter(|(name, _)| *name != "service.name");
        said.fold(Attributes::default(), |all, (name, value)| all.text(name, value)).build()
    };
    // Each name is said once: what the settings say wins.
    let news = own.into_iter().filter(|each| attributes.iter().all(|said| said.key != each.key));
    let news: Vec<_> = news.collect();
    attributes.extend(news);
    Resource { attributes, ..Resource::default() }
}

/// What is logged of lost spans: a line a minute.
#[derive(Default)]
struct Complaints {
    told: u64,
    last: Option<Instant>,
    why: Option<String>,
}

impl Complaints {
    fn of(&mut self, why: &str, url: &str) {
        self.why = Some(format!("{url}: {why}"));
    }

    fn tell(&mut self, dropped: u64) {
        let due = self.last.is_none_or(|last| last.elapsed() >= COMPLAINT);
        if dropped == self.told || !due {
            return;
        }
        let why = self.why.take();
        let why = why.as_deref().unwrap_or("they came faster than the collector took them");
        tracing::warn!(lost = dropped - self.told, "spans for OpenTelemetry were lost: {why}");
        (self.told, self.last) = (dropped, Some(Instant::now()));
    }
}
