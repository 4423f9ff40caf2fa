//! Messages back from the disk.
//!
//! Where they stand is looked up under the index' lock, they are read without it. Whoever reads
//! holds on to the file, so it is not written over meanwhile.

use std::path::PathBuf;
use std::sync::Arc;

use super::disk::DiskFile;
use super::error::CannotFetch;
use super::format::file_header;
use super::format::read::{Flaw, Found, Raw, View, look};
use super::index::cold::{MARKS, Mark};
use super::index::hot::Spot;
use super::index::queue::{Particulars, QueueIndex};
use super::shared::Shared;
use super::{log, segments};
use crate::message::Message;
use crate::names::QueueId;

/// Records that lie no further apart than this are read together …
const GAP: u64 = 16 << 10;
/// … up to so many bytes.
const READ: u64 = 1 << 20;
/// Bytes of a run that are read at once, at least, if that many are wanted.
const STEP: usize = 64 << 10;
/// Messages that are looked up under one hold of the lock.
const AT_ONCE: usize = 4096;

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
    /// About how many bytes at most; one message is fetched whatever it has.
    pub bytes: usize,
}

struct Pick {
    position: u64,
    deliveries: u32,
    particulars: Option<Particulars>,
    handle: Arc<dyn DiskFile>,
    stands: Stands,
    /// About how many bytes its record has.
    len: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Log(Spot),
    Run(RunPlace),
}

/// A run, and where in its segment it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RunPlace {
    segment: u64,
    first: u64,
    begin: u64,
    /// Where to read from: an earlier fetch may know better than from the front.
    from: u64,
    end: u64,
}

impl Shared {
    /// Fetches messages in order of their positions. What was appended before the call is seen;
    /// for what is not written yet it waits.
    pub(crate) fn fetch(&self, wanted: Wanted) -> Result<Vec<Stored>, CannotFetch> {
        let mut stored = Vec::new();
        let mut rest = wanted;
        loop {
            // Asked before looking: what is written after the look would seem to be seen.
            let written = self.progress.last_written();
            let (mut picks, mut end) = self.pick(rest);
            if end && !self.by_hand && self.wait_for_tail(written) {
                (picks, end) = self.pick(rest);
            }
            if end && let Some(failure) = self.failure.get() {
                return Err(CannotFetch::Failed(failure.clone()));
            }
            for together in picks.chunk_by(|a, b| a.is_near(b)) {
                let read = match together[0].stands {
                    Stands::Log(_) => self.read_log(together, &mut stored),
                    Stands::Run(run) => self.read_run(wanted.queue, run, together, &mut stored),
                };
                match read {
                    // Whoever wants more asks again, and hears of it then.
                    Err(_) if !stored.is_empty() => return Ok(stored),
                    read => read?,
                }
            }
            let bytes: usize = picks.iter().map(|pick| pick.len).sum();
            rest.bytes = rest.bytes.saturating_sub(bytes);
            rest.messages -= picks.len();
            match picks.last() {
                Some(last) if !end && rest.messages > 0 && rest.bytes > 0 => {
                    rest.from = last.position + 1;
                }
                Some(_) | None => return Ok(stored),
            }
            if picks.len() < AT_ONCE {
                return Ok(stored);
            }
        }
    }

    /// Has the log written up to its end. Returns whether it then has more than up to `seen`.
    fn wait_for_tail(&self, seen: u64) -> bool {
        if self.inbox.last() <= seen {
            return false;
        }
        self.progress.wait_written(self.inbox.hurry(false))
    }

