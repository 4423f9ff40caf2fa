//! The rules of the catalogue over any database.
//!
//! Beside the rows a database holds two rows of our own:
//!
//! ```text
//! 00 ‖ "version"   format version, 2 bytes little endian
//! 00 ‖ "tally"     see `tally.rs`
//! ```
//!
//! Each batch carries the new tally, so at every instant the tally describes exactly the rows
//! beside it. Opening reads everything once and compares.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::rows::{self, Found, Head, MAX_KEY, MAX_VALUE, Owner, Write};
use super::seal::{FORMAT, Seal};
use super::tally::Tally;
use super::{Catalog, CatalogError, Change, Row, Tree};

/// What a database has to offer: bytes to bytes in the order of the keys.
///
/// It may panic on what it finds on the disk; nobody but this module calls it.
pub(super) trait Engine: Send {
    /// The value under a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CatalogError>;

    /// Shows `each` all entries whose keys begin with `prefix`, in the order of their keys.
    fn scan(&self, prefix: &[u8], each: &mut Visit<'_>) -> Result<(), CatalogError>;

    /// Makes all writes or, after a crash, none.
    fn write(&mut self, writes: Vec<Write>) -> Result<(), CatalogError>;

    /// Returns when all writes so far would survive a power cut.
    fn sync(&mut self) -> Result<(), CatalogError>;
}

/// What a scan does with each key and value.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), CatalogError> + 'a;

/// Calls into a database; a panic there means that it met what it never wrote.
pub(super) fn caught<T>(
    dir: &Path,
    call: impl FnOnce() -> Result<T, CatalogError>,
) -> Result<T, CatalogError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no text");
        Err(CatalogError::damaged(dir, format!("the database panicked ({text})")))
    })
}

/// A catalogue in a database.
pub(super) struct Checked<E> {
    engine: E,
    /// Declared after the database, so that the lock is let go last.
    seal: Seal,
    dir: PathBuf,
    tally: Tally,
    /// A write or a sync went wrong.
    stopped: bool,
}

impl<E: Engine> Checked<E> {
    /// Puts the first rows into an empty database and seals it.
    pub(super) fn create(
        mut engine: E,
        dir: &Path,
        seal: impl FnOnce() -> Result<Seal, CatalogError>,
    ) -> Result<Self, CatalogError> {
        let tally = Tally::default();
        caught(dir, || {
            engine.write(vec![
                (rows::own_key("version"), Some(FORMAT.to_le_bytes().to_vec())),
                (rows::own_key("tally"), Some(tally.to_bytes().to_vec())),
            ])?;
            engine.sync()
        })?;
        Ok(Self { engine, seal: seal()?, dir: dir.to_owned(), tally, stopped: false })
    }

    /// Takes over a database with its seal, if every row is sound and none is missing.
    pub(super) fn resume(engine: E, dir: &Path, seal: Seal) -> Result<Self, CatalogError> {
        let tally = caught(dir, || {
            let version = own(&engine, "version")?.and_then(|row| row.try_into().ok());
            match version.map(u16::from_le_bytes) {
                None => return Err(CatalogError::damaged(dir, "its version row is missing")),
                Some(FORMAT) => {}
                Some(found) => {
                    return Err(CatalogError::Newer { file: dir.to_owned(), found, known: FORMAT });
                }
            }
            let tally = own(&engine, "tally")?.and_then(|row| Tally::parse(&row));
            tally.ok_or_else(|| CatalogError::damaged(dir, "its tally row is missing or wrong"))
        })?;
        let this = Self { engine, seal, dir: dir.to_owned(), tally, stopped: false };
        if tally.batches < this.seal.batches() {
            let lost = this.seal.batches() - tally.batches;
            return this.damaged(format!("the last {lost} synced batches are missing"));
        }
        this.verify()?;
        Ok(this)
    }

    /// Reads everything and holds it against the tally.
    fn verify(&self) -> Result<(), CatalogError> {
        let mut seen = Tally::after(self.tally.batches);
        let (mut pieces, mut expected) = (0_u64, 0_u64);
        caught(&self.dir, || {
            self.engine.scan(&[], &mut |key, bytes| {
                match rows::owner(key) {
                    Some(Owner::Own) => {}
                    Some(Owner::Piece) => pieces += 1,
                    Some(Owner::Row) => {
                        let head = self.whole(key, bytes)?.head;
                        seen.add(head);
                        expected += u64::from(head.pieces) - 1;
                    }
                    None => return self.damaged("it holds a key that is none of ours"),
                }
                Ok(())
            })
        })?;
        if seen != self.tally || pieces != expected {
            let (rows, tally) = (seen.rows, self.tally.rows);
            return self.damaged(format!(
                "its {rows} rows and {pieces} pieces are not the {tally} rows and {expected} \
                 pieces that were written"
            ));
        }
        Ok(())
    }

