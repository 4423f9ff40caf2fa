//! Refused declares; every text was compared with RabbitMQ 4.3.6.

use super::*;

/// Refused with this text.
fn refused(declared: Declared, arguments: &[Entry], expected: &str) {
    match QueueOptions::parse(&declaration(declared, arguments)) {
        Ok(_) => panic!("accepted: {arguments:?}"),
        Err(error) => assert_eq!(error.to_string(), expected, "{arguments:?}"),
    }
}

/// Refused because of this value.
fn bad_value(kind: Option<Entry>, argument: Entry, reason: &str) {
    let arguments: Vec<_> = kind.into_iter().chain([argument]).collect();
    let expected = format!("invalid arg '{}' for queue 'q' in vhost '/': {reason}", argument.0);
    refused(SHARED, &arguments, &expected);
}

/// Refused because only another kind has this argument.
fn foreign(kind: Entry, argument: Entry, module: &str) {
    let expected =
        format!("invalid arg '{}' for queue 'q' in vhost '/' of queue type {module}", argument.0);
    refused(SHARED, &[kind, argument], &expected);
}

#[test]
fn what_is_no_whole_number_is_refused() {
    for (value, name) in no_integers() {
        let reason = format!("\"expected integer, got {name}\"");
        for argument in [
            "x-message-ttl",
            "x-expires",
            "x-max-length",
            "x-max-length-bytes",
            "x-max-priority",
            "x-queue-version",
        ] {
            bad_value(None, (argument, value), &reason);
        }
        for argument in [
            "x-quorum-initial-group-size",
            "x-consumer-timeout",
            "x-max-in-memory-bytes",
            "x-consumer-disconnected-timeout",
        ] {
            bad_value(Some(QUORUM), (argument, value), &reason);
        }
    }
}

