//! What one connection's user may do in its vhost.
//!
//! Permissions are looked up once and remembered until somebody's change
//! ([`Auth::version`]); a change counts from the next thing a client asks for.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Broker;
use crate::auth::{AccountError, Auth, Pattern, Permission};
use crate::names::{ExchangeName, LogPosition, UserName, VhostName};
use crate::protocol::fault::Fault;

/// How RabbitMQ calls the default exchange where permissions are matched.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// One of the three things that a permission allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What one connection's user may do in its vhost.
pub struct Access {
    auth: Arc<Auth>,
    user: UserName,
    vhost: VhostName,
    /// The version of the accounts that what follows is of.
    version: u64,
    permission: Option<Arc<Permission>>,
    /// The routing keys to publish and to bind with, for exchanges that have topic permissions.
    topics: FxHashMap<ExchangeName, Topics>,
    impersonator: bool,
    /// The exchange that was last published to; it may be.
    written: Option<Box<str>>,
}

struct Topics {
    write: Pattern,
    read: Pattern,
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

impl Access {
    /// What a user may do in a vhost.
    pub fn new(auth: Arc<Auth>, user: UserName, vhost: VhostName) -> Self {
        let mut access = Self {
            auth,
            user,
            vhost,
            version: 0,
            permission: None,
            topics: FxHashMap::default(),
            impersonator: false,
            written: None,
        };
        access.look_up();
        access
    }

    /// Whose it is.
    pub fn user(&self) -> &UserName {
        &self.user
    }

    /// Whether nobody's permissions changed since this was last looked up.
    #[inline]
    pub fn is_current(&self) -> bool {
        self.version == self.auth.version()
    }

    /// Takes note of what changed.
    pub fn refresh(&mut self) {
        if !self.is_current() {
            self.look_up();
        }
    }

    #[cold]
    fn look_up(&mut self) {
        // Asked first: a change while the rest is looked up makes it be looked up again.
        self.version = self.auth.version();
        let (user, vhost) = (self.user.as_str(), self.vhost.as_str());
        self.permission = self.auth.permission(vhost, user);
        self.impersonator = self.auth.user(user).is_some_and(|user| user.has_tag("impersonator"));
        self.written = None;
        let topics = self.auth.topic_permissions_of(vhost, user);
        self.topics = topics
            .iter()
            .map(|each| {
                let pattern = |pattern: &crate::auth::TopicPattern| pattern.of(user, vhost, None);
                let (write, read) = (pattern(&each.write), pattern(&each.read));
                (each.exchange.clone(), Topics { write, read })
            })
            .collect();
    }

    /// Whether the user may be in the vhost at all: has any permission there.
    pub fn check_vhost(&mut self) -> Result<(), Fault> {
        self.refresh();
        let refused = || Fault::no_vhost_access(&self.vhost, &self.user);
        self.permission.as_ref().map(|_| ()).ok_or_else(refused)
    }

    /// Whether the user may do this with that.
    pub fn check(&mut self, right: Right, resource: Resource<'_>) -> Result<(), Fault> {
        self.refresh();
        let (kind, name) = match resource {
            Resource::Exchange("") => ("exchange", DEFAULT_EXCHANGE),
            Resource::Exchange(name) => ("exchange", name),
            Resource::Queue(name) => ("queue", name),
        };
        let may = self.permission.as_ref().is_some_and(|permission| {
            let pattern = match right {
                Right::Configure => &permission.configure,
                Right::Write => &permission.write,
                Right::Read => &permission.read,
            };
            pattern.matches(name)
        });
        let refused = || Fault::no_access(right, kind, name, &self.vhost, &self.user);
        may.then_some(()).ok_or_else(refused)
    }

    /// Whether the user may publish to an exchange; cheap if it was the last one asked for.
    pub fn check_publish(&mut self, exchange: &str) -> Result<(), Fault> {
        self.refresh();
        if self.written.as_deref() != Some(exchange) {
            self.check(Right::Write, Resource::Exchange(exchange))?;
            self.written = Some(exchange.into());
        }
        Ok(())
    }

    /// Whether the user has topic permissions here, so that routing keys matter.
    pub fn has_topic_permissions(&mut self) -> bool {
        self.refresh();
        !self.topics.is_empty()
    }

    /// Whether the user may publish to ([`Right::Write`]) or bind from (otherwise) a topic
    /// exchange with this routing key.
    pub fn check_topic(&mut self, right: Right, exchange: &str, key: &str) -> Result<(), Fault> {
        self.refresh();
        let Some(topics) = self.topics.get(exchange) else { return Ok(()) };
        let pattern = if right == Right::Write { &topics.write } else { &topics.read };
        let refused = || Fault::no_topic_access(right, key, exchange, &self.vhost, &self.user);
        pattern.matches(key).then_some(()).ok_or_else(refused)
    }

    /// Whose name a message's user-id may be: the user's own, or anybody's (`None`) for those
    /// tagged `impersonator`.
    pub fn may_claim(&mut self) -> Option<&str> {
        self.refresh();
        (!self.impersonator).then_some(self.user.as_str())
    }
}

impl Broker {
    /// Deletes a user with all their permissions, and closes their connections.
    pub fn delete_user(&self, name: &str, by: &str) -> Result<LogPosition, AccountError> {
        let position = self.auth.delete_user(name, by)?;
        // Each session sees for itself whether its user is still there.
        self.peers.wake_all();
        Ok(position)
    }
}
