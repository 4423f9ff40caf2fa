//! What a redelivered message says of how often it came back.

use super::Queue;
use super::deliveries::Deliveries;
use super::options::QueueKind;
use crate::message::{Message, Parts};
use crate::wire::content::{ContentHeader, Property, Replacement, replace};
use crate::wire::table::Value;

const ACQUIRED: &str = "x-acquired-count";
const FAILED: &str = "x-delivery-count";

impl Queue {
    /// Where deliveries are limited, a message that came back says how often that counted
    /// (`x-delivery-count`); in a quorum queue, always, and how often it came back at all
    /// (`x-acquired-count`, RabbitMQ 4.3).
    pub(super) fn with_counts(&self, message: Message, deliveries: Deliveries) -> Message {
        let Some(settings) = self.settings() else { return message };
        let quorum = settings.kind == QueueKind::Quorum;
        if !quorum && settings.delivery_limit.is_none() {
            return message;
        }
        let headers = ContentHeader::parse(message.header()).ok();
        let headers = headers.and_then(|header| header.properties.headers).unwrap_or_default();
        let mut counted = headers.without_any(&[ACQUIRED, FAILED]).extend();
        let number = |count: u64| Value::I64(i64::try_from(count).unwrap_or(i64::MAX));
        if quorum {
            counted.push(ACQUIRED, number(deliveries.returned()));
        }
        if deliveries.failed() > 0 {
            counted.push(FAILED, number(deliveries.failed()));
        }
        let counted = counted.build();
        let with = Replacement::Table(counted.as_ref());
        Message::from_parts(Parts {
            exchange: message.exchange(),
            routing_key: message.routing_key(),
            header: &replace(message.header(), Property::Headers, with),
            body: message.body(),
            persistent: message.is_persistent(),
            priority: message.priority(),
            expires: message.expires(),
            died: message.has_died(),
        })
    }
}
