//! Publishes a few messages to a queue and waits until the broker has taken each of them.
//!
//! ```sh
//! cargo run --release                    # a broker, in another terminal
//! cargo run --example publish -- Hello, world
//! cargo run --example consume
//! ```
#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://127.0.0.1:5672/%2f".into());
    let words: Vec<String> = std::env::args().skip(1).collect();
    let text = if words.is_empty() { "Hello, world".to_owned() } else { words.join(" ") };

    // One connection is one TCP connection; a channel is a conversation on it. Programs open one
    // connection, and a channel for each thread or task.
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    // Declaring makes the queue if it is not there; whoever comes first, publisher or consumer.
    // A durable queue is still there after the broker was restarted.
    channel
        .queue_declare("hello".into(), QueueDeclareOptions::durable(), FieldTable::default())
        .await?;

    // From now on the broker confirms each message once it is responsible for it. Without this a
    // message that is lost on the way is lost silently.
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    for number in 1..=3 {
        let body = format!("{text} ({number})");
        // Messages go to an exchange, which finds the queues. The one without a name, the default
        // exchange, sends a message to the queue whose name is the routing key.
        let confirm = channel
            .basic_publish(
                "".into(),
                "hello".into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                BasicProperties::default().with_delivery_mode(2), // 2: keep it on disk
            )
            .await?;
        // A busy publisher would not wait for each, but collect some confirms and then wait.
        let confirmed = confirm.await?;
        println!("sent {body:?}: {}", if confirmed.is_ack() { "confirmed" } else { "refused" });
    }

    connection.close(200, "done".into()).await?;
    Ok(())
}
