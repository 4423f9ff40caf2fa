//! Which metrics there are: RabbitMQ's names and families, each with where its number comes from.
//! What only an Erlang machine has (reductions, garbage collection) is left out.

mod broker;
mod objects;

use super::exposition::Kind;

pub(super) use broker::{ATTEMPTS, ATTEMPTS_BY_SOURCE, EXCHANGES, GLOBAL, TOTALS, WHOLE};
pub(super) use objects::{CHANNELS, CONNECTIONS, QUEUE_CONSUMER_COUNT, QUEUE_METRICS, QUEUES};

/// One metric of objects of one sort.
pub(super) struct Metric<Row> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) of: fn(&Row) -> f64,
}

const fn metric<Row>(
    name: &'static str,
    kind: Kind,
    help: &'static str,
    of: fn(&Row) -> f64,
) -> Metric<Row> {
    Metric { name, kind, help, of }
}

/// Metrics that are asked for together.
pub(super) type Family<Row> = (&'static str, &'static [Metric<Row>]);
