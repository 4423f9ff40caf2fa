//! One connection's session: reads, hands what it read to the protocol, and watches the clock.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::{Instant, sleep_until, timeout};

use super::consulting::Asked;
use super::open_channel::OpenChannel;
use super::read_buffer::ReadBuffer;
use super::waiting::Held;
use super::writer;
use crate::auth::Principal;
use crate::broker::Broker;
use crate::broker::access::Access;
use crate::broker::actor::act_as;
use crate::broker::outbox::Outbox;
use crate::broker::peers::{Peer, PeerState};
use crate::broker::publish::Publisher;
use crate::broker::settle::{Gathered, channel_gone};
use crate::broker::throttle::Throttle;
use crate::broker::traffic::SizeRun;
use crate::broker::transaction::Operation;
use crate::broker::vhost::Vhost;
use crate::names::{ConnectionId, UserName};
use crate::protocol::connection::{Connection, Offer};
use crate::protocol::content::Limits;
use crate::protocol::fault::{Fault, Scope};
use crate::store::Registration;
use crate::transport::{Reader, Ready, TlsFacts};
use crate::wire::frame::OVERHEAD;
use crate::wire::method::{AnyMethod, connection};

/// After a read of this size the session lets others have a turn before the next one.
const LARGE_READ: usize = 32 * 1024;
/// A client that refuses to say whether it understands why it may not come in is kept waiting
/// for this long, as RabbitMQ does, so that guessing passwords takes time.
pub(super) const REFUSAL_DELAY: Duration = Duration::from_secs(3);

/// What all sessions of a broker have in common.
pub(super) struct Common {
    pub(super) broker: Arc<Broker>,
}

/// One connection's session.
pub(super) struct Session {
    pub(super) common: Arc<Common>,
    pub(super) peer: SocketAddr,
    /// What TLS found out, if it is spoken.
    pub(super) tls: Option<TlsFacts>,
    pub(super) id: ConnectionId,
    pub(super) outbox: Arc<Outbox>,
    /// What others know of this connection.
    pub(super) me: Arc<Peer>,
    pub(super) connection: Connection,
    pub(super) channels: FxHashMap<u16, OpenChannel>,
    pub(super) transactions: FxHashMap<u16, Vec<Operation>>,
    pub(super) limits: Limits,
    pub(super) user: Option<UserName>,
    /// The user, and who says what they may do.
    pub(super) principal: Option<Arc<Principal>>,
    /// What is known of what the user may do, until the vhost is open.
    pub(super) entering: Option<Box<Access>>,
    /// The version of the accounts in which the user was last seen.
    auth_version: u64,
    pub(super) vhost: Option<Arc<Vhost>>,
    pub(super) publisher: Option<Publisher>,
    /// Settlements of this read.
    pub(super) gathered: Gathered,
    /// Channels with publishes of this read that are to be confirmed.
    pub(super) confirming: Vec<u16>,
    /// How many publishes this read had.
    pub(super) published: u64,
    /// How large they were.
    pub(super) sizes: SizeRun,
    /// The connection is over once everything is written.
    pub(super) ended: bool,
    /// Before the end, the client is kept waiting.
    pub(super) refused: bool,
    /// Publishers wait for memory or disk, and this is one.
    pub(super) blocked: bool,
    /// Publishers wait for the log to catch up, and this is one.
    pub(super) log_is_full: bool,
    /// Until when this one waits, for it publishes faster than its user or its vhost may.
    pub(super) paused: Option<Instant>,
    /// How fast its user may publish.
    pub(super) user_throttle: Option<Arc<Throttle>>,
    /// Channels with publishes that wait for the log to be confirmed.
    pub(super) unconfirmed: Vec<u16>,
    /// An answer that waits for the log. Nothing is read meanwhile.
    pub(super) held: Option<Held>,
    /// A question, and what waits for its answer. Nothing is read meanwhile.
    pub(super) asked: Option<Box<Asked>>,
    /// When the user's secret expires, or what others said of them has to be asked again.
    pub(super) recheck: Option<Instant>,
    /// How the store wakes this session.
    pub(super) registration: Option<Registration>,
    /// The protocol header has come.
    greeted: bool,
    /// When something is to be done although nothing happens.
    alarm: Instant,
    received: bool,
    silent_ticks: u8,
}

