//! Frames out, straight into the bytes that go to a peer.
//!
//! Small bodies are copied; large ones are left where they are and written vectored.

use std::io::IoSlice;
use std::ops::Range;

use super::frame::{END, FrameKind, OVERHEAD};
use super::method::{AnyMethod, MethodId};
use super::put_short_string;
use crate::message::Message;

/// Bodies from this size on are not copied into a peer's buffer. Below it, one copy costs less
/// than another entry in a vectored write.
pub const SHARED_BODY: usize = 16 * 1024;

/// Bytes on their way to one peer.
#[derive(Default)]
pub struct Out {
    bytes: Vec<u8>,
    /// Pieces of bodies, each with the place in `bytes` that it goes in front of.
    shared: Vec<(usize, Message, Range<usize>)>,
    shared_len: usize,
}

impl Out {
    /// Nothing yet, in memory that was used before.
    pub fn reusing(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { bytes, shared: Vec::new(), shared_len: 0 }
    }

    /// The memory, to be used again.
    pub fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes waiting.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.shared_len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that it holds on to, besides shared bodies.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets everything and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.shared.clear();
        self.shared_len = 0;
    }

    /// Up to `most` slices that follow the first `sent` bytes, for a vectored write.
    pub fn slices(&self, sent: usize, most: usize) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(most.min(1 + 2 * self.shared.len()));
        let mut skip = sent;
        self.walk(|slice| {
            let skipped = skip.min(slice.len());
            skip -= skipped;
            if skipped < slice.len() && slices.len() < most {
                slices.push(IoSlice::new(&slice[skipped..]));
            }
            slices.len() < most
        });
        slices
    }

    /// The bytes as one slice, if no body is shared.
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.shared.is_empty().then_some(&self.bytes[..])
    }

    fn walk<'a>(&'a self, mut each: impl FnMut(&'a [u8]) -> bool) {
        let mut from = 0;
        for (at, message, range) in &self.shared {
            if !each(&self.bytes[from..*at]) || !each(&message.body()[range.clone()]) {
                return;
            }
            from = *at;
        }
        each(&self.bytes[from..]);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A heartbeat.
    pub fn heartbeat(&mut self) {
        self.raw(&[FrameKind::Heartbeat.code(), 0, 0, 0, 0, 0, 0, END]);
    }

    /// A method frame.
    pub fn method(&mut self, channel: u16, method: &AnyMethod) {
        let start = self.begin(FrameKind::Method, channel);
        self.bytes.extend_from_slice(&super::method::encode(method));
        self.end(start);
    }

    /// channel.close-ok and others that are nothing but their name.
    pub fn bare_method(&mut self, channel: u16, id: MethodId) {
        let start = self.begin(FrameKind::Method, channel);
        self.put_id(id);
        self.end(start);
    }

    /// basic.ack or basic.nack from the broker to a publisher.
    pub fn confirm(&mut self, channel: u16, id: MethodId, delivery_tag: u64, multiple: bool) {
        let start = self.begin(FrameKind::Method, channel);
        self.put_id(id);
        self.bytes.extend_from_slice(&delivery_tag.to_be_bytes());
        self.bytes.push(multiple.into());
        self.end(start);
    }

    /// basic.deliver with its content. `consumer` is from [`deliver_head`].
    #[inline]
    pub fn deliver(
        &mut self,
        consumer: &[u8],
        channel: u16,
        delivery: Delivery<'_>,
        max_payload: usize,
    ) {
        let names = delivery.message.names();
        let payload = consumer.len() + 9 + names.len();
        self.bytes.reserve(payload + delivery.message.header().len() + 3 * OVERHEAD);
        self.head(FrameKind::Method, channel, payload);
        self.bytes.extend_from_slice(consumer);
        self.bytes.extend_from_slice(&delivery.tag.to_be_bytes());
        self.bytes.push(delivery.redelivered.into());
        self.bytes.extend_from_slice(names);
        self.bytes.push(END);
        self.content(channel, delivery.message, max_payload);
    }

    /// basic.get-ok with its content.
    pub fn get_ok(
        &mut self,
        channel: u16,
        delivery: Delivery<'_>,
        messages_left: u32,
        max_payload: usize,
    ) {
        let start = self.begin(FrameKind::Method, channel);
        self.put_id(MethodId::GET_OK);
        self.bytes.extend_from_slice(&delivery.tag.to_be_bytes());
        self.bytes.push(delivery.redelivered.into());
        self.bytes.extend_from_slice(delivery.message.names());
        self.bytes.extend_from_slice(&messages_left.to_be_bytes());
        self.end(start);
        self.content(channel, delivery.message, max_payload);
    }

    /// basic.return with its content.
    pub fn return_(
        &mut self,
        channel: u16,
        code: u16,
        text: &str,
        message: &Message,
        max_payload: usize,
    ) {
        let start = self.begin(FrameKind::Method, channel);
        self.put_id(MethodId::RETURN);
        self.bytes.extend_from_slice(&code.to_be_bytes());
        put_short_string(&mut self.bytes, text.as_bytes());
        self.bytes.extend_from_slice(message.names());
        self.end(start);
        self.content(channel, message, max_payload);
    }

    /// basic.publish with its content, for clients.
    pub fn publish(
        &mut self,
        channel: u16,
        names: &[u8],
        mandatory: bool,
        header: &[u8],
        body: &[u8],
        max_payload: usize,
    ) {
        let start = self.begin(FrameKind::Method, channel);
        self.put_id(MethodId::PUBLISH);
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes.extend_from_slice(names);
        self.bytes.push(mandatory.into());
        self.end(start);
        self.whole(FrameKind::Header, channel, header);
        for piece in body.chunks(max_payload) {
            self.whole(FrameKind::Body, channel, piece);
        }
    }

    #[inline]
    fn content(&mut self, channel: u16, message: &Message, max_payload: usize) {
        self.whole(FrameKind::Header, channel, message.header());
        let body = message.body();
        if body.len() < SHARED_BODY {
            for piece in body.chunks(max_payload) {
                self.whole(FrameKind::Body, channel, piece);
            }
        } else {
            self.share(channel, message, max_payload);
        }
    }

    fn share(&mut self, channel: u16, message: &Message, max_payload: usize) {
        let mut from = 0;
        while from < message.body_len() {
            let to = from.saturating_add(max_payload).min(message.body_len());
            self.head(FrameKind::Body, channel, to - from);
            self.shared.push((self.bytes.len(), message.clone(), from..to));
            self.shared_len += to - from;
            self.bytes.push(END);
            from = to;
        }
    }

    #[inline]
    fn whole(&mut self, kind: FrameKind, channel: u16, payload: &[u8]) {
        self.bytes.reserve(payload.len() + OVERHEAD);
        self.head(kind, channel, payload.len());
        self.bytes.extend_from_slice(payload);
        self.bytes.push(END);
    }

    #[inline]
    fn head(&mut self, kind: FrameKind, channel: u16, size: usize) {
        let [c0, c1] = channel.to_be_bytes();
        let size = u32::try_from(size).expect("a frame is smaller than 4 GiB");
        let [s0, s1, s2, s3] = size.to_be_bytes();
        self.bytes.extend_from_slice(&[kind.code(), c0, c1, s0, s1, s2, s3]);
    }

    /// Starts a frame whose size is not known yet.
    fn begin(&mut self, kind: FrameKind, channel: u16) -> usize {
        let start = self.bytes.len();
        self.head(kind, channel, 0);
        start
    }

    /// Ends the frame that [`Self::begin`] started.
    fn end(&mut self, start: usize) {
        let size = self.bytes.len() - start - super::frame::HEAD;
        let size = u32::try_from(size).expect("a method is smaller than 4 GiB");
        self.bytes[start + 3..start + 7].copy_from_slice(&size.to_be_bytes());
        self.bytes.push(END);
    }

    fn put_id(&mut self, id: MethodId) {
        self.bytes.extend_from_slice(&id.class.to_be_bytes());
        self.bytes.extend_from_slice(&id.method.to_be_bytes());
    }
}

