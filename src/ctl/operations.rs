//! Acts on queues, connections, definitions and the node as a whole.

use std::fs;
use std::io::Read;
use std::time::Duration;

use serde_json::{Value, json};

use super::call::{ANY, Call, Outcome, Said, Verb, objects, silent};
use super::client::path;
use super::failure::Failure;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "delete_queue",
        usage: "delete_queue [--vhost <vhost>] <queue_name> [--if-empty|-e] [--if-unused|-u]",
        arguments: (1, 1),
        banner: |call| {
            format!("Deleting queue '{}' on vhost '{}' ...", call.argument(0), call.vhost())
        },
        run: delete_queue,
    },
    Verb {
        name: "purge_queue",
        usage: "purge_queue <queue> [--vhost <vhost>]",
        arguments: (1, 1),
        banner: |call| {
            format!("Purging queue '{}' in vhost '{}' ...", call.argument(0), call.vhost())
        },
        run: |call| {
            let missing = || Failure::data("Object (queue, stream, exchange, etc) was not found");
            let purged =
                call.api.delete(&path(&["queues", call.vhost(), call.argument(0), "contents"]));
            purged.map_err(|failure| failure.if_missing(missing))?;
            Ok(Said::Nothing)
        },
    },
    Verb {
        name: "close_connection",
        usage: "close_connection <connection name> <explanation>",
        arguments: (1, 2),
        banner: |call| {
            let (name, reason) = (call.argument(0), call.argument(1));
            format!("Closing connection {name}, reason: {reason}...")
        },
        run: |call| {
            close(call, call.argument(0), call.argument(1))?;
            Ok(Said::Nothing)
        },
    },
    Verb {
        name: "close_all_connections",
        usage: "close_all_connections [--vhost <vhost> --limit <limit>] [-n <node> --global] [--per-connection-delay <delay>] <explanation>",
        arguments: (0, 1),
        banner: |call| {
            let limit = call.line.option("limit").filter(|limit| *limit != "0").unwrap_or("all");
            let (reason, vhost) = (call.argument(0), call.vhost());
            if call.line.has("global") {
                return format!("Closing {limit} connections to node, reason: {reason}...");
            }
            format!("Closing {limit} connections in vhost {vhost}, reason: {reason}...")
        },
        run: |call| {
            let wanted = call.line.has("global").then(String::new);
            let vhost = call.vhost();
            close_all(call, call.argument(0), |each| wanted.is_some() || each["vhost"] == vhost)
        },
    },
    Verb {
        name: "close_all_user_connections",
        usage: "close_all_user_connections <username> <explanation>",
        arguments: (1, 2),
        banner: |call| {
            let (user, reason) = (call.argument(0), call.argument(1));
            format!("Closing connections of user {user}, reason: {reason}...")
        },
        run: |call| close_all(call, call.argument(1), |each| each["user"] == call.argument(0)),
    },
    Verb {
        name: "export_definitions",
        usage: "export_definitions [--format json] <file_path>",
        arguments: (0, 1),
        banner: |call| match call.argument(0) {
            "" | "-" => String::new(),
            file => format!("Exporting definitions in JSON to a file at {file:?} ..."),
        },
        run: export,
    },
    Verb {
        name: "import_definitions",
        usage: "import_definitions [--format json] <file_path>",
        arguments: (0, 1),
        banner: |call| match call.argument(0) {
            "" | "-" => "Importing definitions in JSON from standard input ...".into(),
            file => format!("Importing definitions in JSON from a file at {file:?} ..."),
        },
        run: import,
    },
    Verb {
        name: "stop",
        usage: "stop [<pidfile>]",
        arguments: (0, 1),
        banner: |_| "Stopping and halting node ...".into(),
        run: stop,
    },
    Verb {
        name: "shutdown",
        usage: "shutdown [--wait]",
        arguments: (0, 0),
        banner: |_| "Shutting down the node ...".into(),
        run: stop,
    },
    Verb {
        name: "suspend_listeners",
        usage: "suspend_listeners",
        arguments: (0, 0),
        banner: |call| {
            format!(
                "Will suspend client connection listeners on node {}. The node will no longer accept \
                 client connections!",
                call.node().unwrap_or_default()
            )
        },
        run: |call| listeners(call, "suspend"),
    },
    Verb {
        name: "resume_listeners",
        usage: "resume_listeners",
        arguments: (0, 0),
        banner: |call| {
            format!(
                "Will resume client connection listeners on node {}. The node will now accept client \
                 connections",
                call.node().unwrap_or_default()
            )
        },
        run: |call| listeners(call, "resume"),
    },
    Verb {
        name: "drain",
        usage: "drain",
        arguments: (0, 0),
        banner: |call| {
            format!(
                "Will put node {} into maintenance mode. The node will no longer serve any client \
                 traffic!",
                call.node().unwrap_or_default()
            )
        },
        run: |call| {
            listeners(call, "suspend")?;
            close_all(call, "Node was put into maintenance mode", |_| true)
        },
    },
    Verb {
        name: "revive",
        usage: "revive",
        arguments: (0, 0),
        banner: |call| {
            format!(
                "Will put node {} back into regular operating mode.",
                call.node().unwrap_or_default()
            )
        },
        run: |call| listeners(call, "resume"),
    },
    Verb {
        name: "set_log_level",
        usage: "set_log_level <log_level>",
        arguments: (1, 2),
        banner: |call| format!("Setting log level to {:?} ...", level(call)),
        run: |call| {
            let place = path(&["nodes", &call.node()?, "log-level"]);
            call.api.put(&place, &json!({"level": level(call)}))?;
            Ok(Said::Nothing)
        },
    },
    Verb {
        name: "set_vm_memory_high_watermark",
        usage: "set_vm_memory_high_watermark <fraction> | absolute <value>",
        arguments: (1, 2),
        banner: |call| limit_banner(call, "memory threshold"),
        run: |call| set_limit(call, "memory-watermark", "relative"),
    },
    Verb {
        name: "set_disk_free_limit",
        usage: "set_disk_free_limit <disk_limit> | mem_relative <fraction>",
        arguments: (1, 2),
        banner: |call| limit_banner(call, "disk free limit"),
        run: |call| set_limit(call, "disk-free-limit", "mem_relative"),
    },
    Verb {
        name: "create_queue",
        usage: "create_queue [--vhost <vhost>] <queue_name> [<arguments as JSON>]",
        arguments: (1, 2),
        banner: |call| {
            format!("Creating queue '{}' on vhost '{}' ...", call.argument(0), call.vhost())
        },
        run: |call| {
            let arguments = if call.arguments().len() > 1 { call.json(1)? } else { json!({}) };
            let body = json!({"durable": true, "arguments": arguments});
            call.api.put(&path(&["queues", call.vhost(), call.argument(0)]), &body)?;
            Ok(Said::Nothing)
        },
    },
    Verb {
        name: "pause_queue",
        usage: "pause_queue [--vhost <vhost>] <queue_name>",
        arguments: (1, 1),
        banner: |call| {
            format!("Pausing queue '{}' on vhost '{}' ...", call.argument(0), call.vhost())
        },
        run: |call| pause(call, "pause"),
    },
    Verb {
        name: "resume_queue",
        usage: "resume_queue [--vhost <vhost>] <queue_name>",
        arguments: (1, 1),
        banner: |call| {
            format!("Resuming queue '{}' on vhost '{}' ...", call.argument(0), call.vhost())
        },
        run: |call| pause(call, "resume"),
    },
    Verb {
        name: "create_exchange",
        usage: "create_exchange [--vhost <vhost>] <type> <name>",
        arguments: (2, 2),
        banner: |call| {
            format!("Creating exchange '{}' on vhost '{}' ...", call.argument(1), call.vhost())
        },
        run: |call| {
            let body = json!({"type": call.argument(0), "durable": true});
            call.api.put(&path(&["exchanges", call.vhost(), call.argument(1)]), &body)?;
            Ok(Said::Nothing)
        },
    },
    Verb {
        name: "eval",
        usage: "eval <expression>",
        arguments: (0, ANY),
        banner: silent,
        run: |_| Err(Failure::usage("There is no Erlang in Warren to evaluate")),
    },
];

