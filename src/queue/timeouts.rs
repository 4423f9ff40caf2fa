//! Consumers that keep a message for too long (`x-consumer-timeout`) are cancelled.
//!
//! When a message was handed out is not noted for each, but now and then for all that follow:
//! deliveries are numbered in order, so a few marks tell for all of them to within
//! [`Timeouts::spacing`].

use std::collections::VecDeque;

use super::consumers::ConsumerKey;
use super::vocabulary::{Effect, Outcome, Return};
use super::{Queue, Rules};
use crate::names::DeliveryId;

/// Marks are no further apart than this, in ms …
const SPACING: u64 = 1000;
/// … nor than this part of the timeout.
const PART: u64 = 16;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeouts {
    /// The first delivery from a time on.
    marks: VecDeque<(u64, u64)>,
    /// The shortest timeout that anybody has; `None`: nobody has any.
    shortest: Option<u64>,
    /// What applies where nothing is said.
    default: Option<u64>,
    /// When to look again.
    look_at: Option<u64>,
}

impl Timeouts {
    /// Somebody consumes who has a timeout.
    pub(super) fn applies(&mut self, timeout: u64) {
        self.shortest = Some(self.shortest.map_or(timeout, |shortest| shortest.min(timeout)));
    }

    /// A message is handed out that has to be settled.
    #[inline]
    pub(super) fn handed_out(&mut self, id: u64, now: u64) {
        let Some(shortest) = self.shortest else { return };
        let spacing = Self::spacing(shortest);
        if self.marks.back().is_none_or(|(_, at)| at + spacing <= now) {
            self.marks.push_back((id, now));
        }
        let due = now.saturating_add(shortest).saturating_add(spacing);
        self.look_at.get_or_insert(due);
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.look_at
    }

    fn spacing(timeout: u64) -> u64 {
        (timeout / PART).clamp(1, SPACING)
    }

    /// By when a delivery was handed out for sure.
    fn handed_out_by(&self, id: u64) -> u64 {
        let spacing = Self::spacing(self.shortest.unwrap_or(SPACING));
        let at = self.marks.partition_point(|(first, _)| *first <= id);
        // What was handed out before anybody had a timeout counts from the first mark on.
        let mark = self.marks.get(at.saturating_sub(1)).map_or(u64::MAX, |(_, at)| *at);
        mark.saturating_add(spacing)
    }
}

impl Rules {
    /// A consumer's timeout: its own, or the queue's; none if that is 0.
    pub(super) fn timeout(&self, own: Option<u64>) -> Option<u64> {
        let said = own.or(self.settings.consumer_timeout).or(self.timeouts.default);
        said.filter(|timeout| *timeout > 0)
    }
}

impl Queue {
    /// How many ms consumers have where neither they nor the settings say so; 0 is for ever. To be
    /// said before the settings.
    pub fn times_out_after(&mut self, timeout: u64) {
        self.rules_mut().timeouts.default = Some(timeout);
    }

    /// Cancels consumers that took too long, and puts back what they hold.
    pub(super) fn time_out(&mut self, effects: &mut Vec<Effect>) {
        let Some(rules) = &mut self.rules else { return };
        let now = rules.now;
        if rules.timeouts.look_at.is_none_or(|at| at > now) {
            return;
        }
        let mut late: Vec<(ConsumerKey, u64)> = Vec::new();
        let mut next: Option<u64> = None;
        for (id, held) in self.unacked.iter() {
            let Some(consumer) = held.consumer else { continue };
            let own = self.consumers.subscription(consumer).and_then(|each| each.timeout);
            let Some(timeout) = rules.timeout(own) else { continue };
            let due = rules.timeouts.handed_out_by(id).saturating_add(timeout);
            if due > now {
                next = Some(next.map_or(due, |next| next.min(due)));
            } else if late.iter().all(|(each, _)| *each != consumer)
                && self.consumers.contains(consumer)
            {
                late.push((consumer, timeout));
            }
        }
        let first = self.unacked.first().unwrap_or(u64::MAX);
        let marks = &mut rules.timeouts.marks;
        while marks.len() > 1 && marks[1].0 <= first {
            marks.pop_front();
        }
        let soonest = now + Timeouts::spacing(rules.timeouts.shortest.unwrap_or(SPACING));
        rules.timeouts.look_at = next.map(|next| next.max(soonest));
        for (consumer, timeout) in late {
            self.cancel_late(consumer, timeout, effects);
        }
    }

    fn cancel_late(&mut self, consumer: ConsumerKey, timeout: u64, effects: &mut Vec<Effect>) {
        let held = self.unacked.iter().filter(|(_, held)| held.consumer == Some(consumer));
        let held: Vec<u64> = held.map(|(id, _)| id).collect();
        effects.push(Effect::TimedOut { consumer, timeout });
        self.consumer_gone(consumer, effects);
        for id in held {
            self.settle(DeliveryId(id), Outcome::Requeue(Return::Released), effects);
        }
    }
}
