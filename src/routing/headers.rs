//! Headers exchanges: binding arguments are conditions on headers (AMQP 0-9-1, 3.1.3.4).
//!
//! The rules are RabbitMQ's (`rabbit_exchange_type_headers`): `x-match` says whether all
//! conditions must hold or any; arguments whose names start with `x-` are conditions only if it
//! ends in `-with-x`; a void argument asks only whether there is such a header. Of headers with
//! the same name the last one counts.
//!
//! So that a message need not be held against every binding, a rule is filed under conditions:
//! one of those that must all hold, each of those of which any may hold. A message asks for the
//! rules that are filed under its headers, and only these are read.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHasher};

use super::bad_binding::BadBinding;
use super::destinations::sort_and_dedup;
use super::short_list::ShortList;
use crate::wire::table::{Table, TableRef, Value};

/// The conditions of every binding of one exchange.
#[derive(Clone, Debug)]
pub(super) struct Headers<D> {
    /// Rules by the hash of a condition, sorted. Two conditions may share a hash: a rule found
    /// here is still read.
    filed: FxHashMap<u64, Vec<Arc<Rule<D>>>>,
    /// Rules that have no condition and want all of them: they always match. Sorted.
    always: Vec<Arc<Rule<D>>>,
}

/// One binding, ready to be held against headers. Two bindings may have equal rules (they differ
/// in their keys); then there are two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule<D> {
    destination: D,
    x_match: XMatch,
    arguments: Table,
}

/// How the conditions of a binding are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum XMatch {
    /// Each must hold.
    #[default]
    All,
    /// One must hold.
    Any,
    /// Each must hold, those whose names start with `x-` too.
    AllWithX,
    /// One must hold, and it may be one whose name starts with `x-`.
    AnyWithX,
}

/// The argument that says how conditions are put together; never a condition itself.
const X_MATCH: &str = "x-match";

/// How many of a message's headers are kept on the stack.
const HEADERS_INLINE: usize = 16;

impl<D> Default for Headers<D> {
    fn default() -> Self {
        Self { filed: FxHashMap::default(), always: Vec::new() }
    }
}

impl<D: Copy + Ord> Headers<D> {
    pub(super) fn insert(&mut self, destination: D, arguments: &Table) {
        let rule = Arc::new(Rule::new(destination, arguments));
        let places: Vec<u64> =
            rule.conditions().map(|(name, wanted)| place(name, wanted)).collect();
        if rule.x_match.wants_all() {
            // Under the condition with the fewest rules so far, which tells rules apart best.
            let rules_at = |place: &u64| self.filed.get(place).map_or(0, Vec::len);
            match places.into_iter().min_by_key(rules_at) {
                Some(place) => file(self.filed.entry(place).or_default(), rule),
                None => file(&mut self.always, rule),
            }
        } else {
            for place in places {
                file(self.filed.entry(place).or_default(), Arc::clone(&rule));
            }
        }
    }

    pub(super) fn remove(&mut self, destination: D, arguments: &Table) {
        let rule = Rule::new(destination, arguments);
        if rule.conditions().next().is_none() {
            unfile(&mut self.always, &rule);
        }
        for (name, wanted) in rule.conditions() {
            let place = place(name, wanted);
            let Some(rules) = self.filed.get_mut(&place) else {
                continue;
            };
            let removed = unfile(rules, &rule);
            if rules.is_empty() {
                self.filed.remove(&place);
            }
            if removed && rule.x_match.wants_all() {
                return;
            }
        }
    }

    pub(super) fn route(&self, headers: TableRef<'_>, found: &mut Vec<D>) {
        let start = found.len();
        found.extend(self.always.iter().map(|rule| rule.destination));
        if !self.filed.is_empty() {
            let headers = MessageHeaders::new(headers);
            for &(name, value) in headers.iter() {
                for place in [place_of_value(name, value), place_of_name(name)] {
                    let rules = self.filed.get(&place).map_or(&[][..], Vec::as_slice);
                    let matching = rules.iter().filter(|rule| rule.matches(&headers));
                    found.extend(matching.map(|rule| rule.destination));
                }
            }
        }
        if found.len() - start > 1 {
            sort_and_dedup(found, start);
        }
    }

    /// How many places have rules, and how many rules there are in all places.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        #[expect(clippy::disallowed_methods, reason = "a sum is the same in any order")]
        let filed = self.filed.values().map(Vec::len).sum::<usize>();
        (self.filed.len(), filed + self.always.len())
    }
}

impl<D> Rule<D> {
    fn new(destination: D, arguments: &Table) -> Self {
        // A binding that was never checked means "all", as in RabbitMQ.
        let x_match = XMatch::of(arguments).unwrap_or_default();
        Self { destination, x_match, arguments: arguments.clone() }
    }

    /// The arguments that are conditions.
    fn conditions(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let with_x = self.x_match.with_x();
        self.arguments
            .iter()
            .filter(move |(name, _)| *name != X_MATCH && (with_x || !name.starts_with("x-")))
    }

    fn matches(&self, headers: &MessageHeaders<'_>) -> bool {
        let mut conditions = self.conditions();
        let mut holds = |(name, wanted): (&str, Value<'_>)| match headers.get(name) {
            Some(value) => wanted == Value::Void || same(wanted, value),
            None => false,
        };
        if self.x_match.wants_all() { conditions.all(&mut holds) } else { conditions.any(holds) }
    }
}

