//! Numbers that one task counts and others read.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one task at a time changes and anybody may read.
///
/// Counting costs no more than a plain addition: there is no locked instruction, because nobody
/// else writes. Readers may see a value that is a moment old.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more.
    #[inline]
    pub fn add(&self, n: u64) {
        self.set(self.get() + n);
    }

    /// Says what the number is now.
    #[inline]
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The number.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
