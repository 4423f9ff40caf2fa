//! One queue's rules: commands in, effects and deliveries out.
//!
//! Owns the order of messages, who holds which, and whose turn it is. It must not know AMQP
//! frames, sockets, the disk's layout, or other queues. The caller applies commands, then takes
//! deliveries while there are any:
//!
//! ```text
//! queue.apply(Command::Publish(message), &mut effects);
//! while let Some(consumer) = queue.next_consumer() {
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
pub mod options;
pub mod ready;
pub mod settings;

use crate::ledger::Ledger;
use crate::message::Message;
use crate::names::DeliveryId;
use consumers::{ConsumerKey, Consumers, ExclusiveConsumer, Subscription};
use ready::{Away, Entry, Ready};
use settings::Settings;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// basic.ack: done.
    Accept,
    /// basic.nack or basic.reject without requeue: not wanted.
    Discard,
    /// Back to its old place: nack or reject with requeue, recover, or the channel is gone.
    Requeue,
}

/// What changes a queue, besides consumers coming and messages being fetched, which have an
/// answer and so are methods.
#[derive(Clone, Debug)]
pub enum Command {
    /// A message was routed here.
    Publish(Message),
    /// A delivery was settled.
    Settle(DeliveryId, Outcome),
    /// A consumer was cancelled or its channel is gone. What it holds stays unacked.
    ConsumerGone(ConsumerKey),
    /// A consumer's way out is full.
    Busy(ConsumerKey),
    /// There is room again on a consumer's way out.
    Room(ConsumerKey),
    /// Messages were read from disk, as [`Effect::Fetch`] of this round asked.
    Fetched {
        /// Which fetch it answers.
        round: u64,
        /// What was there, in order; nothing means that the disk has no more.
        entries: Vec<Entry>,
    },
    /// The first message that [`Effect::Fetch`] of this round asked for is damaged on disk: those
    /// behind it are next.
    Unreadable {
        /// Which fetch it answers.
        round: u64,
        /// Its position.
        position: u64,
    },
    /// The queue goes by other settings from now on: a policy came, changed or went.
    Configure(Box<Settings>),
}

/// What the shell has to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Messages left the queue for good: those at `count` positions from `first` on. Only told of
    /// queues whose messages are stored.
    Gone {
        /// The first position.
        first: u64,
        /// How many in a row.
        count: u64,
    },
    /// A message came back after it was handed out. Only told of queues whose messages are stored.
    Returned {
        /// Its position.
        position: u64,
        /// How often it has come back by now.
        deliveries: u32,
    },
    /// The window runs low: read messages from disk and answer with [`Command::Fetched`].
    Fetch {
        /// To be given back with the answer.
        round: u64,
        /// From which position on.
        from: u64,
    },
    /// The last consumer left; an auto-delete queue goes with it.
    Unused,
}

/// How much of a queue is kept in memory; the rest is read back when its turn comes near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Messages.
    pub messages: usize,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// A message on its way to a consumer.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// By what it will be settled; `None` when it is settled by being sent.
    pub id: Option<DeliveryId>,
    /// Whether it was handed out before.
    pub redelivered: bool,
    /// What it is.
    pub message: Message,
}

/// Why a conditional delete was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeletable {
    /// if-unused, and it has consumers.
    InUse,
    /// if-empty, and it has messages.
    NotEmpty,
}

