//! Health checks. Being alive is one thing, being ready another: an alarm does not make a broker
//! dead, and a broker that lets nobody publish does not say that all is well.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::answer::{Answer, object};
use super::api::Api;
use super::caller::Caller;
use super::fields::Named;
use super::overview::listeners;
use super::problem::Problem;
use super::routes::Routes;
use crate::metrics::sampler;

pub(super) fn routes() -> Routes {
    let fine = || get(async |_: Caller| well());
    Routes::new()
        .route("/aliveness-test/{vhost}", get(aliveness))
        .route("/healthchecks/node", fine())
        .route("/healthchecks/node/{name}", get(node))
        .route("/health/checks/alarms", get(alarms))
        .route("/health/checks/local-alarms", get(alarms))
        .route("/health/checks/certificate-expiration/{within}/{unit}", get(certificates))
        .route("/health/checks/port-listener/{port}", get(port_listener))
        .route("/health/checks/protocol-listener/{protocol}", get(protocol_listener))
        .route("/health/checks/virtual-hosts", fine())
        .route("/health/checks/node-is-quorum-critical", get(single_node))
        .route("/health/checks/node-is-mirror-sync-critical", get(single_node))
        .route("/health/checks/quorum-queues-without-elected-leaders/all-vhosts", fine())
        .route(
            "/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}",
            fine(),
        )
        .route(
            "/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}",
            get(leaders_of_vhost),
        )
        .route(
            "/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}",
            get(leaders_of_pattern),
        )
        .route("/health/checks/ready-to-serve-clients", get(ready))
        .route("/health/checks/is-in-service", get(in_service))
        .route("/health/checks/below-node-connection-limit", get(below_connection_limit))
        .route("/health/checks/reached-target-cluster-size", fine())
        .route("/health/checks/metadata-store/initialized", fine())
        .route("/health/checks/metadata-store/initialized/with-data", get(in_service))
}

/// `GET /health`, for probes without credentials: it answers, so it is alive.
pub(super) async fn liveness() -> Response {
    object(&json!({"status": "ok"}))
}

fn well() -> Answer {
    Ok(object(&json!({"status": "ok"})))
}

fn ill(reason: &str, mut more: Value) -> Response {
    more["status"] = "failed".into();
    more["reason"] = reason.into();
    (StatusCode::SERVICE_UNAVAILABLE, Json(more)).into_response()
}

async fn aliveness(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
) -> Answer {
    api.vhost(&caller, &vhost)?;
    well()
}

async fn node(State(api): State<Arc<Api>>, _: Caller, Named(name): Named<String>) -> Answer {
    if name == api.node { well() } else { Err(Problem::not_found()) }
}

/// The alarms that are up.
pub(super) fn raised(api: &Api) -> Vec<Value> {
    let shared = &api.broker.shared;
    let all = [(shared.is_low_on_memory(), "memory"), (shared.disk.is_low(), "disk")];
    let up = all.into_iter().filter(|(up, _)| *up);
    up.map(|(_, resource)| json!({"node": api.node, "resource": resource})).collect()
}

async fn alarms(State(api): State<Arc<Api>>, _: Caller) -> Answer {
    let raised = raised(&api);
    if raised.is_empty() {
        return well();
    }
    Ok(ill("There are alarms in effect in the cluster", json!({"alarms": raised})))
}

