//! A running vhost: its topology, and the queues that exist in it.
//!
//! Changes of the topology are made one after the other under `changes` (lock rank 0), which is
//! held over the whole of a declare or delete, so that nobody sees a queue that is half there.
//! The topology itself (rank 1) is locked only for looking things up and for the change itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};

use super::Shared;
use super::deduplication::Guards;
use super::exchange_traffic::ExchangeTraffic;
use super::guests::Guests;
use super::history::Histories;
use super::live_queue::{Found, LiveQueue, NewQueue};
use super::schedule::Schedules;
use super::throttle::Throttle;
use super::traffic::{MessageStats, Sizes};
use super::watched::Watched;
use crate::names::{ConnectionId, LogPosition, QueueId, VhostName};
use crate::protocol::fault::Fault;
use crate::queue::options::{Declaration, QueueOptions};
use crate::queue::{Command, Undeletable};
use crate::topology::rows::Row;
use crate::topology::{ExchangeId, Topology};

/// A running vhost.
pub struct Vhost {
    /// Its name.
    pub name: VhostName,
    shared: Arc<Shared>,
    /// Who is connected to it.
    pub(super) guests: Guests,
    pub(super) changes: Mutex<()>,
    pub(super) topology: RwLock<Topology>,
    /// The topology's version, to be looked at without its lock.
    version: AtomicU64,
    /// Who is shown what passes through it.
    pub(super) watched: Arc<Watched>,
    queues: DashMap<QueueId, Arc<LiveQueue>>,
    /// What exchanges remember.
    pub(super) histories: Histories,
    /// Messages that wait at exchanges until they are due.
    pub(super) schedules: Schedules,
    /// What tells duplicates at exchanges that look for them.
    pub(super) guards: Guards<ExchangeId>,
    /// What tells duplicates at queues that look for them.
    pub(super) queue_guards: Guards<QueueId>,
    /// What went through exchanges.
    pub exchange_traffic: ExchangeTraffic,
    /// How fast may be published here.
    pub throttle: Throttle,
    /// What connections that are gone have counted here.
    gone: Mutex<GoneTraffic>,
}

/// What connections that are gone have counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct GoneTraffic {
    /// Messages.
    pub messages: MessageStats,
    /// How large they were that were published.
    pub sizes: Sizes,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
}

impl Vhost {
    /// A vhost with nothing but the predeclared exchanges.
    pub fn new(name: VhostName, shared: Arc<Shared>) -> Self {
        let mut topology = Topology::new(name.clone());
        if name == shared.notices.home {
            topology.add_event_exchange();
        }
        let version = AtomicU64::new(topology.version());
        let watched = Arc::new(Watched::by(shared.spans.is_some()));
        Self {
            name,
            shared,
            guests: Guests::default(),
            changes: Mutex::new(()),
            topology: RwLock::new(topology),
            version,
            watched,
            queues: DashMap::new(),
            histories: Histories::default(),
            schedules: Schedules::default(),
            guards: Guards::default(),
            exchange_traffic: ExchangeTraffic::default(),
            throttle: Throttle::default(),
            queue_guards: Guards::default(),
            gone: Mutex::default(),
        }
    }

    /// Changes whenever a message could go another way than before.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Looks something up.
    pub fn look<R>(&self, look: impl FnOnce(&Topology) -> R) -> R {
        look(&self.topology.read())
    }

    /// Changes exchanges or bindings. Returns the log position that makes the change safe.
    pub fn change(
        &self,
        change: impl FnOnce(&mut Topology) -> Result<(), Fault>,
    ) -> Result<LogPosition, Fault> {
        let (result, position, newcomers) = {
            let _changes = self.changes.lock();
            self.check_alive()?;
            let (result, position) =
                self.change_locked(None, |topology| (change(topology), topology.take_newcomers()));
            let (result, newcomers) = result;
            (result, position, newcomers)
        };
        let caught_up = newcomers.into_iter().map(|(from, to)| self.catch_up(from, to));
        let position = caught_up.fold(position, LogPosition::max);
        result.map(|()| position)
    }

    fn check_alive(&self) -> Result<(), Fault> {
        let ended = self.look(Topology::is_ended);
        if ended { Err(Fault::vhost_down(&self.name)) } else { Ok(()) }
    }

