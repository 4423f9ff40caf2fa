//! basic.get: one message for somebody who is no consumer.

use std::sync::Arc;

use super::{LiveQueue, Rest};
use crate::broker::outbox::Outbox;

impl LiveQueue {
    /// Fetches one message into a peer's outbox (basic.get). Returns whether there was one.
    pub fn fetch(self: &Arc<Self>, outbox: &Outbox, channel: u16, no_ack: bool) -> bool {
        self.fetch_first_if_needed();
        let mut guard = self.core.lock();
        let core = &mut *guard;
        let before = core.queue.bytes_in_memory();
        if core.queue.needs_clock() {
            core.tick(&self.shared.clock);
        }
        let delivery = core.queue.fetch(no_ack, &mut core.effects);
        if let Some(delivery) = &delivery {
            let begun = self.begin_handing_out(delivery, outbox.connection, channel);
            let mut outbox = outbox.lock();
            if let Some(source) = outbox.add_source(channel, self) {
                let tag = outbox.get_ok(channel, source, delivery, core.queue.ready());
                outbox.release_source(channel, source);
                self.handed_out(begun, delivery, None, Some((channel, tag)));
            }
        }
        self.shared.memory.changed(before, core.queue.bytes_in_memory());
        let mut rest = Rest::default();
        self.carry_out(core, &mut rest, None);
        let found = delivery.is_some();
        drop(guard);
        self.finish(&rest);
        found
    }

    /// basic.get cannot wait: what it is to get is read from disk now.
    pub(super) fn fetch_first_if_needed(self: &Arc<Self>) {
        loop {
            let mut core = self.core.lock();
            if !core.queue.must_fetch_first() {
                return;
            }
            let (round, from) = core.queue.fetch_now();
            drop(core);
            if !self.fetch_from_disk(round, from) {
                return;
            }
        }
    }
}
