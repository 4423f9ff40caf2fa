//! The first words: protocol header, login, vhost.

use std::time::{Duration, Instant};

use warren::wire::PROTOCOL_HEADER;
use warren::wire::method::{AnyMethod, connection};
use warren::wire::table::Value;

use crate::support::client::{METHOD, close_of};
use crate::support::{Client, Login, PATIENCE, Payload, TestBroker};

#[test]
fn what_is_not_amqp_0_9_1_is_told_what_we_speak() {
    let broker = TestBroker::start();
    for header in [
        &b"AMQP\x00\x00\x09\x00"[..],
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x03\x01\x00\x00",
        b"amqp\x00\x00\x09\x01",
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0",
    ] {
        let mut client = broker.stranger();
        client.say(header);
        assert_eq!(client.rest(), PROTOCOL_HEADER, "after {:?}", header.escape_ascii().to_string());
    }
}

#[test]
fn a_header_may_come_byte_by_byte() {
    let broker = TestBroker::start();
    let mut client = broker.stranger();
    for byte in PROTOCOL_HEADER {
        client.say(&[byte]);
    }
    client.expect(0, 10, 10);
}

#[test]
fn the_broker_says_what_it_can_do() {
    let broker = TestBroker::start();
    let mut client = broker.stranger();
    client.say(&PROTOCOL_HEADER);
    let heard = client.expect(0, 10, 10);
    let AnyMethod::Connection(connection::AMQPMethod::Start(start)) = heard.method else {
        panic!("not a start");
    };
    assert_eq!((start.version_major, start.version_minor), (0, 9));
    let mechanisms = start.mechanisms.to_string();
    assert!(mechanisms.split(' ').any(|each| each == "PLAIN"), "{mechanisms}");
    assert!(mechanisms.split(' ').any(|each| each == "AMQPLAIN"), "{mechanisms}");
    let properties = heard.arguments;
    assert_eq!(properties.get("product"), Some(Value::Text(b"Warren")));
    let Some(Value::Table(capabilities)) = properties.get("capabilities") else {
        panic!("no capabilities");
    };
    for capability in ["publisher_confirms", "basic.nack", "connection.blocked"] {
        assert_eq!(capabilities.get(capability), Some(Value::Bool(true)), "{capability}");
    }
}

#[test]
fn both_mechanisms_let_guest_in() {
    let broker = TestBroker::start();
    broker.connect(&Login::default()).close();
    let amqplain = Payload::new().text("LOGIN", "guest").text("PASSWORD", "guest").0;
    broker
        .connect(&Login { mechanism: "AMQPLAIN", response: amqplain, ..Login::default() })
        .close();
    // Whom one acts for is passed over.
    let response = b"somebody\0guest\0guest".to_vec();
    broker.connect(&Login { response, ..Login::default() }).close();
}

#[test]
fn an_eager_client_may_say_everything_at_once() {
    let broker = TestBroker::start();
    let login = Login::default();
    let mut words = PROTOCOL_HEADER.to_vec();
    for method in [login.start_ok(), login.tune_ok(), login.open()] {
        words.extend(method.frame(METHOD, 0));
    }
    words.extend(Payload::method(20, 10).short("").frame(METHOD, 7));
    let mut client = broker.stranger();
    client.say(&words);
    for (channel, class, method) in [(0, 10, 10), (0, 10, 30), (0, 10, 41), (7, 20, 11)] {
        client.expect(channel, class, method);
    }
}