    pub(super) fn change_locked<R>(
        &self,
        deleted: Option<QueueId>,
        change: impl FnOnce(&mut Topology) -> R,
    ) -> (R, LogPosition) {
        let mut topology = self.topology.write();
        topology.watch(self.shared.notices.are_listened_to());
        let result = change(&mut topology);
        self.take_note(&mut topology);
        self.version.store(topology.version(), Ordering::Release);
        self.histories.keep(|exchange| topology.has_exchange(exchange));
        self.schedules.keep(|exchange| topology.has_exchange(exchange));
        self.guards.keep(|exchange| topology.has_exchange(exchange));
        self.queue_guards.keep(|queue| topology.declaration(queue).is_some());
        // Written in the order in which they were made.
        let position = self.shared.write_rows(&topology.take_changes(), deleted.as_slice());
        (result, position)
    }

    /// Tells what happened, and notes who wants to hear more.
    fn take_note(&self, topology: &mut Topology) {
        self.tell_happenings(topology);
        let notices = &self.shared.notices;
        if self.name == notices.home {
            notices.set_listened(topology.has_listeners());
        }
        self.watched.set_firehose(topology.properties().tracing);
    }

    pub(super) fn tell_happenings(&self, topology: &mut Topology) {
        for happening in topology.take_happenings() {
            self.shared.notices.push_event(happening, self.shared.clock.now());
        }
    }

    /// Takes a row of the catalogue back, at start.
    pub fn restore(&self, row: Row) {
        let mut topology = self.topology.write();
        topology.restore(row);
        self.take_note(&mut topology);
        self.version.store(topology.version(), Ordering::Release);
        self.throttle.set(&topology.properties().limits, Instant::now());
    }

    /// What all vhosts have in common.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Takes a queue back, at start; [`Self::restore`] has taken its declaration.
    pub fn restore_queue(
        self: &Arc<Self>,
        id: QueueId,
        declaration: &Declaration,
        found: Found,
        waits: BTreeMap<u64, u64>,
    ) {
        // It was accepted once; should the rules have become stricter, it goes without.
        if let Err(why) = QueueOptions::parse(declaration) {
            tracing::error!(queue = %declaration.name, "its arguments are ignored: {why}");
        }
        let settings = self.look(|topology| topology.settings(declaration));
        let new = NewQueue::of(id, declaration, settings, found).waiting(waits);
        let queue = Arc::new(LiveQueue::new(new, self, &self.shared));
        queue.get_to_know();
        queue.wake();
        self.queues.insert(id, queue);
    }

    /// The running queue of a number.
    pub fn live(&self, id: QueueId) -> Option<Arc<LiveQueue>> {
        self.queues.get(&id).map(|queue| Arc::clone(&queue))
    }

    /// The queue of a name, if this connection may use it.
    pub fn queue_for(&self, name: &str, by: ConnectionId) -> Result<Arc<LiveQueue>, Fault> {
        let id = self.look(|topology| topology.queue_for(name, by))?;
        self.live(id).ok_or_else(|| Fault::no_queue(name, &self.name))
    }

    /// Declares a queue, or finds it declared the same way. Returns the log position that makes
    /// that safe.
    pub fn declare_queue(
        self: &Arc<Self>,
        wanted: Declaration,
    ) -> Result<(Arc<LiveQueue>, LogPosition), Fault> {
        if wanted.name.as_str().starts_with("amq.") && !wanted.declared.server_named {
            return Err(Fault::reserved_name("queue", &wanted.name));
        }
        self.shared.churn.queues_declared.count();
        let _changes = self.changes.lock();
        self.check_alive()?;
        if let Some(existing) = self.look(|topology| topology.redeclare_queue(&wanted)) {
            let queue = self.live(existing?);
            let queue = queue.ok_or_else(|| Fault::no_queue(&wanted.name, &self.name))?;
            queue.touch();
            // Whoever declared it may still wait for the log; who finds it waits as well.
            return Ok((queue, self.shared.last_row()));
        }
        QueueOptions::parse(&wanted).map_err(Fault::precondition)?;
        let settings = self.look(|topology| {
            topology.check_queue_limit(wanted.name.as_str())?;
            Ok(topology.settings(&wanted))
        })?;
        self.shared.churn.queues_created.count();
        let id = self.shared.next_queue_id();
        let new = NewQueue::of(id, &wanted, settings, Found::default());
        let queue = Arc::new(LiveQueue::new(new, self, &self.shared));
        queue.wake();
        self.guard_queue(&queue, &wanted);
        self.queues.insert(id, Arc::clone(&queue));
        let ((), position) = self.change_locked(None, |topology| topology.add_queue(id, wanted));
        Ok((queue, position))
    }

