//! Metrics of the whole broker, of attempts to log in, and of exchanges.

use super::super::rows::{AttemptsRow, ExchangeRow};
use super::super::whole::Whole;
use super::{Family, Metric};

pub(in crate::prometheus) const ATTEMPTS: &[Family<AttemptsRow>] = &[(
    "auth_attempt_metrics",
    metrics! { a:
        Counter auth_attempts_total = a.attempts.succeeded + a.attempts.failed,
            "Total number of authentication attempts";
        Counter auth_attempts_succeeded_total = a.attempts.succeeded,
            "Total number of successful authentication attempts";
        Counter auth_attempts_failed_total = a.attempts.failed,
            "Total number of failed authentication attempts";
    },
)];

pub(in crate::prometheus) const ATTEMPTS_BY_SOURCE: &[Family<AttemptsRow>] = &[(
    "auth_attempt_detailed_metrics",
    metrics! { a:
        Counter auth_attempts_detailed_total = a.attempts.succeeded + a.attempts.failed,
            "Total number of authentication attempts with source info";
        Counter auth_attempts_detailed_succeeded_total = a.attempts.succeeded,
            "Total number of successful authentication attempts with source info";
        Counter auth_attempts_detailed_failed_total = a.attempts.failed,
            "Total number of failed authentication attempts with source info";
    },
)];

pub(in crate::prometheus) const WHOLE: &[Family<Whole>] = &[
    (
        "connection_churn_metrics",
        metrics! { w:
            Counter connections_opened_total = w.churn[0], "Total number of connections opened";
            Counter connections_closed_total = w.churn[1],
                "Total number of connections closed or terminated";
            Counter channels_opened_total = w.churn[2], "Total number of channels opened";
            Counter channels_closed_total = w.churn[3], "Total number of channels closed";
            Counter queues_declared_total = w.churn[4], "Total number of queues declared";
            Counter queues_created_total = w.churn[5], "Total number of queues created";
            Counter queues_deleted_total = w.churn[6], "Total number of queues deleted";
        },
    ),
    (
        "node_coarse_metrics",
        metrics! { w:
            Gauge process_open_fds = w.usage.descriptors, "Open file descriptors";
            Gauge process_open_tcp_sockets = w.sockets, "Open TCP sockets";
            Gauge process_resident_memory_bytes = w.usage.memory, "Memory used in bytes";
            Gauge disk_space_available_bytes = w.usage.disk_free, "Disk space available in bytes";
        },
    ),
    (
        "node_metrics",
        metrics! { w:
            Gauge process_max_fds = w.usage.descriptors_limit, "Open file descriptors limit";
            Gauge process_max_tcp_sockets = w.usage.descriptors_limit, "Open TCP sockets limit";
            Gauge resident_memory_limit_bytes = w.memory_limit, "Memory high watermark in bytes";
            Gauge disk_space_available_limit_bytes = w.disk_limit,
                "Free disk space low watermark in bytes";
            Gauge erlang_uptime_seconds = w.uptime, "Node uptime";
        },
    ),
];

/// Only in `/metrics` and `/metrics/per-object`: what messages did since the start, however many
/// channels have closed.
pub(in crate::prometheus) const GLOBAL: &[Metric<Whole>] = metrics! { w:
    Counter global_messages_received_total = w.messages.publish,
        "Total number of messages received from publishers";
    Counter global_messages_received_confirm_total = w.received_confirm,
        "Total number of messages received from publishers expecting confirmations";
    Counter global_messages_routed_total = w.routed(),
        "Total number of messages routed to queues";
    Counter global_messages_unroutable_dropped_total = w.messages.drop_unroutable,
        "Total number of messages published as non-mandatory into an exchange and dropped as unroutable";
    Counter global_messages_unroutable_returned_total = w.messages.return_unroutable,
        "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable";
    Counter global_messages_confirmed_total = w.messages.confirm,
        "Total number of messages confirmed to publishers";
    Counter global_messages_delivered_total = w.messages.deliver_get(),
        "Total number of messages delivered to consumers";
    Counter global_messages_delivered_consume_manual_ack_total = w.messages.deliver,
        "Total number of messages delivered to consumers using basic.consume with manual acknowledgment";
    Counter global_messages_delivered_consume_auto_ack_total = w.messages.deliver_no_ack,
        "Total number of messages delivered to consumers using basic.consume with automatic acknowledgment";
    Counter global_messages_delivered_get_manual_ack_total = w.messages.get,
        "Total number of messages delivered to consumers using basic.get with manual acknowledgment";
    Counter global_messages_delivered_get_auto_ack_total = w.messages.get_no_ack,
        "Total number of messages delivered to consumers using basic.get with automatic acknowledgment";
    Counter global_messages_get_empty_total = w.messages.get_empty,
        "Total number of times basic.get operations fetched no message";
    Counter global_messages_redelivered_total = w.messages.redeliver,
        "Total number of messages redelivered to consumers";
    Counter global_messages_acknowledged_total = w.messages.ack,
        "Total number of messages acknowledged by consumers";
    Gauge global_publishers = w.publishers, "Publishers currently connected";
    Gauge global_consumers = w.consumers, "Consumers currently connected";
};

/// Only in `/metrics` and `/metrics/per-object`.
pub(in crate::prometheus) const TOTALS: &[Metric<Whole>] = metrics! { w:
    Gauge connections = w.connections, "Connections currently open";
    Gauge channels = w.channels, "Channels currently open";
    Gauge consumers = w.consumers, "Consumers currently connected";
    Gauge queues = w.queues, "Queues available";
    Gauge alarms_memory_used_watermark = w.memory_alarm,
        "is 1 if VM memory watermark alarm is in effect";
    Gauge alarms_free_disk_space_watermark = w.disk_alarm,
        "is 1 if free disk space watermark alarm is in effect";
    Gauge alarms_file_descriptor_limit = always(w, 0),
        "is 1 if file descriptor limit alarm is in effect";
};

/// Only in `/metrics/detailed`, under a prefix of their own.
pub(in crate::prometheus) const EXCHANGES: &[Family<ExchangeRow>] = &[
    (
        "exchange_bindings",
        metrics! { e:
            Gauge exchange_bindings = e.bindings,
                "Number of bindings for an exchange. This value is cluster-wide.";
        },
    ),
    (
        "exchange_names",
        metrics! { e:
            Gauge exchange_name = always(e, 1),
                "Enumerates exchanges without any additional info. This value is cluster-wide. A cheaper alternative to `exchange_bindings`";
        },
    ),
];

/// Where RabbitMQ tells of something that does not change here.
fn always<Row>(_: &Row, number: u64) -> u64 {
    number
}
