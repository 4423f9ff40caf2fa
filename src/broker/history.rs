//! What `x-recent-history` exchanges remember: the last messages that reached them, for whoever is
//! bound later.
//!
//! Kept in memory, and gone after a restart, also those of durable exchanges: a history repeats
//! what queues have got, so nothing is lost with it that was promised. (RabbitMQ keeps it in
//! memory too.) A leaf among the locks: nothing else is locked under one of a history.

use std::collections::VecDeque;

use dashmap::DashMap;

use crate::message::{Message, Parts};
use crate::topology::ExchangeId;
use crate::wire::table::{TableRef, Value};

/// With this header, true, a message is not remembered.
const NO_STORE: &str = "x-recent-history-no-store";

/// The histories of one vhost's exchanges.
#[derive(Debug, Default)]
pub(super) struct Histories {
    of: DashMap<ExchangeId, History>,
}

#[derive(Debug, Default)]
struct History {
    messages: VecDeque<Message>,
    bytes: usize,
}

/// How much one exchange may remember.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) messages: u64,
    pub(super) bytes: usize,
}

impl Histories {
    /// A message has reached an exchange.
    pub(super) fn remember(
        &self,
        exchange: ExchangeId,
        message: &Message,
        headers: Option<TableRef<'_>>,
        bounds: Bounds,
    ) {
        if headers.and_then(|headers| headers.get(NO_STORE)) != Some(Value::Bool(true)) {
            self.of.entry(exchange).or_default().push(message, bounds);
        }
    }

    /// What an exchange remembers, the oldest first. They are messages of their own: where the
    /// first ones were stored may be long gone.
    pub(super) fn of(&self, exchange: ExchangeId) -> Vec<Message> {
        let copy = |message: &Message| {
            Message::from_parts(Parts {
                exchange: message.exchange(),
                routing_key: message.routing_key(),
                header: message.header(),
                body: message.body(),
                persistent: message.is_persistent(),
                priority: message.priority(),
                expires: message.expires(),
                died: message.has_died(),
            })
        };
        let history = self.of.get(&exchange);
        history.map_or_else(Vec::new, |history| history.messages.iter().map(copy).collect())
    }

    /// Forgets the histories of exchanges that are gone.
    pub(super) fn keep(&self, exists: impl Fn(ExchangeId) -> bool) {
        if !self.of.is_empty() {
            self.of.retain(|exchange, _| exists(*exchange));
        }
    }
}

impl History {
    fn push(&mut self, message: &Message, bounds: Bounds) {
        self.bytes += message.memory();
        self.messages.push_back(message.clone());
        while self.messages.len() as u64 > bounds.messages || self.bytes > bounds.bytes {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.bytes -= oldest.memory();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCHANGE: ExchangeId = ExchangeId(1);

    fn message(body: &[u8]) -> Message {
        Message::from_parts(Parts {
            exchange: b"x",
            routing_key: b"",
            header: b"",
            body,
            persistent: false,
            priority: 0,
            expires: false,
            died: false,
        })
    }

    fn remembered(bounds: Bounds, bodies: &[&[u8]]) -> Vec<Vec<u8>> {
        let histories = Histories::default();
        for body in bodies {
            histories.remember(EXCHANGE, &message(body), None, bounds);
        }
        histories.of(EXCHANGE).iter().map(|message| message.body().to_vec()).collect()
    }

    #[test]
    fn the_last_ones_are_remembered_in_order() {
        let bounds = Bounds { messages: 2, bytes: 1 << 20 };
        assert_eq!(remembered(bounds, &[b"a", b"b", b"c"]), [b"b", b"c"]);
        assert_eq!(remembered(bounds, &[b"a"]), [b"a"]);
    }

    #[test]
    fn as_many_as_there_is_room_for() {
        let one = message(&[7; 1000]).memory();
        let bounds = Bounds { messages: 100, bytes: one + one / 2 };
        assert_eq!(remembered(bounds, &[&[1; 1000], &[2; 1000]]), [vec![2; 1000]]);
        let none = Bounds { messages: 100, bytes: one - 1 };
        assert!(remembered(none, &[&[1; 1000]]).is_empty());
    }

    #[test]
    fn an_exchange_that_is_gone_is_forgotten() {
        let histories = Histories::default();
        let bounds = Bounds { messages: 2, bytes: 1 << 20 };
        histories.remember(EXCHANGE, &message(b"a"), None, bounds);
        histories.keep(|_| true);
        assert_eq!(histories.of(EXCHANGE).len(), 1);
        histories.keep(|_| false);
        assert!(histories.of(EXCHANGE).is_empty());
    }
}
