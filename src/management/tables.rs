//! AMQP's field tables as JSON, and JSON as field tables.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value as Json;

use super::problem::Problem;
use crate::wire::json;
use crate::wire::table::{Table, TableRef, Value};

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

/// A JSON object as a table ([`json::table`]).
pub(super) fn from_json(json: &Json) -> Result<Table, Problem> {
    json::table(json).map_err(Problem::bad_request)
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
}
