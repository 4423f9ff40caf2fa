//! Records: how they are written.
//!
//! ```text
//!  0  len     4   the whole record from here on, without padding; 0 = nothing more follows
//!  4  crc     4   CRC32C of bytes 8..len, seeded with the file's number
//!  8  kind    1   see [`Kind`]
//!  9  flags   1   see [`flag`]
//! 10  small   2   depends on the kind
//! 12  word    4   depends on the kind
//! 16  lsn     8   the log position; never falls within a file
//![24  together 8] the transaction it belongs to: the lsn of that one's first record
//! 24  payload     padded with zeros to the next 8 bytes
//! ```
//!
//! | kind         | small    | word       | payload |
//! |--------------|----------|------------|---------|
//! | Mark         | –        | –          | oldest file still needed 8, bytes of this file known to be on disk 8 |
//! | Message      | names    | header len | queue 8, position 8, deliveries 4, priority 1, zero 3, [expires 8], names, header, body |
//! | Reference    | –        | –          | queue 8, position 8, deliveries 4, zero 4, [expires 8], body 8 |
//! | Gone         | reason   | ranges     | queue 8, ranges × { first 8, count 8 } |
//! | Delivered    | –        | ranges     | queue 8, ranges × { first 8, count 4, deliveries 4 } |
//! | Purge        | –        | –          | queue 8, before 8: everything in front of this position is gone |
//! | QueueDeleted | –        | –          | queue 8 |
//! | Put          | –        | key len    | key, value: a row of the catalogue |
//! | Delete       | –        | key len    | key |
//! | Blob         | –        | –          | bytes that the file's own module understands (segments) |
//! | Commit       | –        | –          | the records of its transaction count |
//! | Abandon      | –        | –          | they do not |
//!
//! Records of a transaction may stand anywhere between others; without its Commit they do not
//! count. A Mark opens every write of the log. `names` are exchange and routing key as two short
//! strings; `header` is the payload of the content header frame; both stay as they came off the
//! wire. `body` of a Reference is, in the log, the lsn of the Message whose names, header and body
//! it shares; in a segment, that record's offset.

use super::read::Content;
use crate::message::{Layout, Message};
use crate::names::QueueId;

/// Bytes in front of a payload.
pub(crate) const HEADER: usize = 24;
/// What follows the last record of a write, so that old bytes of a recycled file are not read on.
pub(crate) const TERMINATOR: usize = 8;
/// Length of a Mark.
pub(crate) const MARK: usize = HEADER + 16;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Mark = 1,
    Message = 2,
    Reference = 3,
    Gone = 4,
    Delivered = 5,
    Purge = 6,
    QueueDeleted = 7,
    Put = 8,
    Delete = 9,
    Blob = 10,
    Commit = 11,
    Abandon = 12,
}

/// Bits of a record's flags.
pub(crate) mod flag {
    /// Counts only together with the records around it …
    pub(crate) const GROUP: u8 = 1;
    /// … up to this one.
    pub(crate) const GROUP_END: u8 = 2;
    /// There is an expiry.
    pub(crate) const EXPIRES: u8 = 4;
    /// Others may refer to this message.
    pub(crate) const SHARED: u8 = 8;
    /// Delivery mode 2.
    pub(crate) const PERSISTENT: u8 = 16;
    /// Written to save memory only: not to be found again after a restart.
    pub(crate) const PASSING: u8 = 32;
    /// It belongs to a transaction, which is named behind the header.
    pub(crate) const TOGETHER: u8 = 64;
    /// The message has been dead: what its headers say of deaths is the broker's word.
    pub(crate) const DIED: u8 = 128;
}

impl Kind {
    /// The kind with this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Mark,
            2 => Self::Message,
            3 => Self::Reference,
            4 => Self::Gone,
            5 => Self::Delivered,
            6 => Self::Purge,
            7 => Self::QueueDeleted,
            8 => Self::Put,
            9 => Self::Delete,
            10 => Self::Blob,
            11 => Self::Commit,
            12 => Self::Abandon,
            _ => return None,
        })
    }
}

