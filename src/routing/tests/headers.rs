//! Stories of headers exchanges.

use super::{check, table};
use crate::routing::Envelope;
use crate::routing::headers::Headers;
use crate::routing::{Kind, Router};
use crate::wire::table::{TableBuilder, Value};

#[test]
fn headers_all_is_what_is_meant_unless_said() {
    check(
        Kind::Headers,
        r#"bind 1 "" a=1 b=x
           bind 2 "" x-match=all a=1
           bind 3 ""
           route "" a=1 b=x > 1 2 3
           route "" b=x c=y a=1 > 1 2 3
           route "" a=1 b=y > 2 3
           route "" b=x > 3
           route "" > 3
           unbind 3 ""
           route "" a=1 > 2
           route """#,
    );
}

#[test]
fn headers_any_wants_one() {
    check(
        Kind::Headers,
        r#"bind 1 "" x-match=any a=1 b=x
           bind 2 "" x-match=any
           bind 3 "" x-match=any x-a=1
           bind 4 "" x-match=any-with-x
           route "" a=1 b=x > 1
           route "" b=x > 1
           route "" a=2 b=y x-a=1
           route ""
           remove 1
           route "" a=1 b=x"#,
    );
}

#[test]
fn headers_with_x_count_only_if_asked_for() {
    check(
        Kind::Headers,
        r#"bind 1 "" x-match=all a=1 x-b=2
           bind 2 "" x-match=all-with-x a=1 x-b=2
           bind 3 "" x-match=any-with-x a=1 x-b=2
           bind 4 "" x-b=2
           route "" a=1 > 1 3 4
           route "" a=1 x-b=2 > 1 2 3 4
           route "" x-b=2 > 3 4
           route "" x-match=all-with-x > 4"#,
    );
}

#[test]
fn headers_void_asks_for_presence() {
    check(
        Kind::Headers,
        r#"bind 1 "" a=void
           bind 2 "" x-match=any a=void b=1
           bind 3 "" a=void b=1
           bind 4 "" a=text
           route "" a=1 > 1 2
           route "" a=void > 1 2
           route "" a=text > 1 2 4
           route "" b=1 > 2
           route "" b=1 a=2 > 1 2 3
           route "" b=void"#,
    );
}

#[test]
fn headers_compare_values_not_types() {
    check(
        Kind::Headers,
        r#"bind 1 "" a=1
           bind 2 "" a=1i
           bind 3 "" a=1000T
           bind 4 "" a=text
           route "" a=1 > 1 2
           route "" a=1i > 1 2
           route "" a=1000 > 3
           route "" a=1T > 3
           route "" a=1000T
           route "" a=text > 4"#,
    );
    let pairs = [
        (Value::Text(b"a"), Value::Bytes(b"a"), true),
        (Value::F32(1.5), Value::F64(1.5), true),
        (Value::F64(1.0), Value::I64(1), false),
        (Value::F64(0.0), Value::F64(-0.0), false),
        (Value::Bool(true), Value::I64(1), false),
        (Value::U8(200), Value::I16(200), true),
        (Value::U32(u32::MAX), Value::I64(u32::MAX.into()), true),
        (Value::I64(-1), Value::Timestamp(u64::MAX), false),
    ];
    for (wanted, header, expected) in pairs {
        let mut router = Router::new(Kind::Headers);
        router.bind(1, 0, "", &TableBuilder::new().with("k", wanted).build());
        let mut found = Vec::new();
        let headers = TableBuilder::new().with("k", header).build();
        let message = Envelope { headers: Some(headers.as_ref()), ..Envelope::default() };
        router.route(&message, &mut found);
        assert_eq!(found == [1], expected, "{wanted:?} against {header:?}");
    }
}

#[test]
fn headers_the_last_of_a_name_counts() {
    check(
        Kind::Headers,
        r#"bind 1 "" a=1
           bind 2 "" x-match=any a=2 a=3
           bind 3 "" a=2 a=3
           route "" a=1 a=2 > 2
           route "" a=2 a=1 > 1
           route "" a=2 a=3 > 2"#,
    );
}

#[test]
fn headers_bindings_with_different_keys_are_two() {
    check(
        Kind::Headers,
        "bind 1 k a=1
         bind 1 l a=1
         bind 2 k c=1 d=2
         bind 2 l c=1 d=2
         route x a=1 c=1 d=2 > 1 2
         unbind 1 k a=1
         unbind 2 k c=1 d=2
         route x a=1 c=1 d=2 > 1 2
         unbind 1 l a=1
         unbind 2 l c=1 d=2
         route x a=1 c=1 d=2",
    );
}

/// A condition that all bindings share says nothing; the other one is what finds them.
#[test]
fn headers_are_filed_under_what_tells_them_apart() {
    let mut headers = Headers::default();
    for tenant in 0..100 {
        headers.insert(tenant, &table(&["format=pdf", &format!("tenant={tenant}")]));
    }
    assert_eq!(headers.sizes(), (100, 100));
    for tenant in 0..100 {
        headers.remove(tenant, &table(&["format=pdf", &format!("tenant={tenant}")]));
    }
    assert_eq!(headers.sizes(), (0, 0));
}

#[test]
fn x_match_is_checked_in_rabbitmqs_words() {
    let refusal = |value| {
        let arguments = TableBuilder::new().with("x-match", value).build();
        assert_eq!(Kind::Topic.check_binding("", &arguments), Ok(()));
        let refusal = Kind::Headers.check_binding("", &arguments);
        refusal.err().map(|refusal| refusal.to_string()).unwrap_or_default()
    };
    for mode in ["all", "any", "all-with-x", "any-with-x"] {
        assert_eq!(refusal(Value::Text(mode.as_bytes())), "");
    }
    let values: [(&[u8], &str); 6] = [
        (b"foo", "<<\"foo\">>"),
        (b"", "<<>>"),
        (b"a\"b\\c\n", "<<\"a\\\"b\\\\c\\n\">>"),
        ("f\u{f8}\u{f8}".as_bytes(), "<<\"f\u{f8}\u{f8}\"/utf8>>"),
        (b"f\xf8", "<<\"f\u{f8}\">>"),
        (b"\xff\x01\x02", "<<255,1,2>>"),
    ];
    for (value, term) in values {
        assert_eq!(
            refusal(Value::Text(value)),
            format!(
                "Invalid x-match field value {term}; expected all, any, all-with-x, or any-with-x"
            )
        );
    }
    let inner = table(&["a=b", "n=1i"]);
    let types = [
        (Value::I32(1), "signedint (value 1)"),
        (Value::Bool(true), "bool (value true)"),
        (Value::Void, "void (value undefined)"),
        (Value::Bytes(b"all"), "binary (value <<\"all\">>)"),
        (Value::F32(1.0), "float (value 1.0)"),
        (Value::Decimal { scale: 1, digits: 2 }, "decimal (value {1,2})"),
        (
            Value::Table(inner.as_ref()),
            "table (value [{<<\"a\">>,longstr,<<\"b\">>},{<<\"n\">>,signedint,1}])",
        ),
    ];
    for (value, text) in types {
        let expected = format!("Invalid x-match field type {text}; expected longstr");
        assert_eq!(refusal(value), expected);
    }
}
