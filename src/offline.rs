//! The definitions of a data directory that no broker has open (`warren definitions`).
//!
//! The broker is opened without its ports, so what goes in is checked by the same rules, and is on
//! the disk when this returns.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::auth::Outside;
use crate::broker::Broker;
use crate::config::Config;
use crate::management::{Api, Ports};
use crate::metrics::sampler::Sampler;
use crate::server::CannotStart;

/// All that there is but messages, as JSON. The directory must be there.
pub async fn export(config: Config) -> Result<String, CannotStart> {
    let dir = &config.data.dir;
    if !dir.is_dir() {
        return Err(CannotStart::NoDirectory(dir.clone()));
    }
    let (broker, api) = open(config)?;
    let definitions = api.definitions();
    broker.close().await;
    Ok(definitions)
}

/// Takes the definitions of a file, or of all `.json` files in a directory.
pub async fn import(config: Config, from: &Path) -> Result<(), CannotStart> {
    let (broker, api) = open(config)?;
    let taken = api.load_definitions(from).await;
    broker.close().await;
    Ok(taken?)
}

fn open(config: Config) -> Result<(Arc<Broker>, Arc<Api>), CannotStart> {
    let outside = Outside::load(&config.auth)?;
    let broker = Arc::new(Broker::open(config, &outside)?);
    broker.auth.begin(&broker.config.defaults)?;
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let ports = Ports {
        amqp: nowhere,
        amqps: None,
        http: nowhere,
        https: None,
        prometheus: nowhere,
        prometheus_tls: None,
    };
    let sampler = Arc::new(Sampler::default());
    let api = Api::new(Arc::clone(&broker), sampler, Arc::default(), ports, None);
    Ok((broker, Arc::new(api)))
}
