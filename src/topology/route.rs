//! Where a message goes: through bindings, from exchange to exchange, to queues.

use super::{Destination, ExchangeId, Topology};
use crate::names::QueueId;
use crate::protocol::fault::Fault;
use crate::wire::table::TableRef;

/// Where a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// Each queue once.
    pub queues: Vec<QueueId>,
    /// Another message with the same exchange and key goes the same way, until the topology
    /// changes.
    pub cacheable: bool,
}

impl Topology {
    /// The queues that a message published to `exchange` with any of `keys` reaches.
    ///
    /// The default exchange leads to the queue of the key's name. An alternate exchange takes
    /// what matched no binding (RabbitMQ: unroutable there, not further on).
    pub fn route(
        &self,
        exchange: &str,
        keys: &[&[u8]],
        headers: Option<TableRef<'_>>,
    ) -> Result<Routed, Fault> {
        let mut walk =
            Walk { topology: self, headers, cacheable: true, seen: Vec::new(), queues: Vec::new() };
        if exchange.is_empty() {
            walk.default_exchange(keys);
        } else {
            let id = self.exchange(exchange)?;
            if self.exchanges[&id].declaration.internal {
                return Err(Fault::internal_exchange(exchange, self.vhost()));
            }
            walk.seen.push(id);
            walk.follow(keys);
        }
        walk.queues.sort_unstable();
        walk.queues.dedup();
        Ok(Routed { queues: walk.queues, cacheable: walk.cacheable })
    }
}

struct Walk<'a> {
    topology: &'a Topology,
    headers: Option<TableRef<'a>>,
    cacheable: bool,
    /// Exchanges in the order they were reached; each is passed once, so that loops end.
    seen: Vec<ExchangeId>,
    queues: Vec<QueueId>,
}

impl Walk<'_> {
    fn default_exchange(&mut self, keys: &[&[u8]]) {
        let names = keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
        self.queues.extend(names.filter_map(|name| self.topology.queue(name)));
    }

    fn follow(&mut self, keys: &[&[u8]]) {
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(&id) = self.seen.get(next) {
            next += 1;
            let Some(exchange) = self.topology.exchanges.get(&id) else { continue };
            self.cacheable &= !exchange.router.depends_on_headers();
            found.clear();
            for key in keys {
                exchange.router.route(key, self.headers, &mut found);
            }
            if found.is_empty()
                && let Some(alternate) = &exchange.alternate
            {
                self.alternate(alternate.as_str(), keys);
            }
            for destination in &found {
                match *destination {
                    Destination::Queue(queue) => self.queues.push(queue),
                    Destination::Exchange(exchange) => self.reach(exchange),
                }
            }
        }
    }

    fn alternate(&mut self, name: &str, keys: &[&[u8]]) {
        if name.is_empty() {
            self.default_exchange(keys);
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
