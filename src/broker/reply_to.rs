//! Direct reply-to: requests carry an address under which their sender takes replies, without a
//! queue (RabbitMQ: `amq.rabbitmq.reply-to`).

use std::sync::Arc;

use dashmap::DashMap;

use super::outbox::{Outbox, Outlet};
use crate::message::Message;
use crate::queue::Delivery;

/// The queue name that clients consume replies from and put into reply-to.
pub const PSEUDO_QUEUE: &str = "amq.rabbitmq.reply-to";

/// What the addresses in requests start with.
pub const ADDRESS_PREFIX: &str = "amq.rabbitmq.reply-to.";

/// Who takes replies, by address.
#[derive(Default)]
pub struct ReplyTos {
    outlets: DashMap<String, Outlet>,
}

impl ReplyTos {
    /// Registers a taker of replies under its address.
    pub fn add(&self, address: String, outlet: Outlet) {
        self.outlets.insert(address, outlet);
    }

    /// The taker is gone.
    pub fn remove(&self, address: &str) {
        self.outlets.remove(address);
    }

    /// Whether somebody takes replies there.
    pub fn exists(&self, address: &str) -> bool {
        self.outlets.contains_key(address)
    }

    /// Delivers a reply, if somebody takes it. A taker that does not read loses it: there is no
    /// queue to keep it in.
    pub fn deliver(&self, address: &str, message: &Message) -> bool {
        let Some(outlet) = self.outlets.get(address) else { return false };
        let message = message.clone();
        let delivery = Delivery { id: None, position: 0, redelivered: false, message };
        push(&outlet.outbox, &outlet, &delivery);
        true
    }
}

fn push(outbox: &Arc<Outbox>, outlet: &Outlet, delivery: &Delivery) {
    let mut outbox = outbox.lock();
    if outbox.has_room_for_replies() {
        outbox.deliver(outlet, delivery);
    }
}
