//! A vhost's properties, limits and parameters; and its end.

use serde_json::Value;

use super::Topology;
use super::limits::{Limits, LimitsOf, MAX_QUEUES};
use super::parameters::{Parameters, check_parameter};
use super::properties::Properties;
use super::rows::{self, RowChange, rules::Rule};
use crate::names::QueueId;
use crate::policy::{Class, Invalid};
use crate::protocol::fault::Fault;

impl Topology {
    /// What the vhost is.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Makes the vhost something else, or writes it down for the first time.
    pub fn set_properties(&mut self, properties: Properties) {
        self.changes.push(rows::rules::vhost(&self.vhost, &properties));
        self.properties = properties;
    }

    /// Sets one of the vhost's limits.
    pub fn set_limit(&mut self, name: &str, value: &Value) -> Result<(), Invalid> {
        let limits = self.properties.limits.with(LimitsOf::Vhost, name, value)?;
        self.set_limits(limits);
        Ok(())
    }

    /// Clears one of the vhost's limits, if it is set.
    pub fn clear_limit(&mut self, name: &str) {
        self.set_limits(self.properties.limits.without(name));
    }

    /// Replaces the vhost's limits.
    pub fn set_limits(&mut self, limits: Limits) {
        self.set_properties(Properties { limits, ..self.properties.clone() });
        self.tell_of_limits();
    }

    /// Says why no further queue may be declared, if so.
    pub fn check_queue_limit(&self, queue: &str) -> Result<(), Fault> {
        let reached = self.properties.limits.is_reached(MAX_QUEUES, self.queues.len());
        let refuse = |limit| Err(Fault::too_many_queues(queue, &self.vhost, limit));
        reached.map_or(Ok(()), refuse)
    }

    /// The vhost's parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Adds or replaces a parameter. Returns whether it is new.
    pub fn put_parameter(
        &mut self,
        component: &str,
        name: &str,
        value: Value,
    ) -> Result<bool, Invalid> {
        check_parameter(component, name, &value)?;
        self.changes.push(rows::rules::parameter(&self.vhost, component, name, &value));
        self.tell_of_parameter("parameter.set", (component, name), Some(&value));
        Ok(self.parameters.insert((component.to_owned(), name.to_owned()), value).is_none())
    }

    /// Removes a parameter. Returns whether there was one.
    pub fn delete_parameter(&mut self, component: &str, name: &str) -> bool {
        let removed = self.parameters.remove(&(component.to_owned(), name.to_owned()));
        let Some(value) = removed else { return false };
        let row = rows::rules::parameter(&self.vhost, component, name, &value);
        self.changes.push(rows::gone(row));
        self.tell_of_parameter("parameter.cleared", (component, name), None);
        true
    }

    pub(super) fn restore_rule(&mut self, rule: Rule) {
        match rule {
            Rule::Vhost(_, properties) => self.properties = properties,
            Rule::Policy(_, class, policy) => {
                self.put_policy(class, policy);
            }
            Rule::Parameter { component, name, value, .. } => {
                self.parameters.insert((component, name), value);
            }
            Rule::Global(..) | Rule::UserLimits(..) => {}
        }
    }

    /// Whether the vhost was deleted, or is about to be.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Ends the vhost: nothing comes into it any more, and all that is durable in it is gone.
    /// Returns its queues, and the rows to be removed.
    pub fn end(&mut self) -> (Vec<QueueId>, Vec<RowChange>) {
        self.ended = true;
        let queues: Vec<QueueId> = self.queues.keys().copied().collect();
        queues.iter().for_each(|id| self.remove_queue(*id));
        let exchanges: Vec<_> = self.exchanges.keys().copied().collect();
        exchanges.iter().for_each(|id| self.remove_exchange(*id));
        for class in [Class::User, Class::Operator] {
            let policies = std::mem::take(self.rules.of_mut(class));
            let row = |policy| rows::gone(rows::rules::policy(&self.vhost, class, policy));
            self.changes.extend(policies.iter().map(|policy| row(policy)));
        }
        for ((component, name), value) in std::mem::take(&mut self.parameters) {
            let row = rows::rules::parameter(&self.vhost, &component, &name, &value);
            self.changes.push(rows::gone(row));
        }
        self.changes.push(rows::gone(rows::rules::vhost(&self.vhost, &self.properties)));
        (queues, self.take_changes())
    }
}
