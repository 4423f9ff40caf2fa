//! What a running queue tells of itself, and what is taken from it without a consumer.

use std::sync::Arc;

use super::{LiveQueue, Rest};
use crate::names::{ConnectionId, ConsumerTag};
use crate::queue::consumers::{ConsumerKey, Subscription};
use crate::queue::options::QueueKind;
use crate::queue::{Command, Counters, Delivery, Outcome, Volume};
use crate::wire::table::Table;

/// How many messages and consumers a queue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that wait.
    pub ready: usize,
    /// Messages handed out and not settled.
    pub unacked: usize,
    /// Messages that came back and wait to be tried again.
    pub delayed: usize,
    /// Consumers.
    pub consumers: usize,
    /// Bytes of all bodies it holds.
    pub body_bytes: u64,
    /// Bytes of the bodies that are unacked.
    pub unacked_bytes: u64,
    /// Bytes of the bodies in memory.
    pub bytes_in_memory: u64,
    /// Messages in memory.
    pub in_memory: usize,
    /// What of it is persistent: it survives a restart.
    pub lasting: Volume,
    /// What it has counted.
    pub counters: Counters,
    /// What kind of queue it is.
    pub kind: QueueKind,
    /// Nothing is handed out.
    pub paused: bool,
    /// Messages that repeated one, and were left out.
    pub duplicates: u64,
}

/// One consumer of a queue.
#[derive(Clone, Debug)]
pub struct ConsumerReport {
    /// Whose it is.
    pub connection: ConnectionId,
    /// Its channel.
    pub channel: u16,
    /// What it is called there.
    pub tag: ConsumerTag,
    /// Deliveries are to be acknowledged.
    pub ack_required: bool,
    /// It wants to be the only one.
    pub exclusive: bool,
    /// How much it may have unacked; 0 is no limit.
    pub prefetch: u32,
    /// How much it has unacked.
    pub unacked: u32,
    /// What it was asked for with.
    pub arguments: Table,
}

/// What a queue costs that holds nothing (measured).
const EMPTY_QUEUE: u64 = 600;
/// What a message in memory costs beside its bytes.
const MESSAGE: u64 = 64;

impl Counts {
    /// Bytes of memory that the queue takes.
    pub fn memory(&self) -> u64 {
        self.bytes_in_memory + MESSAGE * self.in_memory as u64 + EMPTY_QUEUE
    }
}

impl LiveQueue {
    /// How many messages and consumers it has.
    pub fn counts(&self) -> Counts {
        let core = self.core.lock();
        Counts {
            ready: core.queue.ready(),
            unacked: core.queue.unacked(),
            delayed: core.queue.delayed(),
            consumers: core.queue.consumers().len(),
            body_bytes: core.queue.body_bytes(),
            unacked_bytes: core.queue.unacked_bytes(),
            bytes_in_memory: core.queue.bytes_in_memory(),
            in_memory: core.queue.messages_in_memory(),
            lasting: if self.durable { core.queue.lasting() } else { Volume::default() },
            counters: core.queue.counters(),
            kind: core.queue.settings().map(|settings| settings.kind).unwrap_or_default(),
            paused: core.queue.is_paused(),
            duplicates: self.duplicates(),
        }
    }

    /// Its consumers.
    pub fn consumer_reports(&self) -> Vec<ConsumerReport> {
        let core = self.core.lock();
        let report = |(key, subscription, unacked): (ConsumerKey, Subscription, u32)| {
            let outlet = core.outlets.get(key.slot as usize)?.as_ref()?;
            Some(ConsumerReport {
                connection: outlet.outbox.connection,
                channel: outlet.channel,
                tag: outlet.tag.clone(),
                ack_required: !subscription.no_ack,
                exclusive: subscription.exclusive,
                prefetch: subscription.prefetch.unwrap_or(0),
                unacked,
                arguments: outlet.arguments.clone(),
            })
        };
        core.queue.consumers().iter().filter_map(report).collect()
    }

    /// Takes up to `most` messages as basic.get does, each with how many are left behind it, and
    /// settles all of them alike. Reads from disk if it has to.
    pub fn take(self: &Arc<Self>, most: usize, outcome: Outcome) -> Vec<(Delivery, usize)> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(one) = self.take_one()
        {
            taken.push(one);
        }
        let ids = taken.iter().filter_map(|(delivery, _)| delivery.id);
        self.turn(ids.map(|id| Command::Settle(id, outcome)));
        taken
    }

    fn take_one(self: &Arc<Self>) -> Option<(Delivery, usize)> {
        self.fetch_first_if_needed();
        let mut guard = self.core.lock();
        let core = &mut *guard;
        let before = core.queue.bytes_in_memory();
        let delivery = core.queue.fetch(false, &mut core.effects);
        if let Some(delivery) = &delivery {
            self.handed_out_over_http(delivery);
        }
        self.shared.memory.changed(before, core.queue.bytes_in_memory());
        let mut rest = Rest::default();
        self.carry_out(core, &mut rest, None);
        let left = core.queue.ready();
        drop(guard);
        self.finish(&rest);
        delivery.map(|delivery| (delivery, left))
    }
}
