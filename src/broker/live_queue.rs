//! A running queue: its rules under a lock, and the ways out of its consumers.
//!
//! Lock rank 2; never two at once. Everything that changes the queue is one [`LiveQueue::turn`]:
//! commands in, then deliveries while somebody can take one. Deliveries are handed to the
//! outboxes before the lock is let go: otherwise two turns could swap places, and a consumer
//! would see messages out of order. What reaches beyond the queue (it became unused) is carried
//! out after the lock is let go.

mod dispatch;
mod duplicates;
mod fetching;
mod getting;
mod lifting;
mod overflow;
mod peeking;
mod reading;
mod report;
mod showing;
mod telling;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::outbox::{Outlet, Stalled};
use super::vhost::Vhost;
use super::watched::Watched;
use super::{Shared, after, waits};
use crate::message::Message;
use crate::names::{DeliveryId, LogPosition, QueueId, QueueName};
use crate::queue::consumers::{ConsumerKey, ExclusiveConsumer, Subscription};
use crate::queue::due::NEVER;
use crate::queue::options::{Declaration, QueueKind};
use crate::queue::ready::Away;
use crate::queue::settings::Settings;
use crate::queue::{Command, Departure, Effect, Outcome, Queue, Return, Undeletable};
use crate::store::{NewMessage, Reason, Record, Store, Together};
use crate::wire::method::AnyMethod;
use duplicates::Look;

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
    /// Some of its messages may be on disk: it is durable, or [memory is scarce](overflow).
    stores: AtomicBool,
    vhost: Weak<Vhost>,
    /// Who is shown what it hands out.
    watched: Arc<Watched>,
    /// It looks for duplicates.
    guarded: OnceLock<Guarded>,
    shared: Arc<Shared>,
    /// Publishes may be refused: each is asked for.
    refuses: AtomicBool,
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
    /// When the clock gives it a turn.
    alarm: u64,
    /// Its dead messages are being taken.
    is_asked_for_dead: bool,
}

/// What a queue is made with.
pub struct NewQueue {
    id: QueueId,
    name: QueueName,
    durable: bool,
    auto_delete: bool,
    settings: Settings,
    found: Found,
    waits: BTreeMap<u64, u64>,
}

/// What a restart found of a queue's messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Those that are on disk.
    pub away: Away,
    /// Where the next one will stand.
    pub next_position: u64,
    /// Some of them may expire.
    pub timed: bool,
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
            waits: BTreeMap::new(),
        }
    }

    /// Messages at these positions wait to be tried again until then.
    pub fn waiting(self, waits: BTreeMap<u64, u64>) -> Self {
        Self { waits, ..self }
    }
}

/// What a turn left to be done after the lock.
#[derive(Default)]
struct Rest {
    position: LogPosition,
    unused: bool,
    /// Consumers that were too late, with the timeout that they had.
    late: Vec<(Outlet, u64)>,
    /// It idles for longer than it may.
    idle: bool,
    /// When it is due for a turn.
    alarm: Option<u64>,
    /// It has dead messages to be taken.
    dead: bool,
    /// Messages to be read from disk: which fetch, and from where.
    fetch: Option<(u64, u64)>,
}

