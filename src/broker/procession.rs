//! Messages under way from one queue to others, by the queue they go to, so that each gets one
//! turn. Arriving there is part of a transaction of the store if there is one.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::live_queue::{Comes, Full, LiveQueue};
use super::stations::Taps;
use super::vhost::Vhost;
use crate::message::Message;
use crate::names::{LogPosition, QueueId};
use crate::routing::Envelope;
use crate::store::Together;
use crate::wire::content::ContentHeader;

/// See the module.
pub(super) struct Procession<'a> {
    vhost: &'a Arc<Vhost>,
    together: Option<&'a Together>,
    /// Where one queue refuses a message, none gets it.
    all_or_none: bool,
    targets: FxHashMap<QueueId, (Arc<LiveQueue>, Vec<Message>)>,
    safe_at: LogPosition,
}

/// What became of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// At least one queue takes it, or an exchange keeps it.
    Taken,
    /// It leads nowhere.
    Unroutable,
    /// A queue that it leads to is full and refuses.
    Refused,
}

impl<'a> Procession<'a> {
    /// Nobody is under way yet. What arrives counts together with the rest of a transaction.
    pub(super) fn new(vhost: &'a Arc<Vhost>, together: Option<&'a Together>) -> Self {
        let safe_at = LogPosition::default();
        Self { vhost, together, all_or_none: false, targets: FxHashMap::default(), safe_at }
    }

    /// Where one queue refuses a message, none gets it.
    pub(super) fn all_or_none(self) -> Self {
        Self { all_or_none: true, ..self }
    }

    /// Sends a message through its exchange with these keys, to those queues that it may enter.
    pub(super) fn send(
        &mut self,
        message: &Message,
        keys: &[&[u8]],
        may_enter: impl Fn(&LiveQueue) -> bool,
    ) -> Sent {
        let exchange = String::from_utf8_lossy(message.exchange());
        let properties = message.header();
        let headers =
            ContentHeader::parse(properties).ok().and_then(|read| read.properties.headers);
        let envelope = Envelope { keys, headers, properties, chance: rand::random() };
        let mut taps = Taps::new(self.vhost, message, headers, self.together);
        let routed =
            self.vhost.look(|topology| topology.route_dead(&exchange, &envelope, &mut taps));
        self.safe_at = self.safe_at.max(taps.safe_at);
        let queues = routed.queues.into_iter().filter_map(|id| self.vhost.live(id));
        let queues: Vec<_> = queues.filter(|queue| may_enter(queue)).collect();
        if queues.is_empty() {
            return if routed.held { Sent::Taken } else { Sent::Unroutable };
        }
        self.enter(message, queues)
    }

    /// Sends a message to one queue.
    pub(super) fn send_to(&mut self, message: &Message, queue: Arc<LiveQueue>) -> Sent {
        self.enter(message, vec![queue])
    }

    fn enter(&mut self, message: &Message, queues: Vec<Arc<LiveQueue>>) -> Sent {
        if self.all_or_none && queues.iter().any(|queue| queue.would_refuse(message)) {
            return Sent::Refused;
        }
        let mut sent = Sent::Taken;
        if queues.len() > 1 {
            message.fan_out();
        }
        for queue in queues {
            if queue.may_refuse() {
                match queue.offer(Comes::Brought, message.clone(), self.together) {
                    Ok(position) => self.safe_at = self.safe_at.max(position),
                    // Asked a moment ago: full by now, it is as if it had been published there.
                    Err(Full) if self.all_or_none => {}
                    Err(Full) => sent = Sent::Refused,
                }
                continue;
            }
            let (_, batch) = self.targets.entry(queue.id).or_insert_with(|| (queue, Vec::new()));
            batch.push(message.clone());
        }
        sent
    }

    /// All arrive. Returns the log position that makes that safe.
    pub(super) fn arrive(self) -> LogPosition {
        let mut safe_at = self.safe_at;
        for (_, (queue, mut batch)) in self.targets {
            safe_at = safe_at.max(queue.publish(Comes::Brought, &mut batch, self.together));
        }
        safe_at
    }
}
