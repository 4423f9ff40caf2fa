//! Exchanges that do more with messages than route them: those that remember, and those that let
//! messages wait.

use std::sync::Arc;

use super::history::Bounds;
use super::live_queue::{Found, LiveQueue};
use super::schedule::{Due, Schedule, ScheduleRow, Scheduled};
use super::vhost::Vhost;
use crate::message::{Message, Parts};
use crate::names::{LogPosition, QueueId};
use crate::protocol::publish_rules::more_keys;
use crate::routing::Envelope;
use crate::store::Together;
use crate::topology::{Destination, ExchangeId, Passage, Station, Stations, delay};
use crate::wire::content::ContentHeader;
use crate::wire::table::TableRef;

/// What happens to one message at the exchanges on its way.
pub(super) struct Taps<'a> {
    vhost: &'a Vhost,
    message: &'a Message,
    headers: Option<TableRef<'a>>,
    /// What keeping it counts together with.
    together: Option<&'a Together>,
    /// What makes it safe where it is kept.
    pub(super) safe_at: LogPosition,
}

impl<'a> Taps<'a> {
    /// For a message with these headers.
    pub(super) fn new(
        vhost: &'a Vhost,
        message: &'a Message,
        headers: Option<TableRef<'a>>,
        together: Option<&'a Together>,
    ) -> Self {
        Self { vhost, message, headers, together, safe_at: LogPosition::default() }
    }
}

impl Stations for Taps<'_> {
    fn reached(&mut self, exchange: ExchangeId, station: &Station) -> Passage {
        let shared = self.vhost.shared();
        if let Some(messages) = station.history {
            let bounds = Bounds { messages, bytes: shared.history_bytes };
            self.vhost.histories.remember(exchange, self.message, self.headers, bounds);
        }
        let due = |headers| delay::due(headers, shared.clock.now());
        let Some(at) = self.headers.filter(|_| station.delays).and_then(due) else {
            return Passage::On;
        };
        let row = || {
            let (vhost, exchange) = (self.vhost.name.to_string(), station.exchange.to_string());
            station.durable.then_some(ScheduleRow { vhost, exchange })
        };
        let schedule = self.vhost.schedules.of(exchange, shared, row);
        self.safe_at = self.safe_at.max(schedule.hold(self.message, at, self.together));
        Passage::Held
    }
}

/// What exchanges have kept.
impl Vhost {
    /// How many messages wait at an exchange, if there is such an exchange.
    pub fn scheduled_count(&self, exchange: &str) -> Option<usize> {
        let id = self.look(|topology| topology.exchange_id(exchange))?;
        Some(self.schedules.get(id).map_or(0, |schedule| schedule.len()))
    }

    /// Messages that wait at an exchange, in the order in which they are due, beginning behind
    /// `after`. What a restart found and nobody has read yet is not listed. Reads files.
    pub fn scheduled(&self, exchange: &str, after: Option<Due>, most: usize) -> Vec<Scheduled> {
        let schedule = self.schedule(exchange);
        schedule.map_or_else(Vec::new, |schedule| schedule.list(after, most))
    }

    /// Takes a message out that waits at an exchange. False if it does not, or not any more.
    pub fn cancel_scheduled(&self, exchange: &str, due: Due) -> bool {
        self.schedule(exchange).is_some_and(|schedule| schedule.cancel(due))
    }

    fn schedule(&self, exchange: &str) -> Option<Arc<Schedule>> {
        let id = self.look(|topology| topology.exchange_id(exchange))?;
        self.schedules.get(id)
    }

    /// Takes a schedule back, at start, when its exchange is there.
    pub(super) fn restore_schedule(&self, row: ScheduleRow, id: QueueId, found: Found) {
        let exchange = self.look(|topology| topology.exchange_id(&row.exchange));
        match exchange {
            Some(exchange) => {
                let schedule = Schedule::new(id, Some(row), found, self.shared());
                self.schedules.restore(exchange, schedule);
            }
            // It was being deleted with its exchange.
            None => {
                self.shared().write_rows(&[row.gone()], &[id]);
            }
        }
    }

    /// Gives a destination that was bound the history of the exchange. What is published at the
    /// same time may come before it.
    pub(super) fn catch_up(&self, from: ExchangeId, to: Destination) -> LogPosition {
        let mut position = LogPosition::default();
        for message in self.histories.of(from) {
            let safe_at = match to {
                Destination::Queue(queue) => self.publish_to(&[queue], &message, None),
                Destination::Exchange(exchange) => self.publish_from(exchange, &message, None),
            };
            position = position.max(safe_at);
        }
        position
    }

    /// A message was due: it goes on from the exchange where it waited.
    pub(super) fn let_go(
        &self,
        exchange: ExchangeId,
        message: &Message,
        together: Option<&Together>,
    ) {
        let Some(header) = delay::waited(message.header()) else {
            self.publish_from(exchange, message, together);
            return;
        };
        let message = Message::from_parts(Parts {
            exchange: message.exchange(),
            routing_key: message.routing_key(),
            header: &header,
            body: message.body(),
            persistent: message.is_persistent(),
            priority: message.priority(),
            expires: message.expires(),
            died: message.has_died(),
        });
        self.publish_from(exchange, &message, together);
    }

    /// Routes a message from an exchange on and publishes it.
    fn publish_from(
        &self,
        exchange: ExchangeId,
        message: &Message,
        together: Option<&Together>,
    ) -> LogPosition {
        let header = ContentHeader::parse(message.header()).ok();
        let properties = header.map(|header| header.properties).unwrap_or_default();
        let more = more_keys(&properties).unwrap_or_default();
        let mut keys = vec![message.routing_key()];
        keys.extend(&more.keys);
        let mut taps = Taps::new(self, message, properties.headers, together);
        let envelope = Envelope {
            keys: &keys,
            headers: properties.headers,
            properties: message.header(),
            chance: rand::random(),
        };
        let routed = self.look(|topology| topology.route_from(exchange, &envelope, &mut taps));
        taps.safe_at.max(self.publish_to(&routed.queues, message, together))
    }

    fn publish_to(
        &self,
        queues: &[QueueId],
        message: &Message,
        together: Option<&Together>,
    ) -> LogPosition {
        if queues.len() > 1 {
            message.fan_out();
        }
        let live = queues.iter().filter_map(|id| self.live(*id));
        let publish = |queue: Arc<LiveQueue>| queue.publish(&mut vec![message.clone()], together);
        live.map(publish).fold(LogPosition::default(), LogPosition::max)
    }
}
