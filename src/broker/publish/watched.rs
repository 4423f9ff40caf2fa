//! Publishes that somebody is shown: the firehose, or OpenTelemetry.

use super::{Addressing, Publisher, Reached, next_chance, reply_address};
use crate::broker::access::Denied;
use crate::broker::firehose::{self, Passing, Sight};
use crate::broker::notices::Notice;
use crate::broker::watched::Watchers;
use crate::message::{Message, Parts};
use crate::queue::options::erlang_term;
use crate::routing::Envelope;
use crate::spans::context::{Context, SpanId, TraceId};
use crate::spans::step::{Delivered, Refused, Step, What};
use crate::topology::JustAsking;
use crate::wire::table::TableRef;

/// A publish that OpenTelemetry is shown.
struct Begun {
    trace: TraceId,
    span: SpanId,
    /// The publisher's span; `None`: the trace begins here.
    parent: Option<SpanId>,
    began: u64,
    message: Message,
}

impl Publisher {
    /// Routes a message that somebody is shown, and puts it in line for its queues.
    #[inline(never)]
    pub(super) fn publish_watched(
        &mut self,
        by: Watchers,
        message: Message,
        how: Addressing<'_>,
    ) -> Result<Reached, Denied<Message>> {
        if by.have_firehose() {
            self.show(&message, how);
        }
        if !by.have_spans() {
            return self.publish_unwatched(message, how);
        }
        let (message, begun) = self.begin_span(message, how.headers);
        let result = self.publish_unwatched(message, how);
        if let Some(begun) = begun {
            self.note_steps(begun, how.channel, &result);
        }
        result
    }

    /// Decides whether a message is shown. One that is and came without a context gets one, so
    /// that whoever gets the message can join the trace.
    fn begin_span(
        &mut self,
        message: Message,
        headers: Option<TableRef<'_>>,
    ) -> (Message, Option<Begun>) {
        let shared = self.vhost.shared();
        let Some(spans) = &shared.spans else { return (message, None) };
        let own = message.published_in().map(SpanId);
        let context = headers.and_then(Context::among);
        let shown = match context {
            Some(context) => spans.sampler.takes(&context),
            None if spans.sampler.begins_traces() => {
                self.chance = next_chance(self.chance);
                spans.sampler.takes_new(self.chance)
            }
            None => false,
        };
        if !shown {
            message.set_shown(false);
            return (message, None);
        }
        let began = spans.now();
        // One that had to be asked about comes a second time, and has its span.
        let span = own.unwrap_or_else(|| SpanId(rand::random::<u64>().max(1)));
        let (trace, parent, message) = match context {
            Some(context) => {
                let parent = Some(context.span).filter(|parent| *parent != span);
                (context.trace, parent, message)
            }
            None => {
                // What was decided by is a part of the id, so that others decide alike.
                let trace =
                    u128::from(rand::random::<u64>().max(1)) << 64 | u128::from(self.chance);
                let context = Context { trace: TraceId(trace), span, sampled: true };
                (context.trace, None, with_context(&message, context))
            }
        };
        let message = message.noting(span.0);
        let begun = Begun { trace, span, parent, began, message: message.clone() };
        (message, Some(begun))
    }

    /// Notes what became of a publish; its span ends when its queues have had their turns.
    fn note_steps(
        &mut self,
        begun: Begun,
        channel: u16,
        result: &Result<Reached, Denied<Message>>,
    ) {
        let shared = self.vhost.shared();
        let Some(spans) = &shared.spans else { return };
        let ended = spans.now();
        let Begun { trace, began, message, .. } = &begun;
        let step = |span, parent, what| {
            let (vhost, message) = (self.vhost.name.clone(), message.clone());
            Step { trace: *trace, span, parent, began: *began, ended, vhost, message, what }
        };
        let published =
            |refused| step(begun.span, begun.parent, What::Published { channel, refused });
        let part = |what| step(SpanId(rand::random::<u64>().max(1)), Some(begun.span), what);
        let reached = match result {
            Ok(reached) => *reached,
            // It comes again when it is known whether it may be published.
            Err(Denied::Unasked(..)) => return,
            Err(Denied::Refused(fault)) => {
                return spans.push([published(Some(Refused::Fault(fault.code.name())))]);
            }
        };
        let refused = (reached == Reached::NotAll).then_some(Refused::QueueFull);
        let routed = part(What::Routed { reached: reached != Reached::Nobody });
        let steps = [published(refused), routed];
        let replied = (reached == Reached::Queues && reply_address(message).is_some())
            .then(|| part(What::Delivered(Delivered::default())));
        self.steps.extend(steps.into_iter().chain(replied));
    }

    /// Queues have had their turns: so end the spans of what was published to them.
    pub(super) fn end_spans(&mut self) {
        if self.steps.is_empty() {
            return;
        }
        let shared = self.vhost.shared();
        let Some(spans) = &shared.spans else { return };
        let now = spans.now();
        spans.push(self.steps.drain(..).map(|mut step| {
            if matches!(step.what, What::Published { .. }) {
                step.ended = now;
            }
            step
        }));
    }

    /// Shows a message on the firehose that is about to be published.
    #[cold]
    fn show(&mut self, message: &Message, how: Addressing<'_>) {
        // What may not be published, or may not be yet, was not published.
        if firehose::is_shown(message) || self.permit(message, how).is_err() {
            return;
        }
        let exchange = erlang_term::text(message.exchange());
        let keys = [&[message.routing_key()][..], how.more_keys].concat();
        let (headers, properties) = (how.headers, message.header());
        let envelope = Envelope { keys: &keys, headers, properties, chance: self.chance };
        let routed =
            self.vhost.look(|topology| topology.route(&exchange, &envelope, &mut JustAsking));
        // What is refused was not published.
        let Ok(routed) = routed else { return };
        let queues = routed.queues.into_iter().filter_map(|id| self.vhost.live(id));
        let queues = queues.map(|queue| queue.name.clone()).collect();
        let more_keys = how.more_keys.iter().map(|key| (*key).into()).collect();
        self.vhost.shared().notices.push(Notice::Seen(Sight {
            vhost: self.vhost.name.clone(),
            message: message.clone(),
            connection: self.connection,
            channel: how.channel,
            what: Passing::Published { more_keys, queues },
        }));
    }
}

/// A message with a context among its headers.
fn with_context(message: &Message, context: Context) -> Message {
    Message::from_parts(Parts {
        exchange: message.exchange(),
        routing_key: message.routing_key(),
        header: &context.put_into(message.header()),
        body: message.body(),
        persistent: message.is_persistent(),
        priority: message.priority(),
        expires: message.expires(),
        died: message.has_died(),
    })
}
