//! How many messages went through exchanges (`publish_in`, `publish_out`).
//!
//! A connection counts for itself, and adds what it counted once for each read and exchange: many
//! connections publish to one exchange, and none of them should wait for the others' counting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use rustc_hash::FxHashMap;

use crate::topology::ExchangeId;

/// An exchange; `None` is the default one.
pub type Which = Option<ExchangeId>;

/// What went through one exchange.
#[derive(Debug, Default)]
pub struct Passed {
    came_in: AtomicU64,
    went_out: AtomicU64,
}

impl Passed {
    /// Messages that were published to it, and copies of them that it brought to queues.
    pub fn numbers(&self) -> [u64; 2] {
        [self.came_in.load(Ordering::Relaxed), self.went_out.load(Ordering::Relaxed)]
    }
}

/// What went through a vhost's exchanges.
#[derive(Default)]
pub struct ExchangeTraffic {
    of: DashMap<Which, Arc<Passed>>,
}

impl ExchangeTraffic {
    /// What went through an exchange: nothing, if it is not known.
    pub fn numbers(&self, exchange: Which) -> [u64; 2] {
        self.of.get(&exchange).map_or([0, 0], |passed| passed.numbers())
    }

    /// Looks at all exchanges that were published to and are still there; the others are forgotten.
    pub fn each(&self, exists: impl Fn(ExchangeId) -> bool, mut look: impl FnMut(Which, [u64; 2])) {
        self.of.retain(|exchange, passed| {
            let there = exchange.is_none_or(&exists);
            if there {
                look(*exchange, passed.numbers());
            }
            there
        });
    }

    fn counted(&self, exchange: Which) -> Arc<Passed> {
        Arc::clone(&self.of.entry(exchange).or_default())
    }
}

/// What one connection has counted and not added yet: always of one exchange.
#[derive(Default)]
pub(super) struct Tally {
    exchanges: Vec<Arc<Passed>>,
    known: FxHashMap<Which, u32>,
    current: u32,
    came_in: u64,
    went_out: u64,
}

impl Tally {
    /// What an exchange is called here.
    pub(super) fn exchange(&mut self, which: Which, all: &ExchangeTraffic) -> u32 {
        *self.known.entry(which).or_insert_with(|| {
            self.exchanges.push(all.counted(which));
            u32::try_from(self.exchanges.len() - 1).expect("fewer than 4 G exchanges")
        })
    }

    /// A message came to an exchange, and so many copies of it leave.
    #[inline]
    pub(super) fn count(&mut self, exchange: u32, copies: usize) {
        if exchange != self.current {
            self.settle();
            self.current = exchange;
        }
        self.came_in += 1;
        self.went_out += copies as u64;
    }

    /// Adds what was counted.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.came_in > 0 {
            let (came_in, went_out) =
                (std::mem::take(&mut self.came_in), std::mem::take(&mut self.went_out));
            let passed = &self.exchanges[self.current as usize];
            passed.came_in.fetch_add(came_in, Ordering::Relaxed);
            passed.went_out.fetch_add(went_out, Ordering::Relaxed);
        }
    }

    /// Exchanges may be other ones from now on.
    pub(super) fn forget(&mut self) {
        self.settle();
        self.exchanges.clear();
        self.known.clear();
    }
}
