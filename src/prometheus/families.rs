//! Which metrics there are: RabbitMQ's names and families, each with where its number comes from.
//! What only an Erlang machine has (reductions, garbage collection) is left out.

use super::exposition::Kind::{self, Counter, Gauge};
use super::rows::{AttemptsRow, ChannelRow, ConnectionRow, ExchangeRow, QueueRow};
use super::whole::Whole;

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

/// The only metric of a family that is part of another.
const QUEUE_CONSUMERS: Metric<QueueRow> =
    metric("queue_consumers", Gauge, "Consumers on a queue", |q| q.counts.consumers as f64);

pub(super) const QUEUES: &[Family<QueueRow>] = &[
    (
        "queue_coarse_metrics",
        &[
            metric(
                "queue_messages_ready",
                Gauge,
                "Messages ready to be delivered to consumers",
                |q| q.counts.ready as f64,
            ),
            metric(
                "queue_messages_unacked",
                Gauge,
                "Messages delivered to consumers but not yet acknowledged",
                |q| q.counts.unacked as f64,
            ),
            metric(
                "queue_messages",
                Gauge,
                "Sum of ready and unacknowledged messages - total queue depth",
                |q| (q.counts.ready + q.counts.unacked) as f64,
            ),
        ],
    ),
    (QUEUE_CONSUMER_COUNT, &[QUEUE_CONSUMERS]),
    (
        QUEUE_METRICS,
        &[
            QUEUE_CONSUMERS,
            metric("queue_consumer_capacity", Gauge, "Consumer capacity", capacity),
            metric("queue_consumer_utilisation", Gauge, "Same as consumer capacity", capacity),
            metric("queue_process_memory_bytes", Gauge, "Memory in bytes used by the queue", |q| {
                q.counts.memory() as f64
            }),
            metric(
                "queue_messages_ram",
                Gauge,
                "Ready and unacknowledged messages stored in memory",
                |q| q.counts.in_memory as f64,
            ),
            metric(
                "queue_messages_ram_bytes",
                Gauge,
                "Size of ready and unacknowledged messages stored in memory",
                |q| q.counts.bytes_in_memory as f64,
            ),
            metric(
                "queue_messages_bytes",
                Gauge,
                "Size in bytes of ready and unacknowledged messages",
                |q| q.counts.body_bytes as f64,
            ),
            metric("queue_messages_ready_bytes", Gauge, "Size in bytes of ready messages", |q| {
                (q.counts.body_bytes - q.counts.unacked_bytes) as f64
            }),
            metric(
                "queue_messages_unacked_bytes",
                Gauge,
                "Size in bytes of all unacknowledged messages",
                |q| q.counts.unacked_bytes as f64,
            ),
            metric("queue_messages_paged_out", Gauge, "Messages paged out to disk", |q| {
                (q.counts.ready + q.counts.unacked).saturating_sub(q.counts.in_memory) as f64
            }),
        ],
    ),
    (
        "queue_delivery_metrics",
        &[
            metric(
                "queue_get_ack_total",
                Counter,
                "Total number of messages fetched from a queue with basic.get in manual acknowledgement mode",
                |q| (q.counts.counters.fetched - q.counts.counters.fetched_no_ack) as f64,
            ),
            metric(
                "queue_get_total",
                Counter,
                "Total number of messages fetched from a queue with basic.get in automatic acknowledgement mode",
                |q| q.counts.counters.fetched_no_ack as f64,
            ),
            metric(
                "queue_messages_delivered_ack_total",
                Counter,
                "Total number of messages delivered from a queue to consumers in manual acknowledgement mode",
                |q| q.counts.counters.delivered as f64,
            ),
            metric(
                "queue_messages_delivered_total",
                Counter,
                "Total number of messages delivered from a queue to consumers in automatic acknowledgement mode",
                |q| q.counts.counters.delivered_no_ack as f64,
            ),
            metric(
                "queue_messages_redelivered_total",
                Counter,
                "Total number of messages redelivered from a queue to consumers",
                |q| q.counts.counters.redelivered as f64,
            ),
            metric(
                "queue_messages_acked_total",
                Counter,
                "Total number of messages acknowledged by consumers on a queue",
                |q| q.counts.counters.acked as f64,
            ),
        ],
    ),
    (
        "channel_queue_exchange_metrics",
        &[metric(
            "queue_messages_published_total",
            Counter,
            "Total number of messages published into a queue",
            |q| q.counts.counters.published as f64,
        )],
    ),
];

