//! What is not in the log: the broker's rows, segments and their runs.
//!
//! Mostly the catalogue knows all of it. If it was lost, or is older than the files beside it,
//! the rows come from the newest snapshot and the runs from the segments' footers; then it is not
//! known which of those messages were gone, and they come again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Recovery;
use crate::names::QueueId;
use crate::store::catalog::Tree;
use crate::store::disk::Disk;
use crate::store::error::{CannotOpen, Tried};
use crate::store::format::file_header::StoreId;
use crate::store::format::read::{Found, View, look_unchecked};
use crate::store::format::rows;
use crate::store::format::run::{Run, RunKey};
use crate::store::index::Index;
use crate::store::index::cold::ColdRun;
use crate::store::index::moves::Segment;
use crate::store::index::queue::QueueIndex;
use crate::store::janitor::newest_snapshot;
use crate::store::segments;
use crate::store::segments::read::SegmentFile;
use crate::store::segments::runs::NewRun;

/// What was found besides the log.
#[derive(Debug, Default)]
pub(crate) struct Base {
    /// The broker's rows.
    pub(crate) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first number that no segment ever had.
    pub(crate) next_segment: u64,
    /// The catalogue could not be used.
    pub(crate) rebuilt: bool,
}

/// Runs that the catalogue knows; `None` for one in a segment that does not count.
type KnownRuns = Vec<(RunKey, Option<Run>)>;
type Files = BTreeMap<u64, SegmentFile>;

