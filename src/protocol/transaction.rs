//! What a transactional channel does once it commits (AMQP 0-9-1, 1.9).

use super::deliveries::Outstanding;
use crate::message::Message;

/// What a client says became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// basic.ack
    Accept,
    /// basic.nack or basic.reject without requeue.
    Discard,
    /// The same with requeue.
    Requeue,
}

/// A publish or a settlement that waits for the commit.
#[derive(Debug)]
pub enum Operation {
    /// A publish.
    Publish {
        /// What.
        message: Message,
        /// Return it if it reaches no queue.
        mandatory: bool,
    },
    /// A settlement.
    Settle {
        /// The delivery's tag, for a rollback.
        tag: u64,
        /// What the tag stood for.
        outstanding: Outstanding<u32>,
        /// What became of it.
        verdict: Verdict,
    },
}

/// The operations of one channel since its last commit or rollback, in order.
#[derive(Debug, Default)]
pub struct Transaction {
    /// What waits.
    pub operations: Vec<Operation>,
}
