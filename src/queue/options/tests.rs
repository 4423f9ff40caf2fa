//! Every text here was compared with RabbitMQ 4.3.6, except where a comment says otherwise.

mod redeclared;
mod refused;

use super::*;
use crate::names::ConnectionId;
use crate::wire::table::{Table, TableBuilder};

type Entry = (&'static str, Value<'static>);

/// Durable and shared: what a quorum queue must be.
const SHARED: Declared =
    Declared { durable: true, auto_delete: false, owner: None, server_named: false };
const QUORUM: Entry = ("x-queue-type", Value::Text(b"quorum"));
const STREAM: Entry = ("x-queue-type", Value::Text(b"stream"));
const DLX: Entry = ("x-dead-letter-exchange", Value::Text(b"dlx"));

fn int(number: i32) -> Value<'static> {
    Value::I32(number)
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text(text.as_bytes())
}

fn table(entries: &[Entry]) -> Table {
    let mut table = TableBuilder::new();
    for (name, value) in entries {
        table.push(name, *value);
    }
    table.build()
}

fn declaration(declared: Declared, arguments: &[Entry]) -> Declaration {
    let arguments = table(arguments);
    Declaration::new("/".into(), "q".into(), declared, &arguments, QueueKind::Classic)
}

fn parse(arguments: &[Entry]) -> Result<QueueOptions, InvalidArgument> {
    QueueOptions::parse(&declaration(SHARED, arguments))
}

/// A value from its bytes on the wire, type first.
fn raw(bytes: &[u8]) -> Value<'static> {
    let entry = [b"\x01v", bytes].concat();
    let table = Box::leak(Box::new(Table::checked(&entry).expect("a table")));
    table.get("v").expect("its only entry")
}

/// A value of every type that is no whole number, with the name of its type.
fn no_integers() -> [(Value<'static>, &'static str); 10] {
    [
        (text("60000"), "longstr"),
        (Value::Bytes(b"60000"), "binary"),
        (Value::F32(60000.0), "float"),
        (Value::F64(60000.0), "double"),
        (Value::Decimal { scale: 2, digits: 500 }, "decimal"),
        (Value::Timestamp(5), "timestamp"),
        (Value::Bool(true), "bool"),
        (Value::Void, "void"),
        (raw(b"A\0\0\0\x05I\0\0\0\x01"), "array"),
        (raw(b"F\0\0\0\0"), "table"),
    ]
}

/// The same small number in every width.
fn widths() -> [(Value<'static>, &'static str); 7] {
    [
        (Value::I8(5), "byte"),
        (Value::U8(5), "unsignedbyte"),
        (Value::I16(5), "short"),
        (Value::U16(5), "unsignedshort"),
        (int(5), "signedint"),
        (Value::U32(5), "unsignedint"),
        (Value::I64(5), "long"),
    ]
}

#[test]
fn nothing_said_is_a_classic_queue_without_limits() {
    let options = parse(&[]).unwrap();
    assert_eq!(options.kind, QueueKind::Classic);
    assert_eq!(options.max_length, None);
    assert_eq!(options.overflow, None);
    assert_eq!(options.deduplication, None);
    assert!(!options.single_active_consumer);
}

#[test]
fn everything_said_is_typed() {
    let options = parse(&[
        ("x-message-ttl", int(0)),
        ("x-expires", Value::U16(60_000)),
        ("x-max-length", Value::I64(i64::MAX)),
        ("x-max-length-bytes", Value::U32(u32::MAX)),
        ("x-overflow", text("reject-publish-dlx")),
        DLX,
        ("x-dead-letter-routing-key", text("dead")),
        ("x-max-priority", Value::U8(255)),
        ("x-single-active-consumer", Value::Bool(true)),
        ("x-delivery-limit", int(3)),
        ("x-consumer-timeout", int(1_800_000)),
        ("x-queue-leader-locator", text("min-masters")),
        ("x-queue-mode", text("lazy")),
        ("x-queue-version", int(1)),
        ("x-queue-master-locator", text("random")),
        ("x-nobody-knows", int(1)),
        ("x-retry-delay", int(100)),
        ("x-retry-multiplier", int(3)),
        ("x-retry-max-delay", int(1000)),
        ("x-retry-jitter", int(10)),
        ("x-retry-attempts", int(0)),
    ])
    .unwrap();
    assert_eq!(
        options,
        QueueOptions {
            kind: QueueKind::Classic,
            message_ttl: Some(Duration::ZERO),
            expires: Some(Duration::from_secs(60)),
            max_length: Some(i64::MAX.unsigned_abs()),
            max_length_bytes: Some(u32::MAX.into()),
            overflow: Some(Overflow::RejectPublishDlx),
            dead_letter_exchange: Some("dlx".into()),
            dead_letter_routing_key: Some(b"dead"[..].into()),
            dead_letter_strategy: None,
            max_priority: Some(255),
            single_active_consumer: true,
            delivery_limit: Some(DeliveryLimit::Times(3)),
            consumer_timeout: Some(Duration::from_secs(1800)),
            initial_group_size: None,
            leader_locator: Some(LeaderLocator::Balanced),
            deduplication: None,
            retry: RetryOptions {
                delay: Some(Duration::from_millis(100)),
                multiplier: Some(3),
                max_delay: Some(Duration::from_secs(1)),
                jitter: Some(10),
                attempts: Some(0),
                ..RetryOptions::default()
            },
        }
    );
}

