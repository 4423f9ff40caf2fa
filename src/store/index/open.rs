//! Transactions that are neither committed nor abandoned.
//!
//! Their messages are in the index at once, so that they can be fetched, and are taken out again
//! if it comes to nothing. What left is only noted, and leaves with the commit: until then nobody
//! may draw conclusions from it that reach the disk. A log file that holds something of them
//! stays, for a restart has to see all of it or nothing.

use rustc_hash::FxHashMap;

use crate::names::QueueId;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    open: FxHashMap<u64, Open>,
    /// The janitor would like them to end.
    awaited: bool,
}

/// What one has done so far.
#[derive(Debug)]
pub(crate) struct Open {
    /// The oldest log file that has something of it.
    since: u64,
    /// Messages that reached a queue.
    pub(crate) messages: Vec<(QueueId, u64)>,
    /// Messages that left one.
    pub(crate) departures: Vec<Departed>,
}

/// Messages that left a queue, in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departed {
    pub(crate) queue: QueueId,
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// The log file that says so.
    pub(crate) file: u64,
}

impl Transactions {
    /// A message reached a queue; its content stands in a log file.
    pub(crate) fn message(&mut self, together: u64, queue: QueueId, position: u64, file: u64) {
        self.get(together, file).messages.push((queue, position));
    }

    /// Messages left a queue.
    pub(crate) fn departed(&mut self, together: u64, departed: Departed) {
        self.get(together, departed.file).departures.push(departed);
    }

    fn get(&mut self, together: u64, file: u64) -> &mut Open {
        let new = || Open { since: file, messages: Vec::new(), departures: Vec::new() };
        let open = self.open.entry(together).or_insert_with(new);
        open.since = open.since.min(file);
        open
    }

    /// One has ended. Returns what it has done, and whether that was waited for.
    pub(crate) fn end(&mut self, together: u64) -> Option<(Open, bool)> {
        let open = self.open.remove(&together)?;
        Some((open, std::mem::take(&mut self.awaited)))
    }

    /// Whether a log file up to this one has something of an open one. If so, its end is awaited.
    pub(crate) fn hold(&mut self, file: u64) -> bool {
        let held = self.open.values().any(|open| open.since <= file);
        self.awaited |= held;
        held
    }

    /// Those that are open, in no order that matters.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
    }
}
