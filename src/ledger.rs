//! What is outstanding, by ascending number: a queue's unacked messages by delivery id, a
//! channel's deliveries by delivery tag.
//!
//! Numbers are handed out in order and mostly settled in order, so a ring with a guess at the
//! place is both the smallest and the fastest map for them. What is settled out of order leaves
//! a hole; holes are closed when they outnumber what is outstanding, so that one message that is
//! never settled cannot make the ring grow.

use std::collections::VecDeque;

/// Holes that are left alone: closing them costs more than they do.
const FEW_HOLES: usize = 64;

/// A map from ascending numbers.
#[derive(Clone, Debug)]
pub struct Ledger<T> {
    entries: VecDeque<(u64, Option<T>)>,
    live: usize,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), live: 0 }
    }
}

impl<T> Ledger<T> {
    /// How many are outstanding.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether nothing is outstanding.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Adds the next one. Numbers must ascend.
    #[inline]
    pub fn push(&mut self, number: u64, value: T) {
        debug_assert!(self.entries.back().is_none_or(|(last, _)| *last < number));
        self.entries.push_back((number, Some(value)));
        self.live += 1;
    }

    /// Puts one back that was taken out.
    pub fn restore(&mut self, number: u64, value: T) {
        let at = self.entries.partition_point(|(each, _)| *each < number);
        match self.entries.get_mut(at) {
            Some((each, hole)) if *each == number => {
                debug_assert!(hole.is_none(), "what is put back was taken out");
                *hole = Some(value);
            }
            _ => self.entries.insert(at, (number, Some(value))),
        }
        self.live += 1;
    }

    /// Looks at one.
    pub fn get(&self, number: u64) -> Option<&T> {
        self.entries[self.find(number)?].1.as_ref()
    }

    /// Takes one out.
    #[inline]
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let at = self.find(number)?;
        let value = self.entries[at].1.take()?;
        self.live -= 1;
        self.close_holes();
        Some(value)
    }

    /// Takes the first one out.
    #[inline]
    pub fn pop_first(&mut self) -> Option<(u64, T)> {
        let (number, value) = self.entries.pop_front()?;
        self.live -= 1;
        self.close_holes();
        Some((number, value.expect("no hole is left at the front")))
    }

    /// The first number outstanding.
    #[inline]
    pub fn first(&self) -> Option<u64> {
        self.entries.front().map(|(number, _)| *number)
    }

    /// The first one outstanding from a number on.
    pub fn first_from(&self, number: u64) -> Option<u64> {
        let at = self.entries.partition_point(|(each, _)| *each < number);
        let (found, _) = self.entries.range(at..).find(|(_, value)| value.is_some())?;
        Some(*found)
    }

    /// Gives its memory back, if it is empty and has room for more than `spare`.
    #[inline]
    pub fn give_back(&mut self, spare: usize) {
        if self.entries.is_empty() && self.entries.capacity() > spare {
            self.entries = VecDeque::new();
        }
    }

    /// Takes out everything up to and including `number`, in order.
    pub fn remove_up_to(&mut self, number: u64, mut each: impl FnMut(u64, T)) {
        while let Some((first, _)) = self.entries.front()
            && *first <= number
        {
            let (first, value) = self.entries.pop_front().expect("there is a front");
            if let Some(value) = value {
                self.live -= 1;
                each(first, value);
            }
        }
        self.close_holes();
    }

    /// Everything outstanding, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.entries.iter().filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// Everything outstanding from a number on, in order.
    pub fn iter_from(&self, number: u64) -> impl Iterator<Item = (u64, &T)> {
        let at = self.entries.partition_point(|(each, _)| *each < number);
        self.entries.range(at..).filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    /// The highest number outstanding.
    pub fn last(&self) -> Option<u64> {
        self.entries.iter().rev().find(|(_, value)| value.is_some()).map(|(number, _)| *number)
    }

    #[inline]
    fn find(&self, number: u64) -> Option<usize> {
        let (first, _) = self.entries.front()?;
        // Without gaps the place follows from the number.
        let guess = usize::try_from(number.checked_sub(*first)?).ok()?;
        if self.entries.get(guess).is_some_and(|(each, _)| *each == number) {
            return Some(guess);
        }
        self.entries.binary_search_by_key(&number, |(each, _)| *each).ok()
    }

    #[inline]
    fn close_holes(&mut self) {
        while matches!(self.entries.front(), Some((_, None))) {
            self.entries.pop_front();
        }
        if self.entries.len() > 2 * self.live + FEW_HOLES {
            self.entries.retain(|(_, value)| value.is_some());
            self.entries.shrink_to(2 * self.live + FEW_HOLES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn one_that_is_never_settled_does_not_hold_the_others() {
        let mut ledger = Ledger::default();
        for number in 0..100_000 {
            ledger.push(number, ());
            if number > 0 {
                assert_eq!(ledger.remove(number), Some(()));
            }
        }
        assert_eq!(ledger.len(), 1);
        assert!(ledger.entries.len() <= FEW_HOLES + 2);
        assert_eq!(ledger.last(), Some(0));
    }

    proptest! {
        #[test]
        fn it_is_an_ordered_map(steps in proptest::collection::vec((0u8..7, 0u64..200), 0..300)) {
            let (mut ledger, mut model, mut next) = (Ledger::default(), BTreeMap::new(), 0u64);
            for (step, number) in steps {
                match step {
                    0 | 1 => {
                        next += 1 + u64::from(number % 7 == 0);
                        ledger.push(next, next);
                        model.insert(next, next);
                    }
                    2 => prop_assert_eq!(ledger.remove(number), model.remove(&number)),
                    3 if number < next && !model.contains_key(&number) => {
                        ledger.restore(number, number);
                        model.insert(number, number);
                    }
                    _ if number % 20 == 0 => {
                        let mut out = Vec::new();
                        ledger.remove_up_to(number, |n, _| out.push(n));
                        let rest = model.split_off(&(number + 1));
                        prop_assert_eq!(out, model.into_keys().collect::<Vec<_>>());
                        model = rest;
                    }
                    5 => prop_assert_eq!(ledger.pop_first(), model.pop_first()),
                    6 => {
                        let found = model.range(number..).next().map(|(n, _)| *n);
                        prop_assert_eq!(ledger.first_from(number), found);
                    }
                    _ => prop_assert_eq!(ledger.get(number), model.get(&number)),
                }
                prop_assert_eq!(ledger.len(), model.len());
                prop_assert_eq!(ledger.first(), model.keys().next().copied());
                prop_assert_eq!(ledger.last(), model.keys().last().copied());
                let all: Vec<u64> = ledger.iter().map(|(n, _)| n).collect();
                prop_assert_eq!(all, model.keys().copied().collect::<Vec<_>>());
            }
        }
    }
}
