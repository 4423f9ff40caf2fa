//! What has changed since the catalogue was last written.
//!
//! Messages in the log need no saving: their records are the truth. Cold runs and the broker's
//! rows live in the catalogue, and a record of the log that changed them may only go with its
//! file when the catalogue knows.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::QueueId;
use crate::store::format::run::RunKey;

/// Rows of the broker that changed; `None` = deleted.
pub(crate) type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    pub(crate) rows: Rows,
    /// Runs that were made, lost messages, or went.
    pub(crate) runs: BTreeSet<RunKey>,
    /// Runs whose messages stand in another segment now. Their rows go last.
    pub(crate) replaced: Vec<RunKey>,
    /// Queues that were deleted, or of whose cold messages some were handed out.
    pub(crate) queues: BTreeSet<QueueId>,
    /// It comes first: the catalogue knows nothing at all, or there was no room for it.
    pub(crate) urgent: bool,
    /// There are other segments than before.
    pub(crate) segments: bool,
    /// The oldest log file with a record that is not saved.
    since: Option<u64>,
}

impl Unsaved {
    pub(crate) fn run(&mut self, key: RunKey, file: u64) {
        self.runs.insert(key);
        self.in_file(file);
    }

    pub(crate) fn queue(&mut self, queue: QueueId, file: u64) {
        self.queues.insert(queue);
        self.in_file(file);
    }

    pub(crate) fn row(&mut self, key: &[u8], value: Option<&[u8]>, file: u64) {
        self.rows.insert(key.into(), value.map(Into::into));
        self.in_file(file);
    }

    /// Whether a log file up to this one has a record that is not saved.
    pub(crate) fn any_up_to_file(&self, file: u64) -> bool {
        self.since.is_some_and(|since| since <= file)
    }

    /// Whether there is nothing to save.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none() && !self.segments && self.replaced.is_empty() && self.runs.is_empty()
    }

    fn in_file(&mut self, file: u64) {
        self.since = Some(self.since.map_or(file, |since| since.min(file)));
    }
}
