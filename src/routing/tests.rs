//! Stories in a small language, those of the larger kinds in files of their own; the properties
//! are in `model`.
//!
//! `bind 1 a.# x=1` and `unbind 1 a.# x=1` expect a change unless `(no change)` stands behind
//! them; `remove 1` takes a destination away; `route a.b h=1 > 1 2` says who gets a message. `""`
//! is the empty key. Values: `7` a long, `7i` an int, `7T` a timestamp, `void`, else text.

mod chosen;
mod headers;
mod model;
mod topic;

use super::*;
use crate::wire::table::Value;

fn check(kind: Kind, script: &str) {
    let mut router = Router::new(kind);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
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
                router.bind(number(to), number(to).into(), key(k), &table(rest)),
                change,
                "{line}"
            );
        }
        ["unbind", to, k, ref rest @ ..] => {
            assert_eq!(router.unbind(number(to), key(k), &table(rest)), change, "{line}");
        }
        ["remove", to] => {
            router.remove_destination(number(to));
        }
        ["route", k, ref rest @ ..] => {
            let mut found = Vec::new();
            let (keys, headers) = ([key(k).as_bytes()], table(rest));
            let headers = Some(headers.as_ref());
            let message = Envelope { headers, ..Envelope::with_keys(&keys) };
            router.route(&message, &mut found);
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
    let more = [Kind::Headers, Kind::Random, Kind::LocalRandom];
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        let router = Router::<u32>::new(kind);
        assert_eq!(router.kind(), kind);
        assert_eq!(router.depends_on_more_than_the_key(), more.contains(&kind));
    }
    assert_eq!(Kind::parse("x-unknown"), None);
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
    for kind in [Kind::Direct, Kind::Fanout, Kind::Topic, Kind::RecentHistory] {
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

#[test]
fn bindings_are_listed_in_order() {
    let mut router = Router::new(Kind::Topic);
    router.bind(2, 0, "a", &Table::default());
    router.bind(1, 0, "b", &table(&["y=1", "x=2"]));
    router.bind(1, 0, "a.#", &Table::default());
    router.bind(1, 0, "b", &Table::default());
    let listed: Vec<_> = router
        .bindings()
        .map(|binding| format!("{} {} {:?}", binding.destination, binding.key, binding.arguments))
        .collect();
    let expected = ["1 a.# {}", "1 b {}", "1 b {\"x\": I64(2), \"y\": I64(1)}", "2 a {}"];
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
            router.bind(destination, 0, "k", &Table::default());
            router.bind(destination, 0, "k", &table(&["x-x=1"]));
        }
        let mut found = vec![9, 2];
        router.route(&Envelope::with_keys(&[b"k"]), &mut found);
        assert_eq!(found, [9, 2, 1, 2, 3], "{kind:?}");
    }
}
