//! Whole connections: several peers at once say anything in any order, listen or do not, and
//! leave politely or not. At the end of a round the broker has forgotten all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use warren::wire::method::{AnyMethod, basic};

use crate::support::client::METHOD;
use crate::support::{Client, Heard, Payload, TestBroker, eventually};
use crate::words::{handshake, open_channel, sentence, spoil};
use crate::{fuzz, watch_panics};

/// How much memory may be used more at the end of a run than after its first second.
const GROWTH: u64 = 256 * 1024 * 1024;

/// A broker whose limits are soon reached.
fn narrow_broker() -> TestBroker {
    TestBroker::with(|config| {
        config.limits.outbox = 20_000;
        config.limits.read_buffer = 8192;
        config.limits.max_message_size = 60_000;
        config.limits.message_memory = 1.0;
        let all = config.limits.message_memory_bytes();
        config.limits.message_memory = 1_000_000.0 / all as f64;
        config.amqp.close_timeout = 1;
        config.amqp.handshake_timeout = 2;
    })
}

#[test]
fn connections_survive_or_end_whatever_is_said() {
    let broker = narrow_broker();
    let start = Instant::now();
    let mut at_first = None;
    fuzz(|random| {
        let seeds: Vec<u64> = (0..random.random_range(1..5)).map(|_| random.random()).collect();
        let said: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let peers: Vec<_> =
                seeds.iter().map(|seed| scope.spawn(|| peer(&broker, *seed))).collect();
            peers.into_iter().map(|peer| peer.join().expect("a peer")).collect()
        });
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            has_forgotten_everybody(&broker);
        }));
        if checked.is_err() {
            keep(&said);
            panic!("what was said is kept in {}", found().display());
        }
        if start.elapsed() > Duration::from_secs(1) {
            at_first.get_or_insert_with(resident_bytes);
        }
    });
    if let Some(at_first) = at_first {
        let growth = resident_bytes().saturating_sub(at_first);
        assert!(growth < GROWTH, "{growth} bytes are lost");
    }
}

#[test]
fn what_was_found_once_stays_mended() {
    watch_panics();
    let broker = narrow_broker();
    let files = fs::read_dir(found()).expect("tests/fuzz/found is there");
    for file in files.map(|file| file.expect("listed").path()) {
        if file.extension().is_some_and(|extension| extension == "bytes") {
            let bytes = fs::read(&file).expect("read");
            let mut client = broker.stranger();
            client.say(&bytes);
            client.fall_silent();
            let panics = crate::PANICS.load(std::sync::atomic::Ordering::SeqCst);
            has_forgotten_everybody(&broker);
            let after = crate::PANICS.load(std::sync::atomic::Ordering::SeqCst);
            assert_eq!(after, panics, "{}", file.display());
        }
    }
}

fn found() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/found")
}

fn keep(said: &[Vec<u8>]) {
    for bytes in said {
        let name = format!("{:016x}.bytes", rand::random::<u64>());
        fs::write(found().join(name), bytes).expect("written");
    }
}

/// How a peer behaves, besides what it says.
struct Manners {
    /// It reads what it is told.
    listens: bool,
    /// It answers what has an answer: deliveries and closes.
    answers: bool,
    /// Some of its bytes are wrong.
    mumbles: bool,
    sentences: usize,
}

/// One connection, from its first word to its end. Returns what it said.
fn peer(broker: &TestBroker, seed: u64) -> Vec<u8> {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut manners = Manners {
        listens: random.random_bool(0.8),
        answers: random.random_bool(0.7),
        mumbles: random.random_bool(0.3),
        sentences: random.random_range(0..200),
    };
    let mut client = broker.stranger();
    let mut said = Vec::new();
    let mut start = handshake(random);
    if random.random_bool(0.05) {
        spoil(random, &mut start);
        manners.listens = false; // what is answered may be no frame
    }
    speak(random, &mut client, &mut said, &start);
    // It is known to the broker from now on, and is to be forgotten at the end of the round.
    client.waits_for_an_answer();
    for _ in 0..manners.sentences {
        let mut words = sentence(random);
        if manners.mumbles && random.random_bool(0.02) {
            spoil(random, &mut words);
        }
        speak(random, &mut client, &mut said, &words);
        let now = random.random_bool(0.2);
        if manners.listens && now && !listen(random, &mut client, &mut said, manners.answers) {
            return said;
        }
    }
    match random.random_range(0..4) {
        0 => client.vanish(),
        1 => {
            let close = Payload::method(10, 50).u16(200).short("bye").u16(0).u16(0);
            speak(random, &mut client, &mut said, &close.frame(METHOD, 0));
        }
        2 => client.fall_silent(),
        _ => {}
    }
    said
}

