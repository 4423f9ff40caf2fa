//! What a session has to ask of others before it can go on: who its user is, and what they may do.
//!
//! One thing at a time is asked, on a task of its own, and meanwhile nothing is read. With the
//! answer, what waited for it is tried again; it may then raise the next question. The broker's own
//! accounts are never asked in this way.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::session::Session;
use crate::auth::{Principal, Question, Refused, Verdict};
use crate::broker::access::{Denied, Resource, Right};
use crate::message::Message;
use crate::protocol::fault::Fault;
use crate::protocol::request::Request;
use crate::wire::method::{AnyMethod, MethodId, basic, connection};

/// After this time it is looked again at a secret that expires later.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// What waits for an answer.
pub(super) enum Waiting {
    /// The login.
    Login,
    /// A new secret.
    Secret,
    /// The opening of a vhost.
    Open { vhost: String },
    /// Something that a channel asked for.
    Request { channel: u16, request: Request, nowait: bool, id: MethodId },
    /// A publish.
    Publish { channel: u16, message: Message, more_keys: Vec<Box<[u8]>>, mandatory: bool },
    /// A look at whether a consumer may still be there.
    Consumers,
}

/// An answer.
enum Answer {
    /// Who came in, or brought a new secret.
    Principal(Result<Principal, Refused>),
    /// Whether something may be done.
    Verdict(Question, Verdict),
}

/// What was asked, and what waits for it.
pub(super) struct Asked {
    answer: oneshot::Receiver<Answer>,
    waiting: Waiting,
}

impl Session {
    /// Asks who somebody is.
    pub(super) fn ask_who(
        &mut self,
        waiting: Waiting,
        who: impl Future<Output = Result<Principal, Refused>> + Send + 'static,
    ) {
        self.await_answer(waiting, async { Answer::Principal(who.await) });
    }

    /// Asks whether something may be done that waits for the answer.
    pub(super) fn ask_whether(&mut self, question: Box<Question>, waiting: Waiting) {
        let Some(principal) = self.principal.clone() else { return };
        let auth = Arc::clone(&self.common.broker.auth);
        self.await_answer(waiting, async move {
            let verdict = auth.ask(principal, (*question).clone()).await;
            Answer::Verdict(*question, verdict)
        });
    }

    fn await_answer(
        &mut self,
        waiting: Waiting,
        answer: impl Future<Output = Answer> + Send + 'static,
    ) {
        let (tell, told) = oneshot::channel();
        let outbox = Arc::clone(&self.outbox);
        tokio::spawn(async move {
            // Nobody listens any more if the session has ended.
            let _ = tell.send(answer.await);
            outbox.wake_session();
        });
        self.asked = Some(Box::new(Asked { answer: told, waiting }));
    }

    /// Goes on with what waited, if its answer is there.
    pub(super) fn take_answer(&mut self) {
        let Some(asked) = self.asked.take() else { return };
        let Asked { mut answer, waiting } = *asked;
        if self.connection.is_closing() || self.ended {
            return;
        }
        match answer.try_recv() {
            Ok(answer) => self.go_on(waiting, answer),
            Err(oneshot::error::TryRecvError::Empty) => {
                self.asked = Some(Box::new(Asked { answer, waiting }));
            }
            Err(oneshot::error::TryRecvError::Closed) => {
                self.fault(0, Fault::internal("nobody could be asked"));
            }
        }
    }

    fn go_on(&mut self, waiting: Waiting, answer: Answer) {
        if let Answer::Verdict(question, verdict) = answer {
            self.note(question, verdict);
            let (channel, done) = self.try_again(waiting);
            if let Err(fault) = done {
                self.fault(channel, fault);
            }
            // What was published waits for its turn; nothing else may follow that gives it one.
            self.flush();
        } else if let Answer::Principal(checked) = answer {
            let done = match waiting {
                Waiting::Secret => {
                    let done = self.secret_checked(checked);
                    done.map_err(|fault| fault.at(MethodId::of(10, 70)))
                }
                Waiting::Login
                | Waiting::Open { .. }
                | Waiting::Request { .. }
                | Waiting::Publish { .. }
                // RabbitMQ does not say that it was start-ok.
                | Waiting::Consumers => self.login_checked(checked),
            };
            if let Err(fault) = done {
                self.fault(0, fault);
            }
        }
        self.set_recheck();
    }

    fn note(&mut self, question: Question, verdict: Verdict) {
        let access = self.publisher.as_mut().map(|publisher| &mut publisher.access);
        if let Some(access) = access.or(self.entering.as_deref_mut()) {
            access.note(question, verdict);
        }
    }

