//! JSON values as RabbitMQ prints them in its texts: as Erlang terms.

use std::fmt;

use serde_json::Value;

use crate::queue::options::erlang_term;
use crate::wire::table;

/// A JSON value as Erlang's `~tp` prints what RabbitMQ reads it as, on one line.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a>(pub &'a Value);

impl fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = |value| erlang_term::Term(value);
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => {
                    write!(f, "{}", other(table::Value::F64(float)))
                }
                Some(_) | None => write!(f, "{number}"),
            },
            Value::String(text) => write!(f, "{}", other(table::Value::Text(text.as_bytes()))),
            Value::Array(items) => {
                f.write_str("[")?;
                for (n, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if n > 0 { "," } else { "" }, Self(item))?;
                }
                f.write_str("]")
            }
            Value::Object(entries) => {
                f.write_str("#{")?;
                for (n, (key, value)) in entries.iter().enumerate() {
                    let key = other(table::Value::Text(key.as_bytes()));
                    write!(f, "{}{key} => {}", if n > 0 { "," } else { "" }, Self(value))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Keys with their values as Erlang prints a list of pairs.
pub(super) fn pairs<'a>(entries: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let pair = |(key, value): (&String, &Value)| {
        let key = erlang_term::Term(table::Value::Text(key.as_bytes())).to_string();
        format!("{{{key},{}}}", Term(value))
    };
    format!("[{}]", entries.map(pair).collect::<Vec<_>>().join(","))
}
