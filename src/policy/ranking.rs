//! The policies of one class in one vhost, and which of them comes first.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Object, Policy};

/// Policies by name and by rank.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    by_name: BTreeMap<String, Arc<Policy>>,
    /// The highest priority first; of the same priority, the first by name, as with RabbitMQ.
    ranked: Vec<Arc<Policy>>,
}

impl Policies {
    /// Adds a policy, or replaces the one of its name. Returns whether it is new.
    pub fn put(&mut self, policy: Policy) -> bool {
        let policy = Arc::new(policy);
        let new = self.by_name.insert(policy.name.clone(), Arc::clone(&policy)).is_none();
        self.rank();
        new
    }

    /// Removes a policy.
    pub fn remove(&mut self, name: &str) -> Option<Arc<Policy>> {
        let removed = self.by_name.remove(name);
        self.rank();
        removed
    }

    fn rank(&mut self) {
        self.ranked = self.by_name.values().cloned().collect();
        // By name already, and the sort is stable.
        self.ranked.sort_by(|a, b| b.rank().partial_cmp(&a.rank()).unwrap_or(Ordering::Equal));
    }

    /// The policy of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<Policy>> {
        self.by_name.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.by_name.values()
    }

    /// Which one governs an object.
    pub fn first_for(&self, object: Object<'_>) -> Option<&Arc<Policy>> {
        self.ranked.iter().find(|policy| policy.governs(object))
    }
}
