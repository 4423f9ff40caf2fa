//! Message properties as JSON, and JSON as a content header.

use serde_json::{Map, Value as Json, json};

use super::fields::Fields;
use super::problem::Problem;
use super::tables::{self, Arguments};
use crate::wire::content::{self, Property};
use crate::wire::table::Table;

/// How a property is written.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Octet,
    Seconds,
    Table,
}

/// The properties in the order of their flags, by the names of RabbitMQ's JSON.
const PROPERTIES: [(&str, Property, Shape); 14] = [
    ("content_type", Property::ContentType, Shape::Text),
    ("content_encoding", Property::ContentEncoding, Shape::Text),
    ("headers", Property::Headers, Shape::Table),
    ("delivery_mode", Property::DeliveryMode, Shape::Octet),
    ("priority", Property::Priority, Shape::Octet),
    ("correlation_id", Property::CorrelationId, Shape::Text),
    ("reply_to", Property::ReplyTo, Shape::Text),
    ("expiration", Property::Expiration, Shape::Text),
    ("message_id", Property::MessageId, Shape::Text),
    ("timestamp", Property::Timestamp, Shape::Seconds),
    ("type", Property::Type, Shape::Text),
    ("user_id", Property::UserId, Shape::Text),
    ("app_id", Property::AppId, Shape::Text),
    ("cluster_id", Property::ClusterId, Shape::Text),
];

/// A content header's payload, from JSON properties.
pub(super) fn to_header(body_size: usize, properties: &Fields) -> Result<Vec<u8>, Problem> {
    let mut encoded = Vec::new();
    for (name, property, shape) in PROPERTIES {
        if !matches!(properties.get(name), None | Some(Json::Null)) {
            encoded.push((property, encode(name, shape, properties)?));
        }
    }
    let encoded: Vec<_> = encoded.iter().map(|(property, bytes)| (*property, &**bytes)).collect();
    Ok(content::header(body_size as u64, &encoded))
}

fn encode(name: &str, shape: Shape, properties: &Fields) -> Result<Vec<u8>, Problem> {
    let not_int = || Problem::bad_request_value(json!(["not_int", name]));
    let integer = || properties.integer(name)?.ok_or_else(not_int);
    Ok(match shape {
        Shape::Text => {
            let text = properties.text(name)?.unwrap_or_default();
            let too_long =
                |_| Problem::bad_request(format_args!("{name} is longer than 255 bytes"));
            let len = u8::try_from(text.len()).map_err(too_long)?;
            [&[len], text.as_bytes()].concat()
        }
        Shape::Octet => vec![u8::try_from(integer()?).map_err(|_| not_int())?],
        Shape::Seconds => u64::try_from(integer()?).map_err(|_| not_int())?.to_be_bytes().into(),
        Shape::Table => {
            let table =
                properties.get(name).map_or_else(|| Ok(Table::default()), tables::from_json)?;
            let bytes = table.as_ref().as_bytes();
            let len = u32::try_from(bytes.len()).map_err(Problem::bad_request)?;
            [&len.to_be_bytes(), bytes].concat()
        }
    })
}

/// JSON properties, from a content header's payload.
pub(super) fn of_header(header: &[u8]) -> Map<String, Json> {
    let decode = |(name, property, shape): (&str, Property, Shape)| {
        let bytes = content::property(header, property)?;
        let json = match shape {
            Shape::Text => String::from_utf8_lossy(bytes).into(),
            Shape::Octet => (*bytes.first()?).into(),
            Shape::Seconds => u64::from_be_bytes(bytes.try_into().ok()?).into(),
            Shape::Table => serde_json::to_value(Arguments(Table::checked(bytes).ok()?)).ok()?,
        };
        Some((name.to_owned(), json))
    };
    PROPERTIES.into_iter().filter_map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &Json) -> Fields {
        Fields::parse(json.to_string().as_bytes()).expect("an object")
    }

    #[test]
    fn all_of_them_there_and_back() {
        let all = json!({"delivery_mode": 2, "headers": {"a": 1, "b": [1, "x"]},
            "content_type": "text/plain", "priority": 3, "expiration": "60000",
            "timestamp": 12345, "message_id": "m", "correlation_id": "c", "type": "t",
            "app_id": "a", "user_id": "guest", "reply_to": "r", "content_encoding": "gzip",
            "cluster_id": "z"});
        let header = to_header(5, &fields(&all)).unwrap();
        assert_eq!(Json::Object(of_header(&header)), all);
        assert!(of_header(&to_header(0, &fields(&json!({}))).unwrap()).is_empty());
    }

    #[test]
    fn what_is_no_property() {
        for bad in [
            json!({"delivery_mode": "x"}),
            json!({"priority": 256}),
            json!({"timestamp": -1}),
            json!({"headers": 5}),
            json!({"type": "t".repeat(256)}),
            json!({"app_id": [1]}),
        ] {
            assert!(to_header(0, &fields(&bad)).is_err(), "{bad}");
        }
    }
}
