//! Stories of each kind, in a small language; the properties are in `model`.
//!
//! `bind 1 a.# x=1` and `unbind 1 a.# x=1` expect a change unless `(no change)` stands behind
//! them; `remove 1` takes a destination away; `route a.b h=1 > 1 2` says who gets a message. `""`
//! is the empty key. Values: `7` a long, `7i` an int, `7T` a timestamp, `void`, else text.

mod model;

use super::*;
use crate::wire::table::Value;

fn check(kind: Kind, script: &str) {
    let mut router = Router::new(kind);
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        step(&mut router, line);
    }
}

fn step(router: &mut Router<u32>, line: &str) {
    let (line, change) = match line.strip_suffix(" (no change)") {
        Some(line) => (line, false),
        None => (line, true),
    };
    let (command, expected) = line.split_once('>').unwrap_or((line, ""));
    let words: Vec<_> = command.split_whitespace().collect();
    let number = |word: &str| word.parse::<u32>().expect("a destination is a number");
    let key = |word| if word == "\"\"" { "" } else { word };
    match *words {
        ["bind", to, k, ref rest @ ..] => {
            assert_eq!(
                router.bind(number(to), key(k), &table(rest)),
                change,
                "{line}"
            );
        }
        ["unbind", to, k, ref rest @ ..] => {
            assert_eq!(
                router.unbind(number(to), key(k), &table(rest)),
                change,
                "{line}"
            );
        }
        ["remove", to] => {
            router.remove_destination(number(to));
        }
        ["route", k, ref rest @ ..] => {
            let mut found = Vec::new();
            router.route(key(k).as_bytes(), Some(table(rest).as_ref()), &mut found);
            let expected: Vec<_> = expected.split_whitespace().map(number).collect();
            assert_eq!(found, expected, "{line}");
        }
        _ => panic!("not in the language: {line}"),
    }
}

fn table(entries: &[&str]) -> Table {
    let mut table = TableBuilder::new();
    for entry in entries {
        let (name, text) = entry.split_once('=').expect("name=value");
        table.push(name, value(text));
    }
    table.build()
}

fn value(text: &str) -> Value<'_> {
    let suffixed = |suffix| text.strip_suffix(suffix).and_then(|n| n.parse().ok());
    if text == "void" {
        Value::Void
    } else if let Ok(n) = text.parse() {
        Value::I64(n)
    } else if let Some(n) = suffixed("i") {
        Value::I32(n)
    } else if let Some(n) = suffixed("T") {
        Value::Timestamp(u64::try_from(n).expect("a time since the epoch"))
    } else {
        Value::Text(text.as_bytes())
    }
}

#[test]
fn kinds_have_their_names() {
    for kind in [Kind::Direct, Kind::Fanout, Kind::Topic, Kind::Headers] {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        assert_eq!(Router::<u32>::new(kind).kind(), kind);
        assert_eq!(
            Router::<u32>::new(kind).depends_on_headers(),
            kind == Kind::Headers
        );
    }
    assert_eq!(Kind::parse("x-random"), None);
    assert_eq!(Kind::parse("Direct"), None);
}

#[test]
fn direct_wants_the_same_key() {
    check(
        Kind::Direct,
        r#"bind 2 a
           bind 1 a
           bind 1 b
           bind 3 ""
           bind 4 *
           route a > 1 2
           route b > 1
           route "" > 3
           route * > 4
           route A
           unbind 1 a
           unbind 1 a (no change)
           route a > 2
           remove 2
           route a
           route b > 1"#,
    );
}

#[test]
fn a_binding_is_its_destination_key_and_arguments() {
    for kind in [Kind::Direct, Kind::Fanout, Kind::Topic] {
        check(
            kind,
            "bind 1 a
             bind 1 a (no change)
             bind 1 a x=1 y=2
             bind 1 a y=2 x=1 (no change)
             bind 1 a y=2 x=1i
             unbind 1 a
             route a > 1
             unbind 1 a y=2 x=1
             unbind 1 a y=2 x=1 (no change)
             route a > 1
             unbind 1 a x=1i y=2
             route a",
        );
    }
}

#[test]
fn fanout_wants_nothing() {
    check(
        Kind::Fanout,
        r#"route a
           bind 2 a
           bind 1 b
           bind 1 c
           route "" > 1 2
           unbind 1 b
           route x > 1 2
           unbind 1 c
           route x > 2"#,
    );
}

/// The examples of RabbitMQ's tutorial five.
#[test]
fn topic_finds_lazy_orange_rabbits() {
    check(
        Kind::Topic,
        "bind 1 *.orange.*
         bind 2 *.*.rabbit
         bind 2 lazy.#
         route quick.orange.rabbit > 1 2
         route lazy.orange.elephant > 1 2
         route quick.orange.fox > 1
         route lazy.brown.fox > 2
         route lazy.pink.rabbit > 2
         route quick.brown.fox
         route orange
         route quick.orange.new.rabbit
         route lazy.orange.new.rabbit > 2
         route lazy > 2",
    );
}

#[test]
fn topic_hash_is_any_number_of_words() {
    check(
        Kind::Topic,
        r#"bind 1 #
           bind 2 a.#
           bind 3 #.b
           bind 4 a.#.b
           bind 5 #.#
           route "" > 1 5
           route a > 1 2 5
           route b > 1 3 5
           route a.b > 1 2 3 4 5
           route a.x.y.b > 1 2 3 4 5
           route a.x.y.b.z > 1 2 5
           route . > 1 5"#,
    );
}

