//! Consumers, of all queues, of a vhost, a queue or a channel.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::answer::{Answer, list};
use super::api::Api;
use super::caller::Caller;
use super::channels::ChannelDetails;
use super::fields::{Named, Query};
use super::listing::{NameFilter, Row};
use super::routes::Routes;
use super::tables::Arguments;
use crate::broker::live_queue::{ConsumerReport, LiveQueue};
use crate::broker::peers::Peer;
use crate::broker::vhost::Vhost;

/// RabbitMQ's default time for an ack, which its Rust client wants to read.
const CONSUMER_TIMEOUT: u64 = 1_800_000;

pub(super) fn routes() -> Routes {
    Routes::new().route("/consumers", get(all)).route("/consumers/{vhost}", get(of_vhost))
}

/// A consumer as RabbitMQ lists it.
#[derive(Serialize)]
pub(super) struct ConsumerView {
    consumer_tag: String,
    queue: QueueDetails,
    channel_details: ChannelDetails,
    exclusive: bool,
    ack_required: bool,
    prefetch_count: u32,
    active: bool,
    activity_status: &'static str,
    arguments: Arguments,
    consumer_timeout: u64,
}

/// Which queue it is.
#[derive(Serialize)]
pub(super) struct QueueDetails {
    name: String,
    vhost: String,
}

impl Row for ConsumerView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.consumer_tag)
    }
}

fn view(
    api: &Api,
    peer: &Peer,
    vhost: &Vhost,
    queue: &LiveQueue,
    report: ConsumerReport,
) -> ConsumerView {
    ConsumerView {
        consumer_tag: report.tag.to_string(),
        queue: QueueDetails { name: queue.name.to_string(), vhost: vhost.name.to_string() },
        channel_details: ChannelDetails::of(api, peer, report.channel),
        exclusive: report.exclusive,
        ack_required: report.ack_required,
        prefetch_count: report.prefetch,
        active: true,
        activity_status: "up",
        arguments: Arguments(report.arguments),
        consumer_timeout: CONSUMER_TIMEOUT,
    }
}

/// The consumers of a queue.
pub(super) fn of_queue(api: &Api, vhost: &Vhost, queue: &LiveQueue) -> Vec<ConsumerView> {
    let reports = queue.consumer_reports().into_iter();
    let known = reports.filter_map(|report| {
        let peer = api.broker.peers.get(report.connection)?;
        Some(view(api, &peer, vhost, queue, report))
    });
    known.collect()
}

/// The consumers of a channel.
pub(super) fn of_channel(api: &Api, peer: &Peer, number: u16) -> Vec<ConsumerView> {
    let Some(identity) = peer.identity() else { return Vec::new() };
    let queues = peer.outbox.lock().queues_consumed_by(number);
    // A queue of which the channel has two consumers is asked once.
    let queues: FxHashMap<_, _> = queues.into_iter().map(|queue| (queue.id, queue)).collect();
    let of_queue = |queue: &Arc<LiveQueue>| -> Vec<ConsumerView> {
        let mine =
            |report: &ConsumerReport| report.connection == peer.id && report.channel == number;
        let reports = queue.consumer_reports().into_iter().filter(mine);
        reports.map(|report| view(api, peer, &identity.vhost, queue, report)).collect()
    };
    queues.values().flat_map(of_queue).collect()
}

fn of_vhosts(api: &Api, vhosts: &[Arc<Vhost>]) -> Vec<ConsumerView> {
    let of_vhost = |vhost: &Arc<Vhost>| -> Vec<ConsumerView> {
        let queues = vhost.live_queues();
        queues.iter().flat_map(|(_, queue)| of_queue(api, vhost, queue)).collect()
    };
    vhosts.iter().flat_map(of_vhost).collect()
}

async fn all(State(api): State<Arc<Api>>, caller: Caller, Query(query): Query) -> Answer {
    list(query, move |_| of_vhosts(&api, &api.vhosts(&caller))).await
}

async fn of_vhost(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    list(query, move |_| of_vhosts(&api, &[vhost])).await
}
