//! JSON as field tables.

use serde_json::Value as Json;

use super::table::{Table, TableBuilder, Value};

/// How deep a JSON document may nest that becomes a table.
const MAX_DEPTH: usize = 64;
/// The longest key of a table in bytes (a short string).
const MAX_KEY: usize = 255;

/// Why JSON cannot be a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATable {
    #[error("arguments must be an object")]
    NoObject,
    #[error("arguments are nested too deep")]
    TooDeep,
    #[error("an argument's name is longer than 255 bytes")]
    LongName,
    #[error("a number is too large")]
    LargeNumber,
    #[error("null_not_allowed")]
    Null,
    #[error("arguments are larger than a table can be")]
    TooLong,
}

/// A JSON object as a table, with the types that RabbitMQ gives: whole numbers are `l`, others
/// `d`, texts `S`. An empty list is an empty table.
pub fn table(json: &Json) -> Result<Table, NotATable> {
    match json {
        Json::Array(empty) if empty.is_empty() => Ok(Table::default()),
        Json::Object(_) => {
            let mut holder = TableBuilder::new();
            push(&mut holder, "t", json)?;
            let holder = holder.build();
            match holder.get("t") {
                Some(Value::Table(table)) => Ok(table.to_owned()),
                Some(_) | None => Ok(Table::default()),
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            Err(NotATable::NoObject)
        }
    }
}

/// Adds JSON to a table, under a key.
pub fn push(into: &mut TableBuilder, key: &str, json: &Json) -> Result<(), NotATable> {
    push_at(into, key, json, 0)
}

fn push_at(into: &mut TableBuilder, key: &str, json: &Json, depth: usize) -> Result<(), NotATable> {
    if depth > MAX_DEPTH {
        return Err(NotATable::TooDeep);
    }
    if key.len() > MAX_KEY {
        return Err(NotATable::LongName);
    }
    match json {
        Json::Object(fields) => {
            let mut inner = TableBuilder::new();
            for (key, value) in fields {
                push_at(&mut inner, key, value, depth + 1)?;
            }
            into.push(key, Value::Table(inner.build().as_ref()));
        }
        Json::Array(items) => {
            // An array is written as the values of a table with one array in it.
            let mut values = Vec::new();
            for item in items {
                let mut holder = TableBuilder::new();
                push_at(&mut holder, "", item, depth + 1)?;
                // Behind the empty key's length stands the value.
                values.extend_from_slice(&holder.build().as_ref().as_bytes()[1..]);
            }
            let mut bytes = vec![0, b'A'];
            bytes.extend_from_slice(&u32::try_from(values.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(&values);
            let array = Table::checked(&bytes).map_err(|_| NotATable::TooLong)?;
            if let Some(value) = array.get("") {
                into.push(key, value);
            }
        }
        Json::String(text) => into.push(key, Value::Text(text.as_bytes())),
        Json::Bool(flag) => into.push(key, Value::Bool(*flag)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => into.push(key, Value::I64(whole)),
            (None, Some(real)) => into.push(key, Value::F64(real)),
            (None, None) => return Err(NotATable::LargeNumber),
        },
        Json::Null => return Err(NotATable::Null),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_table() {
        let long = "k".repeat(256);
        let mut deep = json!(1);
        for _ in 0..70 {
            deep = json!([deep]);
        }
        for json in [json!(5), json!([1]), json!({"a": null}), json!({long: 1}), json!({"a": deep})]
        {
            assert!(table(&json).is_err(), "{json}");
        }
    }
}