impl XMatch {
    /// What a binding's arguments say.
    pub(super) fn of(arguments: &Table) -> Result<Self, BadBinding> {
        match arguments.get(X_MATCH) {
            None => Ok(Self::All),
            Some(Value::Text(b"all")) => Ok(Self::All),
            Some(Value::Text(b"any")) => Ok(Self::Any),
            Some(Value::Text(b"all-with-x")) => Ok(Self::AllWithX),
            Some(Value::Text(b"any-with-x")) => Ok(Self::AnyWithX),
            Some(other) => Err(BadBinding::x_match(other)),
        }
    }

    fn wants_all(self) -> bool {
        match self {
            Self::All | Self::AllWithX => true,
            Self::Any | Self::AnyWithX => false,
        }
    }

    fn with_x(self) -> bool {
        match self {
            Self::AllWithX | Self::AnyWithX => true,
            Self::All | Self::Any => false,
        }
    }
}

/// The headers of a message, sorted by name; those of one name stand as they came.
struct MessageHeaders<'a>(ShortList<(&'a str, Value<'a>), HEADERS_INLINE>);

impl<'a> MessageHeaders<'a> {
    fn new(table: TableRef<'a>) -> Self {
        let mut headers = ShortList::new(("", Value::Void));
        for header in table.iter() {
            headers.push(header);
        }
        headers.as_mut_slice().sort_by_key(|(name, _)| *name);
        Self(headers)
    }

    /// The headers that count: the last of each name.
    fn iter(&self) -> impl Iterator<Item = &(&'a str, Value<'a>)> {
        let same_name = |one: &(&str, _), other: &(&str, _)| one.0 == other.0;
        self.0.as_slice().chunk_by(same_name).filter_map(<[_]>::last)
    }

    /// The last header of that name.
    fn get(&self, name: &str) -> Option<Value<'a>> {
        let headers = self.0.as_slice();
        let behind = headers.partition_point(|(other, _)| *other <= name);
        let (last, value) = *headers[..behind].last()?;
        (last == name).then_some(value)
    }
}

/// A value without its type, as RabbitMQ compares it: whole numbers of any width are alike,
/// floats of both widths, long strings and byte arrays too.
#[derive(PartialEq, Eq, Hash)]
enum Plain<'a> {
    Integer(i128),
    /// By its bits: RabbitMQ tells 0.0 from -0.0.
    Float(u64),
    Bool(bool),
    Binary(&'a [u8]),
    Decimal(u8, u32),
    Array,
    Table,
    Void,
}

impl<'a> Plain<'a> {
    fn of(value: Value<'a>) -> Self {
        match value {
            Value::Bool(b) => Self::Bool(b),
            Value::I8(n) => Self::Integer(n.into()),
            Value::U8(n) => Self::Integer(n.into()),
            Value::I16(n) => Self::Integer(n.into()),
            Value::U16(n) => Self::Integer(n.into()),
            Value::I32(n) => Self::Integer(n.into()),
            Value::U32(n) => Self::Integer(n.into()),
            Value::I64(n) => Self::Integer(n.into()),
            Value::Timestamp(n) => Self::Integer(n.into()),
            Value::F32(n) => Self::Float(f64::from(n).to_bits()),
            Value::F64(n) => Self::Float(n.to_bits()),
            Value::Decimal { scale, digits } => Self::Decimal(scale, digits),
            Value::Text(bytes) | Value::Bytes(bytes) => Self::Binary(bytes),
            Value::Array(_) => Self::Array,
            Value::Table(_) => Self::Table,
            Value::Void => Self::Void,
        }
    }

    /// RabbitMQ reads a header's timestamp as milliseconds (`mc_amqpl:routing_value`), but not
    /// that of a binding. So a timestamp in a binding never matches the same one in a header;
    /// its thousandfold does, and so does that number.
    fn of_header(value: Value<'a>) -> Self {
        if let Value::Timestamp(seconds) = value {
            Self::Integer(i128::from(seconds) * 1000)
        } else {
            Self::of(value)
        }
    }
}

/// Whether a header has the value that a binding wants. Arrays and tables are compared with
/// the types of their items, as they stand on the wire.
fn same(wanted: Value<'_>, header: Value<'_>) -> bool {
    match (wanted, header) {
        (Value::Array(wanted), Value::Array(header)) => wanted == header,
        (Value::Table(wanted), Value::Table(header)) => wanted == header,
        _ => Plain::of(wanted) == Plain::of_header(header),
    }
}

/// Where a rule with this condition is filed.
fn place(name: &str, wanted: Value<'_>) -> u64 {
    if wanted == Value::Void { place_of_name(name) } else { hash(&(name, Plain::of(wanted))) }
}

/// Where the rules are that ask just for a header of this name.
fn place_of_name(name: &str) -> u64 {
    hash(name)
}

/// Where the rules are that ask for a header of this name and value.
fn place_of_value(name: &str, value: Value<'_>) -> u64 {
    hash(&(name, Plain::of_header(value)))
}

fn hash<T: Hash + ?Sized>(what: &T) -> u64 {
    let mut hasher = FxHasher::default();
    what.hash(&mut hasher);
    hasher.finish()
}

fn file<D: Ord>(rules: &mut Vec<Arc<Rule<D>>>, rule: Arc<Rule<D>>) {
    let place = rules.partition_point(|other| *other < rule);
    rules.insert(place, rule);
}

/// Removes one of the rules that are equal to `rule`; false if there is none.
fn unfile<D: Ord>(rules: &mut Vec<Arc<Rule<D>>>, rule: &Rule<D>) -> bool {
    let place = rules.binary_search_by(|other| other.as_ref().cmp(rule));
    place.map(|place| rules.remove(place)).is_ok()
}
