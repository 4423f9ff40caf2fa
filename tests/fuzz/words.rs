//! Random words of the protocol: frames that make sense one by one, in any order.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::support::client::{
    BODY, Consume, HEADER, HEARTBEAT, METHOD, consume, declare, publish_frames, publish_method,
};
use crate::support::{Login, Payload};

/// Queues and exchanges there may be. Few, so that peers meet.
pub(crate) const QUEUES: [&str; 5] = ["q", "p", "a.b", "ünïcode", "rk"];
const EXCHANGES: [&str; 9] = [
    "",
    "amq.direct",
    "amq.fanout",
    "amq.topic",
    "amq.headers",
    "x",
    "y",
    "missing",
    "amq.rabbitmq.trace",
];
const REPLIES: &str = "amq.rabbitmq.reply-to";
const TAGS: [&str; 4] = ["", "me", "you", "me"];

fn one_of<T: Copy>(random: &mut StdRng, of: &[T]) -> T {
    *of.choose(random).expect("there are some")
}

/// The start of a connection: login, channels, queues to meet at.
pub(crate) fn handshake(random: &mut StdRng) -> Vec<u8> {
    let frame_max = one_of(random, &[8192, 9000, 131_072]);
    let capabilities: &[&str] = if random.random() { Login::default().capabilities } else { &[] };
    let channel_max = one_of(random, &[3, 2047]);
    let login = Login { frame_max, capabilities, channel_max, ..Login::default() };
    let mut bytes = warren::wire::PROTOCOL_HEADER.to_vec();
    for method in [login.start_ok(), login.tune_ok(), login.open()] {
        bytes.extend(method.frame(METHOD, 0));
    }
    for channel in 1..4 {
        bytes.extend(open_channel().frame(METHOD, channel));
    }
    for name in ["x", "y"] {
        let declare = Payload::method(40, 10).u16(0).short(name).short("fanout").u8(0);
        bytes.extend(declare.table(&Payload::new()).frame(METHOD, 1));
    }
    for queue in QUEUES.iter().take(random.random_range(0..4)) {
        bytes.extend(declare(queue, 0).frame(METHOD, 1));
        if random.random() {
            let how = Consume { no_ack: random.random(), ..Consume::default() };
            bytes.extend(consume(queue, how).frame(METHOD, 1));
        }
    }
    bytes
}

pub(crate) fn open_channel() -> Payload {
    Payload::method(20, 10).short("")
}

/// Some frames.
pub(crate) fn sentence(random: &mut StdRng) -> Vec<u8> {
    let channel = match random.random_range(0..100) {
        0 if random.random_bool(0.1) => random.random_range(0..6),
        0..5 => 3,
        5..20 => 2,
        _ => 1,
    };
    match random.random_range(0..1000) {
        0..2 => torn_publish(random, channel),
        2..4 => odd_frame(random, channel),
        4 => Payload::new().frame(HEARTBEAT, channel),
        5..10 => Payload::new().frame(HEARTBEAT, 0),
        10..15 => {
            let close = Payload::method(20, 40).u16(200).short("").u16(0).u16(0);
            [close.frame(METHOD, channel), open_channel().frame(METHOD, channel)].concat()
        }
        15..250 => publish(random, channel),
        _ => method(random).frame(METHOD, channel),
    }
}

/// A method that is no publish: mostly one that is answered, rarely one that ends something.
fn method(random: &mut StdRng) -> Payload {
    match random.random_range(0..1000) {
        0..5 => last_words(random),
        5..100 => about_channels(random),
        100..450 => about_queues(random),
        450..550 => about_exchanges(random),
        550..750 => about_consumers(random),
        _ => about_messages(random),
    }
}

/// What closes the connection, in one way or another.
fn last_words(random: &mut StdRng) -> Payload {
    match random.random_range(0..8) {
        0 => open_channel(),
        1 => Payload::method(20, 41),
        2 => Payload::method(20, 20).u8(0),
        3 => Payload::method(60, 10).u32(1).u16(0).u8(0),
        4 => Payload::method(60, 110).u8(0),
        5 => Payload::method(10, 50).u16(200).short("bye").u16(0).u16(0),
        6 => Payload::method(10, 70).long("secret").short("reason"),
        _ => Payload::method(random.random_range(0..100), random.random_range(0..130)),
    }
}

