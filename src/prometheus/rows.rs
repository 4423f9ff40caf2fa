//! What is looked at for one scrape: each object once, with its labels, however many metrics tell of
//! it.

use std::sync::Arc;

use super::exposition::Labels;
use super::scrape::Filter;
use crate::auth::Attempts;
use crate::broker::Broker;
use crate::broker::live_queue::Counts;
use crate::broker::peers::Peer;
use crate::broker::traffic::MessageStats;
use crate::broker::vhost::Vhost;

/// A queue.
pub(super) struct QueueRow {
    pub(super) labels: Labels,
    pub(super) counts: Counts,
}

/// A channel.
pub(super) struct ChannelRow {
    pub(super) labels: Labels,
    pub(super) stats: MessageStats,
    pub(super) consumers: usize,
    pub(super) unacked: usize,
    pub(super) unconfirmed: u64,
    pub(super) uncommitted: u64,
    pub(super) uncommitted_acks: u64,
    pub(super) prefetch: u64,
    pub(super) global_prefetch: u64,
}

/// A connection.
pub(super) struct ConnectionRow {
    pub(super) labels: Labels,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) channels: usize,
}

/// Attempts to log in.
pub(super) struct AttemptsRow {
    pub(super) labels: Labels,
    pub(super) attempts: Attempts,
}

/// An exchange, and how many bindings lead away from it.
pub(super) struct ExchangeRow {
    pub(super) labels: Labels,
    pub(super) bindings: usize,
}

pub(super) fn queues(vhosts: &[Arc<Vhost>], filter: &Filter) -> Vec<QueueRow> {
    let mut rows = Vec::new();
    for vhost in vhosts {
        vhost.each_queue(|queue| {
            if filter.takes_queue(queue.name.as_str()) {
                let labels =
                    Labels::default().with("vhost", &vhost.name).with("queue", &queue.name);
                rows.push(QueueRow { labels, counts: queue.counts() });
            }
        });
    }
    rows
}

pub(super) fn channels(peers: &[Arc<Peer>]) -> Vec<ChannelRow> {
    let of = |peer: &Arc<Peer>| {
        let name = peer.name();
        let vhost = peer.identity().map(|identity| identity.vhost.name.clone());
        let records = peer.channels();
        let mut rows = Vec::with_capacity(records.len());
        let mut outbox = peer.outbox.lock();
        for record in records {
            let labels = Labels::default()
                .with("channel", format_args!("{name} ({})", record.number))
                .with("vhost", vhost.as_ref().map_or("", |vhost| vhost.as_str()));
            let (consumers, unacked) = outbox.channel_counts(record.number);
            rows.push(ChannelRow {
                labels,
                stats: record.traffic.stats(),
                consumers,
                unacked,
                unconfirmed: record.unconfirmed.get(),
                uncommitted: record.uncommitted.get(),
                uncommitted_acks: record.uncommitted_acks.get(),
                prefetch: record.prefetch.get(),
                global_prefetch: record.global_prefetch.get(),
            });
        }
        rows
    };
    peers.iter().flat_map(of).collect()
}

pub(super) fn connections(peers: &[Arc<Peer>]) -> Vec<ConnectionRow> {
    let of = |peer: &Arc<Peer>| ConnectionRow {
        labels: Labels::default().with("connection", peer.name()),
        received_bytes: peer.socket.received_bytes.get(),
        sent_bytes: peer.socket.sent_bytes.get(),
        received: peer.socket.received.get(),
        sent: peer.socket.sent.get(),
        channels: peer.channel_count(),
    };
    peers.iter().map(of).collect()
}

pub(super) fn attempts(broker: &Broker) -> Vec<AttemptsRow> {
    let all = broker.auth.attempts().into_iter();
    let row = |(protocol, attempts)| AttemptsRow {
        labels: Labels::default().with("protocol", protocol),
        attempts,
    };
    all.map(row).collect()
}

pub(super) fn attempts_by_source(broker: &Broker) -> Vec<AttemptsRow> {
    let all = broker.auth.attempts_by_source().into_iter();
    all.map(|(source, attempts)| AttemptsRow {
        labels: Labels::default()
            .with("protocol", source.protocol)
            .with("remote_address", source.address)
            .with("username", source.user),
        attempts,
    })
    .collect()
}

pub(super) fn exchanges(vhosts: &[Arc<Vhost>]) -> Vec<ExchangeRow> {
    let of = |vhost: &Arc<Vhost>| {
        vhost.look(|topology| {
            let row =
                |exchange: &crate::topology::exchange_options::ExchangeDeclaration| ExchangeRow {
                    labels: Labels::default()
                        .with("vhost", &vhost.name)
                        .with("exchange", &exchange.name)
                        .with("type", exchange.kind.as_str()),
                    bindings: topology.bindings_from(exchange.name.as_str()).len(),
                };
            topology.exchanges().map(row).collect::<Vec<_>>()
        })
    };
    vhosts.iter().flat_map(of).collect()
}
