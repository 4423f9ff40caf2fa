//! How many messages went through exchanges (`publish_in`, `publish_out`).
//!
//! A connection counts for itself, and adds what it counted once for each read and exchange, and for
//! each queue that it brought any to: many connections publish to one exchange, and none of them
//! should wait for the others' counting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use rustc_hash::FxHashMap;

use super::per_object::{Numbers, PerObject};
use crate::names::QueueId;
pub use crate::topology::ExchangeId;

/// An exchange; `None` is the default one.
pub type Which = Option<ExchangeId>;

/// How many queues an exchange's copies are told apart by.
const TOLD_APART: usize = 16_384;

/// Copies of messages that an exchange brought to a queue.
#[derive(Debug, Default)]
pub struct Copies(AtomicU64);

impl Copies {
    /// Their number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// So many more.
    #[inline]
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}

impl Numbers for Copies {
    fn take_over(&self, gone: &Self) {
        self.add(gone.get());
    }
}

/// What went through one exchange.
#[derive(Debug)]
pub struct Passed {
    came_in: AtomicU64,
    went_out: PerObject<QueueId, Copies>,
}

impl Default for Passed {
    fn default() -> Self {
        Self { came_in: AtomicU64::default(), went_out: PerObject::new(TOLD_APART) }
    }
}

impl Passed {
    /// Messages that were published to it, and copies of them that it brought to queues.
    pub fn numbers(&self) -> [u64; 2] {
        let mut went_out = 0;
        self.went_out.all(|copies| went_out += copies.get());
        [self.came_in.load(Ordering::Relaxed), went_out]
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

    /// What an exchange brought to each queue, in no order.
    pub fn to_queues(&self, exchange: Which) -> Vec<(QueueId, u64)> {
        let mut all = Vec::new();
        if let Some(passed) = self.of.get(&exchange) {
            passed.went_out.each(|queue, copies| all.push((queue, copies.get())));
        }
        all
    }

    /// What each exchange brought to a queue, in no order.
    pub fn into_queue(&self, queue: QueueId) -> Vec<(Which, u64)> {
        let copies = |passed: &Passed| passed.went_out.look(queue, Copies::get);
        self.of.iter().filter_map(|each| Some((*each.key(), copies(&each)?))).collect()
    }

    /// Forgets which exchanges and queues are gone.
    pub fn keep(&self, exchange: impl Fn(ExchangeId) -> bool, queue: impl Fn(QueueId) -> bool) {
        self.of.retain(|which, passed| {
            passed.went_out.keep(&queue);
            which.is_none_or(&exchange)
        });
    }

    /// Looks at all exchanges that were published to.
    pub fn each(&self, mut look: impl FnMut(Which, [u64; 2])) {
        self.of.iter().for_each(|each| look(*each.key(), each.numbers()));
    }

    /// Looks at what each of them brought to each queue.
    pub fn each_flow(&self, mut look: impl FnMut((Which, QueueId), u64)) {
        for each in &self.of {
            each.went_out.each(|queue, copies| look((*each.key(), queue), copies.get()));
        }
    }

    fn counted(&self, exchange: Which) -> Arc<Passed> {
        Arc::clone(&self.of.entry(exchange).or_default())
    }
}

/// What one connection has counted and not added yet: always of one exchange.
pub(super) struct Tally {
    exchanges: Vec<(Which, Arc<Passed>)>,
    known: FxHashMap<Which, u32>,
    /// Where the last message came to; [`NOWHERE`], if that is none of these.
    current: u32,
    which: Which,
    came_in: u64,
}

/// No exchange.
const NOWHERE: u32 = u32::MAX;

impl Default for Tally {
    fn default() -> Self {
        Self {
            exchanges: Vec::new(),
            known: FxHashMap::default(),
            current: NOWHERE,
            which: None,
            came_in: 0,
        }
    }
}

impl Tally {
    /// What an exchange is called here.
    pub(super) fn exchange(&mut self, which: Which, all: &ExchangeTraffic) -> u32 {
        *self.known.entry(which).or_insert_with(|| {
            self.exchanges.push((which, all.counted(which)));
            u32::try_from(self.exchanges.len() - 1).expect("fewer than 4 G exchanges")
        })
    }

    /// Where what an exchange brings to a queue is counted.
    pub(super) fn copies(&self, exchange: u32, queue: QueueId) -> Arc<Copies> {
        self.exchanges[exchange as usize].1.went_out.of(queue)
    }

    /// A message came to an exchange.
    #[inline]
    pub(super) fn count(&mut self, exchange: u32) {
        if exchange != self.current {
            self.turn_to(exchange);
        }
        self.came_in += 1;
    }

    fn turn_to(&mut self, exchange: u32) {
        self.settle();
        self.current = exchange;
        self.which = self.exchanges[exchange as usize].0;
    }

    /// A message went past the exchanges, by the default one's name.
    pub(super) fn went_past(&mut self) {
        self.settle();
        (self.current, self.which) = (NOWHERE, None);
    }

    /// The exchange that the last message came to.
    #[inline]
    pub(super) fn which(&self) -> Which {
        self.which
    }

    /// Adds what was counted.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.came_in > 0 {
            let (_, passed) = &self.exchanges[self.current as usize];
            passed.came_in.fetch_add(std::mem::take(&mut self.came_in), Ordering::Relaxed);
        }
    }

    /// Exchanges may be other ones from now on.
    pub(super) fn forget(&mut self) {
        self.went_past();
        self.exchanges.clear();
        self.known.clear();
    }
}
