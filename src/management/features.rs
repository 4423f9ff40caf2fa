//! Feature flags and deprecated features: what RabbitMQ calls its ways of changing.

use axum::routing::{get, put};
use serde::Serialize;

use super::answer::{Answer, done, list, object};
use super::caller::{Administrator, Caller};
use super::fields::{Named, Query};
use super::listing::{NameFilter, Row};
use super::problem::Problem;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/feature-flags", get(flags))
        .route("/feature-flags/{name}/enable", put(enable))
        .route("/deprecated-features", get(deprecated))
        .route("/deprecated-features/used", get(used))
}

/// A feature flag as RabbitMQ lists it. Tools ask for these before they use what they stand for.
#[derive(Serialize)]
struct Flag {
    name: &'static str,
    desc: &'static str,
    doc_url: &'static str,
    state: &'static str,
    stability: &'static str,
    require_level: &'static str,
    provided_by: &'static str,
}

impl Row for Flag {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(self.name)
    }
}

/// The flag of the series that Warren follows: the one that its next one will require.
const NEWEST: &str = "rabbitmq_4.3.0";

/// RabbitMQ 4.3's flags that mean something to its clients; each is on, and always was.
const FLAGS: [(&str, &str); 14] = [
    ("detailed_queues_endpoint", "Detailed queues HTTP API endpoint"),
    ("direct_exchange_routing_v2", "Direct exchanges are routed by an index"),
    ("drop_unroutable_metric", "Counts messages that led to no queue"),
    ("empty_basic_get_metric", "Counts basic.get from an empty queue"),
    ("implicit_default_bindings", "Default bindings are not stored"),
    ("message_containers", "Messages keep their annotations"),
    ("quorum_queue", "Queues of type `quorum`"),
    ("rabbitmq_4.0.0", "Behaves as 4.0"),
    ("rabbitmq_4.1.0", "Behaves as 4.1"),
    ("rabbitmq_4.2.0", "Behaves as 4.2"),
    (NEWEST, "Behaves as 4.3"),
    ("tracking_records_in_ets", "Connections and channels are counted in memory"),
    ("user_limits", "Limits of connections and channels for each user"),
    ("virtual_host_metadata", "Vhosts have descriptions, tags and other metadata"),
];

/// A deprecated feature as RabbitMQ lists it.
#[derive(Serialize)]
struct Deprecated {
    name: &'static str,
    desc: &'static str,
    deprecation_phase: &'static str,
    doc_url: &'static str,
    provided_by: &'static str,
    state: &'static str,
}

impl Row for Deprecated {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(self.name)
    }
}

/// What RabbitMQ refuses by now, or will: Warren goes on permitting some of it and never had the rest.
const DEPRECATED: [(&str, &str, Phase); 5] = [
    ("classic_queue_mirroring", "Copies of classic queues on other nodes", Phase::Removed),
    ("global_qos", "basic.qos with global set", Phase::Permitted),
    ("queue_master_locator", "Where a queue's first node is", Phase::Denied),
    ("ram_node_type", "Nodes that keep nothing on disk", Phase::Removed),
    ("transient_nonexcl_queues", "Queues that are neither durable nor exclusive", Phase::Permitted),
];

/// How far a feature is on its way out.
#[derive(Clone, Copy)]
enum Phase {
    Permitted,
    Denied,
    Removed,
}

impl Phase {
    /// What RabbitMQ calls the phase, and whether what is in it can be used.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Permitted => ("permitted_by_default", "permitted"),
            Self::Denied => ("denied_by_default", "denied"),
            Self::Removed => ("removed", "denied"),
        }
    }
}

async fn flags(_: Caller, Query(query): Query) -> Answer {
    let flag = |(name, desc)| Flag {
        name,
        desc,
        doc_url: "",
        state: "enabled",
        stability: if name == NEWEST { "stable" } else { "required" },
        require_level: if name == NEWEST { "none" } else { "hard" },
        provided_by: "warren",
    };
    list(query, move |_| FLAGS.map(flag).into()).await
}

async fn enable(_: Administrator, Named(name): Named<String>) -> Answer {
    // `all` is what rabbitmqctl asks for.
    if name == "all" || FLAGS.iter().any(|(flag, _)| *flag == name) {
        return Ok(done());
    }
    Err(Problem::bad_request("unsupported"))
}

async fn deprecated(_: Caller, Query(query): Query) -> Answer {
    let feature = |(name, desc, phase): (_, _, Phase)| {
        let (deprecation_phase, state) = phase.names();
        Deprecated { name, desc, deprecation_phase, doc_url: "", provided_by: "warren", state }
    };
    list(query, move |_| DEPRECATED.map(feature).into()).await
}

async fn used(_: Caller) -> Answer {
    Ok(object(&[(); 0]))
}
