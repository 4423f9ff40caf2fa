//! RabbitMQ's settings as Warren's: which key of `rabbitmq.conf` and which `RABBITMQ_*` variable is
//! which of ours.
//!
//! What belongs to Erlang, or to something that Warren does another way, is taken and noted; what
//! RabbitMQ does not know either is an error with a suggestion.

mod auth;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::conf::{self, Entry};
use super::loading::{BadConfig, nearest};
use super::{Config, LogFormat, TlsVersion, VerifyPeer};

/// What would fit, if a value does not.
type Expected = &'static str;
/// Sets something to a value; the key is there for what stands at its `*`.
type Apply = fn(&mut Config, key: &str, value: &str) -> Result<(), Expected>;

/// What is said of a setting without meaning here.
const NO_MEANING: &str = "has no meaning in Warren and is passed over";

/// Keys, with `*` for a part that may be anything.
const KEYS: &[(&str, Apply)] = &[
    ("listeners.tcp.*", |c, _, v| listener(v, &mut c.amqp.port, Some(&mut c.amqp.bind))),
    ("listeners.ssl.*", |c, _, v| listener(v, &mut c.tls.amqp_port, None)),
    ("ssl_options.certfile", |c, _, v| set(&mut c.tls.certificate, v.into())),
    ("ssl_options.keyfile", |c, _, v| set(&mut c.tls.key, v.into())),
    ("ssl_options.cacertfile", |c, _, v| set(&mut c.tls.ca, v.into())),
    ("ssl_options.verify", |c, _, v| {
        set(
            &mut c.tls.verify,
            word(v, &[("verify_peer", VerifyPeer::Peer), ("verify_none", VerifyPeer::None)])?,
        )
    }),
    ("ssl_options.fail_if_no_peer_cert", |c, _, v| set(&mut c.tls.fail_if_no_peer_cert, flag(v)?)),
    ("ssl_options.versions.*", |c, key, v| {
        let version = word(v, &[("tlsv1.2", TlsVersion::V1_2), ("tlsv1.3", TlsVersion::V1_3)])?;
        list(&mut c.tls.versions, key, version);
        Ok(())
    }),
    ("ssl_options.ciphers.*", |c, key, v| {
        list(&mut c.tls.ciphers, key, v.to_owned());
        Ok(())
    }),
    ("ssl_handshake_timeout", |c, _, v| set(&mut c.tls.handshake_timeout, seconds(v)?)),
    ("handshake_timeout", |c, _, v| set(&mut c.amqp.handshake_timeout, seconds(v)?)),
    ("proxy_protocol", |c, _, v| {
        // RabbitMQ believes whoever connects.
        let everybody = || ["0.0.0.0/0", "::/0"].map(str::to_owned).to_vec();
        set(&mut c.amqp.proxies, if flag(v)? { everybody() } else { Vec::new() })
    }),
    ("heartbeat", |c, _, v| set(&mut c.amqp.heartbeat, number(v)?)),
    ("frame_max", |c, _, v| set(&mut c.amqp.frame_max, number(v)?)),
    ("initial_frame_max", |c, _, v| set(&mut c.amqp.initial_frame_max, number(v)?)),
    ("channel_max", |c, _, v| set(&mut c.amqp.channel_max, number(v)?)),
    ("max_channels_per_connection", |c, _, v| set(&mut c.amqp.channel_max, number(v)?)),
    ("connection_max", |c, _, v| set(&mut c.amqp.max_connections, unlimited(v)?)),
    ("max_connections", |c, _, v| set(&mut c.amqp.max_connections, unlimited(v)?)),
    ("tcp_listen_options.backlog", |c, _, v| set(&mut c.amqp.backlog, number(v)?)),
    ("max_message_size", |c, _, v| set(&mut c.limits.max_message_size, size(v)?)),
    ("consumer_timeout", |c, _, v| set(&mut c.limits.consumer_timeout, seconds(v)?)),
    ("vm_memory_high_watermark.relative", |c, _, v| set(&mut c.limits.memory_watermark, share(v)?)),
    ("vm_memory_high_watermark.absolute", |c, _, v| {
        set(&mut c.limits.memory_watermark_bytes, size(v)?)
    }),
    ("disk_free_limit.absolute", |c, _, v| set(&mut c.limits.disk_free, size(v)?)),
    ("default_user", |c, _, v| set(&mut c.defaults.user, v.into())),
    ("default_pass", |c, _, v| set(&mut c.defaults.pass, v.into())),
    ("default_vhost", |c, _, v| set(&mut c.defaults.vhost, v.into())),
    ("default_user_tags.*", |c, key, v| {
        let tag = last(key);
        c.defaults.tags.retain(|each| each != tag);
        if flag(v)? {
            c.defaults.tags.push(tag.to_owned());
        }
        Ok(())
    }),
    ("default_permissions.configure", |c, _, v| set(&mut c.defaults.configure, v.into())),
    ("default_permissions.write", |c, _, v| set(&mut c.defaults.write, v.into())),
    ("default_permissions.read", |c, _, v| set(&mut c.defaults.read, v.into())),
    ("loopback_users", |c, _, v| match v {
        "none" => set(&mut c.defaults.loopback_users, Vec::new()),
        _ => Err("none"),
    }),
    ("loopback_users.*", |c, key, v| {
        let user = last(key);
        c.defaults.loopback_users.retain(|each| each != user);
        if flag(v)? {
            c.defaults.loopback_users.push(user.to_owned());
        }
        Ok(())
    }),
    ("load_definitions", |c, _, v| set(&mut c.definitions.load, v.into())),
    ("definitions.local.path", |c, _, v| set(&mut c.definitions.load, v.into())),
    ("management.load_definitions", |c, _, v| set(&mut c.definitions.load, v.into())),
    ("management.tcp.port", |c, _, v| set(&mut c.http.port, number(v)?)),
    ("management.listener.port", |c, _, v| set(&mut c.http.port, number(v)?)),
    ("management.tcp.ip", |c, _, v| set(&mut c.http.bind, address(v)?)),
    ("management.path_prefix", |c, _, v| set(&mut c.http.path_prefix, v.into())),
    ("management.cors.allow_origins.*", |c, key, v| {
        list(&mut c.http.cors_allow_origins, key, v.to_owned());
        Ok(())
    }),
    ("management.cors.max_age", |c, _, v| set(&mut c.http.cors_max_age, number(v)?)),
    ("management.http.max_body_size", |c, _, v| {
        set(&mut c.http.max_body_size, usize::try_from(size(v)?).map_err(|_| BYTES)?)
    }),
    ("prometheus.tcp.port", |c, _, v| set(&mut c.prometheus.port, number(v)?)),
    ("prometheus.tcp.ip", |c, _, v| set(&mut c.prometheus.bind, address(v)?)),
    ("prometheus.path", |c, _, v| set(&mut c.prometheus.path, v.into())),
    ("prometheus.return_per_object_metrics", |c, _, v| {
        set(&mut c.prometheus.return_per_object_metrics, flag(v)?)
    }),
    ("log.level", |c, _, v| set(&mut c.log.level, level(v)?)),
    ("log.default.level", |c, _, v| set(&mut c.log.level, level(v)?)),
    ("log.console.level", |c, _, v| set(&mut c.log.level, level(v)?)),
    ("log.file.level", |c, _, v| set(&mut c.log.level, level(v)?)),
    ("log.console.formatter", |c, _, v| set(&mut c.log.format, format(v)?)),
    ("log.file.formatter", |c, _, v| set(&mut c.log.format, format(v)?)),
];

