//! Verbs about what Warren has no need of: clusters, feature flags to enable, plugins, rotating
//! logs. Runbooks and images call them, so they succeed and say what there is.

use super::call::{ANY, Call, Outcome, Said, Verb, nothing_to_do, silent};
use super::failure::Failure;

/// A verb that has nothing to do.
const fn idle(name: &'static str, usage: &'static str, banner: fn(&Call) -> String) -> Verb {
    Verb { name, usage, arguments: (0, ANY), banner, run: nothing_to_do }
}

pub(super) const VERBS: &[Verb] = &[
    idle("stop_app", "stop_app", |_| "Warren has no application to stop apart from itself".into()),
    idle("start_app", "start_app", |_| "Starting node ...".into()),
    idle("join_cluster", "join_cluster <existing_cluster_node>", |_| one_node()),
    idle("forget_cluster_node", "forget_cluster_node <existing_cluster_node>", |_| one_node()),
    idle("rename_cluster_node", "rename_cluster_node", |_| one_node()),
    idle("change_cluster_node_type", "change_cluster_node_type <type>", |_| one_node()),
    idle("update_cluster_nodes", "update_cluster_nodes", |_| one_node()),
    idle("force_boot", "force_boot", silent),
    idle("force_gc", "force_gc", silent),
    idle("gc_collect", "gc_collect", silent),
    idle("rotate_logs", "rotate_logs", |_| "Warren logs to standard error".into()),
    idle("reconcile_vhosts", "reconcile_vhosts", silent),
    idle("enable_feature_flag", "enable_feature_flag <feature_flag>", |call| {
        match call.argument(0) {
            "all" => "Enabling all feature flags ...".into(),
            one => format!("Enabling feature flag \"{one}\" ..."),
        }
    }),
    idle("rebalance", "rebalance < all | classic | quorum | stream >", |_| {
        "Re-balancing leaders of all queues...".into()
    }),
    idle("await_online_quorum_plus_one", "await_online_quorum_plus_one", |_| {
        "Target node seems to be the only one in a single node cluster, the command does not apply"
            .into()
    }),
    idle("await_online_synchronized_mirror", "await_online_synchronized_mirror", silent),
    idle("post_upgrade", "post_upgrade", |_| "Executing post upgrade tasks...".into()),
    idle("add_member", "add_member <queue> <node>", |_| one_node()),
    idle("delete_member", "delete_member <queue> <node>", |_| one_node()),
    idle("grow", "grow <node> <all | even>", |_| one_node()),
    idle("shrink", "shrink <node>", |_| one_node()),
    idle("transfer_leadership", "transfer_leadership", |_| one_node()),
    idle("sync_queue", "sync_queue <queue>", silent),
    idle("cancel_sync_queue", "cancel_sync_queue <queue>", silent),
    Verb { name: "reset", usage: "reset", arguments: (0, 0), banner: silent, run: refuse_reset },
    Verb {
        name: "force_reset",
        usage: "force_reset",
        arguments: (0, 0),
        banner: silent,
        run: refuse_reset,
    },
    Verb {
        name: "list_ciphers",
        usage: "list_ciphers",
        arguments: (0, 0),
        banner: |_| "Listing supported ciphers ...".into(),
        run: |_| Ok(Said::Text("[]".into())),
    },
    Verb {
        name: "tls_versions",
        usage: "tls_versions",
        arguments: (0, 0),
        banner: |_| "Listing all TLS versions supported by the runtime...".into(),
        run: |_| Ok(Said::Text("tlsv1.3\ntlsv1.2".into())),
    },
    Verb {
        name: "erlang_version",
        usage: "erlang_version",
        arguments: (0, 0),
        banner: silent,
        run: |_| Ok(Said::Text("none: Warren is written in Rust".into())),
    },
];

fn one_node() -> String {
    "Warren is a single node: there is nothing to do".into()
}

/// What deletes everything is no verb whose success may be pretended.
fn refuse_reset(_: &Call) -> Outcome {
    Err(Failure::unavailable(
        "Warren is not reset while it runs: stop it and delete its data directory",
    ))
}

/// rabbitmq-plugins. What Warren has of them is always there.
pub(super) const PLUGINS: &[Verb] = &[
    Verb {
        name: "enable",
        usage: "enable <plugin1> [ <plugin2>] | --all [--offline] [--online]",
        arguments: (0, ANY),
        banner: |call| format!("Enabling plugins:\n{}", call.arguments().join("\n")),
        run: enable,
    },
    Verb {
        name: "disable",
        usage: "disable <plugin>|--all [--offline] [--online]",
        arguments: (0, ANY),
        banner: |call| format!("Disabling plugins:\n{}", call.arguments().join("\n")),
        run: |_| Ok(Said::Text("Plugin configuration unchanged.".into())),
    },
    Verb {
        name: "set",
        usage: "set <plugin1> [ <plugin2>] [--offline] [--online]",
        arguments: (0, ANY),
        banner: |call| format!("Enabling plugins:\n{}", call.arguments().join("\n")),
        run: enable,
    },
    Verb {
        name: "list",
        usage: "list [pattern] [--verbose] [--minimal] [--enabled]",
        arguments: (0, 1),
        banner: |_| "Listing plugins ...".into(),
        run: |call| {
            let minimal = call.line.has("minimal");
            let line = |name: &&str| match minimal {
                true => (*name).to_owned(),
                false => format!("[E*] {name:<40} {}", env!("CARGO_PKG_VERSION")),
            };
            Ok(Said::Text(BUILT_IN.iter().map(line).collect::<Vec<_>>().join("\n")))
        },
    },
    Verb {
        name: "is_enabled",
        usage: "is_enabled <plugin1> [ <plugin2>]",
        arguments: (1, ANY),
        banner: |call| format!("Asking if plugin {} is enabled...", call.arguments().join(", ")),
        run: |call| match missing(call).as_slice() {
            [] => Ok(Said::Text(format!("Plugin {} is enabled", call.arguments().join(", ")))),
            missing => Err(Failure::unavailable(format!(
                "Plugin {} is not enabled. Enabled plugins and dependencies: {}",
                missing.join(", "),
                BUILT_IN.join(", ")
            ))),
        },
    },
    Verb {
        name: "directories",
        usage: "directories",
        arguments: (0, ANY),
        banner: silent,
        run: |_| Ok(Said::Text("Warren has no plugin directories".into())),
    },
];

/// RabbitMQ's plugins whose work Warren does.
const BUILT_IN: [&str; 9] = [
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_message_deduplication_exchange",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_web_dispatch",
];

fn missing(call: &Call) -> Vec<&str> {
    let asked = call.arguments().iter().map(String::as_str);
    asked.filter(|name| !BUILT_IN.contains(name)).collect()
}

/// Images enable plugins while they are built; what is not there must not break that.
fn enable(call: &Call) -> Outcome {
    let missing = missing(call);
    if missing.is_empty() {
        return Ok(Said::Text("Plugin configuration unchanged.".into()));
    }
    Ok(Said::Text(format!("WARNING - plugins that Warren does not have: {}", missing.join(", "))))
}