fn refused(broker: &TestBroker, login: &Login) -> (u16, (u16, u16), String) {
    let mut client = broker.stranger();
    client.say(&PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    client.method(0, &login.start_ok());
    let close = client.expect(0, 10, 50);
    client.hears_the_end();
    close_of(&close)
}

#[test]
fn a_wrong_password_is_refused_and_nobody_learns_what_was_wrong() {
    let broker = TestBroker::start();
    let with = |response: &[u8]| Login { response: response.to_vec(), ..Login::default() };
    let wrong_password = refused(&broker, &with(b"\0guest\0wrong"));
    assert_eq!((wrong_password.0, wrong_password.1), (403, (0, 0)));
    assert!(wrong_password.2.starts_with("ACCESS_REFUSED - Login was refused"));
    assert_eq!(refused(&broker, &with(b"\0nobody\0guest")), wrong_password);
    assert_eq!(refused(&broker, &with(b"\0guest\0")), wrong_password);
}

#[test]
fn whoever_cannot_be_told_is_kept_waiting_and_hung_up_on() {
    let broker = TestBroker::start();
    let response = b"\0guest\0wrong".to_vec();
    let login = Login { response, capabilities: &[], ..Login::default() };
    let mut client = broker.stranger();
    client.say(&PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    let asked = Instant::now();
    client.method(0, &login.start_ok());
    client.hears_the_end();
    assert!(asked.elapsed() > Duration::from_secs(2), "after {:?}", asked.elapsed());
}

#[test]
fn logins_that_cannot_be_read_are_told_apart_from_wrong_ones() {
    let broker = TestBroker::start();
    let unknown = Login { mechanism: "CRAM-MD5", ..Login::default() };
    assert_eq!(refused(&broker, &unknown).0, 503);
    let malformed = Login { response: b"guest:guest".to_vec(), ..Login::default() };
    assert_eq!(refused(&broker, &malformed).0, 502);
    let response = b"\x05LOGINS\0\0\0\xffguest".to_vec();
    let malformed = Login { mechanism: "AMQPLAIN", response, ..Login::default() };
    assert_eq!(refused(&broker, &malformed).0, 502);
}

#[test]
fn a_vhost_that_does_not_exist_is_named() {
    let broker = TestBroker::start();
    let login = Login { vhost: "elsewhere", ..Login::default() };
    let mut client = broker.stranger();
    client.say(&PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    client.method(0, &login.start_ok());
    client.expect(0, 10, 30);
    client.tune(&login);
    client.method(0, &login.open());
    let (code, by, text) = close_of(&client.expect(0, 10, 50));
    assert_eq!((code, by), (530, (10, 40)));
    assert!(text.contains("elsewhere"), "{text}");
    client.method(0, &Payload::method(10, 51));
    client.hears_the_end();
}

#[test]
fn a_frame_before_the_login_is_small() {
    let broker = TestBroker::with(|config| config.amqp.initial_frame_max = 8192);
    let mut client = broker.stranger();
    client.say(&PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    client.frame(METHOD, 0, &Payload(vec![0; 10_000]));
    // 501 or only the end: nobody has logged in who would have to be told.
    if let Some(heard) = client.hear_until(Instant::now() + PATIENCE).expect("an answer") {
        assert_eq!(close_of(&heard).0, 501);
        client.hears_the_end();
    }
}

/// Hears nothing but the end, and not before the time is up.
fn is_dropped_after(mut client: Client, since: Instant, seconds: u64) {
    client.hears_the_end();
    let time = since.elapsed();
    assert!(time >= Duration::from_secs(seconds), "after {time:?}");
    assert!(time < Duration::from_secs(seconds) + PATIENCE / 2, "after {time:?}");
}

#[test]
fn a_handshake_takes_its_time_and_no_more() {
    let broker = TestBroker::with(|config| config.amqp.handshake_timeout = 1);
    let since = Instant::now();
    let silent = broker.stranger();
    let mut torn = broker.stranger();
    torn.say(b"AMQP\0");
    let mut undecided = broker.stranger();
    undecided.say(&PROTOCOL_HEADER);
    undecided.expect(0, 10, 10);
    let mut slow = broker.stranger();
    slow.say(&PROTOCOL_HEADER);
    slow.expect(0, 10, 10);
    slow.method(0, &Login::default().start_ok());
    slow.expect(0, 10, 30);
    let mut in_time = broker.client();
    for client in [silent, torn, undecided, slow] {
        is_dropped_after(client, since, 1);
    }
    in_time.sync();
}

#[test]
fn saying_a_byte_now_and_then_does_not_prolong_the_handshake() {
    let broker = TestBroker::with(|config| config.amqp.handshake_timeout = 1);
    let mut client = broker.stranger();
    client.say(&PROTOCOL_HEADER);
    client.expect(0, 10, 10);
    let since = Instant::now();
    let bytes = Login::default().start_ok().frame(METHOD, 0);
    for byte in bytes {
        client.say(&[byte]);
        match client.hear_until(Instant::now() + Duration::from_millis(100)) {
            Err(_) => assert!(since.elapsed() < PATIENCE, "the broker waits for ever"),
            Ok(None) => return,
            Ok(Some(heard)) => panic!("heard {heard:?}"),
        }
    }
}

#[test]
fn lapin_is_let_in() {
    let broker = TestBroker::start();
    broker.with_lapin(async |connection| {
        assert!(connection.status().connected());
        let channel = connection.create_channel().await.expect("a channel");
        connection.close(200, "bye".into()).await.expect("closed");
        drop(channel);
    });
}

#[test]
fn a_secret_may_be_renewed() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.method(0, &Payload::method(10, 70).long("guest").short("expired"));
    client.expect(0, 10, 71);
    client.sync();
}
