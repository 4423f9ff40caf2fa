//! A publish with its header and body, put together from its frames.
//!
//! Usually all three frames stand behind each other in the read buffer; then the message is one
//! copy of them ([`whole`]). Otherwise the pieces are kept until the last one is there.

use super::fault::Fault;
use crate::message::{Layout, Message, Parts};
use crate::wire::content::{ContentHeader, Properties};
use crate::wire::frame::{FrameKind, OVERHEAD, Split, split};
use crate::wire::method::{MethodId, Publish};

/// The basic class, the only one whose methods carry content.
const BASIC: u16 = 60;
/// No setting allows a longer body: beyond it the connection is closed, not the channel.
const LARGEST_BODY: u64 = 512 * 1024 * 1024;
/// A body's memory is not reserved further ahead than this, whatever its header says.
const RESERVED_AHEAD: u64 = 256 * 1024;

/// A complete publish.
#[derive(Debug)]
pub struct Published<'a> {
    /// What goes to the queues.
    pub message: Message,
    /// What the rules of publishing look at.
    pub properties: Properties<'a>,
    /// Return it if it reaches no queue.
    pub mandatory: bool,
}

/// A publish of which not everything has come.
#[derive(Debug, Default)]
pub struct Content {
    state: State,
    names: Vec<u8>,
    header: Vec<u8>,
    body: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    None,
    AwaitsHeader {
        mandatory: bool,
    },
    AwaitsBody {
        mandatory: bool,
        missing: u64,
    },
    Complete {
        mandatory: bool,
    },
}

impl Content {
    /// Whether a publish has begun and not ended.
    #[inline]
    pub fn is_pending(&self) -> bool {
        self.state != State::None
    }

    /// A basic.publish whose content does not stand whole behind it.
    pub fn begin(&mut self, publish: &Publish<'_>) {
        self.names.clear();
        self.names.extend_from_slice(publish.names);
        self.state = State::AwaitsHeader { mandatory: publish.mandatory };
    }

    /// A content header. Returns whether the publish is complete with it.
    pub fn header(&mut self, payload: &[u8], max_size: u64) -> Result<bool, Fault> {
        let State::AwaitsHeader { mandatory } = self.state else {
            return Err(self.unexpected());
        };
        let header = checked_header(payload, max_size)?;
        self.header.clear();
        self.header.extend_from_slice(payload);
        self.body = Vec::with_capacity(header.body_size.min(RESERVED_AHEAD) as usize);
        let missing = header.body_size;
        self.state = if missing == 0 {
            State::Complete { mandatory }
        } else {
            State::AwaitsBody { mandatory, missing }
        };
        Ok(missing == 0)
    }

    /// A piece of body. Returns whether the publish is complete with it.
    pub fn body(&mut self, payload: &[u8]) -> Result<bool, Fault> {
        let State::AwaitsBody { mandatory, ref mut missing } = self.state else {
            return Err(self.unexpected());
        };
        let len = payload.len() as u64;
        let too_long = || Fault::body_too_long().at(MethodId::PUBLISH);
        *missing = missing.checked_sub(len).ok_or_else(too_long)?;
        self.body.extend_from_slice(payload);
        let complete = *missing == 0;
        if complete {
            self.state = State::Complete { mandatory };
        }
        Ok(complete)
    }

    /// The complete publish; call it once [`Self::header`] or [`Self::body`] has said so.
    ///
    /// # Panics
    /// If it is not complete.
    pub fn take(&mut self) -> Published<'_> {
        let State::Complete { mandatory } = std::mem::take(&mut self.state) else {
            panic!("a publish is taken when its last frame has come");
        };
        let header = ContentHeader::parse(&self.header).expect("the header was checked");
        let exchange_len = usize::from(self.names[0]);
        let message = Message::from_parts(Parts {
            exchange: &self.names[1..1 + exchange_len],
            routing_key: &self.names[2 + exchange_len..],
            header: &self.header,
            body: &std::mem::take(&mut self.body),
            persistent: header.properties.is_persistent(),
            priority: header.properties.priority,
            expires: header.properties.expiration.is_some(),
            died: false,
        });
        Published { message, properties: header.properties, mandatory }
    }

    /// The fault of a frame that is not the one awaited.
    pub fn unexpected(&self) -> Fault {
        match self.state {
            State::None | State::Complete { .. } => {
                Fault::unexpected_frame("expected method frame, got non method frame instead")
            }
            State::AwaitsHeader { .. } => not_a_header().at(MethodId::PUBLISH),
            State::AwaitsBody { .. } => {
                Fault::unexpected_frame("expected content body, got non content body frame instead")
                    .at(MethodId::PUBLISH)
            }
        }
    }
}

