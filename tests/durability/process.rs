//! The `warren` command in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use warren::wire::method::{AnyMethod, basic};

use crate::support::client::{declare, publish_frames, publish_method};
use crate::support::{Client, Login, Payload, eventually};

/// Small files, so that a few messages go through everything that many do.
const SETTINGS: [(&str, &str); 5] = [
    ("WARREN_DATA_LOG_FILE", "65536"),
    ("WARREN_DATA_LOG_FILES", "2"),
    ("WARREN_DATA_MOST_LOG_FILES", "8"),
    ("WARREN_LIMITS_QUEUE_WINDOW", "10"),
    ("WARREN_LOG_LEVEL", "info"),
];

/// A broker on a data directory.
pub(crate) struct Warren {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

/// The command, with small files and a place for its words.
pub(crate) fn warren() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren"));
    command.envs(SETTINGS).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A broker's command.
fn serving(dir: &Path) -> Command {
    let mut command = warren();
    command.args(["--bind", "127.0.0.1", "--amqp-port", "0", "--http-port", "0", "--data-dir"]);
    command.arg(dir);
    command
}

/// What `warren check` says about a directory, and its exit status.
pub(crate) fn check(dir: &Path) -> (i32, String) {
    said(&warren().arg("check").arg(dir).output().unwrap())
}

/// What a broker says that does not start.
pub(crate) fn refused(dir: &Path) -> String {
    let (code, said) = said(&serving(dir).output().unwrap());
    assert_eq!(code, 1, "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(text).unwrap())
}

impl Warren {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::run(serving(dir))
    }

    /// The same with settings of its own, as environment variables.
    pub(crate) fn start_with(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = serving(dir);
        command.envs(settings.iter().copied());
        Self::run(command)
    }

    /// The same on a damaged directory.
    pub(crate) fn salvage(dir: &Path) -> Self {
        let mut command = serving(dir);
        command.arg("--salvage");
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        let mut address = None;
        eventually("the broker is ready", || {
            address = address_in(&log.lock().unwrap());
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", log.lock().unwrap());
            address.is_some()
        });
        Self { child, address: address.unwrap(), log }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A client that is logged in, with channel 1 open and confirms on it.
    pub(crate) fn client(&self) -> Client {
        let mut client = Client::new(self.address);
        client.log_in(&Login::default());
        client.open_channel(1);
        client.confirm_select(1);
        client
    }

    /// Asks it to stop, as an operator does.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Warren {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(log: &str) -> Option<SocketAddr> {
    let ready = log.lines().find(|line| line.contains("Warren is ready"))?;
    ready.split("amqp=").nth(1)?.split(' ').next()?.parse().ok()
}

/// Declares a durable queue. Returns how many messages it has.
pub(crate) fn durable(client: &mut Client, queue: &str) -> u32 {
    client.method(1, &declare(queue, 2));
    client.declare_ok().message_count
}

/// Publishes a persistent message.
pub(crate) fn persist(client: &mut Client, queue: &str, body: &[u8]) {
    let header = Payload::new().u16(60).u16(0).u64(body.len() as u64).u16(0x1000).u8(2);
    client.say(&publish_frames(1, &publish_method("", queue, 0), &header, body, 131_072));
}

/// Waits until the first `count` publishes of a client are confirmed.
pub(crate) fn confirmed(client: &mut Client, count: u64) {
    let mut safe = 0;
    while safe < count {
        let ack = client.expect(1, 60, 80);
        let AnyMethod::Basic(basic::AMQPMethod::Ack(ack)) = ack.method else {
            panic!("no confirm: {ack:?}");
        };
        safe = ack.delivery_tag;
    }
}
