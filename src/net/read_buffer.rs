//! What was read from a socket and not yet understood.
//!
//! Its memory comes from the pool when something arrives and goes back once everything is
//! understood, so an idle connection has none.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncRead, ReadBuf};

use crate::broker::memory::BufferPool;
use crate::transport::Reader;

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

    /// Whether everything is understood.
    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Reads what there is. `None`: nothing after all; `Some(0)`: the peer is done.
    ///
    /// Waiting for something to be there is the caller's, so that memory is only held for what
    /// has arrived.
    pub(super) async fn fill(
        &mut self,
        from: &mut Reader,
        pool: &BufferPool,
    ) -> std::io::Result<Option<usize>> {
        if self.memory.len() < self.filled + self.size / 2 {
            if self.memory.is_empty() {
                self.memory = pool.take();
            }
            // A frame that is larger than the buffer makes it grow for as long as it is read.
            self.memory.resize(self.size.max(self.filled + self.size / 2), 0);
        }
        let mut free = ReadBuf::new(&mut self.memory[self.filled..]);
        // Polling, unlike try_read, notes that a read which did not fill its buffer took all
        // there was: the next wait needs no second system call to find that out.
        let read = poll_fn(|task| match Pin::new(&mut *from).poll_read(task, &mut free) {
            Poll::Ready(done) => Poll::Ready(done.map(|()| true)),
            Poll::Pending => Poll::Ready(Ok(false)),
        });
        let anything = read.await?;
        let count = free.filled().len();
        self.filled += count;
        if !anything {
            self.release_if_empty(pool);
        }
        Ok(anything.then_some(count))
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
        self.release_if_empty(pool);
    }

    fn release_if_empty(&mut self, pool: &BufferPool) {
        if self.filled == 0 {
            pool.give(std::mem::take(&mut self.memory));
        }
    }
}
