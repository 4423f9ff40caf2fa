//! The messages that wait, in the order of their positions.
//!
//! ```text
//!   returned (BTreeMap)    fresh (ring)           away (a count)
//!   3 . . 7 . 9          | 12 13 14 15 … 911     | 912 … 2,000,000
//!   taken and came back  | never taken: in memory | never taken: only on disk
//! ```
//!
//! What was taken and came back has, by then, a lower position than everything that was never
//! taken. What does not fit the window in memory stays on disk and costs no memory at all.

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

/// Ready messages that are only on disk: all from a position on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Away {
    /// The first position that may be among them.
    pub from: u64,
    /// How many they are.
    pub count: usize,
    /// Bytes of their bodies.
    pub body_bytes: u64,
}

/// Messages ready for delivery.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    fresh: VecDeque<Entry>,
    returned: BTreeMap<u64, Entry>,
    body_bytes: u64,
    away: Away,
}

impl Ready {
    /// What a queue starts with that was there before a restart: everything on disk.
    pub fn away(away: Away) -> Self {
        Self { away, ..Self::default() }
    }

    /// How many wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.at_hand() + self.away.count
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are in memory.
    #[inline]
    pub fn at_hand(&self) -> usize {
        self.fresh.len() + self.returned.len()
    }

    /// Whether none can be handed out at once.
    #[inline]
    pub fn none_at_hand(&self) -> bool {
        self.fresh.is_empty() && self.returned.is_empty()
    }

    /// What of it is only on disk.
    pub fn on_disk(&self) -> Away {
        self.away
    }

    /// Bytes of all their bodies.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes + self.away.body_bytes
    }

    /// Bytes of the bodies that are in memory.
    #[inline]
    pub fn bytes_at_hand(&self) -> u64 {
        self.body_bytes
    }

    /// Adds a published message; its position is higher than all before, none of which is away.
    #[inline]
    pub fn push(&mut self, entry: Entry) {
        debug_assert_eq!(self.away.count, 0, "behind what is on disk comes nothing in memory");
        self.body_bytes += entry.message.body_len() as u64;
        self.fresh.push_back(entry);
    }

    /// Counts a published message that is only on disk.
    pub fn push_away(&mut self, position: u64, body_len: usize) {
        if self.away.count == 0 {
            self.away.from = position;
        }
        self.away.count += 1;
        self.away.body_bytes += body_len as u64;
    }

    /// Takes messages in that were read from disk, in order. What came too late (it stands in
    /// front of what is away) is passed over.
    pub fn arrived(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            if self.away.count == 0 || entry.position < self.away.from {
                continue;
            }
            let len = entry.message.body_len() as u64;
            self.away.from = entry.position + 1;
            self.away.count -= 1;
            self.away.body_bytes = self.away.body_bytes.saturating_sub(len);
            self.body_bytes += len;
            self.fresh.push_back(entry);
        }
    }

    /// The first message that is away cannot be had. Returns whether it still was away.
    pub fn pass_over(&mut self, position: u64) -> bool {
        let away = self.away.count > 0 && position >= self.away.from;
        if away {
            self.away.from = position + 1;
            self.away.count -= 1;
            // How large it was is not known.
            if self.away.count == 0 {
                self.away.body_bytes = 0;
            }
        }
        away
    }

    /// The disk has nothing of what is away: then nothing is.
    pub fn forget_away(&mut self) -> usize {
        std::mem::take(&mut self.away).count
    }

    /// Puts a message back to its old place: RabbitMQ orders by publish position, not by return.
    pub fn put_back(&mut self, entry: Entry) {
        debug_assert!(self.fresh.front().is_none_or(|front| entry.position < front.position));
        self.body_bytes += entry.message.body_len() as u64;
        self.returned.insert(entry.position, entry);
    }

    /// Takes the first of those in memory.
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

    /// The positions of those that were taken once.
    pub fn returned_positions(&self) -> impl Iterator<Item = u64> {
        self.returned.keys().copied()
    }

    /// From which position on all messages were never taken.
    pub fn untaken_from(&self) -> Option<u64> {
        let away = (self.away.count > 0).then_some(self.away.from);
        self.fresh.front().map(|entry| entry.position).or(away)
    }

    /// Those in memory, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.returned.values().chain(&self.fresh)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
