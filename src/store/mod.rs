//! Durability: what the broker appends, and how far it has reached the disk.
//!
//! Owns positions, files and syncs. It must not know AMQP methods or consumers. A queue appends
//! inside its turn and gets a [`LogPosition`]; a publish is confirmed once
//! [`Store::durable_position`] has reached it.
//!
//! There is one implementation so far: memory, which promises nothing over a restart and so is
//! durable, as far as it ever will be, at once. The log takes its place behind the same calls.

use crate::message::Message;
use crate::names::{LogPosition, QueueId};

/// What a queue tells the store.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A persistent message reached a durable queue.
    Message {
        /// The queue.
        queue: QueueId,
        /// Its position in the queue.
        position: u64,
        /// What it is.
        message: &'a Message,
    },
    /// A message left a durable queue for good.
    Gone {
        /// The queue.
        queue: QueueId,
        /// Its position in the queue.
        position: u64,
    },
}

/// Where durable things go.
#[derive(Debug, Default)]
pub struct Store {}

impl Store {
    /// A store that keeps nothing over a restart.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Whether records are kept at all; if not, nobody needs to make them.
    #[inline]
    pub fn keeps_records(&self) -> bool {
        false
    }

    /// Appends a record; it is durable once [`Self::durable_position`] has reached the answer.
    pub fn append(&self, record: Record<'_>) -> LogPosition {
        match record {
            Record::Message { .. } | Record::Gone { .. } => self.durable_position(),
        }
    }

    /// How far the log is durable.
    #[inline]
    pub fn durable_position(&self) -> LogPosition {
        LogPosition::default()
    }
}
