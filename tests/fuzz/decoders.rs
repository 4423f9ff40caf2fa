//! The decoders alone: bytes in, a value or a refusal out.

use rand::Rng;
use warren::protocol::content::{Limits, whole};
use warren::protocol::publish_rules::{check, more_keys};
use warren::wire::content::{ContentHeader, Property, Replacement, property, replace};
use warren::wire::frame::{Frame, Split, split};
use warren::wire::method::{Method, MethodId, decode, decode_any, encode, field_table};
use warren::wire::table::{Table, TableIter, Value};

use crate::fuzz;
use crate::words::{arguments, handshake, sentence, spoil};

const MAX: usize = 100_000;

#[test]
fn decoders_read_or_refuse_whatever_comes() {
    fuzz(|random| {
        let mut bytes = match random.random_range(0..3) {
            0 => (0..random.random_range(0..200)).map(|_| random.random()).collect(),
            1 => handshake(random).split_off(8),
            _ => (0..random.random_range(1..5)).flat_map(|_| sentence(random)).collect(),
        };
        if random.random_bool(0.9) {
            spoil(random, &mut bytes);
        }
        frames(&bytes);
        // Any bytes might be a payload, or a table.
        payload(&bytes);
        let mut table = arguments(random).0;
        spoil(random, &mut table);
        tables(&table);
    });
}

fn frames(bytes: &[u8]) {
    let mut at = 0;
    loop {
        match split(&bytes[at..], MAX) {
            Ok(Split::Whole(frame)) => {
                at += frame.wire_len();
                assert!(at <= bytes.len(), "a frame is where its bytes are");
                payload(frame.payload);
                publishes(frame, bytes, at);
            }
            Ok(Split::Needs(more)) => {
                let enough = bytes.len() - at;
                assert!(more > enough && more <= MAX + 8, "needs {more}, has {enough}");
                return;
            }
            Err(_) => return,
        }
    }
}

fn payload(payload: &[u8]) {
    let decoded = decode(payload);
    if let Some(id) = MethodId::read(payload)
        && let Ok(other) = decode_any(id, payload)
    {
        // What can be read can be written, and read again to the same.
        let again = encode(&other.method);
        let reread = decode_any(id, &again).expect("what was written can be read");
        assert_eq!(encode(&reread.method), again); // not the values: no NaN equals another
        assert!(decoded.is_ok() || decode(&again).is_err(), "read in one way, not in the other");
    }
    if let Ok(header) = ContentHeader::parse(payload) {
        rewritten(payload, &header);
    }
}

/// A header's properties can be read and replaced one by one.
fn rewritten(payload: &[u8], header: &ContentHeader<'_>) {
    let _ = check(&header.properties, || Some("guest"));
    let _ = more_keys(&header.properties);
    let text = [Property::ReplyTo, Property::Expiration, Property::UserId];
    for each in text {
        let same = property(payload, each).map_or(Replacement::Nothing, Replacement::Text);
        assert_eq!(replace(payload, each, same), payload);
        let other = replace(payload, each, Replacement::Text(b"other"));
        assert_eq!(property(&other, each), Some(&b"other"[..]));
        ContentHeader::parse(&other).expect("still a header");
    }
    if let Some(headers) = header.properties.headers {
        let kept = headers.without("BCC");
        assert!(kept.get("BCC").is_none());
        let without = replace(payload, Property::Headers, Replacement::Table(kept.as_ref()));
        ContentHeader::parse(&without).expect("still a header");
    }
}

/// The shortcut for publishes that stand whole in the buffer.
fn publishes(frame: Frame<'_>, bytes: &[u8], behind: usize) {
    if let Ok(Method::Publish(publish)) = decode(frame.payload) {
        let limits = Limits { max_payload: MAX, max_size: MAX as u64 };
        if let Ok(Some(whole)) = whole(&publish, frame.channel, bytes, behind, limits) {
            assert!(behind + whole.wire_len <= bytes.len());
            let message = whole.published.message;
            assert_eq!(message.exchange(), publish.exchange());
            assert_eq!(message.routing_key(), publish.routing_key());
            let header = ContentHeader::parse(message.header()).expect("the header was checked");
            assert_eq!(header.body_size, message.body().len() as u64);
        }
    }
}

fn tables(bytes: &[u8]) {
    if let Ok(table) = Table::checked(bytes) {
        let _ = format!("{table:?}");
        let entries = walk(table.iter());
        let _ = field_table(&table);
        assert!(entries <= bytes.len());
    }
}

/// How many values there are, at any depth.
fn walk(table: TableIter<'_>) -> usize {
    fn count(value: Value<'_>) -> usize {
        match value {
            Value::Table(inner) => 1 + walk(inner.iter()),
            Value::Array(inner) => 1 + inner.iter().map(count).sum::<usize>(),
            Value::Bool(_)
            | Value::I8(_)
            | Value::U8(_)
            | Value::I16(_)
            | Value::U16(_)
            | Value::I32(_)
            | Value::U32(_)
            | Value::I64(_)
            | Value::F32(_)
            | Value::F64(_)
            | Value::Decimal { .. }
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Timestamp(_)
            | Value::Void => 1,
        }
    }
    table.map(|(_, value)| count(value)).sum()
}

#[test]
fn nothing_at_all_is_nothing() {
    frames(&[]);
    payload(&[]);
    tables(&[]);
}