#[test]
fn quorum_queues_have_arguments_of_their_own() {
    let options = parse(&[
        QUORUM,
        DLX,
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish-dlx")),
        ("x-quorum-initial-group-size", int(5)),
        ("x-delivery-limit", int(-1)),
        ("x-queue-leader-locator", text("client-local")),
        ("x-max-in-memory-length", int(0)),
        ("x-consumer-disconnected-timeout", int(0)),
        ("x-delayed-retry-type", int(1)),
    ])
    .unwrap();
    assert_eq!(options.kind, QueueKind::Quorum);
    assert_eq!(options.dead_letter_strategy, Some(DeadLetterStrategy::AtLeastOnce));
    assert_eq!(options.overflow, Some(Overflow::DropHead), "RabbitMQ falls back, and logs it");
    assert_eq!(options.initial_group_size, Some(5));
    assert_eq!(options.delivery_limit, Some(DeliveryLimit::Unlimited));
    assert_eq!(options.leader_locator, Some(LeaderLocator::ClientLocal));
}

#[test]
fn a_delivery_limit_that_is_no_number_is_not_given() {
    for value in [text("abc"), Value::F32(2.5)] {
        assert_eq!(parse(&[QUORUM, ("x-delivery-limit", value)]).unwrap().delivery_limit, None);
    }
}

#[test]
fn numbers_may_have_any_width() {
    for (value, _) in widths() {
        let options = parse(&[("x-max-length", value), ("x-message-ttl", value)]).unwrap();
        assert_eq!(options.max_length, Some(5));
        assert_eq!(options.message_ttl, Some(Duration::from_millis(5)));
    }
}

/// As LavinMQ and the plugin have it; RabbitMQ alone ignores these arguments.
#[test]
fn deduplication_is_turned_on_by_its_first_argument() {
    let on = ("x-message-deduplication", Value::Bool(true));
    let of = |arguments: &[Entry]| parse(arguments).map(|options| options.deduplication);
    assert_eq!(of(&[("x-cache-size", text("?"))]), Ok(None));
    let default = of(&[on]).unwrap().unwrap();
    assert_eq!((default.cache_size, default.cache_ttl), (128, None));
    assert_eq!(&*default.header, "x-deduplication-header");
    let all = [
        on,
        ("x-cache-size", text("5")),
        ("x-cache-ttl", int(250)),
        ("x-deduplication-header", text("id")),
    ];
    let all = of(&all).unwrap().unwrap();
    assert_eq!((all.cache_size, all.cache_ttl), (5, Some(Duration::from_millis(250))));
    assert_eq!(&*all.header, "id");
    assert!(of(&[on, ("x-cache-size", int(0))]).is_err());
    assert!(of(&[("x-message-deduplication", int(1))]).is_err());
}

/// RabbitMQ 4.3 refuses all of these on a classic queue; older ones or LavinMQ obey them.
#[test]
fn classic_queues_have_what_4_3_took_away() {
    let options = [("x-delivery-limit", int(3)), ("x-consumer-timeout", int(9))];
    assert!(parse(&options).is_ok());
    assert!(parse(&[("x-queue-version", int(1))]).is_ok());
    assert!(parse(&[("x-queue-master-locator", text("min-masters"))]).is_ok());
}

#[test]
fn names_for_the_dead_may_be_too_long() {
    let long = "n".repeat(300).leak();
    let key = ("x-dead-letter-routing-key", text(long));
    let options = parse(&[("x-dead-letter-exchange", text(long)), key]).unwrap();
    assert_eq!(options.dead_letter_exchange.unwrap().as_str().len(), 300);
    assert_eq!(options.dead_letter_routing_key.unwrap().len(), 255, "it must fit a message");
}

#[test]
fn a_declaration_is_completed() {
    let of = |declared, arguments: &[Entry], default| {
        Declaration::new("/".into(), "q".into(), declared, &table(arguments), default)
    };
    let quorum = of(SHARED, &[("z", int(1)), ("a", int(2))], QueueKind::Quorum);
    assert_eq!(quorum.kind(), Some(QueueKind::Quorum));
    let names: Vec<_> = quorum.arguments.iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["a", "x-queue-type", "z"], "sorted, as RabbitMQ does");
    let exclusive = Declared { owner: Some(ConnectionId(1)), ..SHARED };
    let classic = of(exclusive, &[], QueueKind::Quorum);
    assert_eq!(classic.kind(), Some(QueueKind::Classic), "the default kind cannot be that");
    assert!(!classic.declared.durable, "an exclusive queue goes with its connection");
    let said = of(SHARED, &[("x-queue-type", text("classic"))], QueueKind::Quorum);
    assert_eq!(said.kind(), Some(QueueKind::Classic));
    let again = of(SHARED, &[("x-queue-type", text("undefined"))], QueueKind::Quorum);
    assert_eq!(again.kind(), Some(QueueKind::Quorum));
    assert_eq!(of(quorum.declared, &[], QueueKind::Classic).kind(), Some(QueueKind::Classic));
    let (vhost, name) = (quorum.vhost.clone(), quorum.name.clone());
    let stored =
        Declaration::new(vhost, name, quorum.declared, &quorum.arguments, QueueKind::Classic);
    assert_eq!(stored, quorum, "what is complete stays as it is");
}
