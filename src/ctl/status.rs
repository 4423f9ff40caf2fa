//! What the node says about itself.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::call::{Call, Outcome, Said, Verb, objects, silent};
use super::client::path;
use super::failure::Failure;
use super::output::Rows;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "status",
        usage: "status [--unit <unit>]",
        arguments: (0, 0),
        banner: |call| of_node("Status of node", call),
        run: status,
    },
    Verb {
        name: "cluster_status",
        usage: "cluster_status",
        arguments: (0, 0),
        banner: |call| of_node("Cluster status of node", call),
        run: cluster_status,
    },
    Verb {
        name: "report",
        usage: "report",
        arguments: (0, 0),
        banner: |call| of_node("Reporting server status of node", call),
        run: report,
    },
    Verb {
        name: "environment",
        usage: "environment",
        arguments: (0, 0),
        banner: |call| of_node("Application environment of node", call),
        run: report,
    },
    Verb {
        name: "server_version",
        usage: "server_version",
        arguments: (0, 0),
        banner: |call| asking(call, "for its RabbitMQ version..."),
        run: |call| Ok(Said::Text(text(&call.api.get("/overview")?["rabbitmq_version"]))),
    },
    Verb {
        name: "version",
        usage: "version",
        arguments: (0, 0),
        banner: silent,
        run: |_| Ok(Said::Text(env!("CARGO_PKG_VERSION").into())),
    },
    Verb {
        name: "memory_breakdown",
        usage: "memory_breakdown [--unit <unit>]",
        arguments: (0, 0),
        banner: |call| of_node("Reporting memory breakdown on node", call),
        run: memory_breakdown,
    },
    Verb {
        name: "listeners",
        usage: "listeners",
        arguments: (0, 0),
        banner: |call| asking(call, "to report its protocol listeners ..."),
        run: |call| {
            let overview = call.api.get("/overview")?;
            let all = listeners(&overview);
            let text: String = all.iter().map(|each| interface(each) + "\n").collect();
            let object = json!({"result": "ok", "node": overview["node"], "listeners": all});
            Ok(Said::Report { object, text })
        },
    },
    Verb {
        name: "alarms",
        usage: "alarms",
        arguments: (0, 0),
        banner: |call| asking(call, "to report any known resource alarms ..."),
        run: |call| {
            let node = node(call)?;
            let (alarms, name) = (alarms(&node), text(&node["name"]));
            let text = if alarms.is_empty() {
                format!("Node {name} reported no alarms, local or clusterwide")
            } else {
                let lines = alarms.iter().map(|what| format!("Alarm: {}", what["resource"]));
                lines.collect::<Vec<_>>().join("\n")
            };
            let object = json!({"result": "ok", "local": alarms, "global": alarms, "node": name});
            Ok(Said::Report { object, text: text + "\n" })
        },
    },
    Verb {
        name: "list_feature_flags",
        usage: "list_feature_flags [<column> ...]",
        arguments: (0, 9),
        banner: |_| "Listing feature flags ...".into(),
        run: |call| {
            const KNOWN: [&str; 6] =
                ["name", "state", "stability", "provided_by", "desc", "doc_url"];
            let columns = super::lists::asked(call, &KNOWN, &["name", "state"])?;
            Ok(Said::Rows(Rows::pick(&columns, &objects(call.api.get("/feature-flags")?))))
        },
    },
    Verb {
        name: "list_deprecated_features",
        usage: "list_deprecated_features [--used]",
        arguments: (0, 3),
        banner: |_| "Listing deprecated features ...".into(),
        run: |call| {
            let columns = ["name", "deprecation_phase", "state"];
            let features = objects(call.api.get("/deprecated-features")?);
            Ok(Said::Rows(Rows::pick(&columns, &features)))
        },
    },
    Verb {
        name: "log_location",
        usage: "log_location",
        arguments: (0, 0),
        banner: |call| of_node("Log file location(s) on node", call),
        run: |call| {
            let files = node(call)?["log_files"].clone();
            let lines: Vec<String> = objects(files).iter().map(text).collect();
            Ok(Said::Text(lines.join("\n")))
        },
    },
];

