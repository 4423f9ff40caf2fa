//! What answers look like: which sort of thing each path gives, and the fields of each sort.
//!
//! A line for each, as for bodies. A kind with a capital is another sort, one in brackets a list;
//! `?` behind it: or null. There may be more fields than are named, and what is not marked `!` may
//! be missing.

use serde_json::{Map, Value, json};

use super::bodies::schema;

/// What is given for GET (or the method in front) of each path. `*`: a list, or with a parameter
/// that asks for pages one page of it.
const ANSWERS: &[(&str, &str)] = &[
    ("/whoami", "WhoAmI"),
    ("/overview", "Overview"),
    ("/nodes", "[Node]"),
    ("/nodes/{name}", "Node"),
    ("/extensions", "objects"),
    ("/version", "text"),
    ("/cluster-name", "Named"),
    ("/connections", "*Connection"),
    ("/vhosts/{vhost}/connections", "*Connection"),
    ("/connections/{name}", "Connection"),
    ("/connections/{name}/channels", "*Channel"),
    ("/channels", "*Channel"),
    ("/vhosts/{vhost}/channels", "*Channel"),
    ("/channels/{name}", "ChannelPage"),
    ("/consumers", "*Consumer"),
    ("/consumers/{vhost}", "*Consumer"),
    ("/exchanges", "*Exchange"),
    ("/exchanges/{vhost}", "*Exchange"),
    ("/exchanges/{vhost}/{name}", "ExchangePage"),
    ("/exchanges/{vhost}/{name}/bindings/source", "*Binding"),
    ("/exchanges/{vhost}/{name}/bindings/destination", "*Binding"),
    ("POST /exchanges/{vhost}/{name}/publish", "Routed"),
    ("/exchanges/{vhost}/{name}/scheduled", "ScheduledPage"),
    ("/queues", "*Queue"),
    ("/queues/detailed", "*Queue"),
    ("/queues/{vhost}", "*Queue"),
    ("/queues/{vhost}/{name}", "QueuePage"),
    ("/queues/{vhost}/{name}/bindings", "*Binding"),
    ("POST /queues/{vhost}/{name}/get", "[Message]"),
    ("/queues/{vhost}/{name}/peek", "PeekedPage"),
    ("POST /queues/{vhost}/{name}/move", "Moved"),
    ("/bindings", "*Binding"),
    ("/bindings/{vhost}", "*Binding"),
    ("/bindings/{vhost}/e/{source}/{kind}/{destination}", "*Binding"),
    ("/bindings/{vhost}/e/{source}/{kind}/{destination}/{props}", "Binding"),
    ("/vhosts", "*Vhost"),
    ("/vhosts/{vhost}", "Vhost"),
    ("/vhosts/{vhost}/permissions", "*Permission"),
    ("/vhosts/{vhost}/topic-permissions", "*TopicPermission"),
    ("/users", "*User"),
    ("/users/without-permissions", "*User"),
    ("/users/{name}", "User"),
    ("/users/{user}/permissions", "*Permission"),
    ("/users/{user}/topic-permissions", "*TopicPermission"),
    ("/permissions", "*Permission"),
    ("/permissions/{vhost}/{user}", "Permission"),
    ("/topic-permissions", "*TopicPermission"),
    ("/policies", "*Policy"),
    ("/policies/{vhost}", "*Policy"),
    ("/policies/{vhost}/{name}", "Policy"),
    ("/operator-policies", "*Policy"),
    ("/operator-policies/{vhost}", "*Policy"),
    ("/operator-policies/{vhost}/{name}", "Policy"),
    ("/parameters", "*Parameter"),
    ("/parameters/{component}", "*Parameter"),
    ("/parameters/{component}/{vhost}", "*Parameter"),
    ("/parameters/{component}/{vhost}/{name}", "Parameter"),
    ("/global-parameters", "*GlobalParameter"),
    ("/global-parameters/{name}", "GlobalParameter"),
    ("/vhost-limits", "[VhostLimits]"),
    ("/vhost-limits/{vhost}", "[VhostLimits]"),
    ("/user-limits", "[UserLimits]"),
    ("/user-limits/{user}", "[UserLimits]"),
    ("/feature-flags", "[FeatureFlag]"),
    ("/logs", "[LogLine]"),
    ("/definitions", "table"),
    ("/definitions/{vhost}", "table"),
    ("/all-configuration", "table"),
    ("/aliveness-test/{vhost}", "Healthy"),
    ("/health/checks/alarms", "Healthy"),
    ("/health/checks/local-alarms", "Healthy"),
    ("/health/checks/virtual-hosts", "Healthy"),
    ("/health/checks/ready-to-serve-clients", "Healthy"),
    ("/health/checks/is-in-service", "Healthy"),
];