/// Settings of RabbitMQ that change nothing here: their names, or what they start with.
const PASSED_OVER: &[&str] = &[
    "auth_ldap.",
    "background_gc_",
    "channel_max_per_node",
    "channel_operation_timeout",
    "classic_queue.",
    "cluster_exchange_limit",
    "cluster_formation.",
    "cluster_keepalive_interval",
    "cluster_name",
    "cluster_nodes.",
    "cluster_partition_handling",
    "cluster_queue_limit",
    "cluster_tags.",
    "collect_statistics",
    "collect_statistics_interval",
    "consumer_max_per_channel",
    "credential_validator.",
    "default_limits.",
    "default_policies.",
    "default_queue_type",
    "default_users.",
    "definitions.",
    "delegate_count",
    "deprecated_features.",
    "disk_free_limit.",
    "disk_monitor",
    "distribution.",
    "federation.",
    "hipe_compile",
    "kernel.",
    "lazy_queue_",
    "license",
    "listeners.",
    "log.",
    "management.",
    "management_agent.",
    "message_interceptors.",
    "message_store_",
    "metadata_store.",
    "mirroring_",
    "mnesia_",
    "motd_file",
    "mqtt.",
    "msg_store_",
    "net_ticktime",
    "node_tags.",
    "num_acceptors.",
    "prometheus.",
    "proxy_protocol_",
    "queue_index_",
    "queue_leader_locator",
    "queue_master_locator",
    "quorum_",
    "raft.",
    "reverse_dns_lookups",
    "shovel.",
    "socket_writer.",
    "ssl_options.",
    "stomp.",
    "stream.",
    "stream_",
    "sysmon_handler.",
    "tcp_listen_options",
    "total_memory_available_override_value",
    "tracing.",
    "trust_store.",
    "vhost_max",
    "vm_memory_calculation_strategy",
    "vm_memory_high_watermark_paging_ratio",
    "web_mqtt.",
    "web_stomp.",
];

