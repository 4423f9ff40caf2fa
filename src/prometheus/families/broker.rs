//! Metrics of the whole broker, of attempts to log in, and of exchanges.

use super::super::exposition::Kind::{Counter, Gauge};
use super::super::rows::{AttemptsRow, ExchangeRow};
use super::super::whole::Whole;
use super::{Family, Metric, metric};

pub(in crate::prometheus) const ATTEMPTS: &[Family<AttemptsRow>] = &[(
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

pub(in crate::prometheus) const ATTEMPTS_BY_SOURCE: &[Family<AttemptsRow>] = &[(
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

pub(in crate::prometheus) const WHOLE: &[Family<Whole>] = &[
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
            metric("erlang_uptime_seconds", Gauge, "Node uptime", |w| w.uptime),
        ],
    ),
];

/// Only in `/metrics`: what messages did since the start, however many channels have closed.
pub(in crate::prometheus) const GLOBAL: &[Metric<Whole>] = &[
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
pub(in crate::prometheus) const TOTALS: &[Metric<Whole>] = &[
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
pub(in crate::prometheus) const EXCHANGES: &[Family<ExchangeRow>] = &[
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
