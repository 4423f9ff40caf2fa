//! What a session waits for: memory, disk, the log, and what the log makes safe.

use std::sync::Arc;

use tokio::time::Instant;

use super::session::Session;
use crate::broker::peers::PeerState;
use crate::broker::throttle::Throttle;
use crate::names::LogPosition;
use crate::protocol::channel::Mode;
use crate::protocol::confirms::{Confirmed, Confirms};
use crate::store::{Asked, Registration};
use crate::wire::method::{AnyMethod, MethodId, connection};

/// An answer that is given once the log is durable up to a position.
pub(super) struct Held {
    position: LogPosition,
    channel: u16,
    answer: AnyMethod,
}

impl Session {
    /// Publishers have to wait, and this is one.
    pub(super) fn block(&mut self, reason: &'static str) {
        self.blocked = true;
        self.me.set_state(PeerState::Blocked);
        self.common.broker.shared.await_room();
        let blocked = connection::Blocked { reason: reason.into() };
        self.tell_if_capable(connection::AMQPMethod::Blocked(blocked));
        tracing::warn!(connection = %self.name(), "publisher waits: {reason}");
    }

    /// There may be room again, or a log that does not catch up may have a reason that can be told.
    pub(super) fn look_for_room(&mut self) {
        let broker = Arc::clone(&self.common.broker);
        let shared = &broker.shared;
        match shared.shortage() {
            Some(_) if self.blocked => shared.await_room(),
            None if self.blocked && shared.has_room_again() => self.unblock(),
            None if self.blocked => shared.await_room(),
            Some(reason) if self.log_is_full && !self.connection.is_closing() => self.block(reason),
            Some(_) | None => {}
        }
    }

    pub(super) fn unblock(&mut self) {
        self.blocked = false;
        self.note_state();
        self.tell_if_capable(connection::AMQPMethod::Unblocked(connection::Unblocked {}));
    }

    /// So much was published: if that was more than may be, nothing is read for a while.
    #[inline]
    pub(super) fn throttle(&mut self, messages: u64, bytes: u64) {
        let of_vhost = self.vhost.as_ref().is_some_and(|vhost| vhost.throttle.is_set());
        let of_user = self.user_throttle.as_ref().is_some_and(|throttle| throttle.is_set());
        if of_vhost || of_user {
            self.pause(messages, bytes);
        }
    }

    /// The wait is over, unless there is still more to wait for.
    pub(super) fn look_whether_it_may_publish(&mut self) {
        self.paused = None;
        self.pause(0, 0);
    }

    fn pause(&mut self, messages: u64, bytes: u64) {
        let now = Instant::now();
        let wait = |throttle: &Throttle| throttle.take(messages, bytes, now.into_std());
        let of_vhost = self.vhost.as_ref().map(|vhost| wait(&vhost.throttle));
        let of_user = self.user_throttle.as_ref().map(|throttle| wait(throttle));
        let longest = of_vhost.max(of_user).unwrap_or_default();
        self.paused = (!longest.is_zero()).then(|| now + longest);
        self.note_state();
    }

    /// Notes what this connection waits for, for reports.
    pub(super) fn note_state(&self) {
        if !self.connection.is_closing() {
            let slowed = self.log_is_full || self.paused.is_some();
            self.me.set_state(match (self.blocked, slowed) {
                (true, _) => PeerState::Blocked,
                (false, true) => PeerState::Flow,
                (false, false) => PeerState::Running,
            });
        }
    }

    pub(super) fn tell_if_capable(&self, method: connection::AMQPMethod) {
        if self.connection.client().is_capable_of("connection.blocked") {
            self.outbox.send(0, &AnyMethod::Connection(method));
        }
    }

    /// A log that does not keep up holds publishers back.
    pub(super) fn wait_for_the_log_to_catch_up(&mut self) {
        let broker = Arc::clone(&self.common.broker);
        if let Some(store) = &broker.shared.store
            && !store.has_room()
        {
            self.log_is_full = store.ask_for_room(self.registration()) == Asked::Later;
            self.note_state();
        }
    }

