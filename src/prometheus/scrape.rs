//! One scrape: what is asked for, and how it is written.

use std::ops::Add;

use super::Exporter;
use super::exposition::{Exposition, Kind, Labels, Value};
use super::families::{self, Family, Metric, QUEUE_CONSUMER_COUNT, QUEUE_METRICS};
use super::rows;
use super::whole::Whole;
use crate::broker::Broker;
use crate::broker::traffic::{SIZE_BOUNDS, Sizes};
use crate::metrics::RABBITMQ_VERSION;
use crate::metrics::memory::Breakdown;

const PREFIX: &str = "rabbitmq_";
const DETAILED: &str = "rabbitmq_detailed_";
const CLUSTER: &str = "rabbitmq_cluster_";
/// Of what RabbitMQ does not have.
const OWN: &str = "warren_";

/// Which metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything, added up.
    Aggregated,
    /// Everything, object by object.
    PerObject,
    /// What the filter names, object by object.
    Detailed(Filter),
    /// What memory is used for.
    Memory,
}

/// What `/metrics/detailed` is asked for with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    families: Vec<String>,
    vhosts: Vec<String>,
    queues: Vec<String>,
}

impl Filter {
    /// Reads a query: `family`, `vhost` and `queue`, each any number of times.
    pub(super) fn parse(query: &str) -> Self {
        let mut filter = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "family" => filter.families.push(value.into_owned()),
                "vhost" => filter.vhosts.push(value.into_owned()),
                "queue" => filter.queues.push(value.into_owned()),
                _ => {}
            }
        }
        filter
    }

    fn takes_family(&self, family: &str) -> bool {
        let named = |name: &str| self.families.iter().any(|each| each == name);
        named(family) && !(family == QUEUE_CONSUMER_COUNT && named(QUEUE_METRICS))
    }

    fn takes_vhost(&self, vhost: &str) -> bool {
        self.vhosts.is_empty() || self.vhosts.iter().any(|each| each == vhost)
    }

    pub(super) fn takes_queue(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.iter().any(|each| each == queue)
    }
}

/// How objects' metrics are written.
struct Scrape<'a> {
    out: Exposition,
    prefix: &'static str,
    /// Those of each object, not their sum.
    by_object: bool,
    /// Only these families.
    filter: Option<&'a Filter>,
}

impl Scrape<'_> {
    fn takes<Row>(&self, family: &Family<Row>) -> bool {
        match self.filter {
            Some(filter) => filter.takes_family(family.0),
            // Everything is in the other one.
            None => family.0 != QUEUE_CONSUMER_COUNT,
        }
    }

    /// Writes the families that are asked for; only then are their objects looked at.
    fn families<Row>(
        &mut self,
        families: &[Family<Row>],
        labels: fn(&Row) -> &Labels,
        rows: impl FnOnce() -> Vec<Row>,
    ) {
        let wanted: Vec<_> = families.iter().filter(|family| self.takes(family)).collect();
        if wanted.is_empty() {
            return;
        }
        let rows = rows();
        for metric in wanted.iter().flat_map(|(_, metrics)| *metrics) {
            self.begin(metric);
            if self.by_object {
                for row in &rows {
                    self.out.sample(labels(row), (metric.of)(row));
                }
            } else {
                let sum = rows.iter().map(metric.of).fold(Value::Whole(0), Value::add);
                self.out.sample(&Labels::default(), sum);
            }
        }
    }

    fn begin<Row>(&mut self, metric: &Metric<Row>) {
        self.out.metric(self.prefix, metric.name, metric.kind, metric.help);
    }

    fn whole(&mut self, metrics: &[Metric<Whole>], labels: &Labels, whole: &Whole) {
        for metric in metrics {
            self.begin(metric);
            self.out.sample(labels, (metric.of)(whole));
        }
    }

    fn sizes(&mut self, sizes: &Sizes) {
        let help = "Size of messages received from publishers";
        self.out.metric(PREFIX, "message_size_bytes", Kind::Histogram, help);
        let labels = Labels::default().with("protocol", "amqp091");
        let mut count = 0;
        for (class, of_class) in sizes.counts.iter().enumerate() {
            count += of_class;
            let labels = labels.clone();
            let labels = match SIZE_BOUNDS.get(class) {
                Some(bound) => labels.with("le", bound),
                None => labels.with("le", "+Inf"),
            };
            self.out.part("_bucket", &labels, count);
        }
        self.out.part("_count", &labels, count);
        self.out.part("_sum", &labels, sizes.bytes);
    }

    /// Who tells all this.
    fn identity(&mut self, exporter: &Exporter, endpoint: &str) {
        self.out.metric(PREFIX, "build_info", Kind::Gauge, "RabbitMQ & Erlang/OTP version info");
        let build = Labels::default()
            .with("rabbitmq_version", RABBITMQ_VERSION)
            .with("prometheus_plugin_version", env!("CARGO_PKG_VERSION"))
            .with("prometheus_client_version", env!("CARGO_PKG_VERSION"))
            .with("erlang_version", "none")
            .with("product_name", "Warren")
            .with("product_version", env!("CARGO_PKG_VERSION"));
        self.out.sample(&build, 1_u64);
        self.out.metric(
            PREFIX,
            "identity_info",
            Kind::Gauge,
            "RabbitMQ node & cluster identity info",
        );
        let cluster = exporter.broker.cluster_name().unwrap_or_else(|| exporter.node.clone());
        let identity = Labels::default()
            .with("rabbitmq_node", &exporter.node)
            .with("rabbitmq_cluster", &cluster)
            .with("rabbitmq_cluster_permanent_id", &cluster)
            .with("rabbitmq_endpoint", endpoint);
        self.out.sample(&identity, 1_u64);
    }
}

