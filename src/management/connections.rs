//! Connections: who is there, and how to make them go.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use serde::Serialize;

use super::answer::{Answer, columns, done, list};
use super::api::Api;
use super::caller::Caller;
use super::channels;
use super::fields::{Named, Query};
use super::listing::{Ages, NameFilter, Row};
use super::problem::Problem;
use super::rates::{Details, Rates};
use super::routes::Routes;
use super::tables::Arguments;
use crate::broker::peers::{Identity, Peer, PeerState};
use crate::metrics::sampler;
use crate::protocol::fault::Fault;

/// The longest reason for a close that is passed on.
const MAX_REASON: usize = 200;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/connections", get(all))
        .route("/vhosts/{vhost}/connections", get(of_vhost))
        .route("/connections/{name}", get(one).delete(close))
        .route("/connections/{name}/channels", get(channels_of))
        .route("/connections/{name}/sessions", get(sessions_of))
        .route("/connections/username/{user}", get(of_user).delete(close_of_user))
}

/// A connection as RabbitMQ lists it.
#[derive(Serialize)]
struct ConnectionView {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_provided_name: Option<String>,
    node: String,
    vhost: String,
    user: String,
    user_who_performed_action: String,
    state: &'static str,
    r#type: &'static str,
    protocol: &'static str,
    auth_mechanism: String,
    host: String,
    port: u16,
    peer_host: String,
    peer_port: u16,
    ssl: bool,
    ssl_protocol: Option<String>,
    ssl_key_exchange: Option<String>,
    ssl_cipher: Option<String>,
    ssl_hash: Option<String>,
    peer_cert_subject: Option<String>,
    peer_cert_issuer: Option<String>,
    peer_cert_validity: Option<String>,
    channels: usize,
    channel_max: u16,
    frame_max: u32,
    timeout: u16,
    connected_at: u64,
    client_properties: Arguments,
    recv_oct: u64,
    recv_oct_details: Details,
    recv_cnt: u64,
    send_oct: u64,
    send_oct_details: Details,
    send_cnt: u64,
    send_pend: usize,
}

impl Row for ConnectionView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
            || self.user_provided_name.as_deref().is_some_and(|name| filter.fits(name))
    }
}

/// A connection of a user, as RabbitMQ lists it.
#[derive(Serialize)]
struct UserConnectionView {
    name: String,
    vhost: String,
    user: String,
    node: String,
}

impl Row for UserConnectionView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

/// What objects say of the connection that they belong to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ConnectionDetails {
    pub(super) name: String,
    pub(super) peer_host: String,
    pub(super) peer_port: u16,
}

impl ConnectionDetails {
    pub(super) fn of(peer: &Peer) -> Self {
        let (peer_host, peer_port) = (peer.from.ip().to_string(), peer.from.port());
        Self { name: peer.name(), peer_host, peer_port }
    }
}

fn view(api: &Api, peer: &Peer, identity: &Identity, ages: &Ages) -> ConnectionView {
    let (received, sent) = (peer.socket.received_bytes.get(), peer.socket.sent_bytes.get());
    let (recv_oct_details, send_oct_details) = api.sampler.read(|seen| {
        let rates = Rates::of(&seen.connections, &peer.id, sampler::now());
        (rates.details(0, received, ages.data), rates.details(1, sent, ages.data))
    });
    let user = identity.user.to_string();
    let certificate = identity.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
    ConnectionView {
        name: peer.name(),
        user_provided_name: identity.client.connection_name().map(str::to_owned),
        node: api.node.clone(),
        vhost: identity.vhost.name.to_string(),
        user_who_performed_action: user.clone(),
        user,
        state: match peer.state() {
            PeerState::Running => "running",
            PeerState::Blocked => "blocked",
            PeerState::Flow => "flow",
            PeerState::Closing => "closing",
        },
        r#type: "network",
        protocol: "AMQP 0-9-1",
        auth_mechanism: identity.mechanism.clone(),
        host: peer.to.ip().to_string(),
        port: peer.to.port(),
        peer_host: peer.from.ip().to_string(),
        peer_port: peer.from.port(),
        ssl: identity.tls.is_some(),
        ssl_protocol: identity.tls.as_ref().map(|tls| tls.protocol.to_owned()),
        ssl_key_exchange: None,
        ssl_cipher: identity.tls.as_ref().map(|tls| tls.cipher.clone()),
        ssl_hash: None,
        peer_cert_subject: certificate.map(|each| each.subject.clone()),
        peer_cert_issuer: certificate.map(|each| each.issuer.clone()),
        peer_cert_validity: certificate.map(|each| each.validity.clone()),
        channels: peer.channel_count(),
        channel_max: identity.agreed.channel_max,
        frame_max: identity.agreed.frame_max,
        timeout: identity.agreed.heartbeat,
        connected_at: milliseconds(peer.connected_at),
        client_properties: Arguments(identity.client.table().clone()),
        recv_oct: received,
        recv_oct_details,
        recv_cnt: peer.socket.received.get(),
        send_oct: sent,
        send_oct_details,
        send_cnt: peer.socket.sent.get(),
        send_pend: peer.outbox.lock().waiting_bytes(),
    }
}