/// What a queue has counted since it was declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages routed here.
    pub published: u64,
    /// Messages handed to consumers that acknowledge.
    pub delivered: u64,
    /// Messages handed to consumers that don't.
    pub delivered_no_ack: u64,
    /// Messages fetched by basic.get.
    pub fetched: u64,
    /// Deliveries that were not the first of their message.
    pub redelivered: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages refused and not put back.
    pub discarded: u64,
    /// Messages purged, or gone with the queue.
    pub purged: u64,
    /// Messages that were counted and that the disk did not have. Anything but 0 is a bug, or a
    /// data directory that was damaged.
    pub missing: u64,
}

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
    counters: Counters,
    /// Messages are stored: it is told what becomes of them, and what does not fit the window is
    /// read back from disk. `None`: everything is in memory.
    stored: Option<Window>,
    /// A fetch is under way.
    fetching: bool,
    /// Which fetch is, or would be, the current one; answers to others are too late.
    round: u64,
    deleted: bool,
    /// What it goes by; `None`: nothing was said.
    settings: Option<Box<Settings>>,
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
        Self { stored: Some(window), ready, next_position, counters, ..Self::default() }
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
            Command::Fetched { round, entries } => self.fetched(round, entries),
            Command::Unreadable { round, position } => self.unreadable(round, position),
            Command::Configure(settings) => self.configure(settings),
        }
    }

    fn configure(&mut self, settings: Box<Settings>) {
        self.settings = (!settings.is_plain()).then_some(settings);
    }

    /// What it goes by; `None`: nothing was said.
    pub fn settings(&self) -> Option<&Settings> {
        self.settings.as_deref()
    }

    /// Whether the next published message stays in memory. If not, it must be on disk.
    #[inline]
    pub fn next_stays_in_memory(&self) -> bool {
        self.stored.is_none_or(|window| {
            self.ready.on_disk().count == 0
                && self.ready.at_hand() < window.messages
                && self.ready.bytes_at_hand() < window.bytes
        })
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
        if self.next_stays_in_memory() {
            self.ready.push(Entry { position, deliveries: 0, message });
        } else {
            self.ready.push_away(position, message.body_len());
        }
    }

    fn fetched(&mut self, round: u64, entries: Vec<Entry>) {
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
        self.ready.arrived(entries);
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
        if let Some(consumer) = consumer {
            self.consumers.settled(consumer);
        }
        match outcome {
            Outcome::Accept => {
                self.counters.acked += 1;
                self.gone(entry.position, effects);
            }
            Outcome::Discard => {
                self.counters.discarded += 1;
                self.gone(entry.position, effects);
            }
            Outcome::Requeue => {
                entry.deliveries += 1;
                if self.stored.is_some() {
                    let (position, deliveries) = (entry.position, entry.deliveries);
                    effects.push(Effect::Returned { position, deliveries });
                }
                self.ready.put_back(entry);
            }
        }
    }

    /// Tells that a message left; neighbours that leave one after the other are told as one.
    #[inline]
    fn gone(&self, position: u64, effects: &mut Vec<Effect>) {
        if self.stored.is_none() {
            return;
        }
        if let Some(Effect::Gone { first, count }) = effects.last_mut()
            && *first + *count == position
        {
            *count += 1;
        } else {
            effects.push(Effect::Gone { first: position, count: 1 });
        }
    }

    fn consumer_gone(&mut self, consumer: ConsumerKey, effects: &mut Vec<Effect>) {
        if self.consumers.remove(consumer) && self.consumers.is_empty() {
            effects.push(Effect::Unused);
        }
    }

    /// Adds a consumer.
    pub fn consume(
        &mut self,
        subscription: Subscription,
    ) -> Result<ConsumerKey, ExclusiveConsumer> {
        self.consumers.add(subscription)
    }

    /// Whose turn it is, if there is a message to give and somebody to take it.
    #[inline]
    pub fn next_consumer(&mut self) -> Option<ConsumerKey> {
        if self.ready.none_at_hand() { None } else { self.consumers.whose_turn() }
    }

    /// Hands the first message to the consumer whose turn it is.
    ///
    /// # Panics
    /// If it is not this consumer's turn; ask [`Self::next_consumer`] first.
    #[inline]
    pub fn deliver(&mut self, consumer: ConsumerKey, effects: &mut Vec<Effect>) -> Delivery {
        let entry = self.ready.pop().expect("a consumer's turn comes when a message is ready");
        self.counters.redelivered += u64::from(entry.deliveries > 0);
        if self.consumers.took(consumer) {
            self.counters.delivered_no_ack += 1;
            self.gone(entry.position, effects);
            let redelivered = entry.deliveries > 0;
            Delivery { id: None, redelivered, message: entry.message }
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
        let entry = self.ready.pop()?;
        self.counters.fetched += 1;
        self.counters.redelivered += u64::from(entry.deliveries > 0);
        if no_ack {
            self.gone(entry.position, effects);
            let redelivered = entry.deliveries > 0;
            return Some(Delivery { id: None, redelivered, message: entry.message });
        }
        Some(self.hold(entry, None))
    }

    #[inline]
    fn hold(&mut self, entry: Entry, consumer: Option<ConsumerKey>) -> Delivery {
        let id = self.next_delivery;
        self.next_delivery += 1;
        self.unacked_bytes += entry.message.body_len() as u64;
        let delivery = Delivery {
            id: Some(DeliveryId(id)),
            redelivered: entry.deliveries > 0,
            message: entry.message.clone(),
        };
        self.unacked.push(id, Held { entry, consumer });
        delivery
    }

    /// Forgets all ready messages; those unacked stay. Returns how many.
    pub fn purge(&mut self, effects: &mut Vec<Effect>) -> usize {
        let count = self.ready.len();
        for position in self.ready.returned_positions() {
            self.gone(position, effects);
        }
        // Nothing behind the first that was never taken is unacked.
        if let (Some(_), Some(first)) = (self.stored, self.ready.untaken_from()) {
            effects.push(Effect::Gone { first, count: self.next_position - first });
        }
        self.counters.purged += count as u64;
        self.forget_ready();
        count
    }

    fn forget_ready(&mut self) {
        self.ready.clear();
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
        self.counters.purged += (count + self.unacked.len()) as u64;
        self.deleted = true;
        self.forget_ready();
        self.unacked = Ledger::default();
        self.unacked_bytes = 0;
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

    /// Bytes of all bodies it holds.
    pub fn body_bytes(&self) -> u64 {
        self.ready.body_bytes() + self.unacked_bytes
    }

    /// Bytes of the bodies that it holds in memory.
    #[inline]
    pub fn bytes_in_memory(&self) -> u64 {
        self.ready.bytes_at_hand() + self.unacked_bytes
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
        let gone = counters.acked
            + counters.discarded
            + counters.purged
            + counters.missing
            + counters.delivered_no_ack
            + counters.fetched;
        // Fetched ones that wait for an ack are unacked, not gone; so only a bound holds for them.
        let here = (self.ready.len() + self.unacked.len()) as u64;
        assert!(here + gone >= counters.published, "a message is neither here nor gone");
        assert!(here <= counters.published, "more messages than were published");
        let positions: Vec<u64> = self.ready.iter().map(|entry| entry.position).collect();
        assert!(positions.is_sorted(), "ready messages are in publish order");
        let bytes: u64 = self.unacked.iter().map(|(_, h)| h.entry.message.body_len() as u64).sum();
        assert_eq!(bytes, self.unacked_bytes);
        self.consumers.validate();
        for (key, _, unacked) in self.consumers.iter() {
            let held = self.unacked.iter().filter(|(_, held)| held.consumer == Some(key)).count();
            assert_eq!(held, unacked as usize, "a consumer's count is what it holds");
        }
    }
}

#[cfg(test)]
mod tests;