/// Serves a connection until it ends.
pub(super) async fn serve(common: Arc<Common>, ready: Ready, to: SocketAddr) {
    let Ready { stream, peer, tls } = ready;
    let (mut read, write) = stream.split();
    let limits = &common.broker.config.limits;
    let id = common.broker.peers.next_id();
    let pool = Arc::clone(&common.broker.write_buffers);
    let outbox = Arc::new(Outbox::new(id, limits.outbox, pool));
    let me = common.broker.peers.join(&outbox, peer, to);
    let close_timeout = Duration::from_secs(common.broker.config.amqp.close_timeout);
    let writer = tokio::spawn(writer::run(Arc::clone(&me), write));
    let mut session = Session::new(common, (peer, tls), me);
    session.run(&mut read).await;
    session.release();
    if session.refused {
        tokio::time::sleep(REFUSAL_DELAY).await;
    }
    drop(session);
    let abort = writer.abort_handle();
    // What was said last (a close, a close-ok) gets time to arrive; then the client's own end is
    // awaited, because ending first would make the system throw away what it has not read.
    if timeout(close_timeout, writer).await.is_err() {
        abort.abort();
    } else {
        let _ = timeout(close_timeout, read.drain()).await;
    }
}

/// However a session ends, also by a panic: what it held goes back, and its writer ends.
impl Drop for Session {
    fn drop(&mut self) {
        self.release();
        self.outbox.close();
        self.common.broker.peers.leave(&self.me);
    }
}

impl Session {
    fn new(
        common: Arc<Common>,
        (peer, tls): (SocketAddr, Option<TlsFacts>),
        me: Arc<Peer>,
    ) -> Self {
        let config = &common.broker.config;
        let offer = Offer {
            frame_max: config.amqp.frame_max,
            channel_max: config.amqp.channel_max,
            heartbeat: config.amqp.heartbeat,
        };
        let limits = Limits {
            max_payload: config.amqp.initial_frame_max as usize,
            max_size: config.limits.max_message_size,
        };
        let alarm = Instant::now() + Duration::from_secs(config.amqp.handshake_timeout);
        Self {
            common,
            peer,
            tls,
            id: me.id,
            outbox: Arc::clone(&me.outbox),
            me,
            connection: Connection::new(offer),
            channels: FxHashMap::default(),
            transactions: FxHashMap::default(),
            limits,
            user: None,
            principal: None,
            entering: None,
            auth_version: 0,
            vhost: None,
            publisher: None,
            gathered: Gathered::default(),
            confirming: Vec::new(),
            published: 0,
            sizes: SizeRun::default(),
            ended: false,
            refused: false,
            blocked: false,
            log_is_full: false,
            paused: None,
            user_throttle: None,
            unconfirmed: Vec::new(),
            held: None,
            asked: None,
            recheck: None,
            registration: None,
            greeted: false,
            alarm,
            received: false,
            silent_ticks: 0,
        }
    }

    async fn run(&mut self, read: &mut Reader) {
        let mut buffer = ReadBuffer::new(self.common.broker.config.limits.read_buffer);
        let outbox = Arc::clone(&self.outbox);
        // One timer for the connection's life: setting one for each read would cost more than
        // most reads do.
        let mut timer = pin!(sleep_until(self.alarm));
        while !self.ended {
            let next = self.paused.map_or(self.alarm, |until| until.min(self.alarm));
            let due = self.recheck.map_or(next, |at| at.min(next));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            let reading = self.may_read();
            tokio::select! {
                biased;
                () = outbox.session_event() => {
                    self.look_around();
                    // What was read before an answer had to wait is handled now.
                    self.handle(&mut buffer);
                }
                ready = read.readable(), if reading => {
                    if ready.is_err() {
                        return self.lost("the socket failed");
                    }
                    self.read(read, &mut buffer).await;
                }
                () = timer.as_mut() => match self.paused {
                    _ if due < next => self.recheck(),
                    Some(until) if until <= self.alarm => self.look_whether_it_may_publish(),
                    Some(_) | None => self.tick(),
                },
            }
        }
    }

