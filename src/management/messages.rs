//! Messages published and fetched over HTTP. For tests and repairs: for anything more there is
//! AMQP.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, object};
use super::api::Api;
use super::bindings::NOBODY;
use super::caller::Caller;
use super::exchanges::default_name;
use super::fields::{Fields, Named};
use super::problem::Problem;
use super::properties;
use super::routes::Routes;
use crate::auth::{Resource, Right};
use crate::broker::access::{Access, Denied};
use crate::broker::publish::{Addressing, Publisher, Reached};
use crate::broker::vhost::Vhost;
use crate::message::{Message, Parts};
use crate::names::LogPosition;
use crate::protocol::fault::Fault;
use crate::protocol::publish_rules::{check, more_keys};
use crate::queue::{Delivery, Outcome, Return};
use crate::wire::content::{ContentHeader, Property, Replacement, replace};

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/exchanges/{vhost}/{name}/publish", post(publish))
        .route("/queues/{vhost}/{name}/get", post(get))
}

/// How a payload is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As text if it is text.
    Auto,
    Base64,
}

impl Encoding {
    pub(super) fn parse(name: Option<&str>) -> Result<Self, Problem> {
        match name {
            Some("auto") => Ok(Self::Auto),
            Some("base64") => Ok(Self::Base64),
            Some(_) | None => {
                Err(Problem::bad_request("Unsupported encoding. Please use auto or base64."))
            }
        }
    }
}

async fn publish(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, exchange)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    fields.must_have(&["routing_key", "properties", "payload", "payload_encoding"])?;
    let exchange = default_name(&exchange);
    let exists = vhost.look(|topology| topology.exchange_named(exchange).is_some());
    if !exchange.is_empty() && !exists {
        return Err(Problem::missing("exchange_not_found"));
    }
    may.must_access(Right::Write, Resource::Exchange(exchange)).await?;
    let mut access = api.access(&caller, &vhost);
    let body = payload(&fields)?;
    let limit = api.broker.config.limits.max_message_size;
    if body.len() as u64 > limit {
        return Err(Problem::of_publish(&Fault::message_too_large(body.len() as u64, limit)));
    }
    let routing_key = fields.text("routing_key")?.unwrap_or_default();
    if routing_key.len() > 255 {
        return Err(Problem::bad_request("a routing key has at most 255 bytes"));
    }
    let properties = match fields.get("properties") {
        Some(Value::Object(properties)) => Fields::of(properties.clone()),
        Some(Value::Array(empty)) if empty.is_empty() => Fields::default(),
        Some(_) | None => return Err(Problem::bad_request("properties must be an object")),
    };
    let header = properties::to_header(body.len(), &properties)?;
    let parsed = ContentHeader::parse(&header).map_err(Problem::bad_request)?;
    check(&parsed.properties, || access.may_claim())
        .map_err(|fault| Problem::of_publish(&fault))?;
    let more = more_keys(&parsed.properties).map_err(|fault| Problem::of_publish(&fault))?;
    // Nobody who receives the message may see who else did.
    let without_bcc = parsed.properties.headers.filter(|_| more.blind).map(|headers| {
        let kept = headers.without("BCC");
        replace(&header, Property::Headers, Replacement::Table(kept.as_ref()))
    });
    let message = Message::from_parts(Parts {
        exchange: exchange.as_bytes(),
        routing_key: routing_key.as_bytes(),
        header: without_bcc.as_ref().unwrap_or(&header),
        body: &body,
        persistent: parsed.properties.is_persistent(),
        priority: parsed.properties.priority,
        expires: parsed.properties.expiration.is_some(),
        died: false,
    });
    let how = Addressing { headers: parsed.properties.headers, more_keys: &more.keys, channel: 0 };
    let (routed, position) = publish_one(&api, &vhost, access, message, how).await?;
    api.safe(position).await;
    Ok(object(&json!({"routed": routed})))
}

async fn publish_one(
    api: &Api,
    vhost: &Arc<Vhost>,
    access: Access,
    mut message: Message,
    how: Addressing<'_>,
) -> Result<(bool, LogPosition), Problem> {
    let reply_tos = Arc::clone(&api.broker.reply_tos);
    let mut publisher = Publisher::new(Arc::clone(vhost), reply_tos, access);
    let reached = loop {
        match publisher.publish(message, how) {
            Ok(reached) => break reached,
            Err(Denied::Refused(fault)) => return Err(Problem::of_publish(&fault)),
            Err(Denied::Unasked(question, again)) => {
                message = again;
                let who = Arc::clone(publisher.access.principal());
                let auth = Arc::clone(&api.broker.auth);
                let verdict = auth.ask(who, (*question).clone()).await;
                publisher.access.note(*question, verdict);
            }
        }
    };
    let position = publisher.flush();
    match reached {
        Reached::Nobody => Ok((false, position)),
        Reached::Queues => Ok((true, position)),
        Reached::NotAll => Err(Problem::bad_request("a queue that is full refused the message")),
    }
}

