//! (bindings, key, headers) → destinations.
//!
//! Owns the bindings of one exchange and the index that its kind needs to find those that a
//! message matches. It must not know queues, messages' bodies, or how exchanges are named and
//! chained: a destination is whatever `D` its owner chooses, and following a binding from one
//! exchange to the next is the owner's walk, one [`Router`] a step.
//!
//! ```
//! use warren::routing::{Envelope, Kind, Router};
//! use warren::wire::table::Table;
//!
//! let mut router = Router::new(Kind::Topic);
//! router.bind(7, 0, "stock.*.nyse", &Table::default());
//! let mut found = Vec::new();
//! router.route(&Envelope::with_keys(&[b"stock.ibm.nyse"]), &mut found);
//! assert_eq!(found, [7]);
//! ```
//!
//! For its maintainer: [`Router`] keeps every binding once, in a sorted set. That set answers
//! "is it there", lists, and finds all bindings of one destination. Beside it stands an index,
//! one kind a file, which only answers "who gets this". An index knows no duplicates: the router
//! tells it of a (destination, key) pair when its first binding comes and when its last one goes.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod bad_binding;
mod candidates;
mod destinations;
mod direct;
mod envelope;
mod fanout;
mod hashing;
mod headers;
mod kind;
mod short_list;
mod topic;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::wire::table::{Table, TableBuilder};

pub use bad_binding::BadBinding;
use candidates::Candidates;
use destinations::sort_and_dedup;
use direct::Direct;
pub use envelope::Envelope;
use fanout::Fanout;
pub use hashing::HashOn;
use headers::Headers;
pub use kind::Kind;
use topic::Topic;

/// A number that stays with a name, of the parts of which it is put together: what the
/// destinations of exchanges that hash are told apart by. Their other numbers need not survive a
/// restart, nor be the same on another machine.
pub fn seed(parts: &[&str]) -> u64 {
    parts.iter().fold(0, |seed, part| hashing::mix(seed ^ hashing::hash(part.as_bytes())))
}

/// One binding of an exchange. All three fields together are its identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding<D> {
    /// Where matching messages go.
    pub destination: D,
    /// The binding key.
    pub key: Arc<str>,
    /// Its arguments, sorted by name as RabbitMQ keeps and lists them.
    pub arguments: Table,
}

/// The bindings of one exchange, and who gets a message.
#[derive(Clone, Debug)]
pub struct Router<D> {
    kind: Kind,
    /// Every binding, once; the order makes the bindings of a destination neighbours.
    bindings: BTreeSet<Binding<D>>,
    /// Finds the destinations of a message without looking at every binding.
    index: Index<D>,
}

/// What each kind looks messages up in.
#[derive(Clone, Debug)]
enum Index<D> {
    Direct(Direct<D>),
    Fanout(Fanout<D>),
    Topic(Topic<D>),
    Headers(Headers<D>),
    /// One by the hash of what the exchange hashes on.
    Hashed(Candidates<D>, HashOn),
    /// One by the hash of all keys.
    Modulus(Candidates<D>),
    /// One by chance.
    Chance(Candidates<D>),
}

impl<D: Copy + Ord> Router<D> {
    /// An exchange without bindings.
    pub fn new(kind: Kind) -> Self {
        Self { kind, bindings: BTreeSet::new(), index: Index::new(kind, HashOn::default()) }
    }

    /// An `x-consistent-hash` exchange without bindings.
    pub fn hashing(on: HashOn) -> Self {
        let kind = Kind::ConsistentHash;
        Self { kind, bindings: BTreeSet::new(), index: Index::new(kind, on) }
    }

    /// The exchange's kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds a binding; false if it was there already. `seed` is the destination's, see [`seed`].
    ///
    /// Arguments are the same whatever their order, but differ by a value's type: `1` as a long
    /// and `1` as an int make two bindings, as in RabbitMQ.
    pub fn bind(&mut self, destination: D, seed: u64, key: &str, arguments: &Table) -> bool {
        let binding = Binding::new(destination, key, arguments);
        if self.bindings.contains(&binding) {
            return false;
        }
        match &mut self.index {
            Index::Direct(direct) => direct.insert(&binding.key, destination),
            Index::Fanout(fanout) => fanout.insert(destination),
            Index::Topic(topic) => topic.insert(key, destination),
            Index::Headers(headers) => headers.insert(destination, &binding.arguments),
            Index::Hashed(candidates, _)
            | Index::Modulus(candidates)
            | Index::Chance(candidates) => {
                candidates.insert(destination, seed, self.kind.weight_of(key));
            }
        }
        self.bindings.insert(binding)
    }

    /// Removes a binding; false if it was not there.
    pub fn unbind(&mut self, destination: D, key: &str, arguments: &Table) -> bool {
        self.remove(&Binding::new(destination, key, arguments))
    }

    /// Whether there is such a binding.
    pub fn contains(&self, destination: D, key: &str, arguments: &Table) -> bool {
        self.bindings.contains(&Binding::new(destination, key, arguments))
    }

    /// Removes every binding to a destination and says how many there were. The cost grows with
    /// that number, not with the number of bindings.
    pub fn remove_destination(&mut self, destination: D) -> usize {
        let mut removed = 0;
        loop {
            let Some(binding) = self.bindings_to(destination).next().cloned() else {
                return removed;
            };
            self.remove(&binding);
            removed += 1;
        }
    }

