//! The messages that wait, in the order in which they are handed out.
//!
//! ```text
//!   apart (BTreeMap)        fresh (ring)           away (a count)
//!   3 . . 7 . 9           | 12 13 14 15 … 911     | 912 … 2,000,000
//!   came back, or of a    | never taken: in       | never taken: only
//!   higher priority       | memory                | on disk
//! ```
//!
//! What was taken and came back has, by then, a lower position than everything that was never
//! taken. What does not fit the window in memory stays on disk and costs no memory at all. Any
//! message may leave from where it stands (it expires).
//!
//! In a queue with priorities, messages above the lowest priority stand apart from the start: in
//! order of priority, then of position. They stay in memory; only the lowest priority goes to
//! disk (a queue that is mostly of high priority fills the broker's memory, and then publishers
//! wait).

use std::collections::BTreeMap;
use std::ops::Range;

use super::deliveries::Deliveries;
use super::volume::{Lasting, Volume};
use crate::ledger::Ledger;
use crate::message::Message;

/// From this capacity on, an emptied ring gives its memory back.
const SPARE: usize = 8 * 1024;
/// Positions are smaller than this; the bits above are for the priority.
const POSITIONS: u64 = 1 << 56;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place: the count of messages published to the queue before it.
    pub position: u64,
    /// How often it was handed out and came back.
    pub deliveries: Deliveries,
    /// When it expires, in ms since 1970; [`super::due::NEVER`] if it does not.
    pub due: u64,
    /// What it is.
    pub message: Message,
}

/// A message in the ring, without its position.
#[derive(Clone, Debug)]
struct Fresh {
    message: Message,
    due: u64,
    deliveries: Deliveries,
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
    /// Those of them that are persistent.
    pub lasting: Volume,
}

/// Messages ready for delivery.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    fresh: Ledger<Fresh>,
    /// By falling priority, then by position: see [`Self::key`].
    apart: BTreeMap<u64, Entry>,
    body_bytes: u64,
    /// What of it is persistent.
    lasting: Lasting,
    away: Away,
    /// Priorities up to this one are told apart.
    max_priority: u8,
}

impl Ready {
    /// What a queue starts with that was there before a restart: everything on disk.
    pub fn away(away: Away) -> Self {
        Self { away, lasting: Lasting::wanted(), ..Self::default() }
    }

    /// From now on priorities up to this one are told apart. What waits already keeps its place.
    pub fn tell_priorities_apart(&mut self, max: u8) {
        if self.at_hand() == 0 {
            self.max_priority = max;
        }
    }

    /// A message's priority as far as it is told apart.
    #[inline]
    pub fn level(&self, message: &Message) -> u8 {
        if self.max_priority == 0 { 0 } else { message.priority().min(self.max_priority) }
    }

    fn key(&self, entry: &Entry) -> u64 {
        Self::key_of(self.level(&entry.message), entry.position)
    }

    fn key_of(level: u8, position: u64) -> u64 {
        (u64::from(u8::MAX - level) * POSITIONS) | position
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
        self.fresh.len() + self.apart.len()
    }

