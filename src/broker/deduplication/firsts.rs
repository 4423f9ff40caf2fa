//! Messages of one connection's read that were the first with their value.

use std::sync::Arc;

use super::Guard;
use super::batch::Batch;
use super::window::{Key, Seen};
use crate::names::LogPosition;
use crate::queue::options::Deduplication;
use crate::store::Together;

/// They become safe together, and only then their values are stored. Dropped without
/// [`Self::settle`], whoever waits for them goes on.
#[derive(Default)]
pub(in crate::broker) struct Firsts {
    batch: Arc<Batch>,
    firsts: Vec<First>,
    /// Batches of others, with which messages that one of these repeats become safe.
    awaited: Vec<Arc<Batch>>,
    /// What has become safe that one of these repeats.
    repeated: LogPosition,
}

struct First {
    guard: Arc<Guard>,
    key: Key,
    position: u64,
    persistent: bool,
}

impl Firsts {
    /// Asks a guard about a message. Returns whether it is the first with its value.
    pub(in crate::broker) fn ask(
        &mut self,
        guard: &Arc<Guard>,
        key: Key,
        rules: &Deduplication,
        persistent: bool,
    ) -> bool {
        match guard.see(key, rules, &self.batch) {
            Seen::Never(position) => {
                let guard = Arc::clone(guard);
                self.firsts.push(First { guard, key, position, persistent });
                true
            }
            Seen::Before(batch) => {
                let others = batch.filter(|batch| !Arc::ptr_eq(batch, &self.batch));
                match others.as_ref().map(|batch| batch.settled()) {
                    Some(Some(safe_at)) => self.repeated = self.repeated.max(safe_at),
                    Some(None) => self.awaited.extend(others),
                    None => {}
                }
                false
            }
        }
    }

    /// How many there are.
    pub(in crate::broker) fn len(&self) -> usize {
        self.firsts.len()
    }

    /// Those behind the first `len` went nowhere: they may come again.
    pub(in crate::broker) fn forget_behind(&mut self, len: usize) {
        for first in self.firsts.drain(len..) {
            first.guard.forget(&first.key, first.position);
        }
    }

    /// All of them have been published: what they are remembered by is stored behind them. Returns
    /// what makes that safe.
    pub(in crate::broker) fn store(&mut self, together: Option<&Together>) -> LogPosition {
        let persistent = self.firsts.drain(..).filter(|first| first.persistent);
        let keep = |first: First| first.guard.keep(&first.key, first.position, together);
        persistent.map(keep).fold(LogPosition::default(), LogPosition::max)
    }

    /// All of them are safe with this. Returns what makes safe what they repeat, too.
    pub(in crate::broker) fn settle(mut self, safe_at: LogPosition) -> LogPosition {
        let safe_at = safe_at.max(self.repeated);
        self.batch.settle(safe_at);
        // Only now, so that two who repeat each other do not wait for each other.
        self.awaited.drain(..).map(|batch| batch.wait()).fold(safe_at, LogPosition::max)
    }
}

impl Drop for Firsts {
    fn drop(&mut self) {
        if self.batch.settled().is_none() {
            self.batch.settle(LogPosition::default());
        }
    }
}
