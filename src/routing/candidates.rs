//! Destinations of which a message goes to one: by hash or by chance.
//!
//! Who gets a message depends on nothing but the message and the bindings that there are, not on
//! the order in which they came. So a restart changes nothing, and two nodes would agree.

use super::hashing::mix;

/// The destinations of one exchange, ordered by their seeds.
#[derive(Clone, Debug)]
pub(super) struct Candidates<D> {
    all: Vec<Candidate<D>>,
    /// They all have the same weight, so that it need not be looked at.
    alike: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate<D> {
    /// The hash of its name.
    seed: u64,
    destination: D,
    /// The sum over its bindings.
    weight: u64,
}

impl<D> Default for Candidates<D> {
    fn default() -> Self {
        Self { all: Vec::new(), alike: true }
    }
}

impl<D: Copy + Ord> Candidates<D> {
    /// Adds a binding's weight to a destination.
    pub(super) fn insert(&mut self, destination: D, seed: u64, weight: u64) {
        match self.all.iter_mut().find(|each| each.destination == destination) {
            Some(candidate) => candidate.weight += weight,
            None => {
                let candidate = Candidate { seed, destination, weight };
                let place = self.all.partition_point(|each| *each < candidate);
                self.all.insert(place, candidate);
            }
        }
        self.compare_weights();
    }

    /// Takes a binding's weight from a destination; without any it is none any more.
    pub(super) fn remove(&mut self, destination: D, weight: u64) {
        if let Some(candidate) = self.all.iter_mut().find(|each| each.destination == destination) {
            candidate.weight = candidate.weight.saturating_sub(weight);
        }
        self.all.retain(|each| each.weight > 0);
        self.compare_weights();
    }

    fn compare_weights(&mut self) {
        self.alike = self.all.windows(2).all(|pair| pair[0].weight == pair[1].weight);
    }

    /// One of them, each as often as the others, by a number that may be any.
    pub(super) fn by_remainder(&self, number: u64) -> Option<D> {
        let count = self.all.len() as u64;
        let place = number.checked_rem(count)?;
        Some(self.all[place as usize].destination)
    }

    /// One of them by a hash, as often as its weight says. When one comes, it takes its share from
    /// the others and nothing else moves; when one goes, only what it had moves (weighted
    /// rendezvous hashing: each draws a lot from the hash and its own seed, the best one wins).
    ///
    /// Costs a multiplication or three for each candidate; a logarithm too if weights differ.
    pub(super) fn by_rendezvous(&self, hash: u64) -> Option<D> {
        let lot = |each: &Candidate<D>| mix(hash ^ each.seed);
        let best = if self.alike {
            self.all.iter().max_by_key(|each| lot(each))
        } else {
            let score = |each: &Candidate<D>| score(lot(each), each.weight);
            self.all.iter().min_by(|a, b| score(a).total_cmp(&score(b)))
        };
        best.map(|each| each.destination)
    }
}

/// How long a candidate of this weight takes to ring, if it rings by chance and the heavy ones
/// more often: the first one's share is its weight's. Falls as the lot grows, whatever the weight,
/// so that among equals the highest lot wins here too.
fn score(lot: u64, weight: u64) -> f64 {
    // From 0 to 1, neither of them included.
    let lot = ((lot >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -lot.ln() / weight as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::hashing::hash;

    const MESSAGES: u64 = 20_000;

    fn candidates(weights: &[u64]) -> Candidates<usize> {
        let mut candidates = Candidates::default();
        for (number, weight) in weights.iter().enumerate() {
            candidates.insert(number, hash(&number.to_be_bytes()), *weight);
        }
        candidates
    }

    fn chosen(candidates: &Candidates<usize>) -> Vec<usize> {
        let choose = |n: u64| candidates.by_rendezvous(hash(n.to_string().as_bytes()));
        (0..MESSAGES).map(|n| choose(n).expect("there is somebody")).collect()
    }

    /// Within a tenth of what the weights say.
    fn shared_out_fairly(weights: &[u64]) {
        let chosen = chosen(&candidates(weights));
        let all: u64 = weights.iter().sum();
        for (number, weight) in weights.iter().enumerate() {
            let share = chosen.iter().filter(|each| **each == number).count() as f64;
            let fair = (MESSAGES * weight) as f64 / all as f64;
            assert!((share / fair - 1.0).abs() < 0.1, "{number} of {weights:?} got {share}");
        }
    }

    #[test]
    fn shares_are_as_the_weights() {
        shared_out_fairly(&[1; 16]);
        shared_out_fairly(&[1, 2, 3, 4]);
        shared_out_fairly(&[10, 10, 20]);
    }

    #[test]
    fn only_what_must_move_moves() {
        for weights in [&[3, 1, 2, 5, 1][..], &[1; 9]] {
            let before = chosen(&candidates(weights));
            for gone in 0..weights.len() {
                let mut fewer = candidates(weights);
                fewer.remove(gone, weights[gone]);
                for (before, after) in before.iter().zip(chosen(&fewer)) {
                    assert!(*before == gone || *before == after);
                }
                let mut again = fewer;
                again.insert(gone, hash(&gone.to_be_bytes()), weights[gone]);
                assert_eq!(chosen(&again), before);
            }
        }
    }

    #[test]
    fn equal_weights_choose_as_if_they_were_compared() {
        let alike = candidates(&[7; 5]);
        let compared = Candidates { alike: false, ..alike.clone() };
        assert_eq!(chosen(&alike), chosen(&compared));
    }

    #[test]
    fn remainders_go_round() {
        let candidates = candidates(&[1; 3]);
        let mut found: Vec<_> = (0..3).filter_map(|n| candidates.by_remainder(n)).collect();
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2]);
        assert_eq!(Candidates::<u8>::default().by_remainder(7), None);
        assert_eq!(Candidates::<u8>::default().by_rendezvous(7), None);
    }
}
