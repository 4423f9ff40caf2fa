//! Messages that came back and are tried again after a while (`x-retry-delay` and its companions).
//!
//! A message that waits is in memory, neither ready nor unacked. Until when it waits is told
//! ([`Effect::Waits`], [`Effect::WaitOver`]) and given back after a restart
//! ([`Queue::go_on_waiting`]); then the message itself is only on disk, and is known when it is
//! read, be that for its turn or to see what is there.

use std::collections::BTreeMap;

use super::Queue;
use super::ready::Entry;
use super::settings::Retry;
use super::vocabulary::{Death, Effect};

impl Queue {
    /// A message came back that is tried again after a while, if it is.
    pub(super) fn delay(&mut self, entry: Entry, retry: Retry, effects: &mut Vec<Effect>) {
        let times = entry.deliveries.returned();
        if retry.attempts.is_some_and(|attempts| times > attempts) {
            return self.dies(entry, Death::DeliveryLimit, effects);
        }
        let position = entry.position;
        let until = self.rules_mut().now.saturating_add(retry.wait(times, position ^ times << 32));
        self.wait(entry, until);
        if self.stored.is_some() {
            effects.push(Effect::Waits { position, until });
        }
    }

    fn wait(&mut self, entry: Entry, until: u64) {
        let rules = self.rules_mut();
        rules.delayed_bytes += entry.message.body_len() as u64;
        rules.delayed.insert((until, entry.position), entry);
    }

    /// What waited to be tried again is ready.
    pub(super) fn try_again(&mut self, effects: &mut Vec<Effect>) {
        while let Some(rules) = &mut self.rules
            && let Some(first) = rules.delayed.first_entry()
            && first.key().0 <= rules.now
        {
            let entry = first.remove();
            rules.delayed_bytes -= entry.message.body_len() as u64;
            if self.stored.is_some() {
                effects.push(Effect::WaitOver { position: entry.position });
            }
            self.ready_again(entry, effects);
        }
    }

    /// After a restart: messages at these positions wait until then.
    pub fn go_on_waiting(&mut self, waits: BTreeMap<u64, u64>) {
        if !waits.is_empty() {
            self.rules_mut().waits = waits;
            self.knows_nothing_of_its_messages();
        }
    }

    /// A message was read from disk, where it was ready: if it still has to wait, it does.
    pub(super) fn goes_on_waiting(
        &mut self,
        entry: Entry,
        effects: &mut Vec<Effect>,
    ) -> Option<Entry> {
        let position = entry.position;
        let Some(until) = self.rules.as_mut().and_then(|rules| rules.waits.remove(&position))
        else {
            return Some(entry);
        };
        if self.rules_mut().now >= until {
            effects.push(Effect::WaitOver { position });
            return Some(entry);
        }
        self.ready.one_leaves_disk(&entry.message);
        self.rules_mut().lifted.pass(position);
        self.wait(entry, until);
        None
    }

    /// What was not found on disk does not wait there.
    pub(super) fn forget_waits(&mut self, effects: &mut Vec<Effect>) {
        let Some(rules) = &mut self.rules else { return };
        let gone = std::mem::take(&mut rules.waits).into_keys();
        effects.extend(gone.map(|position| Effect::WaitOver { position }));
    }

    /// Messages that wait to be tried again.
    pub fn delayed(&self) -> usize {
        self.rules.as_ref().map_or(0, |rules| rules.delayed.len())
    }

    /// Those, each with until when it waits.
    pub(super) fn delayed_entries(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let delayed = self.rules.iter().flat_map(|rules| &rules.delayed);
        delayed.map(|((until, _), entry)| (*until, entry))
    }

    /// Positions of messages that wait to be tried again, as far as they are known.
    pub fn waiting_positions(&self) -> Vec<u64> {
        let waits = self.rules.iter().flat_map(|rules| rules.waits.keys().copied());
        waits.chain(self.delayed_entries().map(|(_, entry)| entry.position)).collect()
    }
}
