//! Opening a segment.

use std::path::PathBuf;
use std::sync::Arc;

use super::runs::{NewRun, Runs};
use crate::store::disk::{Disk, DiskFile, read_whole};
use crate::store::error::{CannotOpen, Tried};
use crate::store::format::file_header::{FileHeader, Kind, LEN, NoHeader, StoreId};
use crate::store::format::read::{Flaw, Found, Raw, View, look};
use crate::store::format::record::flag;
use crate::store::format::run::{Run, RunKey};

/// A segment that was found.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub(crate) segment: u64,
    pub(crate) path: PathBuf,
    pub(crate) handle: Arc<dyn DiskFile>,
    /// Its length.
    pub(crate) bytes: u64,
    /// The log file whose place it took; 0 = it took other segments'.
    pub(crate) log: u64,
    /// How many messages were written to it.
    pub(crate) stored: u64,
    footer_at: u64,
}

/// Walks over the records in some bytes of a segment, from `at` on: where each stands, or where
/// one should and is damaged. Behind damage it goes on with the next record that is sound.
pub(crate) fn records(
    bytes: &[u8],
    mut at: usize,
    seed: u32,
) -> impl Iterator<Item = Result<(usize, Raw<'_>), (usize, Flaw)>> {
    let mut lost = false;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let here = at;
            let flaw = match look(&bytes[here..], seed) {
                Found::Record(raw) => {
                    (at, lost) = (here + raw.padded_len(), false);
                    return Some(Ok((here, raw)));
                }
                Found::End => Flaw::Ends,
                Found::Bad(flaw) => flaw,
            };
            at += 8;
            if !std::mem::replace(&mut lost, true) {
                return Some(Err((here, flaw)));
            }
        }
        None
    })
}

/// What a segment's footer says.
#[derive(Debug)]
pub(crate) struct Footer {
    /// The segments whose place it took.
    pub(crate) merged: Vec<u64>,
    pub(crate) runs: Vec<NewRun>,
}

impl SegmentFile {
    /// Opens a segment and looks at its header.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: PathBuf,
        segment: u64,
        store: StoreId,
    ) -> Result<Self, CannotOpen> {
        let handle = disk.open(&path).tried("open", &path)?;
        let mut header = [0; LEN];
        handle.read_at(&mut header, 0).tried("read", &path)?;
        let damaged = |flaw| CannotOpen::Damaged { path: path.clone(), offset: 0, flaw };
        let header = match FileHeader::decode(Kind::Segment, &header) {
            Ok(header) if header.store != store => return Err(CannotOpen::Foreign(path)),
            Ok(header) if header.file == segment => header,
            Err(NoHeader::Format(found)) => return Err(CannotOpen::Format { path, found }),
            Ok(_) | Err(NoHeader::Blank | NoHeader::Damaged) => return Err(damaged(Flaw::Header)),
        };
        let bytes = handle.len().tried("read", &path)?;
        if header.before < LEN as u64 || header.before >= bytes {
            return Err(damaged(Flaw::Ends));
        }
        let (log, stored, footer_at) = (header.first, header.count.into(), header.before);
        Ok(Self { segment, path, handle, bytes, log, stored, footer_at })
    }

    /// Opens a segment whose header is damaged, to save what can be saved.
    pub(crate) fn open_damaged(
        disk: &dyn Disk,
        path: PathBuf,
        segment: u64,
    ) -> Result<Self, CannotOpen> {
        let handle = disk.open(&path).tried("open", &path)?;
        let bytes = handle.len().tried("read", &path)?;
        Ok(Self { segment, path, handle, bytes, log: 0, stored: 0, footer_at: bytes })
    }

    /// Finds the runs of a segment whose footer is damaged by looking at everything in it.
    pub(crate) fn scan(&self) -> Result<Vec<NewRun>, CannotOpen> {
        let bytes = read_whole(&*self.handle).tried("read", &self.path)?;
        let mut runs = Runs::new(self.segment);
        for found in records(&bytes, LEN, super::seed(self.segment)) {
            if let Ok((at, raw)) = found
                && let Ok(View::Message(place, content)) = raw.view()
            {
                let bytes = raw.padded_len() as u32;
                let lasting = !raw.has(flag::PASSING);
                runs.push(&place, lasting, at as u64, bytes, content.body_len());
            }
        }
        Ok(runs.finish())
    }

    /// Reads the footer.
    pub(crate) fn footer(&self) -> Result<Footer, CannotOpen> {
        let mut bytes = vec![0; (self.bytes - self.footer_at) as usize];
        let read = self.handle.read_at(&mut bytes, self.footer_at).tried("read", &self.path)?;
        let (path, offset) = (self.path.clone(), self.footer_at);
        let damaged = |flaw| CannotOpen::Damaged { path, offset, flaw };
        let payload = match look(&bytes[..read], super::seed(self.segment)) {
            Found::Record(raw) => match raw.view() {
                Ok(View::Blob(payload)) => payload,
                Ok(_) => return Err(damaged(Flaw::Content)),
                Err(flaw) => return Err(damaged(flaw)),
            },
            Found::End => return Err(damaged(Flaw::Ends)),
            Found::Bad(flaw) => return Err(damaged(flaw)),
        };
        self.parse(payload).ok_or_else(|| damaged(Flaw::Content))
    }

    /// Whether a run lies where this segment has messages.
    pub(crate) fn has(&self, run: &Run) -> bool {
        run.offset >= LEN as u64 && run.offset + u64::from(run.bytes) <= self.footer_at
    }

    fn parse(&self, payload: &[u8]) -> Option<Footer> {
        let (head, mut rest) = payload.split_first_chunk::<16>()?;
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| head[at + n]));
        if word(0) != 1 {
            return None;
        }
        let mut merged = Vec::new();
        for _ in 0..word(4) {
            let (segment, behind) = rest.split_first_chunk()?;
            merged.push(u64::from_le_bytes(*segment));
            rest = behind;
        }
        let mut runs = Vec::new();
        for _ in 0..word(8) {
            let (key, behind) = rest.split_first_chunk::<24>()?;
            let (lasting, behind) = behind.split_first_chunk()?;
            let (len, behind) = behind.split_first_chunk()?;
            let (lasting, len) = (u32::from_le_bytes(*lasting), u32::from_le_bytes(*len) as usize);
            let (value, _) = behind.split_at_checked(len)?;
            rest = behind.get(len.next_multiple_of(8)..)?;
            let run = Run::decode(self.segment, value)?;
            if !self.has(&run) {
                return None;
            }
            runs.push(NewRun { key: RunKey::decode(key)?, lasting: lasting != 0, run });
        }
        Some(Footer { merged, runs })
    }
}
