//! What is looked at for one scrape: each object once, with its labels, however many metrics tell of
//! it.

use std::sync::Arc;

use super::exposition::Labels;
use super::scrape::Filter;
use crate::auth::Attempts;
use crate::broker::Broker;
use crate::broker::exchange_traffic::Which;
use crate::broker::live_queue::Counts;
use crate::broker::peers::{ChannelRecord, Peer};
use crate::broker::traffic::MessageStats;
use crate::broker::vhost::Vhost;
use crate::names::VhostName;

/// A queue.
pub(super) struct QueueRow {
    pub(super) labels: Labels,
    pub(super) counts: Counts,
}

impl QueueRow {
    /// A queue in which nothing waits has consumers that could take more.
    pub(super) fn has_capacity(&self) -> bool {
        self.counts.ready == 0 && self.counts.consumers > 0
    }

    /// Messages that are only on disk.
    pub(super) fn paged_out(&self) -> usize {
        (self.counts.ready + self.counts.unacked).saturating_sub(self.counts.in_memory)
    }
}

/// What a channel published to an exchange, or got from a queue.
pub(super) struct TrafficRow {
    pub(super) labels: Labels,
    pub(super) stats: MessageStats,
}

/// Messages that came to an exchange.
pub(super) struct PassedRow {
    pub(super) labels: Labels,
    pub(super) came_in: u64,
}

/// Copies that an exchange brought to a queue.
pub(super) struct FlowRow {
    pub(super) labels: Labels,
    pub(super) copies: u64,
}

/// A channel.
pub(super) struct ChannelRow {
    pub(super) labels: Labels,
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
            let labels = of_channel(&name, record.number, vhost.as_ref());
            let (consumers, unacked) = outbox.channel_counts(record.number);
            rows.push(ChannelRow {
                labels,
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

fn of_channel(connection: &str, number: u16, vhost: Option<&VhostName>) -> Labels {
    Labels::default()
        .with("channel", format_args!("{connection} ({number})"))
        .with("vhost", vhost.map_or("", |vhost| vhost.as_str()))
}

/// What channels published, by exchange; where all is added up, one row for each channel.
pub(super) fn publishes(peers: &[Arc<Peer>], by_object: bool) -> Vec<TrafficRow> {
    traffic(peers, by_object, |vhost, record| {
        let mut counted = Vec::new();
        record.traffic.published.each(|which, each| counted.push((which, each.stats())));
        let named = |(which, stats)| Some(("exchange", exchange_name(vhost, which)?, stats));
        counted.into_iter().filter_map(named).collect()
    })
}

/// What channels got, by queue.
pub(super) fn deliveries(peers: &[Arc<Peer>], by_object: bool) -> Vec<TrafficRow> {
    traffic(peers, by_object, |vhost, record| {
        let mut counted = Vec::new();
        record.traffic.handed_out.each(|queue, each| counted.push((queue, each.stats())));
        let named = |(queue, stats)| Some(("queue", vhost.live(queue)?.name.to_string(), stats));
        counted.into_iter().filter_map(named).collect()
    })
}

/// A channel's numbers of one kind of object: the label, the object's name, the numbers.
type Parts = Vec<(&'static str, String, MessageStats)>;

fn traffic(
    peers: &[Arc<Peer>],
    by_object: bool,
    parts: impl Fn(&Vhost, &ChannelRecord) -> Parts,
) -> Vec<TrafficRow> {
    let mut rows = Vec::new();
    for peer in peers {
        let Some(identity) = peer.identity() else { continue };
        let name = peer.name();
        for record in peer.channels() {
            if !by_object {
                rows.push(TrafficRow { labels: Labels::default(), stats: record.traffic.stats() });
                continue;
            }
            let labels = of_channel(&name, record.number, Some(&identity.vhost.name));
            let parts = parts(&identity.vhost, &record).into_iter();
            rows.extend(parts.map(|(about, name, stats)| TrafficRow {
                labels: labels.clone().with(about, name),
                stats,
            }));
        }
    }
    rows
}

/// The name of an exchange, while there is such a one.
fn exchange_name(vhost: &Vhost, which: Which) -> Option<String> {
    let Some(id) = which else { return Some(String::new()) };
    vhost.look(|topology| topology.exchange_name(id).map(ToString::to_string))
}

/// What came to exchanges.
pub(super) fn passed(vhosts: &[Arc<Vhost>]) -> Vec<PassedRow> {
    let of = |vhost: &Arc<Vhost>| {
        let mut passed = Vec::new();
        vhost.exchange_traffic.each(|which, [came_in, _]| passed.push((which, came_in)));
        let row = |(which, came_in)| {
            let exchange = exchange_name(vhost, which)?;
            let labels = Labels::default().with("vhost", &vhost.name).with("exchange", exchange);
            Some(PassedRow { labels, came_in })
        };
        passed.into_iter().filter_map(row).collect::<Vec<_>>()
    };
    vhosts.iter().flat_map(of).collect()
}

/// What exchanges brought to queues.
pub(super) fn flows(vhosts: &[Arc<Vhost>], filter: &Filter) -> Vec<FlowRow> {
    let of = |vhost: &Arc<Vhost>| {
        let mut flows = Vec::new();
        vhost.exchange_traffic.each_flow(|flow, copies| flows.push((flow, copies)));
        let row = |((which, queue), copies)| {
            let (exchange, queue) = (exchange_name(vhost, which)?, vhost.live(queue)?);
            let labels = Labels::default().with("vhost", &vhost.name).with("exchange", exchange);
            let labels = labels.with("queue", &queue.name);
            filter.takes_queue(queue.name.as_str()).then_some(FlowRow { labels, copies })
        };
        flows.into_iter().filter_map(row).collect::<Vec<_>>()
    };
    vhosts.iter().flat_map(of).collect()
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