fn not_a_header() -> Fault {
    Fault::unexpected_frame(format_args!(
        "expected content header for class {BASIC}, got non content header frame instead"
    ))
}

#[inline]
fn checked_header(payload: &[u8], max_size: u64) -> Result<ContentHeader<'_>, Fault> {
    let header = ContentHeader::parse(payload).map_err(Fault::bad_header)?;
    let fault = if header.class != BASIC {
        Fault::unexpected_frame(format_args!(
            "expected content header for class {BASIC}, got one for class {} instead",
            header.class
        ))
    } else if header.weight != 0 {
        not_a_header()
    } else if header.body_size > LARGEST_BODY {
        Fault::body_beyond_all_limits(header.body_size, LARGEST_BODY)
    } else if header.body_size > max_size {
        Fault::message_too_large(header.body_size, max_size)
    } else {
        return Ok(header);
    };
    Err(fault.at(MethodId::PUBLISH))
}

/// A publish whose header and body stand whole behind its method frame.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The publish.
    pub published: Published<'a>,
    /// Bytes of the header and body frames.
    pub wire_len: usize,
}

/// Takes header and body out of `behind`, the bytes behind a publish's method frame, if they are
/// all there: a header and at most one body frame of the same channel. `method` is the method
/// frame's payload, which stands right in front of `behind` in `buffer`.
#[inline]
pub fn whole<'a>(
    publish: &Publish<'a>,
    channel: u16,
    buffer: &'a [u8],
    behind: usize,
    limits: Limits,
) -> Result<Option<Whole<'a>>, Fault> {
    let next = |at: usize, kind| match split(&buffer[at..], limits.max_payload) {
        Ok(Split::Whole(frame)) if frame.channel == channel && frame.kind == kind => Some(frame),
        Ok(Split::Whole(_) | Split::Needs(_)) | Err(_) => None,
    };
    let Some(head) = next(behind, FrameKind::Header) else { return Ok(None) };
    let header = checked_header(head.payload, limits.max_size)?;
    let header_end = behind + head.wire_len();
    let body_len = if header.body_size == 0 {
        0
    } else {
        match next(header_end, FrameKind::Body) {
            Some(body) if body.payload.len() as u64 == header.body_size => body.payload.len(),
            Some(_) | None => return Ok(None),
        }
    };
    let wire_len = head.wire_len() + if body_len == 0 { 0 } else { body_len + OVERHEAD };
    // The names end one byte (the publish's bits) and an end mark in front of `behind`.
    let start = behind - 2 - publish.names.len();
    let header_at = behind + crate::wire::frame::HEAD - start;
    let body_at =
        if body_len == 0 { header_at + head.payload.len() } else { header_end + 7 - start };
    let small = |n: usize| u32::try_from(n).expect("three frames are smaller than 4 GiB");
    let layout = Layout {
        names_len: u16::try_from(publish.names.len()).expect("two short strings fit 512 bytes"),
        header_at: small(header_at),
        header_len: small(head.payload.len()),
        body_at: small(body_at),
        persistent: header.properties.is_persistent(),
        priority: header.properties.priority,
        expires: header.properties.expiration.is_some(),
        died: false,
    };
    let message = Message::new(layout, &buffer[start..start + body_at + body_len]);
    let mandatory = publish.mandatory;
    let published = Published { message, properties: header.properties, mandatory };
    Ok(Some(Whole { published, wire_len }))
}

