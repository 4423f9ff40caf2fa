//! Random bytes and random frames, for as long as `FUZZ_SECONDS` says (5; CI: 60; by hand: 3600).
//!
//! A failure prints its seed; `FUZZ_SEED=n` runs that one alone.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use warren::config::{Config, Durability};
use warren::server::Server;
use warren::wire::content::{self, ContentHeader, Property};
use warren::wire::encode::Out;
use warren::wire::frame::{Split, split};
use warren::wire::method::decode;
use warren::wire::put_short_string;
use warren::wire::table::{Table, TableBuilder, Value};

/// A session that neither answers nor ends within this is hanging.
const PATIENCE: Duration = Duration::from_secs(10);

static PANICKED: AtomicBool = AtomicBool::new(false);
static WATCH_PANICS: Once = Once::new();

/// Runs `each` with one seed after the other until the time is up.
#[expect(clippy::print_stdout, reason = "how much was tried is part of the result")]
fn fuzz(mut each: impl FnMut(&mut StdRng)) {
    WATCH_PANICS.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::SeqCst);
            print(info);
        }));
    });
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("FUZZ_SEED") {
        return each(&mut StdRng::seed_from_u64(seed));
    }
    let end = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(5));
    let mut seed: u64 = rand::random();
    let mut rounds = 0;
    while Instant::now() < end {
        seed = seed.wrapping_add(1);
        let caught = std::panic::AssertUnwindSafe(|| each(&mut StdRng::seed_from_u64(seed)));
        let ended = std::panic::catch_unwind(caught);
        assert!(ended.is_ok() && !PANICKED.load(Ordering::SeqCst), "FUZZ_SEED={seed} fails");
        rounds += 1;
    }
    println!("{rounds} rounds");
}

#[test]
fn decoders_refuse_or_read_whatever_comes() {
    fuzz(|random| {
        let mut bytes = frames(random, 4);
        spoil(random, &mut bytes);
        let mut rest = &bytes[..];
        while let Ok(Split::Whole(frame)) = split(rest, 4096) {
            let _ = decode(frame.payload);
            if ContentHeader::parse(frame.payload).is_ok() {
                let _ = content::property(frame.payload, Property::ReplyTo);
            }
            if let Ok(table) = Table::checked(frame.payload) {
                let _ = (table.iter().count(), format!("{table:?}"));
            }
            rest = &rest[frame.wire_len()..];
        }
    });
}

#[test]
fn a_connection_survives_or_ends_whatever_is_said() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Server::start(config())).expect("a broker");
    fuzz(|random| {
        let mut socket = TcpStream::connect(server.amqp_address()).expect("accepted");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut said = b"AMQP\0\0\x09\x01".to_vec();
        if random.random_bool(0.95) {
            said.extend(handshake());
        }
        let polite = said.len();
        for _ in 0..random.random_range(1..12) {
            said.extend(frames(random, 6));
        }
        if random.random_bool(0.4) {
            let mut tail = said.split_off(polite.min(said.len()));
            spoil(random, &mut tail);
            said.extend(tail);
        }
        talk(random, &mut socket, &said);
        drop(socket);
        wait_until(|| server.broker().peers.is_empty());
    });
    runtime.block_on(server.stop());
}

fn config() -> Config {
    let mut config = Config::default();
    config.amqp.port = 0;
    config.http.port = 0;
    config.data.durability = Durability::None;
    config.amqp.close_timeout = 1;
    config.limits.max_message_size = 100_000;
    config
}

/// Says everything, in pieces, and listens until the broker has nothing more to say.
fn talk(random: &mut StdRng, socket: &mut TcpStream, said: &[u8]) {
    let mut rest = said;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(random.random_range(1..=rest.len()));
        if socket.write_all(piece).is_err() {
            break;
        }
        rest = later;
    }
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut heard = [0; 4096];
    loop {
        match socket.read(&mut heard) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the broker neither answers nor ends");
            }
            Err(_) => return,
        }
    }
}

fn wait_until(done: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "the session does not end");
        std::thread::yield_now();
    }
}

/// What a client says to open a connection as guest.
fn handshake() -> Vec<u8> {
    let mut start = table(&TableBuilder::new().build());
    put_short_string(&mut start, b"PLAIN");
    start.extend(long(b"\0guest\0guest"));
    put_short_string(&mut start, b"en_US");
    let mut bytes = method(0, 10, 11, &start);
    bytes.extend(method(0, 10, 31, &[7, 0xFF, 0, 2, 0, 0, 0, 0]));
    bytes.extend(method(0, 10, 40, b"\x01/\0\0"));
    bytes.extend(method(1, 20, 10, b"\0"));
    bytes
}

