//! What a data directory comes to when a store is opened on it.
//!
//! The log's files are read in order of their numbers and their records applied to an empty
//! [`Index`]. In the newest file the last write may be torn: what does not read there was never
//! confirmed and is dropped. Anything else that does not read was there once: then the store
//! does not open, unless it is told to salvage.

pub(crate) mod cold;
pub(crate) mod replay;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::catalog::Catalog;
use super::disk::{Disk, DiskFile, read_whole};
use super::error::{CannotOpen, Tried};
use super::format::file_header::{self, FileHeader, Kind, NoHeader, StoreId, seed};
use super::format::read::Flaw;
use super::index::Index;
use super::janitor::snapshot_dir;
use super::options::Options;
use super::{log, segments};
use crate::names::QueueId;
use replay::{replay, was_in_use};

/// What was found when a store was opened.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The rows of the catalogue, in order of their keys.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// The queues that the store knows, in order of their numbers. Whoever knows better which
    /// queues exist tells it of the others that they are deleted.
    pub queues: Vec<RecoveredQueue>,
    /// The catalogue was lost and is built anew: messages that were acknowledged may be back.
    pub rebuilt: bool,
}

/// A queue as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveredQueue {
    /// Its number.
    pub id: QueueId,
    /// No message in it stands here or behind.
    pub next_position: u64,
    /// How many messages it holds.
    pub messages: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
}

/// What the store goes on from.
pub(crate) struct Found {
    pub(crate) recovered: Recovered,
    pub(crate) index: Index,
    pub(crate) store_id: StoreId,
    /// The first log position that is free.
    pub(crate) next: u64,
    /// The first file number that is free.
    pub(crate) next_file: u64,
    /// Where the newest file's records end.
    pub(crate) before: u64,
    pub(crate) oldest: u64,
    /// The first number that no segment ever had.
    pub(crate) next_segment: u64,
}

/// A log file that was in use.
struct LogFile {
    file: u64,
    path: PathBuf,
    handle: Arc<dyn DiskFile>,
    /// `None` when it is damaged and we salvage.
    header: Option<FileHeader>,
}

/// Reads a data directory.
pub(crate) fn recover(
    disk: &dyn Disk,
    options: &Options,
    catalog: &dyn Catalog,
    sound: bool,
) -> Result<Found, CannotOpen> {
    let began = Instant::now();
    for dir in [log::dir(&options.dir), segments::dir(&options.dir), snapshot_dir(&options.dir)] {
        disk.create_dir(&dir).tried("make the directory", &dir)?;
        cold::remove_unfinished(disk, &dir)?;
    }
    let store = identify(disk, &options.dir)?;
    let logs = find_logs(disk, options, store)?;
    let mut index = Index::default();
    index.restarting = true;
    let oldest_log = logs.first().map_or(u64::MAX, |log| log.file);
    let sources = cold::Sources { disk, options, store, catalog, sound, oldest_log };
    let base = sources.load(&mut index)?;
    let (mut before, mut last, mut oldest, mut records) = (0, 0, None, 0);
    for (at, log) in logs.iter().enumerate() {
        let next = logs.get(at + 1).filter(|next| next.file == log.file + 1);
        let end = next.and_then(|next| next.header).map(|header| header.before);
        let bytes = read_whole(&*log.handle).tried("read", &log.path)?;
        let mut from = file_header::LEN as u64;
        loop {
            let apply = |raw: &_, offset| index.apply(raw, log.file, offset);
            let (done, damage) = replay(&bytes, seed(log.file), from, end, apply);
            records += done.records;
            last = last.max(done.last);
            before = done.end.min(bytes.len() as u64);
            if done.oldest > 0 {
                oldest = Some(done.oldest);
            }
            let Some(damage) = damage else { break };
            let error = CannotOpen::Damaged {
                path: log.path.clone(),
                offset: damage.offset,
                flaw: damage.flaw,
            };
            salvaging(options, error)?;
            let Some(resume) = damage.resume else { break };
            from = resume;
        }
        tracing::debug!(file = %log.path.display(), records, "read a file of the log");
    }
    // What was read may so far stand in the page cache only.
    if let Some(newest) = logs.last() {
        newest.handle.sync().tried("sync", &newest.path)?;
    }
    let first = logs.first().map_or(1, |log| log.file);
    let oldest = oldest.unwrap_or(first);
    if oldest < first {
        missing(options, oldest)?;
    }
    let next_file = logs.last().map_or(1, |log| log.file + 1);
    index.restarting = false;
    index.logs = logs.into_iter().map(|log| (log.file, log.handle)).collect();
    let next_segment = base.next_segment;
    let recovered = summary(&index, base)?;
    if records > 0 {
        let (queues, took) = (recovered.queues.len(), began.elapsed());
        tracing::info!(records, queues, ?took, "the log was read");
    }
    let (next, oldest) = (last + 1, oldest.max(first));
    let store_id = store;
    Ok(Found { recovered, index, store_id, next, next_file, before, oldest, next_segment })
}

/// Reads which data directory this is, or makes it one.
fn identify(disk: &dyn Disk, data: &Path) -> Result<StoreId, CannotOpen> {
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

/// Opens the log files that were in use and removes those that were only made ready.
fn find_logs(
    disk: &dyn Disk,
    options: &Options,
    store: StoreId,
) -> Result<Vec<LogFile>, CannotOpen> {
    let dir = log::dir(&options.dir);
    let names = disk.list(&dir).tried("list", &dir)?;
    let numbers = names.iter().filter_map(|name| log::number(name));
    let mut logs: Vec<LogFile> = Vec::new();
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
                    disk.remove(&path).tried("remove", &path)?;
                    continue;
                }
                let error =
                    CannotOpen::Damaged { path: path.clone(), offset: 0, flaw: Flaw::Header };
                salvaging(options, error)?;
                None
            }
        };
        if let Some(next) = logs.last()
            && next.file != file + 1
        {
            missing(options, file + 1)?;
        }
        logs.push(LogFile { file, path, handle, header });
    }
    logs.reverse();
    Ok(logs)
}

fn missing(options: &Options, file: u64) -> Result<(), CannotOpen> {
    salvaging(options, CannotOpen::Missing(log::path(&options.dir, file)))
}

/// An error, unless we are to go on in spite of it.
fn salvaging(options: &Options, error: CannotOpen) -> Result<(), CannotOpen> {
    if !options.salvage {
        return Err(error);
    }
    tracing::error!(%error, "salvaging: going on without it");
    Ok(())
}

fn summary(index: &Index, base: cold::Base) -> Result<Recovered, CannotOpen> {
    let mut queues = Vec::new();
    for (id, queue) in index.queues() {
        let hot: u64 = queue.hot.from(0).map(|(_, spot)| u64::from(spot.body)).sum();
        let body_bytes = hot + cold::body_bytes(index, queue)?;
        let (next_position, messages) = (queue.next_position, queue.len());
        queues.push(RecoveredQueue { id, next_position, messages, body_bytes });
    }
    queues.sort_unstable_by_key(|queue| queue.id);
    let mut rows = base.rows;
    for (key, value) in &index.unsaved.rows {
        match value {
            Some(value) => rows.insert(key.clone(), value.clone()),
            None => rows.remove(key),
        };
    }
    Ok(Recovered { rows: rows.into_iter().collect(), queues, rebuilt: base.rebuilt })
}