    /// A row with all its pieces.
    fn whole(&self, stored: &[u8], bytes: &[u8]) -> Result<Found, CatalogError> {
        match rows::decode(stored, bytes, |piece| self.engine.get(piece))? {
            Some(found) => Ok(found),
            None => self.damaged(format!("the row {} is wrong", stored.escape_ascii())),
        }
    }

    /// The writes of a batch, and the tally after it.
    fn plan(&self, batch: &[Change]) -> Result<(Vec<Write>, Tally), CatalogError> {
        let mut last = BTreeMap::new();
        for (tree, key, value) in batch.iter().map(Change::target) {
            last.insert((tree, key), value);
        }
        let mut writes = Vec::with_capacity(last.len() + 1);
        let mut tally = self.tally;
        for ((tree, key), value) in last {
            let full = rows::full_key(tree, key);
            let stored = rows::stored_key(&full);
            let mut stale = 1;
            if let Some(bytes) = self.engine.get(&stored)? {
                let Some((old, _)) = Head::parse(&bytes) else {
                    return self.damaged(format!("the row {} is wrong", stored.escape_ascii()));
                };
                tally.remove(old);
                stale = old.pieces;
                if value.is_none() {
                    writes.push((stored.clone(), None));
                }
            }
            let kept = value.map_or(1, |value| {
                let head = rows::encode(&full, value, &mut writes);
                tally.add(head);
                head.pieces
            });
            writes.extend((kept..stale).map(|number| (rows::piece_key(&stored, number), None)));
        }
        tally.batches += 1;
        writes.push((rows::own_key("tally"), Some(tally.to_bytes().to_vec())));
        Ok((writes, tally))
    }

    fn damaged<T>(&self, what: impl Into<String>) -> Result<T, CatalogError> {
        Err(CatalogError::damaged(&self.dir, what))
    }

    fn check_running(&self) -> Result<(), CatalogError> {
        if self.stopped { Err(CatalogError::Stopped { dir: self.dir.clone() }) } else { Ok(()) }
    }
}

impl<E: Engine> Catalog for Checked<E> {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, CatalogError> {
        let stored = rows::stored_key(&rows::full_key(tree, key));
        caught(&self.dir, || {
            let Some(bytes) = self.engine.get(&stored)? else { return Ok(None) };
            Ok(Some(self.whole(&stored, &bytes)?.value))
        })
    }

    fn scan_prefix(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Row>, CatalogError> {
        let full = rows::full_key(tree, prefix);
        let mut rows = Vec::new();
        caught(&self.dir, || {
            self.engine.scan(rows::stored_prefix(&full), &mut |stored, bytes| {
                let found = self.whole(stored, bytes)?;
                if found.full.starts_with(&full) {
                    rows.push((found.full[1..].to_vec(), found.value));
                }
                Ok(())
            })
        })?;
        // Long keys lie in the order of their digests.
        if !rows.is_sorted_by(|a, b| a.0 < b.0) {
            rows.sort_unstable();
        }
        Ok(rows)
    }

    fn apply(&mut self, batch: &[Change]) -> Result<(), CatalogError> {
        self.check_running()?;
        check_limits(batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        self.stopped = true;
        let dir = self.dir.clone();
        self.tally = caught(&dir, || {
            let (writes, tally) = self.plan(batch)?;
            self.engine.write(writes)?;
            Ok(tally)
        })?;
        self.stopped = false;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), CatalogError> {
        self.check_running()?;
        if self.tally.batches == self.seal.batches() {
            return Ok(());
        }
        self.stopped = true;
        caught(&self.dir, || self.engine.sync())?;
        self.seal.press(self.tally.batches)?;
        self.stopped = false;
        Ok(())
    }
}

/// Refuses a batch in which a key or a value is too long.
pub(super) fn check_limits(batch: &[Change]) -> Result<(), CatalogError> {
    for (_, key, value) in batch.iter().map(Change::target) {
        if key.len() > MAX_KEY {
            return Err(CatalogError::KeyTooLong { len: key.len() });
        }
        match value {
            Some(value) if value.len() > MAX_VALUE => {
                return Err(CatalogError::ValueTooLong { len: value.len() });
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Whether a database holds no batch of ours: the broker fell while it was made.
pub(super) fn never_used(engine: &impl Engine, dir: &Path) -> Result<bool, CatalogError> {
    caught(dir, || {
        let mut foreign = 0_u64;
        engine.scan(&[], &mut |key, _| {
            foreign += u64::from(rows::owner(key) != Some(Owner::Own));
            Ok(())
        })?;
        let tally = own(engine, "tally")?.and_then(|row| Tally::parse(&row));
        Ok(foreign == 0 && tally.is_none_or(|tally| tally.batches == 0))
    })
}

fn own(engine: &impl Engine, name: &str) -> Result<Option<Vec<u8>>, CatalogError> {
    engine.get(&rows::own_key(name))
}
