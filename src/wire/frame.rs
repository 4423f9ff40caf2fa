//! Frames: a 7-byte head, a payload and an end mark, split off the read buffer without a copy.
//!
//! ```text
//! 0      1         3             7                  7+size
//! +------+---------+-------------+------------------+------+
//! | kind | channel |    size     |     payload      | 0xCE |
//! +------+---------+-------------+------------------+------+
//! ```
//! (AMQP 0-9-1, 4.2.3)

use nom::IResult;
use nom::Parser;
use nom::number::streaming::{be_u8, be_u16, be_u32};

/// Bytes in front of a payload.
pub const HEAD: usize = 7;
/// Bytes that a frame has besides its payload: the head and the end mark.
pub const OVERHEAD: usize = HEAD + 1;
/// The end mark.
pub const END: u8 = 0xCE;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A method of a class, with its arguments.
    Method,
    /// A content header: body size and properties.
    Header,
    /// A piece of a body.
    Body,
    /// A sign of life.
    Heartbeat,
}

impl FrameKind {
    /// The number on the wire.
    pub fn code(self) -> u8 {
        match self {
            Self::Method => 1,
            Self::Header => 2,
            Self::Body => 3,
            Self::Heartbeat => 8,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Method),
            2 => Some(Self::Header),
            3 => Some(Self::Body),
            8 => Some(Self::Heartbeat),
            _ => None,
        }
    }
}

/// One frame, its payload still in the read buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it carries.
    pub kind: FrameKind,
    /// The channel it belongs to; 0 is the connection itself.
    pub channel: u16,
    /// What stands between head and end mark.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Bytes that the whole frame takes on the wire.
    pub fn wire_len(&self) -> usize {
        self.payload.len() + OVERHEAD
    }
}

/// Bytes that are no frame. Each is a connection error 501 (FRAME_ERROR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// The first byte is no known frame type.
    #[error("unknown frame type {0}")]
    UnknownType(u8),
    /// The payload would be longer than both sides agreed.
    #[error("frame too large: {size} bytes of payload where {max} are allowed")]
    TooLarge {
        /// The payload's size as the head says.
        size: usize,
        /// The largest payload allowed.
        max: usize,
    },
    /// The byte behind the payload is not the end mark.
    #[error("frame end marker is {0}, expected 206")]
    BadEnd(u8),
}

/// What stands at the front of the read buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// A whole frame; the next one starts [`Frame::wire_len`] bytes on.
    Whole(Frame<'a>),
    /// Not all of it is there yet: this many bytes at least make the frame, counted from its start.
    Needs(usize),
}

fn head(input: &[u8]) -> IResult<&[u8], (u8, u16, u32)> {
    (be_u8, be_u16, be_u32).parse(input)
}

/// Splits one frame off the front of `input`. `max_payload` is the agreed `frame_max` less the
/// frame's own 8 bytes; it is looked at before the payload has arrived, so that nobody can make
/// the broker wait for (and keep) a giant frame.
#[inline]
pub fn split(input: &[u8], max_payload: usize) -> Result<Split<'_>, BadFrame> {
    let Ok((rest, (code, channel, size))) = head(input) else {
        return Ok(Split::Needs(HEAD));
    };
    let size = size as usize;
    let Some(kind) = FrameKind::from_code(code) else {
        return Err(BadFrame::UnknownType(code));
    };
    if size > max_payload {
        return Err(BadFrame::TooLarge { size, max: max_payload });
    }
    match rest.get(size) {
        None => Ok(Split::Needs(size + OVERHEAD)),
        Some(&END) => Ok(Split::Whole(Frame { kind, channel, payload: &rest[..size] })),
        Some(&other) => Err(BadFrame::BadEnd(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_heartbeat_is_eight_bytes() {
        let Ok(Split::Whole(frame)) = split(&[8, 0, 0, 0, 0, 0, 0, 0xCE, 1], 100) else {
            panic!("not split");
        };
        assert_eq!((frame.kind, frame.channel, frame.wire_len()), (FrameKind::Heartbeat, 0, 8));
    }

    #[test]
    fn a_torn_frame_says_how_much_it_needs() {
        assert_eq!(split(&[3, 0, 1], 100), Ok(Split::Needs(7)));
        assert_eq!(split(&[3, 0, 1, 0, 0, 0, 5, 1], 100), Ok(Split::Needs(13)));
    }

    #[test]
    fn bad_frames_are_told_apart() {
        assert_eq!(split(&[9, 0, 1, 0, 0, 0, 0], 100), Err(BadFrame::UnknownType(9)));
        assert_eq!(split(&[1, 0, 1, 0, 0, 0, 1, 7, 0xCD], 100), Err(BadFrame::BadEnd(0xCD)));
        assert_eq!(
            split(&[1, 0, 1, 0, 0, 0, 101], 100),
            Err(BadFrame::TooLarge { size: 101, max: 100 })
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_split_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Split::Whole(frame)) = split(&bytes, 32) {
                prop_assert!(frame.wire_len() <= bytes.len());
            }
        }
    }
}
