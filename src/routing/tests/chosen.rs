//! Kinds that send a message to one of their destinations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::super::*;
use crate::wire::content::{Property, header};
use crate::wire::table::Value;

const CHOOSING: [Kind; 4] =
    [Kind::ConsistentHash, Kind::ModulusHash, Kind::Random, Kind::LocalRandom];

/// Who gets a message, which is one at most.
fn chosen(router: &Router<u8>, message: &Envelope<'_>) -> Option<u8> {
    let mut found = Vec::new();
    router.route(message, &mut found);
    assert!(found.len() <= 1, "one destination at most");
    found.pop()
}

fn bound(kind: Kind, bindings: &[(u8, &str)]) -> Router<u8> {
    let mut router = Router::new(kind);
    for &(destination, key) in bindings {
        let seed = seed(&["queue", &destination.to_string()]);
        router.bind(destination, seed, key, &Table::default());
    }
    router
}

#[test]
fn what_is_hashed_on_decides() {
    let bindings: Vec<u8> = (0..10).collect();
    let hashing = |on: HashOn| {
        let mut router = Router::hashing(on);
        for &destination in &bindings {
            router.bind(destination, seed(&[&destination.to_string()]), "1", &Table::default());
        }
        router
    };
    // Each router gets messages that differ in all they can be hashed on; only one of the
    // differences may matter to it.
    let to = |router: &Router<u8>, key: &str, tag: &str, id: &str| {
        let table = TableBuilder::new().with("tag", Value::Text(tag.as_bytes())).build();
        let short = [&[u8::try_from(id.len()).unwrap()], id.as_bytes()].concat();
        let properties = header(0, &[(Property::MessageId, &short)]);
        let keys = [key.as_bytes()];
        let headers = Some(table.as_ref());
        chosen(router, &Envelope { keys: &keys, headers, properties: &properties, chance: 0 })
    };
    let spread = |router: &Router<u8>, by: &dyn Fn(usize) -> [String; 3]| {
        let each = (0..50).map(by).map(|[key, tag, id]| to(router, &key, &tag, &id));
        each.collect::<BTreeSet<_>>().len()
    };
    let routers = [
        hashing(HashOn::RoutingKey),
        hashing(HashOn::Header("tag".into())),
        hashing(HashOn::Property(Property::MessageId)),
    ];
    for (mine, router) in routers.iter().enumerate() {
        for part in 0..3 {
            let by = |n: usize| {
                let mut parts = ["k".to_owned(), "t".to_owned(), "i".to_owned()];
                parts[part] = n.to_string();
                parts
            };
            let places = spread(router, &by);
            assert_eq!(places > 5, part == mine, "{mine} {part}: {places}");
        }
    }
}

#[test]
fn messages_without_what_is_hashed_on_stay_together() {
    for on in [HashOn::Header("tag".into()), HashOn::Property(Property::Timestamp)] {
        let mut router = Router::hashing(on);
        for destination in 0..10 {
            router.bind(destination, seed(&[&destination.to_string()]), "1", &Table::default());
        }
        let to = |key: &str| chosen(&router, &Envelope::with_keys(&[key.as_bytes()]));
        assert!((0..20).all(|n| to(&n.to_string()) == to("")));
    }
}

#[test]
fn numbers_of_every_width_are_the_same_header() {
    let mut router = Router::hashing(HashOn::Header("n".into()));
    for destination in 0..50 {
        router.bind(destination, seed(&[&destination.to_string()]), "1", &Table::default());
    }
    let to = |value| {
        let table = TableBuilder::new().with("n", value).build();
        chosen(&router, &Envelope { headers: Some(table.as_ref()), ..Envelope::default() })
    };
    for n in 0..100i8 {
        assert_eq!(to(Value::I8(n)), to(Value::I64(n.into())));
        assert_eq!(to(Value::I16(n.into())), to(Value::I32(n.into())));
    }
    assert_eq!(to(Value::I8(-1)), to(Value::I64(-1)));
}