    /// Deletes a queue. Returns how many ready messages went with it, and the log position that
    /// makes that safe.
    pub fn delete_queue(
        &self,
        queue: &LiveQueue,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<(usize, LogPosition), Undeletable> {
        let _changes = self.changes.lock();
        let count = queue.delete(if_unused, if_empty)?;
        self.shared.churn.queues_deleted.count();
        self.queues.remove(&queue.id);
        let ((), position) =
            self.change_locked(Some(queue.id), |topology| topology.remove_queue(queue.id));
        Ok((count, position))
    }

    /// From now on a queue hands nothing out, or it does again. Returns the log position that
    /// makes that safe.
    pub fn pause_queue(&self, queue: &Arc<LiveQueue>, paused: bool) -> LogPosition {
        let _changes = self.changes.lock();
        let change = |topology: &mut Topology| topology.pause_queue(queue.id, paused);
        let ((), position) = self.change_locked(None, change);
        queue.turn([Command::Pause(paused)]);
        position
    }

    /// Takes back, at start, that a queue is paused.
    pub(super) fn restore_paused(&self, queue: &str) {
        let id = self.look(|topology| topology.queue(queue));
        if let Some(queue) = id.and_then(|id| self.live(id)) {
            queue.turn([Command::Pause(true)]);
        }
    }

    /// Deletes an auto-delete queue, unless somebody consumes from it again.
    pub fn delete_unused(&self, queue: &LiveQueue) {
        // In use again: then it is not unused, and will say so when it is.
        let _ = self.delete_queue(queue, true, false);
    }

    /// Deletes a queue that idles, unless somebody uses it again.
    pub fn delete_idle(&self, queue: &LiveQueue) {
        if queue.idles() && self.delete_queue(queue, true, false).is_ok() {
            tracing::info!(queue = %queue.name, "queue expired: nobody used it");
        }
    }

    /// A connection is gone: so are its exclusive queues.
    pub fn connection_gone(&self, owner: ConnectionId) {
        self.guests.leave(owner);
        let owned = self.look(|topology| topology.queues_of(owner));
        for queue in owned.into_iter().filter_map(|id| self.live(id)) {
            // An unconditional delete is not refused.
            let _ = self.delete_queue(&queue, false, false);
        }
    }

    /// Keeps what a connection has counted that is gone.
    pub fn keep_stats(&self, counted: &GoneTraffic) {
        let mut gone = self.gone.lock();
        gone.messages.add(&counted.messages);
        gone.sizes.add(&counted.sizes);
        gone.received_bytes += counted.received_bytes;
        gone.sent_bytes += counted.sent_bytes;
    }

    /// What connections that are gone have counted.
    pub fn gone_stats(&self) -> GoneTraffic {
        *self.gone.lock()
    }

    /// All queues by name, and how they were declared.
    pub fn live_queues(&self) -> Vec<(Declaration, Arc<LiveQueue>)> {
        let declared: Vec<(QueueId, Declaration)> = self.look(|topology| {
            topology.declarations().map(|(id, each)| (id, each.clone())).collect()
        });
        let live = |(id, declaration)| Some((declaration, self.live(id)?));
        declared.into_iter().filter_map(live).collect()
    }

    /// Looks at every queue, in no order.
    pub fn each_queue(&self, mut look: impl FnMut(&LiveQueue)) {
        for queue in &self.queues {
            look(&queue);
        }
    }

    /// Forgets how much went through exchanges and into queues that are gone.
    pub fn tidy_exchange_traffic(&self) {
        let topology = self.topology.read();
        let (exchange, queue) =
            (|id| topology.has_exchange(id), |id| topology.declaration(id).is_some());
        self.exchange_traffic.keep(exchange, queue);
    }

    /// Takes the running queue of a number away: the vhost is ending.
    pub(super) fn take_queue(&self, id: QueueId) -> Option<Arc<LiveQueue>> {
        self.queues.remove(&id).map(|(_, queue)| queue)
    }

    /// How many queues there are.
    pub fn queue_count(&self) -> usize {
        self.queues.len()
    }
}
