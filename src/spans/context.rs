//! The W3C trace context of a message: `traceparent` and `tracestate` among its headers.

use crate::wire::content::{Property, Replacement, property, replace};
use crate::wire::table::{TableRef, Value};

/// The header that has the context.
pub const TRACEPARENT: &str = "traceparent";
/// The header with what vendors add to it.
pub const TRACESTATE: &str = "tracestate";

/// Bytes of version 00, and what later versions begin with.
const LEN: usize = 55;
/// The bit of the flags that says: somebody keeps this trace.
const SAMPLED: u8 = 1;

/// A trace's id; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub u128);

/// A span's id; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub u64);

/// Which span of which trace something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whoever made it keeps the trace.
    pub sampled: bool,
}

impl Context {
    /// Reads `00-<trace>-<span>-<flags>`, or what a later version begins with. Anything else is
    /// no context: the specification says to go on as if there were none.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (head, rest) = text.split_first_chunk::<LEN>()?;
        let version = hex(&head[..2])?;
        let ends = if version == 0 { rest.is_empty() } else { matches!(rest, [] | [b'-', ..]) };
        if version == 0xff || !ends || [head[2], head[35], head[52]] != *b"---" {
            return None;
        }
        let trace = hex(&head[3..35])?;
        let span = u64::try_from(hex(&head[36..52])?).ok()?;
        let flags = u8::try_from(hex(&head[53..])?).ok()?;
        let sampled = flags & SAMPLED != 0;
        let context = Self { trace: TraceId(trace), span: SpanId(span), sampled };
        (trace != 0 && span != 0).then_some(context)
    }

    /// The context among a message's headers.
    #[inline]
    pub fn among(headers: TableRef<'_>) -> Option<Self> {
        Self::parse(text(headers.get(TRACEPARENT)?)?)
    }

    /// The context of a message, from its content header.
    pub fn of_message(header: &[u8]) -> Option<Self> {
        Self::among(headers(header)?)
    }

    /// As `traceparent` has it.
    pub fn to_text(self) -> String {
        let flags = if self.sampled { SAMPLED } else { 0 };
        format!("00-{:032x}-{:016x}-{flags:02x}", self.trace.0, self.span.0)
    }

    /// A message's content header with this context among the headers. What stood there before
    /// was no context, and what vendors added to it goes with it.
    pub fn put_into(self, header: &[u8]) -> Vec<u8> {
        let others = headers(header).unwrap_or_default().without_any(&[TRACEPARENT, TRACESTATE]);
        let own = self.to_text();
        let with = others.extend().with(TRACEPARENT, Value::Text(own.as_bytes())).build();
        replace(header, Property::Headers, Replacement::Table(with.as_ref()))
    }
}

/// What vendors have added to a message's context.
pub fn trace_state(header: &[u8]) -> Option<&str> {
    std::str::from_utf8(text(headers(header)?.get(TRACESTATE)?)?).ok()
}

fn headers(header: &[u8]) -> Option<TableRef<'_>> {
    TableRef::checked(property(header, Property::Headers)?).ok()
}

/// Clients write it as a long string; some as bytes.
fn text(value: Value<'_>) -> Option<&[u8]> {
    if let Value::Text(text) | Value::Bytes(text) = value { Some(text) } else { None }
}

