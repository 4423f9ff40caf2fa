//! What a span says, by OpenTelemetry's semantic conventions for messaging and RabbitMQ
//! (<https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/>), as the broker sees it: who
//! publishes sends to it, so that it receives; who is handed a message is sent one.
//!
//! What the conventions have no name for begins with `warren.`.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::context::{Context, trace_state};
use super::step::{Delivered, Refused, Settled, Step, What};
use crate::names::QueueName;
use crate::wire::content::{Property, property};

/// The version of the conventions.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// W3C flags: sampled. A span that is told is.
const SAMPLED: u32 = 1;
/// It is known whether the parent is another process's span.
const HAS_IS_REMOTE: u32 = 0x100;
/// It is.
const IS_REMOTE: u32 = 0x200;

/// The broker, as spans name it.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its host's name.
    pub address: String,
    /// Its AMQP port.
    pub port: u16,
}

/// Attributes in the order in which they are told.
pub struct Attributes(Vec<KeyValue>);

/// As many as a span mostly has.
const ATTRIBUTES: usize = 16;

impl Default for Attributes {
    fn default() -> Self {
        Self(Vec::with_capacity(ATTRIBUTES))
    }
}

impl Attributes {
    /// With a text.
    #[must_use]
    pub fn text(self, key: &str, text: impl Into<String>) -> Self {
        self.with(key, Value::StringValue(text.into()))
    }

