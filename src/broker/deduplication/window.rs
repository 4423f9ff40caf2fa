//! The values that an exchange has seen lately, and where they came from.
//!
//! A value is remembered by 16 bytes of its SHA-256, so that the window's memory is known however
//! long values are. First in, first out; a duplicate does not renew what it repeats.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::batch::Batch;
use crate::queue::options::Deduplication;
use crate::wire::table::{TableRef, Value};

/// What a value is remembered by.
pub(in crate::broker) type Key = [u8; 16];

/// The last values of one exchange.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: FxHashMap<Key, Entry>,
    /// In the order in which they came. One that was forgotten before its time is still here.
    order: VecDeque<(u64, Key)>,
    next_position: u64,
    /// How many messages were not the first with their value.
    pub(super) duplicates: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    position: u64,
    /// When it came, in milliseconds since 1970.
    at: u64,
    /// With what it becomes safe; `None`: a restart found it.
    batch: Option<Arc<Batch>>,
}

/// What a look at the window comes to.
#[derive(Debug)]
pub(super) enum Seen {
    /// The first of its kind; it stands at this position now.
    Never(u64),
    /// It was there, and becomes safe with this.
    Before(Option<Arc<Batch>>),
}

/// What a message is told from others by, if it has the header.
pub(in crate::broker) fn key(rules: &Deduplication, headers: TableRef<'_>) -> Option<Key> {
    let value = headers.get(&rules.header)?;
    let mut hash = Sha256::new();
    if let Some(number) = value.as_integer() {
        // Numbers of every width are the same number.
        hash.update(b"n");
        hash.update(number.to_be_bytes());
    } else if let Value::Text(bytes) | Value::Bytes(bytes) = value {
        hash.update(b"s");
        hash.update(bytes);
    } else {
        hash.update(format!("{value:?}"));
    }
    hash.finalize().first_chunk().copied()
}

impl Window {
    /// Looks for a value, and remembers it if it is new. `forgotten` is told of positions that
    /// have left the window.
    pub(super) fn see(
        &mut self,
        key: Key,
        rules: &Deduplication,
        now: u64,
        batch: &Arc<Batch>,
        mut forgotten: impl FnMut(u64),
    ) -> Seen {
        self.age(rules, now, &mut forgotten);
        if let Some(entry) = self.entries.get(&key) {
            self.duplicates += 1;
            return Seen::Before(entry.batch.clone());
        }
        let position = self.insert(key, now, Some(Arc::clone(batch)));
        self.shrink(rules, &mut forgotten);
        Seen::Never(position)
    }

