//! Metrics of queues, channels and connections, and of what goes between them and exchanges.

use super::super::rows::{ChannelRow, ConnectionRow, FlowRow, PassedRow, QueueRow, TrafficRow};
use super::Family;

/// Left out where [`QUEUE_METRICS`] is asked for too, which has all of it.
pub(in crate::prometheus) const QUEUE_CONSUMER_COUNT: &str = "queue_consumer_count";
pub(in crate::prometheus) const QUEUE_METRICS: &str = "queue_metrics";

pub(in crate::prometheus) const QUEUES: &[Family<QueueRow>] = &[
    (
        "queue_coarse_metrics",
        metrics! { q:
            Gauge queue_messages_ready = q.counts.ready, "Messages ready to be delivered to consumers";
            Gauge queue_messages_unacked = q.counts.unacked,
                "Messages delivered to consumers but not yet acknowledged";
            Gauge queue_messages = q.counts.ready + q.counts.unacked,
                "Sum of ready and unacknowledged messages - total queue depth";
        },
    ),
    (
        QUEUE_CONSUMER_COUNT,
        metrics! { q:
            Gauge queue_consumers = q.counts.consumers, "Consumers on a queue";
        },
    ),
    (
        QUEUE_METRICS,
        metrics! { q:
            Gauge queue_consumers = q.counts.consumers, "Consumers on a queue";
            Gauge queue_consumer_capacity = q.has_capacity(), "Consumer capacity";
            Gauge queue_consumer_utilisation = q.has_capacity(), "Same as consumer capacity";
            Gauge queue_process_memory_bytes = q.counts.memory(), "Memory in bytes used by the queue";
            Gauge queue_messages_ram = q.counts.in_memory,
                "Ready and unacknowledged messages stored in memory";
            Gauge queue_messages_ram_bytes = q.counts.bytes_in_memory,
                "Size of ready and unacknowledged messages stored in memory";
            Gauge queue_messages_ready_ram = q.counts.in_memory - q.counts.unacked,
                "Ready messages stored in memory";
            Gauge queue_messages_unacked_ram = q.counts.unacked,
                "Unacknowledged messages stored in memory";
            Gauge queue_messages_persistent = q.counts.lasting.messages, "Persistent messages";
            Gauge queue_messages_persistent_bytes = q.counts.lasting.bytes,
                "Size in bytes of persistent messages";
            Gauge queue_messages_bytes = q.counts.body_bytes,
                "Size in bytes of ready and unacknowledged messages";
            Gauge queue_messages_ready_bytes = q.counts.body_bytes - q.counts.unacked_bytes,
                "Size in bytes of ready messages";
            Gauge queue_messages_unacked_bytes = q.counts.unacked_bytes,
                "Size in bytes of all unacknowledged messages";
            Gauge queue_messages_paged_out = q.paged_out(), "Messages paged out to disk";
        },
    ),
    (
        "queue_delivery_metrics",
        metrics! { q:
            Counter queue_get_ack_total = q.counts.counters.fetched - q.counts.counters.fetched_no_ack,
                "Total number of messages fetched from a queue with basic.get in manual acknowledgement mode";
            Counter queue_get_total = q.counts.counters.fetched_no_ack,
                "Total number of messages fetched from a queue with basic.get in automatic acknowledgement mode";
            Counter queue_messages_delivered_ack_total = q.counts.counters.delivered,
                "Total number of messages delivered from a queue to consumers in manual acknowledgement mode";
            Counter queue_messages_delivered_total = q.counts.counters.delivered_no_ack,
                "Total number of messages delivered from a queue to consumers in automatic acknowledgement mode";
            Counter queue_messages_redelivered_total = q.counts.counters.redelivered,
                "Total number of messages redelivered from a queue to consumers";
            Counter queue_messages_acked_total = q.counts.counters.acked,
                "Total number of messages acknowledged by consumers on a queue";
            Counter queue_get_empty_total = q.counts.counters.fetched_nothing,
                "Total number of times basic.get operations fetched no message on a queue";
        },
    ),
    (
        "channel_queue_exchange_metrics",
        metrics! { q:
            Counter queue_messages_published_total = q.counts.counters.published,
                "Total number of messages published into a queue";
        },
    ),
];

