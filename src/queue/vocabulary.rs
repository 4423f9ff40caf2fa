//! What a queue is told, and what it says.

use super::consumers::ConsumerKey;
use super::ready::Entry;
use super::settings::Settings;
use crate::message::Message;
use crate::names::DeliveryId;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// basic.ack: done.
    Accept,
    /// basic.nack or basic.reject without requeue: not wanted.
    Discard,
    /// Back to its old place.
    Requeue(Return),
}

/// Why a delivery comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// basic.nack with requeue. To a quorum queue that is no failure (RabbitMQ 4.3).
    Nacked,
    /// basic.reject with requeue.
    Rejected,
    /// Its channel is gone, its consumer took too long, or basic.recover.
    Released,
}

/// What changes a queue, besides consumers coming and messages being fetched, which have an
/// answer and so are methods.
#[derive(Clone, Debug)]
pub enum Command {
    /// It is so late now, in ms since 1970. Comes first in a turn of a queue that
    /// [needs it](super::Queue::needs_clock), or that gets a message with an expiration.
    Tick(u64),
    /// A message was routed here.
    Publish(Message),
    /// A message was routed here that the queue [has no room for](super::Queue::would_refuse).
    Refuse(Message),
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
    /// Dead messages have reached where they go, or go nowhere: the queue lets them go.
    Buried(Vec<u64>),
    /// Dead messages have not reached where they go: they are to be taken again.
    Unburied(Vec<Dead>),
    /// What [`super::Queue::unread_dead`] asked for was read from disk.
    Exhumed {
        /// What was there, in order.
        entries: Vec<Entry>,
        /// There is no more of what was asked for.
        done: bool,
    },
    /// What is on disk since before a restart, in order, from [`super::Queue::unknown_from`] on;
    /// nothing means that there is no more.
    Discovered(Vec<Entry>),
    /// Messages that were [lifted](super::Queue::lift) are elsewhere.
    Moved(Vec<u64>),
    /// Messages that were [lifted](super::Queue::lift) stay.
    Stays(Vec<u64>),
    /// Somebody used the queue: it does not idle (x-expires).
    Touch,
    /// From now on nothing is handed out, or it is again.
    Pause(bool),
}

impl Command {
    /// Whether [`Self::Tick`] must come before it, whatever the queue.
    #[inline]
    pub fn needs_clock(&self) -> bool {
        if let Self::Publish(message) = self { message.expires() } else { false }
    }
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
        /// Why.
        why: Departure,
    },
    /// A message came back after it was handed out. Only told of queues whose messages are stored.
    Returned {
        /// Its position.
        position: u64,
        /// How often it has come back by now, as the store keeps it.
        deliveries: u32,
    },
    /// A message came back and waits to be tried again. Only told of queues whose messages are
    /// stored.
    Waits {
        /// Its position.
        position: u64,
        /// Until when, in ms since 1970.
        until: u64,
    },
    /// A message waits no longer to be tried again.
    WaitOver {
        /// Its position.
        position: u64,
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
    /// A consumer kept a message for too long: it is no consumer any more, and what it held is
    /// ready again.
    TimedOut {
        /// Which one.
        consumer: ConsumerKey,
        /// How long it may, in ms.
        timeout: u64,
    },
    /// Nobody used the queue for as long as it may idle (x-expires): it is to be deleted.
    Idle,
}

/// Why messages left a queue for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Acknowledged, or delivered to one who never does.
    Acknowledged,
    /// Refused and not put back.
    Discarded,
    /// Their time was over.
    Expired,
    /// The queue was full, or they came back too often.
    Dropped,
    /// They went to another queue.
    DeadLettered,
    /// Purged.
    Purged,
}

/// Why a message is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// A consumer did not want it.
    Rejected,
    /// Its time was over.
    Expired,
    /// The queue was full.
    MaxLength,
    /// It came back too often.
    DeliveryLimit,
}

impl Death {
    /// As `x-death` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }

    /// What it means for the message where there is nowhere to go.
    pub(super) fn departure(self) -> Departure {
        match self {
            Self::Rejected => Departure::Discarded,
            Self::Expired => Departure::Expired,
            Self::MaxLength | Self::DeliveryLimit => Departure::Dropped,
        }
    }
}

/// A dead message on its way to the dead-letter exchange. The queue keeps it until it is told
/// [`Command::Buried`].
#[derive(Clone, Debug)]
pub struct Dead {
    /// Its place; `None`: it never got in.
    pub position: Option<u64>,
    /// Why it died.
    pub death: Death,
    /// What it is.
    pub message: Message,
}

/// Expired messages that are only on disk, and have to be read for they go elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The first position.
    pub first: u64,
    /// The last position.
    pub last: u64,
    /// Of those between, only what is due in this step.
    pub(super) step: u64,
    /// How many that are.
    pub(super) count: u64,
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
    /// Where it stands in the queue.
    pub position: u64,
    /// Whether it was handed out before.
    pub redelivered: bool,
    /// What it is.
    pub message: Message,
}

/// Why a conditional delete was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeletable {
    /// if-unused, and it has consumers; or it was to go for idling, and somebody used it.
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
    /// Of those, the ones fetched by somebody who never acknowledges.
    pub fetched_no_ack: u64,
    /// How often basic.get found nothing.
    pub fetched_nothing: u64,
    /// Deliveries that were not the first of their message.
    pub redelivered: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages refused and not put back.
    pub discarded: u64,
    /// Messages whose time was over.
    pub expired: u64,
    /// Messages that the queue had no room for any more (`drop-head`).
    pub dropped: u64,
    /// Messages that came back too often.
    pub exhausted: u64,
    /// Publishes that the queue had no room for (`reject-publish`).
    pub refused: u64,
    /// Dead messages that have gone to the dead-letter exchange.
    pub dead_lettered: u64,
    /// Messages that were moved elsewhere.
    pub moved: u64,
    /// Messages purged, or gone with the queue.
    pub purged: u64,
    /// Messages that were counted and that the disk did not have. Anything but 0 is a bug, or a
    /// data directory that was damaged.
    pub missing: u64,
}
