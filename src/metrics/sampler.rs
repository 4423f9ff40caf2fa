//! Looks at the broker's counters every few seconds.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;
use tokio::time::{MissedTickBehavior, interval};

use super::figures::{self, FIGURES, VhostTotals, figures, of_queue};
use super::history::History;
use super::recent::Recent;
use crate::broker::Broker;
use crate::broker::exchange_traffic::Which;
use crate::broker::traffic::Churn;
use crate::names::{ConnectionId, QueueId, VhostName};

/// How often counters are looked at; RabbitMQ's `collect_statistics_interval`.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// How many numbers tell how much comes and goes.
pub const CHURN: usize = 7;

/// What was seen.
#[derive(Default)]
pub struct Sampler {
    seen: RwLock<Seen>,
}

/// The histories of everything at which something happens.
#[derive(Default)]
pub struct Seen {
    /// The whole broker.
    pub overall: Long<FIGURES>,
    /// How much comes and goes.
    pub churn: Long<CHURN>,
    /// Vhosts.
    pub vhosts: HashMap<VhostName, History<FIGURES>>,
    /// Bytes received and sent by vhosts.
    pub vhost_bytes: HashMap<VhostName, History<2>>,
    /// Messages that came to exchanges, and copies that left them.
    pub exchanges: HashMap<(VhostName, Which), History<2>>,
    /// Queues.
    pub queues: HashMap<QueueId, History<FIGURES>>,
    /// Channels.
    pub channels: HashMap<(ConnectionId, u16), History<FIGURES>>,
    /// Bytes received and sent by connections.
    pub connections: HashMap<ConnectionId, History<2>>,
    /// Copies that an exchange brought to a queue.
    pub flows: HashMap<(Which, QueueId), Recent<1>>,
    /// What channels published to which exchange ([`PUBLISHED`](super::figures::PUBLISHED)).
    pub published: HashMap<(ConnectionId, u16, Which), Recent<4>>,
    /// What channels got from which queue ([`HANDED_OUT`](super::figures::HANDED_OUT)).
    pub handed_out: HashMap<(ConnectionId, u16, QueueId), Recent<8>>,
}

impl Seen {
    /// Bytes of memory that all histories take.
    pub fn memory(&self) -> u64 {
        fn of<K, const N: usize>(all: &HashMap<K, History<N>>) -> u64 {
            all.values().map(History::memory).sum()
        }
        fn all<K, V>(all: &HashMap<K, V>) -> u64 {
            (all.len() * size_of::<(K, V)>()) as u64
        }
        let whole = self.overall.0.memory() + self.churn.0.memory();
        let vhosts = of(&self.vhosts) + of(&self.vhost_bytes);
        let exchanges = of(&self.exchanges);
        let parts = all(&self.flows) + all(&self.published) + all(&self.handed_out);
        whole
            + vhosts
            + exchanges
            + parts
            + of(&self.queues)
            + of(&self.channels)
            + of(&self.connections)
    }
}

/// A history that goes back for a day.
pub struct Long<const N: usize>(pub History<N>);

impl<const N: usize> Default for Long<N> {
    fn default() -> Self {
        Self(History::long())
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// How much has come and gone.
pub fn churn(churn: &Churn) -> [u64; CHURN] {
    [
        churn.connections_created.get(),
        churn.connections_closed.get(),
        churn.channels_created.get(),
        churn.channels_closed.get(),
        churn.queues_declared.get(),
        churn.queues_created.get(),
        churn.queues_deleted.get(),
    ]
}

impl Sampler {
    /// Looks on until its task is ended.
    pub async fn run(self: Arc<Self>, broker: Arc<Broker>) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (sampler, broker) = (Arc::clone(&self), Arc::clone(&broker));
            // Ten thousand queues take a few milliseconds.
            let looked = tokio::task::spawn_blocking(move || sampler.look(&broker, now())).await;
            if looked.is_err() {
                tracing::error!("a look at the counters failed");
            }
        }
    }

    /// What was seen, to be read.
    pub fn read<R>(&self, read: impl FnOnce(&Seen) -> R) -> R {
        read(&self.seen.read())
    }

