//! A catalogue in sled 0.34: one tree, small keys and values, and syncs of our own.
//!
//! sled's `flush` leaves the bytes in the page cache (`sync_file_range`, sled issue 1452), so
//! [`Sled::sync`] flushes and then syncs `<dir>/db` through a descriptor of ours. sled can refuse
//! or panic on what it finds after a crash (issue 1533); callers catch that.
//!
//! That alone is not enough. What sled has flushed it takes for durable, and so it writes over
//! segments whose pages it has just copied elsewhere: a power cut can keep the overwriting and
//! lose the copies, and with them rows that were synced long ago (in 18 of 30 simulated cuts with
//! 100 or 700 batches between syncs). A segment is given free only when the log has gone a whole
//! segment (512 KiB) past the copies, and no batch counts as flushed before its end. So it is
//! enough that less than a segment lies unsynced whenever a batch begins, see [`UNSYNCED_WRITES`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::checked::{Engine, Visit};
use super::rows::Write;
use super::{CatalogError, disk};

/// sled's page cache; it bounds the cache only, so the rows must be few.
const CACHE: u64 = 16 * 1024 * 1024;

/// How many writes, and how many bytes of them, may be unsynced when a batch begins.
///
/// One write may log the pages of a split and one that is moved besides, some 22 times its bytes,
/// and 16 KiB if its neighbours are larger; so this is about a segment of 512 KiB.
const UNSYNCED_WRITES: usize = 32;
const UNSYNCED_BYTES: usize = 16 * 1024;

/// An open sled database.
pub(super) struct Sled {
    /// There until it is dropped.
    db: Option<sled::Db>,
    /// Its data file, for the sync that sled does not do.
    file: File,
    path: PathBuf,
    dir: PathBuf,
    /// Writes since the last sync.
    writes: usize,
    /// Bytes of them.
    bytes: usize,
    /// The files there were when the directory was last synced.
    listed: BTreeSet<OsString>,
}

impl Sled {
    /// Opens or makes the database in a directory.
    pub(super) fn open(dir: &Path) -> Result<Self, CatalogError> {
        let path = dir.join("db");
        // What a killed broker left in the page cache: recovery relies on it as it frees segments.
        match File::open(&path).and_then(|file| file.sync_all()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CatalogError::io("sync", &path)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let opened = sled::Config::new()
            .path(dir)
            .flush_every_ms(None)
            .use_compression(false)
            .cache_capacity(CACHE)
            .open();
        let db = match opened {
            Ok(db) => db,
            Err(error) => return Err(fault("open", &path, error)),
        };
        let file = File::options()
            .write(true)
            .open(&path)
            .map_err(|error| CatalogError::of_engine("open", &path, error))?;
        let listed = BTreeSet::new();
        Ok(Self { db: Some(db), file, path, dir: dir.to_owned(), writes: 0, bytes: 0, listed })
    }

    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("the database is there until it is dropped")
    }

    fn flush(&mut self) -> Result<(), CatalogError> {
        self.db().flush().map_err(|error| fault("flush", &self.path, error))?;
        self.file.sync_data().map_err(CatalogError::io("sync", &self.path))?;
        (self.writes, self.bytes) = (0, 0);
        Ok(())
    }

    fn list(&self) -> Result<BTreeSet<OsString>, CatalogError> {
        fs::read_dir(&self.dir)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(CatalogError::io("list", &self.dir))
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CatalogError> {
        let value = self.db().get(key).map_err(|error| fault("read", &self.path, error))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], each: &mut Visit<'_>) -> Result<(), CatalogError> {
        for entry in self.db().scan_prefix(prefix) {
            let (key, value) = entry.map_err(|error| fault("read", &self.path, error))?;
            each(&key, &value)?;
        }
        Ok(())
    }

    fn write(&mut self, writes: Vec<Write>) -> Result<(), CatalogError> {
        if self.writes >= UNSYNCED_WRITES || self.bytes >= UNSYNCED_BYTES {
            self.flush()?;
        }
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            self.writes += 1;
            self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.db().apply_batch(batch).map_err(|error| fault("write", &self.path, error))
    }

    fn sync(&mut self) -> Result<(), CatalogError> {
        self.flush()?;
        let files = self.list()?;
        if files != self.listed {
            disk::sync_dir(&self.dir)?;
            self.listed = files;
        }
        Ok(())
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        // sled flushes as it goes, and unwraps.
        let db = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }
}

fn fault(doing: &'static str, file: &Path, error: sled::Error) -> CatalogError {
    match error {
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            CatalogError::InUse { dir: disk::parent(file).to_owned() }
        }
        sled::Error::Io(error) => CatalogError::of_engine(doing, file, error),
        sled::Error::Corruption { at: None, .. } => {
            CatalogError::damaged(file, format!("sled cannot {doing} it: a checksum is wrong"))
        }
        sled::Error::Corruption { at: Some(at), .. } => CatalogError::damaged(
            file,
            format!("sled cannot {doing} it: the checksum is wrong at byte {}", at.lid()),
        ),
        // A `conf` that names other settings than ours is damaged: nobody else writes it.
        error @ (sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)) => {
            CatalogError::damaged(file, format!("sled cannot {doing} it: {error}"))
        }
    }
}
