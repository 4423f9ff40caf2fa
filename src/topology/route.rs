//! Where a message goes: through bindings, from exchange to exchange, to queues.

use super::exchange::Station;
use super::{Destination, ExchangeId, Topology};
use crate::names::QueueId;
use crate::protocol::fault::Fault;
use crate::routing::Envelope;

/// Where a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// Each queue once.
    pub queues: Vec<QueueId>,
    /// Another message with the same exchange and key goes the same way, until the topology
    /// changes.
    pub cacheable: bool,
    /// An exchange keeps it, to be routed on later.
    pub held: bool,
}

/// What becomes of a message at an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It goes on.
    On,
    /// It is kept there for now.
    Held,
}

/// What happens to a message at exchanges that do more than route. It is asked while the topology
/// is being looked at, so nothing in it may look at the topology again.
pub trait Stations {
    /// A message has reached such an exchange.
    fn reached(&mut self, exchange: ExchangeId, station: &Station) -> Passage;
}

/// For questions: nothing happens anywhere.
#[derive(Clone, Copy, Debug)]
pub struct JustAsking;

impl Stations for JustAsking {
    fn reached(&mut self, _: ExchangeId, _: &Station) -> Passage {
        Passage::On
    }
}

impl Topology {
    /// The queues that a message published to `exchange` reaches.
    ///
    /// The default exchange leads to the queue of the key's name. An alternate exchange takes
    /// what matched no binding (RabbitMQ: unroutable there, not further on).
    pub fn route(
        &self,
        exchange: &str,
        message: &Envelope<'_>,
        stations: &mut dyn Stations,
    ) -> Result<Routed, Fault> {
        let mut walk = Walk::new(self, message, stations);
        if exchange.is_empty() {
            walk.default_exchange();
        } else {
            let id = self.exchange(exchange)?;
            if self.exchanges[&id].declaration.internal {
                return Err(Fault::internal_exchange(exchange, self.vhost()));
            }
            walk.seen.push(id);
            walk.follow();
        }
        Ok(walk.end())
    }

    /// The queues that a message reaches which is at an exchange already, not from a publisher.
    pub fn route_from(
        &self,
        exchange: ExchangeId,
        message: &Envelope<'_>,
        stations: &mut dyn Stations,
    ) -> Routed {
        let mut walk = Walk::new(self, message, stations);
        walk.seen.push(exchange);
        walk.follow();
        walk.end()
    }

    /// The queues that a dead message reaches: none if its exchange does not exist. Unlike what
    /// clients publish it may go to an internal exchange.
    pub fn route_dead(
        &self,
        exchange: &str,
        message: &Envelope<'_>,
        stations: &mut dyn Stations,
    ) -> Routed {
        let mut walk = Walk::new(self, message, stations);
        if exchange.is_empty() {
            walk.default_exchange();
        } else if let Ok(id) = self.exchange(exchange) {
            walk.seen.push(id);
            walk.follow();
        }
        walk.end()
    }
}

struct Walk<'a> {
    topology: &'a Topology,
    message: &'a Envelope<'a>,
    stations: &'a mut dyn Stations,
    cacheable: bool,
    held: bool,
    /// Exchanges in the order they were reached; each is passed once, so that loops end.
    seen: Vec<ExchangeId>,
    queues: Vec<QueueId>,
}

impl<'a> Walk<'a> {
    fn new(
        topology: &'a Topology,
        message: &'a Envelope<'a>,
        stations: &'a mut dyn Stations,
    ) -> Self {
        let cacheable = message.keys.len() == 1;
        let (seen, queues) = (Vec::new(), Vec::new());
        Self { topology, message, stations, cacheable, held: false, seen, queues }
    }

    fn end(mut self) -> Routed {
        self.queues.sort_unstable();
        self.queues.dedup();
        Routed { queues: self.queues, cacheable: self.cacheable, held: self.held }
    }

    fn default_exchange(&mut self) {
        let names = self.message.keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
        self.queues.extend(names.filter_map(|name| self.topology.queue(name)));
    }

    fn follow(&mut self) {
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(&id) = self.seen.get(next) {
            next += 1;
            let Some(exchange) = self.topology.exchanges.get(&id) else { continue };
            self.cacheable &= !exchange.router.depends_on_more_than_the_key();
            if let Some(station) = &exchange.station {
                self.cacheable = false;
                if self.stations.reached(id, station) == Passage::Held {
                    self.held = true;
                    continue;
                }
            }
            found.clear();
            // Each exchange on the way throws dice of its own.
            let chance = self.message.chance.rotate_left(next as u32 * 7);
            exchange.router.route(&Envelope { chance, ..*self.message }, &mut found);
            if found.is_empty()
                && let Some(alternate) = &exchange.alternate
            {
                self.alternate(alternate.as_str());
            }
            for destination in &found {
                match *destination {
                    Destination::Queue(queue) => self.queues.push(queue),
                    Destination::Exchange(exchange) => self.reach(exchange),
                }
            }
        }
    }

    fn alternate(&mut self, name: &str) {
        if name.is_empty() {
            self.default_exchange();
        } else if let Some(&id) = self.topology.exchange_names.get(name) {
            self.reach(id);
        }
    }

    fn reach(&mut self, exchange: ExchangeId) {
        if !self.seen.contains(&exchange) {
            self.seen.push(exchange);
        }
    }
}
