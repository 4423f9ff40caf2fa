//! What is there at this moment: connections, channels, consumers, queues and what they counted.

use serde_json::{Value, json};
use warren::wire::method::{AnyMethod, basic};

use crate::http::{ask, get, send};
use crate::support::client::{Consume, declare, publish_frames, publish_method};
use crate::support::{Client, Payload, TestBroker, eventually};

const EXCLUSIVE: u8 = 4;

fn one(list: &Value) -> Value {
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 1, "{list:?}");
    list[0].clone()
}

/// A client with two messages of five unacked, on channel 1, and one confirmed into nothing.
fn busy(broker: &TestBroker) -> Client {
    let mut client = broker.client();
    client.declare("q");
    client.prefetch(1, 2, false);
    client.confirm_select(1);
    client.publish_numbers("q", 0..5);
    client.publish("nowhere", b"x");
    let mut confirmed = 0;
    while confirmed < 6 {
        let AnyMethod::Basic(basic::AMQPMethod::Ack(ack)) = client.expect(1, 60, 80).method else {
            unreachable!("60, 80 is basic.ack")
        };
        confirmed = ack.delivery_tag;
    }
    client.consume_as(1, "q", Consume { tag: "ct", ..Consume::default() });
    client.deliveries(2);
    client
}

#[test]
fn a_connection_and_its_channel() {
    let broker = TestBroker::start();
    let _client = busy(&broker);
    let connection = one(&get(&broker, "/api/connections"));
    let port = connection["peer_port"].as_u64().expect("a port");
    let name = format!("127.0.0.1:{port} -> {}", broker.address());
    let expected = [
        ("name", json!(name)),
        ("state", json!("running")),
        ("user", json!("guest")),
        ("vhost", json!("/")),
        ("protocol", json!("AMQP 0-9-1")),
        ("auth_mechanism", json!("PLAIN")),
        ("channels", json!(1)),
        ("ssl", json!(false)),
    ];
    for (key, value) in expected {
        assert_eq!(connection[key], value, "{key}");
    }
    assert!(connection["recv_oct"].as_u64() > Some(100));
    assert!(connection["client_properties"].is_object());
    assert_eq!(get(&broker, "/api/vhosts/%2F/connections").as_array().map(Vec::len), Some(1));

    let path =
        format!("/api/connections/{}/channels", name.replace(' ', "%20").replace('>', "%3E"));
    let channel = one(&get(&broker, &path));
    let expected = [
        ("name", json!(format!("{name} (1)"))),
        ("number", json!(1)),
        ("confirm", json!(true)),
        ("transactional", json!(false)),
        ("prefetch_count", json!(2)),
        ("consumer_count", json!(1)),
        ("messages_unacknowledged", json!(2)),
        ("messages_unconfirmed", json!(0)),
    ];
    for (key, value) in expected {
        assert_eq!(channel[key], value, "{key}");
    }
    let stats = &channel["message_stats"];
    assert_eq!((&stats["publish"], &stats["confirm"]), (&json!(6), &json!(6)));
    assert_eq!((&stats["drop_unroutable"], &stats["deliver"]), (&json!(1), &json!(2)));
    let page = get(
        &broker,
        &format!("/api/channels/{}", format!("{name} (1)").replace(' ', "%20").replace('>', "%3E")),
    );
    assert_eq!(one(&page["consumer_details"])["consumer_tag"], "ct");
}

#[test]
fn a_queue_and_its_consumer() {
    let broker = TestBroker::start();
    let mut client = busy(&broker);
    let queue = get(&broker, "/api/queues/%2F/q");
    let expected = [
        ("type", json!("classic")),
        ("state", json!("running")),
        ("messages", json!(5)),
        ("messages_ready", json!(3)),
        ("messages_unacknowledged", json!(2)),
        ("message_bytes", json!(5)),
        ("message_bytes_ready", json!(3)),
        ("consumers", json!(1)),
        ("exclusive", json!(false)),
        ("arguments", json!({"x-queue-type": "classic"})),
        ("effective_policy_definition", json!({})),
    ];
    for (key, value) in expected {
        assert_eq!(queue[key], value, "{key}");
    }
    let consumer = one(&queue["consumer_details"]);
    assert_eq!(consumer["queue"], json!({"name": "q", "vhost": "/"}));
    assert_eq!((&consumer["prefetch_count"], &consumer["ack_required"]), (&json!(2), &json!(true)));
    assert_eq!(one(&get(&broker, "/api/consumers/%2F")), consumer);

    client.method(1, &declare("mine", EXCLUSIVE));
    client.declare_ok();
    let owner = &get(&broker, "/api/queues/%2F/mine")["owner_pid_details"];
    assert_eq!(owner["name"], one(&get(&broker, "/api/connections"))["name"]);
}

#[test]
fn the_whole_broker() {
    let broker = TestBroker::start();
    let client = busy(&broker);
    let overview = get(&broker, "/api/overview");
    let totals =
        json!({"connections": 1, "channels": 1, "exchanges": 8, "queues": 1, "consumers": 1});
    assert_eq!(overview["object_totals"], totals);
    assert_eq!(overview["queue_totals"]["messages"], 5);
    assert_eq!(overview["message_stats"]["publish"], 6);
    assert_eq!(overview["churn_rates"]["queue_created"], 1);
    let vhost = get(&broker, "/api/vhosts/%2F");
    assert_eq!(
        (&vhost["messages"], &vhost["message_stats"]["deliver_get"]),
        (&json!(5), &json!(2))
    );
    // What a connection has counted is not gone with it.
    client.close();
    eventually("the connection has left", || get(&broker, "/api/connections") == json!([]));
    let overview = get(&broker, "/api/overview");
    assert_eq!(overview["message_stats"]["publish"], 6);
    assert_eq!(overview["churn_rates"]["connection_closed"], 1);
    let node = one(&get(&broker, "/api/nodes"));
    assert_eq!((&node["name"], &node["running"]), (&overview["node"], &json!(true)));
    assert!(node["mem_used"].as_u64() > Some(1_000_000) && node["fd_used"].as_u64() > Some(3));
    let name = node["name"].as_str().expect("a name");
    let memory = get(&broker, &format!("/api/nodes/{name}/memory"));
    assert!(memory["memory"]["total"]["rss"].as_u64() > Some(1_000_000));
}

