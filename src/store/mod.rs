//! Durability: what the broker appends, how far it has reached the disk, and how it comes back.
//!
//! Owns positions, files and syncs. It must not know AMQP methods or consumers. A queue appends
//! inside its turn and gets a [`LogPosition`]; a publish is confirmed once
//! [`Store::durable_position`] has reached it; a session that waits for that is woken once for
//! each commit. The store knows which messages of every queue are stored and where: a queue in
//! memory may hold a part of them and [`Store::fetch`] the rest when it is their turn.
//!
//! ```text
//!  queues' turns ──append──► inbox ──all at once──► log writer: one write, one sync
//!                                                      │ applies the records
//!                                                      ▼
//!  queues ◄──fetch── log files, segments ◄──where── index
//! ```

mod disk;
mod error;
mod fetch;
mod format;
mod index;
mod log;
mod options;
mod progress;
mod record;
mod recovery;
mod shared;
mod waiting;

#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use parking_lot::Mutex;

pub use error::{CannotFetch, CannotOpen, Failure};
pub use fetch::{Stored, Wanted};
pub use format::read::Flaw;
pub use options::{Durability, Options};
pub use record::{NewMessage, Reason, Record, SharedBody};
pub use recovery::{Recovered, RecoveredQueue};
pub use waiting::{Asked, Registration, Waiter};

use crate::names::{LogPosition, QueueId};
use disk::Disk;
use disk::real::RealDisk;
use error::Tried;
use log::inbox::{Inbox, Work};
use log::pool::Pool;
use log::writer::LogWriter;
use progress::Progress;
use shared::Shared;

/// Where durable things go. Dropping it writes and syncs what is left.
pub struct Store {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _lock: Box<dyn Send + Sync>,
}

impl Store {
    /// Opens a data directory, which is made if it is not there.
    pub fn open(options: Options) -> Result<(Arc<Self>, Recovered), CannotOpen> {
        let (store, mut writer, recovered) = Self::open_on(Arc::new(RealDisk), options, false)?;
        let thread = std::thread::Builder::new().name("log".into());
        let writing = thread.spawn(move || write_log(&mut writer));
        let writing = writing.tried("start a thread for", &store.shared.options.dir)?;
        store.threads.lock().push(writing);
        Ok((Arc::new(store), recovered))
    }

    /// Opens a data directory without starting threads.
    fn open_on(
        disk: Arc<dyn Disk>,
        options: Options,
        by_hand: bool,
    ) -> Result<(Self, LogWriter, Recovered), CannotOpen> {
        let dir = &options.dir;
        disk.create_dir(dir).tried("make the directory", dir)?;
        let lock = dir.join("LOCK");
        let lock = disk.lock(&lock).tried("lock", &lock)?;
        let lock = lock.ok_or_else(|| CannotOpen::InUse(dir.clone()))?;
        let found = recovery::recover(&*disk, &options)?;
        let eager = options.durability == Durability::Always;
        let shared = Arc::new(Shared {
            disk,
            store_id: found.store_id,
            inbox: Inbox::new(found.next, options.room, options.lazy, eager),
            index: Mutex::new(found.index),
            pool: Pool::new(dir.clone()),
            progress: Progress::new(found.next - 1),
            oldest: AtomicU64::new(found.oldest),
            failure: OnceLock::new(),
            by_hand,
            options,
        });
        let writer = LogWriter::new(Arc::clone(&shared), found.next_file, found.before);
        let store = Self { shared, threads: Mutex::default(), _lock: lock };
        Ok((store, writer, found.recovered))
    }

    /// Appends a record. What it says is durable once [`Self::durable_position`] has reached the
    /// answer. Never blocks; who appends looks at [`Self::has_room`] now and then.
    pub fn append(&self, record: Record<'_>) -> LogPosition {
        self.shared.inbox.append([record], false)
    }

    /// Appends records in a row, which costs less than one by one. Returns the last one's
    /// position.
    pub fn append_all<'a>(&self, records: impl IntoIterator<Item = Record<'a>>) -> LogPosition {
        self.shared.inbox.append(records, false)
    }

    /// Appends records that count only together: after a crash there are all or none. Returns
    /// the last one's position.
    pub fn append_group<'a>(&self, records: impl IntoIterator<Item = Record<'a>>) -> LogPosition {
        self.shared.inbox.append(records, true)
    }

    /// How far the log is durable.
    #[inline]
    pub fn durable_position(&self) -> LogPosition {
        LogPosition(self.shared.progress.last_durable())
    }

    /// Asks for a waiter to be woken once the log is durable up to a position, and has the log
    /// hurry to get there.
    pub fn ask(&self, position: LogPosition, who: &Registration) -> Asked {
        if position.0 <= self.shared.progress.last_durable() {
            return Asked::Now;
        }
        self.shared.inbox.ask(position, who)
    }

    /// Waits until the log is durable up to a position. For start and stop and tools; a session
    /// asks. Returns whether it is; if not, the store has failed.
    pub fn wait(&self, position: LogPosition) -> bool {
        if position.0 > self.shared.progress.last_durable() {
            self.shared.inbox.hurry(true);
        }
        self.shared.progress.wait_durable(position.0)
    }

    /// Whether the log keeps up. If not, publishers should be read from no further.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.shared.inbox.has_room()
    }

    /// Asks for a waiter to be woken once there is room.
    pub fn ask_for_room(&self, who: &Registration) -> Asked {
        self.shared.inbox.ask_for_room(who)
    }

    /// Fetches messages of a queue in order of their positions: those that are stored and not
    /// gone. Reads files; what was appended before the call but is not written yet is waited for.
    pub fn fetch(&self, wanted: Wanted) -> Result<Vec<Stored>, CannotFetch> {
        self.shared.fetch(wanted)
    }

    /// How many messages of a queue are stored, as far as they are written.
    pub fn count(&self, queue: QueueId) -> usize {
        self.shared.index.lock().get(queue).map_or(0, index::queue::QueueIndex::len)
    }

    /// What ended the store, if something did: from then on nothing becomes durable.
    pub fn failure(&self) -> Option<&Failure> {
        self.shared.failure.get()
    }

    /// Writes and syncs what is left and ends the threads. Nothing may be appended afterwards.
    pub fn close(&self) {
        self.shared.inbox.close();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store has panicked");
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.shared.options.dir).finish_non_exhaustive()
    }
}

/// The log's thread.
fn write_log(writer: &mut LogWriter) {
    let shared = writer.shared();
    let mut spare = Vec::new();
    loop {
        let (mut batch, last) = match shared.inbox.wait(spare, writer.sync_by()) {
            Work::Batch(batch) => (batch, false),
            Work::Last(batch) => (batch, true),
        };
        batch.urgent |= last;
        let done = writer.commit(&mut batch);
        let done = if last { done.and_then(|()| writer.finish()) } else { done };
        if let Err(failure) = done {
            return shared.fail(failure);
        }
        if last {
            return shared.progress.end();
        }
        spare = batch.into_spare(shared.options.room);
    }
}
