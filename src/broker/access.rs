//! What one connection's user may do in its vhost.
//!
//! Permissions of the broker's own accounts are looked up once and remembered until somebody's
//! change ([`Auth::version`]); a change counts from the next thing a client asks for. Others are
//! asked, and whoever has to be waited for is not asked here: what is not known is
//! [`Denied::Unasked`], and once it has been asked ([`Auth::ask`]) and noted ([`Access::note`]), the
//! same thing is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::Broker;
use super::perform::unique_name;
use crate::auth::{
    AccountError, Auth, Backend, Deed, Pattern, Permission, Principal, Question, Verdict,
};
pub use crate::auth::{Resource, Right};
use crate::names::{ExchangeName, LogPosition, UserName, VhostName};
use crate::protocol::fault::Fault;

/// How many answers one connection remembers; beyond it they are all forgotten, which costs a
/// question each and nothing else.
const REMEMBERED_ANSWERS: usize = 4096;

/// Why something is not done.
#[derive(Debug)]
pub enum Denied<T = ()> {
    /// It is a mistake, or may not be.
    Refused(Fault),
    /// Whether it may be has to be asked; then it can be tried again with what is given back.
    Unasked(Box<Question>, T),
}

/// What one connection's user may do in its vhost.
pub struct Access {
    auth: Arc<Auth>,
    principal: Arc<Principal>,
    vhost: VhostName,
    /// The version of the accounts that what follows is of.
    version: u64,
    permission: Option<Arc<Permission>>,
    /// The routing keys to publish and to bind with, for exchanges that have topic permissions.
    topics: FxHashMap<ExchangeName, Topics>,
    impersonator: bool,
    /// The exchange that was last published to; it may be.
    written: Option<Box<str>>,
    /// What another backend says, if not the accounts are asked.
    elsewhere: Option<Box<Elsewhere>>,
}

struct Topics {
    write: Pattern,
    read: Pattern,
}

/// What another backend says.
struct Elsewhere {
    backend: Arc<dyn Backend>,
    /// What it has said, if it has to be waited for.
    answers: FxHashMap<Deed, Verdict>,
    /// For how long answers are good.
    remember: Duration,
    /// Until when those are that there are.
    good_until: Option<Instant>,
    /// What the name of a queue looks like that the broker chooses: asked about once for all.
    chosen_name: String,
}

impl<T> Denied<T> {
    /// The same with something to try again with.
    pub fn with<U>(self, kept: U) -> Denied<U> {
        match self {
            Self::Refused(fault) => Denied::Refused(fault),
            Self::Unasked(question, _) => Denied::Unasked(question, kept),
        }
    }
}

impl<T> From<Fault> for Denied<T> {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl Access {
    /// What a user may do in a vhost.
    pub fn new(auth: Arc<Auth>, principal: Arc<Principal>, vhost: VhostName) -> Self {
        let elsewhere = principal.backend().map(|backend| {
            Box::new(Elsewhere {
                backend: Arc::clone(backend),
                answers: FxHashMap::default(),
                remember: auth.remembers_answers_for(),
                good_until: None,
                chosen_name: unique_name("amq.gen-"),
            })
        });
        let mut access = Self {
            auth,
            principal,
            vhost,
            version: 0,
            permission: None,
            topics: FxHashMap::default(),
            impersonator: false,
            written: None,
            elsewhere,
        };
        access.look_up();
        access
    }

    /// Whose it is.
    pub fn user(&self) -> &UserName {
        &self.principal.name
    }

    /// Whose it is, and who is asked what they may do.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// Whether nobody's permissions changed since a version of the accounts.
    #[inline]
    pub fn is_still(&self, version: u64) -> bool {
        version == self.auth.version()
    }

    /// The version of the accounts that this knows.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes note of what changed.
    pub fn refresh(&mut self) {
        if !self.is_still(self.version) {
            self.look_up();
        }
    }

