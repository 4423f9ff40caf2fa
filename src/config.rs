//! Settings: their names, defaults and limits; from a file, the environment and the command line.
//!
//! A setting's environment variable is its path in capitals: `amqp.port` is `WARREN_AMQP_PORT`.
//! The command line wins over the environment, the environment over the file. Handed down as
//! values, never a global: several brokers may run in one process.

mod auth;
mod conf;
mod loading;
mod memory;
mod opentelemetry;
mod prometheus;
mod rabbitmq;
mod security;

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use auth::{
    AskingMethod, AuthCacheConfig, AuthConfig, AuthHttpConfig, BackendChoice, BackendKind,
    OAuth2Config, PasswordHashing,
};
pub use conf::bytes;
pub use loading::BadConfig;
pub use memory::memory_limit;
pub use opentelemetry::{Compression, Headers, OpenTelemetryConfig, SamplerKind};
pub use prometheus::PrometheusConfig;
pub use security::{ExternalLogin, Mechanism, TlsConfig, TlsVersion, VerifyPeer};

/// All settings. `config.toml` in the repository says when to change which.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the broker keeps its files.
    pub data: DataConfig,
    /// AMQP clients.
    pub amqp: AmqpConfig,
    /// The HTTP port.
    pub http: HttpConfig,
    /// Metrics for Prometheus.
    pub prometheus: PrometheusConfig,
    /// What is told of messages' ways.
    pub opentelemetry: OpenTelemetryConfig,
    /// How much of what.
    pub limits: LimitsConfig,
    /// What a new broker starts with.
    pub defaults: DefaultsConfig,
    /// What every start makes sure of.
    pub definitions: DefinitionsConfig,
    /// Who may come in.
    pub auth: AuthConfig,
    /// TLS.
    pub tls: TlsConfig,
    /// What the broker tells about itself.
    pub log: LogConfig,
    /// Threads.
    pub runtime: RuntimeConfig,
    /// What is to be said of settings that were read: of those that mean nothing here.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// Smaller files of the log would not be worth clearing.
const SMALLEST_LOG_FILE: u64 = 64 << 10;
/// A file of the log is read as a whole now and then.
const LARGEST_LOG_FILE: u64 = 1 << 30;

/// Where the broker keeps its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The directory.
    pub dir: PathBuf,
    /// What a confirm promises.
    pub durability: Durability,
    /// What the catalogue of durable things lies in.
    pub catalog: CatalogKind,
    /// Bytes of one file of the log.
    pub log_file: u64,
    /// Files of the log beyond which the oldest is cleared: what is still wanted moves out of it.
    pub log_files: usize,
    /// Files of the log at which publishers wait for the clearing.
    pub most_log_files: usize,
    /// Start without what is damaged. Only for one start, so it is an argument (`--salvage`) and
    /// not a setting.
    #[serde(skip)]
    pub salvage: bool,
}

/// What the catalogue of durable things lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatalogKind {
    /// sled.
    #[default]
    Sled,
    /// redb.
    Redb,
}

/// What a confirm of a persistent message on a durable queue promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// It is on disk: it survives a power cut.
    #[default]
    Confirm,
    /// The same, and what nobody asked a confirm for is synced at once too.
    Always,
    /// The operating system has it: it survives a crash of the broker, not a power cut.
    Os,
    /// Nothing: the broker writes no files and starts empty.
    None,
}

/// AMQP clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AmqpConfig {
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// The largest frame in bytes, head and end mark included.
    pub frame_max: u32,
    /// The largest frame before tuning.
    pub initial_frame_max: u32,
    /// How many channels a connection may have.
    pub channel_max: u16,
    /// Seconds between signs of life that the broker suggests; 0 is none.
    pub heartbeat: u16,
    /// Seconds that a client has for the handshake.
    pub handshake_timeout: u64,
    /// Seconds that a client has to take note of a close.
    pub close_timeout: u64,
    /// How many connections there may be; 0 is no limit.
    pub max_connections: usize,
    /// Connections that the system keeps for the broker to accept.
    pub backlog: u32,
    /// Addresses and networks of proxies, which have to send PROXY headers.
    pub proxies: Vec<String>,
}

/// The HTTP port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// Whether TLS is spoken too, with the certificates of `[tls]`.
    pub https: bool,
    /// The port for that; 0 lets the system choose.
    pub https_port: u16,
    /// What all paths start with.
    pub path_prefix: String,
    /// The largest request body in bytes.
    pub max_body_size: usize,
    /// Seconds that a client has for a request's head, for its body, and to take some of the
    /// answer.
    pub timeout: u64,
    /// How many connections there may be.
    pub max_connections: usize,
    /// Origins whose pages may call the API.
    pub cors_allow_origins: Vec<String>,
    /// Seconds for which browsers may remember that.
    pub cors_max_age: u64,
}

