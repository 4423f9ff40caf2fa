//! A channel's deliveries: tag ⇄ (where it came from, what the queue calls it).

use super::fault::Fault;
use crate::ledger::Ledger;
use crate::names::DeliveryId;

/// An outstanding delivery. `S` is what the shell calls the queue that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding<S> {
    /// Where it came from.
    pub source: S,
    /// What the queue calls it.
    pub id: DeliveryId,
}

/// The deliveries of one channel.
#[derive(Clone, Debug)]
pub struct Deliveries<S> {
    last_tag: u64,
    outstanding: Ledger<Outstanding<S>>,
    /// basic.qos with global: how many may be outstanding on the whole channel.
    limit: Option<u32>,
}

impl<S> Default for Deliveries<S> {
    fn default() -> Self {
        Self { last_tag: 0, outstanding: Ledger::default(), limit: None }
    }
}

impl<S: Copy> Deliveries<S> {
    /// Gives a delivery its tag. One that settles itself (no-ack) is not outstanding.
    #[inline]
    pub fn hand_out(&mut self, source: S, id: Option<DeliveryId>) -> u64 {
        self.last_tag += 1;
        if let Some(id) = id {
            self.outstanding.push(self.last_tag, Outstanding { source, id });
        }
        self.last_tag
    }

    /// Whether the channel may have another one outstanding.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.limit.is_none_or(|limit| self.outstanding.len() < limit as usize)
    }

    /// Sets the limit of the whole channel; 0 is none.
    pub fn set_limit(&mut self, limit: u16) {
        self.limit = (limit > 0).then_some(limit.into());
    }

    /// Takes out what a client settles: `each` gets the tags with what they stand for, in order.
    ///
    /// `tag` 0 with `multiple` is everything outstanding. A tag that is not outstanding is a
    /// fault, also a second time (AMQP 0-9-1, 1.8.3.13); with `multiple` it need only have been
    /// handed out and something up to it be outstanding.
    #[inline]
    pub fn settle(
        &mut self,
        tag: u64,
        multiple: bool,
        mut each: impl FnMut(u64, Outstanding<S>),
    ) -> Result<(), Fault> {
        if !multiple {
            let found =
                self.outstanding.remove(tag).ok_or_else(|| Fault::unknown_delivery_tag(tag))?;
            each(tag, found);
            return Ok(());
        }
        if tag == 0 {
            self.take_all(each);
            return Ok(());
        }
        if self.outstanding.get(tag).is_none() {
            return Err(Fault::unknown_delivery_tag(tag));
        }
        self.outstanding.remove_up_to(tag, each);
        Ok(())
    }

    /// Takes out everything outstanding, in order.
    pub fn take_all(&mut self, each: impl FnMut(u64, Outstanding<S>)) {
        self.outstanding.remove_up_to(u64::MAX, each);
    }

    /// Puts back what a rolled back transaction had settled.
    pub fn restore(&mut self, tag: u64, outstanding: Outstanding<S>) {
        self.outstanding.restore(tag, outstanding);
    }

    /// How many are outstanding.
    pub fn len(&self) -> usize {
        self.outstanding.len()
    }

    /// Whether none is outstanding.
    pub fn is_empty(&self) -> bool {
        self.outstanding.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn five() -> Deliveries<char> {
        let mut deliveries = Deliveries::default();
        for id in 0..5 {
            deliveries.hand_out('q', Some(DeliveryId(id)));
        }
        deliveries
    }

    fn settled(
        deliveries: &mut Deliveries<char>,
        tag: u64,
        multiple: bool,
    ) -> Result<Vec<u64>, Fault> {
        let mut tags = Vec::new();
        deliveries.settle(tag, multiple, |tag, _| tags.push(tag)).map(|()| tags)
    }

    #[test]
    fn one_some_or_all() {
        let mut deliveries = five();
        assert_eq!(settled(&mut deliveries, 2, false), Ok(vec![2]));
        assert_eq!(settled(&mut deliveries, 3, true), Ok(vec![1, 3]));
        assert_eq!(settled(&mut deliveries, 0, true), Ok(vec![4, 5]));
        assert_eq!(settled(&mut deliveries, 0, true), Ok(vec![]));
    }

    #[test]
    fn a_tag_is_settled_once() {
        let mut deliveries = five();
        assert_eq!(settled(&mut deliveries, 1, false), Ok(vec![1]));
        for (tag, multiple) in [(1, false), (1, true), (6, false), (6, true), (0, false)] {
            assert_eq!(
                settled(&mut deliveries, tag, multiple),
                Err(Fault::unknown_delivery_tag(tag))
            );
        }
    }

    #[test]
    fn the_channel_limit_counts_all_consumers() {
        let mut deliveries = five();
        deliveries.set_limit(5);
        assert!(!deliveries.has_room());
        settled(&mut deliveries, 1, false).expect("outstanding");
        assert!(deliveries.has_room());
        deliveries.set_limit(0);
        deliveries.hand_out('q', Some(DeliveryId(9)));
        assert!(deliveries.has_room());
    }
}