/// Bytes in front of the payload of a record with these flags.
#[inline]
pub(crate) fn head_len(flags: u8) -> usize {
    if flags & flag::TOGETHER == 0 { HEADER } else { HEADER + 8 }
}

/// How far a record of `len` bytes reaches with its padding.
#[inline]
pub(crate) fn padded(len: usize) -> usize {
    len.next_multiple_of(8)
}

/// Where a message stands, and what is known of it besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) queue: QueueId,
    pub(crate) position: u64,
    pub(crate) deliveries: u32,
    pub(crate) expires: Option<u64>,
}

/// Writes records behind each other. Their checksums come later, by [`seal`], when it is known
/// which file they go to.
pub(crate) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    lsn: u64,
    flags: u8,
    together: u64,
}

impl<'a> Encoder<'a> {
    /// Records at this position, with these flags besides their own.
    #[inline]
    pub(crate) fn new(out: &'a mut Vec<u8>, lsn: u64, flags: u8) -> Self {
        Self { out, lsn, flags, together: 0 }
    }

    /// The same for records of a transaction.
    pub(crate) fn within(mut self, together: u64) -> Self {
        self.flags |= flag::TOGETHER;
        self.together = together;
        self
    }

    /// What opens a write.
    pub(crate) fn mark(&mut self, oldest: u64, synced: u64) {
        self.head(Kind::Mark, 0, 0, 16);
        self.out.extend_from_slice(&oldest.to_le_bytes());
        self.out.extend_from_slice(&synced.to_le_bytes());
    }

    /// A message with its content.
    #[inline]
    pub(crate) fn message(&mut self, place: &Place, message: &Message) {
        let (names, header, body) = (message.names(), message.header(), message.body());
        if message.is_persistent() {
            self.flags |= flag::PERSISTENT;
        }
        if message.has_died() {
            self.flags |= flag::DIED;
        }
        let content = names.len() + header.len() + body.len();
        let small = names.len() as u16; // Two short strings: at most 512.
        self.head(Kind::Message, small, length(header.len()), place.encoded_len() + content);
        self.place(place, message.priority());
        self.out.extend_from_slice(names);
        self.out.extend_from_slice(header);
        self.out.extend_from_slice(body);
        self.pad();
    }

    /// A message with content that was stored before.
    pub(crate) fn message_again(&mut self, place: &Place, content: &Content<'_>) {
        let Layout { names_len, header_len, persistent, priority, died, .. } = *content.layout();
        if persistent {
            self.flags |= flag::PERSISTENT;
        }
        if died {
            self.flags |= flag::DIED;
        }
        let payload = place.encoded_len() + content.bytes().len();
        self.head(Kind::Message, names_len, header_len, payload);
        self.place(place, priority);
        self.out.extend_from_slice(content.bytes());
        self.pad();
    }

    /// A message whose content stands elsewhere.
    pub(crate) fn reference(&mut self, place: &Place, body: u64) {
        self.head(Kind::Reference, 0, 0, place.encoded_len() + 8);
        self.place(place, 0);
        self.out.extend_from_slice(&body.to_le_bytes());
    }

    /// Messages that left a queue: (first, count).
    pub(crate) fn gone(&mut self, queue: QueueId, reason: u8, ranges: &[(u64, u64)]) {
        self.head(Kind::Gone, reason.into(), length(ranges.len()), 8 + 16 * ranges.len());
        self.out.extend_from_slice(&queue.0.to_le_bytes());
        for (first, count) in ranges {
            self.out.extend_from_slice(&first.to_le_bytes());
            self.out.extend_from_slice(&count.to_le_bytes());
        }
    }

    /// How often messages were handed out: (first, count, deliveries).
    pub(crate) fn delivered(&mut self, queue: QueueId, ranges: &[(u64, u32, u32)]) {
        self.head(Kind::Delivered, 0, length(ranges.len()), 8 + 16 * ranges.len());
        self.out.extend_from_slice(&queue.0.to_le_bytes());
        for (first, count, deliveries) in ranges {
            self.out.extend_from_slice(&first.to_le_bytes());
            self.out.extend_from_slice(&count.to_le_bytes());
            self.out.extend_from_slice(&deliveries.to_le_bytes());
        }
    }

