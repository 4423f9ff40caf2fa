//! Channels: what each of them has outstanding and has done.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::answer::{Answer, columns, list};
use super::api::Api;
use super::caller::Caller;
use super::connections::{ConnectionDetails, peers};
use super::consumers::{self, ConsumerView};
use super::fields::{Named, Query};
use super::listing::{Ages, NameFilter, Row};
use super::parts::{self, Part};
use super::problem::Problem;
use super::rates::{MessageStatsView, Rates};
use super::routes::Routes;
use crate::broker::peers::{ChannelRecord, Peer, PeerState};
use crate::metrics::figures::figures;
use crate::metrics::sampler;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/channels", get(all))
        .route("/vhosts/{vhost}/channels", get(of_vhost))
        .route("/channels/{name}", get(one))
}

/// A channel as RabbitMQ lists it.
#[derive(Serialize)]
pub(super) struct ChannelView {
    name: String,
    number: u16,
    node: String,
    vhost: String,
    user: String,
    user_who_performed_action: String,
    connection_details: ConnectionDetails,
    state: &'static str,
    confirm: bool,
    transactional: bool,
    prefetch_count: u64,
    global_prefetch_count: u64,
    consumer_count: usize,
    messages_unacknowledged: usize,
    messages_unconfirmed: u64,
    messages_uncommitted: u64,
    acks_uncommitted: u64,
    pending_raft_commands: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_stats: Option<MessageStatsView>,
}

impl Row for ChannelView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

/// One channel, with what only it shows.
#[derive(Serialize)]
struct ChannelPage {
    #[serde(flatten)]
    channel: ChannelView,
    consumer_details: Vec<ConsumerView>,
    publishes: Vec<Part<4>>,
    deliveries: Vec<Part<8>>,
}

/// What objects say of the channel that they belong to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ChannelDetails {
    name: String,
    number: u16,
    node: String,
    connection_name: String,
    peer_host: String,
    peer_port: u16,
    user: String,
}

impl ChannelDetails {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn of(api: &Api, peer: &Peer, number: u16) -> Self {
        let ConnectionDetails { name, peer_host, peer_port } = ConnectionDetails::of(peer);
        Self {
            name: format!("{name} ({number})"),
            number,
            node: api.node.clone(),
            connection_name: name,
            peer_host,
            peer_port,
            user: peer.identity().map(|each| each.user.to_string()).unwrap_or_default(),
        }
    }
}

fn view(api: &Api, peer: &Peer, record: &ChannelRecord, ages: &Ages) -> ChannelView {
    let counted = figures(&record.traffic.stats(), 0, 0);
    let message_stats = api.sampler.read(|seen| {
        let rates = Rates::of(&seen.channels, &(peer.id, record.number), sampler::now());
        MessageStatsView::of(counted, rates, ages)
    });
    let connection_details = ConnectionDetails::of(peer);
    let identity = peer.identity();
    let user = identity.map(|each| each.user.to_string()).unwrap_or_default();
    let (consumers, unacked) = peer.outbox.lock().channel_counts(record.number);
    ChannelView {
        name: format!("{} ({})", connection_details.name, record.number),
        number: record.number,
        node: api.node.clone(),
        vhost: identity.map(|each| each.vhost.name.to_string()).unwrap_or_default(),
        user_who_performed_action: user.clone(),
        user,
        connection_details,
        state: match peer.state() {
            PeerState::Running => "running",
            PeerState::Blocked | PeerState::Flow => "flow",
            PeerState::Closing => "closing",
        },
        confirm: record.confirms(),
        transactional: record.is_transactional(),
        prefetch_count: record.prefetch.get(),
        global_prefetch_count: record.global_prefetch.get(),
        consumer_count: consumers,
        messages_unacknowledged: unacked,
        messages_unconfirmed: record.unconfirmed.get(),
        messages_uncommitted: record.uncommitted.get(),
        acks_uncommitted: record.uncommitted_acks.get(),
        pending_raft_commands: 0,
        message_stats,
    }
}

/// The channels of some connections.
pub(super) fn views(api: &Api, peers: &[Arc<Peer>], ages: &Ages) -> Vec<ChannelView> {
    let of_peer = |peer: &Arc<Peer>| -> Vec<ChannelView> {
        peer.channels().iter().map(|record| view(api, peer, record, ages)).collect()
    };
    peers.iter().flat_map(of_peer).collect()
}

async fn all(State(api): State<Arc<Api>>, caller: Caller, Query(query): Query) -> Answer {
    list(query, move |query| views(&api, &peers(&api, &caller), &query.ages)).await
}

async fn of_vhost(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
    Query(query): Query,
) -> Answer {
    let vhost = api.vhost(&caller, &vhost)?;
    list(query, move |query| {
        let mut peers = peers(&api, &caller);
        peers.retain(|peer| peer.identity().is_some_and(|each| each.vhost.name == vhost.name));
        views(&api, &peers, &query.ages)
    })
    .await
}

async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
    Query(query): Query,
) -> Answer {
    let (connection, number) = split(&name).ok_or_else(Problem::not_found)?;
    let peer = super::connections::find(&api, &caller, connection)?;
    let mut channels = peer.channels().into_iter();
    let record = channels.find(|each| each.number == number).ok_or_else(Problem::not_found)?;
    let page = ChannelPage {
        channel: view(&api, &peer, &record, &query.ages),
        consumer_details: consumers::of_channel(&api, &peer, number),
        publishes: parts::published_by(&api, &peer, &record),
        deliveries: parts::handed_to(&api, &peer, &record),
    };
    Ok(columns(&page, &query))
}

/// `peer -> host (n)`
fn split(name: &str) -> Option<(&str, u16)> {
    let (connection, number) = name.strip_suffix(')')?.rsplit_once(" (")?;
    Some((connection, number.parse().ok()?))
}
