//! Prometheus' port: RabbitMQ's names, and numbers that are true.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::http::{Answer, raw};
use crate::support::{TestBroker, eventually};

fn ask(broker: &TestBroker, path: &str, headers: &str) -> Answer {
    let said = format!("GET {path} HTTP/1.1\r\nHost: warren\r\nConnection: close\r\n{headers}\r\n");
    raw(broker.server().prometheus_address(), said.as_bytes()).expect("an answer")
}

/// All samples, by their names with labels.
fn scrape(broker: &TestBroker, path: &str) -> BTreeMap<String, f64> {
    let answer = ask(broker, path, "");
    assert_eq!(answer.status, 200, "{path}");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(answer.body).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a number");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

/// What RabbitMQ's dashboard 10991 ("RabbitMQ-Overview") asks for, but for what only Erlang has.
const DASHBOARD: [&str; 40] = [
    "alarms_file_descriptor_limit",
    "alarms_free_disk_space_watermark",
    "alarms_memory_used_watermark",
    "channel_consumers",
    "channels",
    "channels_closed_total",
    "channels_opened_total",
    "connections",
    "connections_closed_total",
    "connections_opened_total",
    "consumers",
    "disk_space_available_bytes",
    "disk_space_available_limit_bytes",
    "global_consumers",
    "global_messages_acknowledged_total",
    "global_messages_confirmed_total",
    "global_messages_delivered_consume_auto_ack_total",
    "global_messages_delivered_consume_manual_ack_total",
    "global_messages_delivered_get_auto_ack_total",
    "global_messages_delivered_get_manual_ack_total",
    "global_messages_get_empty_total",
    "global_messages_received_confirm_total",
    "global_messages_received_total",
    "global_messages_redelivered_total",
    "global_messages_routed_total",
    "global_messages_unroutable_dropped_total",
    "global_messages_unroutable_returned_total",
    "global_publishers",
    "process_max_fds",
    "process_max_tcp_sockets",
    "process_open_fds",
    "process_open_tcp_sockets",
    "process_resident_memory_bytes",
    "queue_messages_ready",
    "queue_messages_unacked",
    "queues",
    "queues_created_total",
    "queues_declared_total",
    "queues_deleted_total",
    "resident_memory_limit_bytes",
];

#[test]
fn what_dashboards_ask_for_is_there() {
    let broker = TestBroker::start();
    let samples = scrape(&broker, "/metrics");
    for name in DASHBOARD {
        let name = format!("rabbitmq_{name}");
        let is_it = |sample: &String| sample.split('{').next() == Some(&name);
        assert!(samples.keys().any(is_it), "{name} is missing");
    }
    let negative = samples.iter().find(|(_, value)| value.is_sign_negative());
    assert_eq!(negative, None, "nothing is 0 and not -0");
    let identity = samples.keys().find(|name| name.starts_with("rabbitmq_identity_info{"));
    let identity = identity.expect("it says who it is");
    for label in ["rabbitmq_node=", "rabbitmq_cluster=", "rabbitmq_endpoint=\"aggregated\""] {
        assert!(identity.contains(label), "{identity}");
    }
    assert!(samples.keys().any(|name| name.starts_with("rabbitmq_build_info{rabbitmq_version=")));
    assert!(samples["rabbitmq_process_resident_memory_bytes"] > 1e6);
}

#[test]
fn messages_are_counted_truly() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for queue in ["one", "two"] {
        client.declare(queue);
        client.publish_numbers(queue, 0..5);
    }
    client.publish_numbers("nowhere", 0..3);
    client.sync();
    let of = |samples: &BTreeMap<String, f64>, name: &str| samples[&format!("rabbitmq_{name}")];
    let global = |name: &str| format!("global_messages_{name}_total{{protocol=\"amqp091\"}}");
    let samples = scrape(&broker, "/metrics");
    assert_eq!(of(&samples, "queues"), 2.0);
    assert_eq!(of(&samples, "queue_messages_ready"), 10.0);
    assert_eq!(of(&samples, "queue_messages_published_total"), 10.0);
    assert_eq!(of(&samples, &global("received")), 13.0);
    assert_eq!(of(&samples, &global("routed")), 10.0);
    assert_eq!(of(&samples, &global("unroutable_dropped")), 3.0);
    assert_eq!(of(&samples, "global_publishers{protocol=\"amqp091\"}"), 1.0);
    let objects = scrape(&broker, "/metrics/per-object");
    for queue in ["one", "two"] {
        let name = format!("queue_messages_ready{{vhost=\"/\",queue=\"{queue}\"}}");
        assert_eq!(of(&objects, &name), 5.0);
    }
    drop(client);
    eventually("the connection is gone", || broker.server().broker().peers.is_empty());
    let after = scrape(&broker, "/metrics");
    assert_eq!(of(&after, &global("received")), 13.0, "also what a closed connection counted");
    assert_eq!(of(&after, "connections_closed_total"), 1.0);
    assert_eq!(of(&after, "auth_attempts_succeeded_total{protocol=\"amqp091\"}"), 1.0);
}

