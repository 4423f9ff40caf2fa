//! An HTTP client that shows every answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use serde_json::Value;

use crate::support::{PATIENCE, TestBroker};

/// What the API answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body's JSON; nothing is `null`.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Asks as guest.
pub(crate) fn ask(broker: &TestBroker, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let body = body.map(Value::to_string).unwrap_or_default();
    send(broker, method, path, &[], body.as_bytes())
}

/// The JSON of a GET that is answered.
#[track_caller]
pub(crate) fn get(broker: &TestBroker, path: &str) -> Value {
    let answer = ask(broker, "GET", path, None);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// Asks as guest with more headers.
pub(crate) fn send(
    broker: &TestBroker,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let guest = base64::engine::general_purpose::STANDARD.encode("guest:guest");
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: warren\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Authorization") {
        head += &format!("Authorization: Basic {guest}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    let said = [head.as_bytes(), body].concat();
    raw(broker.server().http_address(), &said).expect("an answer")
}

/// Says something, whatever it is, and hears what comes back; `None` if nothing does.
pub(crate) fn raw(address: SocketAddr, said: &[u8]) -> Option<Answer> {
    let mut socket = TcpStream::connect(address).expect("the API listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // A server that has refused may close before everything is said.
    let _ = socket.write_all(said);
    let mut heard = Vec::new();
    let _ = socket.read_to_end(&mut heard);
    parse(&heard)
}

fn parse(heard: &[u8]) -> Option<Answer> {
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&heard[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let split = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<_> = lines.filter_map(split).collect();
    let mut body = heard[end + 4..].to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = dechunk(&body);
    }
    Some(Answer { status, headers, body })
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&rest[..end]), 16);
        let size = size.expect("a chunk's size");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}