/// How much of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// The largest message body in bytes.
    pub max_message_size: u64,
    /// Bytes of messages in memory beyond which publishers wait, as a share of the memory there
    /// is.
    pub message_memory: f64,
    /// Bytes of the whole process beyond which publishers wait, as a share of the memory there is.
    pub memory_watermark: f64,
    /// The same in bytes; 0: the share counts.
    pub memory_watermark_bytes: u64,
    /// Free bytes on the data directory's disk below which publishers wait; 0: only when it is full.
    pub disk_free: u64,
    /// Bytes that may wait for a client that does not read, before its consumers get no more.
    pub outbox: usize,
    /// Bytes read from a client at once.
    pub read_buffer: usize,
    /// Idle buffers that are kept for later.
    pub pooled_buffers: usize,
    /// Messages of a durable queue that are kept in memory; the rest is read back in time.
    pub queue_window: usize,
    /// Bytes of bodies of a durable queue that are kept in memory.
    pub queue_window_bytes: u64,
    /// Bytes of messages that one `x-recent-history` exchange remembers.
    pub recent_history: usize,
    /// Seconds that a consumer of a quorum queue may keep a message unsettled if nothing else is
    /// said; 0 is for ever.
    pub consumer_timeout: u64,
}

/// What a new broker starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultsConfig {
    /// The user.
    pub user: String,
    /// The user's password.
    pub pass: String,
    /// The user's tags.
    pub tags: Vec<String>,
    /// The vhost.
    pub vhost: String,
    /// The names that the user may declare and delete there: a regular expression.
    pub configure: String,
    /// The names that the user may publish and bind to.
    pub write: String,
    /// The names that the user may consume, get and bind from.
    pub read: String,
    /// Users that may only come from this machine.
    pub loopback_users: Vec<String>,
}

/// What every start makes sure of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DefinitionsConfig {
    /// A file of definitions, or a directory of such files; empty: none.
    pub load: PathBuf,
}

/// What the broker tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// error, warn, info, debug or trace; or levels by target, such as `warren::net=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
    /// How many of the latest lines are kept for `GET /api/logs`.
    pub recent: usize,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfig {
    /// Threads that serve clients; 0 is one for each core.
    pub threads: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            dir: "data".into(),
            durability: Durability::default(),
            catalog: CatalogKind::default(),
            log_file: 8 << 20,
            log_files: 4,
            most_log_files: 8,
            salvage: false,
        }
    }
}

impl Default for AmqpConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::from([0, 0, 0, 0]),
            port: 5672,
            frame_max: 131_072,
            initial_frame_max: 16_384,
            channel_max: 2047,
            heartbeat: 60,
            handshake_timeout: 10,
            close_timeout: 10,
            max_connections: 0,
            backlog: 4096,
            proxies: Vec::new(),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::from([0, 0, 0, 0]),
            port: 15672,
            https: false,
            https_port: 15671,
            path_prefix: String::new(),
            max_body_size: 10_000_000,
            timeout: 30,
            max_connections: 1000,
            cors_allow_origins: Vec::new(),
            cors_max_age: 1_728_000,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_message_size: 16 * 1024 * 1024,
            message_memory: 0.4,
            memory_watermark: 0.6,
            memory_watermark_bytes: 0,
            disk_free: 50_000_000,
            outbox: 256 * 1024,
            read_buffer: 256 * 1024,
            pooled_buffers: 64,
            queue_window: 10_000,
            queue_window_bytes: 4 * 1024 * 1024,
            recent_history: 16 * 1024 * 1024,
            consumer_timeout: 1800,
        }
    }
}

impl Default for DefaultsConfig {
    fn default() -> Self {
        Self {
            user: "guest".into(),
            pass: "guest".into(),
            tags: vec!["administrator".into()],
            vhost: "/".into(),
            configure: ".*".into(),
            write: ".*".into(),
            read: ".*".into(),
            loopback_users: vec!["guest".into()],
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text, recent: 1000 }
    }
}

