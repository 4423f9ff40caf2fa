//! What is on its way to one peer, and what the peer has outstanding.
//!
//! Queues push deliveries in, under their own lock, so that two turns cannot swap places; the
//! connection's writer swaps the buffer out and writes it. An outbox may refuse: then the queue
//! keeps the message, and the consumer waits until the writer reports room. So a peer that stops
//! reading costs a bounded amount of memory, also with no-ack and unlimited prefetch.
//!
//! Lock rank 3: taken last, by queues under their own lock too.

mod channels;

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use super::live_queue::LiveQueue;
use super::memory::BufferPool;
use crate::names::{ConnectionId, ConsumerTag, DeliveryId, LogPosition};
use crate::protocol::fault::Fault;
use crate::queue::Delivery;
use crate::queue::consumers::ConsumerKey;
use crate::store::Waiter;
use crate::wire::encode::{self, Out};
use crate::wire::method::{AnyMethod, basic};
use crate::wire::table::Table;
use channels::{ChannelState, How};

/// Which of a channel's sources a delivery came from.
pub type Source = u32;

/// What came from no queue: a direct reply.
pub const NO_SOURCE: Source = Source::MAX;

/// One peer's outbox.
pub struct Outbox {
    /// Whose it is.
    pub connection: ConnectionId,
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
    channel_orders: Vec<(u16, Fault)>,
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
    /// The arguments of basic.consume, for reports.
    pub arguments: Table,
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
    pub fn new(connection: ConnectionId, limit: usize, pool: Arc<BufferPool>) -> Self {
        Self {
            connection,
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
                channel_orders: Vec::new(),
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

    /// Asks the session to close one of its channels.
    pub fn order_channel_close(&self, channel: u16, why: Fault) {
        self.state.lock().channel_orders.push((channel, why));
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

    /// Pushes a delivery; [`Self::offer`] has said that it can be. Returns its tag.
    #[inline]
    pub fn deliver(&mut self, outlet: &Outlet, delivery: &Delivery) -> u64 {
        let max_payload = self.state.max_payload;
        let Some(channel) = self.state.channel(outlet.channel) else { return 0 };
        let tag = channel.hand_out(outlet.source, delivery, How::Delivered);
        let wire =
            encode::Delivery { tag, redelivered: delivery.redelivered, message: &delivery.message };
        self.out().deliver(&outlet.head, outlet.channel, wire, max_payload);
        tag
    }

    /// Answers basic.get. Returns the delivery's tag.
    pub fn get_ok(&mut self, number: u16, source: Source, delivery: &Delivery, left: usize) -> u64 {
        let max_payload = self.state.max_payload;
        let Some(channel) = self.state.channel(number) else { return 0 };
        let tag = channel.hand_out(source, delivery, How::Fetched);
        let wire =
            encode::Delivery { tag, redelivered: delivery.redelivered, message: &delivery.message };
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        self.out().get_ok(number, wire, left, max_payload);
        tag
    }

    /// The broker ends a consumer, and tells the client if it can be told. Returns whether it can.
    pub fn cancelled_by_broker(&mut self, outlet: &Outlet) -> bool {
        let tell = self.state.cancel_notify;
        let Some(channel) = self.state.channel(outlet.channel) else { return tell };
        if channel.consumers.remove(&outlet.tag).is_none() {
            return tell;
        }
        channel.release_source(outlet.source);
        if tell {
            let cancel = basic::Cancel { consumer_tag: outlet.tag.as_str().into(), nowait: true };
            let cancel = AnyMethod::Basic(basic::AMQPMethod::Cancel(cancel));
            self.out().method(outlet.channel, &cancel);
        }
        tell
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

    /// How many bytes wait to be written.
    pub fn waiting_bytes(&self) -> usize {
        self.out.len()
    }

    /// Whether the writer has ended.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What the broker wants of the session.
    pub fn take_order(&mut self) -> Option<Fault> {
        self.order.take()
    }

    /// Channels that the broker wants closed.
    pub fn take_channel_orders(&mut self) -> Vec<(u16, Fault)> {
        std::mem::take(&mut self.channel_orders)
    }

    /// Whether something was written since this was last asked.
    pub fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }
}
