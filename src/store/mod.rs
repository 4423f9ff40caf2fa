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

pub mod catalog;
mod check;
mod disk;
mod error;
mod fetch;
mod format;
mod index;
mod janitor;
mod log;
mod options;
mod progress;
mod record;
mod recovery;
mod segments;
mod shared;
mod together;
mod waiting;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use parking_lot::Mutex;

pub use check::{Report, check};
pub use error::{CannotFetch, CannotOpen, Failure};
pub use fetch::{Stored, Wanted};
pub use format::read::Flaw;
pub use options::{Durability, Options};
pub use record::{NewMessage, Reason, Record, SharedBody};
pub use recovery::{Recovered, RecoveredQueue};
pub use together::Together;
pub use waiting::{Asked, Registration, Waiter};

use crate::names::{LogPosition, QueueId};
use catalog::{Catalog, CatalogError, Found, Opened};
use disk::Disk;
use disk::real::RealDisk;
use error::Tried;
use janitor::{Janitor, Reopening};
use log::inbox::Inbox;
use log::pool::Pool;
use log::writer::LogWriter;
use progress::Progress;
use recovery::Recovery;
use shared::{Bell, Shared};

/// Where durable things go. Dropping it writes and syncs what is left.
pub struct Store {
    shared: Arc<Shared>,
    /// Locked by whoever writes. None in tests that move the store on by hand.
    writer: OnceLock<Arc<Mutex<LogWriter>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _lock: Box<dyn Send + Sync>,
}

/// A catalogue, and whether it is as it was left.
type OpenCatalog = (Box<dyn Catalog>, bool);

/// What moves a store on.
struct Workers {
    writer: LogWriter,
    janitor: Janitor,
}

impl Store {
    /// Opens a data directory, which is made if it is not there.
    pub fn open(options: Options) -> Result<(Arc<Self>, Recovered), CannotOpen> {
        let kind = options.catalog;
        let catalog = move |dir: &Path| {
            let Opened { catalog, found } = catalog::open(kind, &dir.join(kind.to_string()))?;
            if let Found::SetAside { to, why } = &found {
                tracing::error!(%why, to = %to.display(), "the catalogue was set aside");
            }
            Ok((catalog, matches!(found, Found::Existing)))
        };
        Self::run_on(Arc::new(RealDisk), options, catalog)
    }

    /// Opens a data directory and starts the threads.
    fn run_on(
        disk: Arc<dyn Disk>,
        options: Options,
        catalog: impl FnMut(&Path) -> Result<OpenCatalog, CatalogError> + Send + 'static,
    ) -> Result<(Arc<Self>, Recovered), CannotOpen> {
        let (store, workers, recovered) = Self::open_on(disk, options, catalog, false)?;
        let Workers { writer, mut janitor } = workers;
        let writer = Arc::clone(store.writer.get_or_init(|| Arc::new(Mutex::new(writer))));
        store.start("log", move || LogWriter::work(&writer))?;
        store.start("log janitor", move || janitor.work())?;
        Ok((Arc::new(store), recovered))
    }

    fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), CannotOpen> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        let thread = thread.tried("start a thread for", &self.shared.options.dir)?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// Opens a data directory without starting threads. `catalog` opens the catalogue and says
    /// whether it is as it was left; it may be called again.
    fn open_on(
        disk: Arc<dyn Disk>,
        options: Options,
        mut open_catalog: impl FnMut(&Path) -> Result<OpenCatalog, CatalogError> + Send + 'static,
        by_hand: bool,
    ) -> Result<(Self, Workers, Recovered), CannotOpen> {
        let dir = &options.dir;
        disk.create_dir(dir).tried("make the directory", dir)?;
        let lock = dir.join("LOCK");
        let lock = disk.lock(&lock).tried("lock", &lock)?;
        let lock = lock.ok_or_else(|| CannotOpen::InUse(dir.clone()))?;
        let (catalog, sound) = open_catalog(dir)?;
        let lost = Vec::new();
        let mut recovery =
            Recovery { disk: &*disk, options: &options, catalog: &*catalog, sound, lost };
        let found = recovery.recover()?;
        let (data, eager) = (dir.clone(), options.durability == Durability::Always);
        let in_place = disk.overwrites_in_place(dir);
        let shared = Arc::new(Shared {
            disk,
            store_id: found.store_id,
            inbox: Inbox::new(found.next, options.room, options.lazy, eager),
            index: Mutex::new(found.index),
            pool: Pool::new(dir.clone(), options.log_file, in_place, found.next_file),
            progress: Progress::new(found.next - 1),
            bell: Bell::default(),
            oldest: AtomicU64::new(found.oldest),
            condemned_logs: if found.recovered.lost.is_empty() { 0 } else { found.next_file },
            failure: OnceLock::new(),
            closing: AtomicBool::new(false),
            by_hand,
            options,
        });
        let writer = LogWriter::new(Arc::clone(&shared), found.before);
        let catalog = Reopening::new(catalog, data, open_catalog);
        let janitor = Janitor::new(Arc::clone(&shared), catalog, found.next_segment);
        let (writer_of, threads) = (OnceLock::new(), Mutex::default());
        let store = Self { shared, writer: writer_of, threads, _lock: lock };
        Ok((store, Workers { writer, janitor }, found.recovered))
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

    /// Begins a transaction: records that count only together, though others are appended between
    /// them.
    pub fn begin(&self) -> Together {
        Together::new(Arc::clone(&self.shared))
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

    /// Makes what was appended durable in the caller's thread, if nobody else waits for the log
    /// and that will be quick. For a session whose client waits for one answer: it has nothing
    /// else to do, and two threads waking each other take longer than the sync. Look at
    /// [`Self::durable_position`] afterwards. No lock may be held.
    pub fn commit_here(&self) {
        if let Some(mut writer) = self.writer.get().and_then(|writer| writer.try_lock()) {
            writer.commit_here();
        }
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
    /// gone. Reads files. If nothing of it is written yet, what was appended before the call is waited
    /// for.
    pub fn fetch(&self, wanted: Wanted) -> Result<Vec<Stored>, CannotFetch> {
        self.shared.fetch(wanted)
    }

    /// How many messages of a queue are stored, as far as they are written.
    pub fn count(&self, queue: QueueId) -> u64 {
        self.shared.index.lock().get(queue).map_or(0, index::queue::QueueIndex::len)
    }

    /// Bytes that are free on the disk, if the system tells.
    pub fn free_space(&self) -> Option<u64> {
        self.shared.free_space()
    }

    /// Whether something waits for room on the disk.
    pub fn is_out_of_space(&self) -> bool {
        self.shared.inbox.is_out_of_space()
    }

    /// What ended the store, if something did: from then on nothing becomes durable.
    pub fn failure(&self) -> Option<&Failure> {
        self.shared.failure.get()
    }

    /// Writes and syncs what is left, transactions that are under way too, and ends the threads.
    /// Nothing may be appended afterwards.
    pub fn close(&self) {
        let mut threads = self.threads.lock();
        if !threads.is_empty() {
            self.shared.inbox.wait_until_settled();
        }
        // The janitor first, which may be waiting for the log.
        self.shared.closing.store(true, Ordering::Release);
        self.shared.bell.ring();
        while let Some(thread) = threads.pop() {
            if threads.is_empty() {
                self.shared.inbox.close();
            }
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
