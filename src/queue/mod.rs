//! One queue's rules: commands in, effects and deliveries out.
//!
//! Owns the order of messages, who holds which, and whose turn it is. It must not know AMQP
//! frames, sockets, the disk's layout, or other queues. The caller applies commands, then takes
//! deliveries while there are any:
//!
//! ```text
//! queue.apply(Command::Publish(message), &mut effects);
//! while let Some(consumer) = queue.next_consumer(&mut effects) {
//!     if its way out is full { queue.apply(Command::Busy(consumer), …); continue; }
//!     let delivery = queue.deliver(consumer);
//! }
//! ```
//!
//! Both halves are deterministic: the same commands and deliveries give the same state.
//! What always holds is in `Queue::validate`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod consumer_options;
pub mod consumers;
mod counted;
pub mod death;
pub mod deliveries;
pub mod due;
mod dying;
pub mod filter;
mod moving;
pub mod options;
pub mod peek;
pub mod ready;
mod retrying;
mod rules;
pub mod settings;
mod timeouts;
mod vocabulary;
mod volume;

use crate::ledger::Ledger;
use crate::message::Message;
use crate::names::DeliveryId;
use consumers::{ConsumerKey, Consumers, ExclusiveConsumer, Subscription};
use deliveries::Deliveries;
use due::{NEVER, Timed};
use options::QueueKind;
use ready::{Away, Entry, Ready};
use rules::Rules;
pub use vocabulary::{
    Command, Counters, Dead, Death, Delivery, Departure, Effect, Outcome, Return, Undeletable,
    Unread, Window,
};
use volume::Lasting;
pub use volume::Volume;

#[derive(Clone, Debug)]
struct Held {
    entry: Entry,
    consumer: Option<ConsumerKey>,
}

/// One queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    ready: Ready,
    unacked: Ledger<Held>,
    consumers: Consumers,
    next_position: u64,
    next_delivery: u64,
    unacked_bytes: u64,
    /// Those of them that are persistent.
    unacked_lasting: Lasting,
    counters: Counters,
    /// Messages are stored: it is told what becomes of them, and what does not fit the window is
    /// read back from disk. `None`: everything is in memory.
    stored: Option<Window>,
    /// A fetch is under way.
    fetching: bool,
    /// Which fetch is, or would be, the current one; answers to others are too late.
    round: u64,
    deleted: bool,
    /// What only queues have that were asked for more than to hold messages.
    rules: Option<Box<Rules>>,
}

impl Queue {
    /// An empty queue that keeps everything in memory.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// A queue whose messages are stored. `away` and `next_position` are what a restart found.
    pub fn stored(window: Window, away: Away, next_position: u64) -> Self {
        let counters = Counters { published: away.count as u64, ..Counters::default() };
        let ready = Ready::away(away);
        let unacked_lasting = Lasting::wanted();
        let stored = Some(window);
        Self { stored, ready, next_position, counters, unacked_lasting, ..Self::default() }
    }

    /// From now on it is stored as far as it does not fit the window, if it already does not. What
    /// is in memory stays there until it leaves. Returns whether that is so.
    pub fn overflow_to_disk(&mut self, window: Window) -> bool {
        let overflows =
            self.ready.at_hand() >= window.messages || self.ready.bytes_at_hand() >= window.bytes;
        if overflows && !self.deleted {
            self.stored = Some(window);
        }
        overflows && !self.deleted
    }

