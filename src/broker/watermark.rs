//! How much memory the whole process holds, against the watermark at which publishers wait.
//!
//! Whoever watches says what the system says ([`Watermark::found`]); everybody else only asks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

/// Publishers that waited go on when a twentieth less than the limit is held, so that they do not
/// stop again at once.
const MARGIN: u64 = 20;

/// Memory of the process, against a limit that may change at any time.
#[derive(Debug)]
pub struct Watermark {
    limit: AtomicU64,
    used: AtomicU64,
    over: AtomicBool,
    usage: Mutex<Usage>,
}

/// How much is in use of what the process holds.
///
/// An allocator keeps some of what was freed, for the next ones. What messages have given back since
/// the process held most is there for new ones, whether the system has got it back or not: counted
/// as used, it would keep publishers waiting for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    /// What the process held when it held most,
    resident: u64,
    /// and what messages took of it.
    messages: u64,
}

impl Usage {
    /// The process holds so much, and messages take so much of it. Returns what is in use.
    fn found(&mut self, resident: u64, messages: u64) -> u64 {
        let given_back = self.messages.saturating_sub(messages);
        let used = self.resident.saturating_sub(given_back);
        if resident <= used || resident > self.resident || messages > self.messages {
            *self = Self { resident, messages };
            return resident;
        }
        used
    }
}

impl Watermark {
    /// Nobody has looked yet.
    pub fn new(limit: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(0),
            over: AtomicBool::new(false),
            usage: Mutex::default(),
        }
    }

    /// Whether publishers wait.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Bytes beyond which publishers wait.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Bytes in use, as of the last look.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Changes the limit. It counts at once; publishers hear of it at the next look.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.judge();
    }

    /// Somebody looked: the process holds so much, and messages take so much of it.
    pub fn found(&self, resident: u64, messages: u64) {
        let used = self.usage.lock().found(resident, messages);
        self.used.store(used, Ordering::Relaxed);
        self.judge();
    }

    fn judge(&self) {
        let (used, limit) = (self.used(), self.limit());
        let margin = if self.is_over() { limit / MARGIN } else { 0 };
        self.over.store(used > limit - margin, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_wait_above_the_limit_and_go_on_a_little_below_it() {
        let memory = Watermark::new(1000);
        for (held, over) in [(1000, false), (1001, true), (1000, true), (951, true), (950, false)] {
            memory.found(held, 0);
            assert_eq!(memory.is_over(), over, "{held} held");
        }
        memory.set_limit(0);
        assert!(memory.is_over(), "a limit of 0 lets nobody publish");
        memory.set_limit(1000);
        assert!(!memory.is_over(), "a new limit counts at once");
    }

    #[test]
    fn what_messages_gave_back_is_not_in_use() {
        let mut usage = Usage::default();
        assert_eq!(usage.found(1000, 800), 1000);
        assert_eq!(usage.found(1000, 300), 500, "the allocator has kept it");
        assert_eq!(usage.found(1000, 500), 700, "and uses it again");
        assert_eq!(usage.found(450, 300), 450, "the system has got some back");
        assert_eq!(usage.found(600, 300), 600, "something else has grown");
        assert_eq!(usage.found(2000, 0), 2000);
    }
}
