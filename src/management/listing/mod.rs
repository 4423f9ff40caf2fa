//! Lists: filtered, sorted, cut into pages and columns. Pure: rows in, JSON out.
//!
//! Only what is asked for is made: a list of ten thousand rows is sorted by one field of each and
//! then cut, before anything is written.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod pick;
mod query;

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::{Map, Value};

pub use pick::pick;
pub use query::{Ages, BadQuery, ListQuery, NameFilter, PageQuery};

/// An object that can be listed.
pub trait Row: Serialize {
    /// The names by which it is looked for.
    fn fits(&self, filter: &NameFilter) -> bool;
}

/// A page, as RabbitMQ gives it.
#[derive(Serialize)]
struct Page<'a, R> {
    total_count: usize,
    item_count: usize,
    filtered_count: usize,
    page: usize,
    page_size: usize,
    page_count: usize,
    items: Items<'a, R>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Items<'a, R> {
    Whole(&'a [R]),
    Columns(Vec<Value>),
}

/// The JSON of a list.
pub fn list<R: Row>(mut rows: Vec<R>, query: &ListQuery) -> Result<Vec<u8>, BadQuery> {
    let total_count = rows.len();
    if let Some(name) = &query.name {
        rows.retain(|row| row.fits(name));
    }
    if let Some(path) = &query.sort {
        rows = sorted(rows, path);
    }
    if query.sort_reverse {
        rows.reverse();
    }
    let Some(page) = query.page else {
        return Ok(json(&items(&rows, &query.columns)));
    };
    let filtered_count = rows.len();
    let page_count = filtered_count.div_ceil(page.size);
    if page.number > page_count.max(1) {
        let (page, size) = (page.number, page.size);
        return Err(BadQuery::NoSuchPage { page, size, len: filtered_count });
    }
    let first = (page.number - 1) * page.size;
    let rows = &rows[first..filtered_count.min(first + page.size)];
    Ok(json(&Page {
        total_count,
        item_count: rows.len(),
        filtered_count,
        page: page.number,
        page_size: page.size,
        page_count,
        items: items(rows, &query.columns),
    }))
}

/// The JSON of one object, of which only some columns may be wanted.
pub fn one<T: Serialize>(object: &T, query: &ListQuery) -> Vec<u8> {
    if query.columns.is_empty() { json(object) } else { json(&columns(object, &query.columns)) }
}

fn json(object: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(object).expect("what is reported can be written as JSON")
}

fn items<'a, R: Serialize>(rows: &'a [R], wanted: &[Vec<String>]) -> Items<'a, R> {
    if wanted.is_empty() {
        return Items::Whole(rows);
    }
    Items::Columns(rows.iter().map(|row| columns(row, wanted)).collect())
}

/// An object with nothing but the wanted fields.
fn columns<T: Serialize>(object: &T, wanted: &[Vec<String>]) -> Value {
    let mut kept = Map::new();
    for path in wanted {
        if let Some(value) = pick(object, path) {
            put(&mut kept, path, value);
        }
    }
    Value::Object(kept)
}

fn put(into: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        into.insert(name.clone(), value);
        return;
    }
    let inner = into.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

/// Sorts by one field; those that have the same keep their order.
fn sorted<R: Row>(rows: Vec<R>, path: &[String]) -> Vec<R> {
    let mut keyed: Vec<_> = rows.into_iter().map(|row| (pick(&row, path), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| order(a.as_ref(), b.as_ref()));
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Missing fields first, then as Erlang orders terms: numbers, other simple things, objects,
/// lists, texts.
fn order(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let rank = |value: Option<&Value>| match value {
        None | Some(Value::Null) => 0,
        Some(Value::Number(_)) => 1,
        Some(Value::Bool(_)) => 2,
        Some(Value::Object(_)) => 3,
        Some(Value::Array(_)) => 4,
        Some(Value::String(_)) => 5,
    };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            a.total_cmp(&b)
        }
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(Value::Array(a)), Some(Value::Array(b))) => a.len().cmp(&b.len()),
        (Some(Value::Object(a)), Some(Value::Object(b))) => a.len().cmp(&b.len()),
        _ => Ordering::Equal,
    })
}

#[cfg(test)]
mod tests;