    /// Whether an answer waits, or a question, and what follows it as well.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some() || self.asked.is_some()
    }

    /// Gives an answer once the log is durable up to a position.
    pub(super) fn answer_once_safe(
        &mut self,
        channel: u16,
        answer: AnyMethod,
        position: LogPosition,
    ) {
        let durable = self.common.broker.shared.durable_position_soon(position);
        if position <= durable || !self.asks_for(position) {
            self.outbox.send(channel, &answer);
        } else {
            self.held = Some(Held { position, channel, answer });
        }
    }

    /// Asks to be woken once the log is durable up to a position. Returns whether that will be.
    pub(super) fn asks_for(&mut self, position: LogPosition) -> bool {
        let broker = Arc::clone(&self.common.broker);
        let Some(store) = &broker.shared.store else { return false };
        match store.ask(position, self.registration()) {
            Asked::Later => true,
            Asked::Now => {
                self.outbox.wake_session();
                true
            }
            // The broker is about to end; whoever waits is told so by that.
            Asked::Never => true,
        }
    }

    pub(super) fn registration(&mut self) -> &Registration {
        let outbox = &self.outbox;
        self.registration.get_or_insert_with(|| Registration::new(Arc::clone(outbox) as _))
    }

    /// Gives the answer that waited for the log, and confirms what is safe now.
    pub(super) fn answer_what_is_safe(&mut self) {
        let durable = self.common.broker.shared.durable_position();
        if let Some(held) = self.held.take_if(|held| held.position <= durable) {
            self.outbox.send(held.channel, &held.answer);
        } else if let Some(position) = self.held.as_ref().map(|held| held.position) {
            self.asks_for(position);
        }
        for number in std::mem::take(&mut self.unconfirmed) {
            self.confirm(number, durable);
        }
    }

    /// Confirms what is safe of a channel's publishes, and waits for the rest.
    pub(super) fn confirm(&mut self, number: u16, durable: LogPosition) {
        let Some(before) = self.confirms(number).map(|confirms| confirms.waiting()) else { return };
        while let Some(Confirmed { delivery_tag, multiple, refused }) =
            self.confirms(number).and_then(|confirms| confirms.release(durable))
        {
            let method = if refused { MethodId::NACK } else { MethodId::ACK };
            self.outbox.lock().out().confirm(number, method, delivery_tag, multiple);
        }
        let now = self.confirms(number).map(|each| (each.waiting(), each.next_position()));
        let (left, next) = now.unwrap_or_default();
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.record.unconfirmed.set(left);
            channel.confirmed(before - left);
        }
        if let Some(position) = next {
            if !self.unconfirmed.contains(&number) {
                self.unconfirmed.push(number);
            }
            self.asks_for(position);
        }
    }

    fn confirms(&mut self, number: u16) -> Option<&mut Confirms> {
        match &mut self.channels.get_mut(&number)?.mode {
            Mode::Confirm(confirms) => Some(confirms),
            Mode::Plain | Mode::Transaction => None,
        }
    }

    /// Gives every queue its turn that this read concerns, and confirms what is safe. Returns
    /// the log position that makes all of it safe.
    pub(super) fn flush(&mut self) -> LogPosition {
        if !self.gathered.is_empty() {
            self.gathered.flush();
        }
        let Some(publisher) = &mut self.publisher else { return LogPosition::default() };
        if publisher.is_empty() && self.confirming.is_empty() {
            return LogPosition::default();
        }
        let position = publisher.flush();
        if !self.confirming.is_empty() {
            let confirming = std::mem::take(&mut self.confirming);
            for number in &confirming {
                if let Some(confirms) = self.confirms(*number) {
                    confirms.appended(position);
                }
            }
            // A client that waits for the confirm of one publish before it sends the next.
            let is_only_one = self.unconfirmed.is_empty()
                && matches!(confirming[..], [number]
                    if self.confirms(number).is_some_and(|confirms| confirms.waiting() == 1));
            let shared = &self.common.broker.shared;
            let durable = if is_only_one {
                shared.durable_position_soon(position)
            } else {
                shared.durable_position()
            };
            for number in confirming {
                self.confirm(number, durable);
            }
        }
        position
    }
}
