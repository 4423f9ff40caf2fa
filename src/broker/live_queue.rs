//! A running queue: its rules under a lock, and the ways out of its consumers.
//!
//! Lock rank 2; never two at once. Everything that changes the queue is one [`LiveQueue::turn`]:
//! commands in, then deliveries while somebody can take one. Deliveries are handed to the
//! outboxes before the lock is let go: otherwise two turns could swap places, and a consumer
//! would see messages out of order. What reaches beyond the queue (it became unused) is carried
//! out after the lock is let go.

mod fetching;

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::outbox::{Locked, Outbox, Outlet, Stalled};
use super::vhost::Vhost;
use super::{Shared, after};
use crate::message::Message;
use crate::names::{DeliveryId, LogPosition, QueueId, QueueName};
use crate::queue::consumers::{ConsumerKey, ExclusiveConsumer, Subscription};
use crate::queue::options::Declaration;
use crate::queue::ready::Away;
use crate::queue::settings::Settings;
use crate::queue::{Command, Counters, Effect, Outcome, Queue, Undeletable};
use crate::store::{NewMessage, Reason, Record, Store, Together};
use crate::wire::method::AnyMethod;

/// How many publishes are applied under one hold of the lock, so that a large read of one
/// publisher does not keep the others waiting.
const TURN: usize = 512;

/// A queue that can be published to and consumed from.
pub struct LiveQueue {
    /// Its number.
    pub id: QueueId,
    /// Its name.
    pub name: QueueName,
    /// It goes with its last consumer.
    auto_delete: bool,
    durable: bool,
    vhost: Weak<Vhost>,
    shared: Arc<Shared>,
    core: Mutex<Core>,
    /// How often, in a row, files could not be read.
    reads_refused: AtomicU32,
}

struct Core {
    queue: Queue,
    /// By the consumer's slot.
    outlets: Vec<Option<Outlet>>,
    effects: Vec<Effect>,
    /// How many missing messages the log has been told of.
    reported_missing: u64,
}

/// What a queue is made with.
pub struct NewQueue {
    id: QueueId,
    name: QueueName,
    durable: bool,
    auto_delete: bool,
    settings: Settings,
    found: Found,
}

/// What a restart found of a queue's messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Those that are on disk.
    pub away: Away,
    /// Where the next one will stand.
    pub next_position: u64,
}

impl NewQueue {
    /// From how it was declared, what it goes by, and what a restart found of it.
    pub fn of(id: QueueId, declaration: &Declaration, settings: Settings, found: Found) -> Self {
        Self {
            settings,
            id,
            name: declaration.name.clone(),
            durable: declaration.declared.durable,
            auto_delete: declaration.declared.auto_delete,
            found,
        }
    }
}

/// How many messages and consumers a queue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that wait.
    pub ready: usize,
    /// Messages handed out and not settled.
    pub unacked: usize,
    /// Consumers.
    pub consumers: usize,
    /// Bytes of all bodies it holds.
    pub body_bytes: u64,
    /// What it has counted.
    pub counters: Counters,
}

/// What a turn left to be done after the lock.
#[derive(Default)]
struct Rest {
    position: LogPosition,
    unused: bool,
    /// Messages to be read from disk: which fetch, and from where.
    fetch: Option<(u64, u64)>,
}

impl LiveQueue {
    /// A queue that nobody consumes from yet.
    pub fn new(new: NewQueue, vhost: &Arc<Vhost>, shared: &Arc<Shared>) -> Self {
        let NewQueue { id, name, durable, auto_delete, settings, found } = new;
        let mut queue = if durable && shared.store.is_some() {
            Queue::stored(shared.window, found.away, found.next_position)
        } else {
            Queue::in_memory()
        };
        let mut effects = Vec::new();
        queue.apply(Command::Configure(Box::new(settings)), &mut effects);
        let core = Mutex::new(Core { queue, outlets: Vec::new(), effects, reported_missing: 0 });
        let (vhost, shared) = (Arc::downgrade(vhost), Arc::clone(shared));
        Self {
            id,
            name,
            auto_delete,
            durable,
            vhost,
            shared,
            core,
            reads_refused: AtomicU32::new(0),
        }
    }

    /// Applies a batch in one turn. Returns the log position that makes it safe.
    pub fn turn(self: &Arc<Self>, commands: impl IntoIterator<Item = Command>) -> LogPosition {
        self.turn_within(commands, None)
    }

    /// The same; what it means for messages on disk may count only together with other turns.
    pub fn turn_within(
        self: &Arc<Self>,
        commands: impl IntoIterator<Item = Command>,
        together: Option<&Together>,
    ) -> LogPosition {
        let rest = {
            let mut core = self.core.lock();
            self.turn_locked(&mut core, commands, together)
        };
        self.finish(&rest)
    }

    /// Publishes a batch, in order.
    pub fn publish(
        self: &Arc<Self>,
        messages: &mut Vec<Message>,
        together: Option<&Together>,
    ) -> LogPosition {
        let mut position = LogPosition::default();
        let mut messages = messages.drain(..);
        while messages.len() > 0 {
            let turn = messages.by_ref().take(TURN).map(Command::Publish);
            position = position.max(self.turn_within(turn, together));
        }
        position
    }