/// Milliseconds since 1970.
pub(super) fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The connections that the caller may see.
pub(super) fn peers(api: &Api, caller: &Caller) -> Vec<Arc<Peer>> {
    let mut all = api.broker.peers.open();
    all.retain(|peer| visible(caller, peer));
    all
}

fn visible(caller: &Caller, peer: &Peer) -> bool {
    peer.identity().is_some_and(|identity| caller.sees_connection_of(&identity.user))
}

/// The connection of a name, if the caller may see it.
pub(super) fn find(api: &Api, caller: &Caller, name: &str) -> Result<Arc<Peer>, Problem> {
    let mut all = api.broker.peers.open().into_iter();
    let peer = all.find(|peer| peer.name() == name).ok_or_else(Problem::not_found)?;
    if visible(caller, &peer) {
        return Ok(peer);
    }
    Err(Problem::not_authorised("User not authorised to access connection"))
}

async fn all(State(api): State<Arc<Api>>, caller: Caller, Query(query): Query) -> Answer {
    list(query, move |query| views(&api, &peers(&api, &caller), &query.ages)).await
}

fn views(api: &Api, peers: &[Arc<Peer>], ages: &Ages) -> Vec<ConnectionView> {
    peers.iter().filter_map(|peer| Some(view(api, peer, peer.identity()?, ages))).collect()
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
    let peer = find(&api, &caller, &name)?;
    let identity = peer.identity().ok_or_else(Problem::not_found)?;
    Ok(columns(&view(&api, &peer, identity, &query.ages), &query))
}

async fn close(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
    headers: HeaderMap,
) -> Answer {
    let peer = find(&api, &caller, &name)?;
    order_close(&peer, &caller, &headers);
    Ok(done())
}

fn order_close(peer: &Peer, caller: &Caller, headers: &HeaderMap) {
    let reason = headers.get("x-reason").and_then(|reason| reason.to_str().ok());
    let reason: String =
        reason.unwrap_or("Closed via management plugin").chars().take(MAX_REASON).collect();
    tracing::info!(connection = %peer.name(), by = %caller.user, %reason, "closed by an operator");
    peer.outbox.order_close(Fault::forced(&reason));
}

async fn channels_of(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
    Query(query): Query,
) -> Answer {
    let peer = find(&api, &caller, &name)?;
    list(query, move |query| channels::views(&api, &[peer], &query.ages)).await
}

/// Sessions are AMQP 1.0's; these connections have none.
async fn sessions_of(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Answer {
    find(&api, &caller, &name)?;
    Ok(super::answer::object(&[(); 0]))
}

async fn of_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(user): Named<String>,
    Query(query): Query,
) -> Answer {
    let peers = peers_of(&api, &caller, &user)?;
    list(query, move |_| {
        let view = |peer: Arc<Peer>| UserConnectionView {
            name: peer.name(),
            vhost: peer.identity().map(|each| each.vhost.name.to_string()).unwrap_or_default(),
            user: user.clone(),
            node: api.node.clone(),
        };
        peers.into_iter().map(view).collect()
    })
    .await
}

async fn close_of_user(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(user): Named<String>,
    headers: HeaderMap,
) -> Answer {
    for peer in peers_of(&api, &caller, &user)? {
        order_close(&peer, &caller, &headers);
    }
    Ok(done())
}

fn peers_of(api: &Api, caller: &Caller, user: &str) -> Result<Vec<Arc<Peer>>, Problem> {
    if !caller.is_administrator() && caller.user.as_str() != user {
        return Err(Problem::not_authorised("User not authorised to access connection"));
    }
    let mut all = api.broker.peers.open();
    all.retain(|peer| peer.identity().is_some_and(|each| each.user.as_str() == user));
    Ok(all)
}
