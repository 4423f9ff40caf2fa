//! What there is: queues, exchanges, bindings, connections, channels, consumers; with the columns
//! that are asked for.

use serde_json::{Value, json};

use super::call::{ANY, Call, Outcome, Said, Verb, objects};
use super::client::path;
use super::failure::Failure;
use super::output::Rows;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "list_queues",
        usage: "list_queues [--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...]",
        arguments: (0, ANY),
        banner: |call| {
            let timeout = call.line.option("timeout").and_then(|text| text.parse().ok());
            let (timeout, vhost): (f64, _) = (timeout.unwrap_or(60.0), call.vhost());
            format!("Timeout: {timeout:?} seconds ...\nListing queues for vhost {vhost} ...")
        },
        run: |call| list(call, "queues", &QUEUES, true),
    },
    Verb {
        name: "list_unresponsive_queues",
        usage: "list_unresponsive_queues [--vhost <vhost>] [<column>, ...]",
        arguments: (0, ANY),
        banner: |call| format!("Listing unresponsive queues for vhost {} ...", call.vhost()),
        run: |_| Ok(Said::Rows(Rows::of(&["name"], Vec::new()))),
    },
    Verb {
        name: "list_exchanges",
        usage: "list_exchanges [--vhost <vhost>] [--no-table-headers] [<column> ...]",
        arguments: (0, ANY),
        banner: |call| format!("Listing exchanges for vhost {} ...", call.vhost()),
        run: |call| list(call, "exchanges", &EXCHANGES, true),
    },
    Verb {
        name: "list_bindings",
        usage: "list_bindings [--vhost <vhost>] [--no-table-headers] [<column> ...]",
        arguments: (0, ANY),
        banner: |call| format!("Listing bindings for vhost {}...", call.vhost()),
        run: |call| list(call, "bindings", &BINDINGS, true),
    },
    Verb {
        name: "list_consumers",
        usage: "list_consumers [--vhost <vhost>] [--no-table-headers] [<column> ...]",
        arguments: (0, ANY),
        banner: |call| format!("Listing consumers in vhost {} ...", call.vhost()),
        run: |call| list(call, "consumers", &CONSUMERS, true),
    },
    Verb {
        name: "list_connections",
        usage: "list_connections [--no-table-headers] [<column> ...]",
        arguments: (0, ANY),
        banner: |_| "Listing connections ...".into(),
        run: |call| list(call, "connections", &CONNECTIONS, false),
    },
    Verb {
        name: "list_channels",
        usage: "list_channels [--no-table-headers] [<column> ...]",
        arguments: (0, ANY),
        banner: |_| "Listing channels ...".into(),
        run: |call| list(call, "channels", &CHANNELS, false),
    },
];

/// The columns of a list.
struct Columns {
    /// Those that may be asked for.
    known: &'static [&'static str],
    /// Those that are shown if none is asked for.
    default: &'static [&'static str],
    /// Columns whose place in the API's objects has another name, as a pointer.
    places: &'static [(&'static str, &'static str)],
}

const QUEUES: Columns = Columns {
    known: &[
        "name",
        "durable",
        "auto_delete",
        "arguments",
        "policy",
        "operator_policy",
        "effective_policy_definition",
        "pid",
        "owner_pid",
        "exclusive",
        "exclusive_consumer_pid",
        "exclusive_consumer_tag",
        "messages_ready",
        "messages_unacknowledged",
        "messages",
        "messages_ready_ram",
        "messages_unacknowledged_ram",
        "messages_ram",
        "messages_persistent",
        "message_bytes",
        "message_bytes_ready",
        "message_bytes_unacknowledged",
        "message_bytes_ram",
        "message_bytes_persistent",
        "message_bytes_paged_out",
        "messages_paged_out",
        "messages_dlx",
        "message_bytes_dlx",
        "head_message_timestamp",
        "disk_reads",
        "disk_writes",
        "consumers",
        "consumer_utilisation",
        "consumer_capacity",
        "memory",
        "mirror_pids",
        "slave_pids",
        "synchronised_mirror_pids",
        "synchronised_slave_pids",
        "state",
        "type",
        "leader",
        "members",
        "online",
        "confirm_on",
        "single_active_consumer_pid",
        "single_active_consumer_tag",
        "is_durable",
        "storage_version",
        "delivery_limit",
    ],
    default: &["name", "messages"],
    places: &[
        ("pid", "/node"),
        ("owner_pid", "/owner_pid_details/name"),
        ("is_durable", "/durable"),
        ("leader", "/node"),
    ],
};

