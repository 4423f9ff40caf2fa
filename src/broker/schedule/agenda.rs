//! Which message is due when: eight bytes of memory for each, whenever it is due.
//!
//! Messages that are due within the same 65 seconds are a span. A span that is not the first is
//! just a heap of numbers (the lower bits of the due time, and the position); it is put in order
//! when it becomes the first.

use std::collections::{BTreeMap, BTreeSet};

/// The bits of a due time, in milliseconds, that differ within a span.
const SPAN: u32 = 16;
/// The bits that a position has in an entry.
const POSITION: u32 = 64 - SPAN;

/// A message's place in an agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When it is due, in milliseconds since 1970.
    pub at: u64,
    /// Where it stands among those that are stored.
    pub position: u64,
}

/// Messages in the order in which they are due; of those due together, first come, first served.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    spans: BTreeMap<u64, Span>,
    len: usize,
}

#[derive(Debug)]
enum Span {
    Heap(Vec<u64>),
    Ordered(BTreeSet<u64>),
}

impl Due {
    fn span(self) -> u64 {
        self.at >> SPAN
    }

    fn entry(self) -> u64 {
        debug_assert!(self.position >> POSITION == 0, "fewer than 2^48 messages ever");
        (self.at << POSITION) | self.position
    }

    fn of(span: u64, entry: u64) -> Self {
        let at = (span << SPAN) | (entry >> POSITION);
        Self { at, position: entry & ((1 << POSITION) - 1) }
    }
}

impl Agenda {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a message, which must not be there yet.
    pub(super) fn insert(&mut self, due: Due) {
        self.len += 1;
        match self.spans.entry(due.span()).or_insert_with(|| Span::Heap(Vec::new())) {
            Span::Heap(entries) => entries.push(due.entry()),
            Span::Ordered(entries) => {
                entries.insert(due.entry());
            }
        }
    }

    /// Removes a message; false if it is not there.
    pub(super) fn remove(&mut self, due: Due) -> bool {
        let Some(span) = self.spans.get_mut(&due.span()) else { return false };
        let removed = match span {
            Span::Ordered(entries) => entries.remove(&due.entry()),
            Span::Heap(entries) => {
                let place = entries.iter().position(|entry| *entry == due.entry());
                place.map(|place| entries.swap_remove(place)).is_some()
            }
        };
        if span.is_empty() {
            self.spans.remove(&due.span());
        }
        self.len -= usize::from(removed);
        removed
    }

    /// When the first one is due.
    pub(super) fn next(&mut self) -> Option<u64> {
        self.first().map(|due| due.at)
    }

    fn first(&mut self) -> Option<Due> {
        let mut first = self.spans.first_entry()?;
        let span = *first.key();
        let entry = first.get_mut().ordered().first().copied();
        Some(Due::of(span, entry.expect("a span has a message")))
    }

    /// Takes those that are due, `most` at most.
    pub(super) fn take_due(&mut self, now: u64, most: usize) -> Vec<Due> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(due) = self.first().filter(|due| due.at <= now)
        {
            self.remove(due);
            taken.push(due);
        }
        taken
    }

    /// Those that come behind `after`, in order, `most` at most.
    pub(super) fn list(&self, after: Option<Due>, most: usize) -> Vec<Due> {
        let mut listed = Vec::new();
        let from = after.map_or(0, Due::span);
        for (&span, entries) in self.spans.range(from..) {
            let mut entries = entries.to_vec();
            entries.sort_unstable();
            let dues = entries.into_iter().map(|entry| Due::of(span, entry));
            let missing = most - listed.len();
            listed.extend(dues.filter(|due| after.is_none_or(|after| *due > after)).take(missing));
            if listed.len() == most {
                break;
            }
        }
        listed
    }
}

impl Span {
    fn is_empty(&self) -> bool {
        match self {
            Self::Heap(entries) => entries.is_empty(),
            Self::Ordered(entries) => entries.is_empty(),
        }
    }

    fn ordered(&mut self) -> &BTreeSet<u64> {
        if let Self::Heap(entries) = self {
            *self = Self::Ordered(entries.iter().copied().collect());
        }
        let Self::Ordered(entries) = self else { unreachable!("it was just put in order") };
        entries
    }

    fn to_vec(&self) -> Vec<u64> {
        match self {
            Self::Heap(entries) => entries.clone(),
            Self::Ordered(entries) => entries.iter().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Command {
        Insert(u64),
        Remove(usize),
        Take(u64, usize),
        List(usize, usize),
    }

    fn command() -> impl Strategy<Value = Command> {
        // Some times close together, some spans apart, some as far as can be.
        let time = prop_oneof![0u64..50, 0u64..500_000, Just(u64::MAX), Just(1 << 40)];
        prop_oneof![
            5 => time.clone().prop_map(Command::Insert),
            1 => any::<usize>().prop_map(Command::Remove),
            1 => (time, 0usize..5).prop_map(|(now, most)| Command::Take(now, most)),
            1 => (any::<usize>(), 0usize..6).prop_map(|(after, most)| Command::List(after, most)),
        ]
    }

    proptest! {
        #[test]
        fn as_a_sorted_set(commands in prop::collection::vec(command(), 0..80)) {
            let mut agenda = Agenda::default();
            let mut model = BTreeSet::new();
            for (position, command) in (0..).zip(commands) {
                match command {
                    Command::Insert(at) => {
                        agenda.insert(Due { at, position });
                        model.insert(Due { at, position });
                    }
                    Command::Remove(nth) => {
                        let due = model.iter().nth(nth % (model.len() + 1)).copied();
                        let due = due.unwrap_or(Due { at: 7, position });
                        prop_assert_eq!(agenda.remove(due), model.remove(&due));
                    }
                    Command::Take(now, most) => {
                        let due = model.iter().copied().filter(|due| due.at <= now);
                        let due: Vec<_> = due.take(most).collect();
                        due.iter().for_each(|due| { model.remove(due); });
                        prop_assert_eq!(agenda.take_due(now, most), due);
                    }
                    Command::List(nth, most) => {
                        let after = model.iter().nth(nth % (model.len() + 1)).copied();
                        let behind = model.iter().copied();
                        let behind = behind.filter(|due| after.is_none_or(|after| *due > after));
                        let wanted: Vec<_> = behind.take(most).collect();
                        prop_assert_eq!(agenda.list(after, most), wanted);
                    }
                }
                prop_assert_eq!(agenda.len(), model.len());
                prop_assert_eq!(agenda.next(), model.first().map(|due| due.at));
            }
        }
    }
}