/// Left out where [`QUEUE_METRICS`] is asked for too, which has all of it.
pub(super) const QUEUE_CONSUMER_COUNT: &str = "queue_consumer_count";
pub(super) const QUEUE_METRICS: &str = "queue_metrics";

/// A queue in which nothing waits has consumers that could take more.
fn capacity(queue: &QueueRow) -> f64 {
    if queue.counts.ready > 0 || queue.counts.consumers == 0 { 0.0 } else { 1.0 }
}

pub(super) const CHANNELS: &[Family<ChannelRow>] = &[
    (
        "channel_metrics",
        &[
            metric("channel_consumers", Gauge, "Consumers on a channel", |c| c.consumers as f64),
            metric(
                "channel_messages_unacked",
                Gauge,
                "Delivered but not yet acknowledged messages",
                |c| c.unacked as f64,
            ),
            metric(
                "channel_messages_unconfirmed",
                Gauge,
                "Published but not yet confirmed messages",
                |c| c.unconfirmed as f64,
            ),
            metric(
                "channel_messages_uncommitted",
                Gauge,
                "Messages received in a transaction but not yet committed",
                |c| c.uncommitted as f64,
            ),
            metric(
                "channel_acks_uncommitted",
                Gauge,
                "Message acknowledgements in a transaction not yet committed",
                |c| c.uncommitted_acks as f64,
            ),
            metric(
                "consumer_prefetch",
                Gauge,
                "Limit of unacknowledged messages for each consumer",
                |c| c.prefetch as f64,
            ),
            metric(
                "channel_prefetch",
                Gauge,
                "Total limit of unacknowledged messages for all consumers on a channel",
                |c| c.global_prefetch as f64,
            ),
        ],
    ),
    (
        "channel_exchange_metrics",
        &[
            metric(
                "channel_messages_published_total",
                Counter,
                "Total number of messages published into an exchange on a channel",
                |c| c.stats.publish as f64,
            ),
            metric(
                "channel_messages_confirmed_total",
                Counter,
                "Total number of messages published into an exchange and confirmed on the channel",
                |c| c.stats.confirm as f64,
            ),
            metric(
                "channel_messages_unroutable_returned_total",
                Counter,
                "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
                |c| c.stats.return_unroutable as f64,
            ),
            metric(
                "channel_messages_unroutable_dropped_total",
                Counter,
                "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
                |c| c.stats.drop_unroutable as f64,
            ),
        ],
    ),
    (
        "channel_queue_metrics",
        &[
            metric(
                "channel_get_ack_total",
                Counter,
                "Total number of messages fetched with basic.get in manual acknowledgement mode",
                |c| c.stats.get as f64,
            ),
            metric(
                "channel_get_total",
                Counter,
                "Total number of messages fetched with basic.get in automatic acknowledgement mode",
                |c| c.stats.get_no_ack as f64,
            ),
            metric(
                "channel_messages_delivered_ack_total",
                Counter,
                "Total number of messages delivered to consumers in manual acknowledgement mode",
                |c| c.stats.deliver as f64,
            ),
            metric(
                "channel_messages_delivered_total",
                Counter,
                "Total number of messages delivered to consumers in automatic acknowledgement mode",
                |c| c.stats.deliver_no_ack as f64,
            ),
            metric(
                "channel_messages_redelivered_total",
                Counter,
                "Total number of messages redelivered to consumers",
                |c| c.stats.redeliver as f64,
            ),
            metric(
                "channel_messages_acked_total",
                Counter,
                "Total number of messages acknowledged by consumers",
                |c| c.stats.ack as f64,
            ),
            metric(
                "channel_get_empty_total",
                Counter,
                "Total number of times basic.get operations fetched no message",
                |c| c.stats.get_empty as f64,
            ),
        ],
    ),
];

