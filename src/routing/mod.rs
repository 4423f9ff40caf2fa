//! (bindings, key, headers) → destinations.
//!
//! Owns the bindings of one exchange and the index that its kind needs to find those that a
//! message matches. It must not know queues, messages' bodies, or how exchanges are named and
//! chained: a destination is whatever `D` its owner chooses, and following a binding from one
//! exchange to the next is the owner's walk, one [`Router`] a step.
//!
//! ```
//! use warren::routing::{Kind, Router};
//! use warren::wire::table::Table;
//!
//! let mut router = Router::new(Kind::Topic);
//! router.bind(7, "stock.*.nyse", &Table::default());
//! let mut found = Vec::new();
//! router.route(b"stock.ibm.nyse", None, &mut found);
//! assert_eq!(found, [7]);
//! ```
//!
//! For its maintainer: [`Router`] keeps every binding once, in a sorted set. That set answers
//! "is it there", lists, and finds all bindings of one destination. Beside it stands an index,
//! one kind a file, which only answers "who gets this". An index knows no duplicates: the router
//! tells it of a (destination, key) pair when its first binding comes and when its last one goes.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod bad_binding;
mod destinations;
mod direct;
mod fanout;
mod headers;
mod short_list;
mod topic;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::wire::table::{Table, TableBuilder, TableRef};

pub use bad_binding::BadBinding;
use direct::Direct;
use fanout::Fanout;
use headers::{Headers, XMatch};
use topic::Topic;

/// What an exchange makes of its bindings (AMQP 0-9-1, 3.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The routing key equals the binding key (3.1.3.1).
    Direct,
    /// Always (3.1.3.2).
    Fanout,
    /// The routing key fits the binding key's pattern of words (3.1.3.3).
    Topic,
    /// The message's headers fit the binding's arguments (3.1.3.4).
    Headers,
}

impl Kind {
    /// The kind that a peer names in exchange.declare.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "direct" => Some(Self::Direct),
            "fanout" => Some(Self::Fanout),
            "topic" => Some(Self::Topic),
            "headers" => Some(Self::Headers),
            _ => None,
        }
    }

    /// Its name in exchange.declare.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        }
    }

    /// Whether a binding to an exchange of this kind may have these arguments.
    ///
    /// To be asked before [`Router::bind`], and not before [`Router::unbind`], as in RabbitMQ.
    pub fn check_arguments(self, arguments: &Table) -> Result<(), BadBinding> {
        match self {
            Self::Direct | Self::Fanout | Self::Topic => Ok(()),
            Self::Headers => XMatch::of(arguments).map(|_| ()),
        }
    }
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
}

impl<D: Copy + Ord> Router<D> {
    /// An exchange without bindings.
    pub fn new(kind: Kind) -> Self {
        Self { bindings: BTreeSet::new(), index: Index::new(kind) }
    }

    /// The exchange's kind.
    pub fn kind(&self) -> Kind {
        match self.index {
            Index::Direct(_) => Kind::Direct,
            Index::Fanout(_) => Kind::Fanout,
            Index::Topic(_) => Kind::Topic,
            Index::Headers(_) => Kind::Headers,
        }
    }

    /// Adds a binding; false if it was there already.
    ///
    /// Arguments are the same whatever their order, but differ by a value's type: `1` as a long
    /// and `1` as an int make two bindings, as in RabbitMQ.
    pub fn bind(&mut self, destination: D, key: &str, arguments: &Table) -> bool {
        let binding = Binding::new(destination, key, arguments);
        if self.bindings.contains(&binding) {
            return false;
        }
        match &mut self.index {
            Index::Direct(direct) => direct.insert(&binding.key, destination),
            Index::Fanout(fanout) => fanout.insert(destination),
            Index::Topic(topic) => topic.insert(key, destination),
            Index::Headers(headers) => headers.insert(destination, &binding.arguments),
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

    /// Whether two messages with the same key may go different ways. Where they may not, what
    /// [`Router::route`] found can be kept for the next message with that key.
    pub fn depends_on_headers(&self) -> bool {
        match self.index {
            Index::Direct(_) | Index::Fanout(_) | Index::Topic(_) => false,
            Index::Headers(_) => true,
        }
    }

    /// Appends each destination that a message matches: once, however many of its bindings
    /// match, and in ascending order. What was in `found` before stays and is not compared with.
    pub fn route(&self, key: &[u8], headers: Option<TableRef<'_>>, found: &mut Vec<D>) {
        match &self.index {
            Index::Direct(direct) => direct.route(key, found),
            Index::Fanout(fanout) => fanout.route(found),
            Index::Topic(topic) => topic.route(key, found),
            Index::Headers(index) => index.route(headers.unwrap_or_default(), found),
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
            Index::Headers(_) => false,
        };
        if self.bindings.is_empty() {
            // Also gives back the memory that tables and lists had grown to.
            self.index = Index::new(self.kind());
        } else if !still_routed {
            self.index.remove(binding);
        }
        true
    }
}

impl<D: Copy + Ord> Index<D> {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Direct => Self::Direct(Direct::default()),
            Kind::Fanout => Self::Fanout(Fanout::default()),
            Kind::Topic => Self::Topic(Topic::default()),
            Kind::Headers => Self::Headers(Headers::default()),
        }
    }

    fn remove(&mut self, binding: &Binding<D>) {
        let destination = binding.destination;
        match self {
            Self::Direct(direct) => direct.remove(&binding.key, destination),
            Self::Fanout(fanout) => fanout.remove(destination),
            Self::Topic(topic) => topic.remove(&binding.key, destination),
            Self::Headers(headers) => headers.remove(destination, &binding.arguments),
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
