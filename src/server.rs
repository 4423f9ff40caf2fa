//! A whole broker in this process: ports, tasks, start and stop.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let mut config = warren::config::Config::default();
//! config.amqp.port = 0; // whichever is free
//! config.http.port = 0;
//! config.prometheus.port = 0;
//! let server = warren::server::Server::start(config).await?;
//! println!("amqp://guest:guest@{}", server.amqp_address());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```

mod listeners;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::auth::{AccountError, BadBackendSetting, Outside};
use crate::broker::{Broker, notices, schedule};
use crate::client::BadClientSetting;
use crate::config::Config;
use crate::logs::Logs;
use crate::management::{Api, CannotLoad, Ports};
use crate::metrics::machine::{node_name, resident_memory};
use crate::metrics::sampler::Sampler;
use crate::prometheus::Exporter;
use crate::protocol::fault::Fault;
use crate::spans::semantics::Host;
use crate::store::{CannotOpen, Failure};
use crate::transport::{BadRange, BadTls, Ranges, Tls, Transport};
use crate::{management, net, otlp, prometheus};
use listeners::{Listener, Listeners};

/// How often it is looked whether there is room for messages in memory and on the disk, and
/// whether the store is well.
const WATCH: Duration = Duration::from_millis(50);

/// A running broker with its ports.
pub struct Server {
    broker: Arc<Broker>,
    logs: Arc<Logs>,
    ports: Ports,
    tls: Option<Arc<Tls>>,
    tasks: Vec<JoinHandle<()>>,
    /// Who shows messages' ways to OpenTelemetry, if that is wanted.
    shows: Option<otlp::exporter::Exporter>,
}