impl Recovery<'_> {
    /// Fills an empty index with what is not in the log.
    pub(super) fn load_cold(
        &mut self,
        store: StoreId,
        oldest_log: u64,
        index: &mut Index,
    ) -> Result<Base, CannotOpen> {
        let mut files = self.open_segments(store, index)?;
        let newest_file = files.last_key_value().map_or(0, |(newest, _)| *newest);
        let known = if self.sound { self.catalog.get(Tree::Meta, rows::SEGMENTS)? } else { None };
        let known = known.as_deref().and_then(rows::decode_segments);
        if let Some((next_segment, known)) = known
            && self.fits(&known, &mut files, oldest_log)?
            && let Some(runs) = self.runs(&known)?
        {
            // What a cut-off checkpoint left behind is cleared away by its number, so that is not used
            // again.
            let of_runs = runs.iter().map(|(key, _)| key.segment).max().unwrap_or(0);
            let next_segment = next_segment.max(newest_file + 1).max(of_runs + 1);
            let rows = self.catalog.scan_prefix(Tree::Catalog, b"")?.into_iter().collect();
            self.adopt(index, files, runs);
            self.load_queues(index)?;
            return Ok(Base { rows, next_segment, rebuilt: false });
        }
        self.rebuild(store, index, files)
    }

    fn open_segments(&mut self, store: StoreId, index: &mut Index) -> Result<Files, CannotOpen> {
        let dir = segments::dir(&self.options.dir);
        let mut files = Files::new();
        for name in self.disk.list(&dir).tried("list", &dir)? {
            let Some(segment) = segments::number(&name) else { continue };
            let path = dir.join(name);
            let file = match SegmentFile::open(self.disk, path.clone(), segment, store) {
                Ok(file) => file,
                Err(error) => {
                    self.forgive(error)?;
                    index.condemned.insert(segment);
                    SegmentFile::open_damaged(self.disk, path, segment)?
                }
            };
            files.insert(segment, file);
        }
        Ok(files)
    }

    /// Whether the segments that the catalogue knows are those that there are. Removes files that
    /// it does not know yet and those whose messages stand elsewhere.
    fn fits(
        &mut self,
        known: &[u64],
        files: &mut Files,
        oldest_log: u64,
    ) -> Result<bool, CannotOpen> {
        for segment in known {
            if !files.contains_key(segment) {
                let path = segments::path(&self.options.dir, *segment);
                self.forgive(CannotOpen::Missing(path))?;
            }
        }
        let known: BTreeSet<u64> = known.iter().copied().collect();
        let unknown: Vec<u64> = files.keys().copied().filter(|at| !known.contains(at)).collect();
        for segment in unknown {
            // Its messages are still where they came from, or it was wholly gone.
            let file = &files[&segment];
            let unfinished = if file.log > 0 {
                file.log >= oldest_log
            } else {
                file.footer()?.merged.iter().all(|merged| known.contains(merged))
            };
            let newest = known.last().copied().unwrap_or(0);
            if !unfinished && segment > newest {
                tracing::error!(
                    file = %file.path.display(),
                    "the catalogue is older than this segment; it is built anew"
                );
                return Ok(false);
            }
            self.remove(files, segment)?;
        }
        Ok(true)
    }

    fn remove(&self, files: &mut Files, segment: u64) -> Result<(), CannotOpen> {
        let Some(file) = files.remove(&segment) else { return Ok(()) };
        self.disk.remove(&file.path).tried("remove", &file.path)
    }

    /// The runs that the catalogue knows, in the segments that count.
    fn runs(&self, known: &[u64]) -> Result<Option<KnownRuns>, CannotOpen> {
        let mut runs = Vec::new();
        for (key, value) in self.catalog.scan_prefix(Tree::Runs, b"")? {
            let Some(key) = RunKey::decode(&key) else { return Ok(None) };
            if known.binary_search(&key.segment).is_err() {
                runs.push((key, None));
                continue;
            }
            let Some(run) = Run::decode(key.segment, &value) else { return Ok(None) };
            runs.push((key, Some(run)));
        }
        Ok(Some(runs))
    }

    fn adopt(&self, index: &mut Index, files: Files, runs: KnownRuns) {
        for (number, file) in files {
            let SegmentFile { path, handle, bytes, stored, .. } = file;
            index.segments.insert(number, Segment { path, handle, bytes, stored, live: 0 });
        }
        for (key, run) in runs {
            match run.filter(|_| index.segments.contains_key(&key.segment)) {
                Some(run) => index.recover_run(NewRun { key, lasting: true, run }),
                None => index.unsaved.replaced.push(key),
            }
        }
        index.untidy = true;
    }

    fn load_queues(&self, index: &mut Index) -> Result<(), CannotOpen> {
        for (key, value) in self.catalog.scan_prefix(Tree::Queue, b"")? {
            let id = key.as_slice().try_into().map(|key| QueueId(u64::from_be_bytes(key)));
            if let (Ok(id), Some(next)) = (id, rows::decode_queue(&value)) {
                index.recover_queue(id, next);
            }
        }
        let mut expected = (0, 0);
        for (key, value) in self.catalog.scan_prefix(Tree::Acks, b"")? {
            let Some((queue, piece)) = key.split_first_chunk() else { continue };
            let Ok(piece) = piece.try_into().map(u32::from_be_bytes) else { continue };
            let queue = u64::from_be_bytes(*queue);
            // The pieces of a list follow each other from 0; what comes after a gap is older.
            if piece != 0 && (queue, piece) != expected {
                continue;
            }
            expected = (queue, piece + 1);
            if let Some(counts) = rows::decode_counts(&value) {
                index.recover_counts(QueueId(queue), &counts);
            }
        }
        Ok(())
    }

    /// The catalogue is of no use: everything comes from elsewhere.
    fn rebuild(
        &mut self,
        store: StoreId,
        index: &mut Index,
        mut files: Files,
    ) -> Result<Base, CannotOpen> {
        let mut next_segment = files.last_key_value().map_or(1, |(newest, _)| newest + 1);
        for (key, _) in self.catalog.scan_prefix(Tree::Runs, b"")? {
            let segment = RunKey::decode(&key).map_or(0, |key| key.segment);
            next_segment = next_segment.max(segment + 1);
        }
        if let Some(known) = self.catalog.get(Tree::Meta, rows::SEGMENTS)?
            && let Some((next, _)) = rows::decode_segments(&known)
        {
            next_segment = next_segment.max(next);
        }
        let snapshot = newest_snapshot(self.disk, &self.options.dir, store)?;
        let rebuilt = snapshot.is_some() || !files.is_empty();
        if rebuilt {
            tracing::warn!(
                segments = files.len(),
                "the catalogue was lost; it is built anew from the log, the segments and a \
                 snapshot of the definitions: messages that were acknowledged may come again"
            );
        }
        let mut runs = Vec::new();
        let mut merged = Vec::new();
        for (segment, file) in &files {
            match file.footer() {
                Ok(footer) => {
                    merged.extend(footer.merged);
                    runs.extend(footer.runs);
                }
                Err(error) => {
                    self.forgive(error)?;
                    index.condemned.insert(*segment);
                    runs.extend(file.scan()?);
                }
            }
        }
        for segment in merged {
            self.remove(&mut files, segment)?;
        }
        runs.retain(|new| new.lasting && files.contains_key(&new.key.segment));
        let runs = runs.into_iter().map(|new| (new.key, Some(new.run))).collect();
        self.adopt(index, files, runs);
        index.forget_catalog();
        index.unsaved.urgent = rebuilt;
        for (key, _) in self.catalog.scan_prefix(Tree::Runs, b"")? {
            if let Some(key) = RunKey::decode(&key)
                && !index.unsaved.runs.contains(&key)
            {
                index.unsaved.replaced.push(key);
            }
        }
        let rows: BTreeMap<_, _> = snapshot.unwrap_or_default().into_iter().collect();
        for (key, _) in self.catalog.scan_prefix(Tree::Catalog, b"")? {
            if !rows.contains_key(&key) {
                index.unsaved.row(&key, None, 0);
            }
        }
        for (key, value) in &rows {
            index.unsaved.row(key, Some(value), 0);
        }
        Ok(Base { rows, next_segment, rebuilt })
    }
}

/// Bytes of the bodies of a queue's cold messages. Only runs of which a part is gone are read.
pub(crate) fn body_bytes(index: &Index, queue: &QueueIndex) -> Result<u64, CannotOpen> {
    let mut sum = 0;
    for (first, ColdRun { run, .. }) in queue.cold.runs() {
        if run.live == run.stored {
            sum += run.bodies;
            continue;
        }
        let Some(segment) = index.segments.get(&run.segment) else { continue };
        let mut bytes = vec![0; run.bytes as usize];
        let read = segment.handle.read_at(&mut bytes, run.offset).tried("read", &segment.path)?;
        let mut at = 0;
        while let Found::Record(raw) = look_unchecked(&bytes[at.min(read)..read]) {
            if let Ok(View::Message(place, content)) = raw.view()
                && place.position.checked_sub(first).is_some_and(|at| run.is_live(at))
            {
                sum += u64::from(content.body_len());
            }
            at += raw.padded_len();
        }
    }
    Ok(sum)
}

/// Removes what was being written when the broker stopped.
pub(crate) fn remove_unfinished(disk: &dyn Disk, dir: &Path) -> Result<(), CannotOpen> {
    for name in disk.list(dir).tried("list", dir)? {
        if name.ends_with(".tmp") {
            let path = dir.join(name);
            disk.remove(&path).tried("remove", &path)?;
        }
    }
    Ok(())
}
