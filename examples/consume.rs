//! Prints what comes into a queue, until Ctrl-C. The other half of `publish`.
//!
//! ```sh
//! cargo run --example consume
//! ```
#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .queue_declare("hello".into(), QueueDeclareOptions::durable(), FieldTable::default())
        .await?;

    // At most this many messages are on their way to us that we have not acknowledged. Without a
    // limit the broker sends everything there is at once.
    channel.basic_qos(100, BasicQosOptions::default()).await?;

    let mut consumer = channel
        .basic_consume(
            "hello".into(),
            "".into(), // a name for this consumer; the broker finds one
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    println!("waiting for messages, Ctrl-C ends");

    loop {
        let delivery = tokio::select! {
            delivery = consumer.next() => delivery,
            _ = tokio::signal::ctrl_c() => break,
        };
        // `None`: the consumer was cancelled, for example because somebody deleted the queue.
        let Some(delivery) = delivery.transpose()? else { break };
        println!("received {:?}", String::from_utf8_lossy(&delivery.data));
        // Acknowledge when the work is done. If this program dies before, the broker gives the
        // message to somebody else.
        delivery.ack(BasicAckOptions::default()).await?;
    }

    connection.close(200, "done".into()).await?;
    Ok(())
}
