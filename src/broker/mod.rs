//! Running vhosts and queues: carries out what the rules decide.
//!
//! Owns the locks of queues, vhosts and outboxes (the lock card is in `ARCHITECTURE.md`), and
//! the registries. It must not know bytes on the wire beyond encoding into an outbox, nor HTTP.

pub mod access;
pub mod actor;
pub mod after;
pub mod clock;
pub mod control;
pub mod dead_letters;
pub mod deduplication;
pub mod disk_space;
pub mod exchange_traffic;
mod firehose;
pub mod globals;
mod guests;
mod history;
mod kept;
pub mod live_queue;
pub mod memory;
pub mod moving;
pub mod notices;
pub mod outbox;
pub mod peers;
pub mod per_object;
pub mod perform;
mod permitted;
mod procession;
pub mod publish;
mod queue_ids;
pub mod reply_to;
pub mod schedule;
pub mod settle;
mod start;
mod stations;
pub mod throttle;
pub mod traffic;
pub mod transaction;
pub mod user_load;
pub mod vhost;
pub mod vhost_rules;
pub mod vhosts;
mod waits;
pub mod watched;
pub mod watermark;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};

use crate::auth::{self, Auth};
use crate::config::Config;
use crate::names::{LogPosition, QueueId, UserName, VhostName};
use crate::otlp::Spans;
use crate::queue::Window;
use crate::store::{CannotOpen, Record, Store};
use crate::topology::parameters::Globals;
use crate::topology::rows::RowChange;
use crate::wire::table::{TableBuilder, Value};
use clock::Clock;
use control::Control;
use dead_letters::DeadLetters;
use disk_space::DiskSpace;
use memory::{BufferPool, MessageMemory};
use peers::Peers;
use queue_ids::QueueIds;
use reply_to::ReplyTos;
use throttle::Throttle;
use traffic::Churn;
use user_load::UserLoads;
use vhost::Vhost;
use watermark::Watermark;

/// What every vhost and queue of one broker has in common.
pub struct Shared {
    /// Where durable things go; `None` if nothing is to be kept.
    pub store: Option<Arc<Store>>,
    /// Bytes of messages that queues hold in memory.
    pub memory: MessageMemory,
    /// Memory of the whole process.
    pub watermark: Watermark,
    /// Room on the disk that durable things go to.
    pub disk: DiskSpace,
    /// How much of a stored queue is kept in memory.
    pub window: Window,
    /// Bytes that one `x-recent-history` exchange may remember.
    pub history_bytes: usize,
    /// Milliseconds that consumers of quorum queues have if nothing else is said; 0 is for ever.
    pub consumer_timeout: u64,
    /// What time it is, and who is woken when.
    pub clock: Clock,
    /// Dead messages on their way.
    pub dead_letters: DeadLetters,
    /// When the next scheduled message is due.
    alarm: schedule::Alarm,
    /// Where it is written when scheduled messages are due.
    scratch: Arc<schedule::Nameless>,
    /// The log position of the last change of durable things.
    last_row: AtomicU64,
    queue_ids: Mutex<QueueIds>,
    /// How much has come and gone.
    pub churn: Churn,
    /// What is said of all this on exchanges.
    pub notices: notices::Notices,
    /// Where OpenTelemetry is shown messages' ways, if it is.
    pub spans: Option<Spans>,
}

/// A running broker. Several may run in one process.
pub struct Broker {
    /// What all vhosts have in common.
    pub shared: Arc<Shared>,
    /// Memory to read into. Apart from the other pool because these keep their length: a buffer
    /// that is used again need not be zeroed again.
    pub read_buffers: BufferPool,
    /// Memory for outboxes.
    pub write_buffers: Arc<BufferPool>,
    /// Who is connected.
    pub peers: Peers,
    /// Who waits for replies.
    pub reply_tos: Arc<ReplyTos>,
    /// Who may come in, and what they may do.
    pub auth: Arc<Auth>,
    /// When it was started.
    pub started: SystemTime,
    /// How much each user has open.
    pub user_loads: UserLoads,
    /// How fast each user may publish who has been here.
    user_throttles: DashMap<UserName, Arc<Throttle>>,
    /// What operators ask of it.
    pub control: Control,
    /// The settings it was started with.
    pub config: Config,
    vhosts: DashMap<VhostName, Arc<Vhost>>,
    /// Held while a vhost comes or goes, so that no two of one name meet.
    vhost_changes: Mutex<()>,
    /// What belongs to no vhost.
    globals: RwLock<Globals>,
}

