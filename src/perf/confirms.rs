//! A publisher's window of unconfirmed messages, shared by its writer and its reader.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The window with its lock; the writer waits here for room.
pub(super) struct Confirms {
    window: Mutex<Window>,
    settled: Condvar,
}

impl Confirms {
    /// For at most `size` unconfirmed messages.
    pub(super) fn new(size: usize) -> Self {
        Self { window: Mutex::new(Window::new(size)), settled: Condvar::new() }
    }

    /// Waits for room, not longer than `patience`; how much there is.
    pub(super) fn wait_for_room(&self, patience: Duration) -> u64 {
        let mut window = self.window.lock();
        if window.room() == 0 {
            self.settled.wait_for(&mut window, patience);
        }
        window.room()
    }

    /// Waits until all are settled, not longer than `patience`; whether they are.
    pub(super) fn wait_for_all(&self, patience: Duration) -> bool {
        let mut window = self.window.lock();
        if !window.is_empty() {
            self.settled.wait_for(&mut window, patience);
        }
        window.is_empty()
    }

    /// Whether all are settled.
    pub(super) fn are_all_settled(&self) -> bool {
        self.window.lock().is_empty()
    }

    /// Notes messages that are about to be written, by the times to measure from.
    pub(super) fn sent(&self, times: impl Iterator<Item = u64>) {
        let mut window = self.window.lock();
        times.for_each(|time| window.push(time));
    }

    /// The broker answered for `tag` (and all before it). `each` gets the time of every message
    /// that this settles. The writer is woken by [`Self::wake`], once per read.
    pub(super) fn settle(&self, tag: u64, multiple: bool, each: impl FnMut(u64)) {
        self.window.lock().settle(tag, multiple, each);
    }

    /// Wakes the writer.
    pub(super) fn wake(&self) {
        self.settled.notify_one();
    }
}

/// Times of unconfirmed messages, in a ring by delivery tag.
struct Window {
    /// The time of `tag` at `tag % times.len()`; `None` once it is settled.
    times: Box<[Option<u64>]>,
    /// The lowest tag that is not settled, or `next`.
    oldest: u64,
    /// The tag of the next message.
    next: u64,
}

impl Window {
    fn new(size: usize) -> Self {
        Self { times: vec![None; size].into(), oldest: 1, next: 1 }
    }

    /// Messages that may be sent. Tags confirmed ahead of an older one do not make room: the
    /// ring reaches from the oldest on.
    fn room(&self) -> u64 {
        self.times.len() as u64 - (self.next - self.oldest)
    }

    fn is_empty(&self) -> bool {
        self.oldest == self.next
    }

    fn slot(&mut self, tag: u64) -> &mut Option<u64> {
        let size = self.times.len() as u64;
        &mut self.times[usize::try_from(tag % size).expect("less than the ring's length")]
    }

    fn push(&mut self, time: u64) {
        assert!(self.room() > 0, "no more is sent than the window has room for");
        *self.slot(self.next) = Some(time);
        self.next += 1;
    }

    fn settle(&mut self, tag: u64, multiple: bool, mut each: impl FnMut(u64)) {
        let first = if multiple { self.oldest } else { tag };
        for tag in first.max(self.oldest)..=tag.min(self.next - 1) {
            if let Some(time) = self.slot(tag).take() {
                each(time);
            }
        }
        while self.oldest < self.next && self.slot(self.oldest).is_none() {
            self.oldest += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u64; 0] = [];

    fn settled(window: &mut Window, tag: u64, multiple: bool) -> Vec<u64> {
        let mut times = Vec::new();
        window.settle(tag, multiple, |time| times.push(time));
        times
    }

    #[test]
    fn confirms_out_of_order_make_room_when_the_oldest_comes() {
        let mut window = Window::new(3);
        (10..13).for_each(|time| window.push(time));
        assert_eq!(window.room(), 0);
        assert_eq!(settled(&mut window, 2, false), [11]);
        assert_eq!(window.room(), 0);
        assert_eq!(settled(&mut window, 1, false), [10]);
        assert_eq!(window.room(), 2);
        assert_eq!(settled(&mut window, 3, true), [12]);
        assert!(window.is_empty());
    }

    #[test]
    fn multiple_settles_each_once_and_strange_tags_nothing() {
        let mut window = Window::new(2);
        assert_eq!(settled(&mut window, 1, true), NONE);
        window.push(1);
        window.push(2);
        assert_eq!(settled(&mut window, 9, false), NONE);
        assert_eq!(settled(&mut window, 9, true), [1, 2]);
        assert_eq!(settled(&mut window, 2, true), NONE);
        window.push(3);
        assert_eq!(settled(&mut window, 3, false), [3]);
    }
}