    /// Finds the places of messages, and whether the queue ended before the limits were met.
    fn pick(&self, wanted: Wanted) -> (Vec<Pick>, bool) {
        let index = self.index.lock();
        let Some(queue) = index.get(wanted.queue) else { return (Vec::new(), true) };
        let mut hot = queue.hot.from(wanted.from).peekable();
        let mut cold = queue.cold.from(wanted.from).peekable();
        let (mut picks, mut bytes) = (Vec::new(), 0);
        loop {
            let is_cold = match (hot.peek(), cold.peek()) {
                (None, None) => return (picks, true),
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((hot, _)), Some((cold, ..))) => cold < hot,
            };
            let (position, stands, handle, len) = if is_cold {
                let Some((position, first, cold)) = cold.next() else { continue };
                let (segment, offset) = (cold.run.segment, cold.run.offset);
                let from = offset + u64::from(cold.near(first, position));
                let end = offset + u64::from(cold.run.bytes);
                let handle = index.segments.get(&segment).map(|segment| &segment.handle);
                let place = RunPlace { segment, first, begin: offset, from, end };
                let len = (cold.run.bytes / cold.run.stored) as usize;
                (position, Stands::Run(place), handle, len)
            } else {
                let Some((position, spot)) = hot.next() else { continue };
                let handle = index.logs.get(&spot.file.into());
                (position, Stands::Log(spot), handle, spot.len as usize)
            };
            bytes += len;
            if picks.len() == wanted.messages.min(AT_ONCE)
                || (bytes > wanted.bytes && !picks.is_empty())
            {
                return (picks, false);
            }
            let Some(handle) = handle.map(Arc::clone) else { continue };
            picks.push(Pick::new(queue, position, stands, handle, len));
        }
    }

    /// Reads messages that stand near each other in the log.
    fn read_log(&self, picks: &[Pick], stored: &mut Vec<Stored>) -> Result<(), CannotFetch> {
        let mut rest: Vec<(&Pick, Spot)> = Vec::with_capacity(picks.len());
        rest.extend(picks.iter().filter_map(|pick| match pick.stands {
            Stands::Log(spot) => Some((pick, spot)),
            Stands::Run(_) => None,
        }));
        let mut rest = &rest[..];
        while let Some((pick, first)) = rest.first() {
            let start = first.offset();
            let near = rest.iter().take_while(|(_, spot)| spot.offset() < start + READ).count();
            let (now, later) = rest.split_at(near.max(1));
            rest = later;
            let last = now[now.len() - 1].1;
            let mut bytes = vec![0; (last.offset() + u64::from(last.len) - start) as usize];
            let path = || log::path(&self.options.dir, first.file.into());
            let read = read(&*pick.handle, &mut bytes, start, &path)?;
            for (pick, spot) in now {
                let at = (spot.offset() - start) as usize;
                let end = (at + spot.len as usize).min(read);
                let seed = file_header::seed(spot.file.into());
                let bytes = bytes.get(at..end).unwrap_or_default();
                let raw = pick.record(bytes, seed, spot.offset(), &path)?;
                stored.push(pick.decode(&raw, spot.offset(), &path)?);
            }
        }
        Ok(())
    }

    /// Reads messages of one run.
    fn read_run(
        &self,
        queue: QueueId,
        run: RunPlace,
        picks: &[Pick],
        stored: &mut Vec<Stored>,
    ) -> Result<(), CannotFetch> {
        let path = || segments::path(&self.options.dir, run.segment);
        let (seed, whole) = (segments::seed(run.segment), (run.end - run.from) as usize);
        let wanted: usize = picks.iter().map(|pick| pick.len).sum();
        let step = STEP.min(wanted + MARKS as usize);
        let (mut bytes, mut at) = (Vec::new(), 0);
        let (mut marks, mut marked) = (Vec::new(), 0);
        let mut damage = None;
        let mut next = picks.iter().peekable();
        while let Some(pick) = next.peek() {
            let offset = run.from + at as u64;
            let known = bytes.len();
            match look(bytes.get(at..).unwrap_or_default(), seed) {
                Found::Record(raw) => {
                    let position = raw.message_at().filter(|(of, _)| *of == queue).map(|at| at.1);
                    if position == Some(pick.position) {
                        stored.push(pick.decode(&raw, offset, &path)?);
                        next.next();
                    } else if position.is_none_or(|position| position > pick.position) {
                        let (flaw, offset) = damage.unwrap_or((Flaw::Content, offset));
                        return Err(pick.damaged(flaw, offset, &path));
                    } else if let Some(position) = position
                        && at >= marked + MARKS as usize
                    {
                        let nth = position.saturating_sub(run.first) as u32;
                        marks.push(Mark { nth, at: (offset - run.begin) as u32 });
                        marked = at;
                    }
                    at += raw.padded_len();
                }
                // Not all of it has been read.
                Found::End | Found::Bad(Flaw::Cut) if known < whole => {
                    let more = step.max(known).min(whole - known);
                    bytes.resize(known + more, 0);
                    let start = run.from + known as u64;
                    let read = read(&*pick.handle, &mut bytes[known..], start, &path)?;
                    if read < more {
                        return Err(pick.damaged(Flaw::Ends, start + read as u64, &path));
                    }
                }
                Found::End | Found::Bad(_) if at >= whole => {
                    let (flaw, offset) = damage.unwrap_or((Flaw::Ends, offset));
                    return Err(pick.damaged(flaw, offset, &path));
                }
                // It may be one that nobody wants any more, so look behind it.
                found @ (Found::End | Found::Bad(_)) => {
                    let flaw = if let Found::Bad(flaw) = found { flaw } else { Flaw::Ends };
                    damage.get_or_insert((flaw, offset));
                    at += 8;
                }
            }
        }
        let (after, at) = (picks[picks.len() - 1].position + 1, run.from - run.begin + at as u64);
        if let Some(queue) = self.index.lock().get_mut(queue) {
            queue.cold.fetched((run.first, run.segment), (after, at as u32), &marks);
        }
        Ok(())
    }
}

