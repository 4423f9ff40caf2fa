//! What the broker tells the store.

use crate::message::Message;
pub use crate::message::StoredOnce as SharedBody;
use crate::names::QueueId;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A message reached a queue.
    Message(NewMessage<'a>),
    /// Messages left a queue for good.
    Gone {
        /// The queue.
        queue: QueueId,
        /// The first one's position.
        first: u64,
        /// How many, in a row.
        count: u64,
        /// What became of them.
        reason: Reason,
    },
    /// Messages were handed out and came back. Loss of this is allowed: it forces no sync.
    Delivered {
        /// The queue.
        queue: QueueId,
        /// The first one's position.
        first: u64,
        /// How many, in a row.
        count: u32,
        /// How often they have been handed out by now.
        deliveries: u32,
    },
    /// Everything in front of a position left the queue.
    Purge {
        /// The queue.
        queue: QueueId,
        /// The first position that stays.
        before: u64,
    },
    /// The queue is gone, and all that was in it. Its number is never used again.
    QueueDeleted {
        /// The queue.
        queue: QueueId,
    },
    /// A row of the catalogue; what it means is not the store's business.
    Put {
        /// Which row.
        key: &'a [u8],
        /// What it says.
        value: &'a [u8],
    },
    /// A row less in the catalogue.
    Delete {
        /// Which row.
        key: &'a [u8],
    },
}

/// A message that reached a queue.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// The queue.
    pub queue: QueueId,
    /// Its position in the queue.
    pub position: u64,
    /// What it is.
    pub message: &'a Message,
    /// When it expires, in milliseconds since 1970.
    pub expires: Option<u64>,
    /// Whether it is wanted back after a restart. One that is not was written to save memory.
    pub lasting: bool,
    /// What the queues that a message is routed to share, if there are several.
    pub shared: Option<&'a SharedBody>,
}

/// What became of messages that left a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// They were acknowledged, or delivered to one who never does.
    Acknowledged = 0,
    /// They were refused and not put back.
    Discarded = 1,
    /// Their time was over.
    Expired = 2,
    /// The queue was full.
    Dropped = 3,
    /// They went to another queue.
    DeadLettered = 4,
    /// They were purged one by one.
    Purged = 5,
}

impl Reason {
    /// What a reason on the disk means, in a word.
    pub(crate) fn name(number: u8) -> &'static str {
        match number {
            0 => "acknowledged",
            1 => "discarded",
            2 => "expired",
            3 => "dropped",
            4 => "dead-lettered",
            5 => "purged",
            _ => "left for a reason unknown to this version",
        }
    }
}

impl Record<'_> {
    /// Whether somebody is sure to wait for it.
    pub(crate) fn is_urgent(&self) -> bool {
        match self {
            Self::Put { .. } | Self::Delete { .. } | Self::QueueDeleted { .. } => true,
            Self::Message(_) | Self::Gone { .. } | Self::Delivered { .. } | Self::Purge { .. } => {
                false
            }
        }
    }
}