impl Shared {
    /// A number that no queue had before, also not before a restart.
    pub fn next_queue_id(&self) -> QueueId {
        let (id, row) = self.queue_ids.lock().next();
        if let Some(row) = row {
            self.write_rows(&[row], &[]);
        }
        id
    }

    /// Writes what became of durable things, and of queues that go with them: all of it or
    /// nothing is there after a crash. Returns the position that makes it safe.
    pub fn write_rows(&self, rows: &[RowChange], deleted: &[QueueId]) -> LogPosition {
        let Some(store) = &self.store else { return LogPosition::default() };
        if rows.is_empty() {
            return LogPosition::default();
        }
        let records = rows.iter().map(|row| match &row.value {
            Some(value) => Record::Put { key: &row.key, value },
            None => Record::Delete { key: &row.key },
        });
        let deleted = deleted.iter().map(|queue| Record::QueueDeleted { queue: *queue });
        let position = store.append_group(records.chain(deleted));
        self.last_row.fetch_max(position.0, Ordering::Relaxed);
        position
    }

    /// What there is too little of for publishers to go on, in RabbitMQ's words.
    #[inline]
    pub fn shortage(&self) -> Option<&'static str> {
        match (self.is_low_on_memory(), self.disk.is_low()) {
            (false, false) => None,
            (true, false) => Some("low on memory"),
            (false, true) => Some("low on disk"),
            (true, true) => Some("low on memory & disk"),
        }
    }

    /// Whether messages, or the whole process, take more memory than they may.
    #[inline]
    pub fn is_low_on_memory(&self) -> bool {
        self.memory.is_full() || self.watermark.is_over()
    }

    /// Whether publishers that waited may go on.
    pub fn has_room_again(&self) -> bool {
        self.memory.has_room_again() && !self.watermark.is_over() && !self.disk.is_low()
    }

    /// Sees how much room there is on the disk.
    pub fn look_at_the_disk(&self) {
        if let Some(store) = &self.store {
            self.disk.found(store.free_space(), store.is_out_of_space());
        }
    }

    /// The position that makes everything safe that was declared so far.
    pub fn last_row(&self) -> LogPosition {
        LogPosition(self.last_row.load(Ordering::Relaxed))
    }

    /// How far the log is durable; without a log everything is as safe as it will be.
    #[inline]
    pub fn durable_position(&self) -> LogPosition {
        self.store.as_ref().map_or(LogPosition(u64::MAX), |store| store.durable_position())
    }

    /// The same, for somebody who waits for this position and has nothing else to do: if it is
    /// quick, the log is made durable here and now.
    pub fn durable_position_soon(&self, position: LogPosition) -> LogPosition {
        let durable = self.durable_position();
        match &self.store {
            Some(store) if position > durable => {
                store.commit_here();
                store.durable_position()
            }
            Some(_) | None => durable,
        }
    }
}

/// The rows of users and permissions: what a change means depends on what was there.
type KnownRows = BTreeMap<Vec<u8>, Vec<u8>>;

impl Shared {
    /// Tells what happened to those who listen to events.
    pub(super) fn tell(&self, key: &'static str, facts: impl FnOnce(TableBuilder) -> TableBuilder) {
        self.notices.tell(self.clock.now(), key, facts);
    }

    /// The same of what nobody did who is known.
    fn tell_by_nobody(&self, key: &'static str, facts: impl FnOnce(TableBuilder) -> TableBuilder) {
        self.notices.tell_by_nobody(self.clock.now(), key, facts);
    }

