//! Which metrics there are: RabbitMQ's names and families, each with where its number comes from.
//! What only an Erlang machine has (reductions, garbage collection) is left out.

use super::exposition::{Kind, Value};

/// A table of metrics of a row that is called so: kind, name, number, what it means.
macro_rules! metrics {
    ($row:ident: $($kind:ident $name:ident = $number:expr, $help:literal;)*) => {
        &[$($crate::prometheus::families::Metric {
            name: stringify!($name),
            kind: $crate::prometheus::exposition::Kind::$kind,
            help: $help,
            of: |$row| $crate::prometheus::exposition::Value::from($number),
        },)*]
    };
}

mod broker;
mod objects;

pub(super) use broker::{ATTEMPTS, ATTEMPTS_BY_SOURCE, EXCHANGES, GLOBAL, TOTALS, WHOLE};
pub(super) use objects::{
    CHANNELS, CONNECTIONS, DELIVERIES, FLOWS, PASSED, PUBLISHES, QUEUE_CONSUMER_COUNT,
    QUEUE_METRICS, QUEUES,
};

/// One metric of objects of one sort.
pub(super) struct Metric<Row> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) of: fn(&Row) -> Value,
}

/// Metrics that are asked for together.
pub(super) type Family<Row> = (&'static str, &'static [Metric<Row>]);
