//! Steps on a message's way, as small as whoever takes them can note them.

use super::context::{SpanId, TraceId};
use crate::message::Message;
use crate::names::{ConsumerTag, QueueName, VhostName};

/// One step of a message that is shown: what becomes one span.
#[derive(Clone, Debug)]
pub struct Step {
    /// The trace.
    pub trace: TraceId,
    /// The step's own span.
    pub span: SpanId,
    /// The span that it is a part of, if there is one.
    pub parent: Option<SpanId>,
    /// When it began, in ns since 1970.
    pub began: u64,
    /// When it ended.
    pub ended: u64,
    /// Where.
    pub vhost: VhostName,
    /// The message: its names, header and size are told, when there is time for that.
    pub message: Message,
    /// What happened.
    pub what: What,
}

/// What a step is.
#[derive(Clone, Debug)]
pub enum What {
    /// It came from a publisher.
    Published {
        /// By which of the publisher's channels; 0 over HTTP.
        channel: u16,
        /// Why it was not taken, if it was not.
        refused: Option<Refused>,
    },
    /// It was looked for its queues.
    Routed {
        /// It led to a queue, or to an exchange that keeps it.
        reached: bool,
    },
    /// It entered a queue.
    Enqueued {
        /// Which one.
        queue: QueueName,
        /// It is kept over a restart.
        durable: bool,
    },
    /// It was handed out.
    Delivered(Delivered),
    /// A delivery was settled.
    Settled {
        /// By which queue it had been handed out.
        queue: QueueName,
        /// What became of it.
        how: Settled,
    },
}

/// A delivery. By default it is a reply, which goes straight to who waits for it.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// By which queue; `None`: by none, as a reply.
    pub queue: Option<QueueName>,
    /// To which consumer; `None`: to somebody who asked (basic.get).
    pub consumer: Option<ConsumerTag>,
    /// On which channel, and as which of its deliveries; `None`: a reply, or
    /// somebody over HTTP.
    pub tag: Option<(u16, u64)>,
    /// It was handed out before.
    pub redelivered: bool,
}

/// Why a publish was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its publisher may not, or there is no such exchange; with the reply's name.
    Fault(&'static str),
    /// A queue is full and refuses.
    QueueFull,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// basic.ack
    Acked,
    /// basic.nack or basic.reject without requeue.
    Discarded,
    /// basic.nack with requeue.
    NackedBack,
    /// basic.reject with requeue.
    RejectedBack,
    /// Its channel is gone, or basic.recover.
    Released,
}
