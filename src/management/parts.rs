//! What of an object's numbers is about which other one: a queue's `incoming` and `deliveries`, a
//! channel's `publishes` and `deliveries`, an exchange's `incoming` and `outgoing`.
//!
//! RabbitMQ leaves these lists empty unless it is told to keep `detailed` rates.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::api::Api;
use super::channels::ChannelDetails;
use super::rates::Details;
use crate::broker::exchange_traffic::Which;
use crate::broker::live_queue::LiveQueue;
use crate::broker::peers::{ChannelRecord, Peer};
use crate::broker::vhost::Vhost;
use crate::metrics::figures::{HANDED_OUT, PUBLISHED, handed_out, published};
use crate::metrics::history::Point;
use crate::metrics::recent::Recent;
use crate::metrics::sampler::{self, Seen};
use crate::names::QueueId;

/// Copies that an exchange brought to a queue.
const FLOW: [(&str, &str); 1] = [("publish", "publish_details")];

/// Numbers of one object that are about another one.
#[derive(Serialize)]
pub(super) struct Part<const N: usize> {
    #[serde(flatten)]
    about: About,
    stats: Stats<N>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum About {
    Exchange(Place),
    Queue(Place),
    ChannelDetails(ChannelDetails),
}

#[derive(Serialize)]
struct Place {
    name: String,
    vhost: String,
}

impl About {
    fn name(&self) -> &str {
        match self {
            Self::Exchange(place) | Self::Queue(place) => &place.name,
            Self::ChannelDetails(channel) => channel.name(),
        }
    }
}

/// Numbers with their rates.
struct Stats<const N: usize> {
    names: &'static [(&'static str, &'static str); N],
    values: [u64; N],
    rates: [f64; N],
}

impl<const N: usize> Serialize for Stats<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 * N))?;
        for (which, (name, details)) in self.names.iter().enumerate() {
            map.serialize_entry(name, &self.values[which])?;
            map.serialize_entry(details, &Details::of_rate(self.rates[which]))?;
        }
        map.end()
    }
}

fn part<K: Hash + Eq, const N: usize>(
    about: About,
    names: &'static [(&'static str, &'static str); N],
    values: [u64; N],
    (seen, key): (&HashMap<K, Recent<N>>, K),
) -> Part<N> {
    let (recent, at) = (seen.get(&key), sampler::now());
    let rate = |which| {
        let now = Point { value: values[which], at };
        recent.map_or(0.0, |recent| recent.rate(which, now))
    };
    Part { about, stats: Stats { names, values, rates: std::array::from_fn(rate) } }
}

fn sorted<const N: usize>(parts: impl IntoIterator<Item = Part<N>>) -> Vec<Part<N>> {
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by(|a, b| a.about.name().cmp(b.about.name()));
    parts
}

/// What came into a queue, by exchange.
pub(super) fn into_queue(api: &Api, vhost: &Vhost, queue: QueueId) -> Vec<Part<1>> {
    api.sampler.read(|seen| {
        sorted(vhost.exchange_traffic.into_queue(queue).into_iter().filter_map(
            |(which, copies)| {
                Some(part(exchange(vhost, which)?, &FLOW, [copies], (&seen.flows, (which, queue))))
            },
        ))
    })
}

/// What went out of an exchange, by queue.
pub(super) fn out_of_exchange(api: &Api, vhost: &Vhost, which: Which) -> Vec<Part<1>> {
    api.sampler.read(|seen| {
        sorted(vhost.exchange_traffic.to_queues(which).into_iter().filter_map(|(id, copies)| {
            Some(part(queue(vhost, id)?, &FLOW, [copies], (&seen.flows, (which, id))))
        }))
    })
}

/// What a channel published, by exchange.
pub(super) fn published_by(api: &Api, peer: &Peer, record: &ChannelRecord) -> Vec<Part<4>> {
    let Some(identity) = peer.identity() else { return Vec::new() };
    let mut counted = Vec::new();
    record.traffic.published.each(|which, each| counted.push((which, published(&each.stats()))));
    api.sampler.read(|seen| {
        sorted(counted.into_iter().filter_map(|(which, values)| {
            let key = (peer.id, record.number, which);
            let about = exchange(&identity.vhost, which)?;
            Some(part(about, &PUBLISHED, values, (&seen.published, key)))
        }))
    })
}

/// What a channel got, by queue.
pub(super) fn handed_to(api: &Api, peer: &Peer, record: &ChannelRecord) -> Vec<Part<8>> {
    let Some(identity) = peer.identity() else { return Vec::new() };
    let mut counted = Vec::new();
    record.traffic.handed_out.each(|id, each| counted.push((id, handed_out(&each.stats()))));
    api.sampler.read(|seen| {
        sorted(counted.into_iter().filter_map(|(id, values)| {
            let key = (peer.id, record.number, id);
            let about = queue(&identity.vhost, id)?;
            Some(part(about, &HANDED_OUT, values, (&seen.handed_out, key)))
        }))
    })
}

/// What came into an exchange, by channel.
pub(super) fn into_exchange(api: &Api, vhost: &Vhost, which: Which) -> Vec<Part<4>> {
    by_channel(api, vhost, |seen, peer, record| {
        let values = record.traffic.published.look(which, |each| published(&each.stats()))?;
        let key = (peer.id, record.number, which);
        let about = About::ChannelDetails(ChannelDetails::of(api, peer, record.number));
        Some(part(about, &PUBLISHED, values, (&seen.published, key)))
    })
}

/// What went out of a queue, by channel.
pub(super) fn out_of_queue(api: &Api, vhost: &Vhost, queue: &LiveQueue) -> Vec<Part<8>> {
    by_channel(api, vhost, |seen, peer, record| {
        let values = record.traffic.handed_out.look(queue.id, |each| handed_out(&each.stats()))?;
        let key = (peer.id, record.number, queue.id);
        let about = About::ChannelDetails(ChannelDetails::of(api, peer, record.number));
        Some(part(about, &HANDED_OUT, values, (&seen.handed_out, key)))
    })
}

fn by_channel<const N: usize>(
    api: &Api,
    vhost: &Vhost,
    of: impl Fn(&Seen, &Peer, &ChannelRecord) -> Option<Part<N>>,
) -> Vec<Part<N>> {
    let mut peers = api.broker.peers.open();
    peers.retain(|peer| peer.identity().is_some_and(|who| who.vhost.name == vhost.name));
    api.sampler.read(|seen| {
        let of_peer = |peer: &std::sync::Arc<Peer>| {
            let records = peer.channels();
            records.iter().filter_map(|record| of(seen, peer, record)).collect::<Vec<_>>()
        };
        sorted(peers.iter().flat_map(of_peer))
    })
}

/// An exchange, while there is such a one.
fn exchange(vhost: &Vhost, which: Which) -> Option<About> {
    let name = match which {
        None => String::new(),
        Some(id) => vhost.look(|topology| topology.exchange_name(id).map(ToString::to_string))?,
    };
    Some(About::Exchange(Place { name, vhost: vhost.name.to_string() }))
}

/// A queue, while there is such a one.
fn queue(vhost: &Vhost, id: QueueId) -> Option<About> {
    let name = vhost.live(id)?.name.to_string();
    Some(About::Queue(Place { name, vhost: vhost.name.to_string() }))
}
