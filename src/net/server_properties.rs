//! What the broker says about itself in connection.start.

use crate::wire::table::{Table, TableBuilder, Value};

/// What clients look for before they use it; each is honoured.
const CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

/// What the cluster is called that was given no name.
const CLUSTER_NAME: &str = "warren";

/// The server-properties table.
pub(super) fn server_properties(cluster_name: Option<&str>) -> Table {
    let cluster_name = cluster_name.unwrap_or(CLUSTER_NAME);
    let mut capabilities = TableBuilder::new();
    for capability in CAPABILITIES {
        capabilities.push(capability, Value::Bool(true));
    }
    let capabilities = capabilities.build();
    TableBuilder::new()
        .with("capabilities", Value::Table(capabilities.as_ref()))
        .with("cluster_name", Value::Text(cluster_name.as_bytes()))
        .with("copyright", Value::Text(b"The Warren authors"))
        .with("information", Value::Text(b"Licensed under the Apache License 2.0"))
        .with("platform", Value::Text(b"Rust"))
        .with("product", Value::Text(b"Warren"))
        .with("version", Value::Text(env!("CARGO_PKG_VERSION").as_bytes()))
        .build()
}