/// Certificates that expire soon, or have expired.
async fn certificates(
    State(api): State<Arc<Api>>,
    _: Caller,
    Named((within, unit)): Named<(String, String)>,
) -> Answer {
    let Ok(within) = within.parse::<u32>() else {
        return Err(Problem::bad_request("Invalid expiration value."));
    };
    let days = match unit.as_str() {
        "days" => 1,
        "weeks" => 7,
        "months" => 30,
        "years" => 365,
        _ => {
            return Err(Problem::bad_request(
                "Time unit not recognised. Supported units: days, weeks, months, years.",
            ));
        }
    };
    let until = sampler::now() as i64 / 1000 + i64::from(within) * days * 86_400;
    let expiries = api.tls.as_ref().map(|tls| tls.expiries()).unwrap_or_default();
    let soon = expiries.into_iter().filter(|expiry| expiry.at <= until);
    let expired: Vec<Value> = soon
        .map(|expiry| {
            let (file, date) = match expiry.setting {
                "tls.ca" => ("cacertfile", "cacertfile_expires_on"),
                _ => ("certfile", "certfile_expires_on"),
            };
            json!({
                "node": api.node, "protocol": "amqp/ssl", "setting": expiry.setting,
                "port": api.ports.amqps.map(|address| address.port()),
                file: expiry.file, date: [expiry.date],
            })
        })
        .collect();
    if expired.is_empty() {
        return well();
    }
    Ok(ill("Certificates expiring", json!({"expired": expired})))
}

async fn port_listener(
    State(api): State<Arc<Api>>,
    _: Caller,
    Named(port): Named<String>,
) -> Answer {
    let port: u16 = port.parse().map_err(|_| Problem::bad_request("Invalid port"))?;
    let ports: Vec<u16> = listeners(&api).iter().map(|listener| listener.port).collect();
    if ports.contains(&port) {
        return Ok(object(&json!({"status": "ok", "port": port})));
    }
    Ok(ill("No active listener", json!({"missing": port, "ports": ports})))
}

async fn protocol_listener(
    State(api): State<Arc<Api>>,
    _: Caller,
    Named(wanted): Named<String>,
) -> Answer {
    let protocols: Vec<&str> = listeners(&api).iter().map(|each| each.protocol).collect();
    let of = |name: &str| match name {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" => "amqp".to_owned(),
        other => other.to_owned(),
    };
    if wanted.split(',').any(|name| protocols.contains(&of(name).as_str())) {
        return Ok(object(&json!({"status": "ok", "protocols": protocols})));
    }
    let missing: Vec<&str> = wanted.split(',').collect();
    Ok(ill("No active listener", json!({"missing": missing, "protocols": protocols})))
}

async fn single_node(_: Caller) -> Answer {
    Ok(object(&json!({"status": "ok", "reason": "single node cluster"})))
}

async fn leaders_of_vhost(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(vhost): Named<String>,
) -> Answer {
    api.vhost(&caller, &vhost)?;
    well()
}

async fn leaders_of_pattern(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, _)): Named<(String, String)>,
) -> Answer {
    api.vhost(&caller, &vhost)?;
    well()
}

/// Whether the store works: without it nothing is accepted.
fn store_failure(api: &Api) -> Option<Response> {
    let failure = api.broker.shared.store.as_ref()?.failure()?;
    Some(ill("the store has failed", json!({"failure": failure.to_string()})))
}

/// Ready is who can be connected to and published to: the store works, there is a place for one
/// more connection.
async fn ready(State(api): State<Arc<Api>>, _: Caller) -> Answer {
    if let Some(failed) =
        store_failure(&api).or_else(|| suspended(&api)).or_else(|| too_many_connections(&api))
    {
        return Ok(failed);
    }
    well()
}

async fn in_service(State(api): State<Arc<Api>>, _: Caller) -> Answer {
    store_failure(&api).map_or_else(well, Ok)
}

fn suspended(api: &Api) -> Option<Response> {
    let suspended = !api.broker.control.is_accepting();
    suspended.then(|| ill("the listeners are suspended", json!({})))
}

fn too_many_connections(api: &Api) -> Option<Response> {
    let (limit, connections) = (api.broker.config.amqp.max_connections, api.broker.peers.len());
    let reached = limit != 0 && connections >= limit;
    reached.then(|| {
        let more = json!({"connections": connections, "limit": limit});
        ill("node connection limit is reached", more)
    })
}

async fn below_connection_limit(State(api): State<Arc<Api>>, _: Caller) -> Answer {
    too_many_connections(&api).map_or_else(well, Ok)
}