/// One delivery, as a frame needs it.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Its tag on the channel.
    pub tag: u64,
    /// Whether it was delivered before.
    pub redelivered: bool,
    /// What is delivered.
    pub message: &'a Message,
}

/// The part of basic.deliver that is the same for every delivery to a consumer.
pub fn deliver_head(consumer_tag: &str) -> Vec<u8> {
    let mut head = vec![0, 60, 0, 60];
    put_short_string(&mut head, consumer_tag.as_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, Split, split};
    use super::super::method::{Method, decode};
    use super::*;
    use crate::message::Parts;
    use proptest::prelude::*;

    fn frames(mut bytes: &[u8]) -> Vec<Frame<'_>> {
        let mut frames = Vec::new();
        while let Ok(Split::Whole(frame)) = split(bytes, usize::MAX) {
            bytes = &bytes[frame.wire_len()..];
            frames.push(frame);
        }
        assert!(bytes.is_empty(), "bytes are left over");
        frames
    }

    fn flat(out: &Out) -> Vec<u8> {
        out.slices(0, usize::MAX).iter().flat_map(|slice| slice.to_vec()).collect()
    }

    proptest! {
        #[test]
        fn a_publish_is_read_back(
            exchange in "[a-z]{0,20}", key in "[a-z.]{0,20}", size in 0usize..5000, max in 8usize..4096
        ) {
            let mut names = Vec::new();
            put_short_string(&mut names, exchange.as_bytes());
            put_short_string(&mut names, key.as_bytes());
            let body: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let mut out = Out::default();
            out.publish(7, &names, true, b"header", &body, max);
            let bytes = flat(&out);
            let frames = frames(&bytes);
            let Ok(Method::Publish(publish)) = decode(frames[0].payload) else { panic!("no publish") };
            prop_assert_eq!(publish.exchange(), exchange.as_bytes());
            prop_assert_eq!(publish.routing_key(), key.as_bytes());
            prop_assert_eq!(frames[1].payload, b"header");
            let again: Vec<u8> = frames[2..].iter().flat_map(|f| f.payload.to_vec()).collect();
            prop_assert_eq!(again, body);
            prop_assert!(frames[2..].iter().all(|f| f.payload.len() <= max && f.channel == 7));
        }

        #[test]
        fn shared_and_copied_bodies_look_alike_from_any_place_on(
            size in SHARED_BODY - 2..SHARED_BODY * 3, max in 4096usize..40_000, sent in 0usize..60_000
        ) {
            let body: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let message = Message::from_parts(Parts {
                exchange: b"x", routing_key: b"k", header: b"head", body: &body,
                persistent: false, priority: 0, expires: false, died: false,
            });
            let mut out = Out::default();
            let delivery = Delivery { tag: 1, redelivered: false, message: &message };
            out.deliver(&deliver_head("ctag"), 1, delivery, max);
            out.heartbeat();
            let bytes = flat(&out);
            prop_assert_eq!(bytes.len(), out.len());
            let sent = sent.min(bytes.len());
            let rest: Vec<u8> = out.slices(sent, usize::MAX).iter().flat_map(|s| s.to_vec()).collect();
            prop_assert_eq!(&rest[..], &bytes[sent..]);
            let pieces: Vec<u8> = frames(&bytes).iter()
                .filter(|f| f.kind == FrameKind::Body).flat_map(|f| f.payload.to_vec()).collect();
            prop_assert_eq!(pieces, body);
        }
    }
}
