//! What happens to a batch between the inbox and the file.

use rustc_hash::FxHashMap;

use super::gathering::{Batch, Departure, FRONT};
use crate::names::QueueId;
use crate::store::format::read::{Found, Raw, look_unchecked};
use crate::store::format::record::{Encoder, TERMINATOR, flag, seal};

impl Batch {
    /// Takes out the messages that left their queue before they were written, and their leaving.
    ///
    /// They were delivered and settled: nobody can lose them any more, so also their publisher's
    /// confirm needs nothing on the disk. RabbitMQ's classic queues do the same. What stands in a
    /// group stays, as does content that others may refer to.
    pub(crate) fn elide(&mut self) {
        if self.gone.is_empty() || self.bytes.len() == FRONT {
            return;
        }
        self.gone.sort_unstable_by_key(|gone| (gone.queue, gone.first));
        let gone = GoneByQueue::new(&self.gone);
        let mut elided = Vec::new();
        let (mut from, mut to) = (FRONT, FRONT);
        while let Some((start, len)) = record_at(&self.bytes, from).map(|raw| (from, raw)) {
            let next = start + len.padded_len();
            let out = !len.has(flag::GROUP) && !len.has(flag::SHARED);
            match len.message_at() {
                Some((queue, position)) if out && gone.contains(queue, position) => {
                    elided.push((queue, position));
                }
                Some(_) | None => {
                    if start != to {
                        self.bytes.copy_within(start..next, to);
                    }
                    to += next - start;
                }
            }
            from = next;
        }
        self.bytes.truncate(to);
        if !elided.is_empty() {
            elided.sort_unstable();
            self.gone = without(&self.gone, &elided);
        }
    }

    /// Writes what left behind the records, and the zeros that end a write.
    pub(crate) fn finish(&mut self) {
        self.gone.sort_unstable_by_key(|gone| (gone.queue, gone.reason, gone.first));
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for gone in self.gone.chunk_by(|a, b| (a.queue, a.reason) == (b.queue, b.reason)) {
            ranges.clear();
            for each in gone {
                match ranges.last_mut() {
                    Some((first, count)) if *first + *count == each.first => *count += each.count,
                    Some(_) | None => ranges.push((each.first, each.count)),
                }
            }
            let mut out = Encoder::new(&mut self.bytes, self.last, 0);
            out.gone(gone[0].queue, gone[0].reason as u8, &ranges);
        }
        self.gone.clear();
        self.bytes.extend_from_slice(&[0; TERMINATOR]);
    }

    /// Where its records end, once it is finished.
    pub(crate) fn end(&self) -> usize {
        self.bytes.len() - TERMINATOR
    }

    /// How far the records from `start` on reach that fit into `room` bytes. What counts only
    /// together is not parted.
    pub(crate) fn fit(&self, start: usize, room: usize) -> usize {
        if self.end() - start <= room {
            return self.end();
        }
        let mut end = start;
        loop {
            let next = self.unit(end);
            if next - start > room {
                return end;
            }
            end = next;
        }
    }

    /// Where the record or group at `start` ends.
    pub(crate) fn unit(&self, start: usize) -> usize {
        let mut end = start;
        while let Some(raw) = record_at(&self.bytes, end) {
            end += raw.padded_len();
            if !raw.has(flag::GROUP) || raw.has(flag::GROUP_END) {
                break;
            }
        }
        end
    }

    /// Writes the checksums of some records. Returns the lsn of the first.
    pub(crate) fn seal(&mut self, start: usize, end: usize, seed: u32) -> u64 {
        let first = record_at(&self.bytes, start).map_or(self.last, |raw| raw.lsn);
        let mut at = start;
        while at < end {
            let len = record_at(&self.bytes, at).map_or(end - at, |raw| raw.padded_len());
            seal(&mut self.bytes[at..at + len], seed);
            at += len;
        }
        first
    }

    /// Some of its records, and where they stand.
    pub(crate) fn records(
        &self,
        start: usize,
        end: usize,
    ) -> impl Iterator<Item = (usize, Raw<'_>)> {
        let mut at = start;
        std::iter::from_fn(move || {
            let raw = record_at(&self.bytes[..end], at)?;
            at += raw.padded_len();
            Some((at - raw.padded_len(), raw))
        })
    }
}

/// The record at a place of a batch, which we have written ourselves.
#[inline]
fn record_at(bytes: &[u8], at: usize) -> Option<Raw<'_>> {
    match look_unchecked(&bytes[at..]) {
        Found::Record(raw) => Some(raw),
        Found::End | Found::Bad(_) => None,
    }
}

/// Departures, sorted by queue and position, to look up.
struct GoneByQueue<'a> {
    queues: FxHashMap<QueueId, &'a [Departure]>,
}

impl<'a> GoneByQueue<'a> {
    fn new(gone: &'a [Departure]) -> Self {
        let queues = gone.chunk_by(|a, b| a.queue == b.queue);
        Self { queues: queues.map(|gone| (gone[0].queue, gone)).collect() }
    }

    #[inline]
    fn contains(&self, queue: QueueId, position: u64) -> bool {
        let Some(gone) = self.queues.get(&queue) else { return false };
        let after = gone.partition_point(|each| each.first <= position);
        after > 0 && position - gone[after - 1].first < gone[after - 1].count
    }
}

/// Departures less single positions; both in order of queue and position.
fn without(gone: &[Departure], elided: &[(QueueId, u64)]) -> Vec<Departure> {
    let mut left = Vec::new();
    let mut elided = elided.iter().copied().peekable();
    for each in gone {
        let mut first = each.first;
        let end = each.first + each.count;
        while let Some((_, position)) = elided.next_if(|at| *at < (each.queue, end)) {
            if first < position {
                left.push(Departure { first, count: position - first, ..*each });
            }
            first = position + 1;
        }
        if first < end {
            left.push(Departure { first, count: end - first, ..*each });
        }
    }
    left
}