    /// A consumer's way out has room again.
    pub fn has_room(self: &Arc<Self>, consumer: ConsumerKey) {
        self.turn([Command::Room(consumer)]);
    }

    /// A consumer was cancelled, or its channel is gone.
    pub fn consumer_gone(self: &Arc<Self>, consumer: ConsumerKey) {
        self.turn([Command::ConsumerGone(consumer)]);
    }

    /// Puts deliveries back.
    pub fn requeue(self: &Arc<Self>, deliveries: impl IntoIterator<Item = DeliveryId>) {
        self.turn(deliveries.into_iter().map(|id| Command::Settle(id, Outcome::Requeue)));
    }

    fn turn_locked(
        self: &Arc<Self>,
        core: &mut Core,
        commands: impl IntoIterator<Item = Command>,
        together: Option<&Together>,
    ) -> Rest {
        let before = core.queue.bytes_in_memory();
        let mut rest = Rest::default();
        for command in commands {
            match &command {
                Command::Publish(message) => {
                    self.store(&core.queue, message, &mut rest, together);
                }
                Command::ConsumerGone(consumer) => core.forget_outlet(*consumer),
                Command::Settle(..)
                | Command::Busy(_)
                | Command::Room(_)
                | Command::Fetched { .. }
                | Command::Unreadable { .. }
                | Command::Configure(_) => {}
            }
            core.queue.apply(command, &mut core.effects);
        }
        core.dispatch(self);
        self.shared.memory.changed(before, core.queue.bytes_in_memory());
        self.carry_out(core, &mut rest, together);
        rest
    }

    /// Stores a message that is about to be published here, if it is to last or would not fit
    /// into memory.
    #[inline]
    fn store(
        &self,
        queue: &Queue,
        message: &Message,
        rest: &mut Rest,
        together: Option<&Together>,
    ) {
        let Some(store) = self.stored() else { return };
        let lasting = message.is_persistent();
        if (lasting || !queue.next_stays_in_memory()) && !queue.is_deleted() {
            let record = Record::Message(NewMessage {
                queue: self.id,
                position: queue.next_position(),
                message,
                expires: None,
                lasting,
                shared: message.stored_once(),
            });
            let position = append(store, record, together);
            if lasting {
                rest.position = position;
            }
        }
    }

    /// Where this queue's messages are stored, if they are.
    fn stored(&self) -> Option<&Arc<Store>> {
        self.shared.store.as_ref().filter(|_| self.durable)
    }

    #[inline]
    fn carry_out(&self, core: &mut Core, rest: &mut Rest, together: Option<&Together>) {
        core.queue.refill(&mut core.effects);
        for effect in core.effects.drain(..) {
            match effect {
                Effect::Gone { first, count } => {
                    let reason = Reason::Acknowledged;
                    let gone = Record::Gone { queue: self.id, first, count, reason };
                    self.tell_store(gone, together);
                }
                Effect::Returned { position: first, deliveries } => {
                    let (queue, count) = (self.id, 1);
                    self.tell_store(Record::Delivered { queue, first, count, deliveries }, None);
                }
                Effect::Fetch { round, from } => rest.fetch = Some((round, from)),
                Effect::Unused => rest.unused = true,
            }
        }
    }

    fn tell_store(&self, record: Record<'_>, together: Option<&Together>) {
        if let Some(store) = self.stored() {
            append(store, record, together);
        }
    }

    #[inline]
    fn finish(self: &Arc<Self>, rest: &Rest) -> LogPosition {
        if let Some((round, from)) = rest.fetch {
            let queue = Arc::clone(self);
            tokio::task::spawn_blocking(move || queue.fetch_from_disk(round, from));
        }
        if rest.unused && self.auto_delete {
            after::unused(self, &self.vhost);
        }
        rest.position
    }

    /// Adds a consumer; `ok` goes out before its first delivery.
    pub fn consume(
        self: &Arc<Self>,
        subscription: Subscription,
        outlet: Outlet,
        ok: Option<&AnyMethod>,
    ) -> Result<(), ConsumeRefused> {
        let mut core = self.core.lock();
        if core.queue.is_deleted() {
            return Err(ConsumeRefused::QueueGone);
        }
        let consumer = core.queue.consume(subscription)?;
        {
            let mut outbox = outlet.outbox.lock();
            let entry = Stalled { queue: Arc::clone(self), consumer };
            outbox.add_consumer(outlet.channel, outlet.tag.clone(), entry);
            if let Some(ok) = ok {
                outbox.out().method(outlet.channel, ok);
            }
        }
        core.keep_outlet(consumer, outlet);
        let rest = self.turn_locked(&mut core, [], None);
        drop(core);
        self.finish(&rest);
        Ok(())
    }

