//! Which files a data directory has.

use std::path::{Path, PathBuf};

use super::{LogFile, Recovery};
use crate::store::disk::{Disk, read_whole};
use crate::store::error::{CannotOpen, Tried};
use crate::store::format::file_header::{self, FileHeader, Kind, NoHeader, StoreId, seed};
use crate::store::format::read::Flaw;
use crate::store::log;
use crate::store::recovery::replay::was_in_use;

/// Reads which data directory this is, or makes it one.
pub(super) fn identify(disk: &dyn Disk, data: &Path) -> Result<StoreId, CannotOpen> {
    let path = data.join("WARREN");
    let names = disk.list(data).tried("list", data)?;
    if names.iter().any(|name| name == "WARREN") {
        let file = disk.open(&path).tried("open", &path)?;
        let bytes = read_whole(&*file).tried("read", &path)?;
        match FileHeader::decode(Kind::Directory, &bytes) {
            Ok(header) => return Ok(header.store),
            Err(NoHeader::Format(found)) => return Err(CannotOpen::Format { path, found }),
            // It is the first thing that is written; after a crash just then there is no other.
            Err(NoHeader::Blank | NoHeader::Damaged) => {}
        }
    }
    let store = match any_store_id(disk, data)? {
        Some(store) => store,
        None => draw_store_id(),
    };
    let header =
        FileHeader { kind: Kind::Directory, file: 0, store, first: 0, before: 0, count: 0 };
    let file = disk.create(&path).tried("create", &path)?;
    file.write_at(&header.encode(), 0).tried("write to", &path)?;
    file.sync().tried("sync", &path)?;
    disk.sync_dir(data).tried("sync", data)?;
    Ok(store)
}

/// The id in the first log file that has one.
fn any_store_id(disk: &dyn Disk, data: &Path) -> Result<Option<StoreId>, CannotOpen> {
    let dir = log::dir(data);
    for name in disk.list(&dir).tried("list", &dir)? {
        let path = dir.join(name);
        let file = disk.open(&path).tried("open", &path)?;
        let mut bytes = [0; file_header::LEN];
        file.read_at(&mut bytes, 0).tried("read", &path)?;
        if let Ok(header) = FileHeader::decode(Kind::Log, &bytes) {
            return Ok(Some(header.store));
        }
    }
    Ok(None)
}

fn draw_store_id() -> StoreId {
    use std::hash::{BuildHasher, RandomState};
    let mut id = StoreId::default();
    for half in id.chunks_exact_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one(std::process::id()).to_le_bytes());
    }
    id
}

impl Recovery<'_> {
    /// Opens the log files that were in use and removes those that were only made ready.
    pub(super) fn find_logs(&mut self, store: StoreId) -> Result<Vec<LogFile>, CannotOpen> {
        let (disk, options) = (self.disk, self.options);
        let dir = log::dir(&options.dir);
        let names = disk.list(&dir).tried("list", &dir)?;
        let numbers = names.iter().filter_map(|name| log::number(name));
        let mut logs: Vec<LogFile> = Vec::new();
        let mut blank = Vec::new();
        // From the newest on: only there can be files that were never begun.
        for file in numbers.collect::<Vec<_>>().into_iter().rev() {
            let path = log::path(&options.dir, file);
            let handle = disk.open(&path).tried("open", &path)?;
            let mut bytes = [0; file_header::LEN];
            handle.read_at(&mut bytes, 0).tried("read", &path)?;
            let header = match FileHeader::decode(Kind::Log, &bytes) {
                Ok(header) if header.store != store => return Err(CannotOpen::Foreign(path)),
                Ok(header) if header.file == file => Some(header),
                Err(NoHeader::Format(found)) => return Err(CannotOpen::Format { path, found }),
                Ok(_) | Err(NoHeader::Blank | NoHeader::Damaged) => {
                    let bytes = read_whole(&*handle).tried("read", &path)?;
                    if logs.is_empty() && !was_in_use(&bytes, seed(file)) {
                        blank.push((file, path));
                        continue;
                    }
                    let error =
                        CannotOpen::Damaged { path: path.clone(), offset: 0, flaw: Flaw::Header };
                    self.forgive(error)?;
                    None
                }
            };
            if let Some(next) = logs.last()
                && next.file != file + 1
            {
                self.forgive(CannotOpen::Missing(log::path(&options.dir, file + 1)))?;
            }
            logs.push(LogFile { file, path, handle, header });
        }
        logs.reverse();
        self.expect_no_gap(logs.last().map_or(0, |log| log.file), &blank)?;
        for (_, path) in blank {
            disk.remove(&path).tried("remove", &path)?;
        }
        Ok(logs)
    }

    /// Files are made ready in the order of their numbers: between the newest that was in use and
    /// the first that was not there is none. If one is gone, so are the last messages.
    fn expect_no_gap(&mut self, newest: u64, blank: &[(u64, PathBuf)]) -> Result<(), CannotOpen> {
        match blank.last() {
            Some((first, _)) if *first != newest + 1 => {
                self.forgive(CannotOpen::Missing(log::path(&self.options.dir, first - 1)))
            }
            Some(_) | None => Ok(()),
        }
    }
}
