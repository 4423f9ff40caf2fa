//! What a transactional channel does once it commits (AMQP 0-9-1, 1.9).

use std::sync::Arc;

use super::live_queue::LiveQueue;
use crate::message::Message;
use crate::names::DeliveryId;
use crate::queue::Outcome;

/// A publish or a settlement that waits for the commit.
pub enum Operation {
    /// A publish.
    Publish {
        /// What.
        message: Message,
        /// Further routing keys.
        more_keys: Vec<Box<[u8]>>,
        /// Return it if it reaches no queue.
        mandatory: bool,
    },
    /// A settlement.
    Settle {
        /// The delivery's tag, for a rollback.
        tag: u64,
        /// Where it came from.
        queue: Arc<LiveQueue>,
        /// What the queue calls it.
        id: DeliveryId,
        /// What became of it.
        outcome: Outcome,
    },
}