pub(super) const CONNECTIONS: &[Family<ConnectionRow>] = &[
    (
        "connection_coarse_metrics",
        &[
            metric(
                "connection_incoming_bytes_total",
                Counter,
                "Total number of bytes received on a connection",
                |c| c.received_bytes as f64,
            ),
            metric(
                "connection_outgoing_bytes_total",
                Counter,
                "Total number of bytes sent on a connection",
                |c| c.sent_bytes as f64,
            ),
        ],
    ),
    (
        "connection_metrics",
        &[
            metric(
                "connection_incoming_packets_total",
                Counter,
                "Total number of packets received on a connection",
                |c| c.received as f64,
            ),
            metric(
                "connection_outgoing_packets_total",
                Counter,
                "Total number of packets sent on a connection",
                |c| c.sent as f64,
            ),
            metric("connection_channels", Gauge, "Channels on a connection", |c| c.channels as f64),
        ],
    ),
];

pub(super) const ATTEMPTS: &[Family<AttemptsRow>] = &[(
    "auth_attempt_metrics",
    &[
        metric("auth_attempts_total", Counter, "Total number of authentication attempts", |a| {
            (a.attempts.succeeded + a.attempts.failed) as f64
        }),
        metric(
            "auth_attempts_succeeded_total",
            Counter,
            "Total number of successful authentication attempts",
            |a| a.attempts.succeeded as f64,
        ),
        metric(
            "auth_attempts_failed_total",
            Counter,
            "Total number of failed authentication attempts",
            |a| a.attempts.failed as f64,
        ),
    ],
)];

pub(super) const ATTEMPTS_BY_SOURCE: &[Family<AttemptsRow>] = &[(
    "auth_attempt_detailed_metrics",
    &[
        metric(
            "auth_attempts_detailed_total",
            Counter,
            "Total number of authentication attempts with source info",
            |a| (a.attempts.succeeded + a.attempts.failed) as f64,
        ),
        metric(
            "auth_attempts_detailed_succeeded_total",
            Counter,
            "Total number of successful authentication attempts with source info",
            |a| a.attempts.succeeded as f64,
        ),
        metric(
            "auth_attempts_detailed_failed_total",
            Counter,
            "Total number of failed authentication attempts with source info",
            |a| a.attempts.failed as f64,
        ),
    ],
)];

pub(super) const WHOLE: &[Family<Whole>] = &[
    (
        "connection_churn_metrics",
        &[
            metric(
                "connections_opened_total",
                Counter,
                "Total number of connections opened",
                |w| w.churn[0],
            ),
            metric(
                "connections_closed_total",
                Counter,
                "Total number of connections closed or terminated",
                |w| w.churn[1],
            ),
            metric("channels_opened_total", Counter, "Total number of channels opened", |w| {
                w.churn[2]
            }),
            metric("channels_closed_total", Counter, "Total number of channels closed", |w| {
                w.churn[3]
            }),
            metric("queues_declared_total", Counter, "Total number of queues declared", |w| {
                w.churn[4]
            }),
            metric("queues_created_total", Counter, "Total number of queues created", |w| {
                w.churn[5]
            }),
            metric("queues_deleted_total", Counter, "Total number of queues deleted", |w| {
                w.churn[6]
            }),
        ],
    ),
    (
        "node_coarse_metrics",
        &[
            metric("process_open_fds", Gauge, "Open file descriptors", |w| {
                w.usage.descriptors as f64
            }),
            metric("process_open_tcp_sockets", Gauge, "Open TCP sockets", |w| w.sockets as f64),
            metric("process_resident_memory_bytes", Gauge, "Memory used in bytes", |w| {
                w.usage.memory as f64
            }),
            metric("disk_space_available_bytes", Gauge, "Disk space available in bytes", |w| {
                w.usage.disk_free as f64
            }),
        ],
    ),
    (
        "node_metrics",
        &[
            metric("process_max_fds", Gauge, "Open file descriptors limit", |w| {
                w.usage.descriptors_limit as f64
            }),
            metric("process_max_tcp_sockets", Gauge, "Open TCP sockets limit", |w| {
                w.usage.descriptors_limit as f64
            }),
            metric("resident_memory_limit_bytes", Gauge, "Memory high watermark in bytes", |w| {
                w.memory_limit as f64
            }),
            metric(
                "disk_space_available_limit_bytes",
                Gauge,
                "Free disk space low watermark in bytes",
                |w| w.disk_limit as f64,
            ),
            metric("uptime_seconds", Gauge, "Node uptime", |w| w.uptime),
        ],
    ),
];