#[test]
fn topic_star_is_one_word_and_an_empty_word_is_one() {
    check(
        Kind::Topic,
        r#"bind 1 *
           bind 2 *.*
           bind 3 ""
           bind 4 a.
           bind 5 .
           bind 6 a.*
           bind 7 a..b
           bind 8 #.*
           route "" > 3
           route a > 1 8
           route . > 2 5 8
           route a. > 2 4 6 8
           route .a > 2 8
           route a..b > 7 8"#,
    );
}

#[test]
fn topic_wildcards_are_whole_words_and_only_in_bindings() {
    check(
        Kind::Topic,
        "bind 1 a*
         bind 2 ##
         bind 3 *
         bind 4 x.*
         route a* > 1 3
         route ab > 3
         route ## > 2 3
         route # > 3
         route * > 3
         route x.# > 4
         route x.* > 4",
    );
}

#[test]
fn topic_forgets_only_what_was_unbound() {
    check(
        Kind::Topic,
        "bind 1 a.b
         bind 2 a.b.c
         bind 3 a.*.c
         unbind 2 a.b.c
         unbind 2 a.b (no change)
         unbind 1 a.b.x (no change)
         route a.b > 1
         route a.b.c > 3
         remove 1
         route a.b
         route a.b.c > 3",
    );
}

#[test]
fn topic_prunes_what_leads_nowhere() {
    let mut topic = Topic::default();
    for key in ["a.b.c", "a.*.c", "a.#", "b"] {
        topic.insert(key, 1);
    }
    assert_eq!(topic.sizes(), (7, 5, 3));
    topic.remove("a.b.c", 2);
    topic.remove("a.b", 1);
    assert_eq!(topic.sizes(), (7, 5, 3));
    topic.remove("a.b.c", 1);
    topic.remove("b", 1);
    assert_eq!(topic.sizes(), (4, 2, 2));
    topic.insert("d.b", 1);
    topic.remove("a.#", 1);
    topic.remove("a.*.c", 1);
    topic.remove("d.b", 1);
    assert_eq!(topic.sizes(), (0, 0, 0));
}

/// By backtracking this would not end: the key has 127 words, all alike but the last.
#[test]
fn topic_many_hashes_are_no_harder_than_one() {
    let mut router = Router::new(Kind::Topic);
    let none = Table::default();
    for hashes in 1..40 {
        router.bind(hashes, &("#.a.".repeat(hashes) + "b"), &none);
        router.bind(hashes, &("#.*.".repeat(hashes) + "b"), &none);
        router.bind(hashes, &("#.".repeat(hashes) + "b"), &none);
    }
    let mut found = Vec::new();
    router.route(&["a"; 127].join(".").into_bytes(), None, &mut found);
    assert!(found.is_empty());
    router.route(
        &[&["a"; 126][..], &["b"]].concat().join(".").into_bytes(),
        None,
        &mut found,
    );
    assert_eq!(found, (1..40).collect::<Vec<_>>());
}

#[test]
fn topic_takes_any_bytes() {
    let mut router = Router::new(Kind::Topic);
    router.bind(1, "*.\u{fc}", &Table::default());
    let mut found = Vec::new();
    router.route(b"\xff\x00.\xc3\xbc", None, &mut found);
    router.route(b"\xff\x00.\xc3", None, &mut found);
    assert_eq!(found, [1]);
}

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
        router.bind(1, "", &TableBuilder::new().with("k", wanted).build());
        let mut found = Vec::new();
        let headers = TableBuilder::new().with("k", header).build();
        router.route(b"", Some(headers.as_ref()), &mut found);
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
         route x a=1 > 1
         unbind 1 k a=1
         route x a=1 > 1
         unbind 1 l a=1
         route x a=1",
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
        assert_eq!(Kind::Topic.check_arguments(&arguments), Ok(()));
        let refusal = Kind::Headers.check_arguments(&arguments);
        refusal
            .err()
            .map(|refusal| refusal.to_string())
            .unwrap_or_default()
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
        (
            Value::Decimal {
                scale: 1,
                digits: 2,
            },
            "decimal (value {1,2})",
        ),
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

#[test]
fn bindings_are_listed_in_order() {
    let mut router = Router::new(Kind::Topic);
    router.bind(2, "a", &Table::default());
    router.bind(1, "b", &table(&["y=1", "x=2"]));
    router.bind(1, "a.#", &Table::default());
    router.bind(1, "b", &Table::default());
    let listed: Vec<_> = router
        .bindings()
        .map(|binding| {
            format!(
                "{} {} {:?}",
                binding.destination, binding.key, binding.arguments
            )
        })
        .collect();
    let expected = [
        "1 a.# {}",
        "1 b {}",
        "1 b {\"x\": I64(2), \"y\": I64(1)}",
        "2 a {}",
    ];
    assert_eq!(listed, expected);
    assert_eq!(router.bindings_to(2).count(), 1);
    assert_eq!(router.remove_destination(1), 3);
    assert_eq!((router.len(), router.is_empty()), (1, false));
}

#[test]
fn found_keeps_what_was_there() {
    for kind in [Kind::Direct, Kind::Fanout, Kind::Topic, Kind::Headers] {
        let mut router = Router::new(kind);
        for destination in [3, 1, 2] {
            router.bind(destination, "k", &Table::default());
            router.bind(destination, "k", &table(&["x-x=1"]));
        }
        let mut found = vec![9, 2];
        router.route(b"k", None, &mut found);
        assert_eq!(found, [9, 2, 1, 2, 3], "{kind:?}");
    }
}
