//! What is looked at of the whole broker.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::broker::Broker;
use crate::broker::peers::Peer;
use crate::broker::traffic::{MessageStats, Sizes};
use crate::broker::vhost::Vhost;
use crate::metrics::figures::VhostTotals;
use crate::metrics::machine::Usage;
use crate::metrics::sampler::{self, CHURN};

/// The whole broker.
pub(super) struct Whole {
    pub(super) messages: MessageStats,
    pub(super) sizes: Sizes,
    /// Publishes on channels that confirm.
    pub(super) received_confirm: u64,
    pub(super) publishers: usize,
    pub(super) connections: usize,
    pub(super) channels: usize,
    pub(super) consumers: usize,
    pub(super) queues: usize,
    pub(super) sockets: usize,
    pub(super) usage: Usage,
    pub(super) memory_limit: u64,
    pub(super) memory_alarm: bool,
    pub(super) disk_limit: u64,
    pub(super) disk_alarm: bool,
    /// In seconds.
    pub(super) uptime: f64,
    pub(super) churn: [u64; CHURN],
}

/// What messages did, as it was told last.
///
/// What a connection has counted is nowhere for a moment while it leaves, and a deleted vhost takes
/// its numbers along; but to Prometheus a counter that falls has begun anew.
#[derive(Default)]
pub(super) struct Told(Mutex<(MessageStats, Sizes)>);

impl Told {
    fn at_least(&self, messages: &MessageStats, sizes: &Sizes) -> (MessageStats, Sizes) {
        let mut told = self.0.lock();
        *told = (told.0.max(messages), told.1.max(sizes));
        *told
    }
}

impl Whole {
    pub(super) fn look(
        broker: &Broker,
        vhosts: &[Arc<Vhost>],
        peers: &[Arc<Peer>],
        told: &Told,
    ) -> Self {
        let mut totals = VhostTotals::default();
        for vhost in vhosts {
            totals.add(&VhostTotals::of(broker, vhost));
        }
        let (mut channels, mut publishers, mut unconfirmed) = (0, 0, 0);
        for record in peers.iter().flat_map(|peer| peer.channels()) {
            channels += 1;
            publishers += usize::from(record.traffic.stats().publish > 0);
            unconfirmed += record.unconfirmed.get();
        }
        let (messages, sizes) = told.at_least(&totals.messages, &totals.sizes);
        let config = &broker.config;
        let up = SystemTime::now().duration_since(broker.started).unwrap_or_default();
        Self {
            messages,
            sizes,
            received_confirm: messages.confirm + unconfirmed,
            publishers,
            connections: peers.len(),
            channels,
            consumers: totals.consumers,
            queues: totals.queues,
            sockets: broker.peers.len(),
            usage: Usage::now(&config.data.dir),
            memory_limit: broker.shared.watermark.limit(),
            memory_alarm: broker.shared.is_low_on_memory(),
            disk_limit: broker.shared.disk.limit(),
            disk_alarm: broker.shared.disk.is_low(),
            uptime: up.as_secs_f64(),
            churn: sampler::churn(&broker.shared.churn),
        }
    }

    /// Publishes that led to a queue.
    pub(super) fn routed(&self) -> u64 {
        let unroutable = self.messages.drop_unroutable + self.messages.return_unroutable;
        self.messages.publish.saturating_sub(unroutable)
    }
}