/// A number in small hexadecimal digits, as the specification wants them.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry::trace::TraceContextExt;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::content::{ContentHeader, header};
    use crate::wire::table::{Table, TableBuilder};

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_is_read_and_written() {
        let context = Context::parse(GOOD.as_bytes()).expect("good");
        assert_eq!(context.trace, TraceId(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c));
        assert_eq!((context.span, context.sampled), (SpanId(0xb7ad_6b71_6920_3331), true));
        assert_eq!(context.to_text(), GOOD);
    }

    #[test]
    fn what_is_no_context() {
        for (text, why) in [
            ("", "nothing"),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", "too short"),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", "00 has an end"),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-010", "00 has an end"),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-010", "no separator"),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a version that is none"),
            ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "large letters"),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", "trace 0"),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "span 0"),
            ("00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01", "other separators"),
            (" 0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a space"),
        ] {
            assert_eq!(Context::parse(text.as_bytes()), None, "{why}: {text}");
        }
    }

    #[test]
    fn later_versions_may_go_on_and_other_flags_may_be_set() {
        let later = format!("01{}-more", &GOOD[2..]);
        assert_eq!(Context::parse(later.as_bytes()), Context::parse(GOOD.as_bytes()));
        let unsampled = format!("{}fe", &GOOD[..53]);
        assert!(!Context::parse(unsampled.as_bytes()).expect("good").sampled);
    }

    fn with_headers(headers: &Table) -> Vec<u8> {
        let empty = header(0, &[]);
        replace(&empty, Property::Headers, Replacement::Table(headers.as_ref()))
    }

    #[test]
    fn it_is_found_among_headers_as_text_or_bytes() {
        for value in [Value::Text(GOOD.as_bytes()), Value::Bytes(GOOD.as_bytes())] {
            let headers = TableBuilder::new().with("a", Value::I32(1)).with(TRACEPARENT, value);
            let header = with_headers(&headers.with(TRACESTATE, Value::Text(b"v=1")).build());
            assert_eq!(Context::of_message(&header), Context::parse(GOOD.as_bytes()));
            assert_eq!(trace_state(&header), Some("v=1"));
        }
        let other = TableBuilder::new().with(TRACEPARENT, Value::I32(7)).build();
        assert_eq!(Context::of_message(&with_headers(&other)), None);
        assert_eq!(Context::of_message(&header(0, &[])), None);
    }

    #[test]
    fn it_is_put_among_headers_instead_of_what_was_none() {
        let own = Context::parse(GOOD.as_bytes()).expect("good");
        let bad = TableBuilder::new()
            .with(TRACEPARENT, Value::Text(b"bad"))
            .with("kept", Value::Bool(true))
            .with(TRACESTATE, Value::Text(b"v=1"))
            .build();
        for header in [header(0, &[]), with_headers(&bad)] {
            let with = own.put_into(&header);
            assert_eq!(Context::of_message(&with), Some(own));
            assert_eq!(trace_state(&with), None);
            ContentHeader::parse(&with).expect("well formed");
        }
        let kept = own.put_into(&with_headers(&bad));
        assert_eq!(headers(&kept).expect("headers").get("kept"), Some(Value::Bool(true)));
    }

    /// What OpenTelemetry's own library reads in it.
    fn theirs(text: &str) -> Option<(u128, u64, bool)> {
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), text.to_owned())]);
        let context = TraceContextPropagator::new().extract(&carrier);
        let span = context.span();
        let read = span.span_context();
        let trace = u128::from_be_bytes(read.trace_id().to_bytes());
        let parent = u64::from_be_bytes(read.span_id().to_bytes());
        read.is_valid().then_some((trace, parent, read.is_sampled()))
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_passed_over(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Context::parse(&bytes);
            let _ = Context::of_message(&bytes);
        }

        #[test]
        fn contexts_are_read_as_opentelemetry_reads_them(
            trace in any::<u128>(), span in any::<u64>(), flags in any::<u8>(), at in 0usize..60, other in "[0-9a-g-]",
        ) {
            let mut text = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
            if let Some(old) = text.get(at..=at).map(str::to_owned) {
                let _ = old;
                text.replace_range(at..=at, &other);
            }
            if let Some(read) = Context::parse(text.as_bytes()) {
                prop_assert_eq!(theirs(&text), Some((read.trace.0, read.span.0, read.sampled)));
                prop_assert_eq!(Context::parse(read.to_text().as_bytes()), Some(read));
            }
        }
    }
}