/// Sorts of things, with their fields.
const SORTS: &[(&str, &str)] = &[
    ("Sample", "sample!:number timestamp!:number"),
    ("Rate", "rate!:real avg:real avg_rate:real samples:[Sample]"),
    ("Place", "name!:text vhost!:text"),
    ("Named", "name!:text"),
    ("WhoAmI", "name!:text tags!:names"),
    (
        "MessageStats",
        "publish:number publish_details:Rate confirm:number confirm_details:Rate \
         return_unroutable:number return_unroutable_details:Rate \
         drop_unroutable:number drop_unroutable_details:Rate deliver:number deliver_details:Rate \
         deliver_no_ack:number deliver_no_ack_details:Rate get:number get_details:Rate \
         get_no_ack:number get_no_ack_details:Rate get_empty:number get_empty_details:Rate \
         deliver_get:number deliver_get_details:Rate redeliver:number redeliver_details:Rate \
         ack:number ack_details:Rate publish_in:number publish_in_details:Rate \
         publish_out:number publish_out_details:Rate",
    ),
    (
        "Totals",
        "connections!:number channels!:number exchanges!:number queues!:number consumers!:number",
    ),
    (
        "Overview",
        "management_version!:text rabbitmq_version!:text product_name!:text product_version!:text \
         cluster_name!:text node!:text message_stats!:MessageStats queue_totals!:Lengths \
         object_totals!:Totals churn_rates!:table listeners!:objects contexts!:objects \
         exchange_types!:objects rates_mode!:text",
    ),
    (
        "Lengths",
        "messages:number messages_details:Rate messages_ready:number messages_ready_details:Rate \
         messages_unacknowledged:number messages_unacknowledged_details:Rate",
    ),
    (
        "Node",
        "name!:text running!:flag uptime!:number fd_used!:number fd_total!:number mem_used!:number \
         mem_limit!:number mem_alarm!:flag disk_free!:number disk_free_limit!:number \
         disk_free_alarm!:flag being_drained!:flag",
    ),
    ("PeerDetails", "name!:text peer_host!:text peer_port!:number"),
    (
        "Connection",
        "name!:text user_provided_name:text node!:text vhost!:text user!:text state!:text \
         protocol!:text auth_mechanism!:text host!:text port!:number peer_host!:text \
         peer_port!:number ssl!:flag channels!:number channel_max!:number frame_max!:number \
         timeout!:number connected_at!:number client_properties!:table recv_oct!:number \
         recv_oct_details!:Rate send_oct!:number send_oct_details!:Rate",
    ),
    (
        "Channel",
        "name!:text number!:number node!:text vhost!:text user!:text \
         connection_details!:PeerDetails state!:text confirm!:flag transactional!:flag \
         prefetch_count!:number global_prefetch_count!:number consumer_count!:number \
         messages_unacknowledged!:number messages_unconfirmed!:number messages_uncommitted!:number \
         acks_uncommitted!:number message_stats:MessageStats",
    ),
    (
        "ChannelPage",
        "+Channel consumer_details!:[Consumer] publishes!:[OfExchange] deliveries!:[OfQueue]",
    ),
    ("OfExchange", "exchange!:Place stats!:MessageStats"),
    ("OfQueue", "queue!:Place stats!:MessageStats"),
    ("OfChannel", "channel_details!:ChannelDetails stats!:MessageStats"),
    (
        "ChannelDetails",
        "name!:text number!:number node!:text connection_name!:text peer_host!:text \
         peer_port!:number user!:text",
    ),
    (
        "Consumer",
        "consumer_tag!:text queue!:Place channel_details!:ChannelDetails exclusive!:flag \
         ack_required!:flag prefetch_count!:number active!:flag activity_status!:text \
         arguments!:table consumer_timeout!:number",
    ),
    (
        "Exchange",
        "name!:text vhost!:text type!:text durable!:flag auto_delete!:flag internal!:flag \
         arguments!:table policy:text message_stats:MessageStats messages_delayed:number",
    ),
    ("ExchangePage", "+Exchange incoming:[OfChannel] outgoing:[OfQueue]"),
    (
        "Queue",
        "+Lengths name!:text vhost!:text type!:text durable!:flag auto_delete!:flag \
         exclusive!:flag arguments!:table node!:text state!:text policy:text? \
         operator_policy:text? effective_policy_definition!:table owner_pid_details:PeerDetails \
         messages_ram:number messages_persistent:number message_bytes:number \
         message_bytes_ready:number message_bytes_unacknowledged:number message_bytes_ram:number \
         message_bytes_persistent:number memory:number consumers:number consumer_capacity:real \
         messages_delayed:number messages_deduplicated:number message_stats:MessageStats",
    ),
    (
        "QueuePage",
        "+Queue consumer_details!:[Consumer] incoming:[OfExchange] deliveries:[OfChannel]",
    ),
    (
        "Content",
        "payload!:text payload_bytes!:number payload_encoding!:text exchange!:text \
         routing_key!:text properties!:any",
    ),
    ("Message", "+Content redelivered!:flag message_count!:number"),
    (
        "Peeked",
        "+Content position!:number state!:text retry_at!:number? redelivered!:flag \
         delivery_count!:number expires_at!:number? published_at!:number?",
    ),
    ("PeekedPage", "messages!:[Peeked] next_offset!:number? scanned!:number message_count!:number"),
    ("Scheduled", "+Content id!:text due_at!:number"),
    ("ScheduledPage", "count!:number messages!:[Scheduled] next_after!:text?"),
    ("Moved", "moved!:number unroutable!:number refused!:flag"),
    ("Routed", "routed!:flag"),
    (
        "Binding",
        "source!:text vhost!:text destination!:text destination_type!:text routing_key!:text \
         arguments!:table properties_key!:text",
    ),
    (
        "Vhost",
        "+Lengths name!:text description!:text tags!:names default_queue_type!:text \
         tracing!:flag protected_from_deletion!:flag cluster_state!:table metadata!:table \
         message_stats:MessageStats",
    ),
    ("User", "name!:text password_hash!:text hashing_algorithm!:text tags!:names limits!:table"),
    ("Permission", "user!:text vhost!:text configure!:text write!:text read!:text"),
    ("TopicPermission", "user!:text vhost!:text exchange!:text write!:text read!:text"),
    (
        "Policy",
        "vhost:text name!:text pattern!:text apply-to!:text definition!:table priority!:number",
    ),
    ("Parameter", "name!:text vhost:text component!:text value!:any"),
    ("GlobalParameter", "name!:text value!:any"),
    ("VhostLimits", "vhost!:text value!:table"),
    ("UserLimits", "user!:text value!:table"),
    (
        "FeatureFlag",
        "name!:text state!:text desc!:text doc_url!:text stability!:text provided_by!:text",
    ),
    ("LogLine", "id!:number timestamp!:text level!:text target!:text message!:text fields!:table"),
    ("Healthy", "status!:text"),
];

