//! What each channel of a peer has outstanding: its ledger, its consumers, and where its
//! deliveries come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Closed, Returned, Source, Stalled, State};
use crate::broker::live_queue::LiveQueue;
use crate::broker::peers::ChannelRecord;
use crate::broker::traffic::HandedOut;
use crate::names::{ConsumerTag, DeliveryId};
use crate::protocol::deliveries::{Deliveries, Outstanding};
use crate::protocol::fault::Fault;
use crate::queue::Delivery;

/// What a channel has outstanding.
#[derive(Default)]
pub(super) struct ChannelState {
    record: Arc<ChannelRecord>,
    pub(super) deliveries: Deliveries<Source>,
    /// The queues that deliveries come from, by source number.
    sources: Vec<Option<SourceState>>,
    pub(super) consumers: BTreeMap<ConsumerTag, Stalled>,
    /// Consumers that were refused because the whole channel has a limit (qos global).
    pub(super) limited: Vec<Stalled>,
    /// What came from no queue (direct replies) is counted here.
    no_queue: Option<Arc<HandedOut>>,
}

struct SourceState {
    queue: Arc<LiveQueue>,
    /// Consumers and outstanding deliveries that refer to it.
    users: usize,
    /// What comes from it is counted here.
    counted: Arc<HandedOut>,
}

/// How a message gets to a channel.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// To a consumer.
    Delivered,
    /// By basic.get.
    Fetched,
}

impl State {
    /// channel.open
    pub fn open_channel(&mut self, record: Arc<ChannelRecord>) {
        let number = record.number;
        let channel = ChannelState { record, ..ChannelState::default() };
        self.channels.insert(number, Box::new(channel));
    }

    /// What a channel has: consumers, and deliveries that are not settled.
    pub fn channel_counts(&mut self, number: u16) -> (usize, usize) {
        self.channel(number)
            .map_or((0, 0), |channel| (channel.consumers.len(), channel.deliveries.len()))
    }

    /// The queues that a channel consumes from, one for each of its consumers.
    pub fn queues_consumed_by(&mut self, number: u16) -> Vec<Arc<LiveQueue>> {
        let Some(channel) = self.channel(number) else { return Vec::new() };
        channel.consumers.values().map(|consumer| Arc::clone(&consumer.queue)).collect()
    }

    /// All consumers: their channel, their name, and where they consume.
    pub fn consumers(&self) -> Vec<(u16, ConsumerTag, Arc<LiveQueue>)> {
        let mut all = Vec::new();
        for (number, channel) in &self.channels {
            let consumers = channel.consumers.iter();
            all.extend(
                consumers.map(|(tag, each)| (*number, tag.clone(), Arc::clone(&each.queue))),
            );
        }
        all
    }

    /// basic.get found nothing.
    pub fn fetched_nothing(&mut self, number: u16, queue: &LiveQueue) {
        if let Some(channel) = self.channel(number) {
            channel.record.traffic.handed_out.of(queue.id).out.fetched_nothing.add(1);
        }
    }

    /// A transaction acknowledges a delivery, whose source may be none any more.
    pub fn acknowledged(&mut self, number: u16, queue: &LiveQueue) {
        if let Some(channel) = self.channel(number) {
            channel.record.traffic.handed_out.of(queue.id).settled.acked.add(1);
        }
    }

    /// The channel is gone. Returns what it leaves behind.
    pub fn close_channel(&mut self, number: u16) -> Closed {
        let Some(mut channel) = self.channels.remove(&number) else { return Closed::default() };
        let mut outstanding = Vec::with_capacity(channel.deliveries.len());
        let sources = &channel.sources;
        channel.deliveries.take_all(|_, each| {
            outstanding.push((Arc::clone(&source_of(sources, each.source).queue), each.id));
        });
        let consumers = std::mem::take(&mut channel.consumers).into_values().collect();
        Closed { consumers, outstanding }
    }

    /// Registers a queue as a source of deliveries.
    pub fn add_source(&mut self, number: u16, queue: &Arc<LiveQueue>) -> Option<Source> {
        Some(self.channel(number)?.add_source(queue))
    }

    /// A source has one user less: a consumer, or the basic.get that found nothing.
    pub fn release_source(&mut self, number: u16, source: Source) {
        if let Some(channel) = self.channel(number) {
            channel.release_source(source);
        }
    }

    /// Whether the channel has a consumer of this name.
    pub fn has_consumer(&mut self, number: u16, tag: &str) -> bool {
        self.channel(number).is_some_and(|channel| channel.consumers.contains_key(tag))
    }

    /// A consumer was added.
    pub fn add_consumer(&mut self, number: u16, tag: ConsumerTag, consumer: Stalled) {
        if let Some(channel) = self.channel(number) {
            channel.consumers.insert(tag, consumer);
        }
    }

