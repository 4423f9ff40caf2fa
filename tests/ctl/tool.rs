//! The tool in a process of its own.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::TestBroker;

/// What a command said, and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command against a broker, word by word.
pub(crate) fn words(broker: &TestBroker, words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren"));
    let url = format!("http://{}", broker.server().http_address());
    command.args(["ctl", "--base-uri", &url]).args(words).stdin(Stdio::null());
    let output = command.output().expect("the program runs");
    Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A command against a broker; spaces divide its words.
pub(crate) fn ctl(broker: &TestBroker, command: &str) -> Said {
    words(broker, &command.split(' ').collect::<Vec<_>>())
}

/// What a command says that succeeds.
#[track_caller]
pub(crate) fn done(broker: &TestBroker, command: &str) -> String {
    let said = ctl(broker, command);
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{command}: {said:?}");
    said.out
}

/// The JSON that a command says.
#[track_caller]
pub(crate) fn json(broker: &TestBroker, command: &str) -> Value {
    let said = done(broker, &format!("{command} --formatter json"));
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{command}: {said}"))
}

/// Refuses a command that does not end with this status and say this on standard error.
#[track_caller]
pub(crate) fn refused(broker: &TestBroker, command: &str, status: i32, text: &str) {
    let said = ctl(broker, command);
    assert_eq!(said.status, status, "{command}: {said:?}");
    assert!(said.err.contains(text), "{command}: {said:?}");
}

/// Refuses a command that fails.
#[track_caller]
pub(crate) fn all_succeed(broker: &TestBroker, commands: &[&str]) {
    for command in commands {
        let said = ctl(broker, command);
        assert_eq!(said.status, 0, "{command}: {said:?}");
    }
}
