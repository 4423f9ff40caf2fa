//! Why a command fails, and the exit status for it.

use std::fmt;

/// BSD's `sysexits`, of which rabbitmqctl uses these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Usage = 64,
    Data = 65,
    NoUser = 67,
    Unavailable = 69,
    Software = 70,
    TemporaryFailure = 75,
}

/// What is said on standard error before the command ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) text: String,
    /// The HTTP status, if the broker has refused.
    pub(super) status: Option<u16>,
}

impl Failure {
    pub(super) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), status: None }
    }

    /// The command is wrong.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// What is to be worked on is wrong or not there.
    pub(super) fn data(text: impl Into<String>) -> Self {
        Self::new(Exit::Data, text)
    }

    /// A check failed, or the broker is not there.
    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, text)
    }

    pub(super) fn no_user(name: &str) -> Self {
        Self::new(Exit::NoUser, format!("User {name} does not exist"))
    }

    pub(super) fn no_vhost(name: &str) -> Self {
        Self::unavailable(format!("Virtual host {name} does not exist"))
    }

    /// Says something else if the broker did not find what was asked for.
    pub(super) fn if_missing(self, instead: impl FnOnce() -> Self) -> Self {
        if self.status == Some(404) { instead() } else { self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
