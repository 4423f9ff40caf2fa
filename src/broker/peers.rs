//! Who is connected: what is known of each connection and its channels.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Shared;
use super::outbox::Outbox;
use super::traffic::{ChannelTraffic, MessageStats, PublishedSizes, SocketTraffic};
use super::vhost::{GoneTraffic, Vhost};
use crate::counter::Counter;
use crate::names::{ConnectionId, UserName};
use crate::protocol::channel::{Channel, Mode};
use crate::protocol::connection::{ClientProperties, Offer};
use crate::protocol::fault::Fault;
use crate::transport::TlsFacts;
use crate::wire::table::{TableBuilder, Value};

/// The connections of a broker.
#[derive(Default)]
pub struct Peers {
    connected: DashMap<ConnectionId, Arc<Peer>>,
    last: AtomicU64,
    left: Notify,
}

/// One connection, from its first byte to its last.
pub struct Peer {
    /// Its number.
    pub id: ConnectionId,
    /// Where it comes from.
    pub from: SocketAddr,
    /// Which of the broker's addresses it came to.
    pub to: SocketAddr,
    /// Since when.
    pub connected_at: SystemTime,
    /// What waits to be sent to it.
    pub outbox: Arc<Outbox>,
    /// What went over its socket.
    pub socket: SocketTraffic,
    /// How large the messages were that it published.
    pub sizes: PublishedSizes,
    identity: OnceLock<Identity>,
    state: AtomicU8,
    channels: Mutex<Channels>,
}

/// Who a connection is, known once it is open.
pub struct Identity {
    /// As whom it logged in.
    pub user: UserName,
    /// Where it is.
    pub vhost: Arc<Vhost>,
    /// How it logged in.
    pub mechanism: String,
    /// What the client says of itself.
    pub client: ClientProperties,
    /// What was agreed on.
    pub agreed: Offer,
    /// What TLS found out.
    pub tls: Option<TlsFacts>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PeerState {
    /// What it likes.
    Running = 0,
    /// It publishes and has to wait for memory or disk.
    Blocked = 1,
    /// It publishes and has to wait for the log to catch up.
    Flow = 2,
    /// The broker has closed it; the client has not taken note yet.
    Closing = 3,
}

#[derive(Default)]
struct Channels {
    open: BTreeMap<u16, Arc<ChannelRecord>>,
    /// What those that are closed have counted.
    closed: MessageStats,
}

/// What is known of a channel.
#[derive(Debug, Default)]
pub struct ChannelRecord {
    /// Its number.
    pub number: u16,
    /// What it has counted.
    pub traffic: ChannelTraffic,
    /// What basic.qos said for consumers to come.
    pub prefetch: Counter,
    /// What the whole channel may have unacked.
    pub global_prefetch: Counter,
    /// Publishes that wait for their confirm.
    pub unconfirmed: Counter,
    /// Publishes that wait for tx.commit.
    pub uncommitted: Counter,
    /// Settlements that wait for tx.commit.
    pub uncommitted_acks: Counter,
    mode: AtomicU8,
}

impl ChannelRecord {
    /// Notes what a channel's own methods changed.
    pub fn note(&self, channel: &Channel) {
        self.prefetch.set(channel.prefetch().into());
        let mode = match channel.mode {
            Mode::Plain => 0,
            Mode::Confirm(_) => 1,
            Mode::Transaction => 2,
        };
        self.mode.store(mode, Ordering::Relaxed);
    }

    /// Whether its publishes are confirmed.
    pub fn confirms(&self) -> bool {
        self.mode.load(Ordering::Relaxed) == 1
    }

    /// Whether it is transactional.
    pub fn is_transactional(&self) -> bool {
        self.mode.load(Ordering::Relaxed) == 2
    }
}

impl Peer {
    /// Its name, as RabbitMQ gives it: where it comes from and where it came to.
    pub fn name(&self) -> String {
        format!("{} -> {}", self.from, self.to)
    }

