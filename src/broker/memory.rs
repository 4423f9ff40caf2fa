//! Buffers that are used again, and how many bytes of messages the broker holds.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Buffers that hold no more than this are not worth keeping.
const SMALL: usize = 1024;
/// A buffer that grew beyond this is given back to the allocator.
const LARGE: usize = 2 * 1024 * 1024;

/// Memory for buffers, shared by all connections: an idle one holds none.
#[derive(Debug)]
pub struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
    most: usize,
}

impl BufferPool {
    /// A pool that keeps up to `most` buffers.
    pub fn new(most: usize) -> Self {
        Self { free: Mutex::default(), most }
    }

    /// A buffer with whatever is in it; its capacity is what the last user left.
    pub fn take(&self) -> Vec<u8> {
        self.free.lock().pop().unwrap_or_default()
    }

    /// Bytes that wait here to be used again.
    pub fn held(&self) -> u64 {
        self.free.lock().iter().map(|buffer| buffer.capacity() as u64).sum()
    }

    /// Takes a buffer back.
    pub fn give(&self, buffer: Vec<u8>) {
        if (SMALL..=LARGE).contains(&buffer.capacity()) {
            let mut free = self.free.lock();
            if free.len() < self.most {
                free.push(buffer);
            }
        }
    }
}

/// Bytes of messages that queues hold, against a limit.
#[derive(Debug)]
pub struct MessageMemory {
    used: AtomicUsize,
    limit: usize,
    /// A publisher waits for room.
    awaited: AtomicBool,
}

impl MessageMemory {
    /// Nothing held yet.
    pub fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit, awaited: AtomicBool::new(false) }
    }

    /// A queue's holding changed.
    #[inline]
    pub fn changed(&self, before: u64, after: u64) {
        if after > before {
            self.used.fetch_add((after - before) as usize, Ordering::Relaxed);
        } else if before > after {
            self.used.fetch_sub((before - after) as usize, Ordering::Relaxed);
        }
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether publishers must wait.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.used() > self.limit
    }

    /// Whether long queues had better go to disk, so that publishers need not wait.
    #[inline]
    pub fn is_scarce(&self) -> bool {
        self.used() > self.limit / 2
    }

    /// Whether publishers that waited may go on: a little below the limit, so that they do not
    /// stop again at once.
    pub fn has_room_again(&self) -> bool {
        self.used() <= self.limit - self.limit / 20
    }

    /// A publisher waits until there is room: whoever watches the memory wakes it. Returns whether
    /// it is the first.
    pub fn await_room(&self) -> bool {
        !self.awaited.swap(true, Ordering::AcqRel)
    }

    /// Whether publishers that wait are to be woken. Who finds no room after all waits again
    /// ([`Self::await_room`]).
    pub fn take_awaited(&self) -> bool {
        self.has_room_again() && self.awaited.swap(false, Ordering::AcqRel)
    }
}
