//! Settings of OpenTelemetry: which messages' ways are shown to a collector, and where that is.
//! OpenTelemetry's own variables (`OTEL_…`) stand between the file and Warren's.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::loading::BadConfig;
use super::security::VerifyPeer;

/// Where spans are taken below an endpoint (OTLP over HTTP).
const TRACES: &str = "/v1/traces";
/// What is said instead of something secret.
const HIDDEN: &str = "…";

/// What is told of messages, and to whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenTelemetryConfig {
    /// Whether anything is told.
    pub enabled: bool,
    /// Where the collector is.
    pub endpoint: String,
    /// Where exactly it takes spans, if that is not below [`Self::endpoint`].
    pub traces_endpoint: String,
    /// What requests to it carry besides, each `name=value`.
    pub headers: Headers,
    /// Whether its certificate is verified.
    pub verify: VerifyPeer,
    /// Certificates of the authorities that it has to be signed by, PEM.
    pub ca: PathBuf,
    /// How requests are made smaller.
    pub compression: Compression,
    /// Seconds that a request may take.
    pub timeout: u64,
    /// What the broker is called there.
    pub service_name: String,
    /// What else is said of it, each `name=value`.
    pub resource: Vec<String>,
    /// Which messages are shown.
    pub sampler: SamplerKind,
    /// Which share of them, where the sampler goes by one.
    pub ratio: f64,
    /// How many spans may wait for the collector.
    pub queue: usize,
    /// How many go with one request.
    pub batch: usize,
    /// Milliseconds for which spans are gathered for one.
    pub delay: u64,
}

/// How requests are made smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
}

/// Which messages are shown: OpenTelemetry's samplers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A share, whatever their publishers say.
    #[serde(rename = "traceidratio")]
    TraceIdRatio,
    /// What their publishers say; all that come without a context.
    #[serde(rename = "parentbased_always_on")]
    ParentBasedAlwaysOn,
    /// What their publishers say; none that come without a context.
    #[serde(rename = "parentbased_always_off")]
    ParentBasedAlwaysOff,
    /// What their publishers say; a share of those that come without a context.
    #[default]
    #[serde(rename = "parentbased_traceidratio")]
    ParentBasedTraceIdRatio,
}

/// Headers of requests, each `name=value`. Their values are secret: nothing shows them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(pub Vec<String>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.pairs().map(|(name, _)| (name, HIDDEN))).finish()
    }
}

impl Headers {
    /// Names and values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|each| pair(each).unwrap_or((each, "")))
    }
}

impl Default for OpenTelemetryConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            endpoint: "http://localhost:4318".into(),
            traces_endpoint: String::new(),
            headers: Headers::default(),
            verify: VerifyPeer::Peer,
            ca: PathBuf::new(),
            compression: Compression::default(),
            timeout: 10,
            service_name: "warren".into(),
            resource: Vec::new(),
            sampler: SamplerKind::default(),
            ratio: 0.0,
            queue: 16_384,
            batch: 2048,
            delay: 1000,
        }
    }
}

impl OpenTelemetryConfig {
    /// Where spans go.
    pub fn url(&self) -> String {
        if self.traces_endpoint.is_empty() {
            format!("{}{TRACES}", self.endpoint.trim_end_matches('/'))
        } else {
            self.traces_endpoint.clone()
        }
    }

