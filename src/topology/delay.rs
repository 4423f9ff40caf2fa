//! Messages that are not to be routed before a certain time (`x-delayed-message`).
//!
//! `x-delay` says how many milliseconds a message is to wait, without an upper limit; text that is
//! a number will do. `x-deliver-at` says until when: milliseconds since 1970, or an AMQP timestamp;
//! it goes before the other. What is negative, unreadable or not there means now.

use crate::wire::content::{ContentHeader, Property, Replacement, replace};
use crate::wire::table::{Table, TableBuilder, TableRef, Value};

const DELAY: &str = "x-delay";
const DELIVER_AT: &str = "x-deliver-at";

/// When a message is due, in milliseconds since 1970; `None`: now.
pub fn due(headers: TableRef<'_>, now: u64) -> Option<u64> {
    let at = headers.get(DELIVER_AT).and_then(|at| {
        let Value::Timestamp(seconds) = at else { return milliseconds(at) };
        Some(seconds.saturating_mul(1000))
    });
    let after = || milliseconds(headers.get(DELAY)?).map(|delay| now.saturating_add(delay));
    at.or_else(after).filter(|due| *due > now)
}

/// The content header of a message that has waited: the delay is negated, as RabbitMQ's plugin
/// does, so that its receiver sees it and no exchange delays it again. `None`: it stays as it is.
pub fn waited(header: &[u8]) -> Option<Vec<u8>> {
    let headers = ContentHeader::parse(header).ok()?.properties.headers?;
    let delay = i64::try_from(milliseconds(headers.get(DELAY)?)?).ok()?;
    let negated = i32::try_from(-delay).map_or(Value::I64(-delay), Value::I32);
    let negated = TableBuilder::new().with(DELAY, negated).build();
    let others = headers.without(DELAY);
    let table = [others.as_ref().as_bytes(), negated.as_ref().as_bytes()].concat();
    let table = Table::checked(&table).ok()?;
    Some(replace(header, Property::Headers, Replacement::Table(table.as_ref())))
}

fn milliseconds(value: Value<'_>) -> Option<u64> {
    let number = match value {
        Value::F32(number) => whole(number.into()),
        Value::F64(number) => whole(number),
        Value::Text(_) => value.as_text().and_then(|text| text.trim().parse().ok()),
        Value::I8(_)
        | Value::U8(_)
        | Value::I16(_)
        | Value::U16(_)
        | Value::I32(_)
        | Value::U32(_)
        | Value::I64(_) => value.as_integer(),
        Value::Bool(_)
        | Value::Decimal { .. }
        | Value::Bytes(_)
        | Value::Array(_)
        | Value::Timestamp(_)
        | Value::Table(_)
        | Value::Void => None,
    };
    number.and_then(|number| u64::try_from(number).ok())
}

/// A number as JavaScript clients send whole ones.
fn whole(number: f64) -> Option<i64> {
    number.is_finite().then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::content::header;

    const NOW: u64 = 1_000_000;

    fn due_with(headers: &[(&str, Value<'_>)]) -> Option<u64> {
        due(table(headers).as_ref(), NOW)
    }

    fn table(headers: &[(&str, Value<'_>)]) -> Table {
        let with =
            |table: TableBuilder, &(name, value): &(&str, Value<'_>)| table.with(name, value);
        headers.iter().fold(TableBuilder::new(), with).build()
    }

    #[test]
    fn delays_count_from_now() {
        for (value, wanted) in [
            (Value::I32(5000), Some(NOW + 5000)),
            (Value::U8(5), Some(NOW + 5)),
            (Value::I64(i64::MAX), Some(NOW + i64::MAX as u64)),
            (Value::Text(b"5000"), Some(NOW + 5000)),
            (Value::F64(5000.0), Some(NOW + 5000)),
            (Value::I32(0), None),
            (Value::I32(-5000), None),
            (Value::Text(b"soon"), None),
            (Value::F64(f64::NAN), None),
            (Value::Bool(true), None),
        ] {
            assert_eq!(due_with(&[(DELAY, value)]), wanted, "{value:?}");
        }
        assert_eq!(due_with(&[]), None);
    }

    #[test]
    fn a_time_goes_before_a_delay() {
        let delay = (DELAY, Value::I32(7));
        for (value, wanted) in [
            (Value::I64(NOW as i64 + 1), Some(NOW + 1)),
            (Value::Timestamp(NOW), Some(NOW * 1000)),
            (Value::Timestamp(u64::MAX), Some(u64::MAX)),
            (Value::I64(NOW as i64), None),
            (Value::I64(3), None),
            (Value::Void, Some(NOW + 7)),
        ] {
            assert_eq!(due_with(&[delay, (DELIVER_AT, value)]), wanted, "{value:?}");
        }
    }

    #[test]
    fn who_has_waited_is_not_delayed_again() {
        let with = |headers: &[_]| {
            let table = table(headers);
            let bytes = table.as_ref().as_bytes();
            let long = [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
            header(3, &[(Property::Headers, &long)])
        };
        let before = with(&[("a", Value::I32(1)), (DELAY, Value::I64(5000)), ("b", Value::Void)]);
        let after = waited(&before).expect("it changes");
        let headers = ContentHeader::parse(&after).unwrap().properties.headers.unwrap();
        assert_eq!(headers.get(DELAY), Some(Value::I32(-5000)));
        assert_eq!(headers.get("a"), Some(Value::I32(1)));
        assert_eq!(headers.get("b"), Some(Value::Void));
        assert_eq!(due(headers, NOW), None);
        let long = waited(&with(&[(DELAY, Value::I64(1 << 40))])).expect("it changes");
        let headers = ContentHeader::parse(&long).unwrap().properties.headers.unwrap();
        assert_eq!(headers.get(DELAY), Some(Value::I64(-(1 << 40))));
        assert_eq!(waited(&with(&[("a", Value::Void)])), None);
        assert_eq!(waited(&header(0, &[])), None);
    }
}
