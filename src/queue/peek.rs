//! Looking at a queue's messages without touching them.
//!
//! They are looked at in order of their positions, which is the order in which they came;
//! priorities and what came back do not change it. Nothing is counted, handed out or moved.

use std::collections::BTreeMap;
use std::ops::Range;

use super::deliveries::Deliveries;
use super::ready::Entry;
use super::{Held, Queue};
use crate::message::Message;

/// What a message in a queue waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its turn.
    Ready,
    /// To be settled.
    Unacked,
    /// Its time to be tried again.
    Delayed {
        /// When that is, in ms since 1970.
        until: u64,
    },
}

/// A message in its place.
#[derive(Clone, Debug)]
pub struct Peeked {
    /// Its place: the count of messages published to the queue before it.
    pub position: u64,
    /// What it waits for.
    pub standing: Standing,
    /// How often it was handed out and came back.
    pub deliveries: Deliveries,
    /// When it expires, in ms since 1970; [`super::due::NEVER`] if it does not.
    pub due: u64,
    /// What it is.
    pub message: Message,
}

/// The first so many, by position.
struct First {
    most: usize,
    found: BTreeMap<u64, Peeked>,
}

impl Peeked {
    /// A message that was found somewhere.
    pub fn of(entry: &Entry, standing: Standing) -> Self {
        let Entry { position, deliveries, due, message } = entry;
        Self {
            position: *position,
            standing,
            deliveries: *deliveries,
            due: *due,
            message: message.clone(),
        }
    }
}

impl First {
    fn add(&mut self, entry: &Entry, standing: Standing) {
        let full = self.found.len() >= self.most;
        if full && self.found.last_key_value().is_none_or(|(last, _)| *last < entry.position) {
            return;
        }
        if full {
            self.found.pop_last();
        }
        self.found.insert(entry.position, Peeked::of(entry, standing));
    }
}

impl Queue {
    /// Messages in memory that stand in a span, by position; at most so many.
    pub fn peek(&self, span: Range<u64>, most: usize) -> Vec<Peeked> {
        let mut first = First { most, found: BTreeMap::new() };
        self.ready.look(span.clone(), most, |entry| first.add(&entry, Standing::Ready));
        let unacked = self.unacked.iter().map(|(_, Held { entry, .. })| entry);
        for entry in unacked.filter(|entry| span.contains(&entry.position)) {
            first.add(entry, Standing::Unacked);
        }
        for (until, entry) in self.delayed_entries() {
            if span.contains(&entry.position) {
                first.add(entry, Standing::Delayed { until });
            }
        }
        first.found.into_values().collect()
    }

    /// From where on ready messages are only on disk; `None`: none is.
    pub fn away_from(&self) -> Option<u64> {
        let away = self.ready.on_disk();
        (away.count > 0).then_some(away.from)
    }

    /// Whether a message that was read from disk is ready, and only there.
    pub fn is_only_on_disk(&self, entry: &Entry) -> bool {
        self.ready.is_away(entry.position) && !self.stands_apart(entry)
    }
}
