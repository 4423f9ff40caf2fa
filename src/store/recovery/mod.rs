//! What a data directory comes to when a store is opened on it.
//!
//! The log's files are read in order of their numbers and their records applied to an empty
//! [`Index`]. In the newest file the last write may be torn: what does not read there was never
//! confirmed and is dropped. Anything else that does not read was there once: then the store
//! does not open, unless it is told to salvage.

pub(crate) mod cold;
mod files;
pub(crate) mod replay;
pub(crate) mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::catalog::Catalog;
use super::disk::{Disk, DiskFile, read_whole};
use super::error::{CannotOpen, Tried};
use super::format::file_header::{self, FileHeader, StoreId, seed};
use super::format::read::Flaw;
use super::index::Index;
use super::janitor::snapshot_dir;
use super::options::Options;
use super::{log, segments};
use crate::names::QueueId;
use replay::replay;

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
    /// What salvaging went on without, in words.
    pub lost: Vec<String>,
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
    /// Some of them may expire.
    pub timed: bool,
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
pub(crate) struct LogFile {
    pub(crate) file: u64,
    pub(crate) path: PathBuf,
    pub(crate) handle: Arc<dyn DiskFile>,
    /// `None` when it is damaged and we salvage.
    pub(crate) header: Option<FileHeader>,
}

/// Reads a data directory.
pub(crate) struct Recovery<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) options: &'a Options,
    pub(crate) catalog: &'a dyn Catalog,
    /// The catalogue is as it was left.
    pub(crate) sound: bool,
    /// What was forgiven.
    pub(crate) lost: Vec<CannotOpen>,
}

impl Recovery<'_> {
    /// An error, unless we are to go on in spite of it.
    pub(super) fn forgive(&mut self, error: CannotOpen) -> Result<(), CannotOpen> {
        if !self.options.salvage {
            return Err(error);
        }
        tracing::error!(%error, "salvaging: going on without it");
        self.lost.push(error);
        Ok(())
    }

    /// Reads all of it.
    pub(crate) fn recover(&mut self) -> Result<Found, CannotOpen> {
        let (disk, options) = (self.disk, self.options);
        let began = Instant::now();
        for dir in [log::dir(&options.dir), segments::dir(&options.dir), snapshot_dir(&options.dir)]
        {
            disk.create_dir(&dir).tried("make the directory", &dir)?;
            cold::remove_unfinished(disk, &dir)?;
        }
        let store = files::identify(disk, &options.dir)?;
        let logs = self.find_logs(store)?;
        let mut index = Index::default();
        index.restarting = true;
        let oldest_log = logs.first().map_or(u64::MAX, |log| log.file);
        let base = self.load_cold(store, oldest_log, &mut index)?;
        let (mut before, mut last, mut oldest, mut records) = (0, 0, None, 0);
        for (at, log) in logs.iter().enumerate() {
            let next = logs.get(at + 1).filter(|next| next.file == log.file + 1);
            let end = next.and_then(|next| next.header).map(|header| header.before);
            let bytes = read_whole(&*log.handle).tried("read", &log.path)?;
            let mut from = file_header::LEN as u64;
            let mut whole = true;
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
                whole = false;
                let error = CannotOpen::Damaged {
                    path: log.path.clone(),
                    offset: damage.offset,
                    flaw: damage.flaw,
                };
                self.forgive(error)?;
                let Some(resume) = damage.resume else { break };
                from = resume;
            }
            // What a torn end and a shortened file have lost looks the same from inside.
            let least = log.header.as_ref().map_or(0, file_header::least_len);
            if whole && (bytes.len() as u64) < least {
                let (path, offset) = (log.path.clone(), bytes.len() as u64);
                self.forgive(CannotOpen::Damaged { path, offset, flaw: Flaw::Short })?;
            }
            tracing::debug!(file = %log.path.display(), records, "read a file of the log");
        }
        let abandoned = index.abandon_all();
        // What was read may so far stand in the page cache only.
        if let Some(newest) = logs.last() {
            newest.handle.sync().tried("sync", &newest.path)?;
        }
        let first = logs.first().map_or(1, |log| log.file);
        let oldest = oldest.unwrap_or(first);
        if oldest < first {
            self.forgive(CannotOpen::Missing(log::path(&options.dir, oldest)))?;
        }
        let next_file = logs.last().map_or(1, |log| log.file + 1);
        index.restarting = false;
        index.logs = logs.into_iter().map(|log| (log.file, log.handle)).collect();
        let next_segment = base.next_segment;
        if options.salvage {
            self.verify_segments(&mut index)?;
        }
        let mut recovered = summary(&index, base)?;
        recovered.lost = self.lost.iter().map(ToString::to_string).collect();
        if records > 0 {
            let (queues, took) = (recovered.queues.len(), began.elapsed());
            tracing::info!(records, queues, abandoned, ?took, "the log was read");
        }
        let (next, oldest) = (last + 1, oldest.max(first));
        let store_id = store;
        Ok(Found { recovered, index, store_id, next, next_file, before, oldest, next_segment })
    }
}

fn summary(index: &Index, base: cold::Base) -> Result<Recovered, CannotOpen> {
    let mut queues = Vec::new();
    for (id, queue) in index.queues() {
        let hot: u64 = queue.hot.from(0).map(|(_, spot)| u64::from(spot.body)).sum();
        let body_bytes = hot + cold::body_bytes(index, queue)?;
        let (next_position, messages) = (queue.next_position, queue.len());
        let timed = queue.timed || queue.cold.runs().any(|(_, cold)| cold.run.timed);
        queues.push(RecoveredQueue { id, next_position, messages, body_bytes, timed });
    }
    queues.sort_unstable_by_key(|queue| queue.id);
    let mut rows = base.rows;
    for (key, value) in &index.unsaved.rows {
        match value {
            Some(value) => rows.insert(key.clone(), value.clone()),
            None => rows.remove(key),
        };
    }
    Ok(Recovered {
        rows: rows.into_iter().collect(),
        queues,
        rebuilt: base.rebuilt,
        lost: Vec::new(),
    })
}