    /// Reads what there is and handles it.
    async fn read(&mut self, read: &mut Reader, buffer: &mut ReadBuffer) {
        let common = Arc::clone(&self.common);
        let pool = &common.broker.read_buffers;
        let count = match buffer.fill(read, pool).await {
            Ok(Some(0)) | Err(_) => return self.lost("closed by the client"),
            Ok(None) => return,
            Ok(Some(count)) => count,
        };
        self.received = true;
        self.me.socket.received.add(1);
        self.me.socket.received_bytes.add(count as u64);
        self.handle(buffer);
        if count >= LARGE_READ {
            tokio::task::yield_now().await;
        }
    }

    fn handle(&mut self, buffer: &mut ReadBuffer) {
        if buffer.is_empty() || self.is_held() || self.ended {
            return;
        }
        let common = Arc::clone(&self.common);
        let (memory, filled) = buffer.take();
        let understood = self.understand(&memory[..filled]);
        buffer.put_back(memory, understood, &common.broker.read_buffers);
    }

    /// Handles what was read. Returns how much of it is done with.
    fn understand(&mut self, bytes: &[u8]) -> usize {
        let mut understood = 0;
        if !self.greeted {
            match self.greet(bytes) {
                Some(header) => understood = header,
                None => return 0,
            }
            self.greeted = true;
        }
        understood += self.frames(&bytes[understood..]);
        self.flush();
        let published = std::mem::take(&mut self.published);
        self.sizes.settle(&self.me.sizes);
        if published > 0 && !self.connection.is_closing() {
            self.throttle(published, understood as u64);
            if let Some(shortage) = self.common.broker.shared.shortage() {
                self.block(shortage);
            }
            self.wait_for_the_log_to_catch_up();
        }
        understood
    }

    /// Whether the session should read on: its client reads what it is told, and there is room for
    /// what it publishes.
    fn may_read(&self) -> bool {
        let waits = self.blocked || self.log_is_full || self.is_held();
        let waits = waits || self.paused.is_some();
        !waits && self.outbox.lock().session_may_read()
    }

    /// Something happened elsewhere.
    fn look_around(&mut self) {
        let (order, channel_orders, closed) = {
            let mut outbox = self.outbox.lock();
            (outbox.take_order(), outbox.take_channel_orders(), outbox.is_closed())
        };
        if closed {
            return self.lost("cannot be written to");
        }
        if let Some(order) = order {
            self.close_by(order);
        }
        self.leave_if_deleted();
        for (channel, order) in channel_orders {
            if self.channels.contains_key(&channel) && !self.connection.is_closing() {
                self.fault(channel, order);
            }
        }
        self.look_for_room();
        self.log_is_full = false;
        self.note_state();
        self.wait_for_the_log_to_catch_up();
        self.answer_what_is_safe();
        self.take_answer();
    }

    /// Whoever is deleted has no connections.
    fn leave_if_deleted(&mut self) {
        let Some(user) = &self.user else { return };
        // Others than the broker's own users are not known here, and cannot be deleted.
        if self.principal.as_ref().is_some_and(|principal| principal.backend().is_some()) {
            return;
        }
        let auth = &self.common.broker.auth;
        let version = auth.version();
        if std::mem::replace(&mut self.auth_version, version) != version
            && auth.user(user.as_str()).is_none()
        {
            self.close_by(Fault::forced(format_args!("user '{user}' was deleted")));
        }
    }

    /// Half a heartbeat has passed, or a deadline.
    fn tick(&mut self) {
        if self.connection.is_closing() {
            return self.lost("did not take note of the close");
        }
        if !self.connection.is_running() {
            return self.lost("handshake timed out");
        }
        let reading = self.may_read();
        let heard = std::mem::take(&mut self.received) || !reading;
        self.silent_ticks = if heard { 0 } else { self.silent_ticks + 1 };
        // The peer is lost after two silent intervals (AMQP 0-9-1, 4.2.7); a tick is half of one.
        if self.silent_ticks > 4 {
            return self.lost("missed heartbeats from the client");
        }
        {
            let mut outbox = self.outbox.lock();
            if !outbox.take_wrote() && outbox.out().is_empty() {
                outbox.out().heartbeat();
            }
        }
        self.set_heartbeat();
    }