fn delete_queue(call: &Call) -> Outcome {
    let mut place = path(&["queues", call.vhost(), call.argument(0)]);
    let asked = ["if-empty", "if-unused"].into_iter().filter(|flag| call.line.has(flag));
    let asked: Vec<String> = asked.map(|flag| format!("{flag}=true")).collect();
    if !asked.is_empty() {
        place += &format!("?{}", asked.join("&"));
    }
    let deleted = call.api.delete(&place);
    let missing = || Failure::usage("No such queue was found");
    deleted.map_err(|failure| failure.if_missing(missing))?;
    Ok(Said::Nothing)
}

fn close(call: &Call, name: &str, reason: &str) -> Result<(), Failure> {
    // A header is one line.
    let reason: String = reason.chars().filter(|c| !c.is_control()).collect();
    call.api.delete_because(&path(&["connections", name]), &reason).map(drop)
}

fn close_all(call: &Call, reason: &str, wanted: impl Fn(&Value) -> bool) -> Outcome {
    let number = |name| call.line.option(name).and_then(|text| text.parse::<u64>().ok());
    let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(u64::MAX);
    let pause = Duration::from_millis(number("per-connection-delay").unwrap_or(0));
    let mut closed: u64 = 0;
    for connection in objects(call.api.get("/connections")?).iter().filter(|each| wanted(each)) {
        if closed == limit {
            break;
        }
        let name = connection["name"].as_str().unwrap_or_default();
        match close(call, name, reason) {
            // It left by itself meanwhile.
            Err(failure) if failure.status == Some(404) => continue,
            other => other?,
        }
        closed += 1;
        std::thread::sleep(pause);
    }
    Ok(Said::Text(format!("Closed {closed} connections")))
}

