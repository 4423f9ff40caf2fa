//! A broker inside somebody's test: no container, no port to agree on, gone when the test ends.
//!
//! ```sh
//! cargo run --example embedded
//! ```
#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::net::Ipv4Addr;

use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use warren::config::Config;
use warren::server::Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // In a test this is the body of a `#[tokio::test]`. Each test can have a broker of its own:
    // it starts in a millisecond and shares nothing with the others.
    let mut config = Config::default();
    config.amqp.bind = Ipv4Addr::LOCALHOST.into();
    config.http.bind = Ipv4Addr::LOCALHOST.into();
    config.amqp.port = 0; // whichever is free
    config.http.port = 0;
    config.prometheus.port = 0;
    let broker = Server::start(config).await?;
    let url = format!("amqp://guest:guest@{}", broker.amqp_address());
    println!("a broker for this test: {url}");

    // What is tested gets the URL, as it would get that of a real one.
    send_greeting(&url).await?;

    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let message = channel.basic_get("greetings".into(), BasicGetOptions::default()).await?;
    let message = message.expect("a greeting was sent");
    assert_eq!(message.data, b"hello");
    println!("received {:?}", String::from_utf8_lossy(&message.data));

    connection.close(200, "done".into()).await?;
    broker.stop().await;
    Ok(())
}

/// Stands for the code under test.
async fn send_greeting(url: &str) -> lapin::Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .queue_declare("greetings".into(), QueueDeclareOptions::default(), FieldTable::default())
        .await?;
    channel
        .basic_publish(
            "".into(),
            "greetings".into(),
            BasicPublishOptions::default(),
            b"hello",
            BasicProperties::default(),
        )
        .await?;
    connection.close(200, "done".into()).await
}
