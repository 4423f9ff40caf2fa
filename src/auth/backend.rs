//! What a backend is: somebody who knows users and what they may do.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::login::{Origin, Refused};
use super::oauth2::Token;
use crate::names::{UserName, VhostName};

/// How RabbitMQ calls the default exchange where permissions are matched.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// One of the three things that a permission allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Declare and delete.
    Configure,
    /// Publish to, bind to.
    Write,
    /// Consume, get, purge, bind from.
    Read,
}

/// What somebody wants to do something with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// An exchange; empty is the default one.
    Exchange(&'a str),
    /// A queue.
    Queue(&'a str),
}

/// Whether somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Where.
    pub vhost: VhostName,
    /// What.
    pub deed: Deed,
}

/// What somebody wants to do in a vhost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Enter it.
    Enter,
    /// Use an exchange or a queue.
    Use {
        /// How.
        right: Right,
        /// `exchange` or `queue`.
        kind: &'static str,
        /// Its name; the default exchange's is `amq.default`.
        name: Box<str>,
    },
    /// Use a routing key with a topic exchange.
    Topic {
        /// To publish ([`Right::Write`]) or to bind.
        right: Right,
        /// The exchange.
        exchange: Box<str>,
        /// The key.
        key: Box<str>,
    },
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They may.
    Allowed,
    /// They may not, for a reason that they may be told, or for none.
    Refused(Option<Box<str>>),
    /// Nobody knows, which is as good as a refusal.
    Failed(Box<str>),
}

/// Somebody at the door.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// Who they say they are.
    pub name: &'a str,
    /// What they prove it with; `None`: somebody else has made sure (a certificate).
    pub password: Option<&'a [u8]>,
    /// Where they come from.
    pub origin: &'a Origin,
}

/// What a backend knows of somebody it has let in.
#[derive(Clone, Debug)]
pub struct Known {
    /// Their name, which need not be the one that they gave.
    pub name: UserName,
    /// `administrator`, `monitoring` and others.
    pub tags: Vec<String>,
    /// What they came in with, if that says what they may do.
    pub token: Option<Arc<Token>>,
}

/// Somebody who knows users and what they may do.
///
/// Answers may take their time unless the backend says that they do not ([`Self::is_quick`]); then
/// [`super::Auth::ask`] gets them on a thread for that.
pub trait Backend: Send + Sync {
    /// RabbitMQ's name for it, which error texts tell.
    fn name(&self) -> &'static str;

    /// Whether somebody is who they say.
    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Known, Refused>;

    /// Takes somebody on whom another backend has let in, to say what they may do.
    fn adopt(&self, attempt: &Attempt<'_>) -> Result<Known, Refused> {
        self.authenticate(attempt)
    }

    /// Whether somebody may do something.
    fn may(&self, who: &Principal, question: &Question) -> Verdict;

    /// Whether [`Self::may`] answers from memory.
    fn is_quick(&self) -> bool;

    /// What a new secret says of somebody who has come in with a secret that expires.
    fn renew(&self, _secret: &[u8]) -> Result<Known, Refused> {
        Err(Refused::by(self.name(), "", "secrets do not expire here"))
    }
}

/// Somebody who has come in.
#[derive(Clone)]
pub struct Principal {
    /// Their name.
    pub name: UserName,
    /// What they may do over HTTP, and whether they may be an `impersonator`.
    pub tags: Vec<String>,
    /// Where they come from.
    pub from: IpAddr,
    /// Who says what they may do; `None`: the broker's own accounts, which whoever asks often
    /// looks at themselves.
    pub(super) backend: Option<Arc<dyn Backend>>,
    /// What they came in with, if that says what they may do.
    pub(super) token: Option<Arc<Token>>,
}

impl Principal {
    /// Who says what they may do, if not the broker's own accounts.
    pub fn backend(&self) -> Option<&Arc<dyn Backend>> {
        self.backend.as_ref()
    }

    /// Whether they have a tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|each| each == tag)
    }

    /// When what they came in with expires, in seconds since 1970.
    pub fn expires(&self) -> Option<u64> {
        self.token.as_ref().and_then(|token| token.expires)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("name", &self.name).field("tags", &self.tags).finish()
    }
}

impl<'a> Resource<'a> {
    /// `exchange` or `queue`, and the name that permissions are matched with.
    pub fn kind_and_name(self) -> (&'static str, &'a str) {
        match self {
            Self::Exchange("") => ("exchange", DEFAULT_EXCHANGE),
            Self::Exchange(name) => ("exchange", name),
            Self::Queue(name) => ("queue", name),
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        })
    }
}

impl From<bool> for Verdict {
    fn from(allowed: bool) -> Self {
        if allowed { Self::Allowed } else { Self::Refused(None) }
    }
}

impl Verdict {
    /// Whether they may.
    pub fn is_allowed(&self) -> bool {
        *self == Self::Allowed
    }
}