    /// Whether a value is remembered.
    pub(super) fn knows(&self, key: &Key, rules: &Deduplication, now: u64) -> bool {
        let ttl = rules
            .cache_ttl
            .map_or(u64::MAX, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        self.entries.get(key).is_some_and(|entry| now.saturating_sub(entry.at) < ttl)
    }

    fn insert(&mut self, key: Key, at: u64, batch: Option<Arc<Batch>>) -> u64 {
        let position = self.next_position;
        self.next_position += 1;
        self.entries.insert(key, Entry { position, at, batch });
        self.order.push_back((position, key));
        position
    }

    /// Takes an entry back, at start. They come in order.
    pub(super) fn restore(&mut self, position: u64, key: Key, at: u64) {
        self.next_position = position;
        self.insert(key, at, None);
    }

    /// The next entry will stand there, or behind.
    pub(super) fn go_on_from(&mut self, position: u64) {
        self.next_position = self.next_position.max(position);
    }

    /// When a value came, if it is the one at this position.
    pub(super) fn since(&self, key: &Key, position: u64) -> Option<u64> {
        self.entries.get(key).filter(|entry| entry.position == position).map(|entry| entry.at)
    }

    /// Forgets a value whose message went nowhere: it may come again. False if it is gone already.
    pub(super) fn forget(&mut self, key: &Key, position: u64) -> bool {
        let is_it = self.entries.get(key).is_some_and(|entry| entry.position == position);
        if is_it {
            self.entries.remove(key);
        }
        is_it
    }

    /// Forgets what is too old.
    fn age(&mut self, rules: &Deduplication, now: u64, forgotten: &mut impl FnMut(u64)) {
        let Some(ttl) = rules.cache_ttl else { return };
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        while let Some((position, key)) = self.order.front().copied() {
            let entry = self.entries.get(&key).filter(|entry| entry.position == position);
            if entry.is_some_and(|entry| now.saturating_sub(entry.at) < ttl) {
                break;
            }
            self.pop(forgotten);
        }
    }

    /// Forgets what there is no room for.
    fn shrink(&mut self, rules: &Deduplication, forgotten: &mut impl FnMut(u64)) {
        while self.order.len() > rules.cache_size as usize {
            self.pop(forgotten);
        }
    }

    fn pop(&mut self, forgotten: &mut impl FnMut(u64)) {
        if let Some((position, key)) = self.order.pop_front()
            && self.forget(&key, position)
        {
            forgotten(position);
        }
    }

    /// How many values it remembers.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::table::TableBuilder;

    fn rules(cache_size: u32, cache_ttl: Option<u64>) -> Deduplication {
        let cache_ttl = cache_ttl.map(Duration::from_millis);
        Deduplication { cache_size, cache_ttl, header: "id".into() }
    }

    fn key_of(value: Value<'_>) -> Option<Key> {
        key(&rules(1, None), TableBuilder::new().with("id", value).build().as_ref())
    }

    #[test]
    fn values_are_told_apart() {
        assert_eq!(key_of(Value::I32(7)), key_of(Value::I64(7)));
        assert_eq!(key_of(Value::Text(b"a")), key_of(Value::Text(b"a")));
        let different =
            [Value::Text(b"a"), Value::Text(b"b"), Value::I32(1), Value::Bool(true), Value::Void];
        let keys: std::collections::BTreeSet<_> = different.into_iter().map(key_of).collect();
        assert_eq!(keys.len(), different.len());
        let other = TableBuilder::new().with("other", Value::I32(1)).build();
        assert_eq!(key(&rules(1, None), other.as_ref()), None);
    }

    proptest! {
        /// Against a list of (value, time) that is searched from end to end.
        #[test]
        fn as_a_list(
            size in 1u32..6,
            ttl in prop::option::of(1u64..10),
            values in prop::collection::vec((0u8..8, 0u64..4, any::<bool>()), 0..60),
        ) {
            let rules = rules(size, ttl);
            let (mut window, mut model) = (Window::default(), Vec::<(u8, u64)>::new());
            let (mut now, batch) = (0, Arc::default());
            let mut there = std::collections::BTreeSet::new();
            for (value, passed, forget) in values {
                now += passed;
                let alive = |at: u64| ttl.is_none_or(|ttl| now - at < ttl);
                model.retain(|(_, at)| alive(*at));
                // What was forgotten leaves as soon as nothing stands in front of it.
                let gaps = model.iter().take_while(|(each, _)| *each == u8::MAX).count();
                model.drain(..if ttl.is_some() { gaps } else { 0 });
                let known = model.iter().any(|(each, _)| *each == value);
                let key = [value; 16];
                let seen = window.see(key, &rules, now, &batch, |gone| {
                    there.remove(&gone);
                });
                match seen {
                    Seen::Never(position) if forget => {
                        prop_assert!(!known && window.forget(&key, position));
                        // It keeps its place until its time has come.
                        model.push((u8::MAX, now));
                    }
                    Seen::Never(position) => {
                        prop_assert!(!known);
                        there.insert(position);
                        model.push((value, now));
                    }
                    Seen::Before(_) => prop_assert!(known),
                }
                let surplus = model.len().saturating_sub(size as usize);
                model.drain(..surplus);
                let remembered = model.iter().filter(|(each, _)| *each != u8::MAX).count();
                prop_assert_eq!(window.len(), remembered);
                prop_assert_eq!(there.len(), remembered, "whoever leaves is told of");
            }
        }
    }
}