pub(in crate::prometheus) const CHANNELS: &[Family<ChannelRow>] = &[(
    "channel_metrics",
    metrics! { c:
        Gauge channel_consumers = c.consumers, "Consumers on a channel";
        Gauge channel_messages_unacked = c.unacked, "Delivered but not yet acknowledged messages";
        Gauge channel_messages_unconfirmed = c.unconfirmed,
            "Published but not yet confirmed messages";
        Gauge channel_messages_uncommitted = c.uncommitted,
            "Messages received in a transaction but not yet committed";
        Gauge channel_acks_uncommitted = c.uncommitted_acks,
            "Message acknowledgements in a transaction not yet committed";
        Gauge consumer_prefetch = c.prefetch, "Limit of unacknowledged messages for each consumer";
        Gauge channel_prefetch = c.global_prefetch,
            "Total limit of unacknowledged messages for all consumers on a channel";
    },
)];

/// What channels published, by exchange.
pub(in crate::prometheus) const PUBLISHES: &[Family<TrafficRow>] = &[(
    "channel_exchange_metrics",
    metrics! { c:
        Counter channel_messages_published_total = c.stats.publish,
            "Total number of messages published into an exchange on a channel";
        Counter channel_messages_confirmed_total = c.stats.confirm,
            "Total number of messages published into an exchange and confirmed on the channel";
        Counter channel_messages_unroutable_returned_total = c.stats.return_unroutable,
            "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable";
        Counter channel_messages_unroutable_dropped_total = c.stats.drop_unroutable,
            "Total number of messages published as non-mandatory into an exchange and dropped as unroutable";
    },
)];

/// What channels got, by queue.
pub(in crate::prometheus) const DELIVERIES: &[Family<TrafficRow>] = &[(
    "channel_queue_metrics",
    metrics! { c:
        Counter channel_get_ack_total = c.stats.get,
            "Total number of messages fetched with basic.get in manual acknowledgement mode";
        Counter channel_get_total = c.stats.get_no_ack,
            "Total number of messages fetched with basic.get in automatic acknowledgement mode";
        Counter channel_messages_delivered_ack_total = c.stats.deliver,
            "Total number of messages delivered to consumers in manual acknowledgement mode";
        Counter channel_messages_delivered_total = c.stats.deliver_no_ack,
            "Total number of messages delivered to consumers in automatic acknowledgement mode";
        Counter channel_messages_redelivered_total = c.stats.redeliver,
            "Total number of messages redelivered to consumers";
        Counter channel_messages_acked_total = c.stats.ack,
            "Total number of messages acknowledged by consumers";
        Counter channel_get_empty_total = c.stats.get_empty,
            "Total number of times basic.get operations fetched no message";
    },
)];

pub(in crate::prometheus) const CONNECTIONS: &[Family<ConnectionRow>] = &[
    (
        "connection_coarse_metrics",
        metrics! { c:
            Counter connection_incoming_bytes_total = c.received_bytes,
                "Total number of bytes received on a connection";
            Counter connection_outgoing_bytes_total = c.sent_bytes,
                "Total number of bytes sent on a connection";
        },
    ),
    (
        "connection_metrics",
        metrics! { c:
            Counter connection_incoming_packets_total = c.received,
                "Total number of packets received on a connection";
            Counter connection_outgoing_packets_total = c.sent,
                "Total number of packets sent on a connection";
            Gauge connection_channels = c.channels, "Channels on a connection";
        },
    ),
];

pub(in crate::prometheus) const PASSED: &[Family<PassedRow>] = &[(
    "exchange_metrics",
    metrics! { e:
        Counter exchange_messages_published_total = e.came_in,
            "Total number of messages published into an exchange";
    },
)];

pub(in crate::prometheus) const FLOWS: &[Family<FlowRow>] = &[(
    "queue_exchange_metrics",
    metrics! { f:
        Counter queue_exchange_messages_published_total = f.copies,
            "Total number of messages published into a queue through an exchange";
    },
)];
