//! Listening to what a broker says of itself.

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};

/// A consumer of all that an exchange says.
pub(crate) async fn listen(channel: &Channel, exchange: &str) -> Consumer {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let none = FieldTable::default;
    channel.queue_declare("heard".into(), options, none()).await.expect("declared");
    let options = QueueBindOptions::default();
    let bound = channel.queue_bind("heard".into(), exchange.into(), "#".into(), options, none());
    bound.await.expect("bound");
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume("heard".into(), "listener".into(), options, none());
    consumer.await.expect("consumes")
}

/// Hears until one with this key comes. Returns its headers and its body.
pub(crate) async fn hear(consumer: &mut Consumer, key: &str) -> (FieldTable, Vec<u8>) {
    loop {
        let heard = consumer.next().await.expect("it goes on").expect("it works");
        if heard.routing_key.as_str() == key {
            let headers = heard.properties.headers().clone().expect("it has headers");
            return (headers, heard.data);
        }
    }
}

/// A fact that is a text.
pub(crate) fn text(table: &FieldTable, key: &str) -> String {
    match table.inner().get(key) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => panic!("{key}: {other:?}"),
    }
}
