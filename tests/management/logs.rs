//! The broker's log over HTTP.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use base64::Engine;
use serde_json::{Value, json};
use warren::logs::{Level, Line};

use crate::http::{ask, get, send};
use crate::support::{PATIENCE, TestBroker};

fn say(broker: &TestBroker, level: Level, message: &str) {
    let mut fields = serde_json::Map::new();
    fields.insert("connection".into(), "a -> b".into());
    broker.server().logs().keep(Line {
        id: 0,
        timestamp: "2026-11-28T20:00:00.000000Z".into(),
        level,
        target: "warren::net".into(),
        message: message.into(),
        fields,
    });
}

#[test]
fn the_latest_lines_of_a_level() {
    let broker = TestBroker::start();
    for number in 1..=5 {
        say(&broker, Level::Info, &format!("number {number}"));
    }
    say(&broker, Level::Warn, "trouble");
    let all = get(&broker, "/api/logs");
    assert_eq!(all.as_array().map(Vec::len), Some(6));
    let expected = json!({
        "id": 6, "timestamp": "2026-11-28T20:00:00.000000Z", "level": "warn",
        "target": "warren::net", "message": "trouble", "fields": {"connection": "a -> b"}
    });
    assert_eq!(all[5], expected);
    let two = get(&broker, "/api/logs?lines=2");
    assert_eq!((&two[0]["message"], &two[1]["message"]), (&json!("number 5"), &json!("trouble")));
    assert_eq!(get(&broker, "/api/logs?level=warn").as_array().map(Vec::len), Some(1));
    assert_eq!(get(&broker, "/api/logs?level=error"), json!([]));
    for bad in ["/api/logs?lines=-1", "/api/logs?level=loud"] {
        assert_eq!(ask(&broker, "GET", bad, None).status, 400, "{bad}");
    }
}

#[test]
fn for_monitoring_only() {
    let broker = TestBroker::start();
    for (name, tag) in [("see", "monitoring"), ("manage", "management")] {
        let user = json!({"password": "pass", "tags": tag});
        ask(&broker, "PUT", &format!("/api/users/{name}"), Some(&user));
    }
    let status = |name: &str, path| {
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("{name}:pass"));
        send(&broker, "GET", path, &[("Authorization", &format!("Basic {secret}"))], b"").status
    };
    assert_eq!(status("see", "/api/logs"), 200);
    assert_eq!(status("manage", "/api/logs"), 401);
    assert_eq!(status("manage", "/api/logs/stream"), 401);
}

#[test]
fn who_follows_sees_what_was_and_what_comes() {
    let broker = TestBroker::start();
    say(&broker, Level::Info, "before");
    let mut socket = TcpStream::connect(broker.server().http_address()).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let guest = base64::engine::general_purpose::STANDARD.encode("guest:guest");
    write!(
        socket,
        "GET /api/logs/stream HTTP/1.1\r\nHost: warren\r\nAuthorization: Basic {guest}\r\n\
         Accept: text/event-stream\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    .expect("asked");
    let mut lines = BufReader::new(socket).lines().map(|line| line.expect("a line in time"));
    let mut message = || -> Value {
        let line = lines.find_map(|line| Some(line.strip_prefix("data: ")?.to_owned()));
        serde_json::from_str(&line.expect("a line")).expect("JSON")
    };
    assert_eq!(message()["message"], "before");
    say(&broker, Level::Error, "after");
    let after = message();
    assert_eq!((&after["message"], &after["level"]), (&json!("after"), &json!("error")));
}