impl LiveQueue {
    /// A queue that nobody consumes from yet.
    pub fn new(new: NewQueue, vhost: &Arc<Vhost>, shared: &Arc<Shared>) -> Self {
        let NewQueue { id, name, durable, auto_delete, settings, found, waits } = new;
        let stores = AtomicBool::new(durable);
        let mut queue = if durable && shared.store.is_some() {
            Queue::stored(shared.window, found.away, found.next_position)
        } else {
            Queue::in_memory()
        };
        let mut effects = Vec::new();
        let refuses = AtomicBool::new(settings.refuses());
        let prioritised = settings.max_priority.is_some();
        if settings.kind == QueueKind::Quorum {
            queue.times_out_after(shared.consumer_timeout);
        }
        queue.apply(Command::Configure(Box::new(settings)), &mut effects);
        if found.away.count > 0 && (found.timed || prioritised) {
            queue.knows_nothing_of_its_messages();
        }
        queue.go_on_waiting(waits);
        let core = Mutex::new(Core {
            queue,
            outlets: Vec::new(),
            effects,
            reported_missing: 0,
            alarm: u64::MAX,
            is_asked_for_dead: false,
        });
        let watched = Arc::clone(&vhost.watched);
        let (vhost, shared) = (Arc::downgrade(vhost), Arc::clone(shared));
        let reads_refused = AtomicU32::new(0);
        let guarded = OnceLock::new();
        Self {
            id,
            name,
            auto_delete,
            durable,
            stores,
            vhost,
            watched,
            guarded,
            shared,
            refuses,
            core,
            reads_refused,
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
        self.turn_of(Comes::Brought, commands, together)
    }

    fn turn_of(
        self: &Arc<Self>,
        comes: Comes,
        commands: impl IntoIterator<Item = Command>,
        together: Option<&Together>,
    ) -> LogPosition {
        let rest = {
            let mut core = self.core.lock();
            self.turn_locked(&mut core, comes, commands, together)
        };
        self.finish(&rest)
    }

    /// Publishes a batch, in order.
    pub fn publish(
        self: &Arc<Self>,
        comes: Comes,
        messages: &mut Vec<Message>,
        together: Option<&Together>,
    ) -> LogPosition {
        let mut position = LogPosition::default();
        let mut messages = messages.drain(..);
        while messages.len() > 0 {
            let turn = messages.by_ref().take(TURN).map(Command::Publish);
            position = position.max(self.turn_of(comes, turn, together));
        }
        position
    }

    /// Whether a message has to be [offered](Self::offer), for the queue may refuse it.
    #[inline]
    pub fn may_refuse(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// Publishes a message, unless the queue is full and refuses.
    pub fn offer(
        self: &Arc<Self>,
        comes: Comes,
        message: Message,
        together: Option<&Together>,
    ) -> Result<LogPosition, Full> {
        let (rest, full) = {
            let mut core = self.core.lock();
            let full = core.queue.would_refuse(&message) && !self.is_duplicate(comes, &message);
            let command = if full { Command::Refuse(message) } else { Command::Publish(message) };
            (self.turn_locked(&mut core, comes, [command], together), full)
        };
        let position = self.finish(&rest);
        if full { Err(Full) } else { Ok(position) }
    }

    /// A quorum queue with a single active consumer gives to nobody else (RabbitMQ).
    pub fn refuses_get(&self) -> bool {
        let core = self.core.lock();
        let settings = core.queue.settings();
        settings.is_some_and(|said| said.single_active && said.kind == QueueKind::Quorum)
    }

    /// A new queue looks at the clock: it may have to go if nobody ever uses it (x-expires).
    pub fn wake(self: &Arc<Self>) {
        if self.settings().expires.is_some() {
            self.turn([]);
        }
    }

    /// Somebody uses the queue without consuming (x-expires).
    pub fn touch(self: &Arc<Self>) {
        self.turn([Command::Touch]);
    }

    /// Whether nobody has used it for as long as it may idle.
    pub fn idles(&self) -> bool {
        self.core.lock().queue.idles()
    }

    /// Begins something that counts on disk only as a whole; nothing if nothing is stored.
    pub fn begin(&self) -> Option<Together> {
        self.stored().map(|store| store.begin())
    }

    /// Where it is, while that exists.
    pub fn vhost(&self) -> Option<Arc<Vhost>> {
        self.vhost.upgrade()
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
        self.turn(
            deliveries
                .into_iter()
                .map(|id| Command::Settle(id, Outcome::Requeue(Return::Released))),
        );
    }

    fn turn_locked(
        self: &Arc<Self>,
        core: &mut Core,
        comes: Comes,
        commands: impl IntoIterator<Item = Command>,
        together: Option<&Together>,
    ) -> Rest {
        let before = core.queue.bytes_in_memory();
        let mut rest = Rest::default();
        let shown = self.shown();
        let mut ticked = core.queue.needs_clock();
        if ticked {
            core.tick(&self.shared.clock);
        }
        for command in commands {
            if command.needs_clock() && !std::mem::replace(&mut ticked, true) {
                core.tick(&self.shared.clock);
            }
            match &command {
                Command::Publish(message) => {
                    let first = match self.look_for_duplicate(comes, message) {
                        Look::NotAsked => None,
                        Look::First(first) => Some(first),
                        Look::Duplicate { safe_at } => {
                            rest.position = rest.position.max(safe_at);
                            continue;
                        }
                    };
                    let enters = shown.and_then(|shown| shown.begin(message));
                    self.store(&core.queue, message, &mut rest, together);
                    if let Some((shown, begun)) = shown.zip(enters) {
                        shown.entered(self, &core.queue, message, begun);
                    }
                    if let Some(first) = first {
                        let keeps = self.durable && message.is_persistent();
                        rest.position = first.settle(rest.position, keeps, together);
                    }
                }
                Command::ConsumerGone(consumer) => {
                    if let Some(outlet) = core.forget_outlet(*consumer) {
                        self.tell_of_consumer("consumer.deleted", &outlet);
                    }
                }
                Command::Settle(id, outcome) => {
                    if let Some(shown) = shown {
                        shown.settled(self, &core.queue, *id, *outcome);
                    }
                }
                Command::Busy(_)
                | Command::Room(_)
                | Command::Fetched { .. }
                | Command::Unreadable { .. }
                | Command::Tick(_)
                | Command::Refuse(_)
                | Command::Buried(_)
                | Command::Unburied(_)
                | Command::Exhumed { .. }
                | Command::Discovered(_)
                | Command::Moved(_)
                | Command::Stays(_)
                | Command::Touch
                | Command::Pause(_) => {}
                Command::Configure(settings) => {
                    self.refuses.store(settings.refuses(), Ordering::Release);
                }
            }
            core.queue.apply(command, &mut core.effects);
        }
        core.dispatch(self);
        core.queue.keep_limits(&mut core.effects);
        self.shared.memory.changed(before, core.queue.bytes_in_memory());
        self.carry_out(core, &mut rest, together);
        self.watch_memory(core);
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
        let lasting = self.durable && message.is_persistent();
        if (lasting || !queue.stays_in_memory(message)) && !queue.is_deleted() {
            let due = queue.due_of(message);
            let record = Record::Message(NewMessage {
                queue: self.id,
                position: queue.next_position(),
                message,
                expires: (due != NEVER).then_some(due),
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
        self.shared.store.as_ref().filter(|_| self.stores.load(Ordering::Relaxed))
    }

    #[inline]
    fn carry_out(&self, core: &mut Core, rest: &mut Rest, together: Option<&Together>) {
        core.queue.refill(&mut core.effects);
        for effect in core.effects.drain(..) {
            match effect {
                Effect::Gone { first, count, why } => {
                    let reason = reason(why);
                    let gone = Record::Gone { queue: self.id, first, count, reason };
                    self.tell_store(gone, together);
                }
                Effect::Returned { position: first, deliveries } => {
                    let (queue, count) = (self.id, 1);
                    self.tell_store(Record::Delivered { queue, first, count, deliveries }, None);
                }
                Effect::Waits { position, until } => {
                    self.shared.write_rows(&[waits::row(self.id, position, until)], &[]);
                }
                Effect::WaitOver { position } => {
                    self.shared.write_rows(&[waits::over(self.id, position)], &[]);
                }
                Effect::Fetch { round, from } => rest.fetch = Some((round, from)),
                Effect::Unused => rest.unused = true,
                Effect::Idle => rest.idle = true,
                Effect::TimedOut { consumer, timeout } => {
                    let outlet = core.outlets[consumer.slot as usize].take();
                    rest.late.extend(outlet.map(|outlet| (outlet, timeout)));
                }
            }
        }
        if core.queue.needs_clock() {
            core.look_ahead(rest);
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
        if let Some(due) = rest.alarm {
            self.shared.clock.wake(self, due);
        }
        if rest.dead {
            self.shared.dead_letters.push(Arc::clone(self));
        }
        for (outlet, timeout) in &rest.late {
            after::timed_out(self, outlet, *timeout);
        }
        if rest.idle {
            after::idle(self, &self.vhost);
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
        self.tell_of_consumer("consumer.created", &outlet);
        core.keep_outlet(consumer, outlet);
        let rest = self.turn_locked(&mut core, Comes::Brought, [], None);
        drop(core);
        self.finish(&rest);
        Ok(())
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
        let waited = core.queue.waiting_positions();
        let count = core.queue.delete(if_unused, if_empty)?;
        self.forget_overflow();
        let over: Vec<_> = waited.iter().map(|position| waits::over(self.id, *position)).collect();
        self.shared.write_rows(&over, &[]);
        self.shared.memory.changed(before, 0);
        for outlet in std::mem::take(&mut core.outlets).into_iter().flatten() {
            outlet.outbox.lock().cancelled_by_broker(&outlet);
        }
        Ok(count)
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

/// Appends a record, which may count only together with others.
#[inline]
pub(super) fn append(
    store: &Store,
    record: Record<'_>,
    together: Option<&Together>,
) -> LogPosition {
    match together {
        None => store.append(record),
        Some(together) => together.append(record),
    }
}

/// The queue is full, and refuses what is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

fn reason(why: Departure) -> Reason {
    match why {
        Departure::Acknowledged => Reason::Acknowledged,
        Departure::Discarded => Reason::Discarded,
        Departure::Expired => Reason::Expired,
        Departure::Dropped => Reason::Dropped,
        Departure::DeadLettered => Reason::DeadLettered,
        Departure::Purged => Reason::Purged,
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

pub use duplicates::Comes;
pub(super) use duplicates::Guarded;
pub use peeking::{Page, Peek};
pub use report::{ConsumerReport, Counts};

impl From<ExclusiveConsumer> for ConsumeRefused {
    fn from(_: ExclusiveConsumer) -> Self {
        Self::Exclusive
    }
}
