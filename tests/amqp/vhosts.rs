//! Vhosts come and go, and have limits, as users do.

use serde_json::{Map, json};
use warren::auth::{Pattern, Permission};
use warren::broker::vhost_rules::Put;
use warren::broker::vhosts::NotDeleted;
use warren::names::UserName;
use warren::wire::method::{AnyMethod, connection};

use crate::support::client::{close_of, declare};
use crate::support::{Client, Login, Payload, TestBroker, eventually};

fn to_v() -> Login {
    Login { vhost: "v", ..Login::default() }
}

fn add(broker: &TestBroker) {
    let inside = broker.server().broker();
    assert_eq!(inside.put_vhost("v", &Map::new()), Ok(Put::Created));
    let all = || Pattern::parse(".*").expect("good");
    let [configure, write, read] = [all(), all(), all()];
    let (vhost, user) = ("v".into(), "guest".into());
    let permission = Permission { vhost, user, configure, write, read };
    inside.auth.put_permission(permission, "test").expect("put");
}

/// A client on channel 1 of vhost v.
fn client(broker: &TestBroker) -> Client {
    let mut client = broker.connect(&to_v());
    client.open_channel(1);
    client
}

/// What a connection.open is refused with.
fn refusal(broker: &TestBroker) -> String {
    let mut client = broker.stranger();
    client.ask_in(&to_v());
    let (code, by, text) = close_of(&client.expect(0, 10, 50));
    assert_eq!((code, by), (530, (10, 40)), "{text}");
    text
}

#[test]
fn a_vhost_comes_to_stay_and_is_a_world_of_its_own() {
    let mut broker = TestBroker::start();
    assert_eq!(refusal(&broker), "NOT_ALLOWED - vhost v not found");
    add(&broker);
    let body = json!({"description": "d"});
    let again = broker.server().broker().put_vhost("v", body.as_object().expect("an object"));
    assert_eq!(again, Ok(Put::Updated));
    let mut in_v = client(&broker);
    in_v.method(1, &declare("q", 0b10));
    assert_eq!(in_v.declare_ok().message_count, 0);
    assert!(broker.queue("q").is_none(), "not in the other vhost");
    for name in ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"] {
        in_v.method(1, &Payload::method(40, 10).u16(0).short(name).short("").u8(1).u32(0));
        in_v.expect(1, 40, 11);
    }
    in_v.close();
    broker.restart();
    let names: Vec<_> =
        broker.server().broker().vhosts().iter().map(|vhost| vhost.name.to_string()).collect();
    assert_eq!(names, ["/", "v"]);
    let vhost = broker.server().broker().vhost("v").expect("it is back");
    assert_eq!((vhost.properties().description.as_str(), vhost.queue_count()), ("d", 1));
}

#[test]
fn a_deleted_vhost_takes_everything_along() {
    let mut broker = TestBroker::start();
    add(&broker);
    let mut in_v = client(&broker);
    in_v.method(1, &declare("q", 0b10));
    in_v.declare_ok();
    in_v.publish("q", "gone");
    in_v.sync();
    let mut elsewhere = broker.client();
    let warren = broker.server().broker();
    assert_eq!(warren.delete_vhost("none"), Err(NotDeleted::Missing("none".into())));
    warren.vhost("v").expect("there").protect(true);
    let refused = warren.delete_vhost("v").expect_err("protected").to_string();
    let text = "Refusing to delete virtual host 'v' because it is protected from deletion";
    assert_eq!(refused, text);
    warren.vhost("v").expect("there").protect(false);
    assert_eq!(warren.delete_vhost("v"), Ok(()));
    let (code, _, text) = close_of(&in_v.expect(0, 10, 50));
    assert_eq!((code, text.as_str()), (320, "CONNECTION_FORCED - vhost 'v' is down"));
    assert_eq!(refusal(&broker), "NOT_ALLOWED - vhost v not found");
    elsewhere.sync();
    elsewhere.close();
    drop(in_v);
    // One of the same name is another one.
    add(&broker);
    let vhost = broker.server().broker().vhost("v").expect("there");
    assert_eq!((vhost.queue_count(), vhost.connection_count()), (0, 0));
    drop(vhost);
    assert_eq!(broker.server().broker().delete_vhost("v"), Ok(()));
    broker.restart();
    assert!(broker.server().broker().vhost("v").is_none());
}

#[test]
fn the_default_vhost_is_not_made_again() {
    let mut broker = TestBroker::start();
    add(&broker);
    assert_eq!(broker.server().broker().delete_vhost("/"), Ok(()));
    broker.restart();
    assert!(broker.server().broker().vhost("/").is_none());
    assert!(broker.server().broker().vhost("v").is_some());
}

