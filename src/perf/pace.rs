//! When each message is due: a fixed schedule that does not wait for the broker.

/// Nanoseconds in a second.
const SECOND: f64 = 1e9;

/// The schedule of one publisher. Times are nanoseconds of the run's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    start: u64,
    interval: f64,
}

impl Pace {
    /// `rate` messages per second from `start` on. `turn` of `turns` publishers shifts the
    /// schedule by a part of the interval, so that they do not all send at the same instant.
    pub(super) fn new(rate: f64, start: u64, turn: usize, turns: usize) -> Self {
        let interval = SECOND / rate;
        let shift = interval * turn as f64 / turns.max(1) as f64;
        Self { start: start + shift as u64, interval }
    }

    /// When message `n` (from 0) is due.
    pub(super) fn time_of(&self, n: u64) -> u64 {
        self.start + (n as f64 * self.interval) as u64
    }

    /// How many messages are due by `now`, since the start.
    pub(super) fn due(&self, now: u64) -> u64 {
        match now.checked_sub(self.start) {
            Some(elapsed) => (elapsed as f64 / self.interval) as u64 + 1,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_due_at_once_and_the_rest_at_even_intervals() {
        let pace = Pace::new(5_000.0, 1_000, 0, 1);
        assert_eq!(pace.due(999), 0);
        assert_eq!(pace.due(1_000), 1);
        assert_eq!(pace.due(200_999), 1);
        assert_eq!(pace.due(201_000), 2);
        assert_eq!(pace.time_of(1), 201_000);
    }

    #[test]
    fn a_stall_makes_everything_due_that_it_held_up() {
        let pace = Pace::new(1_000.0, 0, 0, 1);
        assert_eq!(pace.due(2_000_000_000), 2_001);
        assert_eq!(pace.time_of(1_500), 1_500_000_000);
    }

    #[test]
    fn publishers_take_turns() {
        let second = Pace::new(100.0, 0, 1, 4);
        assert_eq!(second.time_of(0), 2_500_000);
        assert_eq!(second.time_of(1), 12_500_000);
    }

    #[test]
    fn an_hour_later_it_has_not_drifted() {
        let pace = Pace::new(3.0, 0, 0, 1);
        assert_eq!(pace.time_of(3 * 3_600), 3_600_000_000_000);
        for n in 0..100_000 {
            assert!(pace.due(pace.time_of(n) + 1) > n, "message {n} is due at its time");
        }
    }
}
