//! Messages that are taken from a queue to be brought elsewhere, by somebody who is no consumer.
//!
//! What is *lifted* is neither ready nor unacked: the queue keeps it until it is told that it has
//! [arrived elsewhere](super::Command::Moved) or [stays](super::Command::Stays), and then it
//! stands where it stood.
//!
//! Messages that are only on disk are lifted from wherever they stand there. Those behind them are
//! read later, and what was read may still contain what has left (its end may not be written yet):
//! the queue remembers what it must pass over, in spans, until it has come past it.

use std::collections::BTreeMap;

use super::Queue;
use super::due::Timed;
use super::peek::{Peeked, Standing};
use super::ready::Entry;
use super::vocabulary::{Death, Departure, Effect};

/// What was taken to be moved.
#[derive(Clone, Debug, Default)]
pub(super) struct Lifted {
    entries: BTreeMap<u64, Entry>,
    bytes: u64,
    /// Positions among those on disk that are not ready any more: first and last of each span.
    passed: BTreeMap<u64, u64>,
}

impl Lifted {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    /// Whether a message on disk was lifted from there.
    pub(super) fn has_passed(&self, position: u64) -> bool {
        self.passed.range(..=position).next_back().is_some_and(|(_, last)| position <= *last)
    }

    /// What waits on disk is forgotten.
    pub(super) fn forget_passed(&mut self) {
        self.passed.clear();
    }

    pub(super) fn pass(&mut self, position: u64) {
        let before = self.passed.range(..position).next_back();
        let before = before.filter(|(_, last)| **last + 1 == position).map(|(first, _)| *first);
        let last = self.passed.remove(&(position + 1)).unwrap_or(position);
        self.passed.insert(before.unwrap_or(position), last);
    }

    fn take_back(&mut self, position: u64) {
        let span = self.passed.range(..=position).next_back().map(|(first, last)| (*first, *last));
        let Some((first, last)) = span.filter(|(_, last)| position <= *last) else { return };
        self.passed.remove(&first);
        if first < position {
            self.passed.insert(first, position - 1);
        }
        if position < last {
            self.passed.insert(position + 1, last);
        }
    }

    pub(super) fn validate(&self) {
        let bytes = self.entries.values().map(|entry| entry.message.body_len() as u64);
        assert_eq!(bytes.sum::<u64>(), self.bytes);
        let mut end = None;
        for (first, last) in &self.passed {
            assert!(first <= last && end.is_none_or(|end| end < *first), "spans are apart");
            end = Some(last + 1);
        }
    }
}

impl Queue {
    /// Takes a message that was [seen](Queue::peek) out of the line, if it still is ready there.
    pub fn lift(&mut self, seen: &Peeked) -> bool {
        if seen.standing != Standing::Ready || self.deleted {
            return false;
        }
        let entry = match self.ready.take(seen.position) {
            Some(entry) => entry,
            None => match self.take_from_disk(seen) {
                Some(entry) => entry,
                None => return false,
            },
        };
        let lifted = &mut self.rules_mut().lifted;
        lifted.bytes += entry.message.body_len() as u64;
        lifted.entries.insert(entry.position, entry);
        true
    }

    fn take_from_disk(&mut self, seen: &Peeked) -> Option<Entry> {
        let Peeked { position, deliveries, due, ref message, .. } = *seen;
        let entry = Entry { position, deliveries, due, message: message.clone() };
        if !self.is_only_on_disk(&entry) {
            return None;
        }
        self.ready.one_leaves_disk(message);
        let nothing_left = self.ready.on_disk().count == 0;
        // What is being read for the window may contain it.
        self.read_again();
        let rules = self.rules_mut();
        rules.dues.arrived(Timed::of(&entry, true));
        if nothing_left {
            rules.lifted.forget_passed();
        } else {
            rules.lifted.pass(position);
        }
        Some(entry)
    }

    /// What is under way from disk is not taken any more, but read again.
    fn read_again(&mut self) {
        self.fetching = false;
        self.round += 1;
    }

    /// Messages that were lifted are elsewhere.
    pub(super) fn moved(&mut self, positions: &[u64], effects: &mut Vec<Effect>) {
        for position in positions {
            if self.put_down(*position).is_some() {
                self.counters.moved += 1;
                self.gone(*position, Departure::DeadLettered, effects);
            }
        }
    }

    /// Messages that were lifted are ready as before, unless their time is over meanwhile.
    pub(super) fn stays(&mut self, positions: &[u64], effects: &mut Vec<Effect>) {
        for position in positions {
            let Some(entry) = self.put_down(*position) else { continue };
            let rules = self.rules_mut();
            if entry.due <= rules.now {
                self.dies(entry, Death::Expired, effects);
            } else if rules.lifted.has_passed(*position) && self.ready.is_away(*position) {
                self.returns_to_disk(&entry);
            } else {
                self.ready_again(entry, effects);
            }
        }
    }

    /// When it is due is still known there, unless that was never found out.
    fn returns_to_disk(&mut self, entry: &Entry) {
        self.read_again();
        self.ready.returns_to_disk(&entry.message);
        let rules = self.rules_mut();
        rules.lifted.take_back(entry.position);
        rules.dues.left_memory(Timed::of(entry, true));
    }

    fn put_down(&mut self, position: u64) -> Option<Entry> {
        let lifted = &mut self.rules.as_mut()?.lifted;
        let entry = lifted.entries.remove(&position)?;
        lifted.bytes -= entry.message.body_len() as u64;
        Some(entry)
    }

    /// Messages that were lifted and are on their way.
    pub fn lifted(&self) -> usize {
        self.rules.as_ref().map_or(0, |rules| rules.lifted.len())
    }
}
