//! Asks a question over the broker and waits for the answer, by direct reply-to: no reply queue
//! has to be made or cleared away.
//!
//! ```sh
//! cargo run --example rpc -- 30
//! ```
#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use anyhow::Context;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const QUESTIONS: &str = "fibonacci";
/// Who consumes from this name, which is no queue, gets the replies to what this channel asks.
const REPLIES: &str = "amq.rabbitmq.reply-to";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://127.0.0.1:5672/%2f".into());
    let number = std::env::args().nth(1).unwrap_or_else(|| "30".into());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;

    // The server usually is a program of its own.
    let server = connection.create_channel().await?;
    let queue = QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::default() };
    server.queue_declare(QUESTIONS.into(), queue, FieldTable::default()).await?;
    tokio::spawn(answer(server));

    let channel = connection.create_channel().await?;
    let no_ack = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut replies =
        channel.basic_consume(REPLIES.into(), "".into(), no_ack, FieldTable::default()).await?;
    // The correlation id comes back with the answer: with several questions on their way it says
    // which one was answered.
    let question = BasicProperties::default()
        .with_reply_to(REPLIES.into())
        .with_correlation_id("question 1".into());
    let options = BasicPublishOptions::default();
    channel
        .basic_publish("".into(), QUESTIONS.into(), options, number.as_bytes(), question)
        .await?;

    let reply = replies.next().await.context("the consumer was cancelled")??;
    let which = reply.properties.correlation_id().as_ref().map_or("?", |id| id.as_str());
    println!("{which}: fibonacci({number}) = {}", String::from_utf8_lossy(&reply.data));

    connection.close(200, "done".into()).await?;
    Ok(())
}

async fn answer(channel: Channel) -> anyhow::Result<()> {
    let no_ack = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut questions =
        channel.basic_consume(QUESTIONS.into(), "".into(), no_ack, FieldTable::default()).await?;
    while let Some(question) = questions.next().await {
        let question = question?;
        let answer = match String::from_utf8_lossy(&question.data).parse() {
            Ok(number @ 0..=93) => fibonacci(number).to_string(),
            Ok(_) | Err(_) => "a number from 0 to 93, please".to_owned(),
        };
        // The broker has put the asker's address into reply-to.
        let Some(asker) = question.properties.reply_to().clone() else { continue };
        let mut properties = BasicProperties::default();
        if let Some(id) = question.properties.correlation_id().clone() {
            properties = properties.with_correlation_id(id);
        }
        let options = BasicPublishOptions::default();
        channel.basic_publish("".into(), asker, options, answer.as_bytes(), properties).await?;
    }
    Ok(())
}

fn fibonacci(number: u32) -> u64 {
    let next = |(a, b): (u64, u64), _| (b, a.saturating_add(b));
    (0..number).fold((0, 1), next).0
}
