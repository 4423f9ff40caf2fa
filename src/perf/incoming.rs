//! What the broker sends while a load runs: frames become events, without an allocation for
//! deliveries and confirms.

use anyhow::{Context, bail};

use super::connection::read_method;
use super::input::{Filled, Input};
use crate::wire::frame::{Frame, FrameKind};
use crate::wire::method::{AnyMethod, MethodId, basic, connection};

/// Something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A message came, with all of its body.
    Delivered {
        /// Its delivery tag.
        tag: u64,
        /// The first eight bytes of its body, or 0.
        stamp: u64,
    },
    /// A mandatory message came back.
    Returned,
    /// basic.ack or basic.nack for published messages.
    Settled {
        /// The message, counted from 1.
        tag: u64,
        /// All before it as well.
        multiple: bool,
        /// Whether the broker took it.
        accepted: bool,
    },
    /// The broker wants no publishes for now (an alarm), or wants them again.
    Blocked(bool),
    /// Our connection.close was answered.
    Closed,
}

/// A message of which something is still to come.
#[derive(Clone, Copy, Debug)]
struct Content {
    event: Event,
    /// Bytes of body to come; unknown in front of the content header.
    left: Option<u64>,
}

/// Turns a connection's bytes into events.
pub(super) struct Incoming {
    input: Input,
    content: Option<Content>,
}

impl Incoming {
    /// Goes on where the handshake stopped.
    pub(super) fn new(input: Input) -> Self {
        Self { input, content: None }
    }

    /// Reads once.
    pub(super) fn fill(&mut self, stream: impl std::io::Read) -> anyhow::Result<Filled> {
        self.input.fill(stream)
    }

    /// The next event in what has been read. An error is also a close by the broker.
    #[inline]
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Event>> {
        while let Some(frame) = self.input.next()? {
            let event = match frame.kind {
                FrameKind::Method => method(frame, &mut self.content)?,
                FrameKind::Header | FrameKind::Body => piece(frame, &mut self.content)?,
                FrameKind::Heartbeat => None,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }
}

#[inline]
fn method(frame: Frame<'_>, content: &mut Option<Content>) -> anyhow::Result<Option<Event>> {
    let payload = frame.payload;
    match MethodId::read(payload) {
        Some(MethodId::DELIVER) => {
            let consumer_tag: usize = payload.get(4).copied().unwrap_or_default().into();
            let tag = number(payload, 5 + consumer_tag).context("a torn basic.deliver")?;
            *content = Some(Content { event: Event::Delivered { tag, stamp: 0 }, left: None });
            Ok(None)
        }
        Some(id @ (MethodId::ACK | MethodId::NACK)) => {
            let tag = number(payload, 4).context("a torn confirm")?;
            let multiple = payload.get(12).is_some_and(|bits| bits & 1 != 0);
            Ok(Some(Event::Settled { tag, multiple, accepted: id == MethodId::ACK }))
        }
        Some(MethodId::RETURN) => {
            *content = Some(Content { event: Event::Returned, left: None });
            Ok(None)
        }
        _ => rare(payload),
    }
}

#[inline]
fn piece(frame: Frame<'_>, content: &mut Option<Content>) -> anyhow::Result<Option<Event>> {
    let Some(Content { mut event, left }) = content.take() else {
        bail!("the broker sent content that belongs to no method");
    };
    let left = match left {
        None => number(frame.payload, 4).context("a torn content header")?,
        Some(left) => {
            if let Event::Delivered { stamp: stamp @ 0, .. } = &mut event {
                *stamp = number(frame.payload, 0).unwrap_or_default();
            }
            left.saturating_sub(frame.payload.len() as u64)
        }
    };
    if left == 0 {
        return Ok(Some(event));
    }
    *content = Some(Content { event, left: Some(left) });
    Ok(None)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|raw| u64::from_be_bytes(*raw))
}

fn rare(payload: &[u8]) -> anyhow::Result<Option<Event>> {
    let method = read_method(payload)?;
    if let AnyMethod::Basic(basic::AMQPMethod::Cancel(cancel)) = &method {
        bail!("the broker cancelled consumer {}: is its queue gone?", cancel.consumer_tag);
    }
    let AnyMethod::Connection(method) = method else { return Ok(None) };
    Ok(if matches!(method, connection::AMQPMethod::Blocked(_)) {
        Some(Event::Blocked(true))
    } else if matches!(method, connection::AMQPMethod::Unblocked(_)) {
        Some(Event::Blocked(false))
    } else if matches!(method, connection::AMQPMethod::CloseOk(_)) {
        Some(Event::Closed)
    } else {
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, Parts};
    use crate::wire::content::header;
    use crate::wire::encode::{Delivery, Out, deliver_head};

    fn events(out: &Out) -> Vec<Event> {
        let mut incoming = Incoming::new(Input::new(1000));
        let mut events = Vec::new();
        // Byte by byte: nothing may depend on where a read ends.
        for byte in out.contiguous().expect("small") {
            assert_eq!(incoming.fill(&[*byte][..]).unwrap(), Filled::More);
            events.extend(incoming.next().unwrap());
        }
        events
    }

    fn message(body: &[u8]) -> Message {
        let header = header(body.len() as u64, &[]);
        Message::from_parts(Parts {
            exchange: b"",
            routing_key: b"q",
            header: &header,
            body,
            persistent: false,
            priority: 0,
            expires: false,
            died: false,
        })
    }

    #[test]
    fn deliveries_are_counted_whole() {
        let mut out = Out::default();
        for (tag, body) in [(1, &b""[..]), (2, b"short"), (3, &[9; 40])] {
            let message = message(body);
            let delivery = Delivery { tag, redelivered: false, message: &message };
            out.deliver(&deliver_head("c"), 1, delivery, 10);
            out.heartbeat();
        }
        let stamp = u64::from_be_bytes([9; 8]);
        assert_eq!(
            events(&out),
            [(1, 0), (2, 0), (3, stamp)].map(|(tag, stamp)| Event::Delivered { tag, stamp })
        );
    }

    #[test]
    fn confirms_and_returns_are_told_apart() {
        let mut out = Out::default();
        out.return_(1, 312, "NO_ROUTE", &message(b"body"), 100);
        out.confirm(1, MethodId::ACK, 7, true);
        out.confirm(1, MethodId::NACK, 8, false);
        assert_eq!(
            events(&out),
            [
                Event::Returned,
                Event::Settled { tag: 7, multiple: true, accepted: true },
                Event::Settled { tag: 8, multiple: false, accepted: false },
            ]
        );
    }

    #[test]
    fn a_close_says_what_the_broker_said() {
        let mut out = Out::default();
        let close = connection::Close {
            reply_code: 320,
            reply_text: "CONNECTION_FORCED".into(),
            class_id: 0,
            method_id: 0,
        };
        out.method(0, &AnyMethod::Connection(connection::AMQPMethod::Close(close)));
        let mut incoming = Incoming::new(Input::new(1000));
        incoming.fill(out.contiguous().unwrap()).unwrap();
        let said = incoming.next().unwrap_err().to_string();
        assert_eq!(said, "the broker closed the connection: 320 CONNECTION_FORCED");
    }
}
