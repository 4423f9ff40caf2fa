//! What both sides agree on: frame size, number of channels, heartbeat.

use warren::config::Config;
use warren::wire::PROTOCOL_HEADER;
use warren::wire::method::{AnyMethod, connection};

use crate::support::{Client, Login, TestBroker};

/// A client that has logged in and not yet answered what the broker offers.
fn tuning(broker: &TestBroker) -> (Client, connection::Tune) {
    let mut client = broker.stranger();
    client.say(&PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    client.method(0, &Login::default().start_ok());
    let AnyMethod::Connection(connection::AMQPMethod::Tune(tune)) = client.expect(0, 10, 30).method
    else {
        panic!("not a tune");
    };
    (client, tune)
}

fn limited(config: &mut Config) {
    config.amqp.frame_max = 65_536;
    config.amqp.channel_max = 100;
    config.amqp.heartbeat = 30;
}

#[test]
fn the_broker_offers_what_is_configured() {
    let broker = TestBroker::with(limited);
    let (_, tune) = tuning(&broker);
    assert_eq!((tune.frame_max, tune.channel_max, tune.heartbeat), (65_536, 100, 30));
}

#[test]
fn a_client_may_agree_or_ask_for_less() {
    let broker = TestBroker::with(limited);
    for (frame_max, channel_max, heartbeat) in
        [(65_536, 100, 30), (8192, 1, 0), (8192, 100, 1000), (65_535, 99, 1)]
    {
        let login = Login { frame_max, channel_max, heartbeat, ..Login::default() };
        let (mut client, _) = tuning(&broker);
        client.tune(&login);
        client.method(0, &login.open());
        client.expect(0, 10, 41);
        client.close();
    }
}

#[test]
fn a_client_may_not_ask_for_more() {
    let broker = TestBroker::with(limited);
    for (frame_max, channel_max) in
        [(65_537, 100), (0, 100), (8191, 100), (1, 1), (65_536, 101), (65_536, 0)]
    {
        let login = Login { frame_max, channel_max, ..Login::default() };
        let (mut client, _) = tuning(&broker);
        client.tune(&login);
        client.is_closed(530, (10, 31));
    }
}

#[test]
fn where_the_broker_has_no_limit_a_client_needs_none() {
    let broker = TestBroker::with(|config| {
        config.amqp.frame_max = 0;
        config.amqp.channel_max = 0;
    });
    let (mut client, tune) = tuning(&broker);
    assert_eq!((tune.frame_max, tune.channel_max), (0, 0));
    let login = Login { frame_max: 0, channel_max: 0, ..Login::default() };
    client.tune(&login);
    client.method(0, &login.open());
    client.expect(0, 10, 41);
    client.open_channel(65_535);
}
