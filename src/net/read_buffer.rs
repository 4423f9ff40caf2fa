//! What was read from a socket and not yet understood.
//!
//! Its memory comes from the pool when something arrives and goes back once everything is
//! understood, so an idle connection has none.

use std::io::ErrorKind;

use tokio::net::tcp::OwnedReadHalf;

use crate::broker::memory::BufferPool;

/// Bytes that wait to be understood, at the front of a larger piece of memory.
pub(super) struct ReadBuffer {
    memory: Vec<u8>,
    filled: usize,
    size: usize,
}

impl ReadBuffer {
    /// An empty one, which reads up to `size` bytes at once.
    pub(super) fn new(size: usize) -> Self {
        Self { memory: Vec::new(), filled: 0, size }
    }

    /// Reads what there is. `Ok(None)`: nothing after all; `Ok(Some(0))`: the peer is done.
    pub(super) fn fill(
        &mut self,
        from: &OwnedReadHalf,
        pool: &BufferPool,
    ) -> std::io::Result<Option<usize>> {
        if self.memory.len() < self.filled + self.size / 2 {
            if self.memory.is_empty() {
                self.memory = pool.take();
            }
            // A frame that is larger than the buffer makes it grow for as long as it is read.
            self.memory.resize(self.size.max(self.filled + self.size / 2), 0);
        }
        match from.try_read(&mut self.memory[self.filled..]) {
            Ok(count) => {
                self.filled += count;
                Ok(Some(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the bytes out, to be looked at while the session changes; [`Self::put_back`] them.
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.memory), self.filled)
    }

    /// Puts the bytes back, of which the first `understood` are done with.
    pub(super) fn put_back(&mut self, memory: Vec<u8>, understood: usize, pool: &BufferPool) {
        self.memory = memory;
        self.memory.copy_within(understood..self.filled, 0);
        self.filled -= understood;
        if self.filled == 0 {
            pool.give(std::mem::take(&mut self.memory));
        }
    }
}
