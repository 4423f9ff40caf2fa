//! Who is connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::sync::Notify;

use super::outbox::Outbox;
use crate::names::ConnectionId;
use crate::protocol::fault::Fault;

/// The connections of a broker.
#[derive(Default)]
pub struct Peers {
    connected: DashMap<ConnectionId, Arc<Outbox>>,
    last: AtomicU64,
    left: Notify,
}

impl Peers {
    /// Registers a connection.
    pub fn join(&self, outbox: &Arc<Outbox>) -> ConnectionId {
        let id = ConnectionId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        self.connected.insert(id, Arc::clone(outbox));
        id
    }

    /// The connection has ended.
    pub fn leave(&self, id: ConnectionId) {
        self.connected.remove(&id);
        self.left.notify_waiters();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.connected.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.connected.is_empty()
    }

    /// Closes all of them.
    pub fn close_all(&self, why: &Fault) {
        for peer in &self.connected {
            peer.order_close(why.clone());
        }
    }

    /// Wakes all sessions, to look at something that concerns everybody.
    pub fn wake_all(&self) {
        for peer in &self.connected {
            peer.wake_session();
        }
    }

    /// Waits until everybody has left.
    pub async fn all_left(&self) {
        loop {
            let left = self.left.notified();
            if self.is_empty() {
                return;
            }
            left.await;
        }
    }
}
