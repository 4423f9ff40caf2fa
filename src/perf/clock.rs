//! The run's clock, and the times that messages carry.

use std::time::Instant;

/// Bits of a stamp that hold the time; the others mark it as ours.
const TIME_BITS: u32 = 48;

/// Nanoseconds since the run began. 48 bits of them last three days.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
    /// Tells this run's stamps from bodies that another run or program published.
    mark: u64,
}

impl Clock {
    /// Starts at 0, with a mark of its own.
    pub(super) fn start() -> Self {
        let mark = u64::from(rand::random_range(1..=u16::MAX));
        Self { began: Instant::now(), mark: mark << TIME_BITS }
    }

    /// Nanoseconds since the run began.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).expect("a run is shorter than 500 years")
    }

    /// What a message sent at `time` starts with.
    #[inline]
    pub(super) fn stamp(&self, time: u64) -> [u8; 8] {
        (self.mark | time).to_be_bytes()
    }

    /// The time in a message's first bytes, if it is a stamp of this run.
    #[inline]
    pub(super) fn time_in(&self, stamp: u64) -> Option<u64> {
        let time = stamp ^ self.mark;
        (time >> TIME_BITS == 0).then_some(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_and_others_are_not() {
        let clock = Clock::start();
        assert_eq!(clock.time_in(u64::from_be_bytes(clock.stamp(12_345))), Some(12_345));
        assert_eq!(clock.time_in(0), None);
        let other = Clock { mark: clock.mark ^ (1 << TIME_BITS), ..clock };
        assert_eq!(clock.time_in(u64::from_be_bytes(other.stamp(12_345))), None);
    }
}
