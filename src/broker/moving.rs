//! Moves messages from a queue to elsewhere: to an exchange, to another queue, or back to where
//! they died.
//!
//! Batch by batch, and each batch is one transaction of the store: after a crash a message is
//! either here or there. One queue's lock is held at a time. What came to the queue after the
//! beginning stays, so a move into the queue itself has an end.

use std::sync::Arc;

use super::live_queue::LiveQueue;
use super::procession::{Procession, Sent};
use super::vhost::Vhost;
use crate::message::{Message, Parts};
use crate::names::{ExchangeName, LogPosition};
use crate::queue::Command;
use crate::queue::death::{Origin, origin};
use crate::queue::filter::Filter;
use crate::store::CannotFetch;

/// Messages of one transaction.
const BATCH: usize = 256;

/// Where messages are moved to.
pub enum Goal {
    /// Through an exchange.
    Exchange {
        /// Which one.
        name: ExchangeName,
        /// With which key; `None`: with their own.
        routing_key: Option<Box<[u8]>>,
    },
    /// Into a queue, as they are.
    Queue(Arc<LiveQueue>),
    /// Into the queue where they died last, as they were there.
    Origin,
}

/// What is moved where.
pub struct Move {
    /// Where to.
    pub to: Goal,
    /// How many messages at most.
    pub most: u64,
    /// Only such messages.
    pub filter: Option<Filter>,
}

/// What a move came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Messages moved.
    pub moved: u64,
    /// Messages that stay, for they lead nowhere, or are no dead letters.
    pub unroutable: u64,
    /// A queue was full: what was not moved by then stays.
    pub refused: bool,
    /// What makes it safe.
    pub safe_at: LogPosition,
}

impl Vhost {
    /// Moves messages out of a queue. Reads and waits for files.
    pub fn move_messages(
        self: &Arc<Self>,
        queue: &Arc<LiveQueue>,
        wanted: &Move,
    ) -> Result<Moved, CannotFetch> {
        let mut done = Moved::default();
        let (mut from, end) = (0, queue.end());
        while from < end && done.moved < wanted.most && !done.refused {
            let most = usize::try_from(wanted.most - done.moved).unwrap_or(BATCH).min(BATCH);
            let (batch, until) = queue.lift(from..end, wanted.filter.as_ref(), most)?;
            from = until;
            self.move_batch(queue, &wanted.to, &batch, &mut done);
            // The log is not to fall behind.
            if let Some(store) = &self.shared().store {
                store.wait(done.safe_at);
            }
        }
        Ok(done)
    }

    fn move_batch(
        self: &Arc<Self>,
        queue: &Arc<LiveQueue>,
        to: &Goal,
        batch: &[(u64, Message)],
        done: &mut Moved,
    ) {
        if batch.is_empty() {
            return;
        }
        let together = queue.begin();
        let mut procession = Procession::new(self, together.as_ref()).all_or_none();
        let (mut moved, mut stays) = (Vec::with_capacity(batch.len()), Vec::new());
        for (position, message) in batch {
            let sent =
                if done.refused { Sent::Refused } else { self.send(&mut procession, to, message) };
            match sent {
                Sent::Taken => moved.push(*position),
                Sent::Unroutable => {
                    done.unroutable += 1;
                    stays.push(*position);
                }
                Sent::Refused => {
                    done.refused = true;
                    stays.push(*position);
                }
            }
        }
        done.moved += moved.len() as u64;
        done.safe_at = done.safe_at.max(procession.arrive());
        queue.turn_within([Command::Moved(moved), Command::Stays(stays)], together.as_ref());
        if let Some(together) = together {
            done.safe_at = done.safe_at.max(together.commit());
        }
    }

    fn send(&self, procession: &mut Procession<'_>, to: &Goal, message: &Message) -> Sent {
        match to {
            Goal::Exchange { name, routing_key } => {
                let key = routing_key.as_deref().unwrap_or_else(|| message.routing_key());
                let message = addressed(message, name.as_str().as_bytes(), key);
                procession.send(&message, &[message.routing_key()], |_| true)
            }
            Goal::Queue(queue) => procession.send_to(message, Arc::clone(queue)),
            Goal::Origin => {
                let Some(Origin { queue, exchange, routing_key }) = origin(message) else {
                    return Sent::Unroutable;
                };
                let id = self.look(|topology| topology.queue(queue));
                let Some(queue) = id.and_then(|id| self.live(id)) else { return Sent::Unroutable };
                procession.send_to(&addressed(message, exchange, routing_key), queue)
            }
        }
    }
}

/// The message as if it had been published there.
fn addressed(message: &Message, exchange: &[u8], routing_key: &[u8]) -> Message {
    Message::from_parts(Parts {
        exchange: &exchange[..exchange.len().min(u8::MAX.into())],
        routing_key: &routing_key[..routing_key.len().min(u8::MAX.into())],
        header: message.header(),
        body: message.body(),
        persistent: message.is_persistent(),
        priority: message.priority(),
        expires: message.expires(),
        died: message.has_died(),
    })
}
