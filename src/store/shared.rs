//! What the store's threads and its users share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::disk::Disk;
use super::error::Failure;
use super::format::file_header::StoreId;
use super::index::Index;
use super::log::inbox::{Block, Inbox};
use super::log::pool::Pool;
use super::options::Options;
use super::progress::Progress;
use crate::names::LogPosition;

/// Wakes a thread that has nothing to do.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<bool>, Condvar);

impl Bell {
    pub(crate) fn ring(&self) {
        *self.0.lock() = true;
        self.1.notify_one();
    }

    /// Waits until it has been rung, or for a while. Returns whether it was rung.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> bool {
        let mut rung = self.0.lock();
        let until = limit.map(|limit| Instant::now() + limit);
        while !*rung {
            match until {
                Some(until) if self.1.wait_until(&mut rung, until).timed_out() => break,
                Some(_) => {}
                None => self.1.wait(&mut rung),
            }
        }
        std::mem::take(&mut *rung)
    }
}

/// See the module. Locks: the inbox', the index', the progress'; never two at once.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store_id: StoreId,
    pub(crate) inbox: Inbox,
    pub(crate) index: Mutex<Index>,
    pub(crate) pool: Pool,
    pub(crate) progress: Progress,
    /// Calls the janitor.
    pub(crate) bell: Bell,
    /// The oldest log file that a restart needs.
    pub(crate) oldest: AtomicU64,
    /// Log files in front of this one are damaged: they go as soon as can be.
    pub(crate) condemned_logs: u64,
    pub(crate) failure: OnceLock<Failure>,
    /// The store is being closed.
    pub(crate) closing: AtomicBool,
    /// There are no threads: a test moves the store on.
    pub(crate) by_hand: bool,
}

impl Shared {
    /// The oldest log file that a restart needs.
    pub(crate) fn oldest_log(&self) -> u64 {
        self.oldest.load(Ordering::Acquire)
    }

    /// Does something until there is room on the disk for it. Meanwhile publishers are held
    /// back, and nothing is confirmed.
    pub(crate) fn with_patience<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut waited = false;
        loop {
            match attempt() {
                Err(failure) if failure.is_full() && !self.by_hand && !self.is_over() => {
                    if !std::mem::replace(&mut waited, true) {
                        self.say_no_room(&failure);
                        self.inbox.block(Block::Disk, true);
                    }
                    std::thread::sleep(self.options.patience);
                }
                done => {
                    if waited {
                        tracing::info!("there is room on the disk again");
                        self.inbox.block(Block::Disk, false);
                    }
                    return done;
                }
            }
        }
    }

    /// Bytes that are free on the disk, if the system tells.
    pub(crate) fn free_space(&self) -> Option<u64> {
        self.disk.free(&self.options.dir).ok()
    }

    /// Says that something waits for room on the disk, and how much there is.
    pub(crate) fn say_no_room(&self, failure: &Failure) {
        let (dir, free) = (self.options.dir.display(), self.free_space());
        tracing::error!(
            why = %failure.attempt(), %dir, free,
            "the disk is full; publishers wait until there is room"
        );
    }

    /// From now on a restart needs no log file in front of this one.
    pub(crate) fn begin_log_with(&self, file: u64) {
        self.oldest.store(file, Ordering::Release);
    }

    /// Whether the janitor has nothing to do any more.
    pub(crate) fn is_over(&self) -> bool {
        self.closing.load(Ordering::Acquire) || self.failure.get().is_some()
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
        self.bell.ring();
        let durable = LogPosition(self.progress.last_durable());
        woken.iter().for_each(|who| who.durable(durable));
    }
}