fn payload(fields: &Fields) -> Result<Vec<u8>, Problem> {
    let Some(Value::String(payload)) = fields.get("payload") else {
        return Err(Problem::bad_request("payload_not_string"));
    };
    match fields.get("payload_encoding").and_then(Value::as_str) {
        Some("string") => Ok(payload.clone().into_bytes()),
        Some("base64") => STANDARD
            .decode(payload)
            .map_err(|_| Problem::bad_request_value(json!(["not_base64", payload]))),
        Some(_) | None => {
            let encoding = fields.get("payload_encoding");
            Err(Problem::bad_request_value(json!(["unsupported_encoding", encoding])))
        }
    }
}

/// What a message is, as RabbitMQ gives it.
#[derive(Serialize)]
pub(super) struct ContentView {
    payload_bytes: usize,
    exchange: String,
    routing_key: String,
    properties: Map<String, Value>,
    payload: String,
    payload_encoding: &'static str,
}

/// A message as RabbitMQ gives it.
#[derive(Serialize)]
struct MessageView {
    #[serde(flatten)]
    content: ContentView,
    redelivered: bool,
    message_count: usize,
}

async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((vhost, name)): Named<(String, String)>,
    fields: Fields,
) -> Answer {
    let (vhost, may) = api.entered(&caller, &vhost).await?;
    if vhost.look(|topology| topology.queue(&name)).is_none() {
        return Err(Problem::missing("queue_not_found"));
    }
    may.must_access(Right::Read, Resource::Queue(&name)).await?;
    fields.must_have(&["ackmode", "count", "encoding"])?;
    let outcome = outcome(&fields)?;
    let encoding = Encoding::parse(fields.text("encoding")?.as_deref())?;
    // RabbitMQ takes everything if the count is negative.
    let most = fields.integer("count")?.unwrap_or(0);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let truncate = fields.integer("truncate")?.and_then(|bytes| usize::try_from(bytes).ok());
    let queue = vhost.queue_for(&name, NOBODY)?;
    // What memory has no room for is read from disk.
    let taken = tokio::task::spawn_blocking(move || {
        let taken = queue.take(most, outcome);
        let view = |(delivery, left): &(Delivery, usize)| view(delivery, *left, truncate, encoding);
        taken.iter().map(view).collect::<Vec<_>>()
    });
    let taken = taken.await.expect("fetching does not panic and is not cancelled");
    Ok(object(&taken))
}

fn outcome(fields: &Fields) -> Result<Outcome, Problem> {
    let mode = fields.text("ackmode")?.unwrap_or_default();
    match mode.as_str() {
        "ack_requeue_true" => Ok(Outcome::Requeue(Return::Nacked)),
        "reject_requeue_true" => Ok(Outcome::Requeue(Return::Rejected)),
        "ack_requeue_false" => Ok(Outcome::Accept),
        "reject_requeue_false" => Ok(Outcome::Discard),
        _ => Err(Problem::bad_request(format_args!(
            "Invalid ackmode value: {mode}. Valid values are: ack_requeue_true, \
             ack_requeue_false, reject_requeue_true, reject_requeue_false"
        ))),
    }
}

fn view(
    delivery: &Delivery,
    left: usize,
    truncate: Option<usize>,
    encoding: Encoding,
) -> MessageView {
    MessageView {
        content: ContentView::of(&delivery.message, truncate, encoding),
        redelivered: delivery.redelivered,
        message_count: left,
    }
}

impl ContentView {
    /// A message, with so many bytes of its body at most.
    pub(super) fn of(message: &Message, truncate: Option<usize>, encoding: Encoding) -> Self {
        let body = message.body();
        let body = &body[..body.len().min(truncate.unwrap_or(usize::MAX))];
        let text = if encoding == Encoding::Auto { std::str::from_utf8(body).ok() } else { None };
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            payload_bytes: message.body_len(),
            exchange: text_of(message.exchange()),
            routing_key: text_of(message.routing_key()),
            properties: properties::of_header(message.header()),
            payload: text.map_or_else(|| STANDARD.encode(body), str::to_owned),
            payload_encoding: if text.is_some() { "string" } else { "base64" },
        }
    }
}
