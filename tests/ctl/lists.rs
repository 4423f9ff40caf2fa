//! Lists with their columns, in every format.

use serde_json::json;

use crate::support::TestBroker;
use crate::support::client::Consume;
use crate::tool::{done, json, refused};

/// A broker with two queues, a binding, and a client that has one of two messages.
fn busy() -> (TestBroker, crate::support::Client) {
    let broker = TestBroker::start();
    done(&broker, "create_queue q1 {\"x-max-length\":5}");
    done(&broker, "create_queue q2");
    let mut client = broker.client();
    client.prefetch(1, 1, false);
    client.publish_numbers("q1", 0..2);
    client.consume_as(1, "q1", Consume { tag: "ct", ..Consume::default() });
    client.deliveries(1);
    (broker, client)
}

#[test]
fn queues() {
    let (broker, _client) = busy();
    assert_eq!(
        done(&broker, "list_queues"),
        "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\nname\tmessages\nq1\t2\nq2\t0\n"
    );
    assert_eq!(
        done(&broker, "list_queues name type state policy arguments consumers"),
        "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n\
         name\ttype\tstate\tpolicy\targuments\tconsumers\n\
         q1\tclassic\trunning\t\t[{\"x-max-length\",5},{\"x-queue-type\",\"classic\"}]\t1\n\
         q2\tclassic\trunning\t\t[{\"x-queue-type\",\"classic\"}]\t0\n"
    );
    assert_eq!(
        json(&broker, "list_queues name,messages_ready messages_unacknowledged durable"),
        json!([
            {"name": "q1", "messages_ready": 1, "messages_unacknowledged": 1, "durable": true},
            {"name": "q2", "messages_ready": 0, "messages_unacknowledged": 0, "durable": true},
        ])
    );
    assert_eq!(
        done(&broker, "list_queues name messages --formatter csv"),
        "\"name\",\"messages\"\n\"q1\",\"2\"\n\"q2\",\"0\"\n"
    );
    assert_eq!(
        done(&broker, "-q list_queues name --formatter pretty_table"),
        "┌──────┐\n│ name │\n├──────┤\n│ q1   │\n├──────┤\n│ q2   │\n└──────┘\n"
    );
    refused(&broker, "list_queues bogus", 64, "Info key(s) bogus are not supported");
    assert_eq!(
        done(&broker, "list_queues -p /nope"),
        "Timeout: 60.0 seconds ...\nListing queues for vhost /nope ...\n"
    );
}

#[test]
fn top_shows_what_there_is() {
    let (broker, _client) = busy();
    let page = done(&broker, "top --once");
    assert!(
        page.contains("1 connections, 1 channels, 2 queues, 1 consumers; 2 messages"),
        "{page}"
    );
    assert!(page.contains("\nq1 ") && page.contains(" guest    running"), "{page}");
}

#[test]
fn exchanges_and_bindings() {
    let (broker, _client) = busy();
    done(&broker, "create_exchange topic events");
    let exchanges = done(&broker, "list_exchanges");
    assert!(
        exchanges.starts_with("Listing exchanges for vhost / ...\nname\ttype\n"),
        "{exchanges}"
    );
    for line in ["\n\tdirect\n", "\namq.topic\ttopic\n", "\nevents\ttopic\n"] {
        assert!(exchanges.contains(line), "{exchanges}");
    }
    assert_eq!(
        done(&broker, "list_bindings"),
        "Listing bindings for vhost /...\n\
         source_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\targuments\n\
         \texchange\tq1\tqueue\tq1\t[]\n\texchange\tq2\tqueue\tq2\t[]\n"
    );
    assert_eq!(
        json(&broker, "list_bindings source_name routing_key"),
        json!([{"source_name": "", "routing_key": "q1"}, {"source_name": "", "routing_key": "q2"}])
    );
}

#[test]
fn connections_channels_and_consumers() {
    let (broker, _client) = busy();
    let connections = done(&broker, "list_connections");
    let lines: Vec<&str> = connections.lines().collect();
    assert_eq!(lines[..2], ["Listing connections ...", "user\tpeer_host\tpeer_port\tstate"]);
    assert!(lines[2].starts_with("guest\t127.0.0.1\t") && lines[2].ends_with("\trunning"));
    let channels =
        json(&broker, "list_channels number user consumer_count messages_unacknowledged");
    assert_eq!(
        channels,
        json!([{"number": 1, "user": "guest", "consumer_count": 1, "messages_unacknowledged": 1}])
    );
    assert_eq!(
        json(&broker, "list_consumers queue_name consumer_tag ack_required prefetch_count active"),
        json!([{
            "queue_name": "q1", "consumer_tag": "ct", "ack_required": true, "prefetch_count": 1,
            "active": true,
        }])
    );
    assert_eq!(json(&broker, "list_unresponsive_queues"), json!([]));
}
