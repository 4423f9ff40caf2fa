//! Who is shown what passes through a vhost: the firehose, OpenTelemetry, or nobody.
//!
//! One byte for both, so that a message that nobody is shown costs one look at it.

use std::sync::atomic::{AtomicU8, Ordering};

/// Who is shown something.
#[derive(Debug, Default)]
pub struct Watched(AtomicU8);

/// What stood there a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watchers(u8);

const FIREHOSE: u8 = 1;
const SPANS: u8 = 2;

impl Watched {
    /// By OpenTelemetry, or by nobody yet. Whether it is does not change.
    pub(super) fn by(spans: bool) -> Self {
        Self(AtomicU8::new(if spans { SPANS } else { 0 }))
    }

    /// From now on it is shown on `amq.rabbitmq.trace`, or no longer.
    pub(super) fn set_firehose(&self, on: bool) {
        if on {
            self.0.fetch_or(FIREHOSE, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!FIREHOSE, Ordering::Relaxed);
        }
    }

    /// Who is shown something now.
    #[inline]
    pub(super) fn now(&self) -> Watchers {
        Watchers(self.0.load(Ordering::Relaxed))
    }
}

impl Watchers {
    /// Nobody.
    #[inline]
    pub(super) fn is_nobody(self) -> bool {
        self.0 == 0
    }

    pub(super) fn have_firehose(self) -> bool {
        self.0 & FIREHOSE != 0
    }

    #[inline]
    pub(super) fn have_spans(self) -> bool {
        self.0 & SPANS != 0
    }
}
