//! What a queue's turn means for others, carried out after its lock is let go.

use std::sync::{Arc, Weak};

use super::live_queue::LiveQueue;
use super::outbox::Outlet;
use super::vhost::Vhost;
use crate::protocol::fault::Fault;

/// A consumer kept a message for too long. It alone is cancelled, if its client understands that;
/// otherwise its channel is closed, as RabbitMQ does.
pub fn timed_out(queue: &Arc<LiveQueue>, outlet: &Outlet, timeout: u64) {
    let (tag, channel) = (&outlet.tag, outlet.channel);
    tracing::warn!(queue = %queue.name, consumer = %tag, channel, timeout_ms = timeout,
        "consumer cancelled: it kept a message for longer than its timeout");
    let understood = outlet.outbox.lock().cancelled_by_broker(outlet);
    if !understood {
        outlet.outbox.order_channel_close(channel, Fault::consumer_timeout(channel, timeout));
    }
}

/// A queue was not used for as long as it may idle: it goes, unless somebody uses it again.
pub fn idle(queue: &Arc<LiveQueue>, vhost: &Weak<Vhost>) {
    if let Some(vhost) = vhost.upgrade() {
        vhost.delete_idle(queue);
    }
}

/// An auto-delete queue lost its last consumer: it goes, unless somebody consumes again.
pub fn unused(queue: &Arc<LiveQueue>, vhost: &Weak<Vhost>) {
    if let Some(vhost) = vhost.upgrade() {
        vhost.delete_unused(queue);
    }
}
