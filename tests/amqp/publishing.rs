//! Messages on their way in: of any size, in any pieces, on many channels at once.

use proptest::prelude::*;

use crate::support::client::{
    BODY, Consume, HEADER, METHOD, publish, publish_frames, publish_method,
};
use crate::support::{Client, Login, Payload, TestBroker};

/// Bodies of this size and above are shared, not copied, on their way out.
const SHARED: usize = warren::wire::encode::SHARED_BODY;

fn body(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251) as u8).collect()
}

/// Consumes from a new queue `q` without acknowledging.
fn consumer(broker: &TestBroker, login: &Login) -> Client {
    let mut consumer = broker.connect(login);
    consumer.open_channel(1);
    consumer.declare("q");
    consumer.consume_as(1, "q", Consume { no_ack: true, ..Consume::default() });
    consumer
}

#[test]
fn bodies_of_every_size_arrive_whole() {
    let broker = TestBroker::start();
    let narrow = Login { frame_max: 8192, ..Login::default() };
    for (publisher, receiver) in [
        (Login::default(), Login::default()),
        (narrow.clone(), Login::default()),
        (Login::default(), narrow),
    ] {
        let mut consumer = consumer(&broker, &receiver);
        let mut publisher = broker.connect(&publisher);
        publisher.open_channel(1);
        let around = |size: usize| size - 9..size + 2;
        let sizes = (0..3).chain(around(8192)).chain(around(SHARED)).chain(around(2 * 8192 - 16));
        let sizes = sizes.chain(around(131_072)).chain([300_000, 3_000_000]);
        for size in sizes {
            let body = body(size);
            publisher.publish("q", &body);
            let delivery = consumer.delivery();
            assert_eq!(delivery.header, Payload::header(size as u64).0);
            assert!(delivery.body == body, "a body of {size} arrives changed");
            assert!(consumer.largest_frame <= receiver.frame_max as usize, "a frame is too large");
        }
        consumer.close();
    }
}

#[test]
fn a_body_may_come_in_pieces_of_any_size() {
    let broker = TestBroker::start();
    let mut consumer = consumer(&broker, &Login::default());
    let mut publisher = broker.client();
    for piece in [1, 2, 7, 100] {
        let body = body(500);
        let method = publish_method("", "q", 0);
        publisher.say(&publish_frames(1, &method, &Payload::header(500), &body, piece + 8));
        assert_eq!(consumer.delivery().body, body);
    }
}

#[test]
fn channels_may_publish_in_between_each_other() {
    let broker = TestBroker::start();
    let mut consumer = consumer(&broker, &Login::default());
    let mut publisher = broker.client();
    publisher.open_channel(2);
    let pieces = |channel: u16, text: &str| -> Vec<Vec<u8>> {
        let mut frames = vec![
            publish_method("", "q", 0).frame(METHOD, channel),
            Payload::header(text.len() as u64).frame(HEADER, channel),
        ];
        let bytes = text.bytes();
        frames.extend(bytes.map(|byte| Payload(vec![byte]).frame(BODY, channel)));
        frames
    };
    let one = pieces(1, "one");
    let two = pieces(2, "second");
    let mut bytes = Vec::new();
    for at in 0..one.len().max(two.len()) {
        bytes.extend(one.get(at).into_iter().flatten());
        bytes.extend(two.get(at).into_iter().flatten());
    }
    publisher.say(&bytes);
    assert_eq!(consumer.deliveries(2), ["one", "second"]);
}

#[test]
fn many_publishers_keep_each_their_order() {
    let broker = TestBroker::start();
    let mut consumer = consumer(&broker, &Login::default());
    const PUBLISHERS: usize = 8;
    const EACH: usize = 2000;
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut client = broker.client();
            scope.spawn(move || {
                for number in 0..EACH {
                    client.publish("q", format!("{publisher} {number}"));
                }
                client.close();
            });
        }
        let mut next = [0; PUBLISHERS];
        for _ in 0..PUBLISHERS * EACH {
            let text = consumer.delivery().text();
            let (publisher, number) = text.split_once(' ').expect("two numbers");
            let publisher: usize = publisher.parse().expect("a number");
            assert_eq!(number, next[publisher].to_string());
            next[publisher] += 1;
        }
    });
}

#[test]
fn a_fan_out_reaches_every_queue_once() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for queue in ["a", "b", "c"] {
        client.declare(queue);
        // Two bindings, one copy.
        for key in ["x", "y"] {
            let bind = Payload::method(50, 20).u16(0).short(queue).short("amq.fanout").short(key);
            client.method(1, &bind.u8(0).table(&Payload::new()));
            client.expect(1, 50, 21);
        }
    }
    let body = body(SHARED + 1);
    client.say(&publish(1, "amq.fanout", "x", &body, 131_072));
    client.sync();
    for queue in ["a", "b", "c"] {
        let (ok, heard) = client.get(queue, true).expect("a copy");
        assert_eq!(ok.message_count, 0);
        assert!(heard.body == body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    /// However the network tears the bytes, the messages are the same.
    #[test]
    fn bytes_may_be_torn_anywhere(
        sizes in proptest::collection::vec(prop_oneof![0usize..300, 8000usize..40_000], 1..8),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let broker = TestBroker::start();
        let mut consumer = consumer(&broker, &Login::default());
        let mut publisher = broker.client();
        let bodies: Vec<Vec<u8>> = sizes.into_iter().map(body).collect();
        let bytes: Vec<u8> =
            bodies.iter().flat_map(|body| publish(1, "", "q", body, 16_384)).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            publisher.say(&bytes[cut[0]..cut[1]]);
        }
        for body in bodies {
            prop_assert_eq!(consumer.delivery().body, body);
        }
    }
}

#[test]
fn lapin_publishes_and_consumes() {
    use futures_util::StreamExt;
    use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions};
    use lapin::types::{FieldTable, ShortString};
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("a channel");
        let queue: ShortString = "q".into();
        channel
            .queue_declare(
                queue.clone(),
                lapin::options::QueueDeclareOptions::default(),
                FieldTable::default(),
            )
            .await
            .expect("declared");
        for size in [0, 1, 16_383, 16_384, 131_064, 131_065, 1_000_000] {
            let properties =
                lapin::BasicProperties::default().with_message_id(size.to_string().into());
            channel
                .basic_publish(
                    "".into(),
                    queue.clone(),
                    BasicPublishOptions::default(),
                    &body(size),
                    properties,
                )
                .await
                .expect("published");
        }
        let mut consumer = channel
            .basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .expect("consuming");
        for size in [0, 1, 16_383, 16_384, 131_064, 131_065, 1_000_000] {
            let delivery = consumer.next().await.expect("a delivery").expect("a delivery");
            assert!(delivery.data == body(size));
            let id = delivery.properties.message_id().clone();
            assert_eq!(id, Some(ShortString::from(size.to_string())));
            delivery.ack(BasicAckOptions::default()).await.expect("acked");
        }
        channel.close(200, "bye".into()).await.expect("closed");
    });
    let counts = broker.counts("q");
    assert_eq!((counts.ready, counts.unacked), (0, 0));
}
