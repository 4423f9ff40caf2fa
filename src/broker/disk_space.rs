//! How much room the disk has that durable things go to, and whether publishers wait for more.
//!
//! Whoever watches the disk says what it found ([`DiskSpace::found`]); everybody else only asks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Publishers that waited go on when there is a twentieth more than the limit, so that they do not
/// stop again at once.
const MARGIN: u64 = 20;
/// Nobody has looked yet, or nothing is kept.
const UNKNOWN: u64 = u64::MAX;

/// Room on the disk of the data directory, against a limit that may change at any time.
#[derive(Debug)]
pub struct DiskSpace {
    free: AtomicU64,
    limit: AtomicU64,
    /// The store found no room for something, whatever the limit.
    full: AtomicBool,
    low: AtomicBool,
}

impl DiskSpace {
    /// Nobody has looked yet. A limit of 0 is none: then publishers wait when the disk is full.
    pub fn new(limit: u64) -> Self {
        Self {
            free: AtomicU64::new(UNKNOWN),
            limit: AtomicU64::new(limit),
            full: AtomicBool::new(false),
            low: AtomicBool::new(false),
        }
    }

    /// Whether publishers wait.
    #[inline]
    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// Bytes that are free, as of the last look; `None` if nothing is kept on a disk.
    pub fn free(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Relaxed)).filter(|free| *free != UNKNOWN)
    }

    /// Free bytes below which publishers wait.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes the limit. It counts at once; publishers hear of it at the next look.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.judge();
    }

    /// Somebody looked: so much is free, and the store has found room, or none.
    pub fn found(&self, free: Option<u64>, full: bool) {
        self.free.store(free.unwrap_or(UNKNOWN), Ordering::Relaxed);
        self.full.store(full, Ordering::Relaxed);
        self.judge();
    }

    fn judge(&self) {
        let (free, limit) = (self.free.load(Ordering::Relaxed), self.limit());
        let margin = if self.is_low() { limit / MARGIN } else { 0 };
        let low = self.full.load(Ordering::Relaxed) || free < limit.saturating_add(margin);
        self.low.store(low, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_wait_below_the_limit_and_go_on_a_little_above_it() {
        let disk = DiskSpace::new(1000);
        assert_eq!((disk.is_low(), disk.free()), (false, None), "nobody has looked");
        for (free, low) in
            [(1000, false), (999, true), (1000, true), (1049, true), (1050, false), (1000, false)]
        {
            disk.found(Some(free), false);
            assert_eq!(disk.is_low(), low, "{free} free");
        }
        assert_eq!(disk.free(), Some(1000));
    }

    #[test]
    fn a_new_limit_counts_at_once() {
        let disk = DiskSpace::new(0);
        disk.found(Some(5000), false);
        disk.set_limit(u64::MAX);
        assert!(disk.is_low());
        disk.set_limit(1000);
        assert!(!disk.is_low());
    }

    #[test]
    fn a_full_disk_is_low_whatever_the_limit() {
        let disk = DiskSpace::new(0);
        disk.found(Some(1 << 40), true);
        assert!(disk.is_low());
        disk.found(Some(0), false);
        assert!(!disk.is_low());
    }
}
