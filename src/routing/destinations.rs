//! A small sorted set of destinations, and the removal of repetitions from what was found.

/// Destinations in ascending order. Most keys have exactly one, which needs no allocation.
#[derive(Clone, Debug, Default)]
pub(super) enum Destinations<D> {
    #[default]
    None,
    One(D),
    /// Two or more.
    Many(Vec<D>),
}

impl<D: Copy + Ord> Destinations<D> {
    pub(super) fn as_slice(&self) -> &[D] {
        match self {
            Self::None => &[],
            Self::One(destination) => std::slice::from_ref(destination),
            Self::Many(destinations) => destinations,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Adds a destination, unless it is there.
    pub(super) fn insert(&mut self, destination: D) {
        let Err(place) = self.as_slice().binary_search(&destination) else {
            return;
        };
        match self {
            Self::None => *self = Self::One(destination),
            Self::One(other) => {
                let mut both = vec![*other, destination];
                both.sort_unstable();
                *self = Self::Many(both);
            }
            Self::Many(destinations) => destinations.insert(place, destination),
        }
    }

    /// Removes a destination, if it is there.
    pub(super) fn remove(&mut self, destination: D) {
        let Ok(place) = self.as_slice().binary_search(&destination) else {
            return;
        };
        match self {
            Self::None | Self::One(_) => *self = Self::None,
            Self::Many(destinations) => {
                destinations.remove(place);
                if let [last] = **destinations {
                    *self = Self::One(last);
                } else if destinations.len() < destinations.capacity() / 4 {
                    destinations.shrink_to(2 * destinations.len());
                }
            }
        }
    }
}

/// Sorts what was appended since `start` and drops repetitions.
///
/// Sorting in place rather than remembering what was seen: it needs no memory, is quick for the
/// few that nearly every message finds, and stays so for ten thousand.
pub(super) fn sort_and_dedup<D: Copy + Ord>(found: &mut Vec<D>, start: usize) {
    found[start..].sort_unstable();
    let mut kept = start;
    for next in start..found.len() {
        if kept == start || found[kept - 1] != found[next] {
            found[kept] = found[next];
            kept += 1;
        }
    }
    found.truncate(kept);
}
