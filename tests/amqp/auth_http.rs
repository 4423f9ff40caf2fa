//! A server that is asked over HTTP who somebody is and what they may do. Requests and texts are
//! RabbitMQ's (rabbitmq_auth_backend_http 4.3).

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use warren::config::{AskingMethod, BackendChoice, BackendKind, Config};

use crate::support::client::{close_of, declare, publish, publish_frames, publish_method};
use crate::support::elsewhere::Asked;
use crate::support::{Client, Elsewhere, Heard, Login, PATIENCE, Payload, TestBroker, eventually};

/// Asks a server about all whom the accounts do not let in.
fn asking(config: &mut Config, server: &Elsewhere) {
    config.auth.backends =
        [BackendKind::Internal, BackendKind::Http].map(BackendChoice::both).into();
    let http = &mut config.auth.http;
    http.user_path = server.url("/user");
    http.vhost_path = server.url("/vhost");
    http.resource_path = server.url("/resource");
    http.topic_path = server.url("/topic");
}

fn broker(server: &Elsewhere) -> TestBroker {
    TestBroker::with(|config| asking(config, server))
}

fn anna() -> Login {
    Login::of("anna", "secret")
}

fn client(broker: &TestBroker) -> Client {
    let mut client = broker.connect(&anna());
    client.open_channel(1);
    client
}

