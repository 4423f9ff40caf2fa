//! Direct exchanges: the routing key equals the binding key (AMQP 0-9-1, 3.1.3.1).

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::destinations::Destinations;

/// Binding key → destinations.
#[derive(Clone, Debug)]
pub(super) struct Direct<D> {
    keys: FxHashMap<Key, Destinations<D>>,
}

/// A binding key, shared with its binding, that is looked up by the bytes of a routing key,
/// which need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key(Arc<str>);

impl<D> Default for Direct<D> {
    fn default() -> Self {
        Self { keys: FxHashMap::default() }
    }
}

impl<D: Copy + Ord> Direct<D> {
    pub(super) fn insert(&mut self, key: &Arc<str>, destination: D) {
        self.keys.entry(Key(Arc::clone(key))).or_default().insert(destination);
    }

    pub(super) fn remove(&mut self, key: &str, destination: D) {
        let Some(destinations) = self.keys.get_mut(key.as_bytes()) else {
            return;
        };
        destinations.remove(destination);
        if destinations.is_empty() {
            self.keys.remove(key.as_bytes());
        }
    }

    pub(super) fn route(&self, key: &[u8], found: &mut Vec<D>) {
        if let Some(destinations) = self.keys.get(key) {
            found.extend_from_slice(destinations.as_slice());
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

// As the bytes that it is looked up by, not as the text that it is.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_bytes().hash(state);
    }
}
