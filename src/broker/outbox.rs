//! What is on its way to one peer, and what the peer has outstanding.
//!
//! Queues push deliveries in, under their own lock, so that two turns cannot swap places; the
//! connection's writer swaps the buffer out and writes it. An outbox may refuse: then the queue
//! keeps the message, and the consumer waits until the writer reports room. So a peer that stops
//! reading costs a bounded amount of memory, also with no-ack and unlimited prefetch.
//!
//! Lock rank 3: taken last, by queues under their own lock too.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use super::live_queue::LiveQueue;
use super::memory::BufferPool;
use crate::names::{ConsumerTag, DeliveryId, LogPosition};
use crate::protocol::deliveries::{Deliveries, Outstanding};
use crate::protocol::fault::Fault;
use crate::queue::Delivery;
use crate::queue::consumers::ConsumerKey;
use crate::store::Waiter;
use crate::wire::encode::{self, Out};
use crate::wire::method::{AnyMethod, basic};

/// Which of a channel's sources a delivery came from.
pub type Source = u32;

/// One peer's outbox.
pub struct Outbox {
    state: Mutex<State>,
    /// The writer waits here for something to write.
    filled: Notify,
    /// The session waits here for room, for orders, and for the writer's end.
    session: Notify,
    pool: Arc<BufferPool>,
}

/// What an outbox holds, while it is locked.
pub struct State {
    out: Out,
    limit: usize,
    max_payload: usize,
    closed: bool,
    writer_waits: bool,
    session_waits: bool,
    /// Something was written since the last look: no heartbeat is due.
    wrote: bool,
    cancel_notify: bool,
    order: Option<Fault>,
    channels: FxHashMap<u16, Box<ChannelState>>,
    /// Consumers that were refused for want of room.
    stalled: Vec<Stalled>,
}

/// A consumer that waits for room.
#[derive(Clone)]
pub struct Stalled {
    /// Where it consumes.
    pub queue: Arc<LiveQueue>,
    /// Which one it is there.
    pub consumer: ConsumerKey,
}

/// What a channel has outstanding.
#[derive(Default)]
pub struct ChannelState {
    deliveries: Deliveries<Source>,
    /// The queues that deliveries come from, by source number.
    sources: Vec<Option<SourceState>>,
    consumers: BTreeMap<ConsumerTag, Stalled>,
    /// Consumers that were refused because the whole channel has a limit (qos global).
    limited: Vec<Stalled>,
}

struct SourceState {
    queue: Arc<LiveQueue>,
    /// Consumers and outstanding deliveries that refer to it.
    users: usize,
}

/// Where a consumer's deliveries go.
pub struct Outlet {
    /// The peer.
    pub outbox: Arc<Outbox>,
    /// Its channel.
    pub channel: u16,
    /// What the consumer is called there.
    pub tag: ConsumerTag,
    /// Which of the channel's sources this queue is.
    pub source: Source,
    /// Deliveries are settled by being sent; no limit holds them back.
    pub no_ack: bool,
    /// The part of basic.deliver that never changes.
    pub head: Vec<u8>,
}

/// Why a delivery is not taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The buffer is full, or the peer is gone; the writer will say when that changes.
    NoRoom,
    /// The channel has as much outstanding as it may.
    ChannelLimit,
}

/// A delivery taken out of a ledger: where it came from, and what the queue calls it.
pub type Returned = (Arc<LiveQueue>, DeliveryId);

/// What a channel leaves behind.
#[derive(Default)]
pub struct Closed {
    /// Its consumers.
    pub consumers: Vec<Stalled>,
    /// What it had outstanding, in order.
    pub outstanding: Vec<Returned>,
}

impl Outbox {
    /// An empty one. `limit` is how many bytes may wait before consumers are refused.
    pub fn new(limit: usize, pool: Arc<BufferPool>) -> Self {
        Self {
            state: Mutex::new(State {
                out: Out::default(),
                limit,
                max_payload: usize::MAX,
                closed: false,
                writer_waits: false,
                session_waits: false,
                wrote: false,
                cancel_notify: false,
                order: None,
                channels: FxHashMap::default(),
                stalled: Vec::new(),
            }),
            filled: Notify::new(),
            session: Notify::new(),
            pool,
        }
    }

