//! Topic exchanges: binding keys are patterns of words (AMQP 0-9-1, 3.1.3.3).
//!
//! Words stand between dots. In a binding key `*` stands for exactly one word and `#` for zero
//! or more. As in RabbitMQ (`rabbit_db_topic_exchange`) an empty key has no word at all, and
//! elsewhere an empty word is a word: `a.` has two, `.` has two empty ones. So `#` matches the
//! empty key and `*` does not, and `*` matches the last word of `a.`.
//!
//! Binding keys form a trie, one word an edge. A routing key is matched by walking it once, word
//! by word, with the set of all nodes that the words so far may have led to. Each node is in the
//! set at most once, so a step costs no more than there are such nodes, whatever the patterns:
//! no backtracking, and no blow-up for `#.#.#.a`. RabbitMQ backtracks, and since 4.3 refuses
//! more than two `#` in a key; here they cost nothing special and are allowed.

use std::num::NonZeroU32;

use rustc_hash::{FxHashMap, FxHashSet};

use super::destinations::{Destinations, sort_and_dedup};
use super::short_list::ShortList;

/// The trie of the binding keys of one exchange.
#[derive(Clone, Debug)]
pub(super) struct Topic<D> {
    /// By [`NodeId`]; the root is the first.
    nodes: Vec<Node<D>>,
    /// Nodes that were pruned and may be used again.
    free: Vec<NodeId>,
    /// From a node by a literal word to the next node. One table for all nodes: most have one or
    /// two children, for which a table of their own would be large.
    edges: FxHashMap<(NodeId, WordId), NodeId>,
    words: Words,
}

/// The end of a path of words. One that leads nowhere and has no destination does not exist.
#[derive(Clone, Debug)]
struct Node<D> {
    /// Where `*` leads. The root is nobody's child, hence never 0.
    one: Option<NonZeroU32>,
    /// Where `#` leads.
    many: Option<NonZeroU32>,
    /// How many literal words lead on.
    literals: u32,
    /// Who is bound with the key that ends here.
    destinations: Destinations<D>,
}

type NodeId = u32;
type WordId = u32;

const ROOT: NodeId = 0;

/// How many nodes a walk keeps on the stack. More than that need bindings of which very many
/// overlap; then the walk allocates.
const LIVE_INLINE: usize = 16;

/// The nodes where a walk stands.
type Live = ShortList<NodeId, LIVE_INLINE>;

impl<D> Default for Topic<D> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            free: Vec::new(),
            edges: FxHashMap::default(),
            words: Words::default(),
        }
    }
}

impl<D: Copy + Ord> Topic<D> {
    pub(super) fn insert(&mut self, key: &str, destination: D) {
        let mut at = ROOT;
        for word in words_of(key.as_bytes()) {
            at = match self.child(at, word) {
                Some(child) => child,
                None => self.grow(at, word),
            };
        }
        self.node_mut(at).destinations.insert(destination);
    }

    pub(super) fn remove(&mut self, key: &str, destination: D) {
        let mut path = Vec::new();
        let mut at = ROOT;
        for word in words_of(key.as_bytes()) {
            let Some(child) = self.child(at, word) else {
                return;
            };
            path.push((at, word, child));
            at = child;
        }
        self.node_mut(at).destinations.remove(destination);
        while let Some((parent, word, node)) = path.pop() {
            if !self.node(node).is_bare() {
                break;
            }
            self.prune(parent, word, node);
        }
    }

    pub(super) fn route(&self, key: &[u8], found: &mut Vec<D>) {
        let start = found.len();
        let (mut one, mut other) = (Live::new(ROOT), Live::new(ROOT));
        let (mut live, mut next) = (&mut one, &mut other);
        let mut absorbing = Absorbing::new();

        self.enter(ROOT, live, &mut absorbing);
        for word in words_of(key) {
            next.clear();
            let word = self.words.get(word);
            // A `#` that this word reaches takes its first step with the next one.
            let standing = absorbing.as_slice().len();
            for &node in live.as_slice() {
                self.step(node, word, next, &mut absorbing);
            }
            for place in 0..standing {
                self.step(absorbing.as_slice()[place], word, next, &mut absorbing);
            }
            std::mem::swap(&mut live, &mut next);
        }

        let mut lists = 0;
        for &node in live.as_slice().iter().chain(absorbing.as_slice()) {
            let destinations = self.node(node).destinations.as_slice();
            lists += usize::from(!destinations.is_empty());
            found.extend_from_slice(destinations);
        }
        if lists > 1 {
            sort_and_dedup(found, start);
        }
    }

    /// Takes every way that leads on from a node by a word.
    #[inline]
    fn step(&self, from: NodeId, word: Option<WordId>, next: &mut Live, absorbing: &mut Absorbing) {
        let node = self.node(from);
        if let Some(child) = node.one {
            self.enter(child.get(), next, absorbing);
        }
        if node.literals > 0
            && let Some(word) = word
            && let Some(&child) = self.edges.get(&(from, word))
        {
            self.enter(child, next, absorbing);
        }
    }

