//! What the store's threads and its users share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::disk::Disk;
use super::error::Failure;
use super::format::file_header::StoreId;
use super::index::Index;
use super::log::inbox::Inbox;
use super::log::pool::Pool;
use super::options::Options;
use super::progress::Progress;
use crate::names::LogPosition;

/// See the module. Locks: the inbox', the index', the progress'; never two at once.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store_id: StoreId,
    pub(crate) inbox: Inbox,
    pub(crate) index: Mutex<Index>,
    pub(crate) pool: Pool,
    pub(crate) progress: Progress,
    /// The oldest log file that a restart needs.
    pub(crate) oldest: AtomicU64,
    pub(crate) failure: OnceLock<Failure>,
    /// There are no threads: a test moves the store on.
    pub(crate) by_hand: bool,
}

impl Shared {
    /// The oldest log file that a restart needs.
    pub(crate) fn oldest_log(&self) -> u64 {
        self.oldest.load(Ordering::Acquire)
    }

    /// Ends the store: nothing will be durable any more, and everybody is told.
    pub(crate) fn fail(&self, failure: Failure) {
        tracing::error!(%failure, "the store has failed");
        if self.failure.set(failure).is_err() {
            return;
        }
        let mut woken = Vec::new();
        self.inbox.failed(&mut woken);
        self.progress.end();
        let durable = LogPosition(self.progress.last_durable());
        woken.iter().for_each(|who| who.durable(durable));
    }
}