/// Sets what a `rabbitmq.conf` says; gives notes on what was passed over.
pub(super) fn apply(
    config: &mut Config,
    file: &Path,
    text: &str,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, BadConfig> {
    let bad = |line, why: String| BadConfig::BadLine { file: file.into(), line, why };
    let entries = conf::entries(text)
        .map_err(|line| bad(line, "expected key = value, or a comment behind #".into()))?;
    let mut notes = Vec::new();
    let mut pairs = auth::Pairs::default();
    for Entry { line, key, value } in entries {
        let value = filled_in(value, variable);
        let unfit = |expected| bad(line, format!("{key} = {value}: expected {expected}"));
        if let Some(taken) = pairs.take(key, &value) {
            taken.map_err(unfit)?;
        } else if let Some((_, apply)) = keys().find(|(pattern, _)| fits(pattern, key)) {
            apply(config, key, &value).map_err(unfit)?;
        } else if passed_over().any(|start| key.starts_with(start)) {
            notes.push(format!("{}:{line}: {key} {NO_MEANING}", file.display()));
        } else {
            let known = keys().map(|(pattern, _)| *pattern).chain(passed_over());
            return Err(bad(line, format!("unknown setting {key}{}", nearest(key, known))));
        }
    }
    pairs.settle(config);
    Ok(notes)
}

/// `RABBITMQ_*` variables, those that images and tutorials set.
pub(super) fn apply_variables(
    config: &mut Config,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<(), BadConfig> {
    let variables: [(&str, Apply); 6] = [
        ("RABBITMQ_NODE_PORT", |c, _, v| set(&mut c.amqp.port, number(v)?)),
        ("RABBITMQ_NODE_IP_ADDRESS", |c, _, v| set(&mut c.amqp.bind, address(v)?)),
        ("RABBITMQ_MNESIA_BASE", |c, _, v| set(&mut c.data.dir, v.into())),
        ("RABBITMQ_DEFAULT_USER", |c, _, v| set(&mut c.defaults.user, v.into())),
        ("RABBITMQ_DEFAULT_PASS", |c, _, v| set(&mut c.defaults.pass, v.into())),
        ("RABBITMQ_DEFAULT_VHOST", |c, _, v| set(&mut c.defaults.vhost, v.into())),
    ];
    for (name, apply) in variables {
        // An empty one is one that a compose file has not filled in.
        let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
        apply(config, name, &value).map_err(|expected| BadConfig::BadVariable {
            variable: name.to_owned(),
            value: value.clone(),
            expected,
        })?;
    }
    Ok(())
}

fn keys() -> impl Iterator<Item = &'static (&'static str, Apply)> {
    KEYS.iter().chain(auth::KEYS)
}

fn passed_over() -> impl Iterator<Item = &'static str> {
    PASSED_OVER.iter().chain(auth::PASSED_OVER).copied()
}