/// Looks at the broker and writes what is asked for.
pub(super) fn scrape(exporter: &Exporter, asked: &Asked) -> String {
    let (by_object, prefix, filter, endpoint) = match asked {
        Asked::Aggregated => (false, PREFIX, None, "aggregated"),
        Asked::PerObject => (true, PREFIX, None, "per-object"),
        Asked::Detailed(filter) => (true, DETAILED, Some(filter), "detailed"),
        Asked::Memory => (false, PREFIX, None, "memory-breakdown"),
    };
    let mut scrape = Scrape { out: Exposition::default(), prefix, by_object, filter };
    if *asked == Asked::Memory {
        memory(exporter, &mut scrape.out);
    } else {
        objects(exporter, &mut scrape);
    }
    scrape.identity(exporter, endpoint);
    scrape.out.finish()
}

fn objects(exporter: &Exporter, scrape: &mut Scrape<'_>) {
    let broker = &exporter.broker;
    let everything = Filter::default();
    let filter = scrape.filter.unwrap_or(&everything);
    let mut vhosts = broker.vhosts();
    let all = vhosts.clone();
    vhosts.retain(|vhost| filter.takes_vhost(vhost.name.as_str()));
    let mut peers = broker.peers.open();
    let here = |vhost: &str| filter.vhosts.is_empty() || filter.takes_vhost(vhost);
    let look = scrape.filter.is_none() || families::WHOLE.iter().any(|each| scrape.takes(each));
    let whole = look.then(|| Whole::look(broker, &all, &peers, &exporter.told));
    peers.retain(|peer| peer.identity().is_some_and(|who| here(who.vhost.name.as_str())));
    scrape.families(families::QUEUES, |row| &row.labels, || rows::queues(&vhosts, filter));
    scrape.families(families::CHANNELS, |row| &row.labels, || rows::channels(&peers));
    let by_object = scrape.by_object;
    let publishes = || rows::publishes(&peers, by_object);
    scrape.families(families::PUBLISHES, |row| &row.labels, publishes);
    let deliveries = || rows::deliveries(&peers, by_object);
    scrape.families(families::DELIVERIES, |row| &row.labels, deliveries);
    scrape.families(families::CONNECTIONS, |row| &row.labels, || rows::connections(&peers));
    scrape.families(families::PASSED, |row| &row.labels, || rows::passed(&vhosts));
    scrape.families(families::FLOWS, |row| &row.labels, || rows::flows(&vhosts, filter));
    if let Some(whole) = &whole {
        for family in
            families::WHOLE.iter().filter(|family| scrape.takes(family)).collect::<Vec<_>>()
        {
            scrape.whole(family.1, &Labels::default(), whole);
        }
    }
    // They have few sources, and only together with the protocol they mean something.
    scrape.by_object = true;
    scrape.families(families::ATTEMPTS, |row| &row.labels, || rows::attempts(broker));
    scrape.by_object = by_object;
    if scrape.by_object {
        let rows = || rows::attempts_by_source(broker);
        scrape.families(families::ATTEMPTS_BY_SOURCE, |row| &row.labels, rows);
    }
    match (&whole, scrape.filter) {
        (Some(whole), None) => {
            scrape.whole(families::TOTALS, &Labels::default(), whole);
            scrape.whole(families::GLOBAL, &Labels::default().with("protocol", "amqp091"), whole);
            scrape.sizes(&whole.sizes);
            spans(broker, &mut scrape.out);
        }
        (_, Some(filter)) => {
            scrape.prefix = CLUSTER;
            scrape.families(families::EXCHANGES, |row| &row.labels, || rows::exchanges(&vhosts));
            if filter.takes_family("vhost_status") {
                let help = "Whether a given vhost is running";
                scrape.out.metric(CLUSTER, "vhost_status", Kind::Gauge, help);
                for vhost in &vhosts {
                    scrape.out.sample(&Labels::default().with("vhost", &vhost.name), 1_u64);
                }
            }
        }
        (None, None) => {}
    }
}

/// What became of spans, if messages are shown to OpenTelemetry.
fn spans(broker: &Broker, out: &mut Exposition) {
    let Some(spans) = &broker.shared.spans else { return };
    let told = spans.told();
    for (name, help, count) in [
        (
            "opentelemetry_spans_exported_total",
            "Spans that the OpenTelemetry collector has taken",
            told.exported,
        ),
        (
            "opentelemetry_spans_dropped_total",
            "Spans that were lost: the OpenTelemetry collector was too slow, away, or refused them",
            told.dropped,
        ),
    ] {
        out.metric(OWN, name, Kind::Counter, help);
        out.sample(&Labels::default(), count as f64);
    }
}

fn memory(exporter: &Exporter, out: &mut Exposition) {
    let breakdown = Breakdown::look(&exporter.broker, &exporter.sampler);
    for part in breakdown.parts() {
        out.metric(PREFIX, part.metric, Kind::Gauge, part.help);
        out.sample(&Labels::default(), part.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_name_families_vhosts_and_queues() {
        let filter =
            Filter::parse("family=queue_metrics&family=queue_consumer_count&vhost=%2F&queue=a%20b");
        assert!(filter.takes_family("queue_metrics"));
        assert!(!filter.takes_family("queue_consumer_count"), "the other one has all of it");
        assert!(!filter.takes_family("channel_metrics"));
        assert!(filter.takes_vhost("/") && !filter.takes_vhost("other"));
        assert!(filter.takes_queue("a b") && !filter.takes_queue("a"));
        let alone = Filter::parse("family=queue_consumer_count");
        assert!(alone.takes_family("queue_consumer_count") && alone.takes_vhost("any"));
        assert!(!Filter::parse("").takes_family("queue_metrics"), "nothing without a family");
    }
}
