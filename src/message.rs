//! A published message: immutable, shared by every queue that holds it, in one allocation.
//!
//! The bytes stay as they came off the wire (exchange and routing key as short strings, the
//! content header's payload, the body), so that a delivery needs no re-encoding. Between them
//! there may be bytes that nobody reads: the frame heads of the publish, copied along because
//! one long copy is cheaper than four short ones.

use std::fmt;
use std::ops::Range;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use triomphe::{Arc, ThinArc};

/// Bytes in which a message notes the span of its publish, right in front of its header.
const NOTE: usize = 8;

/// Where the parts stand in a message's bytes, and what rules ask of its properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Length of exchange and routing key, as two short strings, at the front.
    pub names_len: u16,
    /// Where the content header's payload starts.
    pub header_at: u32,
    /// Length of the content header's payload.
    pub header_len: u32,
    /// Where the body starts; it reaches to the end.
    pub body_at: u32,
    /// Delivery mode 2.
    pub persistent: bool,
    /// The priority property; a missing one is 0.
    pub priority: u8,
    /// It has an expiration.
    pub expires: bool,
    /// It has been dead: what its headers say of deaths is the broker's word, not a client's.
    pub died: bool,
}

/// A published message. Cloning it shares it.
#[derive(Clone)]
pub struct Message(ThinArc<Head, u8>);

struct Head {
    layout: Layout,
    fanned_out: AtomicBool,
    /// A [`Shown`], and whether a span is noted; it fits beside the others.
    shown: AtomicU8,
    stored: StoredOnce,
}

/// Remembers where a message's content was stored first, so that the other queues which it is
/// routed to only refer to it.
#[derive(Debug, Default)]
pub struct StoredOnce(AtomicU64);

impl StoredOnce {
    /// Where that is; 0 while it is nowhere. Read and written under the store's own lock.
    pub fn place(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// It is stored there.
    pub fn set_place(&self, place: u64) {
        self.0.store(place, Ordering::Relaxed);
    }
}

/// Whether OpenTelemetry is shown a message's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nobody has looked.
    Unknown,
    /// It is not.
    No,
    /// It is.
    Yes,
}

/// It is shown, and its bytes note in which span it was published.
const NOTED: u8 = 3;

impl Message {
    /// Copies a message whose parts stand in `bytes` as `layout` says.
    ///
    /// # Panics
    /// If the layout points outside of `bytes`; it comes from the parser, never from a peer.
    #[inline]
    pub fn new(layout: Layout, bytes: &[u8]) -> Self {
        assert!(layout.fits(bytes.len()), "a message's layout lies within its bytes");
        let (fanned_out, shown) = (AtomicBool::new(false), AtomicU8::new(Shown::Unknown as u8));
        let head = Head { layout, fanned_out, shown, stored: StoredOnce::default() };
        Self(ThinArc::from_header_and_slice(head, bytes))
    }

    /// Puts a message together from its parts.
    ///
    /// # Panics
    /// If a name is longer than a short string; the parser has read them from short strings.
    pub fn from_parts(parts: Parts<'_>) -> Self {
        let Parts { exchange, routing_key, header, body, persistent, priority, expires, died } =
            parts;
        let mut bytes =
            Vec::with_capacity(2 + exchange.len() + routing_key.len() + header.len() + body.len());
        for name in [exchange, routing_key] {
            bytes.push(u8::try_from(name.len()).expect("a name fits a short string"));
            bytes.extend_from_slice(name);
        }
        let names = bytes.len();
        bytes.extend_from_slice(header);
        let body_at = bytes.len();
        bytes.extend_from_slice(body);
        let small = |n: usize| u32::try_from(n).expect("a message is smaller than 4 GiB");
        let layout = Layout {
            names_len: u16::try_from(names).expect("two short strings fit 512 bytes"),
            header_at: small(names),
            header_len: small(header.len()),
            body_at: small(body_at),
            persistent,
            priority,
            expires,
            died,
        };
        Self::new(layout, &bytes)
    }

    /// Exchange and routing key as two short strings: just what basic.deliver ends with.
    #[inline]
    pub fn names(&self) -> &[u8] {
        &self.0.slice[..self.layout().names_len.into()]
    }

    /// The name of the exchange it was published to.
    pub fn exchange(&self) -> &[u8] {
        let names = self.names();
        &names[1..1 + usize::from(names[0])]
    }

    /// The routing key it was published with.
    pub fn routing_key(&self) -> &[u8] {
        let names = self.names();
        &names[2 + usize::from(names[0])..]
    }

    /// The payload of its content header frame.
    #[inline]
    pub fn header(&self) -> &[u8] {
        &self.0.slice[self.layout().header()]
    }

    /// Its body.
    #[inline]
    pub fn body(&self) -> &[u8] {
        &self.0.slice[self.layout().body_at as usize..]
    }

    /// Bytes of body.
    #[inline]
    pub fn body_len(&self) -> usize {
        self.0.slice.len() - self.layout().body_at as usize
    }

    /// Bytes of memory that it takes while somebody holds it.
    #[inline]
    pub fn memory(&self) -> usize {
        self.0.slice.len() + 64
    }

    /// It goes to several queues: each of them refers to what is stored for the first.
    pub fn fan_out(&self) {
        self.0.header.header.fanned_out.store(true, Ordering::Relaxed);
    }

    /// Where its content is stored, if several queues share that.
    pub fn stored_once(&self) -> Option<&StoredOnce> {
        let head = &self.0.header.header;
        head.fanned_out.load(Ordering::Relaxed).then_some(&head.stored)
    }

    /// Delivery mode 2: to be kept over a restart on a durable queue.
    pub fn is_persistent(&self) -> bool {
        self.layout().persistent
    }