fn fits(pattern: &str, key: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => key.strip_prefix(start).is_some_and(|rest| !rest.is_empty()),
        None => pattern == key,
    }
}

/// A value with its `$(NAME)` replaced by variables; what is not set stays as it is.
fn filled_in(value: &str, variable: &impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("$(") {
        text += before;
        let Some((name, after_it)) = after.split_once(')') else {
            rest = &rest[before.len()..];
            break;
        };
        text += &variable(name).unwrap_or_else(|| format!("$({name})"));
        rest = after_it;
    }
    text + rest
}

fn set<T>(place: &mut T, value: T) -> Result<(), Expected> {
    *place = value;
    Ok(())
}

/// A list's first entry replaces the default, the others are added. They are numbered from 1, or
/// from 0.
fn list<T>(place: &mut Vec<T>, key: &str, value: T) {
    if matches!(last(key), "0" | "1" | "default") {
        place.clear();
    }
    place.push(value);
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// A port, or an address with a port.
fn listener(value: &str, port: &mut u16, bind: Option<&mut IpAddr>) -> Result<(), Expected> {
    if let Ok(number) = value.parse() {
        *port = number;
        return Ok(());
    }
    let place: SocketAddr = value.parse().map_err(|_| "a port, or an address with a port")?;
    *port = place.port();
    if let Some(bind) = bind {
        *bind = place.ip();
    }
    Ok(())
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, Expected> {
    value.parse().map_err(|_| "a whole number")
}

fn unlimited(value: &str) -> Result<usize, Expected> {
    if value == "infinity" { Ok(0) } else { number(value) }
}

/// Milliseconds, as seconds; what is not nothing is at least one.
fn seconds(value: &str) -> Result<u64, Expected> {
    number::<u64>(value).map(|milliseconds| milliseconds.div_ceil(1000))
}

const BYTES: &str = "bytes, such as 1048576 or 16MiB";

fn size(value: &str) -> Result<u64, Expected> {
    conf::bytes(value).ok_or(BYTES)
}

fn share(value: &str) -> Result<f64, Expected> {
    value.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0).ok_or("a number from 0 to 1")
}

fn flag(value: &str) -> Result<bool, Expected> {
    word(value, &[("true", true), ("false", false), ("on", true), ("off", false)])
        .map_err(|_| "true or false")
}

fn address(value: &str) -> Result<IpAddr, Expected> {
    value.parse().map_err(|_| "an IP address")
}

fn word<T: Clone>(value: &str, known: &[(&str, T)]) -> Result<T, Expected> {
    let found = known.iter().find(|(name, _)| *name == value);
    found.map(|(_, value)| value.clone()).ok_or("one of the words that RabbitMQ has for it")
}

fn level(value: &str) -> Result<String, Expected> {
    let level = match value {
        "debug" | "info" | "error" => value,
        "notice" => "info",
        "warning" => "warn",
        "critical" | "alert" | "emergency" => "error",
        "none" => "off",
        _ => return Err("debug, info, warning, error, critical or none"),
    };
    Ok(level.to_owned())
}

fn format(value: &str) -> Result<LogFormat, Expected> {
    word(value, &[("json", LogFormat::Json), ("plaintext", LogFormat::Text)])
        .map_err(|_| "json or plaintext")
}

#[cfg(test)]
mod tests {
    use super::super::Mechanism;
    use super::*;

    fn read(text: &str) -> Result<(Config, Vec<String>), String> {
        let mut config = Config::default();
        let variable = |name: &str| (name == "PASS").then(|| "s3cret".to_owned());
        let notes = apply(&mut config, Path::new("r.conf"), text, &variable);
        notes.map(|notes| (config, notes)).map_err(|why| why.to_string())
    }

    #[test]
    fn a_usual_file() {
        let (config, notes) = read(
            "listeners.tcp.local = 127.0.0.1:5673
             listeners.ssl.default = 5671
             ssl_options.certfile = /c.pem
             ssl_options.verify = verify_peer
             ssl_options.versions.1 = tlsv1.3
             default_user = me
             default_pass = $(PASS)
             default_user_tags.monitoring = true
             loopback_users.guest = false
             vm_memory_high_watermark.relative = 0.6
             max_message_size = 1MiB
             consumer_timeout = 900000
             management.tcp.port = 15673
             auth_mechanisms.1 = EXTERNAL
             auth_mechanisms.2 = PLAIN
             log.console.level = warning
             log.console.formatter = json
             cluster_partition_handling = pause_minority
             max_connections = infinity",
        )
        .expect("good");
        assert_eq!((config.amqp.port, config.tls.amqp_port), (5673, 5671));
        assert_eq!(config.amqp.bind, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(config.tls.certificate, Path::new("/c.pem"));
        assert_eq!(
            (config.tls.verify, config.tls.versions),
            (VerifyPeer::Peer, vec![TlsVersion::V1_3])
        );
        assert_eq!(
            (config.defaults.user.as_str(), config.defaults.pass.as_str()),
            ("me", "s3cret")
        );
        assert_eq!(config.defaults.tags, ["administrator", "monitoring"]);
        assert!(config.defaults.loopback_users.is_empty());
        assert_eq!(
            (config.limits.memory_watermark, config.limits.max_message_size),
            (0.6, 1 << 20)
        );
        assert_eq!((config.limits.consumer_timeout, config.http.port), (900, 15673));
        assert_eq!(config.auth.mechanisms, [Mechanism::External, Mechanism::Plain]);
        assert_eq!((config.log.level.as_str(), config.log.format), ("warn", LogFormat::Json));
        assert_eq!(
            notes,
            ["r.conf:18: cluster_partition_handling has no meaning in Warren and is passed over"]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let said = |text| read(text).expect_err("bad");
        assert_eq!(
            said("heartbeat = 60\n\nheartbeet = 5"),
            "r.conf:3: unknown setting heartbeet; did you mean heartbeat?"
        );
        assert_eq!(said("what is this"), "r.conf:1: expected key = value, or a comment behind #");
        assert_eq!(
            said("channel_max = many"),
            "r.conf:1: channel_max = many: expected a whole number"
        );
        assert!(said("vm_memory_high_watermark.relative = 3").contains("a number from 0 to 1"));
        assert_eq!(said("zzz = 1"), "r.conf:1: unknown setting zzz");
    }

    #[test]
    fn variables_of_images_and_tutorials() {
        let mut config = Config::default();
        let variables = |name: &str| match name {
            "RABBITMQ_DEFAULT_USER" => Some("me".to_owned()),
            "RABBITMQ_NODE_PORT" => Some("5673".to_owned()),
            "RABBITMQ_DEFAULT_VHOST" => Some(String::new()),
            _ => None,
        };
        apply_variables(&mut config, &variables).expect("good");
        assert_eq!((config.defaults.user.as_str(), config.defaults.vhost.as_str()), ("me", "/"));
        assert_eq!(config.amqp.port, 5673);
        let bad = |name: &str| (name == "RABBITMQ_NODE_PORT").then(|| "x".to_owned());
        assert!(apply_variables(&mut config, &bad).is_err());
    }
}
