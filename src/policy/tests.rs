//! What is refused, who governs what, and what comes out. The tables were compared with RabbitMQ
//! 4.3.6, over HTTP.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::queue::options::QueueKind::{Classic, Quorum, Stream};
use crate::queue::options::{Declaration, Declared, DeliveryLimit, Overflow, QueueOptions};
use crate::wire::table::{TableBuilder, Value as Argument};

fn body(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

fn policy(class: Class, name: &str, said: &Value) -> Policy {
    Policy::read(class, name, body(said)).expect("accepted")
}

fn user(name: &str, pattern: &str, priority: i64, definition: &Value) -> Policy {
    let said = json!({"pattern": pattern, "priority": priority, "definition": definition});
    policy(Class::User, name, &said)
}

fn refusal(class: Class, said: &Value) -> String {
    let refused = Policy::read(class, "p", body(said)).expect_err("refused").to_string();
    let inner = refused.strip_prefix("Validation failed\n\n").and_then(|it| it.strip_suffix('\n'));
    inner.expect("RabbitMQ's frame").to_owned()
}

fn definition(class: Class, said: Value) -> Result<Policy, Invalid> {
    let said = json!({"pattern": "x", "definition": said});
    Policy::read(class, "p", body(&said))
}

#[test]
fn definitions_that_are_refused() {
    for (said, text) in [
        (json!({"nonsense": 1}), r#"[{<<"nonsense">>,1}] are not recognised policy settings"#),
        (
            json!({"message-ttl": 1, "nonsense": 1}),
            r#"[{<<"nonsense">>,1}] are not recognised policy settings"#,
        ),
        (
            json!({"ha-mode": "all", "x": ""}),
            r#"[{<<"ha-mode">>,<<"all">>},{<<"x">>,<<>>}] are not recognised policy settings"#,
        ),
        (json!({}), "no policy provided"),
        (json!({"message-ttl": "1"}), r#"<<"1">> is not a valid message TTL"#),
        (json!({"message-ttl": -1}), "-1 is not a valid message TTL"),
        (json!({"message-ttl": 1.5}), "1.5 is not a valid message TTL"),
        (json!({"message-ttl": true}), "true is not a valid message TTL"),
        (json!({"message-ttl": null}), "null is not a valid message TTL"),
        (json!({"message-ttl": [1, 2]}), "[1,2] is not a valid message TTL"),
        (json!({"message-ttl": {"a": 1}}), r#"#{<<"a">> => 1} is not a valid message TTL"#),
        (json!({"message-ttl": -1, "x": 1}), "-1 is not a valid message TTL"),
        (json!({"expires": 0, "message-ttl": -1}), "0 is not a valid queue expiry"),
        (json!({"expires": "a\"b"}), r#"<<"a\"b">> is not a valid queue expiry"#),
        (json!({"max-length": -1}), "-1 is not a valid maximum length"),
        (json!({"max-length-bytes": "x"}), r#"<<"x">> is not a valid maximum length in bytes"#),
        (json!({"alternate-exchange": 5}), "5 is not a valid alternate exchange name"),
        (json!({"dead-letter-exchange": 5}), "5 is not a valid dead letter exchange name"),
        (json!({"dead-letter-routing-key": 5}), "5 is not a valid dead letter routing key"),
        (json!({"dead-letter-strategy": "x"}), r#"<<"x">> is not a valid dead letter strategy"#),
        (json!({"overflow": "x"}), r#"<<"x">> is not a valid overflow value"#),
        (json!({"queue-mode": "x"}), r#"<<"x">> is not a valid queue-mode value"#),
        (json!({"queue-version": 3}), "3 is not a valid queue-version value"),
        (json!({"delivery-limit": "x"}), r#"<<"x">> is not a valid delivery limit"#),
        (json!({"consumer-timeout": -1}), "-1 is not a valid consumer timeout"),
        (json!({"max-age": "1x"}), r#"<<"1x">> is not a valid max age"#),
        (
            json!({"queue-leader-locator": "min-masters"}),
            r#"<<"min-masters">> is not a valid queue leader locator value"#,
        ),
        (json!({"initial-cluster-size": -1}), "-1 is not a valid cluster size"),
        (json!({"stream-max-segment-size-bytes": -1}), "-1 is not a valid segment size"),
        (
            json!({"stream-filter-size-bytes": 1}),
            "1 is not a valid filter size. Valid range is 16-255",
        ),
        (json!({"max-in-memory-length": -1}), "-1 is not a valid maximum memory in bytes"),
        (json!({"target-group-size": 0}), "0 is not a valid qq target count value"),
        (
            json!({"delayed-retry-type": "all"}),
            "delayed-retry-min is required when delayed-retry-type is all",
        ),
        (
            json!({"delayed-retry-type": "x"}),
            "<<\"x\">> is not a valid delayed retry type. Must be one of: all, failed, returned, \
             disabled",
        ),
        (
            json!({"delayed-retry-min": -1}),
            "-1 is not a valid delayed retry minimum delay. Must be a positive integer",
        ),
        (
            json!({"queue-master-locator": "min-masters"}),
            "use of deprecated queue-master-locator argument is not permitted",
        ),
        (json!({"retry-delay": 0}), "0 is not a valid retry delay"),
    ] {
        assert_eq!(refusal(Class::User, &json!({"pattern": "x", "definition": said})), text);
    }
}

#[test]
fn definitions_that_are_accepted() {
    for said in [
        json!({"message-ttl": 0}),
        json!({"message-ttl": 1_000_000_000_000_000_u64}),
        json!({"expires": 1}),
        json!({"max-length": 0}),
        json!({"alternate-exchange": ""}),
        json!({"dead-letter-routing-key": "without an exchange"}),
        json!({"delivery-limit": -2}),
        json!({"consumer-timeout": 0}),
        json!({"queue-version": 1}),
        json!({"queue-leader-locator": "balanced"}),
        json!({"federation-upstream-set": "all"}),
        json!({"delayed-retry-min": 100}),
        json!({"delayed-retry-type": "disabled"}),
        json!({"max-age": "1h"}),
    ] {
        assert!(definition(Class::User, said.clone()).is_ok(), "{said}");
    }
}

#[test]
fn operators_know_fewer_keys() {
    let theirs = [
        ("delayed-retry-max", json!(1)),
        ("delayed-retry-min", json!(1)),
        ("delayed-retry-type", json!("disabled")),
        ("delivery-limit", json!(3)),
        ("expires", json!(1)),
        ("max-in-memory-bytes", json!(1)),
        ("max-in-memory-length", json!(1)),
        ("max-length", json!(1)),
        ("max-length-bytes", json!(1)),
        ("message-ttl", json!(1)),
        ("overflow", json!("drop-head")),
        ("queue-version", json!(2)),
        ("target-group-size", json!(3)),
    ];
    for (key, value) in theirs {
        assert!(definition(Class::Operator, json!({key: value})).is_ok(), "{key}");
    }
    for (key, value) in [("alternate-exchange", "x"), ("dead-letter-exchange", "x")] {
        let said = json!({"pattern": "x", "definition": {key: value}});
        let text = format!(r#"[{{<<"{key}">>,<<"{value}">>}}] are not recognised policy settings"#);
        assert_eq!(refusal(Class::Operator, &said), text);
    }
}

#[test]
fn bodies_that_are_refused() {
    let with = |key: &str, value: Value| {
        let mut said = json!({"pattern": "x", "definition": {"message-ttl": 1}});
        said[key] = value;
        refusal(Class::User, &said)
    };
    let number = |said: &str| format!("priority should be a number, actually was {said}");
    assert_eq!(with("priority", json!("5")), number(r#"<<"5">>"#));
    assert_eq!(with("priority", Value::Null), number("null"));
    let unrecognised = "apply-to 'nonsense' unrecognised; should be one of: 'queues', \
                        'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'";
    assert_eq!(with("apply-to", json!("nonsense")), unrecognised);
    assert_eq!(with("pattern", json!(5)), "pattern should be a binary but was 5");
    for pattern in ["(", "[", "*"] {
        let text = with("pattern", json!(pattern));
        let start = "pattern should be regular expression but is invalid: {\"";
        assert!(text.starts_with(start) && !text.contains('\n'), "{text}");
    }
    assert_eq!(with("definition", json!(5)), "definition must be a dictionary: 5");
    for (said, missing) in [
        (json!({"definition": {"expires": 1}}), "[{key_missing,pattern}]"),
        (json!({"pattern": "x"}), "[{key_missing,definition}]"),
    ] {
        let refused = Policy::read(Class::User, "p", body(&said)).expect_err("refused");
        assert_eq!(refused.to_string(), missing);
    }
}

#[test]
fn bodies_that_are_accepted() {
    for (key, value) in [
        ("priority", json!(1.5)),
        ("priority", json!(-3)),
        ("unknown", json!(3)),
        ("pattern", json!("")),
        ("pattern", json!("^(?!amq\\.)")),
        ("pattern", json!("(a)\\1")),
        ("apply-to", json!("classic_queues")),
        ("apply-to", json!("streams")),
    ] {
        let mut said = json!({"pattern": "x", "definition": {"message-ttl": 1}});
        said[key] = value;
        assert!(Policy::read(Class::User, "p", body(&said)).is_ok(), "{said}");
    }
}

#[test]
fn patterns_match_anywhere() {
    let meant = |pattern: &str| {
        let policy = user("p", pattern, 0, &json!({"max-length": 1}));
        policy.governs(Object::Queue { name: "compat.classic", kind: Classic })
    };
    for pattern in ["at.cl", "(?i)COMPAT", "compat.classic$", "compat(?=\\.cl)", ""] {
        assert!(meant(pattern), "{pattern}");
    }
    for pattern in ["COMPAT", "^$", "a.c$", "^(?!compat)"] {
        assert!(!meant(pattern), "{pattern}");
    }
}

/// Which kinds of queues obey which keys.
#[test]
fn one_key_too_many_keeps_a_policy_away() {
    let all = [Classic, Quorum, Stream];
    for (key, value, kinds) in [
        ("alternate-exchange", json!("x"), &all[..]),
        ("dead-letter-exchange", json!("x"), &all[..2]),
        ("dead-letter-strategy", json!("at-most-once"), &[Quorum]),
        ("message-ttl", json!(1), &all[..2]),
        ("max-length-bytes", json!(1), &all),
        ("max-in-memory-length", json!(1), &[Quorum]),
        ("queue-mode", json!("lazy"), &[Classic]),
        ("overflow", json!("drop-head"), &all[..2]),
        ("consumer-timeout", json!(1), &all),
        ("max-age", json!("1h"), &[Stream]),
        ("target-group-size", json!(3), &[Quorum]),
    ] {
        let policy = user("p", "", 0, &json!({key: value, "max-length-bytes": 7}));
        for kind in all {
            let governs = policy.governs(Object::Queue { name: "q", kind });
            assert_eq!(governs, kinds.contains(&kind), "{key} on {kind:?}");
        }
    }
}

#[test]
fn apply_to() {
    let objects = [
        Object::Exchange { name: "x" },
        Object::Queue { name: "x", kind: Classic },
        Object::Queue { name: "x", kind: Quorum },
        Object::Queue { name: "x", kind: Stream },
    ];
    for (apply_to, governs) in [
        ("all", [true, true, true, true]),
        ("queues", [false, true, true, true]),
        ("exchanges", [true, false, false, false]),
        ("classic_queues", [false, true, false, false]),
        ("quorum_queues", [false, false, true, false]),
        ("streams", [false, false, false, true]),
    ] {
        let said = json!({
            "pattern": "", "apply-to": apply_to, "definition": {"max-length-bytes": 1},
        });
        let policy = policy(Class::User, "p", &said);
        assert_eq!(policy.apply_to.name(), apply_to);
        assert_eq!(objects.map(|object| policy.governs(object)), governs, "{apply_to}");
    }
}

#[test]
fn the_highest_priority_wins_and_then_the_first_name() {
    let mut policies = Policies::default();
    let first = |policies: &Policies| {
        let object = Object::Queue { name: "q", kind: Classic };
        policies.first_for(object).map(|policy| policy.name.clone())
    };
    for name in ["b", "a", "c"] {
        assert!(policies.put(user(name, "q", 1, &json!({"max-length": 1}))));
    }
    assert_eq!(first(&policies).as_deref(), Some("a"));
    let half = json!({"pattern": "q", "priority": 1.5, "definition": {"max-length": 1}});
    policies.put(policy(Class::User, "z", &half));
    assert_eq!(first(&policies).as_deref(), Some("z"));
    assert!(!policies.put(user("z", "other", 9, &json!({"max-length": 1}))), "replaced");
    assert_eq!(first(&policies).as_deref(), Some("a"));
    policies.remove("a");
    assert_eq!(first(&policies).as_deref(), Some("b"));
}

#[test]
fn policy_and_operator_policy() {
    for (ours, theirs, merged) in [
        (json!({"max-length": 5}), json!({"max-length": 7}), json!({"max-length": 5})),
        (
            json!({"max-length": 9, "message-ttl": 5}),
            json!({"max-length": 7, "expires": 1000}),
            json!({"max-length": 7, "message-ttl": 5, "expires": 1000}),
        ),
        (
            json!({"overflow": "drop-head"}),
            json!({"overflow": "reject-publish"}),
            json!({"overflow": "reject-publish"}),
        ),
        (json!({"queue-version": 2}), json!({"queue-version": 1}), json!({"queue-version": 1})),
        (json!({"delivery-limit": 3}), json!({"delivery-limit": 5}), json!({"delivery-limit": 3})),
        (json!({"delivery-limit": -1}), json!({"delivery-limit": 5}), json!({"delivery-limit": 5})),
        (json!({"delivery-limit": 5}), json!({"delivery-limit": -1}), json!({"delivery-limit": 5})),
        (json!({"delivery-limit": 0}), json!({"delivery-limit": 5}), json!({"delivery-limit": 0})),
        (
            json!({"delivery-limit": -2}),
            json!({"delivery-limit": -1}),
            json!({"delivery-limit": -1}),
        ),
        (
            json!({"delayed-retry-min": 100, "delayed-retry-max": 100}),
            json!({"delayed-retry-min": 50, "delayed-retry-max": 50}),
            json!({"delayed-retry-min": 100, "delayed-retry-max": 50}),
        ),
        (
            json!({"target-group-size": 3}),
            json!({"target-group-size": 5}),
            json!({"target-group-size": 5}),
        ),
    ] {
        let of = |class, said: &Value| definition(class, said.clone()).expect("good").definition;
        let found = of(Class::User, &ours).merged(&of(Class::Operator, &theirs));
        assert_eq!(Value::Object(found.as_map().clone()), merged, "{ours} and {theirs}");
    }
}

fn declared(kind: QueueKind, arguments: &[(&str, Argument<'_>)]) -> QueueOptions {
    let mut table = TableBuilder::new();
    for (name, value) in arguments {
        table.push(name, *value);
    }
    let durable = Declared { durable: true, ..Declared::default() };
    let declaration = Declaration::new("/".into(), "q".into(), durable, &table.build(), kind);
    QueueOptions::parse(&declaration).expect("accepted")
}

fn governed(declared: &QueueOptions, said: Value) -> QueueOptions {
    let said = definition(Class::User, said).expect("good").definition;
    effective::queue_options(declared.clone(), &said)
}

#[test]
fn of_two_limits_the_lower_holds_whoever_said_it() {
    let queue = declared(Classic, &[("x-max-length", Argument::I32(5))]);
    let length = |said| governed(&queue, json!({"max-length": said})).max_length;
    assert_eq!((length(3), length(7)), (Some(3), Some(5)));
    let queue = declared(Classic, &[("x-message-ttl", Argument::I32(50))]);
    let ttl = |said| governed(&queue, json!({"message-ttl": said})).message_ttl;
    assert_eq!(ttl(30), Some(std::time::Duration::from_millis(30)));
    assert_eq!(ttl(70), queue.message_ttl);
    let unlimited = declared(Classic, &[("x-delivery-limit", Argument::I32(-1))]);
    let limited = governed(&unlimited, json!({"delivery-limit": 4}));
    assert_eq!(limited.delivery_limit, Some(DeliveryLimit::Times(4)));
}

#[test]
fn an_argument_goes_before_a_policy() {
    let dlx = ("x-dead-letter-exchange", Argument::Text(b"mine"));
    let queue = declared(Classic, &[dlx, ("x-overflow", Argument::Text(b"drop-head"))]);
    let found = governed(
        &queue,
        json!({
            "dead-letter-exchange": "theirs", "dead-letter-routing-key": "key",
            "overflow": "reject-publish",
        }),
    );
    assert_eq!(found.dead_letter_exchange, Some("mine".into()));
    assert_eq!(found.dead_letter_routing_key.as_deref(), Some(&b"key"[..]));
    assert_eq!(found.overflow, Some(Overflow::DropHead));
    let plain = declared(Quorum, &[]);
    let found = governed(&plain, json!({"overflow": "reject-publish-dlx"}));
    assert_eq!(found.overflow, Some(Overflow::DropHead), "as if it were an argument");
}

#[test]
fn retries_by_policy() {
    let said = json!({"delayed-retry-type": "failed", "delayed-retry-min": 100});
    let classic = governed(&declared(Classic, &[]), said.clone());
    assert_eq!(classic, declared(Classic, &[]), "these keys concern quorum queues alone");
    assert!(governed(&declared(Quorum, &[]), said).retry.delayed.is_some());
    let own = governed(&declared(Classic, &[]), json!({"retry-delay": 5, "retry-jitter": 20}));
    assert_eq!(own.retry.jitter, Some(20));
}

fn some_definition() -> impl Strategy<Value = Value> {
    const LIMITS: &[&str] = &["max-length", "max-length-bytes", "message-ttl", "delivery-limit"];
    let entries = prop::collection::btree_map(prop::sample::select(LIMITS), 0..20_i64, 1..4);
    entries.prop_map(|entries| {
        entries.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect()
    })
}

fn some_policies() -> impl Strategy<Value = Vec<Policy>> {
    let one = ("[a-e]", "[xyz]?", -2..3_i64, some_definition());
    let one =
        one.prop_map(|(name, pattern, priority, said)| user(&name, &pattern, priority, &said));
    prop::collection::vec(one, 0..8).prop_map(|mut all| {
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        all
    })
}

proptest! {
    #[test]
    fn the_order_in_which_policies_come_does_not_matter(
        (policies, shuffled) in some_policies().prop_flat_map(|all| {
            (Just(all.clone()), Just(all).prop_shuffle())
        }),
        name in "[xyz]{1,2}",
    ) {
        let object = Object::Queue { name: &name, kind: Classic };
        let (mut straight, mut other) = (Policies::default(), Policies::default());
        policies.iter().for_each(|policy| { straight.put(policy.clone()); });
        shuffled.into_iter().for_each(|policy| { other.put(policy); });
        prop_assert_eq!(straight.first_for(object), other.first_for(object));
        // And it is the naive one.
        let mut naive: Option<&Policy> = None;
        for policy in policies.iter().filter(|policy| policy.pattern.matches(&name)) {
            if naive.is_none_or(|best| policy.rank() > best.rank()) {
                naive = Some(policy);
            }
        }
        prop_assert_eq!(straight.first_for(object).map(|policy| &**policy), naive);
    }

    #[test]
    fn a_policy_that_came_and_went_was_never_there(
        policies in some_policies(), name in "[f-h]", said in some_definition(),
    ) {
        let mut all = Policies::default();
        policies.into_iter().for_each(|policy| { all.put(policy); });
        let object = Object::Queue { name: "xy", kind: Classic };
        let before = Governing::of(object, &all, &Policies::default());
        all.put(user(&name, "", 9, &said));
        all.remove(&name);
        prop_assert_eq!(Governing::of(object, &all, &Policies::default()), before);
    }

    #[test]
    fn a_limit_never_exceeds_what_anybody_said(
        ours in some_definition(), theirs in some_definition(), declared_length in 0..20_i32,
    ) {
        let of = |class, said: &Value| definition(class, said.clone()).expect("good").definition;
        let (ours, theirs) = (of(Class::User, &ours), of(Class::Operator, &theirs));
        let merged = ours.merged(&theirs);
        prop_assert_eq!(&theirs.merged(&ours), &merged, "for limits, whose it is does not matter");
        let queue = declared(Classic, &[("x-max-length", Argument::I32(declared_length))]);
        let found = effective::queue_options(queue.clone(), &merged).max_length.expect("said");
        let most = [queue.max_length, ours.natural("max-length"), theirs.natural("max-length")];
        prop_assert_eq!(Some(found), most.into_iter().flatten().min());
    }
}
