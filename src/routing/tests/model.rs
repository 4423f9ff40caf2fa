//! Random bindings, unbindings and messages against matchers that are too simple to be wrong.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::*;
use crate::wire::table::{TableRef, Value};

type Header = (&'static str, Value<'static>);

#[derive(Clone, Debug)]
enum Command {
    Bind(u8, String, Vec<Header>),
    Unbind(u8, String, Vec<Header>),
    /// Unbinds one of those that are there.
    UnbindKnown(usize),
    Remove(u8),
    Route(String, Vec<Header>),
}

/// Every binding in a list; every question is a walk over it.
struct Model {
    kind: Kind,
    bindings: BTreeSet<Entry>,
}

type Entry = (u8, String, Table);

impl Model {
    fn route(&self, key: &str, headers: TableRef<'_>) -> Vec<u8> {
        let matches = |(_, pattern, arguments): &&Entry| match self.kind {
            Kind::Direct => pattern == key,
            Kind::Fanout | Kind::RecentHistory | Kind::Deduplicating | Kind::Delayed => true,
            Kind::Topic => topic_matches(&words(pattern), &words(key)),
            Kind::Headers => headers_match(arguments, headers),
            Kind::ConsistentHash | Kind::ModulusHash | Kind::Random | Kind::LocalRandom => {
                unreachable!("those are in `chosen`")
            }
        };
        let found: BTreeSet<u8> =
            self.bindings.iter().filter(matches).map(|(destination, ..)| *destination).collect();
        found.into_iter().collect()
    }
}

fn words(key: &str) -> Vec<&str> {
    if key.is_empty() { Vec::new() } else { key.split('.').collect() }
}

fn topic_matches(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern, key) {
        ([], []) => true,
        (["#", rest @ ..], _) => (0..=key.len()).any(|taken| topic_matches(rest, &key[taken..])),
        (["*", rest @ ..], [_, key @ ..]) => topic_matches(rest, key),
        ([word, rest @ ..], [first, key @ ..]) => word == first && topic_matches(rest, key),
        _ => false,
    }
}

fn headers_match(arguments: &Table, headers: TableRef<'_>) -> bool {
    let mode = arguments.get("x-match").and_then(|mode| mode.as_text()).unwrap_or("all");
    let holds = |(name, wanted): (&str, Value<'_>)| {
        let header = headers.iter().filter(|(other, _)| *other == name).last();
        header.is_some_and(|(_, header)| {
            wanted == Value::Void
                || wanted == header
                || wanted.as_integer().is_some_and(|n| header.as_integer() == Some(n))
        })
    };
    let mut conditions = arguments.iter().filter(|(name, _)| {
        *name != "x-match" && (mode.ends_with("-with-x") || !name.starts_with("x-"))
    });
    if mode.starts_with("all") { conditions.all(holds) } else { conditions.any(holds) }
}

fn key() -> impl Strategy<Value = String> {
    let word = select(vec!["a", "b", "", "*", "#", "#"]);
    prop::collection::vec(word, 0..6).prop_map(|words| words.join("."))
}

fn headers(modes: &'static [&'static str]) -> impl Strategy<Value = Vec<Header>> {
    let name = select(vec!["a", "b", "x-c"]);
    let value =
        select(vec![Value::I32(1), Value::I64(1), Value::U8(2), Value::Text(b"t"), Value::Void]);
    let mode = prop::option::of(select(modes));
    (prop::collection::vec((name, value), 0..4), mode).prop_map(|(mut headers, mode)| {
        headers.extend(mode.map(|mode| ("x-match", Value::Text(mode.as_bytes()))));
        headers
    })
}

fn command() -> impl Strategy<Value = Command> {
    let arguments = || headers(&["all", "any", "all-with-x", "any-with-x"]);
    prop_oneof![
        4 => (0u8..6, key(), arguments()).prop_map(|(d, key, a)| Command::Bind(d, key, a)),
        1 => (0u8..6, key(), arguments()).prop_map(|(d, key, a)| Command::Unbind(d, key, a)),
        2 => any::<usize>().prop_map(Command::UnbindKnown),
        1 => (0u8..6).prop_map(Command::Remove),
        4 => (key(), headers(&["all"])).prop_map(|(key, h)| Command::Route(key, h)),
    ]
}