impl Pick {
    fn new(
        queue: &QueueIndex,
        position: u64,
        stands: Stands,
        handle: Arc<dyn DiskFile>,
        len: usize,
    ) -> Self {
        let deliveries = queue.deliveries.get(&position).copied().unwrap_or(0);
        let particulars = queue.particulars.get(&position).copied();
        Self { position, deliveries, particulars, handle, stands, len }
    }

    /// Whether two messages, one after the other, should be read together.
    fn is_near(&self, next: &Self) -> bool {
        match (self.stands, next.stands) {
            (Stands::Log(a), Stands::Log(b)) => {
                let gap = b.offset().checked_sub(a.offset() + u64::from(a.len));
                a.file == b.file && gap.is_some_and(|gap| gap <= GAP)
            }
            (Stands::Run(a), Stands::Run(b)) => (a.segment, a.first) == (b.segment, b.first),
            (Stands::Log(_), Stands::Run(_)) | (Stands::Run(_), Stands::Log(_)) => false,
        }
    }

    fn record<'a>(
        &self,
        bytes: &'a [u8],
        seed: u32,
        offset: u64,
        path: &dyn Fn() -> PathBuf,
    ) -> Result<Raw<'a>, CannotFetch> {
        match look(bytes, seed) {
            Found::Record(raw) => Ok(raw),
            Found::End => Err(self.damaged(Flaw::Ends, offset, path)),
            Found::Bad(flaw) => Err(self.damaged(flaw, offset, path)),
        }
    }

    fn damaged(&self, flaw: Flaw, offset: u64, path: &dyn Fn() -> PathBuf) -> CannotFetch {
        CannotFetch::Damaged { position: self.position, path: path(), offset, flaw }
    }

    /// The message in a record. In the log, queue and position there may be another's, whose
    /// content it shares.
    fn decode(
        &self,
        raw: &Raw<'_>,
        offset: u64,
        path: &dyn Fn() -> PathBuf,
    ) -> Result<Stored, CannotFetch> {
        let view = raw.view().map_err(|flaw| self.damaged(flaw, offset, path))?;
        let View::Message(place, content) = view else {
            return Err(self.damaged(Flaw::Content, offset, path));
        };
        Ok(Stored {
            position: self.position,
            deliveries: self.deliveries.max(place.deliveries),
            expires: self.particulars.map_or(place.expires, |own| own.expires),
            message: content.to_message(),
        })
    }
}

fn read(
    handle: &dyn DiskFile,
    bytes: &mut [u8],
    offset: u64,
    path: &dyn Fn() -> PathBuf,
) -> Result<usize, CannotFetch> {
    let read = handle.read_at(bytes, offset);
    read.map_err(|source| CannotFetch::Io { path: path(), source })
}
