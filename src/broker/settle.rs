//! Settlements of one socket read, gathered so that each queue gets one turn.

use std::sync::Arc;

use super::live_queue::LiveQueue;
use crate::names::DeliveryId;
use crate::queue::{Command, Outcome};

/// Settlements that wait for the end of the read.
#[derive(Default)]
pub struct Settlements {
    by_queue: Vec<(Arc<LiveQueue>, Vec<Command>)>,
}

impl Settlements {
    /// Adds one.
    #[inline]
    pub fn push(&mut self, queue: &Arc<LiveQueue>, id: DeliveryId, outcome: Outcome) {
        let command = Command::Settle(id, outcome);
        // Acks of one read mostly go to one queue, or to a few in turn: the last is a good guess.
        let same = |(each, _): &&mut (Arc<LiveQueue>, _)| Arc::ptr_eq(each, queue);
        match self.by_queue.iter_mut().rev().find(same) {
            Some((_, commands)) => commands.push(command),
            None => self.by_queue.push((Arc::clone(queue), vec![command])),
        }
    }

    /// Gives each queue its turn.
    pub fn flush(&mut self) {
        for (queue, commands) in self.by_queue.drain(..) {
            queue.turn(commands);
        }
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_queue.is_empty()
    }
}

/// Puts everything back that a channel had outstanding, in order.
pub fn requeue_all(outstanding: impl IntoIterator<Item = (Arc<LiveQueue>, DeliveryId)>) {
    let mut settlements = Settlements::default();
    for (queue, id) in outstanding {
        settlements.push(&queue, id, Outcome::Requeue);
    }
    settlements.flush();
}
