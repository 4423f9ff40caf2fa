//! Vhosts come and go.

use std::sync::Arc;

use serde_json::Map;

use super::Broker;
use super::vhost::Vhost;
use super::vhost_rules::Put;
use crate::names::VhostName;
use crate::policy::Invalid;
use crate::topology::Topology;
use crate::topology::properties::Properties;
use crate::wire::table::Value;

/// Why a vhost is not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDeleted {
    /// There is none of this name.
    #[error("no such vhost '{0}'")]
    Missing(String),
    /// It is protected (HTTP: 412).
    #[error("Refusing to delete virtual host '{0}' because it is protected from deletion")]
    Protected(String),
}

impl Broker {
    /// The vhost of a name.
    pub fn vhost(&self, name: &str) -> Option<Arc<Vhost>> {
        self.vhosts.get(name).map(|vhost| Arc::clone(&vhost))
    }

    /// All vhosts, by name.
    pub fn vhosts(&self) -> Vec<Arc<Vhost>> {
        let mut all: Vec<_> = self.vhosts.iter().map(|vhost| Arc::clone(&vhost)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Adds a vhost, or changes its properties as a PUT says (see [`Properties::put`]).
    pub fn put_vhost(
        &self,
        name: &str,
        body: &Map<String, serde_json::Value>,
    ) -> Result<Put, Invalid> {
        self.put_vhost_with(name, |properties| properties.put(body))
    }

    /// The same, as definitions say (see [`Properties::import`]).
    pub fn import_vhost(
        &self,
        name: &str,
        said: &Map<String, serde_json::Value>,
    ) -> Result<Put, Invalid> {
        self.put_vhost_with(name, |properties| properties.import(said))
    }

    fn put_vhost_with(
        &self,
        name: &str,
        change: impl FnOnce(&Properties) -> Result<Properties, Invalid>,
    ) -> Result<Put, Invalid> {
        let _changes = self.vhost_changes.lock();
        if let Some(vhost) = self.vhost(name) {
            vhost.change_properties(change)?;
            self.tell_of_vhost("vhost.updated", &vhost);
            return Ok(Put::Updated);
        }
        // It is seen by nobody before it is all right.
        let vhost = Arc::new(Vhost::new(name.into(), Arc::clone(&self.shared)));
        vhost.change_properties(change)?;
        self.vhosts.insert(name.into(), Arc::clone(&vhost));
        self.tell_of_vhost("vhost.created", &vhost);
        tracing::info!(vhost = name, "vhost added");
        Ok(Put::Created)
    }

    fn tell_of_vhost(&self, key: &'static str, vhost: &Vhost) {
        self.shared.tell(key, |_| vhost.properties().told(vhost.name.as_str()));
    }

    /// Deletes a vhost with everything in it, and all permissions in it. Its connections are closed (320).
    pub fn delete_vhost(&self, name: &str) -> Result<(), NotDeleted> {
        let _changes = self.vhost_changes.lock();
        let missing = || NotDeleted::Missing(name.to_owned());
        let vhost = self.vhost(name).ok_or_else(missing)?;
        if vhost.look(|topology| topology.properties().protected) {
            return Err(NotDeleted::Protected(name.to_owned()));
        }
        self.vhosts.remove(name);
        let queues = vhost.queue_count();
        vhost.end(&self.shared);
        self.auth.vhost_deleted(name);
        self.shared.tell("vhost.deleted", |facts| facts.with("name", Value::Text(name.as_bytes())));
        tracing::info!(vhost = name, queues, "vhost deleted");
        Ok(())
    }

    /// The vhost of a row that was found at start. `written`: the row is the vhost's own, which
    /// comes before those of what is in it; without one (an older Warren wrote none) it gets one.
    pub(super) fn restore_vhost(&self, name: VhostName, written: bool) -> Arc<Vhost> {
        let make = || {
            let vhost = Arc::new(Vhost::new(name.clone(), Arc::clone(&self.shared)));
            if !written {
                vhost.protect(false);
            }
            vhost
        };
        Arc::clone(&self.vhosts.entry(name.clone()).or_insert_with(make))
    }

    /// A broker without vhosts gets the default one.
    pub(super) fn add_default_vhost(&self) {
        if self.vhosts.is_empty() {
            let put = self.put_vhost(&self.config.defaults.vhost, &Map::new());
            debug_assert_eq!(put, Ok(Put::Created), "nothing was said");
        }
    }

    /// How many queues there are in all vhosts.
    pub fn queue_count(&self) -> usize {
        self.vhosts.iter().map(|vhost| vhost.queue_count()).sum()
    }

    /// How many exchanges there are in all vhosts.
    pub fn exchange_count(&self) -> usize {
        self.vhosts.iter().map(|vhost| vhost.look(Topology::exchange_count)).sum()
    }
}
