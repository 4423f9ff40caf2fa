//! A broker for one test.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Runtime;
use warren::broker::live_queue::{Counts, LiveQueue};
use warren::broker::vhost::Vhost;
use warren::config::Config;
use warren::names::ConnectionId;
use warren::server::Server;

use super::{Client, Login};

/// A running broker on ports of its own, with a runtime of its own.
pub(crate) struct TestBroker {
    server: Option<Server>,
    runtime: Option<Runtime>,
    config: Config,
    directory: PathBuf,
}

impl TestBroker {
    /// With default settings.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// With some settings changed. `WARREN_TEST_DURABILITY` sets what a confirm promises.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("warren-test-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let mut config = Config::default();
        config.amqp.bind = Ipv4Addr::LOCALHOST.into();
        config.http.bind = Ipv4Addr::LOCALHOST.into();
        config.prometheus.bind = Ipv4Addr::LOCALHOST.into();
        config.amqp.port = 0;
        config.http.port = 0;
        config.prometheus.port = 0;
        config.data.dir.clone_from(&directory);
        if let Ok(durability) = std::env::var("WARREN_TEST_DURABILITY") {
            config.data.durability =
                serde_json::from_str(&format!("{durability:?}")).expect("known");
        }
        change(&mut config);
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        let server = runtime.block_on(Server::start(config.clone())).expect("free ports");
        Self { server: Some(server), runtime: Some(runtime), config, directory }
    }

    /// Stops as on SIGTERM and starts again on the same directory, on other ports.
    pub(crate) fn restart(&mut self) {
        let stopped = self.begin_stop();
        self.block_on(stopped).expect("stopped");
        // The runtime first: its tasks hold the broker, which holds the directory.
        drop(self.runtime.take());
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        let started = runtime.block_on(Server::start(self.config.clone()));
        self.server = Some(started.expect("the directory is free"));
        self.runtime = Some(runtime);
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime is there until the end")
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("the broker runs")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server().amqp_address()
    }

    /// A client that is logged in, with channel 1 open.
    pub(crate) fn client(&self) -> Client {
        let mut client = self.connect(&Login::default());
        client.open_channel(1);
        client
    }

    /// A client that is logged in.
    pub(crate) fn connect(&self, login: &Login) -> Client {
        let mut client = self.stranger();
        client.log_in(login);
        client
    }

    /// A client that has said nothing yet.
    pub(crate) fn stranger(&self) -> Client {
        Client::new(self.address())
    }

    /// Something with lapin.
    pub(crate) fn with_lapin<T>(&self, story: impl AsyncFnOnce(lapin::Connection) -> T) -> T {
        let url = format!("amqp://guest:guest@{}", self.address());
        self.runtime().block_on(async {
            let properties = lapin::ConnectionProperties::default();
            let connection = lapin::Connection::connect(&url, properties).await;
            story(connection.expect("lapin is let in")).await
        })
    }

    pub(crate) fn vhost(&self) -> Arc<Vhost> {
        self.server().broker().vhost("/").expect("the default vhost is there")
    }

    /// The queue of that name, if there is one that is not exclusive.
    pub(crate) fn queue(&self, name: &str) -> Option<Arc<LiveQueue>> {
        self.vhost().queue_for(name, ConnectionId(0)).ok()
    }

    /// What a queue has.
    ///
    /// # Panics
    /// If there is no such queue.
    pub(crate) fn counts(&self, queue: &str) -> Counts {
        self.queue(queue).expect("the queue exists").counts()
    }

    /// Stops as on SIGTERM, in the background; the handle's end is the broker's.
    pub(crate) fn begin_stop(&mut self) -> tokio::task::JoinHandle<()> {
        let server = self.server.take().expect("the broker runs");
        self.runtime().spawn(server.stop())
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(future)
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        drop(self.server.take());
        drop(self.runtime.take());
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