    /// Locks it. What was pushed is announced to the writer by [`Locked`]'s end.
    #[inline]
    pub fn lock(&self) -> Locked<'_> {
        Locked { outbox: self, state: self.state.lock() }
    }

    /// Sends a method.
    pub fn send(&self, channel: u16, method: &AnyMethod) {
        self.lock().out().method(channel, method);
    }

    /// Makes the session look around.
    pub fn wake_session(&self) {
        self.session.notify_one();
    }

    /// Asks the session to close its connection.
    pub fn order_close(&self, why: Fault) {
        self.state.lock().order.get_or_insert(why);
        self.session.notify_one();
    }

    /// Waits until the session has something to look at: an order, room, or the writer's end.
    pub async fn session_event(&self) {
        self.session.notified().await;
    }

    /// Takes what waits for being written, or notes that the writer waits. `None`: closed, and
    /// everything is written.
    pub async fn take(&self) -> Option<Out> {
        loop {
            {
                let mut state = self.state.lock();
                if !state.out.is_empty() {
                    state.wrote = true;
                    let memory = Out::reusing(self.pool.take());
                    return Some(std::mem::replace(&mut state.out, memory));
                }
                // Nothing waits: an idle connection holds no buffer.
                self.pool.give(std::mem::take(&mut state.out).into_memory());
                if state.closed {
                    return None;
                }
                state.writer_waits = true;
            }
            self.filled.notified().await;
        }
    }

    /// The writer has written what it took: consumers that were refused may try again.
    pub fn written(&self, out: Out) {
        self.pool.give(out.into_memory());
        let (stalled, session_waits) = {
            let mut state = self.state.lock();
            let has_room = state.has_room();
            let stalled = if has_room { std::mem::take(&mut state.stalled) } else { Vec::new() };
            (stalled, has_room && std::mem::take(&mut state.session_waits))
        };
        if session_waits {
            self.session.notify_one();
        }
        for Stalled { queue, consumer } in stalled {
            queue.has_room(consumer);
        }
    }

    /// Nothing more will be pushed; the writer ends once everything is written.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
        self.session.notify_one();
    }

    /// The peer cannot be written to any more: what waits is dropped.
    pub fn break_off(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.out = Out::default();
        drop(state);
        self.session.notify_one();
    }
}

/// A session that waits for the log is woken as it is for everything else.
impl Waiter for Outbox {
    fn durable(&self, _position: LogPosition) {
        self.wake_session();
    }

    fn room(&self) {
        self.wake_session();
    }
}

/// A locked outbox. On release the writer is woken, if it waits and there is something to write.
pub struct Locked<'a> {
    outbox: &'a Outbox,
    state: MutexGuard<'a, State>,
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.state.writer_waits && !self.state.out.is_empty() {
            self.state.writer_waits = false;
            self.outbox.filled.notify_one();
        }
    }
}

impl std::ops::Deref for Locked<'_> {
    type Target = State;

    #[inline]
    fn deref(&self) -> &State {
        &self.state
    }
}

impl std::ops::DerefMut for Locked<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Locked<'_> {
    /// The bytes that go out. They are dropped if the outbox is closed.
    #[inline]
    pub fn out(&mut self) -> &mut Out {
        if self.state.out.capacity() == 0 {
            self.state.out = Out::reusing(self.outbox.pool.take());
        }
        if self.state.closed {
            self.state.out.clear();
        }
        &mut self.state.out
    }

    /// Whether a delivery can be pushed for this outlet now. If not, its consumer is remembered.
    #[inline]
    pub fn offer(&mut self, outlet: &Outlet, who: impl FnOnce() -> Stalled) -> Result<(), Refusal> {
        if !self.state.has_room() {
            self.state.stalled.push(who());
            return Err(Refusal::NoRoom);
        }
        let Some(channel) = self.state.channel(outlet.channel) else {
            return Err(Refusal::ChannelLimit);
        };
        if outlet.no_ack || channel.deliveries.has_room() {
            return Ok(());
        }
        channel.limited.push(who());
        Err(Refusal::ChannelLimit)
    }

    /// Pushes a delivery; [`Self::offer`] has said that it can be.
    #[inline]
    pub fn deliver(&mut self, outlet: &Outlet, delivery: &Delivery) {
        let max_payload = self.state.max_payload;
        let Some(channel) = self.state.channel(outlet.channel) else { return };
        let tag = channel.hand_out(outlet.source, delivery);
        let wire =
            encode::Delivery { tag, redelivered: delivery.redelivered, message: &delivery.message };
        self.out().deliver(&outlet.head, outlet.channel, wire, max_payload);
    }

    /// Answers basic.get.
    pub fn get_ok(&mut self, number: u16, source: Source, delivery: &Delivery, left: usize) {
        let max_payload = self.state.max_payload;
        let Some(channel) = self.state.channel(number) else { return };
        let tag = channel.hand_out(source, delivery);
        let wire =
            encode::Delivery { tag, redelivered: delivery.redelivered, message: &delivery.message };
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        self.out().get_ok(number, wire, left, max_payload);
    }

    /// The queue is gone: so is its consumer, and the client is told if it can be.
    pub fn cancelled_by_broker(&mut self, outlet: &Outlet) {
        let tell = self.state.cancel_notify;
        let Some(channel) = self.state.channel(outlet.channel) else { return };
        if channel.consumers.remove(&outlet.tag).is_none() {
            return;
        }
        channel.release_source(outlet.source);
        if tell {
            let cancel = basic::Cancel { consumer_tag: outlet.tag.as_str().into(), nowait: true };
            let cancel = AnyMethod::Basic(basic::AMQPMethod::Cancel(cancel));
            self.out().method(outlet.channel, &cancel);
        }
    }
}