/// Why a broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// A port cannot be opened.
    #[error("cannot listen on {what} port {address}: {why}")]
    Port {
        /// Which port.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system says.
        why: io::Error,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] CannotOpen),
    /// There is no data directory.
    #[error("there is no data directory {}", .0.display())]
    NoDirectory(PathBuf),
    /// Certificates or keys cannot be used.
    #[error(transparent)]
    Tls(#[from] BadTls),
    /// HTTPS is wanted, and there is no certificate.
    #[error("{0} = true: tls.certificate names no certificate")]
    NoCertificate(&'static str),
    /// A proxy's address cannot be read.
    #[error("amqp.proxies: {0}")]
    Proxies(BadRange),
    /// A backend that says who may come in cannot be asked.
    #[error("cannot use the settings of [auth]: {0}")]
    Backend(#[from] BadBackendSetting),
    /// OpenTelemetry's collector cannot be reached with these settings.
    #[error("cannot use the settings of [opentelemetry]: {0}")]
    OpenTelemetry(BadClientSetting),
    /// Definitions cannot be taken.
    #[error(transparent)]
    Definitions(#[from] CannotLoad),
    /// The default user cannot be made.
    #[error("settings under [defaults]: {0}")]
    Defaults(#[from] AccountError),
}

impl Server {
    /// Opens the ports and serves until [`Self::stop`]. What this process logs is its host's.
    pub async fn start(config: Config) -> Result<Self, CannotStart> {
        Self::start_with(config, Arc::default()).await
    }

    /// The same, for a process whose log is shown over HTTP.
    pub async fn start_with(config: Config, logs: Arc<Logs>) -> Result<Self, CannotStart> {
        let proxies = Ranges::parse(&config.amqp.proxies).map_err(CannotStart::Proxies)?;
        let timeout = Duration::from_secs(config.tls.handshake_timeout);
        let tls = Tls::load(&config.tls)?.map(Arc::new);
        let plain = Transport { proxies, tls: None, timeout };
        let encrypted = Transport { tls: tls.clone(), ..plain.clone() };
        let listeners = Listeners::open(&config, tls.is_some()).await?;
        let ports = listeners.ports()?;
        let outside = Outside::load(&config.auth)?;
        let broker = Arc::new(Broker::open(config, &outside)?);
        broker.auth.begin(&broker.config.defaults)?;
        let shows = show_messages(&broker, ports.amqp.port())?;
        let sampler = Arc::new(Sampler::default());
        let (for_api, seen) = (Arc::clone(&broker), Arc::clone(&sampler));
        let api = Api::new(for_api, seen, Arc::clone(&logs), ports, tls.clone());
        let api = Arc::new(api);
        let definitions = &broker.config.definitions.load;
        if !definitions.as_os_str().is_empty() {
            api.load_definitions(definitions).await?;
        }
        let exporter = Arc::new(Exporter::new(Arc::clone(&broker), Arc::clone(&sampler)));
        let mut tasks = vec![
            tokio::spawn(sampler.run(Arc::clone(&broker))),
            tokio::spawn(watch_room(Arc::clone(&broker))),
            tokio::spawn(run_clock(Arc::clone(&broker))),
            tokio::spawn(take_dead_letters(Arc::clone(&broker))),
            tokio::spawn(schedule::run(Arc::clone(&broker))),
            tokio::spawn(notices::run(Arc::clone(&broker), node_name())),
        ];
        for (listener, tls) in listeners.of_each() {
            let transport = if tls { encrypted.clone() } else { plain.clone() };
            // Proxies are believed on AMQP's ports only.
            let http = Transport { proxies: Ranges::default(), ..transport.clone() };
            tasks.push(match listener {
                Listener::Amqp(port) => {
                    tokio::spawn(net::listener::accept(port, Arc::clone(&broker), transport))
                }
                Listener::Http(port) => {
                    tokio::spawn(management::serve(port, http, Arc::clone(&api)))
                }
                Listener::Prometheus(port) => {
                    tokio::spawn(prometheus::serve(port, http, Arc::clone(&exporter)))
                }
            });
        }
        Ok(Self { broker, logs, ports, tls, tasks, shows })
    }

    /// Where AMQP clients connect to.
    pub fn amqp_address(&self) -> SocketAddr {
        self.ports.amqp
    }

    /// Where AMQP clients connect to with TLS, if they can.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.ports.amqps
    }

    /// All ports.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Reads certificates and keys again. If they cannot be used, those in use stay.
    pub fn reload_certificates(&self) -> Result<(), BadTls> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Where the HTTP port is.
    pub fn http_address(&self) -> SocketAddr {
        self.ports.http
    }

    /// Where the metrics are.
    pub fn prometheus_address(&self) -> SocketAddr {
        self.ports.prometheus
    }

    /// The broker itself.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// What was logged lately.
    pub fn logs(&self) -> &Arc<Logs> {
        &self.logs
    }

    /// Waits until the store fails, if it does; then clients are told (541), nothing is confirmed
    /// any more, and the broker is to end.
    pub async fn store_failed(&self) -> Failure {
        let Some(store) = &self.broker.shared.store else { return std::future::pending().await };
        let mut ticks = interval(WATCH);
        loop {
            ticks.tick().await;
            if let Some(failure) = store.failure() {
                self.broker.peers.close_all(&Fault::internal("the store has failed"));
                return failure.clone();
            }
        }
    }

    /// Lets nobody in any more, tells every client (320), and waits until they have left or
    /// their time is up.
    pub async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        let why = "broker forced connection closure with reason 'shutdown'";
        self.broker.peers.close_all(&Fault::forced(why));
        let patience = Duration::from_secs(self.broker.config.amqp.close_timeout);
        if timeout(patience, self.broker.peers.all_left()).await.is_err() {
            tracing::warn!(
                connections = self.broker.peers.len(),
                "some clients did not leave in time"
            );
        }
        self.broker.close().await;
        if let Some(shows) = self.shows {
            let finished = tokio::task::spawn_blocking(move || shows.finish()).await;
            finished.unwrap_or_else(|panic| tracing::error!("spans were not sent: {panic}"));
        }
    }
}

/// Begins to show messages' ways to OpenTelemetry, if that is wanted.
fn show_messages(
    broker: &Broker,
    port: u16,
) -> Result<Option<otlp::exporter::Exporter>, CannotStart> {
    let Some(spans) = &broker.shared.spans else { return Ok(None) };
    let address = node_name().split_once('@').map_or_else(node_name, |(_, host)| host.to_owned());
    let started = otlp::exporter::Exporter::start(
        spans,
        &broker.config.opentelemetry,
        Host { address, port },
    );
    started.map(Some).map_err(CannotStart::OpenTelemetry)
}

/// Gives queues their turns when something in them is due.
async fn run_clock(broker: Arc<Broker>) {
    broker.shared.clock.run().await;
}

/// Takes dead messages to where they go.
async fn take_dead_letters(broker: Arc<Broker>) {
    let shared = &broker.shared;
    shared.dead_letters.run(|| shared.clock.now()).await;
}

/// Looks at memory and disk, tells publishers that wait what they wait for, and wakes them once there is
/// room.
async fn watch_room(broker: Arc<Broker>) {
    let (shared, mut low, mut over) = (&broker.shared, false, false);
    let mut ticks = interval(WATCH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.look_at_the_disk();
        if let Some(resident) = resident_memory() {
            shared.watermark.found(resident, shared.memory.used() as u64);
        }
        if shared.watermark.is_over() != over {
            over = !over;
            say_how_memory_is(&broker, over);
        }
        if shared.disk.is_low() != low {
            low = !low;
            say_how_the_disk_is(&broker, low);
            broker.peers.wake_all();
        }
        // Not whether it was full at the last look: it may have been full in between, and whoever
        // stopped then waits all the same.
        let memory = &shared.memory;
        if shared.has_room_again() && shared.take_awaited() {
            tracing::info!(bytes = memory.used(), "there is room for messages again");
            broker.peers.wake_all();
        }
    }
}

fn say_how_memory_is(broker: &Broker, over: bool) {
    let (used, limit) = (broker.shared.watermark.used(), broker.shared.watermark.limit());
    if over {
        tracing::error!(
            used,
            limit,
            "low on memory: publishers wait until there is room; consumers go on"
        );
    } else {
        tracing::info!(used, limit, "there is memory again");
    }
}

fn say_how_the_disk_is(broker: &Broker, low: bool) {
    let (dir, disk) = (broker.config.data.dir.display(), &broker.shared.disk);
    let (free, limit) = (disk.free().unwrap_or_default(), disk.limit());
    if low {
        tracing::error!(
            %dir, free, limit,
            "low on disk: publishers wait until there is room; consumers go on"
        );
    } else {
        tracing::info!(%dir, free, limit, "there is room on the disk again");
    }
}