    /// Tries again what had waited for a permission. Returns the channel that a fault is of.
    fn try_again(&mut self, waiting: Waiting) -> (u16, Result<(), Fault>) {
        let is_open = |session: &Self, number| {
            session.channels.get(&number).is_some_and(|channel| !channel.is_closing())
        };
        match waiting {
            Waiting::Open { vhost } => {
                (0, self.open(&vhost).map_err(|fault| fault.at(MethodId::of(10, 40))))
            }
            Waiting::Request { channel, request, nowait, id } if is_open(self, channel) => {
                let asked = self.ask(channel, request, nowait).map_err(|fault| fault.at(id));
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.note();
                }
                (channel, asked)
            }
            Waiting::Publish { channel, message, more_keys, mandatory }
                if is_open(self, channel) =>
            {
                let published = self.publish_again(channel, message, &more_keys, mandatory);
                (channel, published.map_err(|fault| fault.at(MethodId::PUBLISH)))
            }
            Waiting::Consumers => (0, self.recheck_consumers()),
            Waiting::Login
            | Waiting::Secret
            | Waiting::Request { .. }
            | Waiting::Publish { .. } => (0, Ok(())),
        }
    }

    /// The client has a new secret. It counts if what it had expires.
    pub(super) fn update_secret(&mut self, secret: Vec<u8>) {
        let Some(principal) = self.principal.clone() else { return };
        if principal.expires().is_none() {
            return self.secret_updated();
        }
        let auth = Arc::clone(&self.common.broker.auth);
        self.ask_who(Waiting::Secret, auth.renew(principal, secret));
    }

    fn secret_updated(&self) {
        let ok = connection::AMQPMethod::UpdateSecretOk(connection::UpdateSecretOk {});
        self.outbox.send(0, &AnyMethod::Connection(ok));
    }

    fn secret_checked(&mut self, checked: Result<Principal, Refused>) -> Result<(), Fault> {
        let principal = checked.map_err(|refused| {
            tracing::error!(connection = %self.name(), "secret update was refused: {refused}");
            match refused {
                Refused::Failed(_) => Fault::not_allowed("Secret update failed"),
                Refused::UnknownMechanism(_)
                | Refused::Malformed(_)
                | Refused::InvalidCredentials(_)
                | Refused::NotLoopback(_)
                | Refused::NamelessCertificate
                | Refused::ByBackend { .. } => {
                    Fault::not_allowed("New secret was refused by one of the backends")
                }
            }
        })?;
        let principal = Arc::new(principal);
        self.principal = Some(Arc::clone(&principal));
        if let Some(publisher) = &mut self.publisher {
            publisher.renew(principal);
            match publisher.access.check_vhost() {
                Err(Denied::Refused(fault)) => return Err(fault),
                // Where secrets expire, nobody has to be asked.
                Ok(()) | Err(Denied::Unasked(..)) => {}
            }
        }
        self.secret_updated();
        tracing::info!(connection = %self.name(), "secret updated");
        self.recheck_consumers()
    }

    /// Cancels the consumers whose queues may not be read any more, as RabbitMQ does.
    fn recheck_consumers(&mut self) -> Result<(), Fault> {
        let consumers = self.outbox.lock().consumers();
        for (channel, tag, queue) in consumers {
            let Some(publisher) = &mut self.publisher else { return Ok(()) };
            let name = queue.name.as_str();
            match publisher.access.check(Right::Read, Resource::Queue(name)) {
                Ok(()) => {}
                Err(Denied::Refused(fault)) => {
                    tracing::warn!(
                        channel,
                        consumer = tag.as_str(),
                        "cancelling consumer: {fault}"
                    );
                    self.cancel_consumer(channel, tag.as_str());
                }
                Err(Denied::Unasked(question, ())) => {
                    self.ask_whether(question, Waiting::Consumers);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn cancel_consumer(&self, channel: u16, tag: &str) {
        let consumer = self.outbox.lock().remove_consumer(channel, tag);
        let Some(consumer) = consumer else { return };
        consumer.queue.consumer_gone(consumer.consumer);
        if self.connection.client().is_capable_of("consumer_cancel_notify") {
            let cancel = basic::Cancel { consumer_tag: tag.into(), nowait: true };
            self.outbox.send(channel, &AnyMethod::Basic(basic::AMQPMethod::Cancel(cancel)));
        }
    }

    /// Sets when something is to be looked at again: the secret, or what others have answered.
    pub(super) fn set_recheck(&mut self) {
        let expiry = self.principal.as_ref().and_then(|who| who.expires()).map(|seconds| {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let left = Duration::from_secs(seconds).saturating_sub(since_1970);
            Instant::now() + left.min(LONGEST_WAIT)
        });
        let answers = self.publisher.as_ref().and_then(|publisher| publisher.access.good_until());
        self.recheck = [expiry, answers.map(Instant::from_std)].into_iter().flatten().min();
    }

    /// A secret has expired, or answers are too old.
    pub(super) fn recheck(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let expiry = self.principal.as_ref().and_then(|who| who.expires());
        if expiry.is_some_and(|seconds| seconds <= now) {
            self.recheck = None;
            return self.close_by(Fault::forced("credential expired"));
        }
        // Whoever waits for one more answer still needs those that it has.
        if self.asked.is_none()
            && let Some(publisher) = &mut self.publisher
            && publisher.access.good_until().is_some_and(|until| until <= Instant::now().into_std())
        {
            publisher.forget_answers();
        }
        self.set_recheck();
    }
}
