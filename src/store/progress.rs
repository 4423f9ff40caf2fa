//! How far the log has come.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

/// How far the log is written and how far it is durable.
#[derive(Debug)]
pub(crate) struct Progress {
    durable: AtomicU64,
    written: Mutex<Written>,
    moved: Condvar,
}

#[derive(Debug)]
struct Written {
    up_to: u64,
    marks: u64,
    ended: bool,
}

impl Progress {
    /// Everything up to here is on the disk.
    pub(crate) fn new(last: u64) -> Self {
        let written = Mutex::new(Written { up_to: last, marks: 0, ended: false });
        Self { durable: AtomicU64::new(last), written, moved: Condvar::new() }
    }

    #[inline]
    pub(crate) fn last_durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn last_written(&self) -> u64 {
        self.written.lock().up_to
    }

    pub(crate) fn written(&self, up_to: u64) {
        self.written.lock().up_to = up_to;
        self.moved.notify_all();
    }

    pub(crate) fn durable(&self, up_to: u64) {
        // Under the lock, or one who is about to wait would miss it.
        let written = self.written.lock();
        self.durable.store(up_to, Ordering::Release);
        drop(written);
        self.moved.notify_all();
    }

    /// A mark is on the disk.
    pub(crate) fn marked(&self, mark: u64) {
        self.written.lock().marks = mark;
        self.moved.notify_all();
    }

    /// Waits until a mark is on the disk. Returns whether it is.
    pub(crate) fn wait_marked(&self, mark: u64) -> bool {
        let mut written = self.written.lock();
        while written.marks < mark && !written.ended {
            self.moved.wait(&mut written);
        }
        written.marks >= mark
    }

    /// It will not come any further.
    pub(crate) fn end(&self) {
        self.written.lock().ended = true;
        self.moved.notify_all();
    }

    /// Waits until the log is written up to here. Returns whether it is.
    pub(crate) fn wait_written(&self, up_to: u64) -> bool {
        let mut written = self.written.lock();
        while written.up_to < up_to && !written.ended {
            self.moved.wait(&mut written);
        }
        written.up_to >= up_to
    }

    /// Waits until the log is durable up to here. Returns whether it is.
    pub(crate) fn wait_durable(&self, up_to: u64) -> bool {
        let mut written = self.written.lock();
        while self.last_durable() < up_to && !written.ended {
            self.moved.wait(&mut written);
        }
        self.last_durable() >= up_to
    }
}
