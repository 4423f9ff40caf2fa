//! Acts: on queues, connections, definitions, the node.

use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::support::{TestBroker, eventually};
use crate::tool::{all_succeed, ctl, done, json, refused};

#[test]
fn queues_are_purged_and_deleted() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q1");
    client.publish_numbers("q1", 0..3);
    eventually("they are there", || broker.counts("q1").ready == 3);
    refused(&broker, "delete_queue q1 --if-empty", 65, "");
    done(&broker, "pause_queue q1");
    done(&broker, "resume_queue q1");
    refused(&broker, "pause_queue none", 65, "was not found");
    assert_eq!(done(&broker, "purge_queue q1"), "Purging queue 'q1' in vhost '/' ...\n");
    assert_eq!(broker.counts("q1").ready, 0);
    assert_eq!(done(&broker, "delete_queue q1"), "Deleting queue 'q1' on vhost '/' ...\n");
    refused(&broker, "delete_queue q1", 64, "No such queue was found");
    refused(&broker, "purge_queue q1", 65, "was not found");
}

#[test]
fn connections_are_closed() {
    let broker = TestBroker::start();
    let _clients = [broker.client(), broker.client(), broker.client()];
    let open = || broker.server().broker().peers.len();
    let said = done(&broker, "close_all_connections --limit 1 reason");
    assert_eq!(said, "Closing 1 connections in vhost /, reason: reason...\nClosed 1 connections\n");
    eventually("one has gone", || open() == 2);
    let name = json(&broker, "list_connections name")[0]["name"].clone();
    let name = name.as_str().expect("a name");
    let closed = crate::tool::words(&broker, &["close_connection", name, "bye"]);
    assert_eq!(closed.status, 0, "{closed:?}");
    eventually("another has gone", || open() == 1);
    done(&broker, "close_all_user_connections guest bye");
    eventually("all have gone", || open() == 0);
}

#[test]
fn definitions_go_out_and_in() {
    let broker = TestBroker::start();
    done(&broker, "create_queue kept");
    let definitions: Value =
        serde_json::from_str(&done(&broker, "export_definitions -")).expect("JSON");
    assert_eq!(definitions["queues"][0]["name"], "kept");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("all.json");
    let file = file.to_str().expect("UTF-8");
    done(&broker, &format!("export_definitions {file}"));
    done(&broker, "delete_queue kept");
    let said = done(&broker, &format!("import_definitions {file}"));
    assert!(said.ends_with("Successfully imported definitions\n"), "{said}");
    assert!(broker.queue("kept").is_some());
    refused(&broker, "import_definitions /nonexistent", 65, "/nonexistent");
}

#[test]
fn listeners_are_suspended_and_resumed() {
    let broker = TestBroker::start();
    let _client = broker.client();
    let address = broker.address();
    done(&broker, "suspend_listeners");
    eventually("nobody is let in", || TcpStream::connect(address).is_err());
    assert_eq!(broker.server().broker().peers.len(), 1, "who is there stays");
    assert_eq!(json(&broker, "status")["is_under_maintenance"], true);
    done(&broker, "resume_listeners");
    eventually("clients are let in", || TcpStream::connect(address).is_ok());
    done(&broker, "drain");
    eventually("all have left", || broker.server().broker().peers.is_empty());
    done(&broker, "revive");
    eventually("clients are let in again", || TcpStream::connect(address).is_ok());
    broker.client();
}

#[test]
fn the_node_is_asked_to_log_more_and_to_end() {
    let broker = TestBroker::start();
    let control = &broker.server().broker().control;
    assert_eq!(done(&broker, "set_log_level warning"), "Setting log level to \"warning\" ...\n");
    assert_eq!(control.log_levels().borrow().as_deref(), Some("warn"));
    refused(&broker, "set_log_level bogus", 65, "unknown log level bogus");
    done(&broker, "stop");
    broker.block_on(control.end_asked());
}

#[test]
fn limits_change_while_the_broker_runs() {
    let broker = TestBroker::start();
    let shared = &broker.server().broker().shared;
    let said = done(&broker, "set_disk_free_limit 60MB");
    assert!(
        said.starts_with("Setting disk free limit on ") && said.ends_with(" to 60MB bytes ...\n")
    );
    assert_eq!(shared.disk.limit(), 60_000_000);
    let said = done(&broker, "set_vm_memory_high_watermark absolute 2GB");
    assert!(said.starts_with("Setting memory threshold on "), "{said}");
    assert_eq!(json(&broker, "status")["vm_memory_high_watermark_limit"], 2_000_000_000_u64);
    done(&broker, "set_vm_memory_high_watermark 0.5");
    refused(&broker, "set_disk_free_limit lots", 64, "lots is no size");
    refused(&broker, "set_vm_memory_high_watermark -- -1", 65, "must be a number");
}

/// Runbooks and images call these; a single node has nothing to do.
#[test]
fn what_clusters_need_succeeds() {
    let broker = TestBroker::start();
    all_succeed(
        &broker,
        &[
            "stop_app",
            "join_cluster rabbit@other",
            "start_app",
            "forget_cluster_node rabbit@other",
            "enable_feature_flag all",
            "rotate_logs",
            "rebalance all",
            "await_online_quorum_plus_one",
            "post_upgrade",
            "force_boot",
            "plugins enable --offline rabbitmq_management rabbitmq_prometheus",
            "plugins list",
            "plugins is_enabled rabbitmq_management",
            "plugins disable rabbitmq_management",
            "help",
            "help list_queues",
        ],
    );
    refused(&broker, "reset", 69, "delete its data directory");
    refused(&broker, "plugins is_enabled rabbitmq_mqtt", 69, "is not enabled");
}

#[test]
fn mistakes_have_rabbitmqctls_statuses() {
    let broker = TestBroker::start();
    refused(&broker, "list_queue", 64, "Did you mean 'list_queues'?");
    refused(&broker, "add_user", 64, "not enough args");
    refused(&broker, "list_users extra", 64, "too many arguments");
    refused(&broker, "list_users --fast", 64, "Invalid options");
    refused(&broker, "list_users --formatter bogus", 64, "Unknown formatter");
    refused(&broker, "--password wrong list_users", 69, "");
    // Nobody listens on a port that was just let go.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr();
    let url = format!("http://{}", port.expect("an address"));
    refused(&broker, &format!("--base-uri {url} list_users"), 69, "Is the broker running?");
    let said = ctl(&broker, "purge_queue none --formatter json");
    let error: Value = serde_json::from_str(&said.err).expect("JSON");
    assert_eq!((said.status, &error["result"]), (65, &"error".into()));
}

#[test]
fn it_answers_to_rabbitmqs_names() {
    let broker = TestBroker::start();
    let directory = tempfile::tempdir().expect("a directory");
    for (name, verb) in [
        ("rabbitmqctl", "list_users"),
        ("rabbitmq-diagnostics", "check_running"),
        ("rabbitmq-plugins", "list"),
        ("rabbitmq-queues", "rebalance"),
        ("rabbitmq-upgrade", "post_upgrade"),
    ] {
        let link = directory.path().join(name);
        symlink(env!("CARGO_BIN_EXE_warren"), &link).expect("a link");
        let url = format!("http://{}", broker.server().http_address());
        let said = Command::new(&link).arg(verb).env("WARREN_CTL_URL", url).output();
        let said = said.expect("it runs");
        assert!(said.status.success(), "{name} {verb}: {said:?}");
    }
}
