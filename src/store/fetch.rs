//! Messages back from the disk.

use std::path::PathBuf;
use std::sync::Arc;

use super::disk::DiskFile;
use super::error::CannotFetch;
use super::format::file_header::seed;
use super::format::read::{Flaw, Found, View, look};
use super::index::hot::Spot;
use super::index::queue::Particulars;
use super::log;
use super::shared::Shared;
use crate::message::Message;
use crate::names::QueueId;

/// Records that lie no further apart than this are read together …
const GAP: u64 = 16 << 10;
/// … up to so many bytes.
const READ: u64 = 1 << 20;

/// A message as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its position in the queue.
    pub position: u64,
    /// How often it was handed out and came back.
    pub deliveries: u32,
    /// When it expires, in milliseconds since 1970.
    pub expires: Option<u64>,
    /// What it is.
    pub message: Message,
}

/// What to fetch.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// From which queue.
    pub queue: QueueId,
    /// From which position on.
    pub from: u64,
    /// How many messages at most.
    pub messages: usize,
    /// How many bytes at most; one message is fetched whatever it has.
    pub bytes: usize,
}

struct Pick {
    position: u64,
    deliveries: u32,
    particulars: Option<Particulars>,
    spot: Spot,
    handle: Arc<dyn DiskFile>,
}

impl Shared {
    /// Fetches messages in order of their positions. What was appended before the call is seen;
    /// for what is not written yet it waits.
    pub(crate) fn fetch(&self, wanted: Wanted) -> Result<Vec<Stored>, CannotFetch> {
        let mut picks = self.pick(wanted);
        if picks.1 && !self.by_hand && self.wait_for_tail() {
            picks = self.pick(wanted);
        }
        if picks.1
            && let Some(failure) = self.failure.get()
        {
            return Err(CannotFetch::Failed(failure.clone()));
        }
        self.read(&picks.0)
    }

    /// Has the log written up to its end. Returns whether it was not.
    fn wait_for_tail(&self) -> bool {
        let last = self.inbox.last();
        if last <= self.progress.last_written() {
            return false;
        }
        self.progress.wait_written(self.inbox.hurry(false))
    }

    /// Finds the places of messages, and whether there was room for more.
    fn pick(&self, wanted: Wanted) -> (Vec<Pick>, bool) {
        let index = self.index.lock();
        let Some(queue) = index.get(wanted.queue) else { return (Vec::new(), true) };
        let mut picks = Vec::new();
        let mut bytes = 0;
        for (position, spot) in queue.hot.from(wanted.from) {
            bytes += spot.len as usize;
            if picks.len() == wanted.messages || (bytes > wanted.bytes && !picks.is_empty()) {
                return (picks, false);
            }
            let Some(handle) = index.logs.get(&spot.file.into()) else { continue };
            let deliveries = queue.deliveries.get(&position).copied().unwrap_or(0);
            let particulars = queue.particulars.get(&position).copied();
            let handle = Arc::clone(handle);
            picks.push(Pick { position, deliveries, particulars, spot, handle });
        }
        let more = picks.len() < wanted.messages;
        (picks, more)
    }

    fn read(&self, picks: &[Pick]) -> Result<Vec<Stored>, CannotFetch> {
        let mut stored = Vec::with_capacity(picks.len());
        let mut bytes = Vec::new();
        for run in picks.chunk_by(|a, b| {
            let gap = b.spot.offset().checked_sub(a.spot.offset() + u64::from(a.spot.len));
            a.spot.file == b.spot.file && gap.is_some_and(|gap| gap <= GAP)
        }) {
            let mut rest = run;
            while let Some(first) = rest.first() {
                let start = first.spot.offset();
                let near = rest.iter().take_while(|pick| pick.spot.offset() < start + READ).count();
                let (now, later) = rest.split_at(near.max(1));
                rest = later;
                let last = &now[now.len() - 1].spot;
                let len = last.offset() + u64::from(last.len) - start;
                bytes.resize(len as usize, 0);
                let path = || log::path(&self.options.dir, first.spot.file.into());
                let read = first.handle.read_at(&mut bytes, start);
                let read = read.map_err(|source| CannotFetch::Io { path: path(), source })?;
                for pick in now {
                    let at = (pick.spot.offset() - start) as usize;
                    let end = (at + pick.spot.len as usize).min(read);
                    stored.push(decode(pick, bytes.get(at..end).unwrap_or_default(), &path)?);
                }
            }
        }
        Ok(stored)
    }
}

fn decode(pick: &Pick, bytes: &[u8], path: &dyn Fn() -> PathBuf) -> Result<Stored, CannotFetch> {
    let damaged = |flaw| CannotFetch::Damaged { path: path(), offset: pick.spot.offset(), flaw };
    let raw = match look(bytes, seed(pick.spot.file.into())) {
        Found::Record(raw) => raw,
        Found::End => return Err(damaged(Flaw::Ends)),
        Found::Bad(flaw) => return Err(damaged(flaw)),
    };
    match raw.view().map_err(damaged)? {
        View::Message(place, content) => Ok(Stored {
            position: pick.position,
            deliveries: pick.deliveries,
            expires: pick.particulars.map_or(place.expires, |own| own.expires),
            message: content.to_message(),
        }),
        _ => Err(damaged(Flaw::Content)),
    }
}