#[test]
fn an_operator_closes_connections() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    let name = one(&get(&broker, "/api/connections"))["name"].as_str().expect("a name").to_owned();
    let path = format!("/api/connections/{}", name.replace(' ', "%20").replace('>', "%3E"));
    let answer = send(&broker, "DELETE", &path, &[("X-Reason", "because")], b"");
    assert_eq!(answer.status, 204);
    let close = client.expect(0, 10, 50);
    let (code, _, text) = crate::support::client::close_of(&close);
    assert_eq!((code, text.as_str()), (320, "CONNECTION_FORCED - because"));

    let mut client = broker.client();
    assert_eq!(ask(&broker, "DELETE", "/api/connections/username/nobody", None).status, 204);
    assert_eq!(ask(&broker, "DELETE", "/api/connections/username/guest", None).status, 204);
    client.is_closed(320, (0, 0));
}

#[test]
fn health() {
    let broker = TestBroker::start();
    let ok = json!({"status": "ok"});
    for check in [
        "alarms",
        "local-alarms",
        "virtual-hosts",
        "ready-to-serve-clients",
        "is-in-service",
        "below-node-connection-limit",
        "metadata-store/initialized",
        "certificate-expiration/1/days",
        "quorum-queues-without-elected-leaders/all-vhosts/",
    ] {
        assert_eq!(get(&broker, &format!("/api/health/checks/{check}")), ok, "{check}");
    }
    assert_eq!(get(&broker, "/api/aliveness-test/%2F"), ok);
    let port = broker.address().port();
    let listens = get(&broker, &format!("/api/health/checks/port-listener/{port}"));
    assert_eq!(listens, json!({"status": "ok", "port": port}));
    let deaf = ask(&broker, "GET", "/api/health/checks/port-listener/1", None);
    assert_eq!((deaf.status, &deaf.json()["missing"]), (503, &json!(1)));
    assert_eq!(get(&broker, "/api/health/checks/protocol-listener/amqp091")["status"], "ok");
    let mqtt = ask(&broker, "GET", "/api/health/checks/protocol-listener/mqtt", None);
    assert_eq!((mqtt.status, &mqtt.json()["missing"]), (503, &json!(["mqtt"])));
}

/// An alarm stops publishers; it makes nobody kill the broker.
#[test]
fn an_alarm_is_told_and_kills_nobody() {
    let broker = TestBroker::with(|config| config.limits.message_memory = 1e-9);
    let mut client = broker.client();
    client.declare("q");
    client.publish("q", vec![0; 100_000]);
    eventually("the alarm is up", || {
        ask(&broker, "GET", "/api/health/checks/alarms", None).status == 503
    });
    let alarms = ask(&broker, "GET", "/api/health/checks/local-alarms", None).json();
    assert_eq!(
        (&alarms["status"], &alarms["alarms"][0]["resource"]),
        (&json!("failed"), &json!("memory"))
    );
    assert_eq!(one(&get(&broker, "/api/connections"))["state"], "blocked");
    assert_eq!(get(&broker, "/health"), json!({"status": "ok"}));
    assert_eq!(get(&broker, "/api/health/checks/is-in-service"), json!({"status": "ok"}));
    assert_eq!(one(&get(&broker, "/api/nodes"))["mem_alarm"], true);
}

/// A transient message is not persistent, nor is a persistent one in a queue that is not durable;
/// unacked ones are counted too (RabbitMQ 4.3.6).
#[test]
fn what_is_persistent() {
    let mut broker = TestBroker::start();
    let mut client = broker.client();
    for (queue, durable) in [("lasting", 2), ("passing", 0)] {
        client.method(1, &declare(queue, durable));
        client.declare_ok();
        for (body, delivery_mode) in [("ab", 2), ("cdef", 1), ("ghi", 2)] {
            let header =
                Payload::method(60, 0).u64(body.len() as u64).u16(1 << 12).u8(delivery_mode);
            let method = publish_method("", queue, 0);
            client.say(&publish_frames(1, &method, &header, body.as_bytes(), 4096));
        }
    }
    client.sync();
    client.get("lasting", false).expect("a message");
    let numbers = |broker: &TestBroker, queue| {
        let queue = get(broker, &format!("/api/queues/%2F/{queue}"));
        let of = |key: &str| queue[key].as_u64().expect("a number");
        let bytes = (of("message_bytes"), of("message_bytes_persistent"));
        let ram = (of("messages_ready_ram"), of("messages_unacknowledged_ram"));
        ((of("messages"), of("messages_persistent")), bytes, ram)
    };
    assert_eq!(numbers(&broker, "lasting"), ((3, 2), (9, 5), (2, 1)));
    assert_eq!(numbers(&broker, "passing"), ((3, 0), (9, 0), (3, 0)));
    client.ack(1, false);
    client.sync();
    assert_eq!(numbers(&broker, "lasting"), ((2, 1), (7, 3), (2, 0)));
    drop(client);
    broker.restart();
    let ((messages, persistent), bytes, _) = numbers(&broker, "lasting");
    assert_eq!(((messages, persistent), bytes), ((1, 1), (3, 3)), "what was transient is gone");
}
