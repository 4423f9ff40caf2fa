//! What gathers in the inbox: records encoded behind each other, and departures beside them.

use std::time::Instant;

use crate::names::QueueId;
use crate::store::format::file_header;
use crate::store::format::record::{Encoder, MARK, Place, flag};
use crate::store::record::{NewMessage, Reason, Record};
use crate::store::waiting::Registration;

/// Bytes left free in front of a batch, for a file's header and the mark that opens a write.
pub(crate) const FRONT: usize = file_header::LEN + MARK;
/// From so many bytes on, a batch is written even if nobody waits for it.
const WORTH_WRITING: usize = 256 << 10;

/// What was appended between two turns of the writer.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Records behind each other, without checksums; [`FRONT`] bytes are free in front of them.
    pub(crate) bytes: Vec<u8>,
    /// What left, as far as it stands in no group.
    pub(crate) gone: Vec<Departure>,
    /// The position of the last record, also if it is not in here any more.
    pub(crate) last: u64,
    /// Somebody waits for it, or will.
    pub(crate) urgent: bool,
    /// References in later batches will be to bodies from here on.
    pub(crate) shareable_from: u64,
    /// Somebody waits for a mark to be on the disk: the how-manieth.
    pub(crate) mark: Option<u64>,
}

/// Messages that left a queue, in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Departure {
    pub(crate) queue: QueueId,
    pub(crate) reason: Reason,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

/// What a record counts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bond {
    /// It counts alone.
    Free,
    /// With those beside it.
    Group,
    /// With those of its transaction, wherever they stand.
    Transaction(u64),
}

/// What the inbox' lock protects.
pub(super) struct Gathering {
    pub(super) batch: Batch,
    pub(super) next: u64,
    /// When the first record of the batch came.
    pub(super) since: Option<Instant>,
    /// Somebody wants the batch written, be it durable or not.
    pub(super) hurry: bool,
    /// The highest position that somebody asked about.
    pub(super) wanted: u64,
    pub(super) durable: u64,
    pub(super) questions: Vec<(u64, Registration)>,
    pub(super) room_questions: Vec<Registration>,
    pub(super) shareable_from: u64,
    /// The position of the batch's first record.
    pub(super) batch_began: u64,
    /// How many marks were wanted.
    pub(super) marks: u64,
    /// How many transactions have begun and not ended.
    pub(super) open: usize,
    /// No more room until some log files are cleared.
    pub(super) too_many_files: bool,
    /// No more room until the disk has some.
    pub(super) disk_full: bool,
    /// The same for the janitor.
    pub(super) janitor_waits: bool,
    /// The writer sleeps without a limit: the first record has to wake it.
    pub(super) asleep: bool,
    pub(super) closing: bool,
    pub(super) failed: bool,
}

impl Batch {
    /// An empty one, in memory that was used before.
    pub(super) fn empty(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        bytes.resize(FRONT, 0);
        Self { bytes, ..Self::default() }
    }

    /// Its memory, to gather the next but one in; not more of it than `keep`.
    pub(crate) fn into_spare(self, keep: usize) -> Vec<u8> {
        if self.bytes.capacity() > 2 * keep { Vec::new() } else { self.bytes }
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == FRONT && self.gone.is_empty()
    }
}

impl Gathering {
    /// Puts a record in.
    #[inline]
    pub(super) fn push(&mut self, record: &Record<'_>, bond: Bond) {
        let lsn = self.next;
        self.next += 1;
        self.batch.urgent |= record.is_urgent();
        match record {
            Record::Message(new) => self.message(lsn, new, bond),
            Record::Gone { queue, first, count, reason } if bond == Bond::Free => {
                let (queue, reason, first, count) = (*queue, *reason, *first, *count);
                match self.batch.gone.last_mut() {
                    Some(last)
                        if (last.queue, last.reason) == (queue, reason)
                            && last.first + last.count == first =>
                    {
                        last.count += count;
                    }
                    Some(_) | None => {
                        self.batch.gone.push(Departure { queue, reason, first, count });
                    }
                }
            }
            Record::Gone { queue, first, count, reason } => {
                self.encoder(lsn, bond).gone(*queue, *reason as u8, &[(*first, *count)]);
            }
            Record::Delivered { queue, first, count, deliveries } => {
                self.encoder(lsn, bond).delivered(*queue, &[(*first, *count, *deliveries)]);
            }
            Record::Purge { queue, before } => self.encoder(lsn, bond).purge(*queue, *before),
            Record::QueueDeleted { queue } => self.encoder(lsn, bond).queue_deleted(*queue),
            Record::Put { key, value } => self.encoder(lsn, bond).put(key, value),
            Record::Delete { key } => self.encoder(lsn, bond).delete(key),
        }
    }

    #[inline]
    fn message(&mut self, lsn: u64, new: &NewMessage<'_>, bond: Bond) {
        let NewMessage { queue, position, message, expires, lasting, shared } = *new;
        let place = Place { queue, position, deliveries: 0, expires };
        let flags = if lasting { 0 } else { flag::PASSING };
        let Some(shared) = shared else {
            return self.encoder_with(lsn, bond, flags).message(&place, message);
        };
        if shared.place() >= self.shareable_from {
            self.encoder_with(lsn, bond, flags).reference(&place, shared.place());
        } else {
            shared.set_place(lsn);
            self.encoder_with(lsn, bond, flags | flag::SHARED).message(&place, message);
        }
    }

    /// Ends a transaction: its records count, or they do not.
    pub(super) fn settle(&mut self, together: u64, committed: bool) {
        let lsn = self.next;
        self.next += 1;
        self.open -= 1;
        let mut encoder = self.encoder(lsn, Bond::Transaction(together));
        if committed { encoder.commit() } else { encoder.abandon() }
    }

    fn encoder(&mut self, lsn: u64, bond: Bond) -> Encoder<'_> {
        self.encoder_with(lsn, bond, 0)
    }

    #[inline]
    fn encoder_with(&mut self, lsn: u64, bond: Bond, flags: u8) -> Encoder<'_> {
        let bytes = &mut self.batch.bytes;
        match bond {
            Bond::Free => Encoder::new(bytes, lsn, flags),
            Bond::Group => Encoder::new(bytes, lsn, flags | flag::GROUP),
            Bond::Transaction(together) => Encoder::new(bytes, lsn, flags).within(together),
        }
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        self.batch.bytes.len() + self.batch.gone.len() * size_of::<Departure>()
    }

    /// Whether the writer should come now.
    #[inline]
    pub(super) fn is_ripe(&self, eager: bool) -> bool {
        self.hurry
            || self.wanted > self.durable
            || self.batch.urgent
            || self.size() >= WORTH_WRITING
            || (eager && !self.batch.is_empty())
    }
}
