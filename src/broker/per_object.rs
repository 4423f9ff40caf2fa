//! Counters that are told apart by what they are about: exchanges, queues.
//!
//! Who counts keeps the counter, so that counting needs no look here. How many are told apart is
//! bounded: beyond that those that nobody counts in any more are added up, and what still does not
//! fit is counted together. So sums stay true whatever comes and goes.
//!
//! Lock rank 4: nothing else is locked by whoever looks, under a channel's outbox as well.

use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// Numbers that can be added up.
pub trait Numbers: Default {
    /// Adds what others have counted, who count no more.
    fn take_over(&self, gone: &Self);
}

/// See the module.
#[derive(Debug)]
pub struct PerObject<K, N> {
    most: usize,
    told: Mutex<Told<K, N>>,
}

#[derive(Debug)]
struct Told<K, N> {
    apart: FxHashMap<K, Arc<N>>,
    /// Of those that are gone, and of those that there was no room for.
    together: Option<Arc<N>>,
}

impl<K: Hash + Eq + Copy, N: Numbers> PerObject<K, N> {
    /// Tells so many objects apart.
    pub fn new(most: usize) -> Self {
        Self { most, told: Mutex::new(Told { apart: FxHashMap::default(), together: None }) }
    }

    /// Where to count what is about an object.
    pub fn of(&self, object: K) -> Arc<N> {
        let mut told = self.told.lock();
        if let Some(numbers) = told.apart.get(&object) {
            return Arc::clone(numbers);
        }
        if told.apart.len() >= self.most {
            // Nobody else has them: who counts has asked here.
            told.add_up(|_, numbers| Arc::strong_count(numbers) > 1);
        }
        if told.apart.len() >= self.most {
            return Arc::clone(told.together.get_or_insert_default());
        }
        Arc::clone(told.apart.entry(object).or_default())
    }

    /// Where to count what is about none that is told apart.
    pub fn of_none(&self) -> Arc<N> {
        Arc::clone(self.told.lock().together.get_or_insert_default())
    }

    /// Objects that are gone are told apart no longer.
    pub fn keep(&self, mut exists: impl FnMut(K) -> bool) {
        self.told.lock().add_up(|object, _| exists(*object));
    }

    /// Looks at the numbers of one object, if it has any of its own.
    pub fn look<R>(&self, object: K, look: impl FnOnce(&N) -> R) -> Option<R> {
        self.told.lock().apart.get(&object).map(|numbers| look(numbers))
    }

    /// Looks at the numbers of each object that is told apart, in no order.
    pub fn each(&self, mut look: impl FnMut(K, &N)) {
        self.told.lock().apart.iter().for_each(|(object, numbers)| look(*object, numbers));
    }

    /// Looks at all numbers there are, whatever they are about.
    pub fn all(&self, mut look: impl FnMut(&N)) {
        let told = self.told.lock();
        told.apart.values().chain(&told.together).for_each(|numbers| look(numbers));
    }
}

impl<K: Hash + Eq, N: Numbers> Told<K, N> {
    fn add_up(&mut self, mut stays: impl FnMut(&K, &Arc<N>) -> bool) {
        let Self { apart, together } = self;
        apart.retain(|object, numbers| {
            let stays = stays(object, numbers);
            if !stays {
                together.get_or_insert_default().take_over(numbers);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::Counter;

    impl Numbers for Counter {
        fn take_over(&self, gone: &Self) {
            self.add(gone.get());
        }
    }

    fn sum(all: &PerObject<u32, Counter>) -> u64 {
        let mut sum = 0;
        all.all(|counter| sum += counter.get());
        sum
    }

    #[test]
    fn each_has_its_own() {
        let all = PerObject::<u32, Counter>::new(2);
        all.of(1).add(3);
        all.of(2).add(4);
        all.of(1).add(5);
        assert_eq!(all.look(1, Counter::get), Some(8));
        assert_eq!((all.look(3, Counter::get), sum(&all)), (None, 12));
    }

    #[test]
    fn those_that_are_gone_make_room_and_still_count() {
        let all = PerObject::<u32, Counter>::new(2);
        all.of(1).add(3);
        let kept = all.of(2);
        kept.add(4);
        all.of(3).add(5);
        kept.add(6);
        let of = |object| all.look(object, Counter::get);
        assert_eq!((of(1), of(2), of(3), sum(&all)), (None, Some(10), Some(5), 18));
        all.keep(|object| object == 3);
        assert_eq!((of(2), of(3), sum(&all)), (None, Some(5), 18));
    }

    #[test]
    fn too_many_at_once_are_counted_together() {
        let all = PerObject::<u32, Counter>::new(2);
        let held: Vec<_> = (0..10).map(|object| all.of(object)).collect();
        held.iter().for_each(|counter| counter.add(1));
        let mut told = 0;
        all.each(|_, _| told += 1);
        assert_eq!((told, sum(&all)), (2, 10));
        all.of_none().add(1);
        assert_eq!(sum(&all), 11);
    }
}