fn about_channels(random: &mut StdRng) -> Payload {
    match random.random_range(0..16) {
        0 => Payload::method(85, 10).u8(random.random_range(0..2)),
        1 => Payload::method(90, 10),
        2 => Payload::method(90, 20),
        3 => Payload::method(90, 30),
        4..10 => Payload::method(60, 10).u32(0).u16(random.random_range(0..4)).u8(flag(random)),
        _ => Payload::method(20, 20).u8(1),
    }
}

fn about_queues(random: &mut StdRng) -> Payload {
    let queue = queue(random);
    let named = |method| Payload::method(50, method).u16(0).short(queue);
    match random.random_range(0..20) {
        0..10 => {
            // Mostly alike, so that they can be declared again.
            let bits =
                if random.random_bool(0.95) { 0 } else { random.random_range(0..32) & 0b11110 };
            named(10).u8(bits).table(&arguments(random))
        }
        10 => named(10).u8(1).table(&Payload::new()),
        11..14 => {
            let bind = named(20).short(exchange(random)).short(key(random)).u8(flag(random));
            bind.table(&arguments(random))
        }
        14 => named(50).short(exchange(random)).short(key(random)).table(&arguments(random)),
        15..17 => named(30).u8(flag(random)),
        _ => named(40).u8(one_of(random, &[0, 0, 0, 1, 2, 4])),
    }
}

fn about_exchanges(random: &mut StdRng) -> Payload {
    let own = one_of(random, &["x", "y"]);
    match random.random_range(0..8) {
        0..3 => {
            let kind = one_of(random, &["fanout", "fanout", "topic", "headers", "none"]);
            let bits = one_of(random, &[0, 0, 0, 4, 8, 16]);
            let declare = Payload::method(40, 10).u16(0).short(own).short(kind).u8(bits);
            declare.table(&arguments(random))
        }
        3 => Payload::method(40, 20).u16(0).short(own).u8(random.random_range(0..4)),
        which => {
            let method = if which < 6 { 30 } else { 40 };
            let pair = Payload::method(40, method).u16(0).short(own).short(exchange(random));
            pair.short(key(random)).u8(flag(random)).table(&arguments(random))
        }
    }
}

fn about_consumers(random: &mut StdRng) -> Payload {
    let tag = if random.random_bool(0.8) { "" } else { one_of(random, &TAGS) };
    match random.random_range(0..20) {
        0 => Payload::method(60, 20).u16(0).short(REPLIES).short(tag).u8(2).table(&Payload::new()),
        1..4 => Payload::method(60, 30).short(tag).u8(flag(random)),
        4 => Payload::method(60, 31).short(tag),
        _ => {
            // Exclusive ones rarely, or there would be no others.
            let bits = one_of(random, &[0, 0, 0, 2, 2, 8, 10, random.clone().random_range(0..16)]);
            let consume = Payload::method(60, 20).u16(0).short(queue(random)).short(tag);
            consume.u8(bits).table(&arguments(random))
        }
    }
}

/// Fetching, and settling everything. Single deliveries are settled by whoever hears of them.
fn about_messages(random: &mut StdRng) -> Payload {
    match random.random_range(0..16) {
        0..5 => Payload::method(60, 70).u16(0).short(queue(random)).u8(flag(random)),
        5..9 => Payload::method(60, 80).u64(0).u8(1),
        9..12 => Payload::method(60, 120).u64(0).u8(1 | flag(random) << 1),
        12 => Payload::method(60, 110).u8(1),
        13 => Payload::method(60, 100).u8(1),
        14 => Payload::method(60, 80).u64(random.random_range(0..6)).u8(flag(random)),
        _ => Payload::method(60, 90).u64(random.random_range(0..6)).u8(flag(random)),
    }
}

fn flag(random: &mut StdRng) -> u8 {
    random.random_range(0..2)
}

fn key(random: &mut StdRng) -> &'static str {
    one_of(random, &["", "q", "a.b", "#", "*.b", "rk"])
}

fn queue(random: &mut StdRng) -> &'static str {
    let usual = random.random_bool(0.9);
    one_of(random, if usual { &QUEUES[..3] } else { &["", "ünïcode", "rk"] })
}

fn exchange(random: &mut StdRng) -> &'static str {
    let usual = random.random_bool(0.95);
    one_of(random, if usual { &EXCHANGES[1..5] } else { &EXCHANGES })
}

fn publish(random: &mut StdRng, channel: u16) -> Vec<u8> {
    let bits = u8::from(random.random_bool(0.3)) | u8::from(random.random_bool(0.002)) << 1;
    let (exchange, key) = if random.random_bool(0.6) {
        ("", queue(random))
    } else {
        (exchange(random), queue(random))
    };
    let size = one_of(random, &[0, 1, 1, 10, 10, 100, 1000, 4000, 16_384, 59_000]);
    let header = header(random, size as u64);
    let body = vec![b'x'; size];
    let piece = one_of(random, &[1000, 8192, 8192]);
    publish_frames(channel, &publish_method(exchange, key, bits), &header, &body, piece)
}

