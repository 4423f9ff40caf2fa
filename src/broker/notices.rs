//! What the broker says of itself, on exchanges: events (`amq.rabbitmq.event`), and the firehose
//! (`amq.rabbitmq.trace` of vhosts that are traced).
//!
//! Whoever has something to say holds locks, so it is put in line here, and one task publishes it.
//! The line has an end: what comes faster than it can be told is not told, and that is logged.
//! While nothing is bound and nothing traced, nobody comes here: that is one look at a flag.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Broker;
use super::actor::actor;
use super::firehose::Sight;
use super::procession::Procession;
use crate::message::{Message, Parts};
use crate::names::VhostName;
use crate::topology::happenings::{EVENTS, Happening};
use crate::wire::content::{Property, header};
use crate::wire::table::{Table, TableBuilder, Value};

/// The fact that says who did it.
const ACTOR: &str = "user_who_performed_action";
/// Notices in line at most.
const MOST: usize = 65_536;
/// Bytes of bodies that they keep at most.
const MOST_BYTES: usize = 64 << 20;
/// Notices published in one go.
const BATCH: usize = 256;

/// See the module.
pub struct Notices {
    /// The vhost that has the event exchange.
    pub(super) home: VhostName,
    /// Something is bound to it.
    listened: AtomicBool,
    line: Mutex<Line>,
    bell: Notify,
}

#[derive(Default)]
struct Line {
    notices: VecDeque<Notice>,
    bytes: usize,
    /// How many found no room.
    lost: u64,
}

/// Something to be said.
pub(super) enum Notice {
    /// Something happened, at this time (ms since 1970).
    Event(Happening, u64),
    /// A message was seen passing.
    Seen(Sight),
}

impl Notices {
    pub(super) fn new(home: VhostName) -> Self {
        let (line, bell) = (Mutex::default(), Notify::new());
        Self { home, listened: AtomicBool::new(false), line, bell }
    }

    /// Whether anybody listens to events.
    #[inline]
    pub(super) fn are_listened_to(&self) -> bool {
        self.listened.load(Ordering::Relaxed)
    }

    /// Somebody listens to events from now on, or nobody does.
    pub(super) fn set_listened(&self, listened: bool) {
        self.listened.store(listened, Ordering::Relaxed);
    }

    /// Tells what happened, if anybody listens, and who did it: whoever acts now.
    pub(super) fn tell(
        &self,
        now: u64,
        key: &'static str,
        facts: impl FnOnce(TableBuilder) -> TableBuilder,
    ) {
        if self.are_listened_to() {
            self.push_event(Happening { key, facts: facts(TableBuilder::new()).build() }, now);
        }
    }

    /// The same, of what nobody did who is known.
    pub(super) fn tell_by_nobody(
        &self,
        now: u64,
        key: &'static str,
        facts: impl FnOnce(TableBuilder) -> TableBuilder,
    ) {
        if self.are_listened_to() {
            let facts = facts(TableBuilder::new()).build();
            self.push(Notice::Event(Happening { key, facts }, now));
        }
    }

    pub(super) fn push_event(&self, happening: Happening, now: u64) {
        let Happening { key, facts } = happening;
        let by = actor();
        let facts = facts.extend().with(ACTOR, Value::Text(by.as_str().as_bytes())).build();
        self.push(Notice::Event(Happening { key, facts }, now));
    }

    pub(super) fn push(&self, notice: Notice) {
        let bytes = notice.bytes();
        let mut line = self.line.lock();
        if line.notices.len() >= MOST || line.bytes + bytes > MOST_BYTES {
            line.lost += 1;
            return;
        }
        line.bytes += bytes;
        line.notices.push_back(notice);
        drop(line);
        self.bell.notify_one();
    }

    fn take(&self) -> Vec<Notice> {
        let mut line = self.line.lock();
        let lost = std::mem::take(&mut line.lost);
        let count = line.notices.len().min(BATCH);
        let batch: Vec<Notice> = line.notices.drain(..count).collect();
        line.bytes -= batch.iter().map(Notice::bytes).sum::<usize>();
        drop(line);
        if lost > 0 {
            tracing::warn!(lost, "events or traced messages came faster than they could be told");
        }
        batch
    }
}

impl Notice {
    fn bytes(&self) -> usize {
        match self {
            Self::Event(..) => 0,
            Self::Seen(sight) => sight.message.body_len(),
        }
    }
}

/// Publishes what is to be said for as long as the broker lives. `node` is what it calls itself.
pub async fn run(broker: Arc<Broker>, node: String) {
    loop {
        let notices = &broker.shared.notices;
        let batch = notices.take();
        if batch.is_empty() {
            notices.bell.notified().await;
            continue;
        }
        for notice in &batch {
            let (vhost, message) = match notice {
                Notice::Event(happening, at) => (notices.home.clone(), event(happening, *at)),
                Notice::Seen(sight) => {
                    let by = sight.connection.and_then(|id| broker.peers.get(id));
                    (sight.vhost.clone(), sight.told(by.as_deref(), &node))
                }
            };
            let Some(vhost) = broker.vhost(vhost.as_str()) else { continue };
            let mut procession = Procession::new(&vhost, None);
            procession.send(&message, &[message.routing_key()], |_| true);
            procession.arrive();
        }
        tokio::task::yield_now().await;
    }
}

/// An event's message: all it says is in its headers.
fn event(happening: &Happening, at: u64) -> Message {
    let facts = happening.facts.as_ref().without_any(&[]).extend();
    let facts = facts.with("timestamp_in_ms", Value::I64(i64::try_from(at).unwrap_or(i64::MAX)));
    let timestamp = (at / 1000).to_be_bytes();
    let headers = headers_of(&facts.build());
    let header = header(
        0,
        &[
            (Property::Headers, &headers),
            (Property::DeliveryMode, &[2]),
            (Property::Timestamp, &timestamp),
        ],
    );
    Message::from_parts(Parts {
        exchange: EVENTS.as_bytes(),
        routing_key: happening.key.as_bytes(),
        header: &header,
        body: b"",
        persistent: true,
        priority: 0,
        expires: false,
        died: false,
    })
}

/// A headers table as a property has it.
pub(super) fn headers_of(table: &Table) -> Vec<u8> {
    let bytes = table.as_ref().as_bytes();
    let len = u32::try_from(bytes.len()).expect("a table made here is small");
    [&len.to_be_bytes(), bytes].concat()
}