fn of_node(what: &str, call: &Call) -> String {
    call.node().map_or_else(|_| format!("{what} ..."), |node| format!("{what} {node} ..."))
}

fn asking(call: &Call, what: &str) -> String {
    format!("Asking node {} {what}", call.node().unwrap_or_default())
}

/// The node, as the API knows it.
fn node(call: &Call) -> Result<Value, Failure> {
    let nodes = objects(call.api.get("/nodes")?);
    nodes.into_iter().next().ok_or_else(|| Failure::unavailable("no node is running"))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The ports, as rabbitmqctl names their parts.
fn listeners(overview: &Value) -> Vec<Value> {
    let listener = |each: Value| {
        let protocol = text(&each["protocol"]);
        let purpose = match protocol.as_str() {
            "amqp" => "AMQP 0-9-1",
            "amqp/ssl" => "AMQP 0-9-1 over TLS",
            "http" => "HTTP API",
            "https" => "HTTP API over TLS",
            "http/prometheus" => "Prometheus exporter API over HTTP",
            other => other,
        };
        json!({
            "node": each["node"], "port": each["port"], "interface": each["ip_address"],
            "protocol": protocol, "purpose": purpose,
        })
    };
    objects(overview["listeners"].clone()).into_iter().map(listener).collect()
}

fn interface(listener: &Value) -> String {
    format!(
        "Interface: {}, port: {}, protocol: {}, purpose: {}",
        text(&listener["interface"]),
        listener["port"],
        text(&listener["protocol"]),
        text(&listener["purpose"])
    )
}

fn alarms(node: &Value) -> Vec<Value> {
    let raised = [("mem_alarm", "memory"), ("disk_free_alarm", "disk")];
    let raised = raised.into_iter().filter(|(key, _)| node[key] == true);
    raised.map(|(_, resource)| json!({"resource": resource, "node": node["name"]})).collect()
}

/// Everything, under the names of rabbitmqctl's JSON.
fn facts(call: &Call) -> Result<Value, Failure> {
    let (overview, node) = (call.api.get("/overview")?, node(call)?);
    let name = text(&node["name"]);
    let memory = call.api.get(&path(&["nodes", &name, "memory"]))?;
    let vhosts = objects(call.api.get("/vhosts?columns=name")?).len();
    let totals = &overview["object_totals"];
    let pid = text(&node["os_pid"]).parse::<u64>().unwrap_or(0);
    Ok(json!({
        "pid": pid,
        "os": std::env::consts::OS,
        "uptime": number(&node["uptime"]) / 1000,
        "is_under_maintenance": node["being_drained"],
        "rabbitmq_version": overview["rabbitmq_version"],
        "product_name": overview["product_name"],
        "product_version": overview["product_version"],
        "erlang_version": overview["erlang_full_version"],
        "crypto_lib_version": overview["crypto_lib_version"],
        "processes": {"used": node["proc_used"], "limit": node["proc_total"]},
        "run_queue": node["run_queue"],
        "net_ticktime": node["net_ticktime"],
        "active_plugins": node["enabled_plugins"],
        "enabled_plugin_file": "",
        "data_directory": node["db_dir"],
        "raft_data_directory": node["db_dir"],
        "config_files": node["config_files"],
        "log_files": node["log_files"],
        "alarms": alarms(&node),
        "tags": [],
        "memory": memory["memory"],
        "vm_memory_calculation_strategy": node["mem_calculation_strategy"],
        "vm_memory_high_watermark_setting": {"absolute": node["mem_limit"]},
        "vm_memory_high_watermark_limit": node["mem_limit"],
        "disk_free": node["disk_free"],
        "disk_free_limit": node["disk_free_limit"],
        "file_descriptors": {
            "total_used": node["fd_used"], "total_limit": node["fd_total"],
            "sockets_used": node["sockets_used"], "sockets_limit": node["sockets_total"],
        },
        "totals": {
            "connection_count": totals["connections"],
            "queue_count": totals["queues"],
            "virtual_host_count": vhosts,
        },
        "listeners": listeners(&overview),
        "node": name,
    }))
}

/// A report for people: headings, and lines below them.
#[derive(Default)]
struct Page(String);

impl Page {
    fn heading(&mut self, heading: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        let _ = write!(self.0, "{gap}{heading}\n\n");
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.0 += line.as_ref();
        self.0.push('\n');
    }

    fn fact(&mut self, what: &str, value: &Value) {
        self.line(format!("{what}: {}", text(value)));
    }

    /// A heading with a list, or with nothing.
    fn list(&mut self, heading: &str, lines: &[String]) {
        self.heading(heading);
        if lines.is_empty() {
            self.line("(none)");
        }
        lines.iter().for_each(|line| self.line(line));
    }
}

fn starred(list: &Value) -> Vec<String> {
    objects(list.clone()).iter().map(|each| format!(" * {}", text(each))).collect()
}

/// Bytes in the unit that is asked for.
fn sized(call: &Call, bytes: u64) -> String {
    let unit = call.line.option("unit").unwrap_or("gb");
    let of = match unit {
        "bytes" => return format!("{bytes} bytes"),
        "kb" => 1e3,
        "mb" => 1e6,
        "kib" => 1024.0,
        "mib" => 1_048_576.0,
        "gib" => 1_073_741_824.0,
        _ => 1e9,
    };
    format!("{} {unit}", (bytes as f64 / of * 1e4).round() / 1e4)
}

fn status(call: &Call) -> Outcome {
    let facts = facts(call)?;
    let mut page = Page::default();
    page.heading("Runtime");
    page.fact("OS PID", &facts["pid"]);
    page.fact("OS", &facts["os"]);
    page.fact("Uptime (seconds)", &facts["uptime"]);
    page.fact("Is under maintenance?", &facts["is_under_maintenance"]);
    page.fact("RabbitMQ version", &facts["rabbitmq_version"]);
    page.line(format!(
        "Product: {} {}",
        text(&facts["product_name"]),
        text(&facts["product_version"])
    ));
    page.fact("Node name", &facts["node"]);
    page.heading("Plugins");
    page.line("Enabled plugins:\n");
    starred(&facts["active_plugins"]).iter().for_each(|plugin| page.line(plugin));
    page.heading("Data directory");
    page.fact("Node data directory", &facts["data_directory"]);
    page.list("Config files", &starred(&facts["config_files"]));
    page.list("Log file(s)", &starred(&facts["log_files"]));
    let alarms = objects(facts["alarms"].clone());
    let alarms: Vec<String> = alarms.iter().map(|each| text(&each["resource"])).collect();
    page.list("Alarms", &alarms);
    page.list("Tags", &[]);
    page.heading("Memory");
    let total = number(&facts["memory"]["total"]["rss"]);
    page.line(format!("Total memory used: {}", sized(call, total)));
    page.fact("Calculation strategy", &facts["vm_memory_calculation_strategy"]);
    let limit = number(&facts["vm_memory_high_watermark_limit"]);
    page.line(format!("Memory high watermark setting: {}\n", sized(call, limit)));
    parts(call, &facts["memory"]).iter().for_each(|part| page.line(part));
    page.heading("Free Disk Space");
    let (low, free) = (number(&facts["disk_free_limit"]), number(&facts["disk_free"]));
    page.line(format!("Low free disk space watermark: {}", sized(call, low)));
    page.line(format!("Free disk space: {}", sized(call, free)));
    page.heading("Totals");
    page.fact("Connection count", &facts["totals"]["connection_count"]);
    page.fact("Queue count", &facts["totals"]["queue_count"]);
    page.fact("Virtual host count", &facts["totals"]["virtual_host_count"]);
    let listeners = objects(facts["listeners"].clone());
    page.list("Listeners", &listeners.iter().map(interface).collect::<Vec<_>>());
    Ok(Said::Report { object: facts, text: page.0 })
}

/// What memory is used for, the largest part first.
fn parts(call: &Call, memory: &Value) -> Vec<String> {
    let parts = memory.as_object().into_iter().flatten();
    let mut parts: Vec<(&str, u64)> =
        parts.filter_map(|(name, bytes)| Some((name.as_str(), bytes.as_u64()?))).collect();
    parts.sort_by_key(|&(name, bytes)| (std::cmp::Reverse(bytes), name));
    let total: u64 = parts.iter().map(|(_, bytes)| bytes).sum::<u64>().max(1);
    let line = |(name, bytes): (&str, u64)| {
        let percent = (bytes as f64 * 1e4 / total as f64).round() / 1e2;
        format!("{name}: {} ({percent} %)", sized(call, bytes))
    };
    parts.into_iter().map(line).collect()
}

fn memory_breakdown(call: &Call) -> Outcome {
    let name = call.node()?;
    let memory = call.api.get(&path(&["nodes", &name, "memory"]))?["memory"].clone();
    let text: String = parts(call, &memory).iter().map(|line| format!("{line}\n")).collect();
    Ok(Said::Report { object: memory, text })
}

fn cluster_status(call: &Call) -> Outcome {
    let (overview, node) = (call.api.get("/overview")?, node(call)?);
    let name = text(&node["name"]);
    let (listeners, flags) = (listeners(&overview), objects(call.api.get("/feature-flags")?));
    let version = text(&overview["rabbitmq_version"]);
    let by_node = |value: Value| Value::Object(Map::from_iter([(name.clone(), value)]));
    let object = json!({
        "cluster_name": overview["cluster_name"],
        "cluster_tags": [],
        "disk_nodes": [name],
        "running_nodes": [name],
        "versions": by_node(json!({
            "rabbitmq_name": overview["product_name"],
            "rabbitmq_version": version,
            "erlang_version": overview["erlang_version"],
        })),
        "cpu_cores": by_node(node["processors"].clone()),
        "maintenance_status": by_node(json!("not under maintenance")),
        "alarms": alarms(&node),
        "partitions": {},
        "listeners": by_node(json!(listeners)),
        "feature_flags": flags,
    });
    let mut page = Page::default();
    page.heading("Basics");
    page.fact("Cluster name", &object["cluster_name"]);
    page.fact("Total CPU cores available cluster-wide", &node["processors"]);
    page.list("Cluster Tags", &[]);
    page.list("Disk Nodes", std::slice::from_ref(&name));
    page.list("Running Nodes", std::slice::from_ref(&name));
    page.list("Versions", &[format!("{name}: RabbitMQ {version}")]);
    page.list("CPU Cores", &[format!("Node: {name}, available CPU cores: {}", node["processors"])]);
    page.list("Maintenance status", &[format!("Node: {name}, status: not under maintenance")]);
    let alarms = alarms(&node);
    page.list("Alarms", &alarms.iter().map(|each| text(&each["resource"])).collect::<Vec<_>>());
    page.list("Network Partitions", &[]);
    let of_node = |each: &Value| format!("Node: {name}, {}", interface(each).replacen('I', "i", 1));
    page.list("Listeners", &listeners.iter().map(of_node).collect::<Vec<_>>());
    let flag =
        |each: &Value| format!("Flag: {}, state: {}", text(&each["name"]), text(&each["state"]));
    page.list("Feature flags", &flags.iter().map(flag).collect::<Vec<_>>());
    Ok(Said::Report { object, text: page.0 })
}

/// Status, cluster and all lists, one below the other.
fn report(call: &Call) -> Outcome {
    let mut text = String::new();
    for said in [status(call)?, cluster_status(call)?] {
        if let Said::Report { text: page, .. } = said {
            text += &page;
            text.push('\n');
        }
    }
    for (what, columns) in [
        ("vhosts", &["name"][..]),
        ("users", &["name", "tags"]),
        ("permissions", &["vhost", "user", "configure", "write", "read"]),
        ("policies", &["vhost", "name", "pattern", "apply-to", "priority"]),
        ("connections", &["name", "user", "vhost", "state", "channels"]),
        ("queues", &["vhost", "name", "type", "messages", "consumers", "state"]),
        ("exchanges", &["vhost", "name", "type"]),
        ("bindings", &["vhost", "source", "destination", "routing_key"]),
    ] {
        let list = objects(call.api.get(&path(&[what]))?);
        let rows = Rows::pick(columns, &list).show(super::output::Formatter::Table, true);
        let _ = write!(text, "Listing {what} ...\n{rows}\n");
    }
    Ok(Said::Document(text))
}
