//! Handing out what a queue has, into the outboxes of its consumers.

use std::sync::Arc;

use super::{Core, LiveQueue, Rest};
use crate::broker::clock::Clock;
use crate::broker::outbox::{Locked, Outbox, Outlet, Stalled};
use crate::queue::Command;
use crate::queue::consumers::ConsumerKey;

impl Core {
    /// Tells the queue what time it is.
    pub(super) fn tick(&mut self, clock: &Clock) {
        let now = clock.now();
        if self.alarm <= now {
            self.alarm = u64::MAX;
        }
        self.queue.apply(Command::Tick(now), &mut self.effects);
    }

    /// Notes when the queue wants its next turn, and whether messages have died.
    pub(super) fn look_ahead(&mut self, rest: &mut Rest) {
        if let Some(due) = self.queue.next_due().filter(|due| *due < self.alarm) {
            self.alarm = due;
            rest.alarm = Some(due);
        }
        if self.queue.has_dead() && !std::mem::replace(&mut self.is_asked_for_dead, true) {
            rest.dead = true;
        }
    }

    pub(super) fn keep_outlet(&mut self, consumer: ConsumerKey, outlet: Outlet) {
        let slot = consumer.slot as usize;
        if self.outlets.len() <= slot {
            self.outlets.resize_with(slot + 1, || None);
        }
        self.outlets[slot] = Some(outlet);
    }

    /// The consumer is leaving. Its slot cannot have been given to another one before the queue
    /// itself has let it go.
    pub(super) fn forget_outlet(&mut self, consumer: ConsumerKey) -> Option<Outlet> {
        if !self.queue.consumers().contains(consumer) {
            return None;
        }
        self.outlets[consumer.slot as usize].take()
    }

    /// Hands out messages while somebody can take one.
    #[inline]
    pub(super) fn dispatch(&mut self, live: &Arc<LiveQueue>) {
        let Self { queue, outlets, effects, .. } = self;
        let watchers = live.watched.now();
        // The outbox of the last delivery stays locked: the next one usually goes there too.
        let mut open: Option<(&Arc<Outbox>, Locked<'_>)> = None;
        while let Some(consumer) = queue.next_consumer(effects) {
            let outlet = outlets[consumer.slot as usize].as_ref();
            let outlet = outlet.expect("a consumer has an outlet until it is gone");
            let locked = match &mut open {
                Some((outbox, locked)) if Arc::ptr_eq(outbox, &outlet.outbox) => locked,
                Some(_) | None => {
                    drop(open.take());
                    &mut open.insert((&outlet.outbox, outlet.outbox.lock())).1
                }
            };
            let who = || Stalled { queue: Arc::clone(live), consumer };
            if locked.offer(outlet, who).is_ok() {
                let delivery = queue.deliver(consumer, effects);
                if watchers.is_nobody() {
                    locked.deliver(outlet, &delivery);
                } else {
                    live.deliver_watched(watchers, locked, outlet, &delivery);
                }
            } else {
                queue.apply(Command::Busy(consumer), effects);
            }
        }
    }
}
