//! Records: how they are read.

use super::record::{HEADER, Kind, Place, flag, head_len, padded};
use crate::message::{Layout, Message};
use crate::names::QueueId;

/// What stands at some place of a file.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A record whose checksum is right.
    Record(Raw<'a>),
    /// Zeros: nothing was written here.
    End,
    /// Neither.
    Bad(Flaw),
}

/// What is wrong with a record or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It says that it is longer than what is there.
    Cut,
    /// Its checksum is wrong.
    Checksum,
    /// Its checksum is right but its content makes no sense to us.
    Content,
    /// The header of its file is damaged.
    Header,
    /// The file ends before it.
    Ends,
    /// Its file has lost its end.
    Short,
}

/// A record as it stands there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    small: u16,
    word: u32,
    pub(crate) lsn: u64,
    /// The transaction it belongs to.
    pub(crate) together: Option<u64>,
    payload: &'a [u8],
}

/// A record understood.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View<'a> {
    Mark { oldest: u64, synced: u64 },
    Message(Place, Content<'a>),
    Reference { place: Place, body: u64 },
    Gone { queue: QueueId, reason: u8, ranges: Ranges<'a> },
    Delivered { queue: QueueId, ranges: Ranges<'a> },
    Purge { queue: QueueId, before: u64 },
    QueueDeleted { queue: QueueId },
    Put { key: &'a [u8], value: &'a [u8] },
    Delete { key: &'a [u8] },
    Blob(&'a [u8]),
    Commit { together: u64 },
    Abandon { together: u64 },
}

/// A message's content, in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'a> {
    layout: Layout,
    bytes: &'a [u8],
}

/// Ranges of positions, 16 bytes each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranges<'a>(&'a [u8]);

/// Looks at what stands at the front of `bytes`.
#[inline]
pub(crate) fn look(bytes: &[u8], seed: u32) -> Found<'_> {
    let raw = look_unchecked(bytes);
    if let Found::Record(raw) = &raw {
        let crc = u32_at(bytes, 4);
        if crc32c::crc32c_append(seed, &bytes[8..raw.len()]) != crc {
            return Found::Bad(Flaw::Checksum);
        }
    }
    raw
}

/// The same without a look at the checksum: for records that have not left memory.
#[inline]
pub(crate) fn look_unchecked(bytes: &[u8]) -> Found<'_> {
    if bytes.len() < 8 {
        return if bytes.iter().all(|b| *b == 0) { Found::End } else { Found::Bad(Flaw::Cut) };
    }
    let len = u32_at(bytes, 0) as usize;
    if len == 0 {
        return if u32_at(bytes, 4) == 0 { Found::End } else { Found::Bad(Flaw::Cut) };
    }
    if len < HEADER || len > bytes.len() {
        return Found::Bad(Flaw::Cut);
    }
    let head = head_len(bytes[9]);
    if len < head {
        return Found::Bad(Flaw::Cut);
    }
    Found::Record(Raw {
        kind: bytes[8],
        flags: bytes[9],
        small: u16::from_le_bytes([bytes[10], bytes[11]]),
        word: u32_at(bytes, 12),
        lsn: u64_at(bytes, 16),
        together: (head > HEADER).then(|| u64_at(bytes, HEADER)),
        payload: &bytes[head..len],
    })
}

impl<'a> Raw<'a> {
    /// Bytes of it, without padding.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        head_len(self.flags) + self.payload.len()
    }

    /// Bytes up to the next one.
    #[inline]
    pub(crate) fn padded_len(&self) -> usize {
        padded(self.len())
    }

    /// Whether a flag is set.
    #[inline]
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Queue and position, if it is a message or a reference.
    #[inline]
    pub(crate) fn message_at(&self) -> Option<(QueueId, u64)> {
        let message = self.kind == Kind::Message as u8 || self.kind == Kind::Reference as u8;
        (message && self.payload.len() >= 16)
            .then(|| (QueueId(u64_at(self.payload, 0)), u64_at(self.payload, 8)))
    }

    /// What it says.
    #[inline]
    pub(crate) fn view(&self) -> Result<View<'a>, Flaw> {
        let payload = self.payload;
        let kind = Kind::from_number(self.kind).ok_or(Flaw::Content)?;
        let (word, queue) = (self.word as usize, QueueId(first_u64(payload)));
        let at_least = |len: usize| if payload.len() < len { Err(Flaw::Content) } else { Ok(()) };
        Ok(match kind {
            Kind::Mark => {
                at_least(16)?;
                View::Mark { oldest: queue.0, synced: u64_at(payload, 8) }
            }
            Kind::Message => {
                let (place, rest) = self.place()?;
                View::Message(place, self.content(rest).ok_or(Flaw::Content)?)
            }
            Kind::Reference => {
                let (place, rest) = self.place()?;
                if rest.len() != 8 {
                    return Err(Flaw::Content);
                }
                View::Reference { place, body: first_u64(rest) }
            }
            Kind::Gone => View::Gone { queue, reason: self.small as u8, ranges: self.ranges()? },
            Kind::Delivered => View::Delivered { queue, ranges: self.ranges()? },
            Kind::Purge => {
                at_least(16)?;
                View::Purge { queue, before: u64_at(payload, 8) }
            }
            Kind::QueueDeleted => {
                at_least(8)?;
                View::QueueDeleted { queue }
            }
            Kind::Put => {
                let (key, value) = payload.split_at_checked(word).ok_or(Flaw::Content)?;
                View::Put { key, value }
            }
            Kind::Delete => View::Delete { key: payload },
            Kind::Blob => View::Blob(payload),
            Kind::Commit => View::Commit { together: self.together.ok_or(Flaw::Content)? },
            Kind::Abandon => View::Abandon { together: self.together.ok_or(Flaw::Content)? },
        })
    }

    fn ranges(&self) -> Result<Ranges<'a>, Flaw> {
        let ranges = self.payload.get(8..).ok_or(Flaw::Content)?;
        if ranges.len() == 16 * self.word as usize {
            Ok(Ranges(ranges))
        } else {
            Err(Flaw::Content)
        }
    }

    #[inline]
    fn place(&self) -> Result<(Place, &'a [u8]), Flaw> {
        let fixed = if self.has(flag::EXPIRES) { 32 } else { 24 };
        let (fixed, rest) = self.payload.split_at_checked(fixed).ok_or(Flaw::Content)?;
        let expires = self.has(flag::EXPIRES).then(|| u64_at(fixed, 24));
        let (queue, position) = (QueueId(u64_at(fixed, 0)), u64_at(fixed, 8));
        Ok((Place { queue, position, deliveries: u32_at(fixed, 16), expires }, rest))
    }

    #[inline]
    fn content(&self, bytes: &'a [u8]) -> Option<Content<'a>> {
        let body_at = u32::from(self.small).checked_add(self.word)?;
        let names = bytes.get(..self.small.into())?;
        let key_at = 1 + usize::from(*names.first()?);
        let names_len = key_at + 1 + usize::from(*names.get(key_at)?);
        if names_len != names.len() || body_at as usize > bytes.len() {
            return None;
        }
        let layout = Layout {
            names_len: self.small,
            header_at: self.small.into(),
            header_len: self.word,
            body_at,
            persistent: self.has(flag::PERSISTENT),
            priority: self.payload[20],
            expires: self.has(flag::EXPIRES),
            died: self.has(flag::DIED),
        };
        Some(Content { layout, bytes })
    }
}

impl<'a> Content<'a> {
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Names, header and body behind each other.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The message, in memory of its own.
    pub(crate) fn to_message(self) -> Message {
        Message::new(self.layout, self.bytes)
    }

    /// Bytes of its body.
    #[inline]
    pub(crate) fn body_len(&self) -> u32 {
        self.bytes.len() as u32 - self.layout.body_at
    }
}

impl<'a> Ranges<'a> {
    /// As (first, count).
    pub(crate) fn counted(self) -> impl Iterator<Item = (u64, u64)> + 'a {
        self.0.chunks_exact(16).map(|range| (u64_at(range, 0), u64_at(range, 8)))
    }

    /// As (first, count, deliveries).
    pub(crate) fn with_deliveries(self) -> impl Iterator<Item = (u64, u32, u32)> + 'a {
        self.0.chunks_exact(16).map(|range| (u64_at(range, 0), u32_at(range, 8), u32_at(range, 12)))
    }
}

fn first_u64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests;
