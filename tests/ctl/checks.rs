//! What the node says about itself, and checks.

use crate::support::TestBroker;
use crate::tool::{all_succeed, ctl, done, json, refused};

#[test]
fn status_has_rabbitmqs_keys() {
    let broker = TestBroker::start();
    let status = json(&broker, "status");
    // All keys of RabbitMQ 4.3.6.
    for key in [
        "memory",
        "pid",
        "processes",
        "run_queue",
        "os",
        "net_ticktime",
        "config_files",
        "alarms",
        "tags",
        "listeners",
        "product_name",
        "product_version",
        "erlang_version",
        "rabbitmq_version",
        "uptime",
        "is_under_maintenance",
        "crypto_lib_version",
        "enabled_plugin_file",
        "active_plugins",
        "data_directory",
        "raft_data_directory",
        "log_files",
        "vm_memory_calculation_strategy",
        "vm_memory_high_watermark_setting",
        "vm_memory_high_watermark_limit",
        "disk_free_limit",
        "disk_free",
        "totals",
    ] {
        assert!(!status[key].is_null(), "{key} is missing");
    }
    assert_eq!(status["totals"]["virtual_host_count"], 1);
    assert_eq!(status["listeners"][0]["protocol"], "amqp");
    let text = done(&broker, "status");
    for heading in ["Runtime\n", "Memory\n", "Free Disk Space\n", "Totals\n", "Listeners\n"] {
        assert!(text.contains(heading), "{text}");
    }
    let cluster = json(&broker, "cluster_status");
    for key in [
        "alarms",
        "cluster_tags",
        "listeners",
        "cpu_cores",
        "cluster_name",
        "disk_nodes",
        "running_nodes",
        "versions",
        "partitions",
        "maintenance_status",
        "feature_flags",
    ] {
        assert!(!cluster[key].is_null(), "{key} is missing");
    }
    assert!(done(&broker, "cluster_status").contains("Running Nodes\n"));
}

#[test]
fn checks_pass_on_a_broker_that_is_well() {
    let broker = TestBroker::start();
    let port = broker.address().port();
    all_succeed(
        &broker,
        &[
            "ping",
            "await_startup",
            "wait",
            "await_online_nodes 1",
            "check_running",
            "is_running",
            "is_booting",
            "check_local_alarms",
            "check_alarms",
            "check_port_connectivity",
            "check_protocol_listener amqp",
            "check_virtual_hosts",
            "check_certificate_expiration --unit weeks --within 4",
            "check_if_node_is_quorum_critical",
            "alarms",
            "listeners",
            "memory_breakdown",
            "memory_breakdown --unit mb",
            "server_version",
            "version",
            "report",
            "environment",
            "log_location",
            "list_feature_flags",
            "list_deprecated_features",
            "list_hashes",
            "list_ciphers",
            "tls_versions",
            "node_health_check",
            "hash_password secret",
        ],
    );
    let said = done(&broker, &format!("check_port_listener {port}"));
    assert!(said.contains(&format!("A listener for port {port} is running on node ")), "{said}");
    refused(&broker, "check_port_listener 1", 69, "No listener for port 1 is active on node ");
    refused(&broker, "check_port_listener x", 64, "");
    refused(&broker, "check_protocol_listener mqtt", 69, "No listener for protocol mqtt is active");
    refused(&broker, "check_certificate_expiration --unit eons", 64, "Time unit not recognised");
    assert_eq!(json(&broker, "check_running")["result"], "ok");
}

/// What `hash_password` makes, `add_user --pre-hashed-password` takes.
#[test]
fn hashes_are_taken() {
    let broker = TestBroker::start();
    let hash = done(&broker, "-q hash_password secret");
    done(&broker, &format!("add_user alice {} --pre-hashed-password", hash.trim()));
    assert_eq!(ctl(&broker, "authenticate_user alice secret").status, 0);
}