    /// The other way round, once it is empty and nobody has to be told of anything. Returns whether
    /// that is so.
    pub fn return_to_memory(&mut self) -> bool {
        let done = self.is_idle() && self.dying() + self.delayed() + self.lifted() == 0;
        if done {
            self.stored = None;
        }
        done
    }

    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.unacked.is_empty() && !self.fetching
    }

    /// Applies one command.
    #[inline]
    pub fn apply(&mut self, command: Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Publish(message) => self.publish(message),
            Command::Settle(id, outcome) => self.settle(id, outcome, effects),
            Command::ConsumerGone(consumer) => self.consumer_gone(consumer, effects),
            Command::Busy(consumer) => self.consumers.set_busy(consumer, true),
            Command::Room(consumer) => self.consumers.set_busy(consumer, false),
            Command::Fetched { round, entries } => self.fetched(round, entries, effects),
            Command::Unreadable { round, position } => self.unreadable(round, position),
            Command::Tick(now) => self.tick(now, effects),
            Command::Refuse(message) => self.refuse(message),
            Command::Configure(settings) => self.configure(*settings),
            Command::Buried(positions) => self.buried(&positions, effects),
            Command::Unburied(dead) => self.unburied(dead),
            Command::Exhumed { entries, done } => self.exhumed(entries, done),
            Command::Discovered(entries) => self.discovered(entries, effects),
            Command::Moved(positions) => self.moved(&positions, effects),
            Command::Stays(positions) => self.stays(&positions, effects),
            Command::Touch => self.touch(),
            Command::Pause(paused) => self.pause(paused),
        }
    }

    /// Whether the next published message stays in memory. If not, it must be on disk.
    #[inline]
    pub fn stays_in_memory(&self, message: &Message) -> bool {
        self.stored.is_none_or(|window| {
            self.ready.on_disk().count == 0
                && self.ready.at_hand() < window.messages
                && self.ready.bytes_at_hand() < window.bytes
        }) || self.ready.level(message) > 0
    }

    /// Where the next published message will stand.
    pub fn next_position(&self) -> u64 {
        self.next_position
    }

    #[inline]
    fn publish(&mut self, message: Message) {
        if self.deleted {
            return;
        }
        let position = self.next_position;
        self.next_position += 1;
        self.counters.published += 1;
        let (due, len) = (self.due_of(&message), message.body_len());
        let lasting = message.is_persistent();
        let away = !self.stays_in_memory(&message);
        let own = due != NEVER && message.expires();
        if away {
            self.ready.push_away(position, &message);
        } else {
            self.ready.push(Entry { position, deliveries: Deliveries::default(), due, message });
        }
        if due != NEVER {
            self.is_due(Timed { position, due, len: len as u64, away, lasting }, own);
        }
    }

    fn fetched(&mut self, round: u64, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
        if round != self.round || self.deleted {
            return;
        }
        self.fetching = false;
        self.round += 1;
        if entries.is_empty() {
            // The disk knows better what it has; a count that is wrong must not wait forever.
            let missing = self.ready.forget_away();
            self.counters.missing += missing as u64;
        }
        for entry in entries {
            self.arrive(entry, effects);
        }
    }

    fn unreadable(&mut self, round: u64, position: u64) {
        if round != self.round || self.deleted {
            return;
        }
        self.fetching = false;
        self.round += 1;
        self.counters.missing += u64::from(self.ready.pass_over(position));
    }

    /// Asks for messages from disk once half of the window is free. To be called when a turn has
    /// handed out what it could.
    #[inline]
    pub fn refill(&mut self, effects: &mut Vec<Effect>) {
        let Some(window) = self.stored else { return };
        let away = self.ready.on_disk();
        let low = self.ready.at_hand() <= window.messages / 2
            && self.ready.bytes_at_hand() <= window.bytes / 2;
        if away.count > 0 && low && !self.fetching && !self.deleted {
            self.fetching = true;
            effects.push(Effect::Fetch { round: self.round, from: away.from });
        }
    }

    #[inline]
    fn settle(&mut self, id: DeliveryId, outcome: Outcome, effects: &mut Vec<Effect>) {
        let Some(Held { mut entry, consumer }) = self.unacked.remove(id.0) else { return };
        self.unacked_bytes -= entry.message.body_len() as u64;
        self.unacked_lasting.take(&entry.message);
        if let Some(consumer) = consumer {
            self.consumers.settled(consumer);
        }
        match outcome {
            Outcome::Accept => {
                self.counters.acked += 1;
                self.gone(entry.position, Departure::Acknowledged, effects);
            }
            Outcome::Discard => self.dies(entry, Death::Rejected, effects),
            Outcome::Requeue(why) => {
                // To RabbitMQ 4.3's quorum queues a nack is no failure.
                let quorum = self.settings().is_some_and(|said| said.kind == QueueKind::Quorum);
                let counts = !(quorum && why == Return::Nacked);
                entry.deliveries = entry.deliveries.again(counts);
                if self.stored.is_some() {
                    let (position, deliveries) = (entry.position, entry.deliveries.stored());
                    effects.push(Effect::Returned { position, deliveries });
                }
                self.put_back(entry, why, effects);
            }
        }
    }

    #[inline]
    fn put_back(&mut self, entry: Entry, why: Return, effects: &mut Vec<Effect>) {
        if self.rules.is_some() {
            return self.put_back_by_rules(entry, why, effects);
        }
        self.ready.put_back(entry);
    }

    /// Tells that a message left; neighbours that leave one after the other are told as one.
    #[inline]
    fn gone(&self, position: u64, because: Departure, effects: &mut Vec<Effect>) {
        if self.stored.is_none() {
            return;
        }
        if let Some(Effect::Gone { first, count, why }) = effects.last_mut()
            && *first + *count == position
            && *why == because
        {
            *count += 1;
        } else {
            effects.push(Effect::Gone { first: position, count: 1, why: because });
        }
    }

    fn consumer_gone(&mut self, consumer: ConsumerKey, effects: &mut Vec<Effect>) {
        if self.consumers.remove(consumer) && self.consumers.is_empty() {
            self.touch();
            effects.push(Effect::Unused);
        }
    }

    /// Adds a consumer.
    pub fn consume(
        &mut self,
        subscription: Subscription,
    ) -> Result<ConsumerKey, ExclusiveConsumer> {
        let key = self.consumers.add(subscription)?;
        self.touch();
        if let Some(rules) = &mut self.rules {
            if let Some(timeout) = rules.timeout(subscription.timeout) {
                rules.timeouts.applies(timeout);
            }
        } else if let Some(timeout) = subscription.timeout.filter(|timeout| *timeout > 0) {
            self.rules_mut().timeouts.applies(timeout);
        }
        Ok(key)
    }

    /// Whose turn it is, if there is a message to give and somebody to take it.
    #[inline]
    pub fn next_consumer(&mut self, effects: &mut Vec<Effect>) -> Option<ConsumerKey> {
        if !self.hands_out(effects) {
            return None;
        }
        if self.ready.none_at_hand() { None } else { self.consumers.whose_turn() }
    }

    /// Hands the first message to the consumer whose turn it is.
    ///
    /// # Panics
    /// If it is not this consumer's turn; ask [`Self::next_consumer`] first.
    #[inline]
    pub fn deliver(&mut self, consumer: ConsumerKey, effects: &mut Vec<Effect>) -> Delivery {
        let entry = self.ready.pop().expect("a consumer's turn comes when a message is ready");
        if self.consumers.took(consumer) {
            self.counters.delivered_no_ack += 1;
            self.gone(entry.position, Departure::Acknowledged, effects);
            self.delivery(None, entry)
        } else {
            self.counters.delivered += 1;
            self.hold(entry, Some(consumer))
        }
    }

    /// Whether messages wait that are only on disk while none is at hand.
    pub fn must_fetch_first(&self) -> bool {
        self.ready.none_at_hand() && self.ready.on_disk().count > 0
    }

    /// What to fetch, and how to call the answer, for somebody who cannot wait for
    /// [`Effect::Fetch`]'s.
    pub fn fetch_now(&mut self) -> (u64, u64) {
        self.fetching = true;
        (self.round, self.ready.on_disk().from)
    }

    /// Takes the first message without being a consumer (basic.get).
    pub fn fetch(&mut self, no_ack: bool, effects: &mut Vec<Effect>) -> Option<Delivery> {
        self.touch();
        let entry = if self.hands_out(effects) { self.ready.pop() } else { None };
        let Some(entry) = entry else {
            self.counters.fetched_nothing += 1;
            return None;
        };
        self.counters.fetched += 1;
        if no_ack {
            self.counters.fetched_no_ack += 1;
            self.gone(entry.position, Departure::Acknowledged, effects);
            return Some(self.delivery(None, entry));
        }
        Some(self.hold(entry, None))
    }

    #[inline]
    fn hold(&mut self, entry: Entry, consumer: Option<ConsumerKey>) -> Delivery {
        let id = self.next_delivery;
        self.next_delivery += 1;
        self.unacked_bytes += entry.message.body_len() as u64;
        self.unacked_lasting.add(&entry.message);
        let delivery = self.delivery(Some(DeliveryId(id)), entry.clone());
        self.unacked.push(id, Held { entry, consumer });
        if let Some(rules) = &mut self.rules {
            rules.timeouts.handed_out(id, rules.now);
        }
        delivery
    }

    #[inline]
    fn delivery(&mut self, id: Option<DeliveryId>, entry: Entry) -> Delivery {
        let Entry { position, deliveries, message, .. } = entry;
        let redelivered = deliveries != Deliveries::default();
        self.counters.redelivered += u64::from(redelivered);
        let counted = redelivered && self.rules.is_some();
        let message = if counted { self.with_counts(message, deliveries) } else { message };
        Delivery { id, position, redelivered, message }
    }

    /// Forgets all ready messages; those unacked stay. Returns how many.
    pub fn purge(&mut self, effects: &mut Vec<Effect>) -> usize {
        let count = self.ready.len();
        let positions: Vec<u64> = self.ready.positions().collect();
        for position in positions {
            self.gone(position, Departure::Purged, effects);
        }
        let away = self.ready.on_disk();
        if away.count > 0 {
            self.gone_but(away.from, self.next_position - 1, Departure::Purged, effects);
        }
        self.counters.purged += count as u64;
        self.forget_ready();
        count
    }

    fn forget_ready(&mut self) {
        self.ready.clear();
        if let Some(rules) = &mut self.rules {
            rules.forget_ready();
        }
        self.fetching = false;
        self.round += 1;
    }

    /// Ends the queue, unless a condition forbids it: what is published from now on is dropped,
    /// nobody can consume any more. Returns how many ready messages went with it.
    pub fn delete(&mut self, if_unused: bool, if_empty: bool) -> Result<usize, Undeletable> {
        if if_unused && !self.consumers.is_empty() {
            return Err(Undeletable::InUse);
        }
        if if_empty && !self.ready.is_empty() {
            return Err(Undeletable::NotEmpty);
        }
        let count = self.ready.len();
        let others = self.unacked.len() + self.delayed() + self.lifted();
        self.counters.purged += (count + others) as u64;
        self.deleted = true;
        self.rules = None;
        self.forget_ready();
        self.unacked = Ledger::default();
        self.unacked_bytes = 0;
        self.unacked_lasting.clear();
        self.consumers = Consumers::default();
        Ok(count)
    }

    /// Whether it has been deleted.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// Messages that wait.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Messages handed out and not settled.
    pub fn unacked(&self) -> usize {
        self.unacked.len()
    }

    /// What a delivery is of that is not settled, and where that stands.
    pub fn held(&self, id: DeliveryId) -> Option<(&Message, u64)> {
        self.unacked.get(id.0).map(|held| (&held.entry.message, held.entry.position))
    }

    /// Bytes of all bodies it holds.
    pub fn body_bytes(&self) -> u64 {
        self.ready.body_bytes() + self.unacked_bytes
    }

    /// Bytes of the bodies that are handed out and not settled.
    pub fn unacked_bytes(&self) -> u64 {
        self.unacked_bytes
    }

    /// What of it is persistent: messages of delivery mode 2, wherever they stand. Nothing, if
    /// none of its messages outlasts a restart.
    pub fn lasting(&self) -> Volume {
        let mut lasting = self.ready.lasting();
        lasting.add(self.unacked_lasting.volume());
        lasting
    }

    /// How many of its messages are in memory.
    pub fn messages_in_memory(&self) -> usize {
        self.ready.at_hand() + self.unacked.len()
    }

    /// Bytes of the bodies that it holds in memory.
    #[inline]
    pub fn bytes_in_memory(&self) -> u64 {
        self.ready.bytes_at_hand() + self.unacked_bytes + self.bytes_apart()
    }

    /// Who consumes.
    pub fn consumers(&self) -> &Consumers {
        &self.consumers
    }

    /// What it has counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What must hold after every step; the tests call it.
    ///
    /// # Panics
    /// If it does not hold.
    pub fn validate(&self) {
        let counters = self.counters;
        // Dead ones that are not buried are counted as dead, and are here all the same.
        let gone = counters.acked
            + counters.discarded
            + counters.expired
            + counters.dropped
            + counters.exhausted
            + counters.purged
            + counters.missing
            + counters.moved
            + counters.delivered_no_ack
            + counters.fetched_no_ack;
        let here = (self.ready.len() + self.unacked.len() + self.delayed() + self.lifted()) as u64;
        let dying = self.dying() as u64;
        let deaths = counters.discarded + counters.expired + counters.dropped + counters.exhausted;
        assert_eq!(here + gone, counters.published, "a message is either here or gone, once");
        assert!(dying + counters.dead_lettered <= deaths || self.deleted);
        self.ready.validate();
        if let Some(rules) = &self.rules {
            rules.validate();
        }
        let bytes: u64 = self.unacked.iter().map(|(_, h)| h.entry.message.body_len() as u64).sum();
        assert_eq!(bytes, self.unacked_bytes);
        self.unacked_lasting.validate(self.unacked.iter().map(|(_, held)| &held.entry.message));
        self.consumers.validate();
        for (key, _, unacked) in self.consumers.iter() {
            let held = self.unacked.iter().filter(|(_, held)| held.consumer == Some(key)).count();
            assert_eq!(held, unacked as usize, "a consumer's count is what it holds");
        }
    }
}

#[cfg(test)]
mod tests;