    /// Who it is; `None` until it is open.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.get()
    }

    /// It is open.
    pub fn opened(&self, identity: Identity) {
        let again = self.identity.set(identity).is_err();
        debug_assert!(!again, "a connection is opened once");
        self.tell("connection.created", |facts, identity| {
            let since = self.connected_at.duration_since(UNIX_EPOCH).unwrap_or_default();
            let since = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            self.addresses(of_client(facts, identity))
                .with("type", Value::Text(b"network"))
                .with("connected_at", Value::I64(since))
                .with("frame_max", Value::I64(identity.agreed.frame_max.into()))
                .with("channel_max", Value::I64(identity.agreed.channel_max.into()))
                .with("timeout", Value::I64(identity.agreed.heartbeat.into()))
                .with("ssl", Value::Bool(identity.tls.is_some()))
                .with("auth_mechanism", Value::Text(identity.mechanism.as_bytes()))
        });
    }

    /// Somebody has shown who they are, or failed to: then `refused` says why.
    pub fn tell_of_login(
        &self,
        shared: &Shared,
        (user, mechanism): (&str, &str),
        tls: bool,
        refused: Option<&str>,
    ) {
        let key = match refused {
            None => "user.authentication.success",
            Some(_) => "user.authentication.failure",
        };
        shared.tell_by_nobody(key, |facts| {
            let facts = facts
                .with("name", Value::Text(user.as_bytes()))
                .with("auth_mechanism", Value::Text(mechanism.as_bytes()))
                .with("connection_type", Value::Text(b"network"))
                .with("connection_name", Value::Text(self.name().as_bytes()))
                .with("ssl", Value::Bool(tls));
            let facts = self.addresses(facts);
            match refused {
                Some(why) => facts.with("error", Value::Text(why.as_bytes())),
                None => facts,
            }
        });
    }

    fn addresses(&self, facts: TableBuilder) -> TableBuilder {
        facts
            .with("protocol", Value::Text(b"{0,9,1}"))
            .with("peer_host", Value::Text(self.from.ip().to_string().as_bytes()))
            .with("peer_port", Value::I64(self.from.port().into()))
            .with("host", Value::Text(self.to.ip().to_string().as_bytes()))
            .with("port", Value::I64(self.to.port().into()))
    }