/// Up to `most` frames that make sense one by one, in any order, on few channels.
fn frames(random: &mut StdRng, most: usize) -> Vec<u8> {
    (0..random.random_range(1..=most)).flat_map(|_| one_frame(random)).collect()
}

fn one_frame(random: &mut StdRng) -> Vec<u8> {
    let channel = *[0, 1, 1, 1, 1, 2, 9].choose(random).expect("some");
    let name = |random: &mut StdRng| {
        let mut out = Vec::new();
        let names: [&[u8]; 7] = [b"", b"q", b"x", b"amq.topic", b"amq.fanout", b"\xFF", b"a.b"];
        put_short_string(&mut out, names.choose(random).expect("some"));
        out
    };
    let bits = random.random::<u8>() & 0x1F;
    let arguments = arguments(random);
    let tag = random.random_range(0..4u64).to_be_bytes();
    match random.random_range(0..17) {
        0 => method(channel, 20, 10, b"\0"),
        1 => method(channel, 20, 40, b"\0\xC8\0\0\0\0\0"),
        2 => method(channel, 50, 10, &[&[0, 0], &name(random)[..], &[bits], &arguments].concat()),
        3 => {
            let names = [name(random), name(random), name(random)].concat();
            method(channel, 50, 20, &[&[0, 0], &names[..], &[bits & 1], &arguments].concat())
        }
        4 => {
            let kind = [&b"\x05topic"[..], b"\x06fanout", b"\x07headers", b"\0"];
            let kind = *kind.choose(random).expect("some");
            let parts = [&[0, 0], &name(random)[..], kind, &[bits], &arguments];
            method(channel, 40, 10, &parts.concat())
        }
        5 | 6 => {
            let names = [name(random), name(random)].concat();
            publish(random, channel, &names)
        }
        7 => {
            let parts = [&[0, 0], &name(random)[..], &name(random), &[bits & 0x0F], &arguments];
            method(channel, 60, 20, &parts.concat())
        }
        8 => method(channel, 60, 70, &[&[0, 0], &name(random)[..], &[bits & 1]].concat()),
        9 => method(channel, 60, 80, &[&tag[..], &[bits & 1]].concat()),
        10 => method(channel, 60, 120, &[&tag[..], &[bits & 3]].concat()),
        11 => method(channel, 60, 10, &[0, 0, 0, bits & 1, 0, 3, bits & 1]),
        12 => method(channel, 85, 10, &[bits & 1]),
        13 => method(channel, 90, 10 * (1 + u16::from(bits % 3)), &[]),
        14 => method(channel, 50, 40, &[&[0, 0], &name(random)[..], &[bits & 7]].concat()),
        15 => method(channel, 60, 110, &[bits & 1]),
        _ => vec![8, 0, 0, 0, 0, 0, 0, 0xCE],
    }
}

fn publish(random: &mut StdRng, channel: u16, names: &[u8]) -> Vec<u8> {
    let body = vec![7; *[0, 1, 50, 5000, 20_000].choose(random).expect("some")];
    let headers = arguments(random);
    let header = content::header(
        body.len() as u64,
        &[(Property::Headers, &headers), (Property::DeliveryMode, &[random.random_range(0..3)])],
    );
    let mut out = Out::default();
    out.publish(channel, names, random.random(), &header, &body, 8000);
    out.contiguous().expect("nothing is shared").to_vec()
}

fn arguments(random: &mut StdRng) -> Vec<u8> {
    let mut builder = TableBuilder::new();
    let keys = ["x-message-ttl", "x-match", "CC", "BCC", "x-priority", "x-queue-type", "k"];
    for _ in 0..random.random_range(0..3) {
        let key = keys.choose(random).expect("some");
        let value = match random.random_range(0..6) {
            0 => Value::I32(random.random()),
            1 => Value::Text(b"any"),
            2 => Value::Void,
            3 => Value::F64(f64::NAN),
            4 => Value::Timestamp(random.random()),
            _ => Value::Bool(true),
        };
        builder.push(key, value);
    }
    table(&builder.build())
}

/// Changes, removes and inserts a few bytes.
fn spoil(random: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..random.random_range(0..4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => drop(bytes.remove(at)),
            _ => bytes.insert(at, random.random()),
        }
    }
}

fn method(channel: u16, class: u16, id: u16, arguments: &[u8]) -> Vec<u8> {
    let mut payload = class.to_be_bytes().to_vec();
    payload.extend(id.to_be_bytes());
    payload.extend_from_slice(arguments);
    let mut frame = vec![1];
    frame.extend(channel.to_be_bytes());
    frame.extend(u32::try_from(payload.len()).expect("small").to_be_bytes());
    frame.extend(payload);
    frame.push(0xCE);
    frame
}

fn table(table: &Table) -> Vec<u8> {
    long(table.as_ref().as_bytes())
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    warren::wire::put_long_string(&mut out, bytes);
    out
}