    /// The number of bindings.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Whether there is no binding.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Every binding, ordered by destination, key, arguments.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding<D>> {
        self.bindings.iter()
    }

    /// The bindings to one destination, ordered by key, arguments.
    pub fn bindings_to(&self, destination: D) -> impl Iterator<Item = &Binding<D>> {
        self.bindings_from(destination, Arc::default())
    }

    /// Whether two messages with the same key, and no other, may go different ways. Where they may
    /// not, what [`Router::route`] found can be kept for the next message with that key.
    pub fn depends_on_more_than_the_key(&self) -> bool {
        match &self.index {
            Index::Direct(_) | Index::Fanout(_) | Index::Topic(_) | Index::Modulus(_) => false,
            Index::Hashed(_, on) => *on != HashOn::RoutingKey,
            Index::Headers(_) | Index::Chance(_) => true,
        }
    }

    /// Appends each destination that a message matches with any of its keys: once, however many
    /// of its bindings match, and in ascending order. What was in `found` before stays and is not
    /// compared with.
    pub fn route(&self, message: &Envelope<'_>, found: &mut Vec<D>) {
        let start = found.len();
        match &self.index {
            Index::Direct(direct) => message.keys.iter().for_each(|key| direct.route(key, found)),
            Index::Fanout(fanout) => return fanout.route(found),
            Index::Topic(topic) => message.keys.iter().for_each(|key| topic.route(key, found)),
            Index::Headers(index) => {
                return index.route(message.headers.unwrap_or_default(), found);
            }
            Index::Hashed(candidates, on) => {
                return found.extend(candidates.by_rendezvous(on.hash(message)));
            }
            Index::Modulus(candidates) => {
                let hash = |hash, key: &&[u8]| hashing::mix(hash ^ hashing::hash(key));
                return found.extend(candidates.by_remainder(message.keys.iter().fold(0, hash)));
            }
            Index::Chance(candidates) => {
                return found.extend(candidates.by_remainder(message.chance));
            }
        }
        if message.keys.len() > 1 {
            sort_and_dedup(found, start);
        }
    }

    /// The bindings to one destination, beginning with those that have this key.
    fn bindings_from(&self, destination: D, key: Arc<str>) -> impl Iterator<Item = &Binding<D>> {
        let first = Binding { destination, key, arguments: Table::default() };
        self.bindings.range(first..).take_while(move |binding| binding.destination == destination)
    }

    fn remove(&mut self, binding: &Binding<D>) -> bool {
        if !self.bindings.remove(binding) {
            return false;
        }
        let destination = binding.destination;
        let has_key = || {
            let mut others = self.bindings_from(destination, Arc::clone(&binding.key));
            others.next().is_some_and(|other| other.key == binding.key)
        };
        // Only the arguments of headers bindings route: elsewhere the pair (destination, key)
        // stays in the index while another binding has it.
        let still_routed = match self.index {
            Index::Direct(_) | Index::Topic(_) => has_key(),
            Index::Fanout(_) => self.bindings_to(destination).next().is_some(),
            Index::Headers(_) | Index::Hashed(..) | Index::Modulus(_) | Index::Chance(_) => false,
        };
        if self.bindings.is_empty() {
            // Also gives back the memory that tables and lists had grown to.
            self.index.clear(self.kind);
        } else if !still_routed {
            self.index.remove(binding, self.kind);
        }
        true
    }
}

impl<D: Copy + Ord> Index<D> {
    fn new(kind: Kind, hash_on: HashOn) -> Self {
        match kind {
            Kind::Direct => Self::Direct(Direct::default()),
            // A delayed exchange's own kind routes nothing: it has another one beneath it.
            Kind::Fanout | Kind::RecentHistory | Kind::Deduplicating | Kind::Delayed => {
                Self::Fanout(Fanout::default())
            }
            Kind::Topic => Self::Topic(Topic::default()),
            Kind::Headers => Self::Headers(Headers::default()),
            Kind::ConsistentHash => Self::Hashed(Candidates::default(), hash_on),
            Kind::ModulusHash => Self::Modulus(Candidates::default()),
            Kind::Random | Kind::LocalRandom => Self::Chance(Candidates::default()),
        }
    }

    fn clear(&mut self, kind: Kind) {
        let hash_on = match self {
            Self::Hashed(_, on) => std::mem::take(on),
            Self::Direct(_)
            | Self::Fanout(_)
            | Self::Topic(_)
            | Self::Headers(_)
            | Self::Modulus(_)
            | Self::Chance(_) => HashOn::default(),
        };
        *self = Self::new(kind, hash_on);
    }

    fn remove(&mut self, binding: &Binding<D>, kind: Kind) {
        let destination = binding.destination;
        match self {
            Self::Direct(direct) => direct.remove(&binding.key, destination),
            Self::Fanout(fanout) => fanout.remove(destination),
            Self::Topic(topic) => topic.remove(&binding.key, destination),
            Self::Headers(headers) => headers.remove(destination, &binding.arguments),
            Self::Hashed(candidates, _) | Self::Modulus(candidates) | Self::Chance(candidates) => {
                candidates.remove(destination, kind.weight_of(&binding.key));
            }
        }
    }
}

impl<D> Binding<D> {
    pub fn new(destination: D, key: &str, arguments: &Table) -> Self {
        Self { destination, key: key.into(), arguments: sorted(arguments) }
    }
}

/// The same table with its entries sorted by name; entries of one name keep their order. So
/// does RabbitMQ (`rabbit_misc:sort_field_table`) before it compares or keeps a binding.
fn sorted(table: &Table) -> Table {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| *name);
    let mut sorted = TableBuilder::new();
    for (name, value) in entries {
        sorted.push(name, value);
    }
    sorted.build()
}
