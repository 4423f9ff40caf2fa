//! Running vhosts and queues: carries out what the rules decide.
//!
//! Owns the locks of queues, vhosts and outboxes (the lock card is in `ARCHITECTURE.md`), and
//! the registries. It must not know bytes on the wire beyond encoding into an outbox, nor HTTP.

pub mod after;
pub mod live_queue;
pub mod memory;
pub mod outbox;
pub mod peers;
pub mod perform;
pub mod publish;
pub mod reply_to;
pub mod settle;
pub mod transaction;
pub mod vhost;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;

use crate::config::Config;
use crate::names::{QueueId, VhostName};
use crate::store::Store;
use memory::{BufferPool, MessageMemory};
use peers::Peers;
use reply_to::ReplyTos;
use vhost::Vhost;

/// What every vhost and queue of one broker has in common.
pub struct Shared {
    /// Where durable things go.
    pub store: Store,
    /// Bytes of messages that queues hold.
    pub memory: MessageMemory,
    next_queue: AtomicU64,
}

/// A running broker. Several may run in one process.
pub struct Broker {
    /// What all vhosts have in common.
    pub shared: Arc<Shared>,
    /// Memory to read into. Apart from the other pool because these keep their length: a buffer
    /// that is used again need not be zeroed again.
    pub read_buffers: BufferPool,
    /// Memory for outboxes.
    pub write_buffers: Arc<BufferPool>,
    /// Who is connected.
    pub peers: Peers,
    /// Who waits for replies.
    pub reply_tos: Arc<ReplyTos>,
    /// The settings it was started with.
    pub config: Config,
    vhosts: DashMap<VhostName, Arc<Vhost>>,
}

impl Shared {
    /// A number that no queue had before.
    pub fn next_queue_id(&self) -> QueueId {
        QueueId(self.next_queue.fetch_add(1, Ordering::Relaxed))
    }
}

impl Broker {
    /// A broker with the default vhost.
    pub fn new(config: Config) -> Self {
        let shared = Shared {
            store: Store::in_memory(),
            memory: MessageMemory::new(config.limits.message_memory_bytes()),
            next_queue: AtomicU64::new(1),
        };
        let broker = Self {
            shared: Arc::new(shared),
            read_buffers: BufferPool::new(config.limits.pooled_buffers),
            write_buffers: Arc::new(BufferPool::new(config.limits.pooled_buffers)),
            peers: Peers::default(),
            reply_tos: Arc::default(),
            vhosts: DashMap::new(),
            config,
        };
        broker.add_vhost(broker.config.defaults.vhost.as_str().into());
        broker
    }

    /// Adds a vhost, unless it is there.
    pub fn add_vhost(&self, name: VhostName) -> Arc<Vhost> {
        let make = || Arc::new(Vhost::new(name.clone(), Arc::clone(&self.shared)));
        Arc::clone(&self.vhosts.entry(name.clone()).or_insert_with(make))
    }

    /// The vhost of a name.
    pub fn vhost(&self, name: &str) -> Option<Arc<Vhost>> {
        self.vhosts.get(name).map(|vhost| Arc::clone(&vhost))
    }
}
