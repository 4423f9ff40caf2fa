//! Queues that take a message once (`x-message-deduplication`).
//!
//! As exchanges do it (`broker/deduplication`), but within the queue's turn: so the first message
//! with a value is stored, and known to be safe with a log position, before anybody can repeat it.
//! What was published is asked about; what comes from another queue (dead letters, moved messages)
//! was a publisher's once, and is let in.

use std::sync::Arc;

use super::LiveQueue;
use crate::broker::deduplication::{Deduplicated, Guard, Noted, key};
use crate::message::Message;
use crate::names::LogPosition;
use crate::queue::options::Deduplication;
use crate::wire::content::{Property, property};
use crate::wire::table::TableRef;

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comes {
    /// From a publisher.
    Published,
    /// From another queue, or the broker itself.
    Brought,
}

/// What a queue looks for duplicates with.
pub(in crate::broker) struct Guarded {
    pub(in crate::broker) guard: Arc<Guard>,
    pub(in crate::broker) rules: Deduplication,
}

/// What a look for a duplicate comes to.
pub(super) enum Look<'a> {
    /// It is not asked about.
    NotAsked,
    /// It is the first with its value.
    First(Noted<'a>),
    /// It repeats one that is safe with this.
    Duplicate { safe_at: LogPosition },
}

impl LiveQueue {
    /// From now on it looks for duplicates.
    pub(in crate::broker) fn guard(&self, guarded: Guarded) {
        // Nobody else does this for this queue: it has just been made.
        let _ = self.guarded.set(guarded);
    }

    #[inline]
    pub(super) fn look_for_duplicate(&self, comes: Comes, message: &Message) -> Look<'_> {
        match self.guarded.get() {
            Some(guarded) if comes == Comes::Published => guarded.look(message),
            Some(_) | None => Look::NotAsked,
        }
    }

    /// Whether a message would be left out.
    pub(super) fn is_duplicate(&self, comes: Comes, message: &Message) -> bool {
        let guarded = self.guarded.get().filter(|_| comes == Comes::Published);
        guarded.is_some_and(|guarded| {
            let key = headers(message).and_then(|headers| key(&guarded.rules, headers));
            key.is_some_and(|key| guarded.guard.knows(&key, &guarded.rules))
        })
    }

    pub(super) fn duplicates(&self) -> u64 {
        let counts = |guarded: &Guarded| guarded.guard.counts();
        let Deduplicated { duplicates, .. } = self.guarded.get().map(counts).unwrap_or_default();
        duplicates
    }
}

impl Guarded {
    fn look(&self, message: &Message) -> Look<'_> {
        let Some(key) = headers(message).and_then(|headers| key(&self.rules, headers)) else {
            return Look::NotAsked;
        };
        match self.guard.note(key, &self.rules) {
            Ok(noted) => Look::First(noted),
            Err(safe_at) => Look::Duplicate { safe_at },
        }
    }
}

fn headers(message: &Message) -> Option<TableRef<'_>> {
    TableRef::checked(property(message.header(), Property::Headers)?).ok()
}