    /// Sets the next tick, from what was agreed on.
    pub(super) fn set_heartbeat(&mut self) {
        let interval = match self.connection.agreed().heartbeat {
            // Far enough for no heartbeat at all, near enough for the timer.
            0 => Duration::from_secs(365 * 86_400),
            seconds => Duration::from_millis(u64::from(seconds) * 500),
        };
        self.alarm = Instant::now() + interval;
    }

    /// What a connection may do once tuning is done.
    pub(super) fn tuned(&mut self) {
        // RabbitMQ tolerates 8 bytes more than was agreed on: frame_max counts head and end mark.
        let frame_max = self.connection.agreed().frame_max as usize;
        let unlimited = frame_max == 0;
        self.limits.max_payload = if unlimited { usize::MAX - OVERHEAD } else { frame_max };
        let out_payload = if unlimited { usize::MAX } else { frame_max - OVERHEAD };
        let cancel_notify = self.connection.client().is_capable_of("consumer_cancel_notify");
        self.outbox.lock().tuned(out_payload, cancel_notify);
    }

    /// A channel is gone: what it had goes back.
    pub(super) fn release_channel(&mut self, number: u16) {
        if let Some(channel) = self.channels.get_mut(&number)
            && let Some(consumer) = channel.reply_consumer.take()
        {
            self.common.broker.reply_tos.remove(&consumer.address);
        }
        self.requeue_transaction(number);
        channel_gone(&self.outbox, number);
    }

    /// The connection is gone: so are its channels and its exclusive queues.
    fn release(&mut self) {
        self.flush();
        let mut numbers: Vec<u16> = self.channels.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            self.release_channel(number);
        }
        let channels = self.channels.len();
        for number in std::mem::take(&mut self.channels).into_keys() {
            self.channel_closed(number);
        }
        self.publisher = None;
        if let Some(vhost) = self.vhost.take() {
            if let Some(user) = &self.user {
                self.common.broker.user_loads.disconnect(user, channels);
            }
            // The end of its exclusive queues is the broker's doing, as in RabbitMQ.
            act_as(None);
            vhost.connection_gone(self.id);
            act_as(self.user.as_ref());
            self.common.broker.shared.churn.connections_closed.count();
            tracing::info!(connection = %self.name(), "connection closed");
        }
    }

    /// The broker closes the connection, or a channel.
    pub(super) fn fault(&mut self, number: u16, fault: Fault) {
        match fault.scope {
            Scope::Connection => self.close_by(fault),
            Scope::Channel => {
                tracing::warn!(connection = %self.name(), channel = number, %fault, "channel closed");
                self.flush();
                self.release_channel(number);
                if let Some(channel) = self.channels.get_mut(&number) {
                    channel.begin_close();
                }
                self.outbox.send(number, &fault.close_method());
            }
        }
    }

    /// The broker closes the connection.
    pub(super) fn close_by(&mut self, fault: Fault) {
        if self.connection.is_closing() {
            return;
        }
        tracing::warn!(connection = %self.name(), %fault, "closing connection");
        let known = self.connection.is_authenticated();
        self.release();
        self.outbox.send(0, &fault.close_method());
        self.connection.begin_close();
        self.blocked = false;
        self.asked = None;
        self.me.set_state(PeerState::Closing);
        let close_timeout = self.common.broker.config.amqp.close_timeout;
        self.alarm = Instant::now() + Duration::from_secs(close_timeout);
        // Somebody who is not logged in is not waited for.
        self.ended |= !known;
    }

    /// The client closes the connection.
    pub(super) fn closed_by_client(&mut self) {
        self.release();
        let ok = connection::AMQPMethod::CloseOk(connection::CloseOk {});
        self.outbox.send(0, &AnyMethod::Connection(ok));
        self.ended = true;
    }

    fn lost(&mut self, why: &str) {
        if !self.connection.is_closing() {
            tracing::info!(connection = %self.name(), "connection lost: {why}");
        }
        self.ended = true;
    }

    /// How log lines call the connection.
    pub(super) fn name(&self) -> String {
        match self.connection.client().connection_name() {
            Some(name) => format!("{} {name}", self.peer),
            None => self.peer.to_string(),
        }
    }
}