/// A publish whose frames do not fit each other.
fn torn_publish(random: &mut StdRng, channel: u16) -> Vec<u8> {
    let mut bytes = publish_method("", "q", 0).frame(METHOD, channel);
    let header = header(random, random.clone().random_range(0..10));
    if random.random_bool(0.8) {
        bytes.extend(header.frame(HEADER, channel));
    }
    if random.random_bool(0.5) {
        bytes.extend(Payload(vec![7; random.random_range(0..20)]).frame(BODY, channel));
    }
    bytes
}

fn odd_frame(random: &mut StdRng, channel: u16) -> Vec<u8> {
    let payload: Vec<u8> = (0..random.random_range(0..30)).map(|_| random.random()).collect();
    Payload(payload).frame(one_of(random, &[METHOD, METHOD, HEADER, BODY, 4]), channel)
}

/// A content header with some properties.
fn header(random: &mut StdRng, body_size: u64) -> Payload {
    let mut flags: u16 = 0;
    let mut properties = Payload::new();
    if random.random_bool(0.3) {
        flags |= 1 << 13;
        properties = properties.table(&arguments(random));
    }
    if random.random_bool(0.5) {
        flags |= 1 << 12;
        properties = properties.u8(random.random_range(0..4));
    }
    if random.random_bool(0.02) {
        flags |= 1 << 9;
        properties = properties.short(one_of(random, &[REPLIES, "q"]));
    }
    if random.random_bool(0.05) {
        flags |= 1 << 8;
        properties = properties.short(one_of(random, &["0", "10", "60000"]));
    }
    if random.random_bool(0.05) {
        flags |= 1 << 4;
        properties = properties.short(one_of(random, &["guest"]));
    }
    Payload::new().u16(60).u16(0).u64(body_size).u16(flags).raw(&properties.0)
}

/// Arguments that mean something somewhere, mostly of the right type.
pub(crate) fn arguments(random: &mut StdRng) -> Payload {
    let mut table = Payload::new();
    if random.random_bool(0.9) {
        return table;
    }
    for _ in 0..random.random_range(1..4) {
        table = match random.random_range(0..10) {
            0 => table.text("x-match", one_of(random, &["all", "any", "all-with-x", "none"])),
            1 => table.entry("x-priority", b'I', random.random_range(-2i32..3).to_be_bytes()),
            2 => table.entry("x-max-length", b'I', random.random_range(-1i32..5).to_be_bytes()),
            3 => table.entry("x-message-ttl", b'I', random.random_range(-1i32..50).to_be_bytes()),
            4 => table.text("x-queue-type", one_of(random, &["classic", "quorum", "stream", ""])),
            5 => table.text("alternate-exchange", one_of(random, &EXCHANGES)),
            6 | 7 => {
                let name = one_of(random, &["CC", "BCC"]);
                let mut list = Payload::new();
                for _ in 0..random.random_range(0..3) {
                    list = list.raw(b"S").long(one_of(random, &QUEUES));
                }
                table.entry(name, b'A', Payload::new().long(&list.0).0)
            }
            _ => odd_entry(random, table, 3),
        };
    }
    table
}

/// An entry of any type.
fn odd_entry(random: &mut StdRng, table: Payload, depth: usize) -> Payload {
    let kind = one_of(random, b"tbBsuIilLfdDSxATFV?");
    let key = one_of(random, &["k", "key", "", "k"]);
    let size = match kind {
        b't' | b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        _ => 0,
    };
    let bytes: Vec<u8> = (0..size).map(|_| random.random()).collect();
    match kind {
        b'F' if depth > 0 => {
            let inner = odd_entry(random, Payload::new(), depth - 1);
            table.entry(key, kind, Payload::new().table(&inner).0)
        }
        b'S' | b'x' | b'A' | b'F' => table.entry(key, kind, Payload::new().long("").0),
        _ => table.entry(key, kind, bytes),
    }
}

/// Changes, removes, inserts or repeats a few bytes.
pub(crate) fn spoil(random: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..random.random_range(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at] = one_of(random, &[0, 1, 0x7F, 0x80, 0xFE, 0xFF]),
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, random.random()),
            _ => {
                let end = (at + random.random_range(1..20)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
}
