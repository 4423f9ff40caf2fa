//! What one socket read, or the end of a channel, means for queues, gathered so that each of them
//! gets one turn.

use std::sync::Arc;

use super::live_queue::LiveQueue;
use super::outbox::{Closed, Outbox};
use crate::names::DeliveryId;
use crate::queue::{Command, Outcome, Return};
use crate::store::Together;

/// Commands that wait for their queue's turn.
#[derive(Default)]
pub struct Gathered {
    by_queue: Vec<(Arc<LiveQueue>, Vec<Command>)>,
}

impl Gathered {
    /// Adds a settlement.
    #[inline]
    pub fn settle(&mut self, queue: &Arc<LiveQueue>, id: DeliveryId, outcome: Outcome) {
        self.push(queue, Command::Settle(id, outcome));
    }

    /// Adds a command.
    #[inline]
    pub fn push(&mut self, queue: &Arc<LiveQueue>, command: Command) {
        // Acks of one read mostly go to one queue, or to a few in turn: the last is a good guess.
        let same = |(each, _): &&mut (Arc<LiveQueue>, _)| Arc::ptr_eq(each, queue);
        match self.by_queue.iter_mut().rev().find(same) {
            Some((_, commands)) => commands.push(command),
            None => self.by_queue.push((Arc::clone(queue), vec![command])),
        }
    }

    /// Gives each queue its turn.
    pub fn flush(&mut self) {
        self.flush_within(None);
    }

    /// The same; what it means for messages on disk may count only together with other turns.
    pub fn flush_within(&mut self, together: Option<&Together>) {
        for (queue, commands) in self.by_queue.drain(..) {
            queue.turn_within(commands, together);
        }
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_queue.is_empty()
    }
}

/// A channel is gone: its consumers leave, and everything it had outstanding goes back in order.
pub fn channel_gone(outbox: &Outbox, channel: u16) {
    let Closed { consumers, outstanding } = outbox.lock().close_channel(channel);
    let mut gathered = Gathered::default();
    for entry in consumers {
        gathered.push(&entry.queue, Command::ConsumerGone(entry.consumer));
    }
    for (queue, id) in outstanding {
        gathered.settle(&queue, id, Outcome::Requeue(Return::Released));
    }
    gathered.flush();
}

/// Everything outstanding on a channel goes back in order (basic.recover).
pub fn requeue_all(outbox: &Outbox, channel: u16) {
    let outstanding = outbox.lock().take_outstanding(channel);
    let mut gathered = Gathered::default();
    for (queue, id) in outstanding {
        gathered.settle(&queue, id, Outcome::Requeue(Return::Released));
    }
    gathered.flush();
}
