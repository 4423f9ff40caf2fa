//! A running vhost's policies, limits, parameters and properties.
//!
//! What is changed here is durable once the log is so up to [`super::Shared::last_row`], and takes
//! effect before the call returns: every queue that goes by other settings has been told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};

pub use super::guests::Admitted;
use super::live_queue::LiveQueue;
use super::outbox::Outbox;
use super::vhost::Vhost;
use crate::names::{ConnectionId, QueueId, UserName};
use crate::policy::{Class, Governing, Invalid, Policy};
use crate::protocol::fault::Fault;
use crate::queue::Command;
use crate::topology::Topology;
use crate::topology::governed::Reconfigured;
use crate::topology::limits::{Limits, MAX_CONNECTIONS};
use crate::topology::parameters::Parameters;
use crate::topology::properties::Properties;

/// Whether something is new, or was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Created,
    /// It was there, and is as was asked for now.
    Updated,
}

impl Put {
    pub(super) fn of(new: bool) -> Self {
        if new { Self::Created } else { Self::Updated }
    }
}

impl Vhost {
    /// The policies of a class, by name.
    pub fn policies(&self, class: Class) -> Vec<Arc<Policy>> {
        self.look(|topology| topology.policies(class).iter().cloned().collect())
    }

    /// The policy of a name.
    pub fn policy(&self, class: Class, name: &str) -> Option<Arc<Policy>> {
        self.look(|topology| topology.policies(class).get(name).cloned())
    }

    /// Adds or replaces a policy, which takes effect at once.
    pub fn put_policy(&self, class: Class, policy: Policy) -> Put {
        tracing::info!(vhost = %self.name, policy = policy.name, ?class, "policy set");
        let _changes = self.changes.lock();
        let (put, _) = self.change_locked(None, |topology| topology.put_policy(class, policy));
        let (new, queues) = put;
        self.reconfigure(queues);
        Put::of(new)
    }

    /// Removes a policy, and its effects at once. Returns whether there was one.
    pub fn delete_policy(&self, class: Class, name: &str) -> bool {
        let _changes = self.changes.lock();
        let (gone, _) = self.change_locked(None, |topology| topology.delete_policy(class, name));
        let Some(queues) = gone else { return false };
        tracing::info!(vhost = %self.name, policy = name, ?class, "policy cleared");
        self.reconfigure(queues);
        true
    }

    /// Tells queues what they go by now; under `changes`, so that two changes cannot cross.
    fn reconfigure(&self, queues: Reconfigured) {
        for (id, settings) in queues {
            if let Some(queue) = self.live(id) {
                queue.turn([Command::Configure(Box::new(settings))]);
            }
        }
    }

    /// Which policies govern a queue.
    pub fn governing(&self, queue: &LiveQueue) -> Governing {
        self.look(|topology| topology.governing(queue.id))
    }

    /// Which policies govern each queue that any govern.
    pub fn governing_all(&self) -> BTreeMap<QueueId, Governing> {
        self.look(|topology| topology.governed().clone())
    }

    /// Which policies govern an exchange.
    pub fn governing_exchange(&self, exchange: &str) -> Governing {
        self.look(|topology| topology.governing_exchange(exchange))
    }

    /// What the vhost is: description, tags, limits and so on.
    pub fn properties(&self) -> Properties {
        self.look(|topology| topology.properties().clone())
    }

    /// Makes the vhost something else: `change` says what, of what it is.
    pub(super) fn change_properties(
        &self,
        change: impl FnOnce(&Properties) -> Result<Properties, Invalid>,
    ) -> Result<(), Invalid> {
        let _changes = self.changes.lock();
        self.change_locked(None, |topology| {
            let properties = change(topology.properties())?;
            topology.set_properties(properties);
            self.follow_limits(topology);
            Ok(())
        })
        .0
    }

    /// Replaces the properties by what a PUT says (see [`Properties::put`]).
    pub fn put_properties(&self, body: &Map<String, Value>) -> Result<(), Invalid> {
        self.change_properties(|properties| properties.put(body))
    }

    /// Whether the vhost may be deleted.
    pub fn protect(&self, protected: bool) {
        let changed =
            self.change_properties(|before| Ok(Properties { protected, ..before.clone() }));
        debug_assert_eq!(changed, Ok(()), "what was there is good");
    }

