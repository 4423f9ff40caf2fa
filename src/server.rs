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

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::auth::AccountError;
use crate::broker::{Broker, schedule};
use crate::config::Config;
use crate::logs::Logs;
use crate::management::{Api, CannotLoad};
use crate::metrics::machine::resident_memory;
use crate::metrics::sampler::Sampler;
use crate::prometheus::Exporter;
use crate::protocol::fault::Fault;
use crate::store::{CannotOpen, Failure};
use crate::transport::{BadRange, BadTls, Ranges, Tls, Transport};
use crate::{management, net, prometheus};

/// How often it is looked whether there is room for messages in memory and on the disk, and
/// whether the store is well.
const WATCH: Duration = Duration::from_millis(50);

/// A running broker with its ports.
pub struct Server {
    broker: Arc<Broker>,
    logs: Arc<Logs>,
    amqp_address: SocketAddr,
    tls_address: Option<SocketAddr>,
    tls: Option<Arc<Tls>>,
    http_address: SocketAddr,
    prometheus_address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
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
    /// Certificates or keys cannot be used.
    #[error(transparent)]
    Tls(#[from] BadTls),
    /// A proxy's address cannot be read.
    #[error("amqp.proxies: {0}")]
    Proxies(BadRange),
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
        let amqp = SocketAddr::new(config.amqp.bind, config.amqp.port);
        let http = SocketAddr::new(config.http.bind, config.http.port);
        let port = |what, address| move |why| CannotStart::Port { what, address, why };
        let amqp_listener =
            net::listener::listen(&config.amqp, config.amqp.port).map_err(port("AMQP", amqp))?;
        let amqp_address = amqp_listener.local_addr().map_err(port("AMQP", amqp))?;
        let http_listener = TcpListener::bind(http).await.map_err(port("HTTP", http))?;
        let http_address = http_listener.local_addr().map_err(port("HTTP", http))?;
        let scraped = SocketAddr::new(config.prometheus.bind, config.prometheus.port);
        let prometheus_listener =
            TcpListener::bind(scraped).await.map_err(port("Prometheus", scraped))?;
        let prometheus_address =
            prometheus_listener.local_addr().map_err(port("Prometheus", scraped))?;
        let proxies = Ranges::parse(&config.amqp.proxies).map_err(CannotStart::Proxies)?;
        let timeout = Duration::from_secs(config.tls.handshake_timeout);
        let plain = Transport { proxies, tls: None, timeout };
        let tls = Tls::load(&config.tls)?.map(Arc::new);
        let tls_port = tls.as_ref().map(|_| listen_for_tls(&config)).transpose()?;
        let broker = Arc::new(Broker::open(config)?);
        broker.auth.begin(&broker.config.defaults)?;
        let sampler = Arc::new(Sampler::default());
        let (for_api, seen) = (Arc::clone(&broker), Arc::clone(&sampler));
        let api = Api::new(for_api, seen, Arc::clone(&logs), amqp_address, http_address);
        let api = Arc::new(api);
        let definitions = &broker.config.definitions.load;
        if !definitions.as_os_str().is_empty() {
            api.load_definitions(definitions).await?;
        }
        let exporter = Arc::new(Exporter::new(Arc::clone(&broker), Arc::clone(&sampler)));
        // Proxies are believed on AMQP's ports only.
        let unproxied = Transport { proxies: Ranges::default(), ..plain.clone() };
        let mut tasks = vec![
            tokio::spawn(net::listener::accept(amqp_listener, Arc::clone(&broker), plain.clone())),
            tokio::spawn(management::serve(http_listener, unproxied.clone(), api)),
            tokio::spawn(prometheus::serve(prometheus_listener, unproxied, exporter)),
            tokio::spawn(sampler.run(Arc::clone(&broker))),
            tokio::spawn(watch_room(Arc::clone(&broker))),
            tokio::spawn(run_clock(Arc::clone(&broker))),
            tokio::spawn(take_dead_letters(Arc::clone(&broker))),
            tokio::spawn(schedule::run(Arc::clone(&broker))),
        ];
        let mut tls_address = None;
        if let Some((listener, address)) = tls_port {
            tls_address = Some(address);
            let encrypted = Transport { tls: tls.clone(), ..plain };
            let accept = net::listener::accept(listener, Arc::clone(&broker), encrypted);
            tasks.push(tokio::spawn(accept));
        }
        Ok(Self {
            broker,
            logs,
            amqp_address,
            tls_address,
            http_address,
            prometheus_address,
            tls,
            tasks,
        })
    }

    /// Where AMQP clients connect to.
    pub fn amqp_address(&self) -> SocketAddr {
        self.amqp_address
    }

    /// Where AMQP clients connect to with TLS, if they can.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Reads certificates and keys again. If they cannot be used, those in use stay.
    pub fn reload_certificates(&self) -> Result<(), BadTls> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Where the HTTP port is.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Where the metrics are.
    pub fn prometheus_address(&self) -> SocketAddr {
        self.prometheus_address
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
    }
}

/// Opens the TLS port.
fn listen_for_tls(config: &Config) -> Result<(TcpListener, SocketAddr), CannotStart> {
    let address = SocketAddr::new(config.amqp.bind, config.tls.amqp_port);
    let failed = |why| CannotStart::Port { what: "AMQP TLS", address, why };
    let listener = net::listener::listen(&config.amqp, config.tls.amqp_port).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
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
        if shared.has_room_again() && memory.take_awaited() {
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
