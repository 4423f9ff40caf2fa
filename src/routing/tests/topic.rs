//! Stories of topic exchanges.

use super::check;
use crate::routing::topic::Topic;
use crate::routing::{Envelope, Kind, Router};
use crate::wire::table::Table;

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
        router.bind(hashes, 0, &("#.a.".repeat(hashes) + "b"), &none);
        router.bind(hashes, 0, &("#.*.".repeat(hashes) + "b"), &none);
        router.bind(hashes, 0, &("#.".repeat(hashes) + "b"), &none);
    }
    let mut found = Vec::new();
    router.route(&Envelope::with_keys(&[["a"; 127].join(".").as_bytes()]), &mut found);
    assert!(found.is_empty());
    let long = [&["a"; 126][..], &["b"]].concat().join(".");
    router.route(&Envelope::with_keys(&[long.as_bytes()]), &mut found);
    assert_eq!(found, (1..40).collect::<Vec<_>>());
}

#[test]
fn topic_takes_any_bytes() {
    let mut router = Router::new(Kind::Topic);
    router.bind(1, 0, "*.\u{fc}", &Table::default());
    let mut found = Vec::new();
    router.route(&Envelope::with_keys(&[b"\xff\x00.\xc3\xbc"]), &mut found);
    router.route(&Envelope::with_keys(&[b"\xff\x00.\xc3"]), &mut found);
    assert_eq!(found, [1]);
}
