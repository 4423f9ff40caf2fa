//! AMQP's field tables as JSON, and JSON as field tables.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value as Json;

use super::problem::Problem;
use crate::wire::table::{Table, TableBuilder, TableRef, Value};

/// How deep a JSON document may nest that becomes a table.
const MAX_DEPTH: usize = 64;
/// The longest key of a table in bytes (a short string).
const MAX_KEY: usize = 255;

/// A table that is written as a JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments(pub(super) Table);

struct Fields<'a>(TableRef<'a>);
struct Item<'a>(Value<'a>);

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields(self.0.as_ref()).serialize(serializer)
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.0.iter() {
            map.serialize_entry(key, &Item(value))?;
        }
        map.end()
    }
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(flag) => serializer.serialize_bool(flag),
            Value::I8(n) => serializer.serialize_i8(n),
            Value::U8(n) => serializer.serialize_u8(n),
            Value::I16(n) => serializer.serialize_i16(n),
            Value::U16(n) => serializer.serialize_u16(n),
            Value::I32(n) => serializer.serialize_i32(n),
            Value::U32(n) => serializer.serialize_u32(n),
            Value::I64(n) => serializer.serialize_i64(n),
            Value::F32(x) => serializer.serialize_f32(x),
            Value::F64(x) => serializer.serialize_f64(x),
            Value::Decimal { scale, digits } => {
                serializer.serialize_f64(f64::from(digits) / 10f64.powi(scale.into()))
            }
            Value::Timestamp(seconds) => serializer.serialize_u64(seconds),
            Value::Void => serializer.serialize_unit(),
            Value::Text(bytes) | Value::Bytes(bytes) => {
                serializer.serialize_str(&String::from_utf8_lossy(bytes))
            }
            Value::Table(table) => Fields(table).serialize(serializer),
            Value::Array(array) => {
                let mut seq = serializer.serialize_seq(None)?;
                for value in array.iter() {
                    seq.serialize_element(&Item(value))?;
                }
                seq.end()
            }
        }
    }
}

/// A JSON object as a table, with the types that RabbitMQ gives: whole numbers are `l`, others
/// `d`, texts `S`. An empty list is an empty table.
pub(super) fn from_json(json: &Json) -> Result<Table, Problem> {
    match json {
        Json::Array(empty) if empty.is_empty() => Ok(Table::default()),
        Json::Object(_) => {
            let mut holder = TableBuilder::new();
            push(&mut holder, "t", json, 0)?;
            let holder = holder.build();
            match holder.get("t") {
                Some(Value::Table(table)) => Ok(table.to_owned()),
                Some(_) | None => Ok(Table::default()),
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            Err(Problem::bad_request("arguments must be an object"))
        }
    }
}

fn push(into: &mut TableBuilder, key: &str, json: &Json, depth: usize) -> Result<(), Problem> {
    if depth > MAX_DEPTH {
        return Err(Problem::bad_request("arguments are nested too deep"));
    }
    if key.len() > MAX_KEY {
        return Err(Problem::bad_request("an argument's name is longer than 255 bytes"));
    }
    match json {
        Json::Object(fields) => {
            let mut inner = TableBuilder::new();
            for (key, value) in fields {
                push(&mut inner, key, value, depth + 1)?;
            }
            into.push(key, Value::Table(inner.build().as_ref()));
        }
        Json::Array(items) => {
            // An array is written as the values of a table with one array in it.
            let mut values = Vec::new();
            for item in items {
                let mut holder = TableBuilder::new();
                push(&mut holder, "", item, depth + 1)?;
                // Behind the empty key's length stands the value.
                values.extend_from_slice(&holder.build().as_ref().as_bytes()[1..]);
            }
            let mut bytes = vec![0, b'A'];
            bytes.extend_from_slice(&u32::try_from(values.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(&values);
            let array = Table::checked(&bytes).map_err(Problem::bad_request)?;
            if let Some(value) = array.get("") {
                into.push(key, value);
            }
        }
        Json::String(text) => into.push(key, Value::Text(text.as_bytes())),
        Json::Bool(flag) => into.push(key, Value::Bool(*flag)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => into.push(key, Value::I64(whole)),
            (None, Some(real)) => into.push(key, Value::F64(real)),
            (None, None) => return Err(Problem::bad_request("a number is too large")),
        },
        Json::Null => return Err(Problem::bad_request("null_not_allowed")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_and_back() {
        let json = json!({"a": 1, "b": "x", "c": true, "d": 2.5,
            "e": [1, "two", [3], {"four": 4}], "f": {"g": {"h": []}}, "i": -5_000_000_000_i64});
        let table = from_json(&json).unwrap();
        assert_eq!(serde_json::to_value(Arguments(table.clone())).unwrap(), json);
        assert_eq!(table.get("a"), Some(Value::I64(1)));
        assert_eq!(from_json(&json!([])).unwrap(), Table::default());
    }

    #[test]
    fn what_is_no_table() {
        let long = "k".repeat(256);
        let mut deep = json!(1);
        for _ in 0..70 {
            deep = json!([deep]);
        }
        for json in [json!(5), json!([1]), json!({"a": null}), json!({long: 1}), json!({"a": deep})]
        {
            assert!(from_json(&json).is_err(), "{json}");
        }
    }
}
