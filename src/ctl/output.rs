//! How rabbitmqctl shows things: tables, JSON, CSV. Pure text.

use serde_json::{Map, Value, json};

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// What a table looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Formatter {
    /// Fields with tabs between them.
    Table,
    /// A table with a frame.
    Pretty,
    /// One array of objects.
    Json,
    /// An object a line.
    JsonLines,
    Csv,
}

impl Formatter {
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "table" | "string" | "erlang" | "report" => Self::Table,
            "pretty_table" => Self::Pretty,
            "json" => Self::Json,
            "json_stream" => Self::JsonLines,
            "csv" => Self::Csv,
            _ => return None,
        })
    }

    pub(super) fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::JsonLines)
    }
}

impl Rows {
    pub(super) fn of(columns: &[&str], rows: Vec<Vec<Value>>) -> Self {
        Self { columns: columns.iter().map(|&name| name.to_owned()).collect(), rows }
    }

    /// The columns of these names, out of objects.
    pub(super) fn pick(columns: &[&str], objects: &[Value]) -> Self {
        let row = |object: &Value| columns.iter().map(|name| object[name].clone()).collect();
        Self::of(columns, objects.iter().map(row).collect())
    }

    /// The whole table. No table is shown of nothing, as in RabbitMQ.
    pub(super) fn show(&self, formatter: Formatter, headers: bool) -> String {
        let headers = headers && !self.rows.is_empty();
        match formatter {
            Formatter::Table => self.lines(headers, "\t", plain),
            Formatter::Csv => self.lines(headers, ",", |value| quoted(&plain(value))),
            Formatter::Json => self.json(),
            Formatter::JsonLines => {
                self.rows.iter().map(|row| self.object(row).to_string() + "\n").collect()
            }
            Formatter::Pretty => self.framed(headers),
        }
    }

    fn lines(&self, headers: bool, between: &str, show: impl Fn(&Value) -> String) -> String {
        let mut text = String::new();
        let mut say = |fields: Vec<String>| text += &(fields.join(between) + "\n");
        if headers {
            say(self.columns.iter().map(|name| show(&json!(name))).collect());
        }
        for row in &self.rows {
            say(row.iter().map(&show).collect());
        }
        text
    }

    fn object(&self, row: &[Value]) -> Value {
        let value = |value: &Value| if value.is_null() { json!("") } else { value.clone() };
        let fields = self.columns.iter().cloned().zip(row.iter().map(value));
        Value::Object(fields.map(|(name, value)| typed(name, value)).collect::<Map<_, _>>())
    }

    fn json(&self) -> String {
        let objects: Vec<String> =
            self.rows.iter().map(|row| self.object(row).to_string()).collect();
        format!("[\n{}\n]\n", objects.join("\n,"))
    }

    fn framed(&self, headers: bool) -> String {
        let cells = |row: &Vec<Value>| row.iter().map(plain).collect::<Vec<_>>();
        let mut all: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
        if headers {
            all.insert(0, self.columns.clone());
        }
        let width = |at: usize| all.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let rule = |left: &str, middle: &str, right: &str| {
            let dashes: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
            format!("{left}{}{right}\n", dashes.join(middle))
        };
        if all.is_empty() {
            return String::new();
        }
        let lines: Vec<String> = all
            .iter()
            .map(|row| {
                let padded =
                    row.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:<width$} "));
                format!("│{}│\n", padded.collect::<Vec<_>>().join("│"))
            })
            .collect();
        rule("┌", "┬", "┐") + &lines.join(&rule("├", "┼", "┤")) + &rule("└", "┴", "┘")
    }
}

/// Tables of AMQP have typed fields, which rabbitmqctl's JSON shows.
fn typed(name: String, value: Value) -> (String, Value) {
    let is_table = matches!(name.as_str(), "arguments" | "client_properties");
    let Value::Object(fields) = &value else { return (name, value) };
    if !is_table {
        return (name, value);
    }
    let fields = fields.iter().map(|(key, value)| {
        let (kind, value) = kind_of(value);
        json!([key, kind, value])
    });
    (name, Value::Array(fields.collect()))
}

fn kind_of(value: &Value) -> (&'static str, Value) {
    let inner = |value: &Value| {
        let (kind, value) = kind_of(value);
        json!([kind, value])
    };
    match value {
        Value::Null => ("void", json!("undefined")),
        Value::Bool(_) => ("bool", value.clone()),
        Value::Number(number) if number.is_f64() => ("double", value.clone()),
        Value::Number(_) => ("long", value.clone()),
        Value::String(_) => ("longstr", value.clone()),
        Value::Array(items) => ("array", items.iter().map(inner).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| {
                let (kind, value) = kind_of(value);
                json!([key, kind, value])
            });
            ("table", fields.collect())
        }
    }
}

/// A value in a table's cell. Tables are lists of pairs, as Erlang writes them.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // What would break the line is shown as it would be typed.
        Value::String(text) => escaped(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let pair = |(key, value): (&String, &Value)| format!("{{{key:?},{}}}", term(value));
            format!("[{}]", fields.iter().map(pair).collect::<Vec<_>>().join(","))
        }
    }
}

/// A value within a table.
fn term(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(term).collect::<Vec<_>>().join(","))
        }
        Value::Null => "undefined".into(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => plain(value),
    }
}

fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let objects = [
            json!({"name": "q\t1", "tags": ["a", "b"], "arguments": {"x-max-length": 5, "x-t": "y"}}),
            json!({"name": "q\"2", "tags": [], "arguments": {}}),
        ];
        Rows::pick(&["name", "tags", "arguments", "policy"], &objects)
    }

    #[test]
    fn a_table_keeps_to_its_lines() {
        assert_eq!(
            rows().show(Formatter::Table, true),
            "name\ttags\targuments\tpolicy\n\
             q\\t1\t[a, b]\t[{\"x-max-length\",5},{\"x-t\",\"y\"}]\t\n\
             q\"2\t[]\t[]\t\n"
        );
        assert!(rows().show(Formatter::Table, false).starts_with("q\\t1"));
    }

    #[test]
    fn json_has_typed_arguments() {
        let shown = rows().show(Formatter::Json, true);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let arguments = json!([["x-max-length", "long", 5], ["x-t", "longstr", "y"]]);
        assert_eq!(shown[0]["arguments"], arguments);
        assert_eq!((&shown[1]["arguments"], &shown[1]["policy"]), (&json!([]), &json!("")));
    }

    #[test]
    fn csv_quotes_and_frames_align() {
        let csv = rows().show(Formatter::Csv, true);
        assert!(csv.contains("\n\"q\"\"2\",\"[]\",\"[]\",\"\"\n"), "{csv}");
        let framed = rows().show(Formatter::Pretty, true);
        let widths: Vec<usize> = framed.lines().map(|line| line.chars().count()).collect();
        assert!(widths.windows(2).all(|two| two[0] == two[1]), "{framed}");
    }

    #[test]
    fn nothing_has_no_headers() {
        let nothing = Rows::of(&["name"], Vec::new());
        assert_eq!(nothing.show(Formatter::Table, true), "");
        assert_eq!(nothing.show(Formatter::Json, true), "[\n\n]\n");
    }
}
