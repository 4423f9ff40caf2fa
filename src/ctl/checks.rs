//! Checks that end with a status: rabbitmq-diagnostics'.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::call::{Call, Outcome, Said, Verb, objects, silent};
use super::client::path;
use super::failure::{Exit, Failure};

/// Between two looks at whether the broker is up.
const LOOK: Duration = Duration::from_millis(200);
/// How long a broker may take to come up if nothing else is said.
const STARTUP: u64 = 300;
/// How long a port may take to answer.
const PORT: Duration = Duration::from_secs(5);

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "ping",
        usage: "ping",
        arguments: (0, 0),
        banner: |call| format!("Will ping {}.", call.node().unwrap_or_default()),
        run: |call| call.node().map(|_| Said::Text("Ping succeeded".into())),
    },
    Verb {
        name: "await_startup",
        usage: "await_startup [--timeout <seconds>]",
        arguments: (0, 0),
        banner: silent,
        run: await_startup,
    },
    Verb {
        name: "wait",
        usage: "wait [<pidfile>] [--pid|-P <pid>] [--timeout <seconds>]",
        arguments: (0, 1),
        banner: silent,
        run: await_startup,
    },
    Verb {
        name: "await_online_nodes",
        usage: "await_online_nodes <count>",
        arguments: (1, 1),
        banner: |call| format!("Will wait for {} nodes to join the cluster", call.argument(0)),
        run: |call| match call.argument(0).parse() {
            Ok(0 | 1) => await_startup(call),
            Ok(2_u32..) => {
                Err(Failure::new(Exit::TemporaryFailure, "Error: there is one node, Warren is one"))
            }
            Err(_) => Err(Failure::usage("the count must be a whole number")),
        },
    },
    Verb {
        name: "check_running",
        usage: "check_running",
        arguments: (0, 0),
        banner: |call| of_node(call, "Checking if RabbitMQ is running on node {} ..."),
        run: running,
    },
    Verb {
        name: "is_running",
        usage: "is_running",
        arguments: (0, 0),
        banner: |call| of_node(call, "Asking node {} for its status ..."),
        run: running,
    },
    Verb {
        name: "is_booting",
        usage: "is_booting",
        arguments: (0, 0),
        banner: |call| of_node(call, "Asking node {} for its boot status ..."),
        run: |call| {
            text(
                call,
                "RabbitMQ on node {} is fully booted (check with is_running), stopped or has not started booting yet",
            )
        },
    },
    Verb {
        name: "node_health_check",
        usage: "node_health_check",
        arguments: (0, 0),
        banner: silent,
        run: |_| Ok(Said::Text("This command is DEPRECATED and is a no-op.".into())),
    },
    Verb {
        name: "check_local_alarms",
        usage: "check_local_alarms",
        arguments: (0, 0),
        banner: |call| of_node(call, "Asking node {} to report any local resource alarms ..."),
        run: |call| alarms(call, "local-alarms", "Node {} reported no local alarms"),
    },
    Verb {
        name: "check_alarms",
        usage: "check_alarms",
        arguments: (0, 0),
        banner: |call| of_node(call, "Asking node {} to report any local resource alarms ..."),
        run: |call| alarms(call, "alarms", "Node {} reported no alarms, local or clusterwide"),
    },
    Verb {
        name: "check_port_listener",
        usage: "check_port_listener <port>",
        arguments: (1, 1),
        banner: |call| {
            let what = "Asking node {} if there's an active listener on port";
            format!("{} {} ...", of_node(call, what), call.argument(0))
        },
        run: port_listener,
    },
    Verb {
        name: "check_protocol_listener",
        usage: "check_protocol_listener <protocol>",
        arguments: (1, 1),
        banner: |call| {
            let what = "Asking node {} if there's an active listener for protocol";
            format!("{} {} ...", of_node(call, what), call.argument(0))
        },
        run: protocol_listener,
    },
    Verb {
        name: "check_port_connectivity",
        usage: "check_port_connectivity [--address <address>]",
        arguments: (0, 0),
        banner: |call| {
            of_node(call, "Testing TCP connections to all active listeners on node {} ...")
        },
        run: connectivity,
    },
    Verb {
        name: "check_virtual_hosts",
        usage: "check_virtual_hosts",
        arguments: (0, 0),
        banner: |call| of_node(call, "Checking if all vhosts are running on node {} ..."),
        run: |call| {
            check(call, "virtual-hosts")?;
            text(call, "Node {} reported all vhosts as running")
        },
    },
    Verb {
        name: "check_certificate_expiration",
        usage: "check_certificate_expiration --within <period> --unit <unit>",
        arguments: (0, 0),
        banner: |call| {
            of_node(call, "Checking certificate expiration for all certificates on node {} ...")
        },
        run: |call| {
            let within = call.line.option("within").unwrap_or("4");
            let unit = call.line.option("unit").unwrap_or("weeks");
            let checked =
                call.api.get(&path(&["health", "checks", "certificate-expiration", within, unit]));
            checked.map_err(|failure| match failure.status {
                Some(400) => Failure::usage(failure.text),
                _ => failure,
            })?;
            Ok(Said::Text(format!("No certificates are expiring within {within} {unit}.")))
        },
    },
    Verb {
        name: "check_if_node_is_quorum_critical",
        usage: "check_if_node_is_quorum_critical",
        arguments: (0, 0),
        banner: |call| {
            of_node(call, "Checking if node {} is critical for quorum of any queues/streams ...")
        },
        run: |call| {
            check(call, "node-is-quorum-critical")?;
            text(
                call,
                "Node {} seems to be the only one in a single node cluster, the check does not apply",
            )
        },
    },
    Verb {
        name: "check_if_cluster_has_classic_queue_mirroring_policy",
        usage: "check_if_cluster_has_classic_queue_mirroring_policy",
        arguments: (0, 0),
        banner: silent,
        run: |_| {
            Ok(Said::Text(
                "Cluster reported no policies that enable classic queue mirroring".into(),
            ))
        },
    },
    Verb {
        name: "check_if_any_deprecated_features_are_used",
        usage: "check_if_any_deprecated_features_are_used",
        arguments: (0, 0),
        banner: silent,
        run: |_| Ok(Said::Text("Cluster reported no deprecated features in use".into())),
    },
    Verb {
        name: "has_reached_target_cluster_size",
        usage: "has_reached_target_cluster_size",
        arguments: (0, 0),
        banner: silent,
        run: |call| {
            check(call, "reached-target-cluster-size")?;
            Ok(Said::Text("Target cluster size is reached".into()))
        },
    },
];