/// Says something in pieces. A broker that does not listen is not waited for long.
fn speak(random: &mut StdRng, client: &mut Client, said: &mut Vec<u8>, words: &[u8]) {
    said.extend_from_slice(words);
    let cut = random.random_range(0..=words.len());
    for piece in [&words[..cut], &words[cut..]] {
        client.say_for(piece, Duration::from_millis(20));
    }
}

/// Hears what there is, and answers some of it. `false`: the broker has hung up.
fn listen(random: &mut StdRng, client: &mut Client, said: &mut Vec<u8>, answers: bool) -> bool {
    for _ in 0..20 {
        match client.hear_until(Instant::now()) {
            Err(_) => return true,
            Ok(None) => return false,
            Ok(Some(heard)) => {
                if answers && let Some(answer) = answer(random, &heard) {
                    speak(random, client, said, &answer.frame(METHOD, heard.channel));
                }
                if answers && heard.id == (20, 40) {
                    speak(random, client, said, &open_channel().frame(METHOD, heard.channel));
                }
            }
        }
    }
    true
}

fn answer(random: &mut StdRng, heard: &Heard) -> Option<Payload> {
    match heard.id {
        (10, 50) => Some(Payload::method(10, 51)),
        (20, 40) => Some(Payload::method(20, 41)),
        _ => None,
    }
    .or_else(|| {
        let tag = if let AnyMethod::Basic(basic::AMQPMethod::Deliver(delivery)) = &heard.method {
            delivery.delivery_tag
        } else if let AnyMethod::Basic(basic::AMQPMethod::GetOk(ok)) = &heard.method {
            ok.delivery_tag
        } else {
            return None;
        };
        match random.random_range(0..6) {
            0..3 => Some(Payload::method(60, 80).u64(tag).u8(random.random_range(0..2))),
            3 => Some(Payload::method(60, 120).u64(tag).u8(random.random_range(0..4))),
            4 => Some(Payload::method(60, 90).u64(tag).u8(random.random_range(0..2))),
            _ => None,
        }
    })
}

/// Nobody is connected any more, and nothing is left of those who were.
fn has_forgotten_everybody(broker: &TestBroker) {
    let (server, vhost) = (broker.server().broker(), broker.vhost());
    let queues = || -> Vec<_> {
        let ids: Vec<_> = vhost.look(|topology| topology.queue_ids().collect());
        ids.into_iter().filter_map(|id| vhost.live(id)).collect()
    };
    eventually("every session ends", || {
        // Publishers that wait for memory are not listened to: make room.
        for queue in queues() {
            queue.purge();
        }
        server.peers.is_empty()
    });
    let left = queues();
    assert_eq!(vhost.queue_count(), left.len(), "a queue runs that has no name");
    for queue in left {
        let owner =
            vhost.look(|topology| topology.declaration(queue.id).expect("known").declared.owner);
        assert_eq!(owner, None, "{} outlives its owner", queue.name);
        let counts = queue.counts();
        assert_eq!((counts.consumers, counts.unacked), (0, 0), "in {}", queue.name);
        vhost.delete_queue(&queue, false, false).expect("deleted");
    }
    assert_eq!((vhost.queue_count(), server.shared.memory.used()), (0, 0));
    works_as_on_the_first_day(broker);
}

fn works_as_on_the_first_day(broker: &TestBroker) {
    let mut client = broker.client();
    for name in ["x", "y"] {
        client.method(1, &Payload::method(40, 20).u16(0).short(name).u8(0));
        client.expect(1, 40, 21);
    }
    client.declare("q");
    client.publish("q", "hello");
    assert_eq!(client.get("q", false).expect("a message").1.body, b"hello");
    client.ack(1, false);
    client.method(1, &Payload::method(50, 40).u16(0).short("q").u8(2));
    client.expect(1, 50, 41);
    client.close();
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes * 1024)
}