/// The answer to the login.
fn login(broker: &TestBroker, login: &Login) -> Heard {
    let mut client = broker.stranger();
    client.say(&warren::wire::PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    client.method(0, &login.start_ok());
    client.hear()
}

/// The answer to the opening of the vhost.
fn opening(broker: &TestBroker) -> Heard {
    let mut client = broker.stranger();
    client.ask_in(&anna());
    client.hear()
}

/// Says no where something is so, and yes otherwise.
fn deny(server: &Elsewhere, when: impl Fn(&Asked) -> bool + Send + Sync + 'static, no: &str) {
    let no = no.to_owned();
    server.answer(move |asked| (200, if when(asked) { no.clone() } else { "allow".into() }));
}

fn exchange(client: &mut Client, name: &str, kind: &str) {
    let declare = Payload::method(40, 10).u16(0).short(name).short(kind).u8(0);
    client.method(1, &declare.table(&Payload::new()));
    client.expect(1, 40, 11);
}

fn bind(queue: &str, exchange: &str, key: &str) -> Payload {
    let names = Payload::method(50, 20).u16(0).short(queue).short(exchange).short(key);
    names.u8(0).table(&Payload::new())
}

#[test]
fn what_is_asked() {
    let server = Elsewhere::answering(|_| (200, "allow management policymaker".into()));
    for method in [AskingMethod::Get, AskingMethod::Post] {
        let broker = TestBroker::with(|config| {
            asking(config, &server);
            config.auth.http.method = method;
        });
        let mut client = broker.connect(&Login::of("anna", "s3cr&t ü"));
        client.open_channel(1);
        exchange(&mut client, "topics", "topic");
        client.declare("q");
        client.method(1, &bind("q", "topics", "a.*"));
        client.expect(1, 50, 21);
        client.say(&publish(1, "topics", "a.b", b"x", 8192));
        client.publish("q", "y");
        assert!(client.get("q", true).is_some() && client.get("q", true).is_some());
        let asked = server.take_asked();
        let expected_method = if method == AskingMethod::Get { "GET" } else { "POST" };
        assert!(asked.iter().all(|each| each.method == expected_method), "{asked:?}");
        let all: Vec<String> = asked
            .iter()
            .map(|each| format!("{} {}", each.path, each.parameters.join(" ")))
            .collect();
        let tags = "tags=management policymaker";
        let resource = |kind: &str, name: &str, permission: &str| {
            format!(
                "/resource username=anna vhost=/ resource={kind} name={name} \
                 permission={permission} {tags}"
            )
        };
        let topic = |permission: &str, key: &str| {
            format!(
                "/topic username=anna vhost=/ resource=topic name=topics permission={permission} \
                 {tags} routing_key={key} variable_map.username=anna variable_map.vhost=/"
            )
        };
        assert_eq!(
            all,
            [
                "/user username=anna password=s3cr&t ü".to_owned(),
                format!("/vhost username=anna vhost=/ ip=127.0.0.1 {tags}"),
                resource("exchange", "topics", "configure"),
                resource("queue", "q", "configure"),
                resource("queue", "q", "write"),
                resource("exchange", "topics", "read"),
                topic("read", "a.*"),
                resource("exchange", "topics", "write"),
                topic("write", "a.b"),
                resource("exchange", "amq.default", "write"),
                resource("queue", "q", "read"),
            ]
        );
    }
}

#[test]
fn the_accounts_come_first_and_need_nobody() {
    let server = Elsewhere::allowing();
    let broker = broker(&server);
    let mut guest = broker.client();
    guest.declare("q");
    guest.publish("q", "x");
    assert!(guest.get("q", true).is_some());
    assert_eq!(server.take_asked(), []);
    // Somebody the accounts know by another password may come in all the same.
    broker.connect(&Login::of("guest", "other")).close();
    assert_eq!(server.take_asked()[0].parameters, ["username=guest", "password=other"]);
}

#[test]
fn refusals() {
    let server = Elsewhere::allowing();
    let broker = broker(&server);
    let refused = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For \
                   details see the broker logfile.";
    assert_eq!(
        close_of(&login(&broker, &Login::of("anna", "wrong"))),
        (403, (0, 0), refused.into())
    );
    deny(&server, |asked| asked.path == "/vhost", "deny");
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'anna'";
    assert_eq!(close_of(&opening(&broker)), (530, (10, 40), text.into()));
    deny(&server, |asked| asked.parameter("name") == "not mine", "deny Because");
    let mut client = client(&broker);
    client.method(1, &declare("not mine", 0));
    let text = "ACCESS_REFUSED - configure access to queue 'not mine' in vhost '/' refused for user \
                'anna'";
    assert_eq!(close_of(&client.expect(1, 20, 40)), (403, (50, 10), text.into()));
    client.method(1, &Payload::method(20, 41));
    client.open_channel(1);
    client.declare("mine");
    client.method(1, &declare("", 0));
    assert!(client.declare_ok().queue.as_str().starts_with("amq.gen-"));
    let asked = server.take_asked();
    assert!(asked.last().expect("asked").parameter("name").starts_with("amq.gen-"));
}

#[test]
fn reasons_and_failures_are_told_as_rabbitmq_tells_them() {
    let server = Elsewhere::allowing();
    let broker = TestBroker::with(|config| {
        asking(config, &server);
        config.auth.http.authorization_failure_disclosure = true;
    });
    let mut client = client(&broker);
    let mut refusal = |name: &str| {
        client.method(1, &declare(name, 0));
        let close = close_of(&client.expect(1, 20, 40));
        client.method(1, &Payload::method(20, 41));
        client.open_channel(1);
        assert_eq!((close.0, close.1), (403, (50, 10)));
        close.2
    };
    let refused = |name: &str| {
        format!(
            "ACCESS_REFUSED - configure access to queue '{name}' in vhost '/' refused for user 'anna'"
        )
    };
    deny(&server, |asked| asked.parameter("name") == "a", "deny Because");
    assert_eq!(refusal("a"), refused("a") + " by backend rabbit_auth_backend_http: Because");
    server.answer(|_| (500, "out of order".into()));
    let failed = ", backend rabbit_auth_backend_http returned an error: ";
    assert_eq!(refusal("b"), refused("b") + failed + "{500,\"out of order\"}");
    server.answer(|_| (200, "perhaps".into()));
    assert_eq!(refusal("c"), refused("c") + failed + "{bad_response,\"perhaps\"}");
    drop(server);
    assert_eq!(refusal("d"), refused("d") + failed + "econnrefused");
    assert_eq!(close_of(&login(&broker, &anna())).0, 403, "nobody is let in by nobody");
    assert_eq!(login(&broker, &Login::default()).id, (10, 30), "the accounts are still there");
}

#[test]
fn answers_are_gone_by_for_a_while() {
    let server = Elsewhere::allowing();
    let broker = broker(&server);
    let mut client = client(&broker);
    client.declare("q");
    client.confirm_select(1);
    server.take_asked();
    client.publish_numbers("q", 0..50);
    eventually("all published", || broker.counts("q").ready == 50);
    client.publish_numbers("q", 50..100);
    eventually("all published", || broker.counts("q").ready == 100);
    assert_eq!(server.take_asked().len(), 1, "one question for all of them");
}

#[test]
fn what_is_withdrawn_is_missed_once_answers_are_old() {
    let server = Elsewhere::allowing();
    let broker = TestBroker::with(|config| {
        asking(config, &server);
        config.auth.http.remember = 0;
    });
    let mut client = client(&broker);
    client.declare("q");
    client.confirm_select(1);
    for tag in 1..=3 {
        client.publish("q", "x");
        let heard = client.expect(1, 60, 80);
        assert!(format!("{heard:?}").contains(&format!("delivery_tag: {tag}")), "{heard:?}");
    }
    deny(&server, |asked| asked.parameter("permission") == "write", "deny");
    // A moment passes before the session notices that its answers are old.
    let deadline = Instant::now() + PATIENCE;
    let closed = loop {
        assert!(Instant::now() < deadline, "still allowed");
        client.publish("q", "x");
        let heard = client.hear();
        if heard.id == (20, 40) {
            break close_of(&heard);
        }
    };
    assert_eq!((closed.0, closed.1), (403, (60, 40)));
}

#[test]
fn the_order_of_what_a_client_says_is_kept() {
    let server = Elsewhere::allowing();
    let broker = broker(&server);
    let mut client = client(&broker);
    exchange(&mut client, "topics", "topic");
    // Everything in one go, each with questions of its own, the message in pieces and with CC.
    let keys = Payload::new().u8(b'S').long("b.2");
    let headers = Payload::new().entry("CC", b'A', Payload::new().long(&keys.0).0);
    let body = vec![b'x'; 300_000];
    let header = Payload::new().u16(60).u16(0).u64(body.len() as u64).u16(1 << 13).table(&headers);
    let mut bytes = declare("q", 0).frame(1, 1);
    bytes.extend(bind("q", "topics", "a.1").frame(1, 1));
    bytes.extend(bind("q", "topics", "b.2").frame(1, 1));
    bytes.extend(publish(1, "topics", "a.1", b"first", 8192));
    bytes.extend(publish_frames(1, &publish_method("topics", "c.3", 0), &header, &body, 8192));
    bytes.extend(publish(1, "", "q", b"last", 8192));
    bytes.extend(Payload::method(20, 20).u8(1).frame(1, 1));
    client.say(&bytes);
    client.expect(1, 50, 11);
    client.expect(1, 50, 21);
    client.expect(1, 50, 21);
    client.expect(1, 20, 21);
    client.consume("q");
    let texts = client.deliveries(3);
    assert_eq!((texts[0].as_str(), texts[1].len(), texts[2].as_str()), ("first", 300_000, "last"));
    let keys: Vec<String> = server
        .take_asked()
        .iter()
        .map(|each| each.parameter("routing_key").into())
        .filter(|key: &String| !key.is_empty())
        .collect();
    assert_eq!(keys, ["a.1", "b.2", "a.1", "c.3", "b.2"]);
}

#[test]
fn transactions_ask_when_they_are_filled() {
    let server = Elsewhere::allowing();
    let broker = TestBroker::with(|config| {
        asking(config, &server);
        config.auth.http.remember = 0;
    });
    let mut client = client(&broker);
    client.declare("q");
    client.method(1, &Payload::method(90, 10));
    client.expect(1, 90, 11);
    client.publish("q", "one");
    client.publish("q", "two");
    client.sync();
    deny(&server, |asked| asked.parameter("permission") == "write", "deny");
    client.method(1, &Payload::method(90, 20));
    client.expect(1, 90, 21);
    eventually("what was permitted counts", || broker.counts("q").ready == 2);
}

#[test]
fn nobody_waits_for_somebody_elses_answer() {
    let server = Elsewhere::allowing();
    let broker = broker(&server);
    let mut guest = broker.client();
    guest.declare("q");
    let (let_go, held) = channel::<()>();
    let held = Mutex::new(held);
    server.answer(move |asked| {
        if asked.path == "/user" {
            let _ = held.lock().expect("no panic").recv();
        }
        (200, "allow".into())
    });
    // More of them than there are threads.
    let mut waiting: Vec<Client> = (0..4).map(|_| broker.stranger()).collect();
    for client in &mut waiting {
        client.say(&warren::wire::PROTOCOL_HEADER);
        client.expect(0, 10, 10);
        client.method(0, &anna().start_ok());
    }
    eventually("all are asked about", || server.count_asked() == 4);
    guest.publish("q", "x");
    guest.sync();
    broker.client().sync();
    for client in &mut waiting {
        client.hears_nothing();
    }
    drop(let_go);
    for client in &mut waiting {
        client.expect(0, 10, 30);
    }
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for_without_end() {
    let (_let_go, held) = channel::<()>();
    let held = Mutex::new(held);
    let server = Elsewhere::answering(move |_| {
        let _ = held.lock().expect("no panic").recv_timeout(PATIENCE);
        (200, "allow".into())
    });
    let broker = TestBroker::with(|config| {
        asking(config, &server);
        config.auth.http.request_timeout = 1;
        config.auth.http.connections = 1;
    });
    let begun = Instant::now();
    assert_eq!(close_of(&login(&broker, &anna())).0, 403);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_cache_spares_the_server() {
    let server = Elsewhere::allowing();
    let broker = TestBroker::with(|config| {
        asking(config, &server);
        config.auth.backends = vec![BackendChoice::both(BackendKind::Cache)];
        config.auth.cache.backend = BackendChoice::both(BackendKind::Http);
    });
    for _ in 0..3 {
        let mut client = client(&broker);
        client.declare("q");
        client.close();
    }
    let paths: Vec<String> = server.take_asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/user", "/vhost", "/resource"]);
    let _ = login(&broker, &Login::of("anna", "wrong"));
    let _ = login(&broker, &Login::of("anna", "wrong"));
    assert_eq!(server.take_asked().len(), 2, "refusals are not remembered");
}

#[test]
fn one_may_say_who_somebody_is_and_another_what_they_may_do() {
    let server = Elsewhere::allowing();
    let broker = TestBroker::with(|config| {
        asking(config, &server);
        config.auth.backends =
            vec![BackendChoice { authn: BackendKind::Http, authz: BackendKind::Internal }];
    });
    let mut guest = broker.connect(&Login::of("guest", "whatever the server likes"));
    guest.open_channel(1);
    guest.declare("q");
    let paths: Vec<String> = server.take_asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/user"]);
    assert_eq!(close_of(&login(&broker, &anna())).0, 403, "the accounts do not know her");
}

#[test]
fn the_keys_of_rabbitmq_conf() {
    let server = Elsewhere::allowing();
    let file = tempfile::Builder::new().suffix(".conf").tempfile().expect("a file");
    let url = |path| server.url(path);
    let text = format!(
        "auth_backends.2 = cache
         auth_backends.1 = rabbit_auth_backend_internal
         auth_cache.cached_backend = http
         auth_cache.cache_ttl = 60000
         auth_http.http_method = post
         auth_http.user_path = {}
         auth_http.vhost_path = {}
         auth_http.resource_path = {}
         auth_http.topic_path = {}
         auth_http.request_timeout = 5000
         auth_http.authorization_failure_disclosure = true",
        url("/u"),
        url("/v"),
        url("/r"),
        url("/t")
    );
    std::fs::write(file.path(), text).expect("written");
    let loaded = Config::load(Some(file.path()), |_| None).expect("good");
    assert_eq!(loaded.notes, [""; 0], "nothing is passed over");
    let broker = TestBroker::with(|config| config.auth = loaded.auth);
    let mut client = client(&broker);
    client.declare("q");
    let asked: Vec<String> =
        server.take_asked().into_iter().map(|each| each.method + " " + &each.path).collect();
    assert_eq!(asked, ["POST /u", "POST /v", "POST /r"]);
}
