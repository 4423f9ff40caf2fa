//! One exchange: how it was declared, and its bindings.

use super::exchange_options::{ExchangeDeclaration, ExchangeOptions};
use crate::names::{ExchangeName, QueueId};
use crate::policy::Governing;
use crate::policy::effective::alternate_exchange;
use crate::protocol::request::Binding;
use crate::queue::options::Deduplication;
use crate::routing::{Kind, Router};

/// An exchange's number in its vhost: never used twice, also when its name is declared again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u32);

/// Where a binding leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// To a queue.
    Queue(QueueId),
    /// To another exchange.
    Exchange(ExchangeId),
}

/// An exchange that exists.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) declaration: ExchangeDeclaration,
    /// Which policies govern it.
    pub(super) governing: Governing,
    /// Where messages go that match no binding.
    pub(super) alternate: Option<ExchangeName>,
    pub(super) router: Router<Destination>,
    /// What it does with messages beside routing them; few exchanges do.
    pub(super) station: Option<Box<Station>>,
}

/// What an exchange does with the messages that reach it, beside routing them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// Its name.
    pub exchange: ExchangeName,
    /// What it keeps survives a restart.
    pub durable: bool,
    /// It lets go no further what it has seen before.
    pub deduplication: Option<Deduplication>,
    /// It remembers so many of the last ones, for those who are bound later.
    pub history: Option<u64>,
    /// It lets messages wait until they are due.
    pub delays: bool,
}

impl Exchange {
    pub(super) fn new(declaration: ExchangeDeclaration, governing: Governing) -> Self {
        let options = ExchangeOptions::parse(&declaration).unwrap_or_default();
        let kind = options.routes_as.unwrap_or(declaration.kind);
        let router = if kind == Kind::ConsistentHash {
            Router::hashing(options.hash_on)
        } else {
            Router::new(kind)
        };
        let delays = declaration.kind == Kind::Delayed;
        let deduplication = options.deduplication;
        let special = delays || deduplication.is_some() || options.history.is_some();
        let station = special.then(|| {
            Box::new(Station {
                exchange: declaration.name.clone(),
                durable: declaration.durable,
                deduplication,
                history: options.history,
                delays,
            })
        });
        let alternate = alternate(&declaration, &governing);
        Self { declaration, governing, alternate, router, station }
    }

    /// Has other policies govern it. Returns whether messages may go another way now.
    pub(super) fn govern(&mut self, governing: Governing) -> bool {
        if governing == self.governing {
            return false;
        }
        let alternate = alternate(&self.declaration, &governing);
        self.governing = governing;
        let changed = alternate != self.alternate;
        self.alternate = alternate;
        changed
    }

    /// Whether it has this very binding.
    pub(super) fn is_bound(&self, destination: Destination, binding: &Binding) -> bool {
        self.router.contains(destination, &binding.routing_key, &binding.arguments)
    }

    /// Everything it has a binding to, each once.
    pub(super) fn destinations(&self) -> Vec<Destination> {
        let mut all: Vec<_> = self.router.bindings().map(|binding| binding.destination).collect();
        all.dedup();
        all
    }
}

fn alternate(declaration: &ExchangeDeclaration, governing: &Governing) -> Option<ExchangeName> {
    let declared = ExchangeOptions::parse(declaration).unwrap_or_default().alternate_exchange;
    alternate_exchange(declared, &governing.definition())
}
