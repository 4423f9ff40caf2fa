//! A look at a queue's messages, in memory and on disk, that changes nothing.
//!
//! What is on disk is read without the queue's lock; then the queue is asked which of it still is
//! ready and only there. So a message that came into memory meanwhile is seen once.

use super::LiveQueue;
use super::reading::entry;
use crate::queue::filter::Filter;
use crate::queue::peek::{Peeked, Standing};
use crate::queue::ready::Entry;
use crate::store::{CannotFetch, Wanted};

/// Messages looked at under one hold of the lock, and read from disk at once.
const BATCH: usize = 512;
/// About how many bytes of them are read at once.
const BATCH_BYTES: usize = 4 << 20;
/// Messages that one request looks at, however few its filter lets through.
const SCAN: usize = 20_000;
/// About how many bytes of bodies it looks at: also what an answer may have.
const SCAN_BYTES: usize = 32 << 20;

/// What somebody wants to see.
#[derive(Clone, Debug)]
pub struct Peek {
    /// From which position on.
    pub from: u64,
    /// How many messages at most.
    pub count: usize,
    /// Only such messages.
    pub filter: Option<Filter>,
}

/// Messages in order of their positions.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Peeked>,
    /// Where to go on; `None`: that was all.
    pub next: Option<u64>,
    /// How many messages were looked at.
    pub scanned: usize,
}

impl LiveQueue {
    /// Looks at messages. Reads from disk if it has to; blocks on files.
    pub fn peek(&self, wanted: &Peek) -> Result<Page, CannotFetch> {
        let end = self.core.lock().queue.next_position();
        let mut page = Page::default();
        let (mut from, mut bytes) = (wanted.from, 0);
        while from < end {
            if page.scanned >= SCAN || bytes >= SCAN_BYTES {
                page.next = Some(from);
                break;
            }
            let (batch, until) = self.look(from, end, BATCH)?;
            for each in batch {
                let fits = wanted.filter.as_ref().is_none_or(|filter| filter.fits(&each.message));
                let enough = page.messages.len() >= wanted.count || bytes >= SCAN_BYTES;
                if fits && enough {
                    page.next = Some(each.position);
                    return Ok(page);
                }
                page.scanned += 1;
                bytes += each.message.body_len();
                if fits {
                    page.messages.push(each);
                }
            }
            from = until;
        }
        Ok(page)
    }

    /// Messages from a position on, and up to where that is all there is.
    pub(super) fn look(
        &self,
        from: u64,
        end: u64,
        most: usize,
    ) -> Result<(Vec<Peeked>, u64), CannotFetch> {
        let away_from = {
            let core = self.core.lock();
            let away_from = core.queue.away_from().unwrap_or(end).max(from).min(end);
            let near = core.queue.peek(from..away_from, most);
            if near.len() >= most || away_from == end {
                let until = near.last().filter(|_| near.len() >= most).map(|last| last.position);
                return Ok((near, until.map_or(end, |last| last + 1)));
            }
            away_from
        };
        let (read, mut until) = self.read(away_from, end, most)?;
        let core = self.core.lock();
        let mut found = core.queue.peek(from..until, most);
        if let Some(last) = found.last().filter(|_| found.len() >= most) {
            until = last.position + 1;
        }
        let only_there =
            |entry: &&Entry| entry.position < until && core.queue.is_only_on_disk(entry);
        found
            .extend(read.iter().filter(only_there).map(|entry| Peeked::of(entry, Standing::Ready)));
        drop(core);
        found.sort_by_key(|each| each.position);
        Ok((found, until))
    }

    /// What is on disk from a position on, and up to where that is all there is. A message that is
    /// damaged is passed over: whoever takes it from the queue says so.
    fn read(&self, from: u64, end: u64, most: usize) -> Result<(Vec<Entry>, u64), CannotFetch> {
        let Some(store) = self.stored() else { return Ok((Vec::new(), end)) };
        let wanted = Wanted { queue: self.id, from, messages: most, bytes: BATCH_BYTES };
        match store.fetch(wanted) {
            Ok(stored) => {
                let until = stored.last().map_or(end, |last| (last.position + 1).min(end));
                Ok((stored.into_iter().map(entry).collect(), until))
            }
            Err(CannotFetch::Damaged { position, .. }) => Ok((Vec::new(), position + 1)),
            Err(why) => Err(why),
        }
    }
}