    /// Stands on a node that is no `#`, and on each `#` behind it, which may be no word.
    ///
    /// Nobody else leads to that node than its one parent, so it cannot be entered twice by the
    /// same word. A `#` can: from its parent, and by having been there before.
    #[inline]
    fn enter(&self, node: NodeId, live: &mut Live, absorbing: &mut Absorbing) {
        live.push(node);
        let mut behind = self.node(node).many;
        while let Some(many) = behind
            && absorbing.insert(many.get())
        {
            behind = self.node(many.get()).many;
        }
    }

    fn child(&self, from: NodeId, word: &[u8]) -> Option<NodeId> {
        match word {
            b"*" => self.node(from).one.map(NonZeroU32::get),
            b"#" => self.node(from).many.map(NonZeroU32::get),
            literal => self.edges.get(&(from, self.words.get(literal)?)).copied(),
        }
    }

    fn grow(&mut self, from: NodeId, word: &[u8]) -> NodeId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            u32::try_from(self.nodes.len() - 1).expect("a trie of 4 billion nodes fits no memory")
        });
        match word {
            b"*" => self.node_mut(from).one = NonZeroU32::new(id),
            b"#" => self.node_mut(from).many = NonZeroU32::new(id),
            literal => {
                let literal = self.words.hold(literal);
                self.edges.insert((from, literal), id);
                self.node_mut(from).literals += 1;
            }
        }
        id
    }

    fn prune(&mut self, parent: NodeId, word: &[u8], node: NodeId) {
        match word {
            b"*" => self.node_mut(parent).one = None,
            b"#" => self.node_mut(parent).many = None,
            literal => {
                let literal = self.words.release(literal);
                self.edges.remove(&(parent, literal));
                self.node_mut(parent).literals -= 1;
            }
        }
        self.free.push(node);
    }

    #[inline]
    fn node(&self, id: NodeId) -> &Node<D> {
        &self.nodes[id as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node<D> {
        &mut self.nodes[id as usize]
    }

    /// How many nodes besides the root, edges and words there are.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        let nodes = self.nodes.len() - 1 - self.free.len();
        (nodes, self.edges.len(), self.words.ids.len())
    }
}

impl<D> Node<D> {
    fn is_bare(&self) -> bool {
        self.one.is_none()
            && self.many.is_none()
            && self.literals == 0
            && matches!(self.destinations, Destinations::None)
    }
}

impl<D> Default for Node<D> {
    fn default() -> Self {
        Self { one: None, many: None, literals: 0, destinations: Destinations::None }
    }
}

/// The words of a key; an empty key has none.
fn words_of(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    key.split(|&byte| byte == b'.').skip(usize::from(key.is_empty()))
}

/// The `#` nodes that a walk has reached. They take any further words, so they are never left.
struct Absorbing {
    nodes: Live,
    /// The same, once there are too many to look through.
    reached: FxHashSet<NodeId>,
}

impl Absorbing {
    fn new() -> Self {
        Self { nodes: Live::new(ROOT), reached: FxHashSet::default() }
    }

    /// Adds a node; false if it was there.
    #[inline]
    fn insert(&mut self, node: NodeId) -> bool {
        let nodes = self.nodes.as_slice();
        let new = if nodes.len() < LIVE_INLINE {
            !nodes.contains(&node)
        } else {
            if self.reached.is_empty() {
                self.reached.extend(nodes);
            }
            self.reached.insert(node)
        };
        if new {
            self.nodes.push(node);
        }
        new
    }

    #[inline]
    fn as_slice(&self) -> &[NodeId] {
        self.nodes.as_slice()
    }
}

/// The literal words in the trie. A routing key's word is looked up here once, and from then on
/// is a number.
#[derive(Clone, Debug, Default)]
struct Words {
    ids: FxHashMap<Box<[u8]>, Word>,
    /// Numbers of words that are gone.
    free: Vec<WordId>,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    id: WordId,
    /// How many edges have it.
    edges: u32,
}

impl Words {
    #[inline]
    fn get(&self, word: &[u8]) -> Option<WordId> {
        self.ids.get(word).map(|word| word.id)
    }

    /// The number of a word that one more edge has.
    fn hold(&mut self, word: &[u8]) -> WordId {
        if let Some(known) = self.ids.get_mut(word) {
            known.edges += 1;
            return known.id;
        }
        // Without free numbers, the words have just the numbers from 0 to their count.
        let id = self.free.pop().unwrap_or_else(|| {
            u32::try_from(self.ids.len()).expect("a trie of 4 billion words fits no memory")
        });
        self.ids.insert(word.into(), Word { id, edges: 1 });
        id
    }

    /// The number of a word that one edge less has.
    fn release(&mut self, word: &[u8]) -> WordId {
        let known = self.ids.get_mut(word).expect("a word in the trie is known");
        known.edges -= 1;
        let Word { id, edges } = *known;
        if edges == 0 {
            self.ids.remove(word);
            self.free.push(id);
        }
        id
    }
}
