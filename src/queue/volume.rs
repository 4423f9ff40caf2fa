//! How many messages, and how large.

use crate::message::Message;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Messages.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl Volume {
    /// What of a message is to last: all of it, or nothing.
    #[inline]
    pub(super) fn lasting(message: &Message) -> Self {
        Self::if_lasting(message.is_persistent(), message.body_len() as u64)
    }

    /// The same, of a message of which not more is known.
    #[inline]
    pub(super) fn if_lasting(lasting: bool, bytes: u64) -> Self {
        let messages = u64::from(lasting);
        Self { messages, bytes: messages * bytes }
    }

    #[inline]
    pub(super) fn add(&mut self, more: Self) {
        self.messages += more.messages;
        self.bytes += more.bytes;
    }

    #[inline]
    pub(super) fn take(&mut self, gone: Self) {
        self.messages = self.messages.saturating_sub(gone.messages);
        self.bytes = self.bytes.saturating_sub(gone.bytes);
    }
}
