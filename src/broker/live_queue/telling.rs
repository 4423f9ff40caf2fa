//! What a queue tells those who watch: consumers that come and go, and messages that it hands out.

use super::LiveQueue;
use crate::broker::firehose::{self, Passing, Sight};
use crate::broker::notices::Notice;
use crate::broker::outbox::Outlet;
use crate::names::ConnectionId;
use crate::queue::Delivery;
use crate::wire::table::Value;

impl LiveQueue {
    /// Shows a message on the firehose that is handed out.
    #[cold]
    pub(super) fn show_on_firehose(&self, delivery: &Delivery, to: ConnectionId, channel: u16) {
        let Some(vhost) = self.vhost() else { return };
        if firehose::is_shown(&delivery.message) {
            return;
        }
        let what =
            Passing::Delivered { queue: self.name.clone(), redelivered: delivery.redelivered };
        self.shared.notices.push(Notice::Seen(Sight {
            vhost: vhost.name.clone(),
            message: delivery.message.clone(),
            connection: Some(to),
            channel,
            what,
        }));
    }

    pub(super) fn tell_of_consumer(&self, key: &'static str, outlet: &Outlet) {
        let vhost = self.vhost.upgrade();
        self.shared.tell(key, |facts| {
            let vhost = vhost.as_ref().map_or("", |vhost| vhost.name.as_str());
            facts
                .with("consumer_tag", Value::Text(outlet.tag.as_str().as_bytes()))
                .with("queue", Value::Text(self.name.as_str().as_bytes()))
                .with("vhost", Value::Text(vhost.as_bytes()))
                .with("ack_required", Value::Bool(!outlet.no_ack))
                .with("channel_number", Value::I32(outlet.channel.into()))
                .with("arguments", Value::Table(outlet.arguments.as_ref()))
        });
    }
}