    /// The priority property; a missing one is 0.
    pub fn priority(&self) -> u8 {
        self.layout().priority
    }

    /// Whether it has an expiration.
    #[inline]
    pub fn expires(&self) -> bool {
        self.layout().expires
    }

    /// Whether it has been dead: what its headers say of deaths is the broker's word.
    pub fn has_died(&self) -> bool {
        self.layout().died
    }

    /// Whether OpenTelemetry is shown its way.
    #[inline]
    pub fn shown(&self) -> Shown {
        match self.0.header.header.shown.load(Ordering::Relaxed) {
            0 => Shown::Unknown,
            1 => Shown::No,
            _ => Shown::Yes,
        }
    }

    /// Somebody has looked whether it is shown.
    pub fn set_shown(&self, shown: bool) {
        let shown = if shown { Shown::Yes } else { Shown::No };
        self.0.header.header.shown.store(shown as u8, Ordering::Relaxed);
    }

    /// The span in which it was published, if that is noted. A restart forgets it.
    pub fn published_in(&self) -> Option<u64> {
        if self.0.header.header.shown.load(Ordering::Relaxed) != NOTED {
            return None;
        }
        let (_, note) = self.0.slice[..self.layout().header().start].split_last_chunk::<NOTE>()?;
        Some(u64::from_be_bytes(*note))
    }

    /// The same message, shown, with a note of the span in which it is published. Where others hold
    /// it already, or there is no room, that is a copy.
    #[must_use]
    pub fn noting(mut self, span: u64) -> Self {
        let room = self.layout().header().start - usize::from(self.layout().names_len);
        if room < NOTE || !self.note(span) {
            self = self.with_room_for_a_note();
            assert!(self.note(span), "nobody else holds a copy that was just made");
        }
        self
    }

    /// Notes a span in front of the header, if nobody else holds the message.
    fn note(&mut self, span: u64) -> bool {
        let header_at = self.layout().header().start;
        self.0.with_arc_mut(|shared| {
            let Some(own) = Arc::get_mut(shared) else { return false };
            own.slice_mut()[header_at - NOTE..header_at].copy_from_slice(&span.to_be_bytes());
            *own.header_mut().shown.get_mut() = NOTED;
            true
        })
    }

    /// A copy with room in front of the header; the frames that a message is usually copied from
    /// leave some there.
    fn with_room_for_a_note(&self) -> Self {
        let room = [0; NOTE];
        let bytes = [self.names(), &room, self.header(), self.body()].concat();
        let mut layout = *self.layout();
        let header_at = usize::from(layout.names_len) + NOTE;
        let small = |n: usize| u32::try_from(n).expect("a message is smaller than 4 GiB");
        layout.header_at = small(header_at);
        layout.body_at = small(header_at + self.header().len());
        Self::new(layout, &bytes)
    }

    #[inline]
    fn layout(&self) -> &Layout {
        &self.0.header.header.layout
    }
}

impl Layout {
    #[inline]
    fn header(&self) -> Range<usize> {
        self.header_at as usize..self.header_at as usize + self.header_len as usize
    }

    #[inline]
    fn fits(&self, len: usize) -> bool {
        let header = self.header();
        usize::from(self.names_len) <= header.start
            && header.end <= self.body_at as usize
            && self.body_at as usize <= len
    }
}

/// What [`Message::from_parts`] puts together.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The exchange's name.
    pub exchange: &'a [u8],
    /// The routing key.
    pub routing_key: &'a [u8],
    /// The content header frame's payload.
    pub header: &'a [u8],
    /// The body.
    pub body: &'a [u8],
    /// Delivery mode 2.
    pub persistent: bool,
    /// The priority property.
    pub priority: u8,
    /// It has an expiration.
    pub expires: bool,
    /// It has been dead.
    pub died: bool,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &String::from_utf8_lossy(self.exchange()))
            .field("routing_key", &String::from_utf8_lossy(self.routing_key()))
            .field("body_len", &self.body_len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Message {
        Message::from_parts(Parts {
            exchange: b"logs",
            routing_key: b"a.b",
            header: b"0123456789abcd",
            body: b"hello",
            persistent: true,
            priority: 3,
            expires: true,
            died: false,
        })
    }

    #[test]
    fn parts_come_back_as_they_went_in() {
        let message = plain();
        assert_eq!(message.exchange(), b"logs");
        assert_eq!(message.routing_key(), b"a.b");
        assert_eq!(message.header(), b"0123456789abcd");
        assert_eq!(message.body(), b"hello");
        assert_eq!(message.names(), b"\x04logs\x03a.b");
        assert!(message.is_persistent() && message.expires() && !message.has_died());
        assert_eq!((message.priority(), message.body_len()), (3, 5));
    }

    #[test]
    fn a_note_changes_nothing_else() {
        assert_eq!((plain().shown(), plain().published_in()), (Shown::Unknown, None));
        let noted = plain().noting(7);
        let again = noted.noting(u64::MAX);
        let same = |message: &Message| {
            let parts = |each: &Message| [each.names(), each.header(), each.body()].concat();
            parts(message) == parts(&plain())
        };
        assert!(same(&again));
        assert!(again.is_persistent() && again.expires());
        assert_eq!((again.shown(), again.published_in()), (Shown::Yes, Some(u64::MAX)));
        let other = again.clone();
        let (again, other) = (again.noting(5), other);
        assert_eq!((again.published_in(), other.published_in()), (Some(5), Some(u64::MAX)));
        assert!(same(&again) && same(&other));
        other.set_shown(false);
        assert_eq!((other.shown(), other.published_in()), (Shown::No, None));
    }

    #[test]
    fn what_is_known_of_a_message_takes_no_more_than_it_did() {
        assert_eq!(size_of::<Head>(), 32);
    }
}
