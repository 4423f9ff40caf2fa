//! Bytes ⇄ frames ⇄ methods.
//!
//! Owns the formats of AMQP 0-9-1 and nothing else. It must not know channel state, queues, or
//! who is at the other end. What every message passes through (publish, deliver, ack, header,
//! body) is written by hand over slices; the other methods go through `amq-protocol`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod content;
pub mod encode;
pub mod frame;
pub mod json;
pub mod method;
pub mod table;

/// What a client says first (AMQP 0-9-1, 4.2.2).
pub const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// Appends a short string; what is longer than 255 bytes is cut at a character's border.
pub fn put_short_string(out: &mut Vec<u8>, text: &[u8]) {
    let mut len = text.len().min(u8::MAX.into());
    // 0b10xx_xxxx continues a UTF-8 character: never cut in front of one.
    while len > 0 && len < text.len() && text[len] & 0xC0 == 0x80 {
        len -= 1;
    }
    out.push(u8::try_from(len).unwrap_or(u8::MAX));
    out.extend_from_slice(&text[..len]);
}

/// Appends a long string.
///
/// # Panics
/// If it is longer than 4 GiB, which no limit of the broker lets anything become.
pub fn put_long_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).expect("nothing in the broker is longer than 4 GiB");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Splits a short string off the front.
#[inline]
pub(crate) fn short_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    rest.split_at_checked(len.into())
}

/// Splits `N` bytes off the front.
#[inline]
pub(crate) fn fixed<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (*head, rest))
}