    fn text_if(self, key: &str, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    fn number(self, key: &str, number: u64) -> Self {
        self.with(key, Value::IntValue(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn flag_if_set(self, key: &str, set: bool) -> Self {
        if set { self.with(key, Value::BoolValue(true)) } else { self }
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
        self
    }

    /// All of them.
    pub fn build(self) -> Vec<KeyValue> {
        self.0
    }
}

/// What an operation is called, by the broker and by the conventions.
struct Operation {
    name: &'static str,
    kind: &'static str,
    span: SpanKind,
}

impl Operation {
    fn of(what: &What) -> Self {
        let (name, kind, span) = match what {
            What::Published { .. } => ("publish", "receive", SpanKind::Consumer),
            What::Routed { .. } => ("route", "", SpanKind::Internal),
            What::Enqueued { .. } => ("enqueue", "", SpanKind::Internal),
            What::Delivered(_) => ("deliver", "send", SpanKind::Producer),
            What::Settled { how, .. } => (how.name(), "settle", SpanKind::Server),
        };
        Self { name, kind, span }
    }
}

impl Settled {
    fn name(self) -> &'static str {
        match self {
            Self::Acked => "ack",
            Self::Discarded | Self::RejectedBack => "reject",
            Self::NackedBack => "nack",
            Self::Released => "release",
        }
    }

    fn outcome(self) -> &'static str {
        match self {
            Self::Acked => "acked",
            Self::Discarded => "discarded",
            Self::NackedBack | Self::RejectedBack | Self::Released => "requeued",
        }
    }
}

/// The span of a step.
pub fn span(step: &Step, host: &Host) -> Span {
    let Step { trace, span, parent, began, ended, message, what, .. } = step;
    let operation = Operation::of(what);
    let queue = queue(what);
    let key = String::from_utf8_lossy(message.routing_key());
    let exchange = String::from_utf8_lossy(message.exchange());
    let destination = destination(&exchange, &key, queue);
    let anonymous = is_anonymous(queue.unwrap_or(&key));
    let header = message.header();
    let text =
        |which| property(header, which).map(|text| String::from_utf8_lossy(text).into_owned());
    let attributes = Attributes::default()
        .text("messaging.system", "rabbitmq")
        .text("messaging.operation.name", operation.name)
        .text_if("messaging.operation.type", Some(operation.kind).filter(|kind| !kind.is_empty()))
        .text("messaging.destination.name", &destination)
        .flag_if_set("messaging.destination.anonymous", anonymous)
        .text_if(
            "messaging.rabbitmq.destination.routing_key",
            Some(&*key).filter(|key| !key.is_empty()),
        )
        .number("messaging.message.body.size", message.body_len() as u64)
        .text_if("messaging.message.id", text(Property::MessageId))
        .text_if("messaging.message.conversation_id", text(Property::CorrelationId))
        .text("server.address", &host.address)
        .number("server.port", host.port.into())
        .text("warren.vhost", step.vhost.as_str())
        .text_if("warren.queue", queue);
    let (attributes, status) = particulars(what, attributes);
    // An anonymous destination's name is another one each time.
    let name =
        if anonymous { operation.name.into() } else { format!("{} {destination}", operation.name) };
    let creation = Context::of_message(header);
    let is_clients = matches!(what, What::Published { .. } | What::Enqueued { .. })
        && creation.is_some_and(|context| Some(context.span) == *parent);
    let remote = if is_clients { IS_REMOTE } else { 0 };
    let state = trace_state(header).unwrap_or_default();
    // Those who do not look at parents find the message's origin here.
    let links = match (what, creation) {
        (What::Delivered(_), Some(creation)) => vec![link(creation, state)],
        _ => Vec::new(),
    };
    Span {
        trace_id: trace.0.to_be_bytes().into(),
        span_id: span.0.to_be_bytes().into(),
        trace_state: state.into(),
        parent_span_id: parent.map_or_else(Vec::new, |parent| parent.0.to_be_bytes().into()),
        flags: SAMPLED | HAS_IS_REMOTE | remote,
        name,
        kind: operation.span.into(),
        start_time_unix_nano: *began,
        end_time_unix_nano: *ended,
        attributes: attributes.build(),
        links,
        status,
        ..Span::default()
    }
}

/// What only some steps have to say.
fn particulars(what: &What, all: Attributes) -> (Attributes, Option<Status>) {
    match what {
        What::Published { channel, refused } => {
            let all = all.number("warren.channel", (*channel).into());
            let Some(refused) = refused else { return (all, None) };
            let why = match refused {
                Refused::Fault(name) => name,
                Refused::QueueFull => "queue_full",
            };
            (all.text("error.type", why), Some(failed(why)))
        }
        What::Routed { reached } => {
            (all.text("warren.outcome", if *reached { "routed" } else { "unroutable" }), None)
        }
        What::Enqueued { durable, .. } => (all.flag_if_set("warren.durable", *durable), None),
        What::Delivered(Delivered { consumer, tag, redelivered, .. }) => {
            let all = match tag {
                Some((channel, tag)) => all
                    .number("messaging.rabbitmq.message.delivery_tag", *tag)
                    .number("warren.channel", (*channel).into()),
                None => all,
            };
            let all = all
                .text_if("warren.consumer_tag", consumer.as_ref().map(|tag| tag.as_str()))
                .flag_if_set("warren.redelivered", *redelivered);
            (all, None)
        }
        What::Settled { how, .. } => (all.text("warren.outcome", how.outcome()), None),
    }
}

fn failed(why: &str) -> Status {
    Status { message: why.into(), code: StatusCode::Error.into() }
}

fn link(context: Context, state: &str) -> Link {
    Link {
        trace_id: context.trace.0.to_be_bytes().into(),
        span_id: context.span.0.to_be_bytes().into(),
        trace_state: state.into(),
        flags: u32::from(context.sampled) | HAS_IS_REMOTE | IS_REMOTE,
        ..Link::default()
    }
}

fn queue(what: &What) -> Option<&str> {
    match what {
        What::Published { .. } | What::Routed { .. } => None,
        What::Enqueued { queue, .. } | What::Settled { queue, .. } => Some(queue.as_str()),
        What::Delivered(delivered) => delivered.queue.as_ref().map(QueueName::as_str),
    }
}

/// `exchange:key:queue`, without what is empty or said twice.
fn destination(exchange: &str, key: &str, queue: Option<&str>) -> String {
    let queue = queue.filter(|queue| *queue != key).unwrap_or_default();
    let parts = [exchange, key, queue].into_iter().filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join(":");
    if name.is_empty() { "amq.default".into() } else { name }
}

/// Whether a name was made up by the broker.
fn is_anonymous(name: &str) -> bool {
    name.starts_with("amq.gen-") || name.starts_with("amq.rabbitmq.reply-to")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, Parts};
    use crate::spans::context::{SpanId, TraceId};
    use crate::wire::content::header;
    use crate::wire::table::{TableBuilder, Value as Field};

    const PARENT: &str = "00-0000000000000000000000000000000a-000000000000000b-01";

    fn message(exchange: &str, key: &str) -> Message {
        let state = Field::Text(b"vendor=1");
        let table = TableBuilder::new().with("tracestate", state);
        let table = table.with("traceparent", Field::Text(PARENT.as_bytes())).build();
        let bytes = table.as_ref().as_bytes();
        let len = u32::try_from(bytes.len()).expect("small").to_be_bytes();
        let headers = [&len, bytes].concat();
        let header = header(
            3,
            &[
                (Property::Headers, &headers),
                (Property::CorrelationId, b"\x04call"),
                (Property::MessageId, b"\x02m1"),
            ],
        );
        Message::from_parts(Parts {
            exchange: exchange.as_bytes(),
            routing_key: key.as_bytes(),
            header: &header,
            body: b"abc",
            persistent: false,
            priority: 0,
            expires: false,
            died: false,
        })
    }

    fn told(what: What) -> Span {
        let step = Step {
            trace: TraceId(10),
            span: SpanId(12),
            parent: Some(SpanId(11)),
            began: 1,
            ended: 2,
            vhost: "/".into(),
            message: message("orders", "new"),
            what,
        };
        span(&step, &Host { address: "here".into(), port: 5672 })
    }

    fn attribute(span: &Span, key: &str) -> Option<Value> {
        let found = span.attributes.iter().find(|each| each.key == key)?;
        found.value.clone()?.value
    }

    fn text(span: &Span, key: &str) -> String {
        match attribute(span, key) {
            Some(Value::StringValue(text)) => text,
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn a_publish_by_the_conventions() {
        let span = told(What::Published { channel: 3, refused: None });
        assert_eq!(
            (span.name.as_str(), span.kind),
            ("publish orders:new", SpanKind::Consumer as i32)
        );
        assert_eq!(span.trace_id, TraceId(10).0.to_be_bytes());
        assert_eq!((span.span_id.len(), span.parent_span_id), (8, vec![0, 0, 0, 0, 0, 0, 0, 11]));
        assert_eq!((span.flags, span.trace_state.as_str()), (0x301, "vendor=1"));
        let text = |key| text(&told(What::Published { channel: 3, refused: None }), key);
        for (key, value) in [
            ("messaging.system", "rabbitmq"),
            ("messaging.operation.name", "publish"),
            ("messaging.operation.type", "receive"),
            ("messaging.destination.name", "orders:new"),
            ("messaging.rabbitmq.destination.routing_key", "new"),
            ("messaging.message.id", "m1"),
            ("messaging.message.conversation_id", "call"),
            ("server.address", "here"),
            ("warren.vhost", "/"),
        ] {
            assert_eq!(text(key), value, "{key}");
        }
    }

    #[test]
    fn a_delivery_links_to_where_the_message_came_from() {
        let delivered = Delivered {
            queue: Some("work".into()),
            consumer: Some("c".into()),
            tag: Some((1, 7)),
            redelivered: true,
        };
        let span = told(What::Delivered(delivered));
        assert_eq!(span.name, "deliver orders:new:work");
        assert_eq!(
            attribute(&span, "messaging.rabbitmq.message.delivery_tag"),
            Some(Value::IntValue(7))
        );
        assert_eq!(attribute(&span, "warren.redelivered"), Some(Value::BoolValue(true)));
        assert_eq!(span.links.len(), 1);
        assert_eq!(span.links[0].span_id, 11u64.to_be_bytes());
        assert_eq!(span.flags, 0x101, "its parent is the broker's own span");
    }

    #[test]
    fn refusals_are_errors_and_settlements_are_not() {
        let span = told(What::Published { channel: 1, refused: Some(Refused::QueueFull) });
        assert_eq!(span.status.as_ref().map(|status| status.code), Some(StatusCode::Error.into()));
        assert_eq!(text(&span, "error.type"), "queue_full");
        for (how, name, outcome) in [
            (Settled::Acked, "ack", "acked"),
            (Settled::Discarded, "reject", "discarded"),
            (Settled::NackedBack, "nack", "requeued"),
            (Settled::RejectedBack, "reject", "requeued"),
            (Settled::Released, "release", "requeued"),
        ] {
            let span = told(What::Settled { queue: "new".into(), how });
            assert_eq!(span.name, format!("{name} orders:new"));
            assert_eq!(text(&span, "warren.outcome"), outcome);
            assert_eq!(span.status, None);
        }
    }

    #[test]
    fn destinations() {
        assert_eq!(destination("e", "k", Some("q")), "e:k:q");
        assert_eq!(destination("", "q", Some("q")), "q");
        assert_eq!(destination("e", "", None), "e");
        assert_eq!(destination("", "", None), "amq.default");
        assert!(is_anonymous("amq.gen-x") && !is_anonymous("amq.topic"));
    }
}
