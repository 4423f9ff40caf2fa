//! Writing a segment.

use std::path::PathBuf;
use std::sync::Arc;

use crate::store::disk::{Disk, DiskFile};
use crate::store::error::{Failure, Tried};
use crate::store::format::file_header::{FileHeader, Kind, LEN, StoreId};
use crate::store::format::read::Content;
use crate::store::format::record::{Encoder, Place, flag, seal};
use crate::store::format::run::{MAX_BYTES, MAX_SPAN, Run, RunKey, none};

/// Bytes that are gathered before they are written.
const CHUNK: usize = 1 << 20;

/// A segment that is being written.
pub(crate) struct SegmentWriter {
    disk: Arc<dyn Disk>,
    data: PathBuf,
    segment: u64,
    store: StoreId,
    unfinished: PathBuf,
    handle: Arc<dyn DiskFile>,
    chunk: Vec<u8>,
    /// Where `chunk` will stand.
    at: u64,
    runs: Vec<NewRun>,
    /// The live positions of the last run, counted from its first.
    positions: Vec<u32>,
}

/// A run in a new segment.
#[derive(Clone, Debug)]
pub(crate) struct NewRun {
    pub(crate) key: RunKey,
    pub(crate) lasting: bool,
    pub(crate) run: Run,
}

/// A segment that is written.
#[derive(Debug)]
pub(crate) struct NewSegment {
    pub(crate) segment: u64,
    pub(crate) path: PathBuf,
    pub(crate) handle: Arc<dyn DiskFile>,
    pub(crate) bytes: u64,
    pub(crate) stored: u64,
    pub(crate) runs: Vec<NewRun>,
}

impl SegmentWriter {
    /// Begins a segment.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        data: PathBuf,
        store: StoreId,
        segment: u64,
    ) -> Result<Self, Failure> {
        let unfinished = super::unfinished(&data, segment);
        let handle = disk.create(&unfinished).or_failure("create", &unfinished)?;
        let (chunk, at) = (Vec::with_capacity(CHUNK), LEN as u64);
        let (runs, positions) = (Vec::new(), Vec::new());
        Ok(Self { disk, data, segment, store, unfinished, handle, chunk, at, runs, positions })
    }

    /// Adds a message. They come in order of queue and position.
    pub(crate) fn push(
        &mut self,
        place: &Place,
        lasting: bool,
        content: &Content<'_>,
    ) -> Result<(), Failure> {
        let (start, offset) = (self.chunk.len(), self.at + self.chunk.len() as u64);
        let flags = if lasting { 0 } else { flag::PASSING };
        Encoder::new(&mut self.chunk, 0, flags).message_again(place, content);
        seal(&mut self.chunk[start..], super::seed(self.segment));
        let bytes = (self.chunk.len() - start) as u32;
        if !self.extends(place, lasting, bytes) {
            self.close_run();
            let key = RunKey { queue: place.queue, first: place.position, segment: self.segment };
            let run = Run {
                segment: self.segment,
                offset,
                bytes: 0,
                span: 0,
                stored: 0,
                live: 0,
                bodies: 0,
                bits: None,
            };
            self.runs.push(NewRun { key, lasting, run });
        }
        if let Some(NewRun { key, run, .. }) = self.runs.last_mut() {
            run.bytes += bytes;
            run.span = (place.position - key.first) as u32;
            run.stored += 1;
            run.bodies += u64::from(content.body_len());
            self.positions.push(run.span);
        }
        if self.chunk.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Finishes the segment. It took the place of a log file, or of other segments.
    pub(crate) fn finish(mut self, log: u64, merged: &[u64]) -> Result<NewSegment, Failure> {
        self.close_run();
        let footer_at = self.at + self.chunk.len() as u64;
        let start = self.chunk.len();
        Encoder::new(&mut self.chunk, 0, 0).blob(&footer(merged, &self.runs));
        seal(&mut self.chunk[start..], super::seed(self.segment));
        self.flush()?;
        let Self { disk, data, segment, store, unfinished, handle, at: bytes, runs, .. } = self;
        let (kind, count) = (Kind::Segment, runs.iter().map(|new| new.run.stored).sum());
        let header =
            FileHeader { kind, file: segment, store, first: log, before: footer_at, count };
        handle.write_at(&header.encode(), 0).or_failure("write to", &unfinished)?;
        handle.sync().or_failure("sync", &unfinished)?;
        let (path, dir) = (super::path(&data, segment), super::dir(&data));
        disk.rename(&unfinished, &path).or_failure("rename", &unfinished)?;
        disk.sync_dir(&dir).or_failure("sync", &dir)?;
        let stored = count.into();
        Ok(NewSegment { segment, path, handle, bytes, stored, runs })
    }

    fn extends(&self, place: &Place, lasting: bool, bytes: u32) -> bool {
        self.runs.last().is_some_and(|NewRun { key, lasting: was, run }| {
            key.queue == place.queue
                && *was == lasting
                && place.position - key.first <= MAX_SPAN.into()
                && run.bytes + bytes <= MAX_BYTES
        })
    }

    fn close_run(&mut self) {
        let Some(NewRun { run, .. }) = self.runs.last_mut() else { return };
        run.live = run.stored;
        if run.stored <= run.span {
            let mut bits = none(run.span);
            for position in &self.positions {
                bits[(position / 64) as usize] |= 1 << (position % 64);
            }
            run.bits = Some(bits);
        }
        self.positions.clear();
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.handle.write_at(&self.chunk, self.at).or_failure("write to", &self.unfinished)?;
        self.at += self.chunk.len() as u64;
        self.chunk.clear();
        Ok(())
    }
}

fn footer(merged: &[u64], runs: &[NewRun]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [1, merged.len(), runs.len(), 0] {
        out.extend_from_slice(&(word as u32).to_le_bytes());
    }
    for segment in merged {
        out.extend_from_slice(&segment.to_le_bytes());
    }
    for NewRun { key, lasting, run } in runs {
        let value = run.encode();
        out.extend_from_slice(&key.encode());
        out.extend_from_slice(&u32::from(*lasting).to_le_bytes());
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(&value);
        out.resize(out.len().next_multiple_of(8), 0);
    }
    out
}
