//! Writing a segment.

use std::path::PathBuf;
use std::sync::Arc;

use super::runs::{NewRun, Runs};
use crate::store::disk::{Disk, DiskFile};
use crate::store::error::{Failure, Tried};
use crate::store::format::file_header::{FileHeader, Kind, LEN, StoreId};
use crate::store::format::read::Content;
use crate::store::format::record::{Encoder, Place, flag, seal};

/// Bytes that are gathered before they are written.
const CHUNK: usize = 256 << 10;

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
    runs: Runs,
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
        let (chunk, at) = (Vec::with_capacity(2 * CHUNK), LEN as u64);
        let runs = Runs::new(segment);
        Ok(Self { disk, data, segment, store, unfinished, handle, chunk, at, runs })
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
        self.runs.push(place, lasting, offset, bytes, content.body_len());
        if self.chunk.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Finishes the segment. It took the place of a log file, or of other segments.
    pub(crate) fn finish(mut self, log: u64, merged: &[u64]) -> Result<NewSegment, Failure> {
        let runs = self.runs.finish();
        let footer_at = self.at + self.chunk.len() as u64;
        let start = self.chunk.len();
        Encoder::new(&mut self.chunk, 0, 0).blob(&footer(merged, &runs));
        seal(&mut self.chunk[start..], super::seed(self.segment));
        self.flush()?;
        let Self { disk, data, segment, store, unfinished, handle, at: bytes, .. } = self;
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