    /// Names and values of what is said of the broker.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.resource.iter().filter_map(|each| pair(each))
    }

    /// Which share of messages is shown that nobody else decides on, and whether their
    /// publishers decide on the others.
    pub fn share(&self) -> (f64, bool) {
        match self.sampler {
            SamplerKind::AlwaysOn => (1.0, false),
            SamplerKind::AlwaysOff => (0.0, false),
            SamplerKind::TraceIdRatio => (self.ratio, false),
            SamplerKind::ParentBasedAlwaysOn => (1.0, true),
            SamplerKind::ParentBasedAlwaysOff => (0.0, true),
            SamplerKind::ParentBasedTraceIdRatio => (self.ratio, true),
        }
    }

    /// A setting, its value, and what is wrong with it.
    pub(super) fn wrong(&self) -> Option<(&'static str, String, &'static str)> {
        let url = "must be an address such as http://localhost:4318";
        if !is_url(&self.endpoint) {
            return Some(("opentelemetry.endpoint", self.endpoint.clone(), url));
        }
        if !self.traces_endpoint.is_empty() && !is_url(&self.traces_endpoint) {
            return Some(("opentelemetry.traces_endpoint", self.traces_endpoint.clone(), url));
        }
        if let Some(header) = self.headers.0.iter().find(|each| !is_header(each)) {
            let name = header.split_once('=').map_or(HIDDEN, |(name, _)| name);
            let why = "must be name=value, as HTTP's headers may be";
            return Some(("opentelemetry.headers", format!("{name}={HIDDEN}"), why));
        }
        if let Some(each) = self.resource.iter().find(|each| pair(each).is_none()) {
            return Some(("opentelemetry.resource", each.clone(), "must be name=value"));
        }
        if self.service_name.is_empty() {
            return Some(("opentelemetry.service_name", String::new(), "must not be empty"));
        }
        if !(0.0..=1.0).contains(&self.ratio) {
            return Some(("opentelemetry.ratio", self.ratio.to_string(), "must be from 0 to 1"));
        }
        if !(1..=3600).contains(&self.timeout) {
            let value = self.timeout.to_string();
            return Some(("opentelemetry.timeout", value, "must be from 1 to 3600"));
        }
        if self.batch == 0 || self.batch > self.queue {
            let why = "must be at least 1 and at most opentelemetry.queue";
            return Some(("opentelemetry.batch", self.batch.to_string(), why));
        }
        let why = "must be from 1 to 3600000";
        (!(1..=3_600_000).contains(&self.delay))
            .then(|| ("opentelemetry.delay", self.delay.to_string(), why))
    }

    /// Takes OpenTelemetry's own variables, if anything is to be told at all: they may be there for
    /// every program of a machine.
    pub(super) fn apply_variables(
        &mut self,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), BadConfig> {
        let wanted = variable("WARREN_OPENTELEMETRY_ENABLED");
        if !wanted.map_or(self.enabled, |wanted| wanted == "true") {
            return Ok(());
        }
        for (name, apply) in VARIABLES {
            // As the specification has it, an empty one is as good as none.
            let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
            apply(self, &value).map_err(|expected| BadConfig::BadVariable {
                variable: (*name).into(),
                value: if name.ends_with("HEADERS") { HIDDEN.into() } else { value },
                expected,
            })?;
        }
        Ok(())
    }
}

/// What would fit, if a value does not.
type Expected = &'static str;
type Apply = fn(&mut OpenTelemetryConfig, &str) -> Result<(), Expected>;

/// What is for spans alone stands behind what is for everything, and wins.
const VARIABLES: &[(&str, Apply)] = &[
    ("OTEL_RESOURCE_ATTRIBUTES", |c, text| {
        c.resource = pairs(text)?;
        let named = c.attributes().find(|(key, _)| *key == "service.name");
        let name = named.map(|(_, name)| name.to_owned());
        if let Some(name) = name {
            c.service_name = name;
        }
        Ok(())
    }),
    ("OTEL_SERVICE_NAME", |c, text| set(&mut c.service_name, text.into())),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", |c, text| set(&mut c.endpoint, text.into())),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", |c, text| set(&mut c.traces_endpoint, text.into())),
    ("OTEL_EXPORTER_OTLP_HEADERS", |c, text| set(&mut c.headers.0, pairs(text)?)),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", |c, text| set(&mut c.headers.0, pairs(text)?)),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", |_, text| protocol(text)),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", |_, text| protocol(text)),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", |c, text| set(&mut c.compression, compression(text)?)),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", |c, text| {
        set(&mut c.compression, compression(text)?)
    }),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", |c, text| set(&mut c.timeout, seconds(text)?)),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", |c, text| set(&mut c.timeout, seconds(text)?)),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", |c, text| set(&mut c.ca, text.into())),
    ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", |c, text| set(&mut c.ca, text.into())),
    ("OTEL_TRACES_SAMPLER", |c, text| {
        // By its own default, a sampler that goes by a share takes all.
        c.ratio = 1.0;
        set(&mut c.sampler, sampler(text)?)
    }),
    ("OTEL_TRACES_SAMPLER_ARG", |c, text| {
        set(&mut c.ratio, text.parse().map_err(|_| "a number from 0 to 1")?)
    }),
    ("OTEL_BSP_MAX_QUEUE_SIZE", |c, text| {
        c.queue = number(text)?;
        c.batch = c.batch.min(c.queue);
        Ok(())
    }),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", |c, text| set(&mut c.batch, number(text)?)),
    ("OTEL_BSP_SCHEDULE_DELAY", |c, text| set(&mut c.delay, number(text)? as u64)),
    ("OTEL_TRACES_EXPORTER", |c, text| match text {
        "otlp" => Ok(()),
        "none" => set(&mut c.enabled, false),
        _ => Err("otlp or none"),
    }),
    ("OTEL_SDK_DISABLED", |c, text| {
        c.enabled &= !text.eq_ignore_ascii_case("true");
        Ok(())
    }),
];

fn set<T>(setting: &mut T, value: T) -> Result<(), Expected> {
    *setting = value;
    Ok(())
}

fn number(text: &str) -> Result<usize, Expected> {
    text.parse().map_err(|_| "a whole number")
}

