//! Numbers that are kept over time, and how they are added up.

use crate::broker::Broker;
use crate::broker::live_queue::Counts;
use crate::broker::traffic::{MessageStats, Sizes};
use crate::broker::vhost::Vhost;

/// How many numbers there are.
pub const FIGURES: usize = 14;

/// `message_stats` by RabbitMQ's names, then ready and unacked messages.
pub type Figures = [u64; FIGURES];

/// Where ready messages stand.
pub const READY: usize = 12;
/// Where unacked messages stand.
pub const UNACKED: usize = 13;

/// The names of `message_stats`, and those of their rates, in the order of [`Figures`].
pub const MESSAGE_STATS: [(&str, &str); 12] = [
    ("ack", "ack_details"),
    ("confirm", "confirm_details"),
    ("deliver", "deliver_details"),
    ("deliver_get", "deliver_get_details"),
    ("deliver_no_ack", "deliver_no_ack_details"),
    ("drop_unroutable", "drop_unroutable_details"),
    ("get", "get_details"),
    ("get_empty", "get_empty_details"),
    ("get_no_ack", "get_no_ack_details"),
    ("publish", "publish_details"),
    ("redeliver", "redeliver_details"),
    ("return_unroutable", "return_unroutable_details"),
];

/// The numbers of somebody who counted these and has so many messages.
pub fn figures(stats: &MessageStats, ready: usize, unacked: usize) -> Figures {
    [
        stats.ack,
        stats.confirm,
        stats.deliver,
        stats.deliver_get(),
        stats.deliver_no_ack,
        stats.drop_unroutable,
        stats.get,
        stats.get_empty,
        stats.get_no_ack,
        stats.publish,
        stats.redeliver,
        stats.return_unroutable,
        ready as u64,
        unacked as u64,
    ]
}

/// What a channel has counted of one exchange, by RabbitMQ's names, with those of their rates.
pub const PUBLISHED: [(&str, &str); 4] = [
    ("confirm", "confirm_details"),
    ("drop_unroutable", "drop_unroutable_details"),
    ("publish", "publish_details"),
    ("return_unroutable", "return_unroutable_details"),
];

/// The numbers of [`PUBLISHED`].
pub fn published(stats: &MessageStats) -> [u64; 4] {
    [stats.confirm, stats.drop_unroutable, stats.publish, stats.return_unroutable]
}

/// What a channel has counted of one queue.
pub const HANDED_OUT: [(&str, &str); 8] = [
    ("ack", "ack_details"),
    ("deliver", "deliver_details"),
    ("deliver_get", "deliver_get_details"),
    ("deliver_no_ack", "deliver_no_ack_details"),
    ("get", "get_details"),
    ("get_empty", "get_empty_details"),
    ("get_no_ack", "get_no_ack_details"),
    ("redeliver", "redeliver_details"),
];

/// The numbers of [`HANDED_OUT`].
pub fn handed_out(stats: &MessageStats) -> [u64; 8] {
    [
        stats.ack,
        stats.deliver,
        stats.deliver_get(),
        stats.deliver_no_ack,
        stats.get,
        stats.get_empty,
        stats.get_no_ack,
        stats.redeliver,
    ]
}

/// A queue's numbers.
pub fn of_queue(counts: &Counts) -> Figures {
    let counters = &counts.counters;
    let stats = MessageStats {
        publish: counters.published,
        deliver: counters.delivered,
        deliver_no_ack: counters.delivered_no_ack,
        get: counters.fetched - counters.fetched_no_ack,
        get_no_ack: counters.fetched_no_ack,
        get_empty: counters.fetched_nothing,
        redeliver: counters.redelivered,
        ack: counters.acked,
        ..MessageStats::default()
    };
    figures(&stats, counts.ready, counts.unacked)
}

/// What a vhost has, and what went through it.
#[derive(Clone, Copy, Debug, Default)]
pub struct VhostTotals {
    /// Messages, by channels.
    pub messages: MessageStats,
    /// How large they were that were published.
    pub sizes: Sizes,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Ready messages.
    pub ready: usize,
    /// Unacked messages.
    pub unacked: usize,
    /// Consumers.
    pub consumers: usize,
    /// Queues.
    pub queues: usize,
}

impl VhostTotals {
    /// Adds up a vhost: its queues, its connections, and those that are gone.
    pub fn of(broker: &Broker, vhost: &Vhost) -> Self {
        let gone = vhost.gone_stats();
        let mut totals = Self {
            messages: gone.messages,
            sizes: gone.sizes,
            received_bytes: gone.received_bytes,
            sent_bytes: gone.sent_bytes,
            ..Self::default()
        };
        vhost.each_queue(|queue| totals.add_queue(&queue.counts()));
        for peer in broker.peers.open() {
            if peer.identity().is_some_and(|identity| identity.vhost.name == vhost.name) {
                totals.messages.add(&peer.stats());
                totals.sizes.add(&peer.sizes.get());
                totals.received_bytes += peer.socket.received_bytes.get();
                totals.sent_bytes += peer.socket.sent_bytes.get();
            }
        }
        totals
    }

    fn add_queue(&mut self, counts: &Counts) {
        self.ready += counts.ready;
        self.unacked += counts.unacked;
        self.consumers += counts.consumers;
        self.queues += 1;
    }

    /// Adds another vhost's.
    pub fn add(&mut self, other: &Self) {
        self.messages.add(&other.messages);
        self.sizes.add(&other.sizes);
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
        self.ready += other.ready;
        self.unacked += other.unacked;
        self.consumers += other.consumers;
        self.queues += other.queues;
    }

    /// Its numbers.
    pub fn figures(&self) -> Figures {
        figures(&self.messages, self.ready, self.unacked)
    }
}
