//! The broker ends (SIGTERM): every client is told, those that listen are waited for.

use std::time::{Duration, Instant};

use crate::support::client::{Consume, close_of};
use crate::support::{Login, PATIENCE, Payload, TestBroker};

#[test]
fn every_client_is_told_and_the_broker_ends_when_they_have_left() {
    let mut broker = TestBroker::start();
    let mut clients: Vec<_> = (0..20).map(|_| broker.client()).collect();
    clients[0].declare("q");
    clients[1].consume("q");
    clients.push(broker.connect(&Login::default()));
    let since = Instant::now();
    let stopped = broker.begin_stop();
    for client in &mut clients {
        let close = close_of(&client.expect(0, 10, 50));
        assert_eq!((close.0, close.1), (320, (0, 0)), "{}", close.2);
        assert!(close.2.starts_with("CONNECTION_FORCED - "), "{}", close.2);
    }
    assert!(!stopped.is_finished(), "the broker waits for its clients");
    for client in &mut clients {
        client.method(0, &Payload::method(10, 51));
        client.hears_the_end();
    }
    broker.block_on(stopped).expect("stopped");
    assert!(since.elapsed() < Duration::from_secs(8), "took {:?}", since.elapsed());
}

#[test]
fn nobody_is_let_in_any_more() {
    let mut broker = TestBroker::start();
    let mut client = broker.client();
    let address = broker.address();
    let stopped = broker.begin_stop();
    client.expect(0, 10, 50);
    client.method(0, &Payload::method(10, 51));
    broker.block_on(stopped).expect("stopped");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn who_does_not_answer_is_not_waited_for_long() {
    let mut broker = TestBroker::with(|config| config.amqp.close_timeout = 1);
    let mut deaf = broker.client();
    deaf.declare("q");
    deaf.consume_as(1, "q", Consume { no_ack: true, ..Consume::default() });
    // It has a lot to read and does not.
    for _ in 0..200 {
        deaf.publish("q", [7; 100_000]);
    }
    let since = Instant::now();
    let stopped = broker.begin_stop();
    broker.block_on(stopped).expect("stopped");
    assert!(since.elapsed() < PATIENCE / 2, "took {:?}", since.elapsed());
}

#[test]
fn a_broker_without_clients_ends_at_once() {
    let mut broker = TestBroker::start();
    broker.client().close();
    let since = Instant::now();
    let stopped = broker.begin_stop();
    broker.block_on(stopped).expect("stopped");
    assert!(since.elapsed() < Duration::from_secs(3), "took {:?}", since.elapsed());
}

#[test]
fn lapin_learns_why() {
    let mut broker = TestBroker::start();
    let connection = broker.with_lapin(async |connection| connection);
    let (said, heard) = std::sync::mpsc::channel();
    let mut events = connection.events_listener();
    let stopped = broker.begin_stop();
    broker.block_on(async {
        use futures_util::StreamExt;
        while let Some(event) = events.next().await {
            if let lapin::Event::Error(error) = event {
                said.send(error.to_string()).expect("somebody listens");
                return;
            }
        }
    });
    broker.block_on(stopped).expect("stopped");
    let error = heard.recv().expect("an error");
    assert!(error.contains("CONNECTION_FORCED") || error.contains("320"), "{error}");
}
