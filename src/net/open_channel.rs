//! A session's channel: its rules, and what is known of it elsewhere.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::broker::peers::{ChannelRecord, Peer};
use crate::broker::traffic::Published;
use crate::net::session::Session;
use crate::protocol::channel::Channel;

/// A channel that the client has opened.
pub(super) struct OpenChannel {
    rules: Channel,
    pub(super) record: Arc<ChannelRecord>,
}

impl OpenChannel {
    pub(super) fn new(peer: &Peer, number: u16) -> Self {
        Self { rules: Channel::default(), record: peer.channel_opened(number) }
    }

    /// What it counts.
    #[inline]
    pub(super) fn counted(&self) -> &Published {
        &self.record.traffic.published
    }

    /// Notes what a method changed, for reports.
    pub(super) fn note(&self) {
        self.record.note(&self.rules);
    }
}

impl Deref for OpenChannel {
    type Target = Channel;

    #[inline]
    fn deref(&self) -> &Channel {
        &self.rules
    }
}

impl DerefMut for OpenChannel {
    #[inline]
    fn deref_mut(&mut self) -> &mut Channel {
        &mut self.rules
    }
}

impl Session {
    /// A channel's number is free again.
    pub(super) fn channel_closed(&self, number: u16) {
        self.me.channel_closed(number);
        self.common.broker.shared.churn.channels_closed.count();
    }
}