    /// Whether none can be handed out at once.
    #[inline]
    pub fn none_at_hand(&self) -> bool {
        self.fresh.is_empty() && self.apart.is_empty()
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

    /// What of all of it is persistent.
    pub fn lasting(&self) -> Volume {
        let mut lasting = self.lasting.volume();
        lasting.add(self.away.lasting);
        lasting
    }

    /// A message is in memory from now on.
    #[inline]
    fn holds(&mut self, message: &Message) {
        self.body_bytes += message.body_len() as u64;
        self.lasting.add(message);
    }

    /// A message that was in memory is not any more.
    #[inline]
    fn lets_go(&mut self, message: &Message) {
        self.body_bytes -= message.body_len() as u64;
        self.lasting.take(message);
    }

    /// Adds a published message; its position is higher than all before. One of the lowest
    /// priority is added only while none is away.
    #[inline]
    pub fn push(&mut self, entry: Entry) {
        self.holds(&entry.message);
        if self.level(&entry.message) > 0 {
            self.apart.insert(self.key(&entry), entry);
            return;
        }
        debug_assert_eq!(self.away.count, 0, "behind what is on disk comes nothing in memory");
        let Entry { position, deliveries, due, message } = entry;
        self.fresh.push(position, Fresh { message, due, deliveries });
    }

    /// Counts a published message that is only on disk.
    pub fn push_away(&mut self, position: u64, message: &Message) {
        if self.away.count == 0 {
            self.away.from = position;
        }
        self.returns_to_disk(message);
    }

    /// Whether a message at this position may be on disk only.
    pub fn is_away(&self, position: u64) -> bool {
        self.away.count > 0 && position >= self.away.from
    }

    /// Takes a message in that was read from disk and [is away](Self::is_away). They come in
    /// order.
    pub fn arrived(&mut self, entry: Entry) {
        self.pass(entry.position);
        self.one_leaves_disk(&entry.message);
        self.push_unordered(entry);
    }

    /// Takes a message of a higher priority in that is on disk, wherever it stands.
    pub fn arrived_early(&mut self, entry: Entry) {
        self.one_leaves_disk(&entry.message);
        self.push_unordered(entry);
    }

    fn push_unordered(&mut self, entry: Entry) {
        let away = std::mem::take(&mut self.away);
        self.push(entry);
        self.away = away;
    }

    /// What stands up to this position on disk is not for this list, or is in it already.
    pub fn pass(&mut self, position: u64) {
        self.away.from = self.away.from.max(position + 1);
    }

    /// Messages that were only on disk are not ready any more.
    pub fn leaves_disk(&mut self, count: usize, bytes: u64, lasting: Volume) {
        self.away.count = self.away.count.saturating_sub(count);
        self.away.body_bytes = self.away.body_bytes.saturating_sub(bytes);
        self.away.lasting.take(lasting);
    }

    /// The same of one message.
    pub fn one_leaves_disk(&mut self, message: &Message) {
        self.leaves_disk(1, message.body_len() as u64, Volume::lasting(message));
    }

    /// A message that was taken from those on disk is there again.
    pub fn returns_to_disk(&mut self, message: &Message) {
        self.away.count += 1;
        self.away.body_bytes += message.body_len() as u64;
        self.away.lasting.add(Volume::lasting(message));
    }

    /// The first message that is away cannot be had. Returns whether it still was away.
    pub fn pass_over(&mut self, position: u64) -> bool {
        let away = self.away.count > 0 && position >= self.away.from;
        if away {
            self.away.from = position + 1;
            self.away.count -= 1;
            // What it was is not known: one that was not persistent, as long as there may be such.
            let lasting = &mut self.away.lasting;
            lasting.messages = lasting.messages.min(self.away.count as u64);
            if self.away.count == 0 {
                self.away.body_bytes = 0;
                *lasting = Volume::default();
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
        debug_assert!(
            self.level(&entry.message) > 0
                || self.fresh.first().is_none_or(|front| entry.position < front)
        );
        self.holds(&entry.message);
        self.apart.insert(self.key(&entry), entry);
    }

    /// Puts a message back that was taken from anywhere in the line.
    pub fn put_anywhere(&mut self, entry: Entry) {
        let ahead = self.fresh.first().is_none_or(|front| entry.position < front);
        if ahead || self.level(&entry.message) > 0 {
            return self.put_back(entry);
        }
        self.holds(&entry.message);
        let Entry { position, deliveries, due, message } = entry;
        self.fresh.restore(position, Fresh { message, due, deliveries });
    }

    /// Takes the first of those in memory.
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = if self.apart.is_empty() {
            let (position, fresh) = self.fresh.pop_first()?;
            self.fresh.give_back(SPARE);
            fresh.at(position)
        } else {
            self.apart.pop_first().map(|(_, entry)| entry)?
        };
        self.lets_go(&entry.message);
        Some(entry)
    }

    /// When the first of those in memory is due.
    pub fn first_due(&self) -> Option<u64> {
        if let Some((_, entry)) = self.apart.first_key_value() {
            return Some(entry.due);
        }
        Some(self.fresh.get(self.fresh.first()?)?.due)
    }

    /// Takes the message at a position, if it is in memory.
    pub fn take(&mut self, position: u64) -> Option<Entry> {
        let entry = match self.fresh.remove(position) {
            Some(fresh) => fresh.at(position),
            None => self.take_apart(position, position)?,
        };
        self.lets_go(&entry.message);
        Some(entry)
    }

    /// Takes any message between two positions, both included, that is in memory.
    pub fn take_between(&mut self, first: u64, last: u64) -> Option<Entry> {
        let found = self.fresh.first_from(first).filter(|position| *position <= last);
        let entry = match found.and_then(|position| Some((position, self.fresh.remove(position)?)))
        {
            Some((position, fresh)) => fresh.at(position),
            None => self.take_apart(first, last)?,
        };
        self.lets_go(&entry.message);
        Some(entry)
    }

    fn take_apart(&mut self, first: u64, last: u64) -> Option<Entry> {
        if self.apart.is_empty() {
            return None;
        }
        let range = |level| Self::key_of(level, first)..=Self::key_of(level, last);
        let found = (0..=self.max_priority).find_map(|level| self.apart.range(range(level)).next());
        let key = *found?.0;
        self.apart.remove(&key)
    }

    /// Whether the message at a position is ready: in memory for sure, or perhaps on disk.
    pub fn may_have(&self, position: u64) -> bool {
        let apart = |level| self.apart.contains_key(&Self::key_of(level, position));
        self.is_away(position)
            || self.fresh.get(position).is_some()
            || (0..=self.max_priority).any(apart)
    }

    /// Looks at those in memory that stand in a span: of each priority the first `most`, in order.
    pub fn look(&self, span: Range<u64>, most: usize, mut each: impl FnMut(Entry)) {
        for level in 0..=self.max_priority {
            let range = Self::key_of(level, span.start)..Self::key_of(level, span.end);
            self.apart.range(range).take(most).for_each(|(_, entry)| each(entry.clone()));
        }
        let fresh = self.fresh.iter_from(span.start).take_while(|(at, _)| *at < span.end);
        fresh.take(most).for_each(|(position, fresh)| each(fresh.clone().at(position)));
    }

    /// The positions of those in memory, in order of delivery.
    pub fn positions(&self) -> impl Iterator<Item = u64> {
        let apart = self.apart.values().map(|entry| entry.position);
        apart.chain(self.fresh.iter().map(|(position, _)| position))
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.lasting.clear();
        let Self { max_priority, lasting, .. } = *self;
        *self = Self { max_priority, lasting, ..Self::default() };
    }

    /// What must hold: bytes are what they add up to, and neither part reaches into the next.
    pub(super) fn validate(&self) {
        let fresh = self.fresh.iter().map(|(_, fresh)| fresh.message.body_len());
        let apart = self.apart.values().map(|entry| entry.message.body_len());
        assert_eq!(fresh.chain(apart).sum::<usize>() as u64, self.body_bytes);
        let fresh = self.fresh.iter().map(|(_, fresh)| &fresh.message);
        self.lasting.validate(fresh.chain(self.apart.values().map(|entry| &entry.message)));
        let Away { count, lasting, .. } = self.away;
        assert!(lasting.messages <= count as u64, "not more is persistent than there is");
        for (key, entry) in &self.apart {
            assert_eq!(*key, self.key(entry));
            let lowest = self.level(&entry.message) == 0;
            assert!(!lowest || self.fresh.first().is_none_or(|first| entry.position < first));
        }
        let last = self.fresh.last();
        assert!(self.away.count == 0 || last.is_none_or(|last| last < self.away.from));
    }
}

impl Fresh {
    #[inline]
    fn at(self, position: u64) -> Entry {
        let Self { message, due, deliveries } = self;
        Entry { position, deliveries, due, message }
    }
}