impl State {
    #[inline]
    fn has_room(&self) -> bool {
        self.out.len() < self.limit && !self.closed
    }

    #[inline]
    fn channel(&mut self, number: u16) -> Option<&mut ChannelState> {
        self.channels.get_mut(&number).map(Box::as_mut)
    }

    /// What tuning and the client's properties decided.
    pub fn tuned(&mut self, max_payload: usize, cancel_notify: bool) {
        self.max_payload = max_payload;
        self.cancel_notify = cancel_notify;
    }

    /// A frame's largest payload.
    pub fn max_payload(&self) -> usize {
        self.max_payload
    }

    /// Whether the session should go on reading: its peer reads what it is told. If not, the
    /// session is woken once there is room.
    pub fn session_may_read(&mut self) -> bool {
        let may = self.closed || self.has_room_for_replies();
        self.session_waits = !may;
        may
    }

    /// Whether a reply can be pushed. Replies have no queue to wait in, so they get twice the
    /// room that other deliveries have.
    pub fn has_room_for_replies(&self) -> bool {
        self.out.len() < 2 * self.limit && !self.closed
    }

    /// Whether the writer has ended.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What the broker wants of the session.
    pub fn take_order(&mut self) -> Option<Fault> {
        self.order.take()
    }

    /// Whether something was written since this was last asked.
    pub fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// channel.open
    pub fn open_channel(&mut self, number: u16) {
        self.channels.insert(number, Box::default());
    }

    /// The channel is gone. Returns what it leaves behind.
    pub fn close_channel(&mut self, number: u16) -> Closed {
        let Some(mut channel) = self.channels.remove(&number) else { return Closed::default() };
        let mut outstanding = Vec::with_capacity(channel.deliveries.len());
        let sources = &channel.sources;
        channel.deliveries.take_all(|_, each| {
            outstanding.push((Arc::clone(source_queue(sources, each.source)), each.id));
        });
        let consumers = std::mem::take(&mut channel.consumers).into_values().collect();
        Closed { consumers, outstanding }
    }

    /// Registers a queue as a source of deliveries.
    pub fn add_source(&mut self, number: u16, queue: &Arc<LiveQueue>) -> Option<Source> {
        Some(self.channel(number)?.add_source(queue))
    }

    /// A source has one user less: a consumer, or the basic.get that found nothing.
    pub fn release_source(&mut self, number: u16, source: Source) {
        if let Some(channel) = self.channel(number) {
            channel.release_source(source);
        }
    }

    /// Whether the channel has a consumer of this name.
    pub fn has_consumer(&mut self, number: u16, tag: &str) -> bool {
        self.channel(number).is_some_and(|channel| channel.consumers.contains_key(tag))
    }

    /// A consumer was added.
    pub fn add_consumer(&mut self, number: u16, tag: ConsumerTag, consumer: Stalled) {
        if let Some(channel) = self.channel(number) {
            channel.consumers.insert(tag, consumer);
        }
    }

