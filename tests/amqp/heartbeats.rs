//! Signs of life: a peer that gives none is lost, a busy or talkative one is not.

use std::time::{Duration, Instant};

use warren::wire::frame::FrameKind;

use crate::support::client::{HEARTBEAT, RawFrame};
use crate::support::{Client, Login, PATIENCE, Payload, TestBroker};

fn one_second() -> Login {
    Login { heartbeat: 1, ..Login::default() }
}

/// Listens until the broker hangs up. Returns how many heartbeats it sent before.
fn heartbeats_until_the_end(client: &mut Client) -> usize {
    let mut heartbeats = 0;
    while let Some(frame) = client.next_frame(Instant::now() + PATIENCE).expect("signs of life") {
        let RawFrame { kind, channel, payload } = frame;
        // Somebody who does not hear is not told (no connection.close).
        assert_eq!((kind, channel, payload.len()), (FrameKind::Heartbeat, 0, 0));
        heartbeats += 1;
    }
    heartbeats
}

#[test]
fn a_silent_client_is_dropped_after_two_heartbeats_and_a_talkative_one_is_kept() {
    let broker = TestBroker::start();
    let mut talkative = broker.connect(&one_second());
    let mut silent = broker.connect(&one_second());
    let since = Instant::now();
    let heartbeats = std::thread::scope(|scope| {
        let dropped = scope.spawn(|| heartbeats_until_the_end(&mut silent));
        while !dropped.is_finished() {
            talkative.frame(HEARTBEAT, 0, &Payload::new());
            assert!(talkative.hear_until(Instant::now() + Duration::from_millis(200)).is_err());
        }
        dropped.join().expect("it listened")
    });
    let time = since.elapsed();
    assert!(time >= Duration::from_secs(2), "two intervals of silence are allowed, had {time:?}");
    assert!(time < Duration::from_secs(5), "dropped only after {time:?}");
    assert!(heartbeats >= 2, "the broker gave {heartbeats} signs of life");
    talkative.open_channel(1);
    talkative.close();
}

#[test]
fn whatever_a_client_says_is_a_sign_of_life() {
    let broker = TestBroker::start();
    let mut client = broker.connect(&one_second());
    client.open_channel(1);
    client.declare("q");
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(4) {
        client.publish("q", "I live");
        assert!(client.hear_until(Instant::now() + Duration::from_millis(250)).is_err());
    }
    client.sync();
    assert!(broker.counts("q").ready > 4);
}

#[test]
fn a_client_that_wants_none_is_left_in_peace() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    let heard = client.next_frame(Instant::now() + Duration::from_secs(3));
    assert!(heard.is_err(), "heard {heard:?}");
    client.sync();
}