/// Milliseconds as seconds; what is less than one is one.
fn seconds(text: &str) -> Result<u64, Expected> {
    let milliseconds: u64 = text.parse().map_err(|_| "milliseconds")?;
    Ok(milliseconds.div_ceil(1000))
}

fn protocol(text: &str) -> Result<(), Expected> {
    if text == "http/protobuf" {
        return Ok(());
    }
    Err("http/protobuf, which collectors take on port 4318; Warren speaks no other protocol")
}

fn compression(text: &str) -> Result<Compression, Expected> {
    match text {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        _ => Err("none or gzip"),
    }
}

fn sampler(text: &str) -> Result<SamplerKind, Expected> {
    let read = serde_json::from_value(serde_json::Value::String(text.into()));
    read.map_err(|_| {
        "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or \
         parentbased_traceidratio"
    })
}

/// `name=value,name=value`, with values as addresses have them.
fn pairs(text: &str) -> Result<Vec<String>, Expected> {
    let expected = "name=value,name=value";
    let each = text.split(',').map(str::trim).filter(|each| !each.is_empty());
    each.map(|each| {
        let (name, value) = pair(each).ok_or(expected)?;
        let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| expected)?;
        Ok(format!("{}={value}", name.trim()))
    })
    .collect()
}

fn pair(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').filter(|(name, _)| !name.is_empty())
}

fn is_header(text: &str) -> bool {
    let Some((name, value)) = pair(text) else { return false };
    HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok()
}

fn is_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<OpenTelemetryConfig, BadConfig> {
        let mut config = OpenTelemetryConfig { enabled: true, ..OpenTelemetryConfig::default() };
        config.apply_variables(&|name| {
            let found = variables.iter().find(|(each, _)| *each == name);
            found.map(|(_, value)| (*value).to_owned())
        })?;
        Ok(config)
    }

    #[test]
    fn the_standard_variables() {
        let config = with(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318/"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, other=c=d"),
            ("OTEL_SERVICE_NAME", "orders-broker"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=prod"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "1000"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", ""),
        ])
        .expect("good");
        assert_eq!(config.url(), "https://collector:4318/v1/traces");
        let headers: Vec<_> = config.headers.pairs().collect();
        assert_eq!(headers, [("api-key", "a b"), ("other", "c=d")]);
        assert_eq!((config.service_name.as_str(), config.timeout), ("orders-broker", 3));
        assert_eq!((config.share(), config.queue, config.batch), ((0.25, true), 1000, 1000));
        assert_eq!(config.attributes().nth(1), Some(("deployment.environment.name", "prod")));
        assert_eq!(config.wrong(), None);
    }

    #[test]
    fn they_are_not_looked_at_while_nothing_is_told() {
        let mut config = OpenTelemetryConfig::default();
        config.apply_variables(&|_| Some("nonsense".into())).expect("nobody asked");
        assert_eq!(config, OpenTelemetryConfig::default());
        assert!(!with(&[("OTEL_SDK_DISABLED", "true")]).expect("good").enabled);
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not() {
        let said = |name, value| with(&[(name, value)]).expect_err("bad").to_string();
        assert!(said("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").contains("expected http/protobuf"));
        assert!(said("OTEL_TRACES_SAMPLER", "jaeger_remote").contains("parentbased_always_on"));
        assert!(!said("OTEL_EXPORTER_OTLP_HEADERS", "secret").contains("secret"));
        let wrong = |change: fn(&mut OpenTelemetryConfig)| {
            let mut config = OpenTelemetryConfig::default();
            change(&mut config);
            let (setting, value, why) = config.wrong().expect("wrong");
            format!("{setting} = {value}: {why}")
        };
        assert!(wrong(|c| c.endpoint = "localhost:4318".into()).contains("such as http://"));
        assert!(wrong(|c| c.traces_endpoint = "ftp://x".into()).contains("traces_endpoint"));
        let header = wrong(|c| c.headers.0 = vec!["a b=secret".into()]);
        assert!(header.contains("a b=…") && !header.contains("secret"), "{header}");
        assert!(!wrong(|c| c.headers.0 = vec!["secret".into()]).contains("secret"));
        assert!(wrong(|c| c.ratio = 1.5).contains("from 0 to 1"));
        assert!(wrong(|c| c.ratio = f64::NAN).contains("from 0 to 1"));
        assert!(wrong(|c| c.batch = 0).contains("at least 1"));
        assert!(wrong(|c| c.timeout = 0).contains("opentelemetry.timeout"));
        assert!(wrong(|c| c.delay = 0).contains("opentelemetry.delay"));
        assert!(wrong(|c| c.resource = vec!["x".into()]).contains("name=value"));
        assert!(wrong(|c| c.service_name.clear()).contains("service_name"));
        let secret = Headers(vec!["api-key=secret".into()]);
        assert_eq!(format!("{secret:?}"), "{\"api-key\": \"…\"}");
    }
}
