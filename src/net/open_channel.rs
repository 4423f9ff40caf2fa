//! A session's channel: its rules, and what is known of it elsewhere.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::broker::exchange_traffic::Which;
use crate::broker::peers::{ChannelRecord, Peer};
use crate::net::publishes::Publishes;
use crate::net::session::Session;
use crate::protocol::channel::{Channel, Mode};

/// A channel that the client has opened.
pub(super) struct OpenChannel {
    rules: Channel,
    pub(super) record: Arc<ChannelRecord>,
    publishes: Publishes,
}

impl OpenChannel {
    pub(super) fn new(peer: &Peer, number: u16) -> Self {
        Self {
            rules: Channel::default(),
            record: peer.channel_opened(number),
            publishes: Publishes::default(),
        }
    }

    /// Counts a publish.
    #[inline]
    pub(super) fn published(&mut self, to: Which) {
        self.publishes.published(to, &self.record.traffic);
    }

    /// Counts publishes that are confirmed.
    #[inline]
    pub(super) fn confirmed(&mut self, count: u64) {
        self.publishes.confirmed(count);
    }

    /// Counts that the last publish led to no queue.
    pub(super) fn unroutable(&self, returned: bool) {
        self.publishes.unroutable(returned);
    }

    /// Notes what a method changed, for reports.
    pub(super) fn note(&mut self) {
        if matches!(self.rules.mode, Mode::Confirm(_)) {
            self.publishes.confirm_from_now();
        }
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