/// How large things may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A frame's payload.
    pub max_payload: usize,
    /// A message's body.
    pub max_size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::content::{Property, header};
    use crate::wire::encode::Out;
    use crate::wire::method::{Method, decode};
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { max_payload: 4096, max_size: 100_000 };

    fn publish_frames(body: &[u8], max_payload: usize) -> Vec<u8> {
        let mut out = Out::default();
        let head = header(body.len() as u64, &[(Property::DeliveryMode, &[2])]);
        out.publish(1, b"\x01x\x03key", true, &head, body, max_payload);
        out.contiguous().expect("nothing is shared").to_vec()
    }

    fn check(published: &Published<'_>, body: &[u8]) {
        assert_eq!(published.message.exchange(), b"x");
        assert_eq!(published.message.routing_key(), b"key");
        assert_eq!(published.message.body(), body);
        assert!(published.message.is_persistent() && published.mandatory);
        let again = ContentHeader::parse(published.message.header()).expect("kept whole");
        assert_eq!(again.body_size, body.len() as u64);
    }

    proptest! {
        #[test]
        fn whole_and_pieced_give_the_same(size in 0usize..9000) {
            let body: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let bytes = publish_frames(&body, LIMITS.max_payload);
            let Ok(Split::Whole(first)) = split(&bytes, 4096) else { panic!("torn") };
            let Ok(Method::Publish(publish)) = decode(first.payload) else { panic!("no publish") };
            let behind = first.wire_len();
            match whole(&publish, 1, &bytes, behind, LIMITS).expect("well formed") {
                Some(whole) => {
                    check(&whole.published, &body);
                    prop_assert_eq!(behind + whole.wire_len, bytes.len());
                }
                None => prop_assert!(size > LIMITS.max_payload),
            }
            let mut content = Content::default();
            content.begin(&publish);
            let (mut at, mut complete) = (behind, false);
            while let Ok(Split::Whole(frame)) = split(&bytes[at..], 4096) {
                prop_assert!(!complete);
                complete = match frame.kind {
                    FrameKind::Header => content.header(frame.payload, LIMITS.max_size).expect("fits"),
                    FrameKind::Body | FrameKind::Method | FrameKind::Heartbeat => {
                        content.body(frame.payload).expect("fits")
                    }
                };
                at += frame.wire_len();
            }
            prop_assert!(complete);
            check(&content.take(), &body);
            prop_assert!(!content.is_pending());
        }

        #[test]
        fn a_torn_publish_is_not_whole(size in 0usize..200, cut in 1usize..200) {
            let bytes = publish_frames(&vec![7; size], 4096);
            let Ok(Split::Whole(first)) = split(&bytes, 4096) else { panic!("torn") };
            let Ok(Method::Publish(publish)) = decode(first.payload) else { panic!("no publish") };
            let end = bytes.len().saturating_sub(cut).max(first.wire_len());
            let torn = whole(&publish, 1, &bytes[..end], first.wire_len(), LIMITS);
            prop_assert!(torn.expect("no fault").is_none());
        }
    }

    #[test]
    fn content_out_of_order_is_a_fault() {
        let mut content = Content::default();
        let head = header(3, &[]);
        assert!(content.header(&head, 10).is_err());
        assert!(content.body(b"x").is_err());
        content.begin(&Publish { names: b"\0\0", mandatory: false, immediate: false });
        assert!(content.body(b"x").is_err());
        assert_eq!(content.header(&head, 10), Ok(false));
        assert_eq!(content.body(b"ab"), Ok(false));
        assert_eq!(content.body(b"cd"), Err(Fault::body_too_long().at(MethodId::PUBLISH)));
    }

    #[test]
    fn a_body_beyond_the_limit_is_refused_at_its_header() {
        let mut content = Content::default();
        content.begin(&Publish { names: b"\0\0", mandatory: false, immediate: false });
        let fault = content.header(&header(11, &[]), 10).expect_err("too large");
        assert_eq!(fault, Fault::message_too_large(11, 10).at(MethodId::PUBLISH));
    }
}
