//! What a queue's turn means for others, carried out after its lock is let go.

use std::sync::{Arc, Weak};

use super::live_queue::LiveQueue;
use super::vhost::Vhost;

/// An auto-delete queue lost its last consumer: it goes, unless somebody consumes again.
pub fn unused(queue: &Arc<LiveQueue>, vhost: &Weak<Vhost>) {
    if let Some(vhost) = vhost.upgrade() {
        vhost.delete_unused(queue);
    }
}