fn table(entries: &[Header]) -> Table {
    entries
        .iter()
        .fold(TableBuilder::new(), |table, &(name, value)| table.with(name, value))
        .build()
}

fn run(kind: Kind, commands: Vec<Command>) {
    let mut router = Router::new(kind);
    let mut model = Model { kind, bindings: BTreeSet::new() };
    for command in commands {
        match command {
            Command::Bind(destination, key, arguments) => {
                let arguments = table(&arguments);
                let new = router.bind(destination, destination.into(), &key, &arguments);
                assert_eq!(new, model.bindings.insert((destination, key, sorted(&arguments))));
            }
            Command::Unbind(destination, key, arguments) => {
                let arguments = table(&arguments);
                let known = router.unbind(destination, &key, &arguments);
                assert_eq!(known, model.bindings.remove(&(destination, key, sorted(&arguments))));
            }
            Command::UnbindKnown(place) => {
                let place = place % model.bindings.len().max(1);
                if let Some(known) = model.bindings.iter().nth(place).cloned() {
                    assert!(router.unbind(known.0, &known.1, &known.2));
                    model.bindings.remove(&known);
                }
            }
            Command::Remove(destination) => {
                let before = model.bindings.len();
                model.bindings.retain(|binding| binding.0 != destination);
                let removed = router.remove_destination(destination);
                assert_eq!(removed, before - model.bindings.len());
            }
            Command::Route(key, headers) => {
                let headers = table(&headers);
                let mut found = Vec::new();
                let keys = [key.as_bytes()];
                let headers = headers.as_ref();
                let message = Envelope { headers: Some(headers), ..Envelope::with_keys(&keys) };
                router.route(&message, &mut found);
                let expected = model.route(&key, headers);
                assert_eq!(found, expected, "{kind:?} {key:?} {headers:?}");
            }
        }
        validate(&router, &model);
    }
}

/// What holds after every command.
fn validate(router: &Router<u8>, model: &Model) {
    assert_eq!(router.len(), model.bindings.len());
    assert_eq!(router.is_empty(), model.bindings.is_empty());
    let listed = router
        .bindings()
        .map(|binding| (binding.destination, binding.key.to_string(), binding.arguments.clone()));
    assert!(listed.eq(model.bindings.iter().cloned()), "the list has every binding");
    match &router.index {
        Index::Topic(topic) => {
            // A node for each beginning of a key, an edge for those that end in a literal.
            let starts: BTreeSet<Vec<&str>> = (model.bindings.iter())
                .map(|(_, key, _)| words(key))
                .flat_map(|words| (1..=words.len()).map(move |n| words[..n].to_vec()))
                .collect();
            let ends = starts.iter().filter_map(|words| words.last());
            let literals: Vec<_> = ends.filter(|word| !["*", "#"].contains(word)).collect();
            let distinct = literals.iter().collect::<BTreeSet<_>>().len();
            assert_eq!(topic.sizes(), (starts.len(), literals.len(), distinct));
        }
        Index::Headers(headers) if model.bindings.is_empty() => {
            assert_eq!(headers.sizes(), (0, 0));
        }
        Index::Direct(_)
        | Index::Fanout(_)
        | Index::Headers(_)
        | Index::Hashed(..)
        | Index::Modulus(_)
        | Index::Chance(_) => {}
    }
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 0..60)
}

proptest! {
    #[test]
    fn direct_routes_as_the_model(commands in commands()) {
        run(Kind::Direct, commands);
    }

    #[test]
    fn fanout_routes_as_the_model(commands in commands()) {
        run(Kind::Fanout, commands);
    }

    #[test]
    fn topic_routes_as_the_model(commands in commands()) {
        run(Kind::Topic, commands);
    }

    #[test]
    fn headers_route_as_the_model(commands in commands()) {
        run(Kind::Headers, commands);
    }

    /// Longer keys over one letter, so that a walk stands on more nodes than fit the stack.
    #[test]
    fn crowded_tries_route_as_the_model(
        patterns in prop::collection::vec("([a*#]\\.){0,10}[a#]", 0..80),
        key in "(a\\.){0,12}[ab]",
    ) {
        let bind = |(to, pattern)| Command::Bind(to, pattern, Vec::new());
        let mut commands: Vec<_> = (0u8..).zip(patterns).map(bind).collect();
        commands.push(Command::Route(key, Vec::new()));
        run(Kind::Topic, commands);
    }
}
