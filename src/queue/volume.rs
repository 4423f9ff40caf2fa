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

/// What of some messages is persistent, if that is wanted: of a queue that keeps nothing over a
/// restart it is not, and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lasting {
    wanted: bool,
    volume: Volume,
}

impl Lasting {
    pub(super) fn wanted() -> Self {
        Self { wanted: true, volume: Volume::default() }
    }

    pub(super) fn volume(&self) -> Volume {
        self.volume
    }

    #[inline]
    pub(super) fn add(&mut self, message: &Message) {
        if self.wanted {
            self.volume.add(Volume::lasting(message));
        }
    }

    #[inline]
    pub(super) fn take(&mut self, message: &Message) {
        if self.wanted {
            self.volume.take(Volume::lasting(message));
        }
    }

    /// Nothing is left.
    pub(super) fn clear(&mut self) {
        self.volume = Volume::default();
    }

    /// What must hold: it is what these messages come to.
    pub(super) fn validate<'a>(mut self, messages: impl Iterator<Item = &'a Message>) {
        let said = std::mem::take(&mut self.volume);
        messages.for_each(|message| self.add(message));
        assert_eq!(said, self.volume, "what is persistent is counted");
    }
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