    /// A consumer was cancelled by its client.
    pub fn remove_consumer(&mut self, number: u16, tag: &str) -> Option<Stalled> {
        let channel = self.channel(number)?;
        let consumer = channel.consumers.remove(tag)?;
        if let Some(source) = channel.source_of(&consumer.queue) {
            channel.release_source(source);
        }
        Some(consumer)
    }

    /// Sets what the whole channel may have outstanding (0: no limit). Returns consumers that
    /// may take more now.
    pub fn limit_channel(&mut self, number: u16, limit: u16) -> Vec<Stalled> {
        let Some(channel) = self.channel(number) else { return Vec::new() };
        channel.deliveries.set_limit(limit);
        std::mem::take(&mut channel.limited)
    }

    /// Takes out what a client settles; `each` gets every delivery with its tag, and says whether
    /// it counts as acknowledged. Returns consumers that may take more now.
    #[inline]
    pub fn settle(
        &mut self,
        number: u16,
        tag: u64,
        multiple: bool,
        mut each: impl FnMut(u64, &Arc<LiveQueue>, Outstanding<Source>) -> bool,
    ) -> Result<Vec<Stalled>, Fault> {
        let Some(channel) = self.channel(number) else { return Ok(Vec::new()) };
        let sources = &mut channel.sources;
        channel.deliveries.settle(tag, multiple, |tag, outstanding| {
            let source = source_of(sources, outstanding.source);
            let acknowledged = each(tag, &source.queue, outstanding);
            source.counted.settled.acked.add(acknowledged.into());
            release(sources, outstanding.source);
        })?;
        Ok(channel.take_limited())
    }

    /// Puts a delivery back that a rolled back transaction had settled.
    pub fn restore(&mut self, number: u16, tag: u64, queue: &Arc<LiveQueue>, id: DeliveryId) {
        if let Some(channel) = self.channel(number) {
            let source = channel.add_source(queue);
            channel.deliveries.restore(tag, Outstanding { source, id });
        }
    }

    /// Everything outstanding on a channel, to be requeued (basic.recover).
    pub fn take_outstanding(&mut self, number: u16) -> Vec<Returned> {
        let mut all = Vec::new();
        if let Some(channel) = self.channel(number) {
            let sources = &mut channel.sources;
            channel.deliveries.take_all(|_, outstanding| {
                all.push((
                    Arc::clone(&source_of(sources, outstanding.source).queue),
                    outstanding.id,
                ));
                release(sources, outstanding.source);
            });
        }
        all
    }
}

impl ChannelState {
    /// Gives a delivery its tag, and counts it by how it came.
    #[inline]
    pub(super) fn hand_out(&mut self, source: Source, delivery: &Delivery, how: How) -> u64 {
        let counted = match self.sources.get_mut(source as usize) {
            Some(Some(state)) => {
                state.users += usize::from(delivery.id.is_some());
                &state.counted.out
            }
            Some(None) | None => {
                &self.no_queue.get_or_insert_with(|| self.record.traffic.handed_out.of_none()).out
            }
        };
        let kind = match (how, delivery.id.is_some()) {
            (How::Delivered, true) => &counted.delivered,
            (How::Delivered, false) => &counted.delivered_no_ack,
            (How::Fetched, true) => &counted.fetched,
            (How::Fetched, false) => &counted.fetched_no_ack,
        };
        kind.add(1);
        counted.redelivered.add(delivery.redelivered.into());
        self.deliveries.hand_out(source, delivery.id)
    }

    fn add_source(&mut self, queue: &Arc<LiveQueue>) -> Source {
        let free = || self.sources.iter().position(Option::is_none);
        let at = self.source_of(queue).map(|source| source as usize).or_else(free);
        let at = at.unwrap_or_else(|| {
            self.sources.push(None);
            self.sources.len() - 1
        });
        let new = || SourceState {
            queue: Arc::clone(queue),
            users: 0,
            counted: self.record.traffic.handed_out.of(queue.id),
        };
        self.sources[at].get_or_insert_with(new).users += 1;
        u32::try_from(at).expect("fewer than 4 G sources on a channel")
    }

    fn source_of(&self, queue: &Arc<LiveQueue>) -> Option<Source> {
        let is_it = |source: &SourceState| Arc::ptr_eq(&source.queue, queue);
        let at = self.sources.iter().position(|source| source.as_ref().is_some_and(is_it))?;
        u32::try_from(at).ok()
    }

    pub(super) fn release_source(&mut self, source: Source) {
        release(&mut self.sources, source);
    }

    #[inline]
    fn take_limited(&mut self) -> Vec<Stalled> {
        if self.limited.is_empty() { Vec::new() } else { std::mem::take(&mut self.limited) }
    }
}

#[inline]
fn source_of(sources: &[Option<SourceState>], source: Source) -> &SourceState {
    sources[source as usize].as_ref().expect("an outstanding delivery keeps its source")
}

#[inline]
fn release(sources: &mut [Option<SourceState>], source: Source) {
    let slot = &mut sources[source as usize];
    if let Some(state) = slot {
        state.users -= 1;
        if state.users == 0 {
            *slot = None;
        }
    }
}
