//! Messages that are dead and wait to be taken to where they go.
//!
//! A dead message is *dying*, neither ready nor unacked, until it is told that it is
//! [buried](super::Command::Buried). Those that died on disk are read first.

use super::Queue;
use super::ready::Entry;
use super::rules::Rules;
use super::vocabulary::{Dead, Death, Departure, Effect, Unread};

impl Queue {
    /// Whether dead messages go anywhere.
    pub(super) fn dead_letters(&self) -> bool {
        self.settings().is_some_and(|settings| settings.dead_letter.is_some())
    }

    /// A message dies: it goes to the dead-letter exchange, or for good.
    pub(super) fn dies(&mut self, entry: Entry, death: Death, effects: &mut Vec<Effect>) {
        match death {
            Death::Rejected => self.counters.discarded += 1,
            Death::Expired => self.counters.expired += 1,
            Death::MaxLength => self.counters.dropped += 1,
            Death::DeliveryLimit => self.counters.exhausted += 1,
        }
        if self.dead_letters() {
            self.is_dying(entry, death);
        } else {
            self.gone(entry.position, death.departure(), effects);
        }
    }

    fn is_dying(&mut self, entry: Entry, death: Death) {
        let Entry { position, message, .. } = entry;
        let len = message.body_len() as u64;
        let rules = self.rules_mut();
        rules.dying.insert(position, len);
        rules.dying_bytes += len;
        rules.dead.push_back(Dead { position: Some(position), death, message });
    }

    /// Whether dead messages wait to be taken.
    #[inline]
    pub fn has_dead(&self) -> bool {
        let waits = |rules: &Rules| !rules.dead.is_empty() || !rules.unread.is_empty();
        self.rules.as_deref().is_some_and(waits)
    }

    /// Takes dead messages on their way, at most so many.
    pub fn take_dead(&mut self, most: usize) -> Vec<Dead> {
        let Some(rules) = &mut self.rules else { return Vec::new() };
        let count = rules.dead.len().min(most);
        rules.dead.drain(..count).collect()
    }

    /// Dead messages that have to be read from disk; the answer is [`Command::Exhumed`](super::Command::Exhumed).
    pub fn unread_dead(&self) -> Option<Unread> {
        self.rules.as_ref()?.unread.front().copied()
    }

    pub(super) fn exhumed(&mut self, entries: Vec<Entry>, done: bool) {
        let Some(rules) = &mut self.rules else { return };
        let Some(unread) = rules.unread.front_mut() else { return };
        let Unread { last, step, .. } = *unread;
        let mut found = Vec::new();
        for entry in entries.into_iter().filter(|entry| entry.position <= last) {
            unread.first = unread.first.max(entry.position + 1);
            let known = rules.dying.contains_key(&entry.position)
                || rules.lifted.has_passed(entry.position);
            if super::due::step(entry.due) == step
                && !known
                && self.ready.level(&entry.message) == 0
            {
                found.push(entry);
            }
        }
        unread.count = unread.count.saturating_sub(found.len() as u64);
        if done || unread.first > last {
            let missing = rules.unread.pop_front().map_or(0, |unread| unread.count);
            self.counters.missing += missing;
            // They were counted as expired already.
            self.counters.expired -= missing;
        }
        for entry in found {
            self.is_dying(entry, Death::Expired);
        }
    }

    pub(super) fn buried(&mut self, positions: &[u64], effects: &mut Vec<Effect>) {
        for &position in positions {
            let Some(rules) = &mut self.rules else { return };
            let Some(len) = rules.dying.remove(&position) else { continue };
            rules.dying_bytes -= len;
            self.counters.dead_lettered += 1;
            self.gone(position, Departure::DeadLettered, effects);
        }
    }

    pub(super) fn unburied(&mut self, dead: Vec<Dead>) {
        if let Some(rules) = &mut self.rules {
            let dying = &rules.dying;
            let known = |dead: &Dead| dead.position.is_none_or(|each| dying.contains_key(&each));
            rules.dead.extend(dead.into_iter().filter(known));
        }
    }

    /// Dead messages that are not buried.
    pub fn dying(&self) -> usize {
        let Some(rules) = &self.rules else { return 0 };
        let unread: u64 = rules.unread.iter().map(|unread| unread.count).sum();
        rules.dying.len() + usize::try_from(unread).unwrap_or(usize::MAX)
    }
}
