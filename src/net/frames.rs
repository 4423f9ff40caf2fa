//! Frames, one after the other, to whom they are for.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::net::open_channel::OpenChannel;
use crate::net::session::Session;
use crate::protocol::fault::Fault;
use crate::wire::frame::{Frame, FrameKind, Split, split};
use crate::wire::method::{AnyMethod, Method, MethodId, channel, decode, decode_any};

impl Session {
    /// Handles all whole frames at the front of `bytes`. Returns how many bytes they were.
    pub(super) fn frames(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while !self.ended && !self.is_held() {
            match split(&bytes[at..], self.limits.max_payload) {
                Ok(Split::Needs(_)) => break,
                Ok(Split::Whole(frame)) => {
                    at += frame.wire_len();
                    match self.frame(frame, bytes, at) {
                        Ok(more) => at += more,
                        Err(fault) => self.fault(frame.channel, fault),
                    }
                }
                Err(bad) => {
                    self.fault(0, Fault::bad_frame(bad));
                    // Where the next frame starts, nobody knows: only the end can follow.
                    self.ended |= self.connection.is_closing();
                    return bytes.len();
                }
            }
        }
        at
    }

    /// Handles one frame; `behind` is where it ends in `bytes`. Returns how many bytes behind it
    /// are done with as well.
    #[inline]
    fn frame(&mut self, frame: Frame<'_>, bytes: &[u8], behind: usize) -> Result<usize, Fault> {
        if frame.channel == 0 || !self.connection.is_running() || frame.kind == FrameKind::Heartbeat
        {
            return self.connection_frame(frame).map(|()| 0);
        }
        let Some(channel) = self.channels.get_mut(&frame.channel) else {
            return self.frame_on_no_channel(frame).map(|()| 0);
        };
        if channel.is_closing() {
            return self.frame_on_closing_channel(frame).map(|()| 0);
        }
        match frame.kind {
            FrameKind::Method if channel.content.is_pending() => Err(channel.content.unexpected()),
            FrameKind::Method => self.method(frame, bytes, behind),
            FrameKind::Header => {
                if channel.content.header(frame.payload, self.limits.max_size)? {
                    self.publish_complete(frame.channel)?;
                }
                Ok(0)
            }
            FrameKind::Body => {
                if channel.content.body(frame.payload)? {
                    self.publish_complete(frame.channel)?;
                }
                Ok(0)
            }
            FrameKind::Heartbeat => Ok(0),
        }
    }

    #[inline]
    fn method(&mut self, frame: Frame<'_>, bytes: &[u8], behind: usize) -> Result<usize, Fault> {
        let number = frame.channel;
        match decode(frame.payload).map_err(Fault::bad_method)? {
            Method::Publish(publish) => return self.publish(number, &publish, bytes, behind),
            Method::Ack(ack) => self.ack(number, ack).map_err(|fault| fault.at(MethodId::ACK))?,
            Method::Nack(nack) => {
                self.nack(number, nack).map_err(|fault| fault.at(MethodId::NACK))?;
            }
            Method::Reject(reject) => {
                self.reject(number, reject).map_err(|fault| fault.at(MethodId::REJECT))?;
            }
            Method::Qos(qos) => self.qos(number, qos).map_err(|fault| fault.at(MethodId::QOS))?,
            Method::Other(method) => {
                let id = MethodId::read(frame.payload).unwrap_or_default();
                self.channel_method(number, *method).map_err(|fault| fault.at(id))?;
            }
        }
        Ok(0)
    }

    /// Channel 0, heartbeats, and everything before the connection is open.
    fn connection_frame(&mut self, frame: Frame<'_>) -> Result<(), Fault> {
        match frame.kind {
            FrameKind::Heartbeat if frame.channel == 0 && frame.payload.is_empty() => Ok(()),
            FrameKind::Heartbeat if frame.channel == 0 => Err(Fault::heartbeat_with_payload()),
            FrameKind::Method if frame.channel == 0 => {
                let id = MethodId::read(frame.payload).ok_or(crate::wire::method::BadMethod::NoId);
                let id = id.map_err(Fault::bad_method)?;
                if !id.exists() {
                    let unknown = crate::wire::method::BadMethod::Unknown(id);
                    return Err(Fault::bad_method(unknown));
                }
                let method = decode_any(id, frame.payload);
                let method = method.map_err(|bad| Fault::bad_method(bad).at(id))?;
                self.connection_method(id, method)
            }
            // After a close everything but its answer is forgotten.
            _ if self.connection.is_closing() => Ok(()),
            FrameKind::Heartbeat | FrameKind::Method | FrameKind::Header | FrameKind::Body => {
                Err(Fault::frame_out_of_place(frame.kind.code(), frame.channel))
            }
        }
    }

    fn frame_on_no_channel(&mut self, frame: Frame<'_>) -> Result<(), Fault> {
        if frame.kind != FrameKind::Method {
            return Err(crate::protocol::content::Content::default().unexpected());
        }
        let id = MethodId::read(frame.payload).unwrap_or_default();
        let method = decode(frame.payload).map_err(Fault::bad_method)?;
        if let Method::Other(other) = method
            && matches!(other.method, AnyMethod::Channel(channel::AMQPMethod::Open(_)))
        {
            return self.open_channel(frame.channel);
        }
        Err(Fault::channel_error("expected 'channel.open'").at(id))
    }

    fn open_channel(&mut self, number: u16) -> Result<(), Fault> {
        let max = self.connection.agreed().channel_max;
        if max != 0 && self.channels.len() >= usize::from(max) {
            return Err(Fault::not_allowed(format_args!(
                "number of channels opened ({}) has reached the negotiated channel_max ({max})",
                self.channels.len()
            )));
        }
        let Entry::Vacant(free) = self.channels.entry(number) else {
            return Err(Fault::channel_error("second 'channel.open' seen"));
        };
        if let Some(user) = &self.user {
            let broker = &self.common.broker;
            broker.user_loads.open_channel(user, &broker.user_limits(user))?;
        }
        let opened = free.insert(OpenChannel::new(&self.me, number));
        self.outbox.lock().open_channel(Arc::clone(&opened.record));
        self.common.broker.shared.churn.channels_created.count();
        let ok = channel::AMQPMethod::OpenOk(channel::OpenOk {});
        self.outbox.send(number, &AnyMethod::Channel(ok));
        Ok(())
    }

    /// A channel that the broker has closed hears only the client's close or close-ok.
    fn frame_on_closing_channel(&mut self, frame: Frame<'_>) -> Result<(), Fault> {
        const CLOSE: MethodId = MethodId::of(20, 40);
        if frame.kind != FrameKind::Method {
            return Ok(());
        }
        match MethodId::read(frame.payload) {
            Some(MethodId::CHANNEL_CLOSE_OK) => self.forget_channel(frame.channel),
            Some(CLOSE) => {
                // Both closed at once: each is answered, and the channel waits for its close-ok.
                self.outbox.lock().out().bare_method(frame.channel, MethodId::CHANNEL_CLOSE_OK);
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// The channel's number is free again.
    pub(super) fn forget_channel(&mut self, number: u16) {
        if self.channels.remove(&number).is_some() {
            self.channel_closed(number);
            if let Some(user) = &self.user {
                self.common.broker.user_loads.close_channels(user, 1);
            }
        }
    }
}