/// Only in `/metrics`: what messages did since the start, however many channels have closed.
pub(super) const GLOBAL: &[Metric<Whole>] = &[
    metric(
        "global_messages_received_total",
        Counter,
        "Total number of messages received from publishers",
        |w| w.messages.publish as f64,
    ),
    metric(
        "global_messages_received_confirm_total",
        Counter,
        "Total number of messages received from publishers expecting confirmations",
        |w| w.received_confirm as f64,
    ),
    metric(
        "global_messages_routed_total",
        Counter,
        "Total number of messages routed to queues",
        |w| w.routed() as f64,
    ),
    metric(
        "global_messages_unroutable_dropped_total",
        Counter,
        "Total number of messages published as non-mandatory into an exchange and dropped as unroutable",
        |w| w.messages.drop_unroutable as f64,
    ),
    metric(
        "global_messages_unroutable_returned_total",
        Counter,
        "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable",
        |w| w.messages.return_unroutable as f64,
    ),
    metric(
        "global_messages_confirmed_total",
        Counter,
        "Total number of messages confirmed to publishers",
        |w| w.messages.confirm as f64,
    ),
    metric(
        "global_messages_delivered_total",
        Counter,
        "Total number of messages delivered to consumers",
        |w| w.messages.deliver_get() as f64,
    ),
    metric(
        "global_messages_delivered_consume_manual_ack_total",
        Counter,
        "Total number of messages delivered to consumers using basic.consume with manual acknowledgment",
        |w| w.messages.deliver as f64,
    ),
    metric(
        "global_messages_delivered_consume_auto_ack_total",
        Counter,
        "Total number of messages delivered to consumers using basic.consume with automatic acknowledgment",
        |w| w.messages.deliver_no_ack as f64,
    ),
    metric(
        "global_messages_delivered_get_manual_ack_total",
        Counter,
        "Total number of messages delivered to consumers using basic.get with manual acknowledgment",
        |w| w.messages.get as f64,
    ),
    metric(
        "global_messages_delivered_get_auto_ack_total",
        Counter,
        "Total number of messages delivered to consumers using basic.get with automatic acknowledgment",
        |w| w.messages.get_no_ack as f64,
    ),
    metric(
        "global_messages_get_empty_total",
        Counter,
        "Total number of times basic.get operations fetched no message",
        |w| w.messages.get_empty as f64,
    ),
    metric(
        "global_messages_redelivered_total",
        Counter,
        "Total number of messages redelivered to consumers",
        |w| w.messages.redeliver as f64,
    ),
    metric(
        "global_messages_acknowledged_total",
        Counter,
        "Total number of messages acknowledged by consumers",
        |w| w.messages.ack as f64,
    ),
    metric("global_publishers", Gauge, "Publishers currently connected", |w| w.publishers as f64),
    metric("global_consumers", Gauge, "Consumers currently connected", |w| w.consumers as f64),
];

/// Only in `/metrics` and `/metrics/per-object`.
pub(super) const TOTALS: &[Metric<Whole>] = &[
    metric("connections", Gauge, "Connections currently open", |w| w.connections as f64),
    metric("channels", Gauge, "Channels currently open", |w| w.channels as f64),
    metric("consumers", Gauge, "Consumers currently connected", |w| w.consumers as f64),
    metric("queues", Gauge, "Queues available", |w| w.queues as f64),
    metric(
        "alarms_memory_used_watermark",
        Gauge,
        "is 1 if VM memory watermark alarm is in effect",
        |w| w.memory_alarm.into(),
    ),
    metric(
        "alarms_free_disk_space_watermark",
        Gauge,
        "is 1 if free disk space watermark alarm is in effect",
        |w| w.disk_alarm.into(),
    ),
    metric(
        "alarms_file_descriptor_limit",
        Gauge,
        "is 1 if file descriptor limit alarm is in effect",
        |_| 0.0,
    ),
];

/// Only in `/metrics/detailed`, under a prefix of their own.
pub(super) const EXCHANGES: &[Family<ExchangeRow>] = &[
    (
        "exchange_bindings",
        &[metric(
            "exchange_bindings",
            Gauge,
            "Number of bindings for an exchange. This value is cluster-wide.",
            |e| e.bindings as f64,
        )],
    ),
    (
        "exchange_names",
        &[metric(
            "exchange_name",
            Gauge,
            "Enumerates exchanges without any additional info. This value is cluster-wide. A cheaper alternative to `exchange_bindings`",
            |_| 1.0,
        )],
    ),
];