/// What a request is answered with, if that is described.
pub(super) fn of(method: &str, path: &str) -> Option<Value> {
    let (_, kind) = ANSWERS.iter().find(|(what, _)| asked(what) == (method, path))?;
    let Some(item) = kind.strip_prefix('*') else { return Some(kind_of(kind)) };
    let list = json!({"type": "array", "items": kind_of(item)});
    let page = object(
        "items!:objects page!:number page_count!:number page_size!:number item_count!:number \
         filtered_count!:number total_count!:number",
    );
    Some(json!({"oneOf": [list, page]}))
}

/// Method and path.
fn asked(what: &'static str) -> (&'static str, &'static str) {
    what.split_once(' ').unwrap_or(("GET", what))
}

/// The sorts of things, by name.
pub(super) fn sorts() -> Map<String, Value> {
    SORTS.iter().map(|(name, fields)| ((*name).to_owned(), object(fields))).collect()
}

/// An object with these fields, and those of another sort that has a `+`.
pub(super) fn object(fields: &str) -> Value {
    let (mut properties, mut required, mut base) = (Map::new(), Vec::new(), None);
    for field in fields.split_whitespace() {
        if let Some(sort) = field.strip_prefix('+') {
            base = Some(kind_of(sort));
            continue;
        }
        let (name, kind) = field.split_once(':').unwrap_or((field, "any"));
        let plain = name.trim_end_matches('!');
        if plain != name {
            required.push(plain);
        }
        properties.insert(plain.to_owned(), kind_of(kind));
    }
    let mut object = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    match base {
        Some(base) => json!({"allOf": [base, object]}),
        None => object,
    }
}

fn kind_of(kind: &str) -> Value {
    if let Some(kind) = kind.strip_suffix('?') {
        let mut schema = kind_of(kind);
        schema["nullable"] = json!(true);
        return schema;
    }
    if let Some(item) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        return json!({"type": "array", "items": kind_of(item)});
    }
    if kind.starts_with(char::is_uppercase) {
        return json!({"$ref": format!("#/components/schemas/{kind}")});
    }
    schema(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths whose answers are described.
    #[test]
    fn answers_are_of_routes_and_sorts_are_known() {
        let (_, paths) = crate::management::api_routes().into_parts();
        let sorts = sorts();
        let mut named = Vec::new();
        for (what, kind) in ANSWERS {
            let (_, path) = asked(what);
            assert!(paths.contains(&path), "{path} is no route");
            named.push(kind_of(kind.trim_start_matches('*')).to_string());
        }
        named.extend(sorts.values().map(ToString::to_string));
        for text in named {
            for name in text.split("#/components/schemas/").skip(1) {
                let name = name.split('"').next().unwrap_or_default();
                assert!(sorts.contains_key(name), "{name} is no sort");
            }
        }
    }
}