    /// Notes what it is doing.
    pub fn set_state(&self, state: PeerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// What it is doing.
    pub fn state(&self) -> PeerState {
        match self.state.load(Ordering::Relaxed) {
            0 => PeerState::Running,
            1 => PeerState::Blocked,
            2 => PeerState::Flow,
            _ => PeerState::Closing,
        }
    }

    /// A channel was opened.
    pub fn channel_opened(&self, number: u16) -> Arc<ChannelRecord> {
        let record = Arc::new(ChannelRecord { number, ..ChannelRecord::default() });
        self.channels.lock().open.insert(number, Arc::clone(&record));
        self.tell_of_channel("channel.created", number);
        record
    }

    /// A channel is gone. What it counted stays.
    pub fn channel_closed(&self, number: u16) {
        let mut channels = self.channels.lock();
        if let Some(record) = channels.open.remove(&number) {
            channels.closed.add(&record.traffic.stats());
            drop(channels);
            self.tell_of_channel("channel.closed", number);
        }
    }

    fn tell_of_channel(&self, key: &'static str, number: u16) {
        let (name, connection) = (format!("{} ({number})", self.name()), self.name());
        self.tell_as(key, &name, |facts, _| {
            let connection = Value::Text(connection.as_bytes());
            facts.with("connection", connection).with("number", Value::I64(number.into()))
        });
    }

    /// Tells those who listen to events, with the facts that all events of a connection have.
    fn tell(&self, key: &'static str, facts: impl FnOnce(TableBuilder, &Identity) -> TableBuilder) {
        self.tell_as(key, &self.name(), facts);
    }

    /// The same of something of the connection's that has a name of its own.
    fn tell_as(
        &self,
        key: &'static str,
        name: &str,
        facts: impl FnOnce(TableBuilder, &Identity) -> TableBuilder,
    ) {
        let Some(identity) = self.identity() else { return };
        identity.vhost.shared().tell(key, |table| {
            let table = table
                .with("name", Value::Text(name.as_bytes()))
                .with("user", Value::Text(identity.user.as_str().as_bytes()))
                .with("vhost", Value::Text(identity.vhost.name.as_str().as_bytes()));
            facts(table, identity)
        });
    }

    /// Its channels, by number.
    pub fn channels(&self) -> Vec<Arc<ChannelRecord>> {
        self.channels.lock().open.values().cloned().collect()
    }

    /// How many channels it has.
    pub fn channel_count(&self) -> usize {
        self.channels.lock().open.len()
    }

    /// What all its channels have counted, also those that are gone.
    pub fn stats(&self) -> MessageStats {
        let channels = self.channels.lock();
        let mut stats = channels.closed;
        for record in channels.open.values() {
            stats.add(&record.traffic.stats());
        }
        stats
    }
}

/// What a client says of itself.
fn of_client(facts: TableBuilder, identity: &Identity) -> TableBuilder {
    let facts = facts.with("client_properties", Value::Table(identity.client.as_table()));
    match identity.client.connection_name() {
        Some(name) => facts.with("user_provided_name", Value::Text(name.as_bytes())),
        None => facts,
    }
}

impl Peers {
    /// A number for a new connection.
    pub fn next_id(&self) -> ConnectionId {
        ConnectionId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Registers a connection; its outbox has its number.
    pub fn join(&self, outbox: &Arc<Outbox>, from: SocketAddr, to: SocketAddr) -> Arc<Peer> {
        let peer = Arc::new(Peer {
            id: outbox.connection,
            from,
            to,
            connected_at: SystemTime::now(),
            outbox: Arc::clone(outbox),
            socket: SocketTraffic::default(),
            sizes: PublishedSizes::default(),
            identity: OnceLock::new(),
            state: AtomicU8::new(PeerState::Running as u8),
            channels: Mutex::default(),
        });
        self.connected.insert(peer.id, Arc::clone(&peer));
        peer
    }

    /// The connection has ended.
    pub fn leave(&self, peer: &Peer) {
        self.connected.remove(&peer.id);
        if let Some(identity) = peer.identity() {
            identity.vhost.keep_stats(&GoneTraffic {
                messages: peer.stats(),
                sizes: peer.sizes.get(),
                received_bytes: peer.socket.received_bytes.get(),
                sent_bytes: peer.socket.sent_bytes.get(),
            });
            peer.tell("connection.closed", of_client);
        }
        self.left.notify_waiters();
    }

    /// One of them.
    pub fn get(&self, id: ConnectionId) -> Option<Arc<Peer>> {
        self.connected.get(&id).map(|peer| Arc::clone(&peer))
    }

    /// Those that are open, in the order in which they came.
    pub fn open(&self) -> Vec<Arc<Peer>> {
        let all = self.connected.iter().map(|each| Arc::clone(&each));
        let mut open: Vec<_> = all.filter(|peer| peer.identity().is_some()).collect();
        open.sort_unstable_by_key(|peer| peer.id);
        open
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.connected.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.connected.is_empty()
    }

    /// Closes all of them.
    pub fn close_all(&self, why: &Fault) {
        for peer in &self.connected {
            peer.outbox.order_close(why.clone());
        }
    }

    /// Wakes all sessions, to look at something that concerns everybody.
    pub fn wake_all(&self) {
        for peer in &self.connected {
            peer.outbox.wake_session();
        }
    }

    /// Waits until everybody has left.
    pub async fn all_left(&self) {
        loop {
            let left = self.left.notified();
            if self.is_empty() {
                return;
            }
            left.await;
        }
    }
}
