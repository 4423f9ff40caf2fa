//! Which publishes of a channel wait for which position of the log, and how they are confirmed.
//!
//! The publishes of one socket read are appended together and wait for one position; what became
//! durable together is answered by one basic.ack with `multiple`.

use std::collections::VecDeque;

use crate::names::LogPosition;

/// The confirms of one channel (confirm.select).
#[derive(Clone, Debug, Default)]
pub struct Confirms {
    /// The number of the last publish; the first is 1.
    published: u64,
    /// Up to which publish a position is known.
    appended: u64,
    /// Up to which publish all are safe.
    safe: u64,
    /// Up to which publish the client has been told.
    confirmed: u64,
    /// Publishes up to a number, and the position that makes them safe.
    waiting: VecDeque<(u64, LogPosition)>,
    /// Publishes that a full queue refused.
    refused: VecDeque<u64>,
}

/// A basic.ack or basic.nack to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The last publish confirmed.
    pub delivery_tag: u64,
    /// Those before it as well.
    pub multiple: bool,
    /// It was refused: basic.nack.
    pub refused: bool,
}

impl Confirms {
    /// Counts a publish. Returns whether it is the first since [`Self::appended`].
    #[inline]
    pub fn published(&mut self, refused: bool) -> bool {
        self.published += 1;
        if refused {
            self.refused.push_back(self.published);
        }
        self.published == self.appended + 1
    }

    /// All publishes so far are safe once the log is durable up to `position`.
    pub fn appended(&mut self, position: LogPosition) {
        if self.published > self.appended {
            self.appended = self.published;
            self.waiting.push_back((self.published, position));
        }
    }

    /// How many publishes wait.
    pub fn waiting(&self) -> u64 {
        self.published - self.confirmed
    }

    /// What the next confirm waits for.
    pub fn next_position(&self) -> Option<LogPosition> {
        self.waiting.front().map(|(_, position)| *position)
    }

    /// Takes what is safe now that the log is durable up to `durable`, in the order of the
    /// publishes: to be asked until there is nothing more.
    pub fn release(&mut self, durable: LogPosition) -> Option<Confirmed> {
        while let Some(&(up_to, position)) = self.waiting.front()
            && position <= durable
        {
            self.safe = up_to;
            self.waiting.pop_front();
        }
        let refused = self.refused.front().copied().filter(|refused| *refused <= self.safe);
        let (delivery_tag, is_refused) = match refused {
            Some(refused) if refused == self.confirmed + 1 => {
                self.refused.pop_front();
                (refused, true)
            }
            Some(refused) => (refused - 1, false),
            None => (self.safe, false),
        };
        let count = delivery_tag - self.confirmed;
        self.confirmed = delivery_tag;
        let multiple = count > 1;
        (count > 0).then_some(Confirmed { delivery_tag, multiple, refused: is_refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_durable_together_is_confirmed_together() {
        let mut confirms = Confirms::default();
        for (publishes, position) in [(1, 10), (2, 20), (0, 25), (1, 30)] {
            for n in 0..publishes {
                assert_eq!(confirms.published(false), n == 0);
            }
            confirms.appended(LogPosition(position));
        }
        assert_eq!(confirms.release(LogPosition(5)), None);
        let ack =
            |delivery_tag, multiple| Some(Confirmed { delivery_tag, multiple, refused: false });
        assert_eq!(confirms.release(LogPosition(10)), ack(1, false));
        assert_eq!(confirms.release(LogPosition(29)), ack(3, true));
        assert_eq!(confirms.waiting(), 1);
        assert_eq!(confirms.release(LogPosition(99)), ack(4, false));
        assert_eq!(confirms.release(LogPosition(99)), None);
    }

    #[test]
    fn a_publish_that_is_not_appended_is_not_confirmed() {
        let mut confirms = Confirms::default();
        confirms.published(false);
        assert_eq!(confirms.release(LogPosition(u64::MAX)), None);
    }
    #[test]
    fn what_was_refused_is_told_in_its_turn() {
        let mut confirms = Confirms::default();
        for refused in [false, false, true, true, false] {
            confirms.published(refused);
        }
        confirms.appended(LogPosition(10));
        assert_eq!(confirms.release(LogPosition(9)), None);
        let told: Vec<_> = std::iter::from_fn(|| confirms.release(LogPosition(10)))
            .map(|told| (told.delivery_tag, told.multiple, told.refused))
            .collect();
        let (ack, nack) = (false, true);
        assert_eq!(told, [(2, true, ack), (3, false, nack), (4, false, nack), (5, false, ack)]);
    }
}