    /// A consumer was cancelled by its client.
    pub fn remove_consumer(&mut self, number: u16, tag: &str) -> Option<Stalled> {
        let channel = self.channel(number)?;
        let consumer = channel.consumers.remove(tag)?;
        if let Some(source) = channel.source_of(&consumer.queue) {
            channel.release_source(source);
        }
        Some(consumer)
    }

    /// Sets what the whole channel may have outstanding (0: no limit). Returns consumers that
    /// may take more now.
    pub fn limit_channel(&mut self, number: u16, limit: u16) -> Vec<Stalled> {
        let Some(channel) = self.channel(number) else { return Vec::new() };
        channel.deliveries.set_limit(limit);
        std::mem::take(&mut channel.limited)
    }

    /// Takes out what a client settles; `each` gets every delivery with its tag. Returns
    /// consumers that may take more now.
    #[inline]
    pub fn settle(
        &mut self,
        number: u16,
        tag: u64,
        multiple: bool,
        mut each: impl FnMut(u64, &Arc<LiveQueue>, Outstanding<Source>),
    ) -> Result<Vec<Stalled>, Fault> {
        let Some(channel) = self.channel(number) else { return Ok(Vec::new()) };
        let sources = &mut channel.sources;
        channel.deliveries.settle(tag, multiple, |tag, outstanding| {
            each(tag, source_queue(sources, outstanding.source), outstanding);
            release(sources, outstanding.source);
        })?;
        Ok(channel.take_limited())
    }

    /// Puts a delivery back that a rolled back transaction had settled.
    pub fn restore(&mut self, number: u16, tag: u64, queue: &Arc<LiveQueue>, id: DeliveryId) {
        if let Some(channel) = self.channel(number) {
            let source = channel.add_source(queue);
            channel.deliveries.restore(tag, Outstanding { source, id });
        }
    }

    /// Everything outstanding on a channel, to be requeued (basic.recover).
    pub fn take_outstanding(&mut self, number: u16) -> Vec<Returned> {
        let mut all = Vec::new();
        if let Some(channel) = self.channel(number) {
            let sources = &mut channel.sources;
            channel.deliveries.take_all(|_, outstanding| {
                all.push((Arc::clone(source_queue(sources, outstanding.source)), outstanding.id));
                release(sources, outstanding.source);
            });
        }
        all
    }
}

impl ChannelState {
    #[inline]
    fn hand_out(&mut self, source: Source, delivery: &Delivery) -> u64 {
        if delivery.id.is_some()
            && let Some(Some(state)) = self.sources.get_mut(source as usize)
        {
            state.users += 1;
        }
        self.deliveries.hand_out(source, delivery.id)
    }

    fn add_source(&mut self, queue: &Arc<LiveQueue>) -> Source {
        let free = || self.sources.iter().position(Option::is_none);
        let at = self.source_of(queue).map(|source| source as usize).or_else(free);
        let at = at.unwrap_or_else(|| {
            self.sources.push(None);
            self.sources.len() - 1
        });
        let source = &mut self.sources[at];
        source.get_or_insert_with(|| SourceState { queue: Arc::clone(queue), users: 0 }).users += 1;
        u32::try_from(at).expect("fewer than 4 G sources on a channel")
    }

    fn source_of(&self, queue: &Arc<LiveQueue>) -> Option<Source> {
        let is_it = |source: &SourceState| Arc::ptr_eq(&source.queue, queue);
        let at = self.sources.iter().position(|source| source.as_ref().is_some_and(is_it))?;
        u32::try_from(at).ok()
    }

    fn release_source(&mut self, source: Source) {
        release(&mut self.sources, source);
    }

    #[inline]
    fn take_limited(&mut self) -> Vec<Stalled> {
        if self.limited.is_empty() { Vec::new() } else { std::mem::take(&mut self.limited) }
    }
}

#[inline]
fn source_queue(sources: &[Option<SourceState>], source: Source) -> &Arc<LiveQueue> {
    let state = sources[source as usize].as_ref();
    &state.expect("an outstanding delivery keeps its source").queue
}

#[inline]
fn release(sources: &mut [Option<SourceState>], source: Source) {
    let slot = &mut sources[source as usize];
    if let Some(state) = slot {
        state.users -= 1;
        if state.users == 0 {
            *slot = None;
        }
    }
}
