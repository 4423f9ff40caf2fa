//! Shares work among workers: each task goes to one of them, and none is lost if one dies.
//!
//! ```sh
//! cargo run --example work_queue
//! ```
#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const QUEUE: &str = "tasks";
const TASKS: u64 = 12;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .queue_declare(QUEUE.into(), QueueDeclareOptions::durable(), FieldTable::default())
        .await?;

    let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
    let mut workers = Vec::new();
    for name in ["slow", "fast"] {
        // Workers usually are programs of their own, on other machines.
        let channel = connection.create_channel().await?;
        workers.push(tokio::spawn(work(name, channel, done.clone())));
    }

    for task in 1..=TASKS {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let body = task.to_string();
        let options = BasicPublishOptions::default();
        channel
            .basic_publish("".into(), QUEUE.into(), options, body.as_bytes(), properties)
            .await?;
    }

    for _ in 0..TASKS {
        let what = finished.recv().await.expect("workers work until the end");
        println!("{what}");
    }
    // Consumers hear of it when their queue is deleted: the workers go home.
    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    for worker in workers {
        worker.await??;
    }
    connection.close(200, "done".into()).await?;
    Ok(())
}

async fn work(
    name: &'static str,
    channel: Channel,
    done: tokio::sync::mpsc::UnboundedSender<String>,
) -> anyhow::Result<()> {
    // One task at a time: the next one goes to whoever has finished. Without this, the broker
    // would deal all tasks out at once, and the slow worker would have as many as the fast one.
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let mut tasks = channel
        .basic_consume(
            QUEUE.into(),
            name.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    while let Some(task) = tasks.next().await {
        let task = task?;
        let effort = if name == "slow" { 300 } else { 60 };
        tokio::time::sleep(Duration::from_millis(effort)).await;
        // Acknowledged after the work. A task whose worker dies is given to another one, with
        // `redelivered` set.
        task.ack(BasicAckOptions::default()).await?;
        done.send(format!("{name} worker: task {}", String::from_utf8_lossy(&task.data)))?;
    }
    channel.close(200, "done".into()).await?;
    Ok(())
}