    /// Everything in front of a position is gone.
    pub(crate) fn purge(&mut self, queue: QueueId, before: u64) {
        self.head(Kind::Purge, 0, 0, 16);
        self.out.extend_from_slice(&queue.0.to_le_bytes());
        self.out.extend_from_slice(&before.to_le_bytes());
    }

    /// The queue is gone and all that was in it.
    pub(crate) fn queue_deleted(&mut self, queue: QueueId) {
        self.head(Kind::QueueDeleted, 0, 0, 8);
        self.out.extend_from_slice(&queue.0.to_le_bytes());
    }

    /// A row of the catalogue.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.head(Kind::Put, 0, length(key.len()), key.len() + value.len());
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(value);
        self.pad();
    }

    /// A row less in the catalogue.
    pub(crate) fn delete(&mut self, key: &[u8]) {
        self.head(Kind::Delete, 0, length(key.len()), key.len());
        self.out.extend_from_slice(key);
        self.pad();
    }

    /// The records of its transaction count.
    pub(crate) fn commit(&mut self) {
        self.head(Kind::Commit, 0, 0, 0);
    }

    /// The records of its transaction do not count.
    pub(crate) fn abandon(&mut self) {
        self.head(Kind::Abandon, 0, 0, 0);
    }

    /// Bytes that only the file's own module understands.
    pub(crate) fn blob(&mut self, bytes: &[u8]) {
        self.head(Kind::Blob, 0, 0, bytes.len());
        self.out.extend_from_slice(bytes);
        self.pad();
    }

    #[inline]
    fn head(&mut self, kind: Kind, small: u16, word: u32, payload: usize) {
        let len = self.head_len() + payload;
        self.out.reserve(padded(len));
        let mut head = [0; HEADER];
        head[0..4].copy_from_slice(&length(len).to_le_bytes());
        head[8] = kind as u8;
        head[9] = self.flags;
        head[10..12].copy_from_slice(&small.to_le_bytes());
        head[12..16].copy_from_slice(&word.to_le_bytes());
        head[16..24].copy_from_slice(&self.lsn.to_le_bytes());
        self.out.extend_from_slice(&head);
        if self.flags & flag::TOGETHER != 0 {
            self.out.extend_from_slice(&self.together.to_le_bytes());
        }
    }

    /// Bytes in front of the payload.
    #[inline]
    fn head_len(&self) -> usize {
        head_len(self.flags)
    }

    #[inline]
    fn place(&mut self, place: &Place, priority: u8) {
        let mut bytes = [0; 32];
        bytes[0..8].copy_from_slice(&place.queue.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&place.position.to_le_bytes());
        bytes[16..20].copy_from_slice(&place.deliveries.to_le_bytes());
        bytes[20] = priority;
        if let Some(expires) = place.expires {
            let at = self.out.len() - self.head_len() + 9;
            self.out[at] |= flag::EXPIRES;
            bytes[24..32].copy_from_slice(&expires.to_le_bytes());
        }
        self.out.extend_from_slice(&bytes[..place.encoded_len()]);
    }

    #[inline]
    fn pad(&mut self) {
        let pad = padded(self.out.len()) - self.out.len();
        self.out.extend_from_slice(&[0; 8][..pad]);
    }
}

impl Place {
    #[inline]
    fn encoded_len(&self) -> usize {
        if self.expires.is_some() { 32 } else { 24 }
    }
}

/// # Panics
/// If one record passes 4 GiB; a message is at most 512 MiB, and rows and ranges are smaller.
#[inline]
fn length(len: usize) -> u32 {
    u32::try_from(len).expect("a record is smaller than 4 GiB")
}

/// Length of the record at the front of `bytes`, which we have written ourselves.
#[inline]
pub(crate) fn length_at(bytes: &[u8]) -> usize {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}

/// Writes the checksum into the record at the front of `bytes`.
#[inline]
pub(crate) fn seal(bytes: &mut [u8], seed: u32) {
    let len = length_at(bytes);
    let crc = crc32c::crc32c_append(seed, &bytes[8..len]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
}
