//! The firehose: what passes through a vhost that is traced, shown on its `amq.rabbitmq.trace`
//! with RabbitMQ's keys (`publish.EXCHANGE`, `deliver.QUEUE`) and headers.

use super::peers::Peer;
use crate::message::{Message, Parts};
use crate::names::{ConnectionId, QueueName, VhostName};
use crate::wire::content::{ContentHeader, Property, header, property};
use crate::wire::table::{ArrayBuilder, Table, TableBuilder, TableRef, Value};

use super::notices::headers_of;

/// Where it is shown.
pub(super) const TRACE: &str = "amq.rabbitmq.trace";

/// A message that was seen passing.
pub(super) struct Sight {
    pub(super) vhost: VhostName,
    pub(super) message: Message,
    /// Whose it was, or who gets it; `None`: somebody over HTTP.
    pub(super) connection: Option<ConnectionId>,
    pub(super) channel: u16,
    pub(super) what: Passing,
}

/// Which way it went.
pub(super) enum Passing {
    /// It was published, with these further keys, and goes to these queues.
    Published { more_keys: Vec<Box<[u8]>>, queues: Vec<QueueName> },
    /// A queue handed it out.
    Delivered { queue: QueueName, redelivered: bool },
}

/// How a property is written.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Octet,
    Seconds,
    Table,
}

const PROPERTIES: [(&str, Property, Shape); 14] = [
    ("content_type", Property::ContentType, Shape::Text),
    ("content_encoding", Property::ContentEncoding, Shape::Text),
    ("headers", Property::Headers, Shape::Table),
    ("delivery_mode", Property::DeliveryMode, Shape::Octet),
    ("priority", Property::Priority, Shape::Octet),
    ("correlation_id", Property::CorrelationId, Shape::Text),
    ("reply_to", Property::ReplyTo, Shape::Text),
    ("expiration", Property::Expiration, Shape::Text),
    ("message_id", Property::MessageId, Shape::Text),
    ("timestamp", Property::Timestamp, Shape::Seconds),
    ("type", Property::Type, Shape::Text),
    ("user_id", Property::UserId, Shape::Text),
    ("app_id", Property::AppId, Shape::Text),
    ("cluster_id", Property::ClusterId, Shape::Text),
];

/// Whether a message is one that shows another: those are not shown again.
pub(super) fn is_shown(message: &Message) -> bool {
    message.exchange() == TRACE.as_bytes()
}

impl Sight {
    /// The message that shows it.
    pub(super) fn told(&self, by: Option<&Peer>, node: &str) -> Message {
        let (message, text) = (&self.message, |text: &str| text.to_owned().into_bytes());
        let mut keys = ArrayBuilder::new();
        keys.push(Value::Text(message.routing_key()));
        let (connection, user) = match by {
            Some(peer) => {
                let user = peer.identity().map_or("unknown", |identity| identity.user.as_str());
                (text(&peer.name()), text(user))
            }
            None => (text("unknown"), text("unknown")),
        };
        let mut told = TableBuilder::new();
        let key = match &self.what {
            Passing::Published { more_keys, queues } => {
                more_keys.iter().for_each(|key| keys.push(Value::Text(key)));
                let mut routed = ArrayBuilder::new();
                queues.iter().for_each(|queue| routed.push(Value::Text(queue.as_str().as_bytes())));
                told.push("routed_queues", routed.as_value());
                [b"publish.", message.exchange()].concat()
            }
            Passing::Delivered { queue, redelivered } => {
                told.push("redelivered", Value::I32((*redelivered).into()));
                [b"deliver.", queue.as_str().as_bytes()].concat()
            }
        };
        let properties = properties(message.header());
        let told = told
            .with("user", Value::Text(&user))
            .with("channel", Value::I32(self.channel.into()))
            .with("vhost", Value::Text(self.vhost.as_str().as_bytes()))
            .with("connection", Value::Text(&connection))
            .with("exchange_name", Value::Text(message.exchange()))
            .with("routing_keys", keys.as_value())
            .with("properties", Value::Table(properties.as_ref()))
            .with("node", Value::Text(node.as_bytes()))
            .build();
        let headers = headers_of(&told);
        Message::from_parts(Parts {
            exchange: TRACE.as_bytes(),
            routing_key: &key[..key.len().min(u8::MAX.into())],
            header: &header(message.body_len() as u64, &[(Property::Headers, &headers)]),
            body: message.body(),
            persistent: false,
            priority: 0,
            expires: false,
            died: false,
        })
    }
}

/// A message's properties as a table.
fn properties(header: &[u8]) -> Table {
    let mut table = TableBuilder::new();
    if ContentHeader::parse(header).is_err() {
        return table.build();
    }
    for (name, which, shape) in PROPERTIES {
        let Some(bytes) = property(header, which) else { continue };
        match shape {
            Shape::Text => table.push(name, Value::Text(bytes)),
            Shape::Octet => {
                table.push(name, Value::I32(bytes.first().copied().unwrap_or(0).into()));
            }
            Shape::Seconds => {
                let seconds = bytes.try_into().map_or(0, u64::from_be_bytes);
                table.push(name, Value::I32(i32::try_from(seconds).unwrap_or(i32::MAX)));
            }
            Shape::Table => {
                if let Ok(headers) = TableRef::checked(bytes) {
                    table.push(name, Value::Table(headers));
                }
            }
        }
    }
    table.build()
}
