//! What connections, channels, exchanges and vhosts have counted; read by whoever reports.
//!
//! A channel's numbers are written by its session and, under its outbox's lock, by queues; a
//! reader adds up the channels that there are and what those that are gone have left behind.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::counter::Counter;

/// What messages did on a channel, in a vhost, or anywhere: RabbitMQ's `message_stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are RabbitMQ's")]
pub struct MessageStats {
    pub publish: u64,
    pub confirm: u64,
    pub return_unroutable: u64,
    pub drop_unroutable: u64,
    pub deliver: u64,
    pub deliver_no_ack: u64,
    pub get: u64,
    pub get_no_ack: u64,
    pub get_empty: u64,
    pub redeliver: u64,
    pub ack: u64,
}

impl MessageStats {
    /// Everything handed out, in whatever way.
    pub fn deliver_get(&self) -> u64 {
        self.deliver + self.deliver_no_ack + self.get + self.get_no_ack
    }

    /// The larger one of each number.
    pub fn max(&self, other: &Self) -> Self {
        Self {
            publish: self.publish.max(other.publish),
            confirm: self.confirm.max(other.confirm),
            return_unroutable: self.return_unroutable.max(other.return_unroutable),
            drop_unroutable: self.drop_unroutable.max(other.drop_unroutable),
            deliver: self.deliver.max(other.deliver),
            deliver_no_ack: self.deliver_no_ack.max(other.deliver_no_ack),
            get: self.get.max(other.get),
            get_no_ack: self.get_no_ack.max(other.get_no_ack),
            get_empty: self.get_empty.max(other.get_empty),
            redeliver: self.redeliver.max(other.redeliver),
            ack: self.ack.max(other.ack),
        }
    }

    /// Adds what others have counted.
    pub fn add(&mut self, other: &Self) {
        self.publish += other.publish;
        self.confirm += other.confirm;
        self.return_unroutable += other.return_unroutable;
        self.drop_unroutable += other.drop_unroutable;
        self.deliver += other.deliver;
        self.deliver_no_ack += other.deliver_no_ack;
        self.get += other.get;
        self.get_no_ack += other.get_no_ack;
        self.get_empty += other.get_empty;
        self.redeliver += other.redeliver;
        self.ack += other.ack;
    }
}

/// What a channel's session has counted.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Published {
    /// Messages published.
    pub published: Counter,
    /// Publishes confirmed.
    pub confirmed: Counter,
    /// Mandatory messages given back, for they led to no queue.
    pub returned: Counter,
    /// Other messages that led to no queue.
    pub dropped: Counter,
    /// Deliveries acknowledged.
    pub acked: Counter,
}

/// What queues have handed to a channel; counted under its outbox's lock.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct HandedOut {
    /// Deliveries that are to be acknowledged.
    pub delivered: Counter,
    /// Deliveries that are settled by being sent.
    pub delivered_no_ack: Counter,
    /// Messages fetched that are to be acknowledged.
    pub fetched: Counter,
    /// Messages fetched that are settled by being sent.
    pub fetched_no_ack: Counter,
    /// basic.get from an empty queue.
    pub fetched_nothing: Counter,
    /// Those of all these that were not the first of their message.
    pub redelivered: Counter,
}

/// What one channel has counted. Its halves have different writers, so they share no cache line.
#[derive(Debug, Default)]
pub struct ChannelTraffic {
    /// By its session.
    pub published: Published,
    /// By queues.
    pub handed_out: HandedOut,
}

impl ChannelTraffic {
    /// The numbers now.
    pub fn stats(&self) -> MessageStats {
        let (published, out) = (&self.published, &self.handed_out);
        MessageStats {
            publish: published.published.get(),
            confirm: published.confirmed.get(),
            return_unroutable: published.returned.get(),
            drop_unroutable: published.dropped.get(),
            ack: published.acked.get(),
            deliver: out.delivered.get(),
            deliver_no_ack: out.delivered_no_ack.get(),
            get: out.fetched.get(),
            get_no_ack: out.fetched_no_ack.get(),
            get_empty: out.fetched_nothing.get(),
            redeliver: out.redelivered.get(),
        }
    }
}

/// What went over a connection's socket.
#[derive(Debug, Default)]
pub struct SocketTraffic {
    /// Bytes read.
    pub received_bytes: Counter,
    /// Reads.
    pub received: Counter,
    /// Bytes written.
    pub sent_bytes: Counter,
    /// Writes.
    pub sent: Counter,
}

/// What came into and went out of an exchange; added to once for each batch of publishes.
#[derive(Debug, Default)]
pub struct ExchangeTraffic {
    published_in: AtomicU64,
    published_out: AtomicU64,
}

impl ExchangeTraffic {
    /// Counts a batch.
    pub fn add(&self, published_in: u64, published_out: u64) {
        self.published_in.fetch_add(published_in, Ordering::Relaxed);
        self.published_out.fetch_add(published_out, Ordering::Relaxed);
    }

    /// Messages that came in, and messages that went to queues.
    pub fn get(&self) -> (u64, u64) {
        (self.published_in.load(Ordering::Relaxed), self.published_out.load(Ordering::Relaxed))
    }
}

/// How much comes and goes.
#[derive(Debug, Default)]
pub struct Churn {
    /// Connections opened.
    pub connections_created: Tally,
    /// Connections closed.
    pub connections_closed: Tally,
    /// Channels opened.
    pub channels_created: Tally,
    /// Channels closed.
    pub channels_closed: Tally,
    /// Queues declared, also those that were there.
    pub queues_declared: Tally,
    /// Queues created.
    pub queues_created: Tally,
    /// Queues deleted.
    pub queues_deleted: Tally,
}

/// A number that anybody may count; for what happens seldom.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Counts one more.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
