//! The messages that wait, in the order of their positions.

use std::collections::{BTreeMap, VecDeque};

use crate::message::Message;

/// From this capacity on, an emptied ring gives its memory back.
const SPARE: usize = 8 * 1024;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place: the count of messages published to the queue before it.
    pub position: u64,
    /// How often it was handed out and came back.
    pub deliveries: u32,
    /// What it is.
    pub message: Message,
}

/// Messages ready for delivery.
///
/// What was never taken stands in a ring in publish order. What was taken and came back has, by
/// then, a lower position than everything in the ring, and waits in a small ordered map.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    fresh: VecDeque<Entry>,
    returned: BTreeMap<u64, Entry>,
    body_bytes: u64,
}

impl Ready {
    /// How many wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.fresh.len() + self.returned.len()
    }

    /// Whether none waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.returned.is_empty()
    }

    /// Bytes of their bodies.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Adds a published message; its position is higher than all before.
    #[inline]
    pub fn push(&mut self, entry: Entry) {
        self.body_bytes += entry.message.body_len() as u64;
        self.fresh.push_back(entry);
    }

    /// Puts a message back to its old place: RabbitMQ orders by publish position, not by return.
    pub fn put_back(&mut self, entry: Entry) {
        debug_assert!(self.fresh.front().is_none_or(|front| entry.position < front.position));
        self.body_bytes += entry.message.body_len() as u64;
        self.returned.insert(entry.position, entry);
    }

    /// Takes the first.
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = if self.returned.is_empty() {
            self.fresh.pop_front()?
        } else {
            self.returned.pop_first().map(|(_, entry)| entry)?
        };
        self.body_bytes -= entry.message.body_len() as u64;
        if self.fresh.is_empty() && self.fresh.capacity() > SPARE {
            self.fresh = VecDeque::new();
        }
        Some(entry)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.returned.values().chain(&self.fresh)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
