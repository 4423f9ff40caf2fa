//! Publisher confirms: every message is confirmed once, together where they came together.

use warren::wire::method::{AnyMethod, basic};

use crate::support::client::{publish, publish_frames, publish_method};
use crate::support::{Client, Heard, Payload, TestBroker};

fn ack_of(heard: &Heard) -> (u64, bool) {
    let AnyMethod::Basic(basic::AMQPMethod::Ack(ack)) = &heard.method else {
        panic!("not a confirm: {heard:?}");
    };
    (ack.delivery_tag, ack.multiple)
}

/// Hears confirms until `last` is confirmed. Returns how many frames that took.
fn confirmed_up_to(client: &mut Client, channel: u16, first: u64, last: u64) -> usize {
    let mut next = first;
    let mut frames = 0;
    while next <= last {
        let heard = client.hear();
        assert_eq!(heard.channel, channel);
        let (tag, multiple) = ack_of(&heard);
        assert!(tag >= next, "{tag} is confirmed twice");
        assert!(multiple || tag == next, "{next} is left out");
        next = tag + 1;
        frames += 1;
    }
    assert_eq!(next, last + 1, "confirmed what was not published");
    frames
}

#[test]
fn every_message_is_confirmed_exactly_once() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.confirm_select(1);
    client.publish_numbers("q", 0..10_000);
    let frames = confirmed_up_to(&mut client, 1, 1, 10_000);
    assert!(frames < 2000, "confirms of messages that came together go together, not {frames}");
    client.hears_nothing();
    assert_eq!(broker.counts("q").ready, 10_000);
}

#[test]
fn one_at_a_time_they_are_confirmed_one_at_a_time() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.confirm_select(1);
    for tag in 1..=100 {
        client.publish("q", "hello");
        assert_eq!(ack_of(&client.hear()), (tag, false));
    }
}

#[test]
fn numbers_count_publishes_since_confirms_were_asked_for() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.publish_numbers("q", 0..5);
    client.confirm_select(1);
    client.publish("q", "first");
    assert_eq!(ack_of(&client.hear()), (1, false));
    // Asking again changes nothing.
    client.confirm_select(1);
    client.publish("q", "second");
    assert_eq!(ack_of(&client.hear()), (2, false));
}

#[test]
fn a_message_in_pieces_is_confirmed_when_it_is_whole() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.confirm_select(1);
    let whole = publish(1, "", "q", &[7; 30_000], 8192);
    let (start, end) = whole.split_at(whole.len() - 1);
    client.say(start);
    client.hears_nothing();
    client.say(end);
    assert_eq!(ack_of(&client.hear()), (1, false));
}

#[test]
fn a_message_without_a_queue_is_confirmed_too() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.confirm_select(1);
    client.publish("nowhere", "lost");
    assert_eq!(ack_of(&client.hear()), (1, false));
}

#[test]
fn each_channel_counts_for_itself() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.open_channel(2);
    client.open_channel(3);
    client.confirm_select(1);
    client.confirm_select(3);
    let mut bytes = Vec::new();
    for _ in 0..100 {
        for channel in [1, 2, 3] {
            bytes.extend(publish(channel, "", "q", b"hello", 8192));
        }
    }
    client.say(&bytes);
    let mut next = [1, 0, 1];
    while next != [101, 0, 101] {
        let heard = client.hear();
        let (tag, multiple) = ack_of(&heard);
        let next = &mut next[usize::from(heard.channel) - 1];
        assert!(tag == *next || (multiple && tag > *next), "{heard:?}");
        *next = tag + 1;
    }
    assert_eq!(broker.counts("q").ready, 300);
}

#[test]
fn what_was_published_before_a_fault_on_the_channel_is_confirmed() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.confirm_select(1);
    let mut bytes = publish(1, "", "q", b"good", 8192);
    bytes.extend(publish(1, "missing", "q", b"bad", 8192));
    bytes.extend(publish(1, "", "q", b"ignored", 8192));
    client.say(&bytes);
    assert_eq!(ack_of(&client.hear()), (1, false));
    client.channel_is_closed(1, 404, (60, 40));
    assert_eq!(broker.counts("q").ready, 1);
    client.open_channel(1);
    client.confirm_select(1);
    client.publish("q", "numbers begin again");
    assert_eq!(ack_of(&client.hear()), (1, false));
}

#[test]
fn confirmed_means_in_the_queue() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    client.confirm_select(1);
    for count in 1..=500 {
        client.publish("q", "hello");
        client.hear();
        assert_eq!(broker.counts("q").ready, count);
    }
}

#[test]
fn persistent_messages_are_confirmed_too() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.method(1, &crate::support::client::declare("durable", 2));
    client.declare_ok();
    client.confirm_select(1);
    // delivery-mode 2
    let header = Payload::new().u16(60).u16(0).u64(1).u16(1 << 12).u8(2);
    let frames = publish_frames(1, &publish_method("", "durable", 0), &header, b"x", 8192);
    client.say(&frames.repeat(1000));
    confirmed_up_to(&mut client, 1, 1, 1000);
    let (ok, heard) = client.get("durable", false).expect("a message");
    assert_eq!((ok.message_count, heard.header), (999, header.0));
}

#[test]
fn lapin_waits_for_its_confirms() {
    use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
    let broker = TestBroker::start();
    broker.client().declare("q");
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        let options = ConfirmSelectOptions::default();
        channel.confirm_select(options).await.expect("confirms");
        let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let mut confirms = Vec::new();
        for number in 0..1000 {
            let queue = if number % 100 == 99 { "nowhere" } else { "q" };
            let properties = lapin::BasicProperties::default();
            let confirm =
                channel.basic_publish("".into(), queue.into(), mandatory, b"x", properties);
            confirms.push(confirm.await.expect("published"));
        }
        let mut returned = 0;
        for confirm in confirms {
            let confirmed = confirm.await.expect("confirmed");
            assert!(confirmed.is_ack());
            returned += usize::from(confirmed.take_message().is_some());
        }
        assert_eq!(returned, 10);
    });
    assert_eq!(broker.counts("q").ready, 990);
}
