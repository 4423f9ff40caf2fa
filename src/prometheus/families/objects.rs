//! Metrics of queues, channels and connections.

use super::super::exposition::Kind::{Counter, Gauge};
use super::super::rows::{ChannelRow, ConnectionRow, QueueRow};
use super::{Family, Metric, metric};

/// The only metric of a family that is part of another.
const QUEUE_CONSUMERS: Metric<QueueRow> =
    metric("queue_consumers", Gauge, "Consumers on a queue", |q| q.counts.consumers as f64);

pub(in crate::prometheus) const QUEUES: &[Family<QueueRow>] = &[
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
pub(in crate::prometheus) const QUEUE_CONSUMER_COUNT: &str = "queue_consumer_count";
pub(in crate::prometheus) const QUEUE_METRICS: &str = "queue_metrics";

/// A queue in which nothing waits has consumers that could take more.
fn capacity(queue: &QueueRow) -> f64 {
    if queue.counts.ready > 0 || queue.counts.consumers == 0 { 0.0 } else { 1.0 }
}

pub(in crate::prometheus) const CHANNELS: &[Family<ChannelRow>] = &[
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

pub(in crate::prometheus) const CONNECTIONS: &[Family<ConnectionRow>] = &[
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
