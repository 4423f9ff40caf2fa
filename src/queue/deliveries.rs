//! How often a message was handed out and came back.

/// Counts of one message, as small as the store's: 16 bits each, and 65,535 is "so often or more".
///
/// Every time a message comes back is counted, and apart from that the times that count against
/// a delivery limit: to a quorum queue basic.nack is no failure (RabbitMQ 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries(u32);

impl Deliveries {
    /// As the store has kept them.
    pub fn from_stored(stored: u32) -> Self {
        Self(stored)
    }

    /// As the store keeps them: a number that only grows.
    pub fn stored(self) -> u32 {
        self.0
    }

    /// How often it came back (`x-acquired-count`).
    pub fn returned(self) -> u64 {
        u64::from(self.0 & 0xFFFF)
    }

    /// How often that counted against a limit (`x-delivery-count`).
    pub fn failed(self) -> u64 {
        u64::from(self.0 >> 16)
    }

    /// It came back once more.
    #[must_use]
    pub fn again(self, counts: bool) -> Self {
        let returned = (self.0 & 0xFFFF).saturating_add(1).min(0xFFFF);
        let failed = (self.0 >> 16).saturating_add(u32::from(counts)).min(0xFFFF);
        Self(failed << 16 | returned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_counts_grow_and_stop_at_the_end() {
        let mut deliveries = Deliveries::default();
        for counts in [true, false, true] {
            deliveries = deliveries.again(counts);
        }
        assert_eq!((deliveries.returned(), deliveries.failed()), (3, 2));
        assert_eq!(Deliveries::from_stored(deliveries.stored()), deliveries);
        let most = Deliveries::from_stored(u32::MAX).again(true);
        assert_eq!(most.stored(), u32::MAX);
    }
}