    /// Somebody looks at a queue.
    pub fn watch_queue(&self, queue: QueueId) {
        if let Some(history) = self.seen.write().queues.get_mut(&queue) {
            history.watch();
        }
    }

    /// Somebody looks at an exchange.
    pub fn watch_exchange(&self, exchange: &(VhostName, Which)) {
        if let Some(history) = self.seen.write().exchanges.get_mut(exchange) {
            history.watch();
        }
    }

    /// Looks at everything once.
    pub fn look(&self, broker: &Broker, at: u64) {
        let vhosts = broker.vhosts();
        let (mut queues, mut exchanges, mut flows) = (Vec::new(), Vec::new(), Vec::new());
        for vhost in &vhosts {
            vhost.each_queue(|queue| {
                let numbers = of_queue(&queue.counts());
                if has_happened(&numbers) {
                    queues.push((queue.id, numbers));
                }
            });
            vhost.tidy_exchange_traffic();
            vhost.exchange_traffic.each(|which, numbers| {
                exchanges.push(((vhost.name.clone(), which), numbers));
            });
            vhost.exchange_traffic.each_flow(|flow, copies| flows.push((flow, [copies])));
        }
        let totals: Vec<_> = vhosts
            .iter()
            .map(|vhost| (vhost.name.clone(), VhostTotals::of(broker, vhost)))
            .collect();
        let mut overall = VhostTotals::default();
        let (mut channels, mut connections) = (Vec::new(), Vec::new());
        let (mut published, mut handed_out) = (Vec::new(), Vec::new());
        for peer in broker.peers.open() {
            let bytes = [peer.socket.received_bytes.get(), peer.socket.sent_bytes.get()];
            connections.push((peer.id, bytes));
            for record in peer.channels() {
                let numbers = figures(&record.traffic.stats(), 0, 0);
                channels.push(((peer.id, record.number), numbers));
                record.traffic.published.each(|exchange, each| {
                    let key = (peer.id, record.number, exchange);
                    published.push((key, figures::published(&each.stats())));
                });
                record.traffic.handed_out.each(|queue, each| {
                    let key = (peer.id, record.number, queue);
                    handed_out.push((key, figures::handed_out(&each.stats())));
                });
            }
        }
        let mut seen = self.seen.write();
        for (name, totals) in &totals {
            overall.add(totals);
            keep_one(&mut seen.vhosts, name.clone(), at, totals.figures());
            let bytes = [totals.received_bytes, totals.sent_bytes];
            keep_one(&mut seen.vhost_bytes, name.clone(), at, bytes);
        }
        seen.overall.0.push(at, overall.figures());
        seen.churn.0.push(at, churn(&broker.shared.churn));
        keep(&mut seen.exchanges, at, exchanges);
        keep(&mut seen.queues, at, queues);
        keep(&mut seen.channels, at, channels);
        keep(&mut seen.connections, at, connections);
        Recent::keep(&mut seen.flows, at, flows);
        Recent::keep(&mut seen.published, at, published);
        Recent::keep(&mut seen.handed_out, at, handed_out);
        seen.vhosts.retain(|name, _| totals.iter().any(|(each, _)| each == name));
        seen.vhost_bytes.retain(|name, _| totals.iter().any(|(each, _)| each == name));
    }
}

fn has_happened(numbers: &[u64]) -> bool {
    numbers.iter().any(|number| *number != 0)
}

/// Keeps the numbers of those at which anything ever happened, and forgets those that are gone.
fn keep<K: Hash + Eq, const N: usize>(
    histories: &mut HashMap<K, History<N>>,
    at: u64,
    numbers: Vec<(K, [u64; N])>,
) {
    let mut before = std::mem::take(histories);
    for (key, values) in numbers {
        match before.remove(&key) {
            Some(mut history) => {
                history.push(at, values);
                histories.insert(key, history);
            }
            None if has_happened(&values) => {
                keep_one(histories, key, at, values);
            }
            None => {}
        }
    }
}

fn keep_one<K: Hash + Eq, const N: usize>(
    histories: &mut HashMap<K, History<N>>,
    key: K,
    at: u64,
    values: [u64; N],
) {
    histories.entry(key).or_insert_with(History::brief).push(at, values);
}
