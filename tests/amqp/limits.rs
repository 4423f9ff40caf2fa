//! Limits that are not negotiated: message size, connections.

use crate::support::client::{BODY, HEADER, publish, publish_method};
use crate::support::{Login, Payload, TestBroker, eventually};

#[test]
fn a_message_that_is_too_large_is_refused_at_its_header() {
    let broker = TestBroker::with(|config| config.limits.max_message_size = 100_000);
    let mut client = broker.client();
    client.declare("q");
    client.publish("q", vec![7; 100_000]);
    client.sync();
    assert_eq!(broker.counts("q").ready, 1);
    client.method(1, &publish_method("", "q", 0));
    client.frame(HEADER, 1, &Payload::header(100_001));
    client.frame(BODY, 1, &Payload(vec![7; 100_000]));
    client.frame(BODY, 1, &Payload(vec![7; 1]));
    client.channel_is_closed(1, 406, (60, 40));
    client.open_channel(1);
    client.publish("q", "small");
    client.sync();
    assert_eq!(broker.counts("q").ready, 2);
}

#[test]
fn what_no_setting_allows_closes_the_connection() {
    let broker = TestBroker::start();
    for size in [512 * 1024 * 1024 + 1, u64::MAX] {
        let mut client = broker.client();
        client.method(1, &publish_method("", "q", 0));
        client.frame(HEADER, 1, &Payload::header(size));
        client.is_closed(501, (60, 40));
    }
}

#[test]
fn memory_is_taken_for_what_has_come_not_for_what_is_announced() {
    let broker = TestBroker::with(|config| config.limits.max_message_size = 512 * 1024 * 1024);
    let before = resident_bytes();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = broker.client();
            for channel in 2..10 {
                client.open_channel(channel);
                client.method(channel, &publish_method("", "q", 0));
                client.frame(HEADER, channel, &Payload::header(500 * 1024 * 1024));
                client.frame(BODY, channel, &Payload(vec![7; 100]));
            }
            client.sync();
            client
        })
        .collect();
    let more = resident_bytes().saturating_sub(before);
    // 160 messages of 500 MB are announced. Other tests may run meanwhile.
    assert!(more < 2 * 1024 * 1024 * 1024, "{more} bytes more");
    drop(clients);
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes * 1024)
}

#[test]
fn no_more_connections_than_configured() {
    let broker = TestBroker::with(|config| config.amqp.max_connections = 2);
    let first = broker.client();
    let second = broker.client();
    let mut third = broker.stranger();
    third.say(&warren::wire::PROTOCOL_HEADER);
    third.hears_the_end();
    first.close();
    eventually("there is room again", || broker.server().broker().peers.len() < 2);
    broker.connect(&Login::default()).close();
    second.close();
}

#[test]
fn a_frame_may_be_as_large_as_agreed() {
    let broker = TestBroker::start();
    let mut client = broker.connect(&Login { frame_max: 8192, ..Login::default() });
    client.open_channel(1);
    client.declare("q");
    client.say(&publish(1, "", "q", &[7; 8192 - 8], 8192));
    client.sync();
    assert_eq!(broker.counts("q").ready, 1);
    client.say(&publish(1, "", "q", &[7; 10_000], 20_000));
    client.is_closed(501, (0, 0));
}