    /// Fetches one message into a peer's outbox (basic.get). Returns whether there was one.
    pub fn fetch(self: &Arc<Self>, outbox: &Outbox, channel: u16, no_ack: bool) -> bool {
        self.fetch_first_if_needed();
        let mut guard = self.core.lock();
        let core = &mut *guard;
        let before = core.queue.bytes_in_memory();
        let delivery = core.queue.fetch(no_ack, &mut core.effects);
        if let Some(delivery) = &delivery {
            let mut outbox = outbox.lock();
            if let Some(source) = outbox.add_source(channel, self) {
                outbox.get_ok(channel, source, delivery, core.queue.ready());
                outbox.release_source(channel, source);
            }
        }
        self.shared.memory.changed(before, core.queue.bytes_in_memory());
        let mut rest = Rest::default();
        self.carry_out(core, &mut rest, None);
        let found = delivery.is_some();
        drop(guard);
        self.finish(&rest);
        found
    }

    /// basic.get cannot wait: what it is to get is read from disk now.
    fn fetch_first_if_needed(self: &Arc<Self>) {
        loop {
            let mut core = self.core.lock();
            if !core.queue.must_fetch_first() {
                return;
            }
            let (round, from) = core.queue.fetch_now();
            drop(core);
            if !self.fetch_from_disk(round, from) {
                return;
            }
        }
    }

    /// Forgets all ready messages. Returns how many.
    pub fn purge(&self) -> usize {
        let mut core = self.core.lock();
        let core = &mut *core;
        let before = core.queue.bytes_in_memory();
        let count = core.queue.purge(&mut core.effects);
        self.shared.memory.changed(before, core.queue.bytes_in_memory());
        self.carry_out(core, &mut Rest::default(), None);
        count
    }

    /// Ends the queue, unless a condition forbids it, and tells its consumers. Returns how many
    /// ready messages went with it.
    pub fn delete(&self, if_unused: bool, if_empty: bool) -> Result<usize, Undeletable> {
        let mut core = self.core.lock();
        let before = core.queue.bytes_in_memory();
        let count = core.queue.delete(if_unused, if_empty)?;
        self.shared.memory.changed(before, 0);
        for outlet in std::mem::take(&mut core.outlets).into_iter().flatten() {
            outlet.outbox.lock().cancelled_by_broker(&outlet);
        }
        Ok(count)
    }

    /// How many messages and consumers it has.
    pub fn counts(&self) -> Counts {
        let core = self.core.lock();
        Counts {
            ready: core.queue.ready(),
            unacked: core.queue.unacked(),
            consumers: core.queue.consumers().len(),
            body_bytes: core.queue.body_bytes(),
            counters: core.queue.counters(),
        }
    }

    /// What it goes by.
    pub fn settings(&self) -> Settings {
        self.core.lock().queue.settings().cloned().unwrap_or_default()
    }

    /// Whether it survives a restart.
    pub fn is_durable(&self) -> bool {
        self.durable
    }
}

#[inline]
fn append(store: &Store, record: Record<'_>, together: Option<&Together>) -> LogPosition {
    match together {
        None => store.append(record),
        Some(together) => together.append(record),
    }
}

/// Why somebody may not consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumeRefused {
    /// There is an exclusive consumer, or the new one wants to be and is not the first.
    Exclusive,
    /// The queue was deleted meanwhile.
    QueueGone,
}

impl From<ExclusiveConsumer> for ConsumeRefused {
    fn from(_: ExclusiveConsumer) -> Self {
        Self::Exclusive
    }
}

impl Core {
    fn keep_outlet(&mut self, consumer: ConsumerKey, outlet: Outlet) {
        let slot = consumer.slot as usize;
        if self.outlets.len() <= slot {
            self.outlets.resize_with(slot + 1, || None);
        }
        self.outlets[slot] = Some(outlet);
    }

    /// The consumer is leaving. Its slot cannot have been given to another one before the queue
    /// itself has let it go.
    fn forget_outlet(&mut self, consumer: ConsumerKey) {
        if self.queue.consumers().contains(consumer) {
            self.outlets[consumer.slot as usize] = None;
        }
    }

    /// Hands out messages while somebody can take one.
    #[inline]
    fn dispatch(&mut self, live: &Arc<LiveQueue>) {
        let Self { queue, outlets, effects, .. } = self;
        // The outbox of the last delivery stays locked: the next one usually goes there too.
        let mut open: Option<(&Arc<Outbox>, Locked<'_>)> = None;
        while let Some(consumer) = queue.next_consumer() {
            let outlet = outlets[consumer.slot as usize].as_ref();
            let outlet = outlet.expect("a consumer has an outlet until it is gone");
            let locked = match &mut open {
                Some((outbox, locked)) if Arc::ptr_eq(outbox, &outlet.outbox) => locked,
                Some(_) | None => {
                    drop(open.take());
                    &mut open.insert((&outlet.outbox, outlet.outbox.lock())).1
                }
            };
            let who = || Stalled { queue: Arc::clone(live), consumer };
            if locked.offer(outlet, who).is_ok() {
                let delivery = queue.deliver(consumer, effects);
                locked.deliver(outlet, &delivery);
            } else {
                queue.apply(Command::Busy(consumer), effects);
            }
        }
    }
}
