//! Clients that are slow, wrong, or mean.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::http::{ask, raw, send};
use crate::support::{PATIENCE, TestBroker};

#[test]
fn a_body_beyond_the_limit() {
    let broker = TestBroker::with(|config| config.http.max_body_size = 1000);
    let body = format!("{{\"x\": \"{}\"}}", "a".repeat(2000));
    let answer = send(&broker, "PUT", "/api/queues/%2F/q", &[], body.as_bytes());
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["reason"], "Exceeded HTTP request body size limit of 1000 bytes");
    assert!(broker.queue("q").is_none());
}

/// Whoever does not finish what they began is let go of.
#[test]
fn clients_that_never_finish() {
    let broker = TestBroker::with(|config| config.http.timeout = 1);
    let head =
        b"PUT /api/queues/%2F/q HTTP/1.1\r\nHost: w\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";
    for said in
        [&b""[..], b"GET /api/over", head, &[head, &b"Content-Length: 10\r\n\r\n{"[..]].concat()]
    {
        let mut socket = TcpStream::connect(broker.server().http_address()).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.write_all(said).expect("said");
        // The end comes without anything more being said.
        let mut heard = Vec::new();
        let _ = socket.read_to_end(&mut heard);
        assert!(!heard.starts_with(b"HTTP/1.1 2"), "{}", heard.escape_ascii());
    }
    assert!(broker.queue("q").is_none());
}

#[test]
fn what_is_not_http() {
    let broker = TestBroker::start();
    let address = broker.server().http_address();
    for said in [
        &b"AMQP\0\0\x09\x01"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/overview\r\nX HTTP/1.1\r\nHost: w\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 \r\n\r\n",
    ] {
        let answer = raw(address, said);
        assert!(answer.is_none_or(|answer| answer.status >= 400), "{}", said.escape_ascii());
    }
    assert_eq!(ask(&broker, "GET", "/health", None).status, 200);
}

/// Names that would be headers if they were copied as they are.
#[test]
fn names_do_not_become_headers() {
    let broker = TestBroker::start();
    let mut client = broker.client();
    client.declare("q");
    let key = serde_json::json!({"routing_key": "a\r\nSet-Cookie: x=y"});
    let answer = ask(&broker, "POST", "/api/bindings/%2F/e/amq.topic/q/q", Some(&key));
    assert_eq!((answer.status, answer.header("set-cookie")), (201, None));
    let odd = "/api/queues/%2F/a%0d%0ab%2F..%2F..%2F%22%00";
    assert_eq!(ask(&broker, "PUT", odd, None).status, 201);
    assert_eq!(ask(&broker, "GET", odd, None).json()["name"], "a\r\nb/../../\"\0");
    assert_eq!(ask(&broker, "DELETE", odd, None).status, 204);
}

#[test]
fn other_origins_only_if_allowed() {
    let broker = TestBroker::start();
    let origin = [("Origin", "http://evil.example")];
    let answer = send(&broker, "GET", "/api/overview", &origin, b"");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let broker = TestBroker::with(|config| {
        config.http.cors_allow_origins = vec!["http://ops.example".into()];
        config.http.path_prefix = "/warren".into();
    });
    let origin = [("Origin", "http://ops.example")];
    let answer = send(&broker, "OPTIONS", "/warren/api/overview", &origin, b"");
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://ops.example"));
    assert_eq!(answer.status, 200);
    assert_eq!(ask(&broker, "GET", "/api/overview", None).status, 404);
}

#[test]
fn no_more_connections_than_allowed() {
    let broker = TestBroker::with(|config| config.http.max_connections = 1);
    let held = TcpStream::connect(broker.server().http_address()).expect("the first place");
    let mut first = held.try_clone().expect("a second handle");
    first.write_all(b"GET /health HTTP/1.1\r\nHost: w\r\n\r\n").expect("asked");
    let mut heard = [0; 12];
    first.read_exact(&mut heard).expect("answered");
    assert_eq!(&heard, b"HTTP/1.1 200");
    // The place is taken: whoever comes next is not answered.
    assert!(
        raw(broker.server().http_address(), b"GET /health HTTP/1.1\r\nHost: w\r\n\r\n").is_none()
    );
    drop((held, first));
}