#[test]
fn several_keys_still_mean_one_destination() {
    for kind in CHOOSING {
        let router = bound(kind, &[(1, "1"), (2, "1"), (3, "1")]);
        assert!(chosen(&router, &Envelope::with_keys(&[b"a", b"b", b"c"])).is_some());
    }
    // As in RabbitMQ, the first key is the one that counts.
    let router = bound(Kind::ConsistentHash, &[(1, "1"), (2, "1"), (3, "1")]);
    for n in 0..20 {
        let key = n.to_string();
        let alone = chosen(&router, &Envelope::with_keys(&[key.as_bytes()]));
        assert_eq!(chosen(&router, &Envelope::with_keys(&[key.as_bytes(), b"cc"])), alone);
    }
}

#[test]
fn weights_are_whole_numbers_from_one_up() {
    let refused = |key| {
        let refused = Kind::ConsistentHash.check_binding(key, &Table::default());
        refused.expect_err("refused").to_string()
    };
    assert_eq!(refused("abc"), "The binding key must be an integer: <<\"abc\">>");
    assert_eq!(refused(""), "The binding key must be an integer: <<>>");
    assert_eq!(refused("1.5"), "The binding key must be an integer: <<\"1.5\">>");
    assert_eq!(refused("0"), "The binding key must be greater than 0");
    assert_eq!(refused("-3"), "The binding key must be greater than 0");
    assert_eq!(refused("10001"), "The binding key must not exceed 10000");
    assert_eq!(refused("99999999999999999999999"), "The binding key must not exceed 10000");
    for good in ["1", "+5", "007", "10000"] {
        assert_eq!(Kind::ConsistentHash.check_binding(good, &Table::default()), Ok(()));
    }
    let refused = Kind::LocalRandom.check_binding("k", &Table::default()).unwrap_err();
    assert_eq!(refused.to_string(), "Non empty binding 'k' key not permitted");
}

#[test]
fn chance_reaches_everybody() {
    for kind in [Kind::Random, Kind::LocalRandom] {
        let router = bound(kind, &[(1, ""), (2, ""), (3, "")]);
        let with = |chance| Envelope { chance, ..Envelope::with_keys(&[b"k"]) };
        let found: BTreeSet<_> = (0..30).map(|chance| chosen(&router, &with(chance))).collect();
        assert_eq!(found, BTreeSet::from([Some(1), Some(2), Some(3)]));
    }
}

type Binding = (u8, String);

fn bindings() -> impl Strategy<Value = Vec<Binding>> {
    let weight = select(vec!["1", "2", "7", "100"]);
    prop::collection::vec((0u8..8, weight.prop_map(str::to_owned)), 0..20)
}

proptest! {
    /// Who gets a message depends on the bindings that there are, whatever came and went before
    /// and in which order; it is one of those bound; and only what lost its destination, or went
    /// to the new one, moves.
    #[test]
    fn only_the_bindings_decide(
        kind in select(CHOOSING.to_vec()),
        there in bindings(),
        gone in bindings(),
        chance in any::<u64>(),
        keys in prop::collection::vec("[a-z]{0,12}", 1..40),
    ) {
        fn pairs(bindings: &[Binding]) -> Vec<(u8, &str)> {
            bindings.iter().map(|(to, key)| (*to, key.as_str())).collect()
        }
        let plain = bound(kind, &pairs(&there));
        let mut eventful = bound(kind, &pairs(&[gone.clone(), there.clone()].concat()));
        for (to, key) in gone.iter().filter(|binding| !there.contains(binding)) {
            eventful.unbind(*to, key, &Table::default());
        }
        let mut weights = BTreeMap::new();
        for (to, key) in there.iter().collect::<BTreeSet<_>>() {
            *weights.entry(*to).or_insert(0) += key.parse::<u64>().unwrap();
        }
        for key in &keys {
            let keys = [key.as_bytes()];
            let message = Envelope { chance, ..Envelope::with_keys(&keys) };
            let to = chosen(&plain, &message);
            prop_assert_eq!(to, chosen(&eventful, &message));
            prop_assert_eq!(to.is_some(), !weights.is_empty());
            prop_assert!(to.is_none_or(|to| weights.contains_key(&to)));
            let Some(to) = to.filter(|_| kind == Kind::ConsistentHash) else { continue };
            let mut fewer = plain.clone();
            let other = *weights.keys().find(|each| **each != to).unwrap_or(&to);
            fewer.remove_destination(other);
            if other != to {
                prop_assert_eq!(chosen(&fewer, &message), Some(to), "what was not there stays");
            }
        }
    }
}
