//! What the broker says of itself: events, and the firehose.

use futures_util::StreamExt;
use lapin::BasicProperties;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

use crate::support::TestBroker;
use crate::support::notices::{hear, listen, text};

#[test]
fn events_are_told_to_who_is_bound() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("open");
        let mut events = listen(&channel, "amq.rabbitmq.event").await;
        let other = connection.create_channel().await.expect("open");
        let (facts, body) = hear(&mut events, "channel.created").await;
        assert_eq!((text(&facts, "user").as_str(), body), ("guest", vec![]));

        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        other.queue_declare("q".into(), options, FieldTable::default()).await.expect("declared");
        let (facts, _) = hear(&mut events, "queue.created").await;
        assert_eq!((text(&facts, "name"), text(&facts, "vhost")), ("q".into(), "/".into()));
        assert_eq!(facts.inner().get("durable"), Some(&AMQPValue::Boolean(true)));
        assert!(facts.inner().contains_key("timestamp_in_ms"));

        let options = BasicConsumeOptions::default();
        let consumer = other.basic_consume("q".into(), "c".into(), options, FieldTable::default());
        consumer.await.expect("consumes");
        let (facts, _) = hear(&mut events, "consumer.created").await;
        assert_eq!((text(&facts, "consumer_tag"), text(&facts, "queue")), ("c".into(), "q".into()));
        other.basic_cancel("c".into(), Default::default()).await.expect("cancelled");
        hear(&mut events, "consumer.deleted").await;
        other.queue_delete("q".into(), QueueDeleteOptions::default()).await.expect("deleted");
        let (facts, _) = hear(&mut events, "queue.deleted").await;
        assert_eq!(text(&facts, "name"), "q");

        let body = json!({}).as_object().expect("an object").clone();
        broker.server().broker().put_vhost("v", &body).expect("good");
        let (facts, _) = hear(&mut events, "vhost.created").await;
        assert_eq!(text(&facts, "name"), "v");
    });
}

#[test]
fn a_traced_vhost_shows_what_passes_and_no_other() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        let channel = connection.create_channel().await.expect("open");
        let mut shown = listen(&channel, "amq.rabbitmq.trace").await;
        let other = connection.create_channel().await.expect("open");
        let none = FieldTable::default;
        other
            .queue_declare("q".into(), QueueDeclareOptions::default(), none())
            .await
            .expect("it works");
        let options = BasicConsumeOptions::default();
        let mut consumer =
            other.basic_consume("q".into(), "c".into(), options, none()).await.expect("consumes");
        let mut pass = async |body: &str| {
            let how = BasicProperties::default().with_message_id("m".into());
            let options = BasicPublishOptions::default();
            let sent = other.basic_publish("".into(), "q".into(), options, body.as_bytes(), how);
            sent.await.expect("sent");
            let got = consumer.next().await.expect("it goes on").expect("it works");
            got.ack(BasicAckOptions::default()).await.expect("acked");
        };
        pass("unseen").await;
        let trace = |on: bool| {
            let body = json!({"tracing": on}).as_object().expect("an object").clone();
            broker.server().broker().put_vhost("/", &body).expect("good");
        };
        trace(true);
        pass("seen").await;
        let (headers, body) = hear(&mut shown, "publish.").await;
        assert_eq!(body, b"seen");
        assert_eq!((text(&headers, "user"), text(&headers, "vhost")), ("guest".into(), "/".into()));
        assert!(text(&headers, "connection").contains(" -> "));
        let Some(AMQPValue::FieldArray(queues)) = headers.inner().get("routed_queues") else {
            panic!("{headers:?}")
        };
        assert_eq!(queues.as_slice(), [AMQPValue::LongString("q".into())]);
        let Some(AMQPValue::FieldTable(properties)) = headers.inner().get("properties") else {
            panic!("{headers:?}")
        };
        assert_eq!(text(properties, "message_id"), "m");
        let (headers, body) = hear(&mut shown, "deliver.q").await;
        assert_eq!(body, b"seen");
        assert_eq!(headers.inner().get("redelivered"), Some(&AMQPValue::LongInt(0)));
        trace(false);
        pass("unseen").await;
        trace(true);
        pass("again").await;
        assert_eq!(hear(&mut shown, "publish.").await.1, b"again");
    });
}