fn export(call: &Call) -> Outcome {
    let definitions = call.api.get("/definitions")?;
    match call.argument(0) {
        "" | "-" => Ok(Said::Document(format!("{definitions}\n"))),
        file => {
            let written = fs::write(file, definitions.to_string());
            written.map_err(|why| Failure::data(format!("{file}: {why}")))?;
            Ok(Said::Nothing)
        }
    }
}

fn import(call: &Call) -> Outcome {
    let text = match call.argument(0) {
        "" | "-" => {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
        }
        file => fs::read_to_string(file),
    };
    let text = text.map_err(|why| Failure::data(format!("{}: {why}", call.argument(0))))?;
    let definitions: Value = serde_json::from_str(&text)
        .map_err(|why| Failure::data(format!("Failed to parse definitions: {why}")))?;
    let mut place = "/definitions".to_owned();
    if call.line.option("vhost").is_some() {
        place += &path(&[call.vhost()]);
    }
    call.api.post(&place, &definitions)?;
    Ok(Said::Text("Successfully imported definitions".into()))
}

fn stop(call: &Call) -> Outcome {
    call.api.post(&path(&["nodes", &call.node()?, "stop"]), &json!({}))?;
    Ok(Said::Nothing)
}

fn listeners(call: &Call, what: &str) -> Outcome {
    call.api.post(&path(&["nodes", &call.node()?, "listeners", what]), &json!({}))?;
    Ok(Said::Nothing)
}

/// A lone number is a share of the memory for one limit, and bytes for the other.
fn is_share(call: &Call) -> bool {
    match call.arguments() {
        [kind, _] => kind == "mem_relative",
        _ => call.argument(0).parse().is_ok_and(|share: f64| share <= 1.0),
    }
}

fn limit_banner(call: &Call, what: &str) -> String {
    let value = call.arguments().last().map_or("", String::as_str);
    let unit = if is_share(call) { "" } else { " bytes" };
    format!("Setting {what} on {} to {value}{unit} ...", call.node().unwrap_or_default())
}

fn set_limit(call: &Call, limit: &str, share: &str) -> Outcome {
    let value = call.arguments().last().map_or("", String::as_str);
    let body = if is_share(call) {
        json!({share: value})
    } else {
        let bytes = crate::config::bytes(value);
        let bad = || Failure::usage(format!("{value} is no size: expected bytes, or such as 2GB"));
        json!({"absolute": bytes.ok_or_else(bad)?})
    };
    call.api.put(&path(&["nodes", &call.node()?, limit]), &body)?;
    Ok(Said::Nothing)
}

fn pause(call: &Call, what: &str) -> Outcome {
    let place = path(&["queues", call.vhost(), call.argument(0), what]);
    let missing = || Failure::data("Object (queue, stream, exchange, etc) was not found");
    call.api.put(&place, &json!({})).map_err(|failure| failure.if_missing(missing))?;
    Ok(Said::Nothing)
}

/// The level is the last word: before it may stand a category.
fn level(call: &Call) -> &str {
    call.arguments().last().map_or("", String::as_str)
}