#[test]
fn a_vhost_has_as_many_connections_as_it_may() {
    let broker = TestBroker::start();
    add(&broker);
    let vhost = broker.server().broker().vhost("v").expect("there");
    vhost.set_limit("max-connections", &json!(1)).expect("good");
    let first = client(&broker);
    let text = |limit: u32| {
        format!(
            "NOT_ALLOWED - access to vhost 'v' refused for user 'guest': connection limit \
             ({limit}) is reached"
        )
    };
    assert_eq!(refusal(&broker), text(1));
    assert_eq!(vhost.connection_count(), 1);
    vhost.set_limit("max-connections", &json!(0)).expect("good");
    assert_eq!(refusal(&broker), text(0));
    first.close();
    eventually("the connection is gone", || vhost.connection_count() == 0);
    vhost.set_limit("max-connections", &json!(-1)).expect("good");
    let all = [client(&broker), client(&broker)];
    assert_eq!(vhost.connection_count(), all.len());
}

#[test]
fn a_vhost_has_as_many_queues_as_it_may() {
    let mut broker = TestBroker::start();
    broker.vhost().set_limit("max-queues", &json!(1)).expect("good");
    broker.restart();
    let mut client = broker.client();
    client.declare("a");
    client.declare("a");
    client.method(1, &declare("b", 0));
    let (code, by, text) = close_of(&client.expect(1, 20, 40));
    assert_eq!((code, by), (406, (50, 10)));
    let refused = "PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost '/' (1) is \
                   reached";
    assert_eq!(text, refused);
    broker.vhost().clear_limit("max-queues");
    let mut client = broker.client();
    client.declare("b");
}

#[test]
fn a_queue_that_does_not_say_is_what_its_vhost_says() {
    let broker = TestBroker::start();
    let body = json!({"default_queue_type": "quorum"});
    broker.server().broker().put_vhost("/", body.as_object().expect("an object")).expect("good");
    let mut client = broker.client();
    client.method(1, &declare("durable", 0b10));
    client.declare_ok();
    client.declare("transient");
    let kind = |queue: &str| {
        let id = broker.queue(queue).expect("there").id;
        broker.vhost().look(|topology| topology.declaration(id).expect("there").kind())
    };
    use warren::queue::options::QueueKind::{Classic, Quorum};
    assert_eq!((kind("durable"), kind("transient")), (Some(Quorum), Some(Classic)));
}

#[test]
fn a_user_has_as_many_connections_and_channels_as_they_may() {
    let mut broker = TestBroker::start();
    let guest = UserName::from("guest");
    let set = |broker: &TestBroker, name: &str, limit: i64| {
        broker.server().broker().set_user_limit(&guest, name, &json!(limit)).expect("good");
    };
    set(&broker, "max-connections", 1);
    set(&broker, "max-channels", 2);
    broker.restart();
    let mut first = broker.client();
    let mut second = broker.stranger();
    second.ask_in(&Login::default());
    let (code, _, text) = close_of(&second.expect(0, 10, 50));
    let refused =
        "NOT_ALLOWED - connection refused for user 'guest': user connection limit (1) is reached";
    assert_eq!((code, text.as_str()), (530, refused));
    assert_eq!(broker.vhost().connection_count(), 1, "who is refused is not in");

    first.open_channel(2);
    first.close_channel(2);
    first.open_channel(2);
    first.method(3, &Payload::method(20, 10).short(""));
    let (code, _, text) = close_of(&first.expect(0, 10, 50));
    let refused = "NOT_ALLOWED - number of channels opened for user 'guest' has reached the \
                   maximum allowed user limit of 2";
    assert_eq!((code, text.as_str()), (530, refused));
    let loads = &broker.server().broker().user_loads;
    eventually("nothing is left open", || loads.of(&guest).channels == 0);
    set(&broker, "max-connections", -1);
    set(&broker, "max-channels", -1);
    let clients = [broker.client(), broker.client()];
    assert_eq!(loads.of(&guest).connections, clients.len());
    broker.server().broker().forget_user_limits(&guest);
    assert!(broker.server().broker().all_user_limits().is_empty());
}

#[test]
fn global_parameters_and_the_name_of_the_cluster() {
    let mut broker = TestBroker::start();
    let put = |broker: &TestBroker, name: &str, value| {
        broker.server().broker().put_global_parameter(name, value)
    };
    assert_eq!(put(&broker, "g", json!({"a": 1})), Ok(Put::Created));
    assert_eq!(put(&broker, "g", json!([1, "x"])), Ok(Put::Updated));
    assert!(put(&broker, "cluster_name", json!(5)).is_err());
    assert_eq!(put(&broker, "cluster_name", json!("here")), Ok(Put::Created));
    broker.restart();
    assert_eq!(broker.server().broker().global_parameter("g"), Some(json!([1, "x"])));
    assert_eq!(broker.server().broker().cluster_name().as_deref(), Some("here"));
    let start = broker.stranger().ask_in(&Login::default());
    let AnyMethod::Connection(connection::AMQPMethod::Start(start)) = start.method else {
        panic!("not a start");
    };
    let name = start.server_properties.inner().get("cluster_name").cloned();
    assert_eq!(
        name.and_then(|name| name.as_long_string().map(ToString::to_string)),
        Some("here".into())
    );
    assert!(broker.server().broker().delete_global_parameter("g"));
    assert!(!broker.server().broker().delete_global_parameter("g"));
}
