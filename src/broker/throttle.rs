//! How fast a user, or everybody in a vhost, may publish: token buckets that all their connections
//! share. Nobody is refused; whoever was too fast is not read for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::topology::limits::{Limits, MAX_BYTES_PER_SECOND, MAX_MESSAGES_PER_SECOND};

/// A session that waits looks again after this time: the limit may have been raised meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Tokens that come at some rate, and may gather for a second.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Tokens in a second.
    rate: u64,
    /// Tokens that are there; fewer than none if somebody took more than there were.
    level: f64,
    /// When it was last filled.
    filled: Instant,
}

impl Bucket {
    fn full(rate: u64, now: Instant) -> Self {
        Self { rate, level: rate as f64, filled: now }
    }

    /// Takes what was used already. Returns how long until that has come in.
    fn take(&mut self, tokens: u64, now: Instant) -> Duration {
        let came = now.saturating_duration_since(self.filled).as_secs_f64() * self.rate as f64;
        self.filled = now;
        self.level = (self.level + came).min(self.rate as f64) - tokens as f64;
        if self.level >= 0.0 {
            return Duration::ZERO;
        }
        let seconds = -self.level / self.rate as f64;
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
    }
}

/// What one user, or one vhost, may publish in a second.
#[derive(Debug, Default)]
pub struct Throttle {
    is_set: AtomicBool,
    buckets: Mutex<Buckets>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Buckets {
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl Throttle {
    /// Whether there is any limit. This is all that it costs where there is none.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    /// Goes by these limits from now on. A limit that stays keeps its bucket as it is.
    pub fn set(&self, limits: &Limits, now: Instant) {
        let mut buckets = self.buckets.lock();
        let new = |name, old: Option<Bucket>| {
            let rate = limits.get(name)?;
            let kept = old.filter(|bucket| bucket.rate == rate);
            Some(kept.unwrap_or_else(|| Bucket::full(rate, now)))
        };
        buckets.messages = new(MAX_MESSAGES_PER_SECOND, buckets.messages);
        buckets.bytes = new(MAX_BYTES_PER_SECOND, buckets.bytes);
        let is_set = buckets.messages.is_some() || buckets.bytes.is_some();
        self.is_set.store(is_set, Ordering::Relaxed);
    }

    /// So much was published. Returns how long the publisher has to wait.
    pub fn take(&self, messages: u64, bytes: u64, now: Instant) -> Duration {
        let mut buckets = self.buckets.lock();
        let wait = |bucket: &mut Option<Bucket>, tokens| {
            bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.take(tokens, now))
        };
        wait(&mut buckets.messages, messages).max(wait(&mut buckets.bytes, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::limits::LimitsOf;
    use serde_json::json;

    fn limits(messages: i64, bytes: i64) -> Limits {
        let said = json!({MAX_MESSAGES_PER_SECOND: messages, MAX_BYTES_PER_SECOND: bytes});
        Limits::read(LimitsOf::User, said.as_object().expect("an object")).expect("good")
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_was_too_much_is_waited_for() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        assert!(!throttle.is_set());
        throttle.set(&limits(100, -1), start);
        assert!(throttle.is_set());
        assert_eq!(throttle.take(100, 1 << 40, start), Duration::ZERO, "a second's worth is there");
        assert_eq!(throttle.take(50, 0, start), millis(500));
        assert_eq!(throttle.take(0, 0, start + millis(200)), millis(300));
        assert_eq!(throttle.take(0, 0, start + millis(500)), Duration::ZERO);
        assert_eq!(throttle.take(101, 0, start + millis(60_000)), millis(10), "no more gathers");
        assert_eq!(throttle.take(10_000, 0, start + millis(60_000)), LONGEST_WAIT);
    }

    #[test]
    fn the_narrower_limit_counts() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        throttle.set(&limits(1000, 1000), start);
        assert_eq!(throttle.take(1, 1500, start), millis(500));
        assert_eq!(throttle.take(1600, 0, start), millis(601));
    }

    #[test]
    fn limits_that_change_count_at_once_and_those_that_stay_keep_count() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        throttle.set(&limits(100, -1), start);
        throttle.take(150, 0, start);
        throttle.set(&limits(100, 5), start);
        assert_eq!(throttle.take(0, 0, start), millis(500));
        throttle.set(&limits(1000, -1), start);
        assert_eq!(throttle.take(0, 0, start), Duration::ZERO);
        throttle.set(&limits(0, -1), start);
        assert_eq!(
            throttle.take(1, 0, start + millis(99_000)),
            LONGEST_WAIT,
            "0 is nothing at all"
        );
        throttle.set(&limits(-1, -1), start);
        assert!(!throttle.is_set());
    }
}