#[test]
fn what_is_no_string_or_boolean_is_refused() {
    for (value, name) in no_integers().into_iter().chain(widths()) {
        let reason = format!("{{unacceptable_type,{name}}}");
        if name != "longstr" {
            bad_value(None, ("x-overflow", value), &reason);
            bad_value(None, ("x-queue-type", value), &reason);
            bad_value(None, ("x-queue-leader-locator", value), &reason);
            bad_value(None, ("x-dead-letter-routing-key", value), &reason);
            bad_value(Some(QUORUM), ("x-dead-letter-strategy", value), &reason);
            let text = format!(
                "invalid type '{name}' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"
            );
            refused(SHARED, &[("x-dead-letter-exchange", value)], &text);
        }
        if name != "bool" {
            bad_value(None, ("x-single-active-consumer", value), &reason);
        }
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for (name, value, reason) in [
        ("x-message-ttl", int(-1), "{value_negative,-1}"),
        ("x-message-ttl", Value::I64(i64::MIN), "{value_negative,-9223372036854775808}"),
        ("x-message-ttl", Value::I64(315_360_000_001), "{value_too_large,315360000001}"),
        ("x-expires", int(0), "{value_zero,0}"),
        ("x-expires", int(-1), "{value_negative,-1}"),
        ("x-expires", Value::I64(i64::MAX), "{value_too_large,9223372036854775807}"),
        ("x-max-length", int(-1), "{value_negative,-1}"),
        ("x-max-length-bytes", int(-5), "{value_negative,-5}"),
        ("x-max-priority", int(-1), "{value_negative,-1}"),
        ("x-max-priority", int(256), "{max_value_exceeded,256}"),
        ("x-queue-version", int(3), "\"unsupported queue version '3'\""),
        ("x-queue-version", int(0), "\"unsupported queue version '0'\""),
        ("x-queue-version", int(-1), "{value_negative,-1}"),
    ] {
        bad_value(None, (name, value), reason);
    }
    for (name, value, reason) in [
        ("x-quorum-initial-group-size", int(0), "{value_zero,0}"),
        ("x-quorum-initial-group-size", int(-1), "{value_negative,-1}"),
        ("x-consumer-timeout", int(-1), "{value_negative,-1}"),
        ("x-consumer-disconnected-timeout", int(-1), "{value_negative,-1}"),
        ("x-max-in-memory-length", int(-1), "{value_negative,-1}"),
    ] {
        bad_value(Some(QUORUM), (name, value), reason);
    }
    let longest = [("x-message-ttl", Value::I64(MAX_EXPIRY_MS))];
    assert!(parse(&longest).is_ok(), "ten years to the millisecond are allowed");
}

#[test]
fn words_that_do_not_exist_are_refused() {
    for (name, word, reason) in [
        ("x-overflow", "abc", "invalid_overflow"),
        ("x-overflow", "", "invalid_overflow"),
        ("x-queue-leader-locator", "abc", "invalid_queue_locator_arg"),
        ("x-dead-letter-routing-key", "k", "routing_key_but_no_dlx_defined"),
        ("x-queue-type", "zzz", "\"unsupported queue type 'zzz'\""),
        ("x-queue-type", "Classic", "\"unsupported queue type 'Classic'\""),
        (
            "x-queue-type",
            "rabbit_classic_queue",
            "\"unsupported queue type 'rabbit_classic_queue'\"",
        ),
        ("x-queue-type", "é\"\\\n", "\"unsupported queue type 'é\\\"\\\\\\n'\""),
        (
            "x-queue-type",
            "日",
            "[117,110,115,117,112,112,111,114,116,101,100,32,113,117,101,117,101,32,116,121,112,\
             101,32,39,26085,39]",
        ),
    ] {
        bad_value(None, (name, text(word)), reason);
    }
    bad_value(Some(QUORUM), ("x-dead-letter-strategy", text("a")), "invalid_dlx_strategy");
    let not_utf8 = Value::Text(b"\xFF\xFE");
    bad_value(None, ("x-queue-type", not_utf8), "\"unsupported queue type 'ÿþ'\"");
}

#[test]
fn arguments_of_other_kinds_are_refused() {
    let classic = ("x-queue-type", text("classic"));
    for name in ["x-max-age", "x-dead-letter-strategy", "x-quorum-initial-group-size"] {
        foreign(classic, (name, int(0)), "rabbit_classic_queue");
    }
    for name in ["x-max-priority", "x-queue-mode", "x-queue-version", "x-initial-cluster-size"] {
        foreign(QUORUM, (name, int(5)), "rabbit_quorum_queue");
    }
    for name in ["x-message-ttl", "x-max-length", "x-single-active-consumer", "x-delivery-limit"] {
        foreign(STREAM, (name, int(5)), "rabbit_stream_queue");
    }
    foreign(STREAM, DLX, "rabbit_stream_queue");
}

#[test]
fn the_first_foreign_argument_is_named_by_place_or_by_name() {
    let arguments = [("x-max-age", int(1)), ("x-dead-letter-strategy", int(1))];
    let text = |name: &str| {
        format!(
            "invalid arg '{name}' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"
        )
    };
    refused(SHARED, &arguments, &text("x-dead-letter-strategy"));
    let [first, second] = arguments;
    let said = [first, second, ("x-queue-type", Value::Text(b"classic"))];
    refused(SHARED, &said, &text("x-max-age"));
}

#[test]
fn the_first_fault_in_rabbitmqs_order_is_reported() {
    let ttl = ("x-message-ttl", int(-1));
    let kind = ("x-queue-type", text("zzz"));
    refused(
        SHARED,
        &[ttl, kind],
        "invalid arg 'x-queue-type' for queue 'q' in vhost '/': \"unsupported queue type 'zzz'\"",
    );
    refused(
        SHARED,
        &[ttl, ("x-max-age", int(1)), ("x-expires", int(0))],
        "invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}",
    );
    refused(
        SHARED,
        &[ttl, ("x-dead-letter-exchange", int(1))],
        "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'",
    );
}

#[test]
fn replicated_queues_are_durable_shared_and_stay() {
    let owner = Some(ConnectionId(1));
    for kind in [QUORUM, STREAM] {
        for (declared, property) in [
            (Declared { auto_delete: true, ..SHARED }, "auto-delete"),
            (Declared { owner, ..SHARED }, "exclusive-owner"),
            (Declared { durable: false, ..SHARED }, "non-durable"),
            (Declared { durable: false, auto_delete: true, owner, ..SHARED }, "auto-delete"),
        ] {
            let text = format!("invalid property '{property}' for queue 'q' in vhost '/'");
            refused(declared, &[kind], &text);
        }
    }
    let bad = [QUORUM, ("x-expires", int(0))];
    let text = "invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}";
    refused(Declared { auto_delete: true, ..SHARED }, &bad, text);
}

#[test]
fn only_classic_queues_are_named_by_the_server() {
    let declared = Declared { server_named: true, ..SHARED };
    for (kind, expected) in [
        ("quorum", "Cannot declare a server-named queue for type rabbit_quorum_queue"),
        ("stream", "Cannot declare a server-named queue for type rabbit_stream_queue"),
        ("zzz", "unknown queue type 'zzz'"),
    ] {
        refused(declared, &[("x-queue-type", text(kind))], expected);
    }
    assert!(QueueOptions::parse(&declaration(declared, &[])).is_ok());
}
