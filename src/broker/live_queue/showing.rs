//! What OpenTelemetry is shown of a queue's messages: that they enter it, that they are handed
//! out, and what became of that.
//!
//! Nothing is kept for it between these: a message has its trace in its headers, and spans' ids
//! are made of where it stands (`spans::ids`).

use super::LiveQueue;
use crate::broker::outbox::{Locked, Outlet};
use crate::broker::watched::Watchers;
use crate::message::{Message, Shown};
use crate::names::{ConnectionId, ConsumerTag, DeliveryId};
use crate::otlp::Spans;
use crate::queue::{Delivery, Outcome, Queue, Return};
use crate::spans::context::{Context, SpanId};
use crate::spans::ids;
use crate::spans::step::{Delivered, Settled, Step, What};

/// A step of a message that is shown, which has begun.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    context: Context,
    at: u64,
}

/// Who is shown a queue's messages.
#[derive(Clone, Copy)]
pub(super) struct Showing<'a>(&'a Spans);

impl LiveQueue {
    /// Who is shown its messages, if anybody is.
    #[inline]
    pub(super) fn shown(&self) -> Option<Showing<'_>> {
        if self.watched.now().have_spans() { self.shared.spans.as_ref().map(Showing) } else { None }
    }

    /// Hands a message out that somebody is shown.
    #[inline(never)]
    pub(super) fn deliver_watched(
        &self,
        by: Watchers,
        outbox: &mut Locked<'_>,
        outlet: &Outlet,
        delivery: &Delivery,
    ) {
        debug_assert!(!by.is_nobody());
        let begun = self.begin_handing_out(delivery, outlet.outbox.connection, outlet.channel);
        let tag = outbox.deliver(outlet, delivery);
        self.handed_out(begun, delivery, Some(&outlet.tag), Some((outlet.channel, tag)));
    }

    /// A message is about to be handed out.
    pub(super) fn begin_handing_out(
        &self,
        delivery: &Delivery,
        to: ConnectionId,
        channel: u16,
    ) -> Option<Begun> {
        let watchers = self.watched.now();
        if watchers.have_firehose() {
            self.show_on_firehose(delivery, to, channel);
        }
        self.shown()?.begin(&delivery.message)
    }

    /// It is handed out.
    pub(super) fn handed_out(
        &self,
        begun: Option<Begun>,
        delivery: &Delivery,
        consumer: Option<&ConsumerTag>,
        tag: Option<(u16, u64)>,
    ) {
        let (Some(begun), Some(Showing(spans))) = (begun, self.shown()) else { return };
        let (trace, queue) = (begun.context.trace, self.id.0);
        let id = delivery.id.map(|id| id.0);
        let span = ids::delivered(trace, queue, delivery.position, id, spans.run);
        let parent = ids::enqueued(trace, queue, delivery.position);
        let what = What::Delivered(Delivered {
            queue: Some(self.name.clone()),
            consumer: consumer.cloned(),
            tag,
            redelivered: delivery.redelivered,
        });
        self.tell(spans, begun, (span, parent), &delivery.message, what);
    }

    /// It is handed to somebody over HTTP.
    pub(super) fn handed_out_over_http(&self, delivery: &Delivery) {
        let begun = self.shown().and_then(|shown| shown.begin(&delivery.message));
        self.handed_out(begun, delivery, None, None);
    }

    fn tell(
        &self,
        spans: &Spans,
        begun: Begun,
        (span, parent): (SpanId, SpanId),
        message: &Message,
        what: What,
    ) {
        let Some(vhost) = self.vhost() else { return };
        spans.push([Step {
            trace: begun.context.trace,
            span,
            parent: Some(parent),
            began: begun.at,
            ended: spans.now(),
            vhost: vhost.name.clone(),
            message: message.clone(),
            what,
        }]);
    }
}

impl Showing<'_> {
    /// Something happens to a message. `None`: it is not shown.
    #[inline]
    pub(super) fn begin(self, message: &Message) -> Option<Begun> {
        if message.shown() == Shown::No {
            return None;
        }
        self.look(message).map(|context| Begun { context, at: self.0.now() })
    }

    /// The context of a message that is shown. What was published tells by itself whether it is; of
    /// what comes from the disk, or from another queue, it is noted.
    fn look(self, message: &Message) -> Option<Context> {
        let context = Context::of_message(message.header());
        let shown = context.filter(|context| self.0.sampler.takes(context));
        if message.shown() == Shown::Unknown {
            message.set_shown(shown.is_some());
        }
        shown
    }

    /// A message is about to enter a queue, and is stored if it is to be.
    pub(super) fn entered(self, into: &LiveQueue, queue: &Queue, message: &Message, begun: Begun) {
        if queue.is_deleted() {
            return;
        }
        let Begun { context, .. } = begun;
        let span = ids::enqueued(context.trace, into.id.0, queue.next_position());
        // What another queue or the disk has brought is a part of what its publisher did.
        let parent = message.published_in().map_or(context.span, SpanId);
        let durable = into.durable && message.is_persistent();
        let what = What::Enqueued { queue: into.name.clone(), durable };
        into.tell(self.0, begun, (span, parent), message, what);
    }

    /// A delivery is about to be settled.
    pub(super) fn settled(self, by: &LiveQueue, queue: &Queue, id: DeliveryId, outcome: Outcome) {
        let Some((message, position)) = queue.held(id) else { return };
        let Some(begun) = self.begin(message) else { return };
        let (trace, run) = (begun.context.trace, self.0.run);
        let span = ids::settled(trace, by.id.0, position, id.0, run);
        let parent = ids::delivered(trace, by.id.0, position, Some(id.0), run);
        let how = match outcome {
            Outcome::Accept => Settled::Acked,
            Outcome::Discard => Settled::Discarded,
            Outcome::Requeue(Return::Nacked) => Settled::NackedBack,
            Outcome::Requeue(Return::Rejected) => Settled::RejectedBack,
            Outcome::Requeue(Return::Released) => Settled::Released,
        };
        let what = What::Settled { queue: by.name.clone(), how };
        by.tell(self.0, begun, (span, parent), message, what);
    }
}
