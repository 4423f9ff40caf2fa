//! Fanout exchanges: every message to every destination (AMQP 0-9-1, 3.1.3.2).

use super::destinations::Destinations;

/// Everyone who is bound.
#[derive(Clone, Debug)]
pub(super) struct Fanout<D> {
    destinations: Destinations<D>,
}

impl<D> Default for Fanout<D> {
    fn default() -> Self {
        Self { destinations: Destinations::None }
    }
}

impl<D: Copy + Ord> Fanout<D> {
    pub(super) fn insert(&mut self, destination: D) {
        self.destinations.insert(destination);
    }

    pub(super) fn remove(&mut self, destination: D) {
        self.destinations.remove(destination);
    }

    pub(super) fn route(&self, found: &mut Vec<D>) {
        found.extend_from_slice(self.destinations.as_slice());
    }
}
