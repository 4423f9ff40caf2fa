//! A catalogue in redb 4: the stand-in, should sled fail us.
//!
//! A batch is a commit without a sync; [`Redb::sync`] commits nothing, durably, which takes those
//! before it along. Opening checks every page's checksum: the catalogue is small, and without it
//! redb trusts a file that was closed in good order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{
    Database, DatabaseError, Durability, Error, ReadOnlyTable, ReadableDatabase, TableDefinition,
    TableError,
};

use super::CatalogError;
use super::checked::{Engine, Visit};
use super::rows::Write;

/// redb's page cache.
const CACHE: usize = 16 * 1024 * 1024;

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// An open redb database.
pub(super) struct Redb {
    /// There until it is dropped.
    db: Option<Database>,
    path: PathBuf,
}

impl Redb {
    /// Opens or makes the database in a directory.
    pub(super) fn open(dir: &Path) -> Result<Self, CatalogError> {
        let path = dir.join("catalog.redb");
        let opened = Database::builder()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(true)
            .create(&path);
        match opened {
            Ok(db) => Ok(Self { db: Some(db), path }),
            Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
                Err(CatalogError::InUse { dir: dir.to_owned() })
            }
            Err(error) => Err(fault("open", &path, error.into())),
        }
    }

    fn db(&self) -> &Database {
        self.db.as_ref().expect("the database is there until it is dropped")
    }

    fn table(&self) -> Result<Option<Rows>, Error> {
        match self.db().begin_read()?.open_table(ROWS) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn commit(&self, durability: Durability, writes: Vec<Write>) -> Result<(), Error> {
        let mut transaction = self.db().begin_write()?;
        transaction.set_durability(durability)?;
        // Opens fast after a crash, for a little more in each durable commit.
        transaction.set_quick_repair(matches!(durability, Durability::Immediate));
        if !writes.is_empty() {
            let mut table = transaction.open_table(ROWS)?;
            for (key, value) in writes {
                match value {
                    Some(value) => drop(table.insert(&*key, &*value)?),
                    None => drop(table.remove(&*key)?),
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Engine for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CatalogError> {
        let get = || {
            let Some(table) = self.table()? else { return Ok(None) };
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        };
        get().map_err(|error| fault("read", &self.path, error))
    }

    fn scan(&self, prefix: &[u8], each: &mut Visit<'_>) -> Result<(), CatalogError> {
        let read = |error: Error| fault("read", &self.path, error);
        let Some(table) = self.table().map_err(read)? else { return Ok(()) };
        for entry in table.range(prefix..).map_err(|error| read(error.into()))? {
            let (key, value) = entry.map_err(|error| read(error.into()))?;
            if !key.value().starts_with(prefix) {
                break;
            }
            each(key.value(), value.value())?;
        }
        Ok(())
    }

    fn write(&mut self, writes: Vec<Write>) -> Result<(), CatalogError> {
        self.commit(Durability::None, writes).map_err(|error| fault("write", &self.path, error))
    }

    fn sync(&mut self) -> Result<(), CatalogError> {
        self.commit(Durability::Immediate, Vec::new())
            .map_err(|error| fault("sync", &self.path, error))
    }
}

impl Drop for Redb {
    fn drop(&mut self) {
        // redb commits as it goes.
        let db = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }
}

fn fault(doing: &'static str, file: &Path, error: Error) -> CatalogError {
    if let Error::Io(error) = error {
        return CatalogError::of_engine(doing, file, error);
    }
    // Everything else is about what the file says: we hold one transaction at a time and one
    // table, of one type.
    CatalogError::damaged(file, format!("redb cannot {doing} it: {error}"))
}
