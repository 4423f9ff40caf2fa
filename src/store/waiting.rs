//! Who wants to know when the log has become durable up to a position.
//!
//! A session registers once, asks as often as it likes, and is woken once for a commit however
//! many of its messages that made safe: while a question of it is open, further ones only tell
//! the log what to hurry for. When it is woken it looks at the store's durable position, and asks
//! again if something is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::names::LogPosition;

/// Somebody who waits. The calls come from the log's thread and must not block.
pub trait Waiter: Send + Sync {
    /// The log is durable up to here; or it never will be beyond, see `Store::failure`.
    fn durable(&self, position: LogPosition);

    /// The log takes more again.
    fn room(&self) {}
}

/// A waiter known to the store.
#[derive(Clone)]
pub struct Registration(Arc<Entry>);

struct Entry {
    waiter: Arc<dyn Waiter>,
    asked: AtomicBool,
    asked_for_room: AtomicBool,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is so already; nobody will be woken.
    Now,
    /// The waiter will be woken.
    Later,
    /// The store has failed; it will never be so.
    Never,
}

impl Registration {
    /// Registers somebody.
    pub fn new(waiter: Arc<dyn Waiter>) -> Self {
        Self(Arc::new(Entry {
            waiter,
            asked: AtomicBool::new(false),
            asked_for_room: AtomicBool::new(false),
        }))
    }

    /// Opens a question; `false` if one was open.
    pub(crate) fn ask(&self) -> bool {
        !self.0.asked.swap(true, Ordering::AcqRel)
    }

    /// Opens a question for room; `false` if one was open.
    pub(crate) fn ask_for_room(&self) -> bool {
        !self.0.asked_for_room.swap(true, Ordering::AcqRel)
    }

    /// Closes the question and wakes the waiter.
    pub(crate) fn durable(&self, position: LogPosition) {
        self.0.asked.store(false, Ordering::Release);
        self.0.waiter.durable(position);
    }

    /// Closes the question for room and wakes the waiter.
    pub(crate) fn room(&self) {
        self.0.asked_for_room.store(false, Ordering::Release);
        self.0.waiter.room();
    }
}