impl Config {
    fn check(&self) -> Result<(), BadConfig> {
        let bad = |setting, value: String, why| Err(BadConfig::BadValue { setting, value, why });
        let amqp = &self.amqp;
        if amqp.frame_max != 0 && amqp.frame_max < 8192 {
            return bad(
                "amqp.frame_max",
                amqp.frame_max.to_string(),
                "must be at least 8192, or 0",
            );
        }
        if amqp.initial_frame_max < 8192 {
            let value = amqp.initial_frame_max.to_string();
            return bad("amqp.initial_frame_max", value, "must be at least 8192");
        }
        let DataConfig { log_file, log_files, most_log_files, .. } = self.data;
        if !(SMALLEST_LOG_FILE..=LARGEST_LOG_FILE).contains(&log_file) {
            let why = "must be from 65536 to 1073741824";
            return bad("data.log_file", log_file.to_string(), why);
        }
        if log_files == 0 {
            return bad("data.log_files", log_files.to_string(), "must be at least 1");
        }
        if most_log_files < log_files + 4 {
            let why = "must be more than data.log_files by 4 or more";
            return bad("data.most_log_files", most_log_files.to_string(), why);
        }
        let LimitsConfig { message_memory, memory_watermark, .. } = self.limits;
        if !(message_memory > 0.0 && message_memory <= 1.0) {
            let why = "must be more than 0 and at most 1";
            return bad("limits.message_memory", message_memory.to_string(), why);
        }
        if !(0.0..=1.0).contains(&memory_watermark) {
            let value = memory_watermark.to_string();
            return bad("limits.memory_watermark", value, "must be from 0 to 1");
        }
        if self.limits.read_buffer < 4096 {
            let value = self.limits.read_buffer.to_string();
            return bad("limits.read_buffer", value, "must be at least 4096");
        }
        match self.auth.wrong().or_else(|| self.opentelemetry.wrong()) {
            Some((setting, value, why)) => bad(setting, value, why),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toml::Table;

    use super::*;

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, BadConfig> {
        let file = std::env::temp_dir().join(format!("warren-config-{}", rand::random::<u64>()));
        std::fs::write(&file, text).expect("written");
        let loaded = Config::load(Some(&file), |name| {
            variables.iter().find(|(each, _)| *each == name).map(|(_, value)| (*value).to_owned())
        });
        std::fs::remove_file(&file).expect("removed");
        loaded
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load("[amqp]\nport = 1\nheartbeat = 2", &[("WARREN_AMQP_PORT", "3")]);
        let amqp = config.expect("good").amqp;
        assert_eq!((amqp.port, amqp.heartbeat, amqp.channel_max), (3, 2, 2047));
    }

    #[test]
    fn a_variable_for_each_type() {
        let config = load(
            "",
            &[
                ("WARREN_LIMITS_MESSAGE_MEMORY", "0.25"),
                ("WARREN_DEFAULTS_LOOPBACK_USERS", "a, b"),
                ("WARREN_LOG_FORMAT", "json"),
                ("WARREN_DATA_DIR", "/somewhere"),
            ],
        )
        .expect("good");
        assert_eq!(config.limits.message_memory, 0.25);
        assert_eq!(config.defaults.loopback_users, ["a", "b"]);
        assert_eq!(config.log.format, LogFormat::Json);
        assert_eq!(config.data.dir, Path::new("/somewhere"));
    }

    #[test]
    fn mistakes_are_named() {
        let said = |text, variables: &[_]| load(text, variables).expect_err("bad").to_string();
        let misspelt = said("[amqp]\nprot = 1", &[]);
        assert!(misspelt.contains("unknown field `prot`"), "{misspelt}");
        assert!(misspelt.contains("did you mean amqp.port?"), "{misspelt}");
        assert_eq!(
            said("", &[("WARREN_AMQP_PORT", "many")]),
            "WARREN_AMQP_PORT=many: expected a whole number"
        );
        assert_eq!(
            said("[amqp]\nframe_max = 100", &[]),
            "amqp.frame_max = 100: must be at least 8192, or 0"
        );
        assert!(said("[data]\nlog_file = 1", &[]).starts_with("data.log_file = 1: must be"));
        assert!(said("[data]\nlog_files = 0", &[]).starts_with("data.log_files = 0: must be"));
        assert!(said("[data]\nlog_files = 13", &[]).starts_with("data.most_log_files = 8: "));
        assert!(said("[limits]\nmessage_memory = 0.0", &[]).starts_with("limits.message_memory"));
    }

    #[test]
    fn the_file_in_the_repository_says_the_defaults() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
        let text = std::fs::read_to_string(&file).expect("config.toml is there");
        assert_eq!(Config::from_file(&file).expect("good"), Config::default());
        let settings = Table::try_from(Config::default()).expect("written");
        let written: Table = text.parse().expect("TOML");
        all_have_lines(&settings, &written, "");
    }

    fn all_have_lines(settings: &Table, written: &Table, path: &str) {
        for (name, value) in settings {
            let path = format!("{path}.{name}");
            let line = written.get(name).unwrap_or_else(|| panic!("{path} has no line"));
            if let (Some(inner), Some(written)) = (value.as_table(), line.as_table()) {
                all_have_lines(inner, written, &path);
            }
        }
    }
}