    #[cold]
    fn look_up(&mut self) {
        // Asked first: a change while the rest is looked up makes it be looked up again.
        self.version = self.auth.version();
        self.written = None;
        if self.elsewhere.is_some() {
            self.impersonator = self.principal.has_tag("impersonator");
            return;
        }
        let (user, vhost) = (self.principal.name.as_str(), self.vhost.as_str());
        self.permission = self.auth.permission(vhost, user);
        self.impersonator = self.auth.user(user).is_some_and(|user| user.has_tag("impersonator"));
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
    pub fn check_vhost(&mut self) -> Result<(), Denied> {
        self.refresh();
        let local = |access: &Self| access.permission.is_some();
        let verdict = self.verdict(local, || Deed::Enter)?;
        self.obeyed(&verdict, || Fault::no_vhost_access(&self.vhost, self.user()))
    }

    /// Whether the user may do this with that.
    pub fn check(&mut self, right: Right, resource: Resource<'_>) -> Result<(), Denied> {
        self.refresh();
        let (kind, name) = resource.kind_and_name();
        let local = |access: &Self| {
            let permission = access.permission.as_ref();
            permission.is_some_and(|permission| permission.of(right).matches(name))
        };
        let verdict = self.verdict(local, || Deed::Use { right, kind, name: name.into() })?;
        self.obeyed(&verdict, || Fault::no_access(right, kind, name, &self.vhost, self.user()))
    }

    /// Whether the user may publish to an exchange; cheap if it was the last one asked for.
    pub fn check_publish(&mut self, exchange: &str) -> Result<(), Denied> {
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
        self.elsewhere.is_some() || !self.topics.is_empty()
    }

    /// Whether the user may publish to ([`Right::Write`]) or bind from (otherwise) a topic
    /// exchange with this routing key.
    pub fn check_topic(&mut self, right: Right, exchange: &str, key: &str) -> Result<(), Denied> {
        self.refresh();
        let local = |access: &Self| {
            access.topics.get(exchange).is_none_or(|topics| {
                let pattern = if right == Right::Write { &topics.write } else { &topics.read };
                pattern.matches(key)
            })
        };
        let deed = || Deed::Topic { right, exchange: exchange.into(), key: key.into() };
        let verdict = self.verdict(local, deed)?;
        let (vhost, user) = (&self.vhost, self.user());
        self.obeyed(&verdict, || Fault::no_topic_access(right, key, exchange, vhost, user))
    }

    fn verdict(
        &self,
        local: impl FnOnce(&Self) -> bool,
        deed: impl FnOnce() -> Deed,
    ) -> Result<Verdict, Denied> {
        let Some(elsewhere) = &self.elsewhere else { return Ok(local(self).into()) };
        let question = Question { vhost: self.vhost.clone(), deed: deed() };
        if elsewhere.backend.is_quick() {
            return Ok(elsewhere.backend.may(&self.principal, &question));
        }
        let known = elsewhere.answers.get(&question.deed).cloned();
        known.ok_or_else(|| Denied::Unasked(Box::new(question), ()))
    }

    /// A refusal in RabbitMQ's words, which tell what a backend says and how it fails.
    fn obeyed(&self, verdict: &Verdict, refused: impl FnOnce() -> Fault) -> Result<(), Denied> {
        let backend = self.elsewhere.as_ref().map_or("", |elsewhere| elsewhere.backend.name());
        match verdict {
            Verdict::Allowed => Ok(()),
            Verdict::Refused(None) => Err(refused().into()),
            Verdict::Refused(Some(reason)) => {
                Err(refused().adding(format_args!(" by backend {backend}: {reason}")).into())
            }
            Verdict::Failed(why) => {
                let text = format_args!(", backend {backend} returned an error: {why}");
                Err(refused().adding(text).into())
            }
        }
    }

    /// Takes note of an answer, which is good for a while.
    pub fn note(&mut self, question: Question, verdict: Verdict) {
        let Some(elsewhere) = &mut self.elsewhere else { return };
        if elsewhere.answers.len() >= REMEMBERED_ANSWERS {
            elsewhere.answers.clear();
        }
        let until = Instant::now().checked_add(elsewhere.remember);
        elsewhere.good_until = elsewhere.good_until.or(until);
        elsewhere.answers.insert(question.deed, verdict);
    }

    /// Until when answers are good; `None`: there are none that could become old.
    pub fn good_until(&self) -> Option<Instant> {
        self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.good_until)
    }

    /// Forgets all answers: they are asked for again.
    pub(super) fn forget_answers(&mut self) {
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.answers.clear();
            elsewhere.good_until = None;
        }
        self.look_up();
    }

    /// The user has a new secret, which may say something else.
    pub(super) fn renew(&mut self, principal: Arc<Principal>) {
        self.principal = principal;
        self.forget_answers();
    }

    /// A name like that of a queue whose name the broker chooses.
    pub fn chosen_name(&self) -> String {
        let chosen = self.elsewhere.as_ref().map(|elsewhere| elsewhere.chosen_name.clone());
        chosen.unwrap_or_else(|| unique_name("amq.gen-"))
    }

    /// Whose name a message's user-id may be: the user's own, or anybody's (`None`) for those
    /// tagged `impersonator`.
    pub fn may_claim(&mut self) -> Option<&str> {
        self.refresh();
        (!self.impersonator).then_some(self.principal.name.as_str())
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
