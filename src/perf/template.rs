//! Messages that are encoded once and copied into the write buffer, again and again.

use super::connection::CHANNEL;
use super::topology::Address;
use crate::wire::content::{Property, header};
use crate::wire::encode::Out;
use crate::wire::frame::{HEAD, OVERHEAD};
use crate::wire::{put_long_string, put_short_string};

/// What a body is filled with behind its stamp.
const FILLER: u8 = b'w';
/// Bytes of a stamp.
const STAMP: usize = 8;

/// What all messages of a publisher have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) size: usize,
    pub(super) persistent: bool,
    pub(super) mandatory: bool,
    /// The largest payload of a frame.
    pub(super) max_payload: usize,
}

/// The frames of a publisher's messages.
pub(super) struct Template {
    /// basic.publish and content header, for each address.
    heads: Vec<Vec<u8>>,
    /// The address of the next message.
    turn: usize,
    /// The body's frames, the same for all.
    body: Vec<u8>,
    /// Whether the body has room for a stamp.
    stampable: bool,
}

impl Template {
    /// Encodes a message for every address.
    pub(super) fn new(addresses: &[Address], shape: Shape) -> Self {
        let filler = vec![FILLER; shape.size];
        let mut whole = Vec::new();
        let mut body_len = 0;
        let heads = addresses.iter().map(|address| {
            whole = encode(address, shape, &filler);
            let pieces = shape.size.div_ceil(shape.max_payload);
            body_len = shape.size + pieces * OVERHEAD;
            whole[..whole.len() - body_len].to_vec()
        });
        let heads: Vec<_> = heads.collect();
        let mut body = whole.split_off(whole.len() - body_len);
        let stampable = shape.size >= STAMP && shape.max_payload >= STAMP;
        if stampable {
            body[HEAD..HEAD + STAMP].fill(0);
        }
        Self { heads, turn: 0, body, stampable }
    }

    /// Appends the next message.
    #[inline]
    pub(super) fn push(&mut self, out: &mut Vec<u8>, stamp: Option<[u8; STAMP]>) {
        out.extend_from_slice(&self.heads[self.turn]);
        self.turn = if self.turn + 1 == self.heads.len() { 0 } else { self.turn + 1 };
        let body = out.len();
        out.extend_from_slice(&self.body);
        if let Some(stamp) = stamp.filter(|_| self.stampable) {
            out[body + HEAD..body + HEAD + STAMP].copy_from_slice(&stamp);
        }
    }
}

fn encode(address: &Address, shape: Shape, body: &[u8]) -> Vec<u8> {
    let mut names = Vec::new();
    put_short_string(&mut names, address.exchange.as_bytes());
    put_short_string(&mut names, address.routing_key.as_bytes());
    let headers = address.headers.as_ref().map(|headers| {
        let mut bytes = Vec::new();
        put_long_string(&mut bytes, headers.as_ref().as_bytes());
        bytes
    });
    let mut properties = Vec::new();
    properties.extend(headers.as_ref().map(|bytes| (Property::Headers, &bytes[..])));
    properties.extend(shape.persistent.then_some((Property::DeliveryMode, &[2][..])));
    let header = header(body.len() as u64, &properties);
    let mut out = Out::default();
    out.publish(CHANNEL, &names, shape.mandatory, &header, body, shape.max_payload);
    out.into_memory()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::content::ContentHeader;
    use crate::wire::frame::{Split, split};
    use crate::wire::method::{Method, decode};

    /// Splits one message off: routing key, persistent, body.
    fn take<'a>(bytes: &mut &'a [u8]) -> (&'a [u8], bool, Vec<u8>) {
        let mut frame = || {
            let Ok(Split::Whole(frame)) = split(bytes, usize::MAX) else { panic!("no frame") };
            *bytes = &bytes[frame.wire_len()..];
            frame.payload
        };
        let Ok(Method::Publish(publish)) = decode(frame()) else { panic!("no publish") };
        let header = ContentHeader::parse(frame()).expect("a content header");
        let mut body = Vec::new();
        while (body.len() as u64) < header.body_size {
            body.extend(frame());
        }
        (publish.routing_key(), header.properties.is_persistent(), body)
    }

    fn check(size: usize, max_payload: usize) {
        let addresses = ["a", "bb"].map(|key| Address {
            exchange: "x".into(),
            routing_key: key.into(),
            headers: None,
        });
        let shape = Shape { size, persistent: true, mandatory: false, max_payload };
        let mut template = Template::new(&addresses, shape);
        let mut out = Vec::new();
        template.push(&mut out, Some([5; 8]));
        template.push(&mut out, None);
        template.push(&mut out, None);
        let mut rest = &out[..];
        for (key, stamp) in [(&b"a"[..], 5), (b"bb", 0), (b"a", 0)] {
            let mut body = vec![FILLER; size];
            if size >= STAMP {
                body[..STAMP].fill(stamp);
            }
            assert_eq!(take(&mut rest), (key, true, body));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn messages_rotate_over_keys_and_carry_stamps() {
        check(16, 1000);
        check(8, 8);
    }

    #[test]
    fn bodies_without_room_and_bodies_in_pieces_are_whole() {
        check(0, 1000);
        check(7, 1000);
        check(2500, 1000);
        check(2000, 1000);
    }
}
