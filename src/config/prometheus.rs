//! Settings of metrics for Prometheus.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Metrics for Prometheus, on a port of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// Whether TLS is spoken too, with the certificates of `[tls]`.
    pub https: bool,
    /// The port for that; 0 lets the system choose.
    pub https_port: u16,
    /// Where the metrics are.
    pub path: String,
    /// Whether they are those of each queue, channel and connection instead of their sums.
    pub return_per_object_metrics: bool,
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::from([0, 0, 0, 0]),
            port: 15692,
            https: false,
            https_port: 15691,
            path: "/metrics".into(),
            return_per_object_metrics: false,
        }
    }
}