const EXCHANGES: Columns = Columns {
    known: &["name", "type", "durable", "auto_delete", "internal", "arguments", "policy"],
    default: &["name", "type"],
    places: &[],
};

const BINDINGS: Columns = Columns {
    known: &[
        "source_name",
        "source_kind",
        "destination_name",
        "destination_kind",
        "routing_key",
        "arguments",
    ],
    default: &[
        "source_name",
        "source_kind",
        "destination_name",
        "destination_kind",
        "routing_key",
        "arguments",
    ],
    places: &[
        ("source_name", "/source"),
        ("destination_name", "/destination"),
        ("destination_kind", "/destination_type"),
    ],
};

const CONSUMERS: Columns = Columns {
    known: &[
        "queue_name",
        "channel_pid",
        "consumer_tag",
        "ack_required",
        "prefetch_count",
        "active",
        "activity_status",
        "arguments",
        "consumer_timeout",
    ],
    default: &[
        "queue_name",
        "channel_pid",
        "consumer_tag",
        "ack_required",
        "prefetch_count",
        "active",
        "arguments",
    ],
    places: &[("queue_name", "/queue/name"), ("channel_pid", "/channel_details/name")],
};

const CONNECTIONS: Columns = Columns {
    known: &[
        "pid",
        "name",
        "port",
        "host",
        "peer_port",
        "peer_host",
        "ssl",
        "ssl_protocol",
        "ssl_key_exchange",
        "ssl_cipher",
        "ssl_hash",
        "peer_cert_subject",
        "peer_cert_issuer",
        "peer_cert_validity",
        "state",
        "channels",
        "protocol",
        "auth_mechanism",
        "user",
        "vhost",
        "container_id",
        "timeout",
        "frame_max",
        "channel_max",
        "client_properties",
        "recv_oct",
        "recv_cnt",
        "send_oct",
        "send_cnt",
        "send_pend",
        "connected_at",
        "user_provided_name",
        "node",
    ],
    default: &["user", "peer_host", "peer_port", "state"],
    places: &[("pid", "/name")],
};

const CHANNELS: Columns = Columns {
    known: &[
        "pid",
        "connection",
        "name",
        "number",
        "user",
        "vhost",
        "transactional",
        "confirm",
        "consumer_count",
        "messages_unacknowledged",
        "messages_uncommitted",
        "acks_uncommitted",
        "messages_unconfirmed",
        "prefetch_count",
        "global_prefetch_count",
        "state",
    ],
    default: &["pid", "user", "consumer_count", "messages_unacknowledged"],
    places: &[("pid", "/name"), ("connection", "/connection_details/name")],
};

/// The columns that were asked for, with commas or without.
pub(super) fn asked(
    call: &Call,
    known: &[&'static str],
    default: &[&'static str],
) -> Result<Vec<&'static str>, Failure> {
    let words = call.arguments().iter().flat_map(|word| word.split(','));
    let words: Vec<&str> = words.map(str::trim).filter(|word| !word.is_empty()).collect();
    let (mut columns, mut unknown) = (Vec::new(), Vec::new());
    for word in words {
        match known.iter().find(|name| **name == word) {
            Some(&name) => columns.push(name),
            None => unknown.push(word),
        }
    }
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(Failure::usage(format!("Info key(s) {unknown} are not supported")));
    }
    Ok(if columns.is_empty() { default.to_vec() } else { columns })
}

fn list(call: &Call, what: &str, columns: &Columns, of_vhost: bool) -> Outcome {
    let asked = asked(call, columns.known, columns.default)?;
    let path = if of_vhost { path(&[what, call.vhost()]) } else { path(&[what]) };
    let all = match call.api.get(&path) {
        // RabbitMQ lists nothing of a vhost that is not there.
        Err(failure) if failure.status == Some(404) => Vec::new(),
        all => objects(all?),
    };
    let cell =
        |object: &Value, column: &str| match columns.places.iter().find(|(c, _)| *c == column) {
            Some((_, place)) => object.pointer(place).cloned().unwrap_or_default(),
            None if column == "source_kind" => json!("exchange"),
            None => object[column].clone(),
        };
    let row = |object: &Value| asked.iter().map(|column| cell(object, column)).collect();
    Ok(Said::Rows(Rows::of(&asked, all.iter().map(row).collect())))
}
