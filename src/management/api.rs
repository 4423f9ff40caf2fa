//! What all endpoints have in common: the broker, and how objects are found.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::broker::Broker;
use crate::broker::access::Access;
use crate::broker::vhost::Vhost;
use crate::config::HttpConfig;
use crate::logs::Logs;
pub(super) use crate::metrics::RABBITMQ_VERSION;

/// What stands where RabbitMQ says on which Erlang it runs.
pub(super) const NO_ERLANG: &str = "none: Warren is written in Rust";
use crate::metrics::machine::node_name;
use crate::metrics::sampler::Sampler;
use crate::names::LogPosition;
use crate::transport::Tls;

use super::caller::{Caller, May};
use super::problem::Problem;

/// Where the broker listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// AMQP.
    pub amqp: SocketAddr,
    /// AMQP with TLS.
    pub amqps: Option<SocketAddr>,
    /// This API.
    pub http: SocketAddr,
    /// This API with TLS.
    pub https: Option<SocketAddr>,
    /// Metrics.
    pub prometheus: SocketAddr,
    /// Metrics with TLS.
    pub prometheus_tls: Option<SocketAddr>,
}

/// What the endpoints work on.
pub struct Api {
    pub(super) broker: Arc<Broker>,
    pub(super) sampler: Arc<Sampler>,
    /// What was logged lately.
    pub(super) logs: Arc<Logs>,
    pub(super) node: String,
    /// Its ports.
    pub(super) ports: Ports,
    /// Certificates, if there are any.
    pub(super) tls: Option<Arc<Tls>>,
    /// The API's description, once somebody has asked for it.
    pub(super) openapi: OnceCell<String>,
}

impl Api {
    /// An API for a broker that listens at these addresses.
    pub fn new(
        broker: Arc<Broker>,
        sampler: Arc<Sampler>,
        logs: Arc<Logs>,
        ports: Ports,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        let node = node_name();
        Self { broker, sampler, logs, node, ports, tls, openapi: OnceCell::new() }
    }

    /// What the cluster is called: as it was named, or as its node.
    pub(super) fn cluster_name(&self) -> String {
        self.broker.cluster_name().unwrap_or_else(|| self.node.clone())
    }

    /// Its settings.
    pub(super) fn config(&self) -> &HttpConfig {
        &self.broker.config.http
    }

    /// A vhost that the caller may see.
    pub(super) fn vhost(&self, caller: &Caller, name: &str) -> Result<Arc<Vhost>, Problem> {
        let vhost = self.broker.vhost(name).ok_or_else(Problem::not_found)?;
        if self.sees(caller, name) {
            return Ok(vhost);
        }
        Err(Problem::not_authorised("User not authorised to access virtual host"))
    }

    /// A vhost in which the caller may do something, and what.
    pub(super) async fn entered(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<(Arc<Vhost>, May), Problem> {
        let vhost = self.broker.vhost(name).ok_or_else(Problem::not_found)?;
        let refused = || Problem::not_authorised("User not authorised to access virtual host");
        let may = May::enter(self, caller, &vhost.name).await.ok_or_else(refused)?;
        Ok((vhost, may))
    }

    /// What the caller may do in a vhost, as AMQP clients are asked.
    pub(super) fn access(&self, caller: &Caller, vhost: &Vhost) -> Access {
        let auth = Arc::clone(&self.broker.auth);
        Access::new(auth, Arc::clone(&caller.principal), vhost.name.clone())
    }

    /// Whether the caller may see a vhost.
    pub(super) fn sees(&self, caller: &Caller, vhost: &str) -> bool {
        caller.is_monitor() || caller.enters(self, vhost)
    }

    /// The vhosts that the caller may see, by name.
    pub(super) fn vhosts(&self, caller: &Caller) -> Vec<Arc<Vhost>> {
        let mut all = self.broker.vhosts();
        all.retain(|vhost| self.sees(caller, vhost.name.as_str()));
        all
    }

    /// Waits until a change is safe.
    pub(super) async fn safe(&self, position: LogPosition) {
        let Some(store) = self.broker.shared.store.clone() else { return };
        if position > store.durable_position() {
            // A store that fails ends the broker; there is nobody to tell then.
            let _ = tokio::task::spawn_blocking(move || store.wait(position)).await;
        }
    }
}