    fn tell_of_accounts(&self, changes: &[RowChange], known: &Mutex<KnownRows>) {
        let mut known = known.lock();
        for change in changes {
            let before = match &change.value {
                Some(value) => known.insert(change.key.clone(), value.clone()),
                None => known.remove(&change.key),
            };
            if self.notices.are_listened_to() {
                for (key, facts) in auth::happenings::told(change, before.as_deref()) {
                    self.tell(key, |_| facts.extend());
                }
            }
        }
    }

    fn alarm(&self, facts: TableBuilder) -> TableBuilder {
        let alarm: &[u8] = if self.disk.is_low() { b"disk" } else { b"memory" };
        facts.with("alarm", Value::Text(alarm))
    }

    /// A publisher is about to wait for memory.
    pub fn await_room(&self) {
        if self.memory.await_room() {
            self.tell("alarm.set", |facts| self.alarm(facts));
        }
    }

    /// Whether publishers that waited for memory are to be woken.
    pub fn take_awaited(&self) -> bool {
        let awaited = self.memory.take_awaited();
        if awaited {
            self.tell("alarm.cleared", |facts| facts);
        }
        awaited
    }
}

impl Broker {
    /// A broker with the default vhost, and with what its data directory has.
    /// `outside` are the backends that are asked besides its own accounts.
    pub fn open(config: Config, outside: &auth::Outside) -> Result<Self, CannotOpen> {
        let (store, found) = start::open_store(&config.data)?;
        let (ids, row) = QueueIds::after(found.as_ref());
        let shared = Shared {
            store,
            memory: MessageMemory::new(config.limits.message_memory_bytes()),
            watermark: Watermark::new(config.limits.memory_watermark()),
            disk: DiskSpace::new(config.limits.disk_free),
            consumer_timeout: config.limits.consumer_timeout.saturating_mul(1000),
            window: Window {
                messages: config.limits.queue_window,
                bytes: config.limits.queue_window_bytes,
            },
            history_bytes: config.limits.recent_history,
            clock: Clock::start(),
            dead_letters: DeadLetters::default(),
            alarm: schedule::Alarm::default(),
            scratch: Arc::new(schedule::Nameless(config.data.dir.clone())),
            last_row: AtomicU64::new(0),
            queue_ids: Mutex::new(ids),
            churn: Churn::default(),
            notices: notices::Notices::new(config.defaults.vhost.as_str().into()),
            spans: Spans::new(&config.opentelemetry),
        };
        shared.look_at_the_disk();
        shared.write_rows(&[row], &[]);
        let shared = Arc::new(shared);
        let rows = Arc::clone(&shared);
        let known = found.iter().flat_map(|found| found.rows.iter());
        let known = known.filter(|(key, _)| auth::rows::is_one(key));
        let known = known.map(|(key, value)| (key.clone(), value.clone())).collect();
        let known = Mutex::<KnownRows>::new(known);
        let write_rows = move |changes: &[RowChange]| {
            rows.tell_of_accounts(changes, &known);
            rows.write_rows(changes, &[])
        };
        let auth = Auth::new(config.auth.clone(), outside, &config.defaults, write_rows);
        let broker = Self {
            shared,
            read_buffers: BufferPool::new(config.limits.pooled_buffers),
            write_buffers: Arc::new(BufferPool::new(config.limits.pooled_buffers)),
            peers: Peers::default(),
            reply_tos: Arc::default(),
            auth: Arc::new(auth),
            user_loads: UserLoads::default(),
            user_throttles: DashMap::new(),
            vhosts: DashMap::new(),
            started: SystemTime::now(),
            control: Control::default(),
            vhost_changes: Mutex::new(()),
            globals: RwLock::default(),
            config,
        };
        if let Some(found) = found {
            start::restore(&broker, found);
        }
        broker.add_default_vhost();
        Ok(broker)
    }

    /// Writes down what is left to be written, and no more after that. It cannot be left to whoever
    /// drops the store last: what waits somewhere may hold on to it.
    pub async fn close(&self) {
        self.shared.dead_letters.forget();
        if let Some(store) = self.shared.store.clone() {
            let closed = tokio::task::spawn_blocking(move || store.close()).await;
            closed.unwrap_or_else(|panic| tracing::error!("the store was not closed: {panic}"));
        }
    }
}
