//! What connections, channels, exchanges and vhosts have counted; read by whoever reports.
//!
//! A channel counts by exchange and by queue, and has no sums besides: its session counts what it
//! publishes, and queues, under its outbox's lock, what they hand out. A reader adds up what there
//! is, and what channels that are gone have left behind.

use std::sync::atomic::{AtomicU64, Ordering};

use super::exchange_traffic::Which;
use super::per_object::{Numbers, PerObject};
use crate::counter::Counter;
use crate::names::QueueId;

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

/// How many exchanges, and how many queues, a channel's numbers are told apart by.
const TOLD_APART: usize = 1024;

/// What one channel published to one exchange; counted by its session.
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
}

impl Published {
    /// The numbers now.
    pub fn stats(&self) -> MessageStats {
        MessageStats {
            publish: self.published.get(),
            confirm: self.confirmed.get(),
            return_unroutable: self.returned.get(),
            drop_unroutable: self.dropped.get(),
            ..MessageStats::default()
        }
    }
}

impl Numbers for Published {
    fn take_over(&self, gone: &Self) {
        self.published.add(gone.published.get());
        self.confirmed.add(gone.confirmed.get());
        self.returned.add(gone.returned.get());
        self.dropped.add(gone.dropped.get());
    }
}

/// What one queue has handed to one channel, and what came of it; counted under its outbox's lock.
/// The session settles while the queue hands out, so these share no cache line.
#[derive(Debug, Default)]
pub struct HandedOut {
    /// What it handed out.
    pub out: Out,
    /// What was acknowledged.
    pub settled: Settled,
}

/// What one queue has handed to one channel.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Out {
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

/// What one channel has done with what one queue handed to it.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Settled {
    /// Deliveries acknowledged.
    pub acked: Counter,
}

impl HandedOut {
    /// The numbers now.
    pub fn stats(&self) -> MessageStats {
        let Self { out, settled } = self;
        MessageStats {
            ack: settled.acked.get(),
            deliver: out.delivered.get(),
            deliver_no_ack: out.delivered_no_ack.get(),
            get: out.fetched.get(),
            get_no_ack: out.fetched_no_ack.get(),
            get_empty: out.fetched_nothing.get(),
            redeliver: out.redelivered.get(),
            ..MessageStats::default()
        }
    }
}

impl Numbers for HandedOut {
    fn take_over(&self, gone: &Self) {
        self.out.delivered.add(gone.out.delivered.get());
        self.out.delivered_no_ack.add(gone.out.delivered_no_ack.get());
        self.out.fetched.add(gone.out.fetched.get());
        self.out.fetched_no_ack.add(gone.out.fetched_no_ack.get());
        self.out.fetched_nothing.add(gone.out.fetched_nothing.get());
        self.out.redelivered.add(gone.out.redelivered.get());
        self.settled.acked.add(gone.settled.acked.get());
    }
}

/// What one channel has counted: nothing but what it has of each exchange and queue.
#[derive(Debug)]
pub struct ChannelTraffic {
    /// By the exchange that was published to.
    pub published: PerObject<Which, Published>,
    /// By the queue that messages came from. Asked for under the outbox's lock.
    pub handed_out: PerObject<QueueId, HandedOut>,
}

impl Default for ChannelTraffic {
    fn default() -> Self {
        Self { published: PerObject::new(TOLD_APART), handed_out: PerObject::new(TOLD_APART) }
    }
}

impl ChannelTraffic {
    /// The numbers now.
    pub fn stats(&self) -> MessageStats {
        let mut stats = MessageStats::default();
        self.published.all(|published| stats.add(&published.stats()));
        self.handed_out.all(|handed_out| stats.add(&handed_out.stats()));
        stats
    }
}

/// Up to which size a message belongs to each class but the last; RabbitMQ's.
pub const SIZE_BOUNDS: [u64; 8] =
    [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000];

/// How large messages were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// How many there were of each class.
    pub counts: [u64; SIZE_BOUNDS.len() + 1],
    /// Bytes of all their bodies.
    pub bytes: u64,
}

impl Sizes {
    /// Adds what others have counted.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(each, more)| *each += more);
        self.bytes += other.bytes;
    }

    /// The larger one of each number.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        let counts = std::array::from_fn(|class| self.counts[class].max(other.counts[class]));
        Self { counts, bytes: self.bytes.max(other.bytes) }
    }
}

/// How large the messages were that a connection published; counted by its session.
#[derive(Debug, Default)]
pub struct PublishedSizes {
    counts: [Counter; SIZE_BOUNDS.len() + 1],
    bytes: Counter,
}

/// Messages of one class that came behind each other and are not counted yet: a message costs a
/// look whether the class is the same, and two additions at hand.
#[derive(Debug, Default)]
pub struct SizeRun {
    class: usize,
    count: u64,
    bytes: u64,
    /// The smallest message that belongs to it …
    from: u64,
    /// … and the largest one; before the first, an empty one does.
    up_to: u64,
}

impl SizeRun {
    /// Notes a message.
    #[inline]
    pub fn note(&mut self, bytes: usize, all: &PublishedSizes) {
        let bytes = bytes as u64;
        if bytes < self.from || bytes > self.up_to {
            self.turn_to_class_of(bytes, all);
        }
        self.count += 1;
        self.bytes += bytes;
    }

    #[cold]
    fn turn_to_class_of(&mut self, bytes: u64, all: &PublishedSizes) {
        self.settle(all);
        self.class = SIZE_BOUNDS.partition_point(|bound| *bound < bytes);
        self.from = self.class.checked_sub(1).map_or(0, |below| SIZE_BOUNDS[below] + 1);
        self.up_to = SIZE_BOUNDS.get(self.class).copied().unwrap_or(u64::MAX);
    }

    /// Counts what was noted.
    #[inline]
    pub fn settle(&mut self, all: &PublishedSizes) {
        if self.count > 0 {
            all.counts[self.class].add(std::mem::take(&mut self.count));
            all.bytes.add(std::mem::take(&mut self.bytes));
        }
    }
}

impl PublishedSizes {
    /// The numbers now.
    pub fn get(&self) -> Sizes {
        let counts = std::array::from_fn(|class| self.counts[class].get());
        Sizes { counts, bytes: self.bytes.get() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_as_large_as_a_bound_is_below_it() {
        let (sizes, mut run) = (PublishedSizes::default(), SizeRun::default());
        for bytes in [0, 100, 101, 1_000, 50_000_001, 100_000_001] {
            run.note(bytes, &sizes);
        }
        run.settle(&sizes);
        let Sizes { counts, bytes } = sizes.get();
        assert_eq!((counts, bytes), ([2, 2, 0, 0, 0, 0, 0, 1, 1], 150_001_203));
    }
}
