//! Exchanges that do more with messages than route them: those that let duplicates go no further,
//! those that remember, and those that let messages wait.

use std::sync::Arc;

use super::deduplication::{self, Deduplicated, Firsts};
use super::history::Bounds;
use super::kept::{self, Kept, KeptRow};
use super::live_queue::{Comes, Found, Guarded, LiveQueue};
use super::schedule::{Due, Schedule, Scheduled};
use super::vhost::Vhost;
use crate::message::{Message, Parts};
use crate::names::{LogPosition, QueueId};
use crate::protocol::publish_rules::more_keys;
use crate::queue::options::{Declaration, QueueOptions};
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
    /// Those that were the first of their kind; made when there is one. `None`: nobody looks for
    /// duplicates, for the message comes from no publisher.
    firsts: Option<&'a mut Option<Box<Firsts>>>,
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
        let safe_at = LogPosition::default();
        Self { vhost, message, headers, together, firsts: None, safe_at }
    }

    /// It is a publisher's message, which may repeat another one.
    pub(super) fn looking_for_duplicates(self, firsts: &'a mut Option<Box<Firsts>>) -> Self {
        Self { firsts: Some(firsts), ..self }
    }

    /// Whether this message has passed an exchange before.
    fn repeats(&mut self, exchange: ExchangeId, station: &Station) -> bool {
        let (Some(rules), Some(headers)) = (&station.deduplication, self.headers) else {
            return false;
        };
        let Some(key) = deduplication::key(rules, headers) else { return false };
        let row = || self.row(station, Kept::Values);
        let guard = self.vhost.guards.of(exchange, self.vhost.shared(), row);
        let persistent = self.message.is_persistent();
        let firsts = self.firsts.as_mut();
        firsts.is_some_and(|firsts| {
            !firsts.get_or_insert_default().ask(&guard, key, rules, persistent)
        })
    }

    /// The row of what a durable exchange keeps.
    fn row(&self, station: &Station, what: Kept) -> Option<KeptRow> {
        let (vhost, name) = (self.vhost.name.to_string(), station.exchange.to_string());
        station.durable.then_some(KeptRow { what, of: kept::Exchange { vhost, name } })
    }
}

impl Stations for Taps<'_> {
    fn reached(&mut self, exchange: ExchangeId, station: &Station) -> Passage {
        let shared = self.vhost.shared();
        if self.repeats(exchange, station) {
            return Passage::Held;
        }
        if let Some(messages) = station.history {
            let bounds = Bounds { messages, bytes: shared.history_bytes };
            self.vhost.histories.remember(exchange, self.message, self.headers, bounds);
        }
        let due = |headers| delay::due(headers, shared.clock.now());
        let Some(at) = self.headers.filter(|_| station.delays).and_then(due) else {
            return Passage::On;
        };
        let row = || self.row(station, Kept::Messages);
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

    /// What an exchange that looks for duplicates has counted.
    pub fn deduplicated(&self, exchange: &str) -> Deduplicated {
        let id = self.look(|topology| topology.exchange_id(exchange));
        id.map_or_else(Deduplicated::default, |id| self.guards.counts(id))
    }

    /// Whether an exchange keeps something under this number.
    pub(super) fn keeps(&self, id: QueueId) -> bool {
        self.schedules.has(id) || self.guards.has(id) || self.queue_guards.has(id)
    }

    /// Takes back what an exchange has kept, at start, when the exchange is there.
    pub(super) fn restore_kept(&self, row: KeptRow, id: QueueId, found: Found) {
        if row.what == Kept::QueueValues {
            return self.restore_queue_guard(row, id, found);
        }
        let exchange = self.look(|topology| topology.exchange_id(&row.of.name));
        match (exchange, row.what) {
            (Some(exchange), Kept::Messages) => {
                let schedule = Schedule::new(id, Some(row), found, self.shared());
                self.schedules.restore(exchange, schedule);
            }
            (Some(exchange), Kept::Values) => {
                self.guards.restore(exchange, row, id, found, self.shared());
            }
            // It was being deleted with its exchange.
            (_, Kept::QueueValues) | (None, Kept::Messages | Kept::Values) => {
                self.shared().write_rows(&[row.gone()], &[id]);
            }
        }
    }

    fn restore_queue_guard(&self, row: KeptRow, id: QueueId, found: Found) {
        match self.look(|topology| topology.queue(&row.of.name)) {
            Some(queue) => self.queue_guards.restore(queue, row, id, found, self.shared()),
            // It was being deleted with its queue.
            None => drop(self.shared().write_rows(&[row.gone()], &[id])),
        }
    }

    /// A queue looks for duplicates from now on, if it was declared to.
    pub(super) fn guard_queue(&self, queue: &LiveQueue, declaration: &Declaration) {
        let options = QueueOptions::parse(declaration).ok();
        let Some(rules) = options.and_then(|options| options.deduplication) else { return };
        let row = || {
            let (vhost, name) = (self.name.to_string(), queue.name.to_string());
            let of = kept::Exchange { vhost, name };
            queue.is_durable().then_some(KeptRow { what: Kept::QueueValues, of })
        };
        let guard = self.queue_guards.of(queue.id, self.shared(), row);
        queue.guard(Guarded { guard, rules });
    }

    /// The same for all that a restart found.
    pub(super) fn guard_queues(&self) {
        for (declaration, queue) in self.live_queues() {
            self.guard_queue(&queue, &declaration);
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
        let mut safe_at = LogPosition::default();
        for queue in queues.iter().filter_map(|id| self.live(*id)) {
            let position = if queue.may_refuse() {
                // There is nobody to be told that a full queue refused.
                queue.offer(Comes::Published, message.clone(), together).unwrap_or_default()
            } else {
                queue.publish(Comes::Published, &mut vec![message.clone()], together)
            };
            safe_at = safe_at.max(position);
        }
        safe_at
    }
}