    /// Sets a limit: `max-connections`, `max-queues`, or a rate.
    pub fn set_limit(&self, name: &str, value: &Value) -> Result<(), Invalid> {
        let _changes = self.changes.lock();
        let set = |topology: &mut Topology| {
            topology.set_limit(name, value)?;
            self.follow_limits(topology);
            Ok(())
        };
        self.change_locked(None, set).0
    }

    /// Clears a limit, if it is set.
    pub fn clear_limit(&self, name: &str) {
        let _changes = self.changes.lock();
        self.change_locked(None, |topology| {
            topology.clear_limit(name);
            self.follow_limits(topology);
        });
    }

    /// Replaces all limits by those that the parameter `limits` says.
    pub fn put_limits(&self, parameter: &str, said: &Value) -> Result<Put, Invalid> {
        let limits = Limits::of_parameter(parameter, said)?;
        let _changes = self.changes.lock();
        let set = |topology: &mut Topology| {
            let was_none = topology.properties().limits.is_empty();
            topology.set_limits(limits);
            self.follow_limits(topology);
            Put::of(was_none)
        };
        Ok(self.change_locked(None, set).0)
    }

    /// Clears all limits. Returns whether there were any.
    pub fn clear_limits(&self) -> bool {
        let _changes = self.changes.lock();
        let clear = |topology: &mut Topology| {
            let were_any = !topology.properties().limits.is_empty();
            topology.set_limits(Limits::default());
            self.follow_limits(topology);
            were_any
        };
        self.change_locked(None, clear).0
    }

    fn follow_limits(&self, topology: &Topology) {
        self.throttle.set(&topology.properties().limits, Instant::now());
    }

    /// The runtime parameters, by component and name.
    pub fn parameters(&self) -> Parameters {
        self.look(|topology| topology.parameters().clone())
    }

    /// A runtime parameter.
    pub fn parameter(&self, component: &str, name: &str) -> Option<Value> {
        let key = (component.to_owned(), name.to_owned());
        self.look(|topology| topology.parameters().get(&key).cloned())
    }

    /// Adds or replaces a runtime parameter.
    pub fn put_parameter(&self, component: &str, name: &str, value: Value) -> Result<Put, Invalid> {
        let _changes = self.changes.lock();
        let put = |topology: &mut Topology| topology.put_parameter(component, name, value);
        self.change_locked(None, put).0.map(Put::of)
    }

    /// Removes a runtime parameter. Returns whether there was one.
    pub fn delete_parameter(&self, component: &str, name: &str) -> bool {
        let _changes = self.changes.lock();
        self.change_locked(None, |topology| topology.delete_parameter(component, name)).0
    }

    /// How many connections there are to it.
    pub fn connection_count(&self) -> usize {
        self.guests.len()
    }

    /// Lets a connection in, unless there are too many.
    pub fn admit(
        &self,
        id: ConnectionId,
        outbox: &Arc<Outbox>,
        user: &UserName,
    ) -> Result<Admitted, Fault> {
        let limits = self.look(|topology| topology.properties().limits.clone());
        self.guests.admit(id, outbox, |count| {
            let reached = limits.is_reached(MAX_CONNECTIONS, count);
            reached.map(|limit| Fault::too_many_connections(&self.name, user, limit))
        })
    }

    /// Ends it: its queues are gone with all they hold, and its connections are closed.
    pub(super) fn end(&self, shared: &super::Shared) {
        {
            let _changes = self.changes.lock();
            let mut topology = self.topology.write();
            topology.watch(self.shared().notices.are_listened_to());
            let (queues, rows) = topology.end();
            self.tell_happenings(&mut topology);
            drop(topology);
            for queue in queues.iter().filter_map(|id| self.take_queue(*id)) {
                // An unconditional delete is not refused.
                let _ = queue.delete(false, false);
            }
            shared.write_rows(&rows, &queues);
            self.schedules.keep(|_| false);
            self.guards.keep(|_| false);
            self.queue_guards.keep(|_| false);
        }
        self.guests.end(&Fault::vhost_down(&self.name));
    }
}
