//! The disk has little room left: publishers wait, consumers go on, nothing is lost.

use warren::wire::method::{AnyMethod, connection};

use crate::support::client::Consume;
use crate::support::{Client, Login, TestBroker};

const NO_ACK: Consume<'static> =
    Consume { no_ack: true, exclusive: false, tag: "", priority: None };

fn set_limit(broker: &TestBroker, bytes: u64) {
    broker.server().broker().shared.disk.set_limit(bytes);
}

#[track_caller]
fn is_told_to_wait(client: &mut Client) {
    let heard = client.hear();
    let AnyMethod::Connection(connection::AMQPMethod::Blocked(blocked)) = &heard.method else {
        panic!("heard {heard:?}");
    };
    assert_eq!(blocked.reason.as_str(), "low on disk");
}

#[test]
fn a_publisher_waits_below_the_limit_and_goes_on_above_it() {
    let broker = TestBroker::start();
    let mut publisher = broker.client();
    publisher.declare("q");
    set_limit(&broker, u64::MAX);
    publisher.publish("q", "read before it was stopped");
    is_told_to_wait(&mut publisher);
    publisher.publish("q", "not read");
    publisher.hears_nothing();
    let mut consumer = broker.client();
    consumer.declare("elsewhere");
    consumer.consume_as(1, "q", NO_ACK);
    assert_eq!(consumer.delivery().text(), "read before it was stopped");
    consumer.sync();
    set_limit(&broker, 0);
    assert_eq!(publisher.hear().id, (10, 61));
    assert_eq!(consumer.delivery().text(), "not read");
    publisher.sync();
}

#[test]
fn who_would_not_understand_is_stopped_without_a_word() {
    let broker = TestBroker::start();
    set_limit(&broker, u64::MAX);
    let mut publisher = broker.connect(&Login { capabilities: &[], ..Login::default() });
    publisher.open_channel(1);
    publisher.declare("q");
    publisher.publish("q", "read before it was stopped");
    publisher.publish("q", "not read");
    publisher.hears_nothing();
    set_limit(&broker, 0);
    publisher.sync();
    assert_eq!(broker.counts("q").ready, 2);
}
