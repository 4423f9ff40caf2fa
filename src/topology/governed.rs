//! Which policies govern what exists in a vhost, kept up to date as either changes.

#[cfg(test)]
mod tests;

use super::{Topology, rows};
use crate::names::QueueId;
use crate::policy::effective::{Governing, queue_options};
use crate::policy::{Class, Object, Policies, Policy};
use crate::queue::options::{Declaration, QueueOptions};
use crate::queue::settings::Settings;
use std::collections::BTreeMap;

/// Queues that go by other settings now.
pub type Reconfigured = Vec<(QueueId, Settings)>;

/// The policies of a vhost.
#[derive(Debug, Default)]
pub(super) struct Rules {
    policies: Policies,
    operators: Policies,
}

impl Rules {
    pub(super) fn of(&self, class: Class) -> &Policies {
        match class {
            Class::User => &self.policies,
            Class::Operator => &self.operators,
        }
    }

    pub(super) fn of_mut(&mut self, class: Class) -> &mut Policies {
        match class {
            Class::User => &mut self.policies,
            Class::Operator => &mut self.operators,
        }
    }

    pub(super) fn governing(&self, object: Object<'_>) -> Governing {
        Governing::of(object, &self.policies, &self.operators)
    }
}

impl Topology {
    /// The policies of a class.
    pub fn policies(&self, class: Class) -> &Policies {
        self.rules.of(class)
    }

    /// Adds or replaces a policy. Returns whether it is new, and the queues to be told.
    pub fn put_policy(&mut self, class: Class, policy: Policy) -> (bool, Reconfigured) {
        self.changes.push(rows::rules::policy(&self.vhost, class, &policy));
        self.tell_of_policy(class, &policy);
        let new = self.rules.of_mut(class).put(policy);
        (new, self.govern_all())
    }

    /// Removes a policy. Returns the queues to be told; `None`: there is no such policy.
    pub fn delete_policy(&mut self, class: Class, name: &str) -> Option<Reconfigured> {
        let gone = self.rules.of_mut(class).remove(name)?;
        self.changes.push(rows::gone(rows::rules::policy(&self.vhost, class, &gone)));
        self.tell_policy_gone(class, name);
        Some(self.govern_all())
    }

    /// Which policies govern a queue.
    pub fn governing(&self, queue: QueueId) -> Governing {
        self.governed.get(&queue).cloned().unwrap_or_default()
    }

    /// Which policies govern each queue that any govern.
    pub fn governed(&self) -> &BTreeMap<QueueId, Governing> {
        &self.governed
    }

    /// Which policies govern an exchange.
    pub fn governing_exchange(&self, name: &str) -> Governing {
        let id = self.exchange_names.get(name);
        id.map(|id| self.exchanges[id].governing.clone()).unwrap_or_default()
    }

    /// What a queue goes by that is, or is about to be, declared like this. Arguments that are
    /// not understood (a newer Warren wrote them) say nothing.
    pub fn settings(&self, declaration: &Declaration) -> Settings {
        settings(declaration, &self.governing_queue(declaration))
    }

    pub(super) fn governing_queue(&self, declaration: &Declaration) -> Governing {
        let kind = declaration.kind().unwrap_or_default();
        self.rules.governing(Object::Queue { name: declaration.name.as_str(), kind })
    }

    pub(super) fn govern_queue(&mut self, id: QueueId, declaration: &Declaration) {
        let governing = self.governing_queue(declaration);
        if !governing.is_none() {
            self.governed.insert(id, governing);
        }
    }

    /// Looks again who governs what. Returns the queues that go by other settings now.
    fn govern_all(&mut self) -> Reconfigured {
        for exchange in self.exchanges.values_mut() {
            let name = exchange.declaration.name.as_str();
            let governing = self.rules.governing(Object::Exchange { name });
            if exchange.govern(governing) {
                self.version += 1;
            }
        }
        let mut reconfigured = Vec::new();
        for (id, declaration) in &self.queues {
            let now = self.governing_queue(declaration);
            let before = self.governed.get(id).cloned().unwrap_or_default();
            if now == before {
                continue;
            }
            let (old, new) = (settings(declaration, &before), settings(declaration, &now));
            if now.is_none() {
                self.governed.remove(id);
            } else {
                self.governed.insert(*id, now);
            }
            if old != new {
                reconfigured.push((*id, new));
            }
        }
        reconfigured
    }
}

fn settings(declaration: &Declaration, governing: &Governing) -> Settings {
    QueueOptions::parse(declaration)
        .map(|options| Settings::of(&queue_options(options, &governing.definition())))
        .unwrap_or_default()
}
