//! The broker's rows in a file of their own, from which they come back if the catalogue is lost.
//!
//! ```text
//! meta/definitions-<lsn>.snap:
//! header 64: magic "WARRNSNP", file = lsn, before = length | Put records, seeded with the lsn
//! ```
//!
//! It is written under another name and renamed when it is on the disk. The last two are kept.

use std::path::{Path, PathBuf};

use super::Janitor;
use crate::store::catalog::Tree;
use crate::store::disk::{Disk, read_whole};
use crate::store::error::{CannotOpen, Failure, Tried};
use crate::store::format::file_header::{FileHeader, Kind, LEN, StoreId, seed};
use crate::store::format::read::{Found, View, look};
use crate::store::format::record::{Encoder, seal};

/// Snapshots that are kept.
const KEPT: usize = 2;

/// The rows of a snapshot.
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

impl Janitor {
    /// Writes all of the broker's rows; the log up to `lsn` is in them.
    pub(super) fn write_snapshot(&self, lsn: u64) -> Result<(), Failure> {
        let data = &self.shared.options.dir;
        let rows = self.catalog().scan_prefix(Tree::Catalog, b"");
        let rows = rows.map_err(std::io::Error::other).or_failure("read the catalogue in", data)?;
        let mut bytes = vec![0; LEN];
        for (key, value) in rows {
            let start = bytes.len();
            Encoder::new(&mut bytes, lsn, 0).put(&key, &value);
            seal(&mut bytes[start..], seed(lsn));
        }
        let (kind, store, before) = (Kind::Snapshot, self.shared.store_id, bytes.len() as u64);
        let header = FileHeader { kind, file: lsn, store, first: 0, before, count: 0 };
        bytes[..LEN].copy_from_slice(&header.encode());
        let disk = &*self.shared.disk;
        let (folder, path) = (dir(data), path(data, lsn));
        let unfinished = folder.join("definitions.tmp");
        let file = disk.create(&unfinished).or_failure("create", &unfinished)?;
        file.write_at(&bytes, 0).or_failure("write to", &unfinished)?;
        file.sync().or_failure("sync", &unfinished)?;
        disk.rename(&unfinished, &path).or_failure("rename", &unfinished)?;
        disk.sync_dir(&folder).or_failure("sync", &folder)?;
        let mut old = snapshots(disk, data).or_failure("list", &folder)?;
        old.truncate(old.len().saturating_sub(KEPT));
        for lsn in old {
            let path = self::path(data, lsn);
            disk.remove(&path).or_failure("remove", &path)?;
        }
        Ok(())
    }
}

/// The directory of snapshots.
pub(crate) fn dir(data: &Path) -> PathBuf {
    data.join("meta")
}

pub(crate) fn path(data: &Path, lsn: u64) -> PathBuf {
    dir(data).join(format!("definitions-{lsn:016x}.snap"))
}

/// The lsns of the snapshots that there are, oldest first.
pub(crate) fn snapshots(disk: &dyn Disk, data: &Path) -> std::io::Result<Vec<u64>> {
    let names = disk.list(&dir(data))?;
    let digits = |name: &str| {
        let digits = name.strip_prefix("definitions-")?.strip_suffix(".snap")?.to_owned();
        (digits.len() == 16).then(|| u64::from_str_radix(&digits, 16).ok())?
    };
    Ok(names.iter().filter_map(|name| digits(name)).collect())
}

/// The rows of the newest snapshot that is sound. Says of those that are not that they are not.
pub(crate) fn newest_snapshot(
    disk: &dyn Disk,
    data: &Path,
    store: StoreId,
) -> Result<Option<Rows>, CannotOpen> {
    let folder = dir(data);
    for lsn in snapshots(disk, data).tried("list", &folder)?.into_iter().rev() {
        let path = path(data, lsn);
        match read_snapshot(disk, &path, lsn, store)? {
            Some(rows) => return Ok(Some(rows)),
            None => {
                tracing::error!(file = %path.display(), "a snapshot of the definitions is damaged; trying the one before")
            }
        }
    }
    Ok(None)
}

/// A snapshot's rows; `None` if it is damaged.
pub(crate) fn read_snapshot(
    disk: &dyn Disk,
    path: &Path,
    lsn: u64,
    store: StoreId,
) -> Result<Option<Rows>, CannotOpen> {
    let file = disk.open(path).tried("open", path)?;
    let bytes = read_whole(&*file).tried("read", path)?;
    let sound = FileHeader::decode(Kind::Snapshot, &bytes).is_ok_and(|header| {
        (header.file, header.store, header.before) == (lsn, store, bytes.len() as u64)
    });
    if !sound {
        return Ok(None);
    }
    let (mut rows, mut at) = (Vec::new(), LEN);
    while at < bytes.len() {
        let Found::Record(raw) = look(&bytes[at..], seed(lsn)) else { return Ok(None) };
        let Ok(View::Put { key, value }) = raw.view() else { return Ok(None) };
        rows.push((key.to_vec(), value.to_vec()));
        at += raw.padded_len();
    }
    Ok(Some(rows))
}

/// Which snapshots are damaged, in words.
pub(crate) fn snapshot_problems(
    disk: &dyn Disk,
    data: &Path,
    store: StoreId,
) -> Result<Vec<String>, CannotOpen> {
    let mut problems = Vec::new();
    let folder = dir(data);
    for lsn in snapshots(disk, data).tried("list", &folder)? {
        let path = path(data, lsn);
        if read_snapshot(disk, &path, lsn, store)?.is_none() {
            problems.push(format!("the snapshot {} is damaged; remove it", path.display()));
        }
    }
    Ok(problems)
}