/// A sentence about the node, whose name stands at `{}`.
fn of_node(call: &Call, sentence: &str) -> String {
    sentence.replace("{}", &call.node().unwrap_or_default())
}

fn text(call: &Call, sentence: &str) -> Outcome {
    Ok(Said::Text(sentence.replace("{}", &call.node()?)))
}

/// A health check of the API; what it says if it fails.
fn check(call: &Call, name: &str) -> Result<Value, Failure> {
    call.api.get(&format!("/health/checks/{name}"))
}

fn running(call: &Call) -> Outcome {
    check(call, "is-in-service")?;
    text(call, "RabbitMQ on node {} is fully booted and running")
}

fn await_startup(call: &Call) -> Outcome {
    let seconds = call.line.option("timeout").and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(STARTUP));
    loop {
        match check(call, "is-in-service") {
            Ok(_) => return Ok(Said::Nothing),
            Err(failure) if failure.status.is_some_and(|status| status != 503) => {
                return Err(failure);
            }
            Err(_) if Instant::now() < end => std::thread::sleep(LOOK),
            Err(failure) => return Err(Failure::new(Exit::TemporaryFailure, failure.text)),
        }
    }
}

fn alarms(call: &Call, which: &str, none: &str) -> Outcome {
    check(call, which)?;
    text(call, none)
}

fn listeners(call: &Call) -> Result<Vec<Value>, Failure> {
    Ok(objects(call.api.get("/overview")?["listeners"].clone()))
}

fn port_listener(call: &Call) -> Outcome {
    let port = call.argument(0);
    let wanted: u16 =
        port.parse().map_err(|_| Failure::usage("the port must be a number from 1 to 65535"))?;
    let (node, all) = (call.node()?, listeners(call)?);
    if all.iter().any(|each| each["port"] == wanted) {
        return Ok(Said::Text(format!("A listener for port {port} is running on node {node}.")));
    }
    let ports: Vec<String> = all.iter().map(|each| each["port"].to_string()).collect();
    Err(Failure::unavailable(format!(
        "No listener for port {port} is active on node {node}. Found listeners that use the following \
         ports: {}",
        ports.join(", ")
    )))
}

fn protocol_listener(call: &Call) -> Outcome {
    let (protocol, node) = (call.argument(0), call.node()?);
    let Err(failure) = call.api.get(&path(&["health", "checks", "protocol-listener", protocol]))
    else {
        let text = format!("A listener for protocol {protocol} is running on node {node}.");
        return Ok(Said::Text(text));
    };
    if failure.status != Some(503) {
        return Err(failure);
    }
    let all = listeners(call)?;
    let names: Vec<&str> = all.iter().filter_map(|each| each["protocol"].as_str()).collect();
    Err(Failure::unavailable(format!(
        "No listener for protocol {protocol} is active on node {node}. Found listeners for the \
         following protocols: {}",
        names.join(", ")
    )))
}

fn connectivity(call: &Call) -> Outcome {
    let (node, mut ports) = (call.node()?, Vec::new());
    for listener in listeners(call)? {
        let port = listener["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let port = port.unwrap_or_default();
        let address = match call.line.option("address").or_else(|| listener["ip_address"].as_str())
        {
            // A listener for all addresses is asked here.
            None | Some("0.0.0.0" | "::") => "127.0.0.1",
            Some(address) => address,
        };
        let mut places = (address, port).to_socket_addrs().into_iter().flatten();
        if !places.any(|place| TcpStream::connect_timeout(&place, PORT).is_ok()) {
            return Err(Failure::unavailable(format!(
                "Connection attempt to {address}:{port} failed on node {node}"
            )));
        }
        ports.push(port.to_string());
    }
    let ports = ports.join(", ");
    Ok(Said::Text(format!("Successfully connected to ports {ports} on node {node}")))
}