#[test]
fn details_are_what_is_asked_for() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("one");
    client.declare("a \"b\"");
    client.sync();
    let names = |path: &str| -> Vec<String> {
        let all = scrape(&broker, path).into_keys();
        let info = |name: &String| name.contains("_info{");
        all.filter(|name| !info(name)).collect()
    };
    assert!(names("/metrics/detailed").is_empty(), "nothing without a family");
    let escaped = r#"rabbitmq_detailed_queue_consumers{vhost="/",queue="a \"b\""}"#;
    let plain = r#"rabbitmq_detailed_queue_consumers{vhost="/",queue="one"}"#;
    assert_eq!(names("/metrics/detailed?family=queue_consumer_count"), [escaped, plain]);
    let one = "/metrics/detailed?family=queue_consumer_count&vhost=%2F&queue=one";
    assert_eq!(names(one), [plain]);
    assert!(names("/metrics/detailed?family=queue_consumer_count&vhost=other").is_empty());
    let status = r#"rabbitmq_cluster_vhost_status{vhost="/"}"#;
    assert_eq!(names("/metrics/detailed?family=vhost_status"), [status]);
    let bindings = names("/metrics/detailed?family=exchange_bindings");
    assert!(bindings[0].starts_with("rabbitmq_cluster_exchange_bindings{"), "{bindings:?}");
    assert_eq!(names("/metrics/detailed?family=channel_metrics").len(), 7);
}

#[test]
fn memory_by_its_uses() {
    let broker = TestBroker::start();
    let samples = scrape(&broker, "/metrics/memory-breakdown");
    let parts = samples.iter().filter(|(name, _)| name.starts_with("rabbitmq_memory_"));
    assert!(parts.clone().count() > 20);
    assert!(parts.map(|(_, bytes)| bytes).sum::<f64>() > 1e6);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let broker = TestBroker::start();
    assert_eq!(ask(&broker, "/", "").status, 404);
    assert_eq!(ask(&broker, "/metrics/other", "").status, 404);
    let said =
        b"POST /metrics HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let refused = raw(broker.server().prometheus_address(), said).expect("an answer");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn ten_thousand_queues_in_a_moment() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    for number in 0..10_000 {
        client.declare(&format!("a-queue-with-a-name-of-some-length-{number}"));
    }
    client.sync();
    let plain = ask(&broker, "/metrics", "");
    let begun = Instant::now();
    let objects = ask(&broker, "/metrics/per-object", "Accept-Encoding: gzip\r\n");
    let took = begun.elapsed();
    assert_eq!(objects.header("content-encoding"), Some("gzip"));
    assert_eq!(objects.body[..2], [0x1f, 0x8b]);
    assert!(plain.body.len() < 50_000, "what is added up does not grow with queues");
    // The measure is 200 ms in a release build; this is none, and others run beside it.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// RabbitMQ's classes; what is as large as a bound is below it.
#[test]
fn sizes_of_messages() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    for size in [0, 100, 101, 20_000] {
        client.publish("q", vec![b'x'; size]);
    }
    client.publish("nowhere", b"x");
    client.sync();
    let of = |samples: &BTreeMap<String, f64>, name: &str| {
        samples[&format!("rabbitmq_message_size_bytes_{name}")]
    };
    let bucket = |le: &str| format!("bucket{{protocol=\"amqp091\",le=\"{le}\"}}");
    let check = |samples: &BTreeMap<String, f64>| {
        for (le, count) in [("100", 3.0), ("1000", 4.0), ("10000", 4.0), ("100000", 5.0)] {
            assert_eq!(of(samples, &bucket(le)), count, "{le}");
        }
        for le in ["1000000", "10000000", "50000000", "100000000", "+Inf"] {
            assert_eq!(of(samples, &bucket(le)), 5.0, "{le}");
        }
        assert_eq!(of(samples, "count{protocol=\"amqp091\"}"), 5.0);
        assert_eq!(of(samples, "sum{protocol=\"amqp091\"}"), 20_202.0);
    };
    check(&scrape(&broker, "/metrics"));
    check(&scrape(&broker, "/metrics/per-object"));
    drop(client);
    eventually("the connection is gone", || broker.server().broker().peers.is_empty());
    check(&scrape(&broker, "/metrics"));
    let text = String::from_utf8(ask(&broker, "/metrics", "").body).expect("text");
    assert!(text.contains("# TYPE rabbitmq_message_size_bytes histogram\n"));
}

/// What goes between exchanges, queues and channels has both ends as labels.
#[test]
fn what_is_about_whom() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("one");
    client.publish_numbers("one", 0..3);
    client.get("one", true).expect("a message");
    let channel = |samples: &BTreeMap<String, f64>, name: &str, label: &str| {
        let is_it = |(sample, _): &(&String, &f64)| {
            sample.starts_with(&format!("rabbitmq_detailed_{name}{{channel="))
                && sample.ends_with(label)
        };
        *samples.iter().find(is_it).unwrap_or_else(|| panic!("{name} {label} in {samples:?}")).1
    };
    let path = "/metrics/detailed?family=channel_exchange_metrics&family=channel_queue_metrics&\
                family=exchange_metrics&family=queue_exchange_metrics&family=queue_metrics";
    let samples = scrape(&broker, path);
    let published = "channel_messages_published_total";
    assert_eq!(channel(&samples, published, "vhost=\"/\",exchange=\"\"}"), 3.0);
    assert_eq!(channel(&samples, "channel_get_total", "vhost=\"/\",queue=\"one\"}"), 1.0);
    for (name, number) in [
        ("exchange_messages_published_total{vhost=\"/\",exchange=\"\"}", 3.0),
        ("queue_exchange_messages_published_total{vhost=\"/\",exchange=\"\",queue=\"one\"}", 3.0),
        ("queue_messages_persistent{vhost=\"/\",queue=\"one\"}", 0.0),
        ("queue_messages_ready_ram{vhost=\"/\",queue=\"one\"}", 2.0),
    ] {
        assert_eq!(samples[&format!("rabbitmq_detailed_{name}")], number, "{name}");
    }
    let sums = scrape(&broker, "/metrics");
    assert_eq!(sums["rabbitmq_channel_messages_published_total"], 3.0);
    assert_eq!(sums["rabbitmq_queue_exchange_messages_published_total"], 3.0);
}
