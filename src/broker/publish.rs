//! Publishing: routes remembered, messages gathered so that each queue gets one turn per read.

mod watched;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::access::{Access, Denied, Right};
use super::deduplication::Firsts;
use super::exchange_traffic::{Copies, Tally, Which};
use super::live_queue::{Comes, LiveQueue};
use super::reply_to::{ADDRESS_PREFIX, ReplyTos};
use super::stations::Taps;
use super::vhost::Vhost;
use crate::auth::Principal;
use crate::message::Message;
use crate::names::{ConnectionId, LogPosition, QueueId};
use crate::protocol::fault::Fault;
use crate::queue::options::erlang_term;
use crate::routing::Envelope;
use crate::routing::Kind;
use crate::spans::step::Step;
use crate::store::Together;
use crate::topology::{JustAsking, Stations};
use crate::wire::table::TableRef;

/// How many routes one connection remembers; beyond it they are all forgotten, which costs a
/// lookup each and nothing else.
const REMEMBERED_ROUTES: usize = 4096;
/// A batch whose memory is larger is given back after its turn.
const KEPT_BATCH: usize = 64;

/// One connection's way into the queues.
pub struct Publisher {
    vhost: Arc<Vhost>,
    reply_tos: Arc<ReplyTos>,
    /// What its user may do; routes are remembered as long as that stays the same.
    pub access: Access,
    version: u64,
    /// The version of the accounts that routes are remembered of. Not `access`'s own: that takes
    /// note of a change whatever is asked, also by others than this.
    accounts_version: u64,
    /// Exchange and routing key, as two short strings → where that leads.
    routes: FxHashMap<Box<[u8]>, Route>,
    /// The route of the last message, which is usually the next one's too.
    last: Option<(Box<[u8]>, Route)>,
    targets: Vec<Target>,
    target_of: FxHashMap<QueueId, u32>,
    /// How much goes through exchanges.
    tally: Tally,
    /// Targets with messages that wait for their turn.
    filled: Vec<u32>,
    /// What turns before the last flush came to.
    position: LogPosition,
    /// What the turns until the next flush count together with.
    together: Option<Together>,
    /// Messages that wait for their turn, or had it, and were the first of their kind; few exchanges
    /// look for duplicates.
    firsts: Option<Box<Firsts>>,
    /// What is published has been permitted before, as a part of a transaction.
    permitted: bool,
    /// The last number that exchanges which go by chance were given.
    chance: u64,
    /// What OpenTelemetry will be shown of messages that wait for their turn.
    steps: Vec<Step>,
    /// Whose it is; `None`: somebody's over HTTP.
    pub connection: Option<ConnectionId>,
}

/// Where a published message got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// No queue.
    Nobody,
    /// All queues it was routed to, or an exchange that keeps it for later.
    Queues,
    /// At least one of its queues is full and refused it (`reject-publish`).
    NotAll,
}

/// Where messages with some exchange and key go.
#[derive(Clone)]
struct Route {
    /// Which of the exchanges that are counted.
    exchange: u32,
    targets: Arc<[u32]>,
}

/// What a look at the topology came to.
struct Found {
    route: Route,
    /// The next message with this exchange and key goes the same way.
    cacheable: bool,
    /// An exchange keeps it for later.
    held: bool,
}

struct Target {
    queue: Arc<LiveQueue>,
    batch: Vec<Message>,
    /// The exchange that the batch's last messages come from …
    exchange: u32,
    /// … and how many of the batch were there before those.
    before: usize,
    /// What each exchange brings here.
    flows: Vec<Flow>,
}

/// From an exchange to a queue.
struct Flow {
    exchange: u32,
    /// Messages that wait for their turn, besides the batch's last ones.
    waiting: u64,
    /// Where they are counted.
    copies: Arc<Copies>,
}

/// What a message's headers say about its way.
#[derive(Clone, Copy, Default)]
pub struct Addressing<'a> {
    /// For headers exchanges.
    pub headers: Option<TableRef<'a>>,
    /// CC and BCC: further routing keys.
    pub more_keys: &'a [&'a [u8]],
    /// The channel that it came by.
    pub channel: u16,
}

impl Publisher {
    /// A way into the queues of a vhost.
    pub fn new(vhost: Arc<Vhost>, reply_tos: Arc<ReplyTos>, access: Access) -> Self {
        let version = vhost.version();
        let accounts_version = access.version();
        Self {
            vhost,
            reply_tos,
            access,
            version,
            accounts_version,
            routes: FxHashMap::default(),
            last: None,
            targets: Vec::new(),
            target_of: FxHashMap::default(),
            tally: Tally::default(),
            filled: Vec::new(),
            position: LogPosition::default(),
            together: None,
            firsts: None,
            permitted: false,
            chance: rand::random(),
            steps: Vec::new(),
            connection: None,
        }
    }

    /// What is published from now until [`Self::commit`] counts only together, and was checked
    /// before ([`Self::check`]). Nothing may wait for its turn.
    pub fn begin(&mut self, together: Option<Together>) {
        debug_assert!(self.is_empty(), "what came before is not a part of it");
        self.together = together;
        self.permitted = true;
    }

    /// Gives every queue with waiting messages its turn, and everything since [`Self::begin`]
    /// counts. Returns the log position that makes it safe.
    pub fn commit(&mut self) -> LogPosition {
        let position = self.flush();
        self.permitted = false;
        let Some(together) = self.together.take() else { return position };
        let safe_at = together.commit();
        self.firsts.take().map_or(safe_at, |firsts| firsts.settle(safe_at))
    }

    /// What is being published counts together with this.
    pub fn together(&self) -> Option<&Together> {
        self.together.as_ref()
    }

    /// Routes a message and puts it in line for its queues. If it has to be asked whether it may
    /// be published, it comes back.
    #[inline]
    pub fn publish(
        &mut self,
        message: Message,
        how: Addressing<'_>,
    ) -> Result<Reached, Denied<Message>> {
        if self.vhost.version() != self.version || !self.access.is_still(self.accounts_version) {
            self.forget_routes();
        }
        let watchers = self.vhost.watched.now();
        if !watchers.is_nobody() {
            return self.publish_watched(watchers, message, how);
        }
        self.publish_unwatched(message, how)
    }

    #[inline]
    fn publish_unwatched(
        &mut self,
        message: Message,
        how: Addressing<'_>,
    ) -> Result<Reached, Denied<Message>> {
        if how.more_keys.is_empty()
            && let Some((names, route)) = &self.last
            && **names == *message.names()
        {
            let route = route.clone();
            return Ok(self.push(message, &route));
        }
        self.publish_elsewhere(message, how)
    }

    fn publish_elsewhere(
        &mut self,
        message: Message,
        how: Addressing<'_>,
    ) -> Result<Reached, Denied<Message>> {
        if how.more_keys.is_empty()
            && let Some(route) = self.routes.get(message.names())
        {
            let route = route.clone();
            self.last = Some((message.names().into(), route.clone()));
            return Ok(self.push(message, &route));
        }
        if let Err(denied) = self.permit(&message, how) {
            return Err(denied.with(message));
        }
        if let Some(address) = reply_address(&message) {
            self.tally.went_past();
            let taken = self.reply_tos.deliver(address, &message);
            return Ok(if taken { Reached::Queues } else { Reached::Nobody });
        }
        let vhost = Arc::clone(&self.vhost);
        let (together, mut firsts) = (self.together.take(), self.firsts.take());
        let others = firsts.as_ref().map_or(0, |firsts| firsts.len());
        let taps = Taps::new(&vhost, &message, how.headers, together.as_ref());
        let mut taps = taps.looking_for_duplicates(&mut firsts);
        let found = self.find(&message, how, &mut taps);
        self.position = self.position.max(taps.safe_at);
        (self.together, self.firsts) = (together, firsts);
        let Found { route, cacheable, held } = found?;
        if cacheable {
            if self.routes.len() >= REMEMBERED_ROUTES {
                self.routes.clear();
            }
            self.routes.insert(message.names().into(), route.clone());
        }
        let reached = match self.push(message, &route) {
            // A place to wait is as good as a queue.
            Reached::Nobody if held => Reached::Queues,
            reached @ (Reached::Nobody | Reached::Queues | Reached::NotAll) => reached,
        };
        // What was not taken by all that it was routed to may come again.
        if let Some(firsts) = self.firsts.as_mut().filter(|_| reached != Reached::Queues) {
            firsts.forget_behind(others);
        }
        Ok(reached)
    }

    /// Whether a message may be published to its exchange, without publishing it (for tx).
    pub fn check(&mut self, message: &Message, how: Addressing<'_>) -> Result<(), Denied> {
        self.permit(message, how)?;
        if reply_address(message).is_none() {
            self.find(message, how, &mut JustAsking)?;
        }
        Ok(())
    }

    /// Whether the user may publish a message.
    fn permit(&mut self, message: &Message, how: Addressing<'_>) -> Result<(), Denied> {
        if self.permitted {
            return Ok(());
        }
        let exchange = erlang_term::text(message.exchange());
        self.access.check_publish(&exchange)?;
        if self.access.has_topic_permissions()
            && self.vhost.look(|topology| topology.kind_of(&exchange)) == Some(Kind::Topic)
        {
            for key in [message.routing_key()].iter().chain(how.more_keys) {
                self.access.check_topic(Right::Write, &exchange, &erlang_term::text(key))?;
            }
        }
        Ok(())
    }

    fn find(
        &mut self,
        message: &Message,
        how: Addressing<'_>,
        stations: &mut dyn Stations,
    ) -> Result<Found, Fault> {
        let exchange = erlang_term::text(message.exchange());
        let mut keys = vec![message.routing_key()];
        keys.extend_from_slice(how.more_keys);
        self.chance = next_chance(self.chance);
        let (headers, properties) = (how.headers, message.header());
        let envelope = Envelope { keys: &keys, headers, properties, chance: self.chance };
        let (routed, which) = self.vhost.look(|topology| {
            let routed = topology.route(&exchange, &envelope, stations)?;
            Ok::<_, Fault>((routed, topology.exchange_id(&exchange)))
        })?;
        let exchange = self.tally.exchange(which, &self.vhost.exchange_traffic);
        let targets = routed.queues.into_iter().filter_map(|id| self.target(id, exchange));
        let targets = targets.collect::<Vec<u32>>().into();
        let route = Route { exchange, targets };
        Ok(Found { route, cacheable: routed.cacheable, held: routed.held })
    }

    #[inline]
    fn push(&mut self, message: Message, route: &Route) -> Reached {
        self.tally.count(route.exchange);
        let Some((&last, others)) = route.targets.split_last() else { return Reached::Nobody };
        if !others.is_empty() {
            message.fan_out();
        }
        let mut all = true;
        for &target in others {
            all &= self.push_to(target, route.exchange, message.clone());
        }
        all &= self.push_to(last, route.exchange, message);
        if all { Reached::Queues } else { Reached::NotAll }
    }

    #[inline]
    fn push_to(&mut self, which: u32, exchange: u32, message: Message) -> bool {
        let target = &mut self.targets[which as usize];
        if target.exchange != exchange {
            target.turn_to(exchange);
        }
        if target.queue.may_refuse() {
            return self.offer_to(which, message);
        }
        if target.batch.is_empty() {
            self.filled.push(which);
        }
        target.batch.push(message);
        true
    }

    /// A queue that may refuse is asked at once, after what waits for it.
    #[cold]
    fn offer_to(&mut self, which: u32, message: Message) -> bool {
        let target = &mut self.targets[which as usize];
        target.count(1);
        let Target { queue, batch, .. } = target;
        self.position =
            self.position.max(queue.publish(Comes::Published, batch, self.together.as_ref()));
        let offered = queue.offer(Comes::Published, message, self.together.as_ref());
        self.position = self.position.max(offered.unwrap_or_default());
        offered.is_ok()
    }

    /// What its user may do was asked some time ago, and is asked again from now on.
    pub fn forget_answers(&mut self) {
        self.access.forget_answers();
        self.accounts_version = u64::MAX;
    }

    /// Its user has a new secret, which may say something else.
    pub fn renew(&mut self, principal: Arc<Principal>) {
        self.access.renew(principal);
        self.accounts_version = u64::MAX;
    }

    /// Gives every queue with waiting messages its turn. Returns the log position that makes
    /// them all safe.
    pub fn flush(&mut self) -> LogPosition {
        self.give_turns();
        self.tally.settle();
        self.end_spans();
        if let Some(firsts) = &mut self.firsts {
            self.position = self.position.max(firsts.store(self.together.as_ref()));
        }
        // What counts only together is safe when that is.
        if let Some(firsts) = self.firsts.take_if(|_| self.together.is_none()) {
            self.position = firsts.settle(self.position);
        }
        std::mem::take(&mut self.position)
    }

    fn give_turns(&mut self) {
        for target in self.filled.drain(..) {
            let target = &mut self.targets[target as usize];
            target.count(0);
            let Target { queue, batch, .. } = target;
            self.position =
                self.position.max(queue.publish(Comes::Published, batch, self.together.as_ref()));
            if batch.capacity() > KEPT_BATCH {
                *batch = Vec::new();
            }
        }
    }

    /// Whether no message waits for its turn, or to be asked about.
    #[inline]
    pub fn is_empty(&self) -> bool {
        let idle = self.filled.is_empty() && self.firsts.is_none();
        idle && self.position == LogPosition::default() && self.steps.is_empty()
    }

    /// The exchange that the last message was published to.
    #[inline]
    pub fn exchange(&self) -> Which {
        self.tally.which()
    }

    /// A queue that an exchange leads to.
    fn target(&mut self, id: QueueId, exchange: u32) -> Option<u32> {
        let known = self.target_of.get(&id).copied();
        let target = match known {
            Some(target) => target,
            None => {
                let queue = self.vhost.live(id)?;
                let target = u32::try_from(self.targets.len()).expect("fewer than 4 G queues");
                self.targets.push(Target::new(queue, exchange));
                self.target_of.insert(id, target);
                target
            }
        };
        let flows = &mut self.targets[target as usize].flows;
        if flows.iter().all(|flow| flow.exchange != exchange) {
            let copies = self.tally.copies(exchange, id);
            flows.push(Flow { exchange, waiting: 0, copies });
        }
        Some(target)
    }

    /// The topology changed, or what users may do. What waits was routed before the change and is
    /// delivered first.
    #[cold]
    fn forget_routes(&mut self) {
        self.give_turns();
        self.version = self.vhost.version();
        self.access.refresh();
        self.accounts_version = self.access.version();
        self.last = None;
        self.routes.clear();
        self.targets.clear();
        self.target_of.clear();
        self.tally.forget();
    }
}

impl Target {
    fn new(queue: Arc<LiveQueue>, exchange: u32) -> Self {
        Self { queue, batch: Vec::new(), exchange, before: 0, flows: Vec::new() }
    }

    /// The next message comes from another exchange than the last one.
    fn turn_to(&mut self, exchange: u32) {
        self.note_the_last_ones();
        self.exchange = exchange;
    }

    fn note_the_last_ones(&mut self) {
        let count = self.batch.len() - self.before;
        self.before = self.batch.len();
        if let Some(flow) = self.flows.iter_mut().find(|flow| flow.exchange == self.exchange) {
            flow.waiting += count as u64;
        }
    }

    /// Counts what waits, which is about to get its turn, and so many more of the last exchange.
    fn count(&mut self, more: u64) {
        self.note_the_last_ones();
        self.before = 0;
        for flow in &mut self.flows {
            let more = if flow.exchange == self.exchange { more } else { 0 };
            if flow.waiting + more > 0 {
                flow.copies.add(std::mem::take(&mut flow.waiting) + more);
            }
        }
    }
}

/// The next of a row of numbers without a pattern that matters here (xorshift64).
fn next_chance(mut number: u64) -> u64 {
    number |= u64::from(number == 0);
    number ^= number << 13;
    number ^= number >> 7;
    number ^ (number << 17)
}

fn reply_address(message: &Message) -> Option<&str> {
    let key = message.routing_key();
    let direct = message.exchange().is_empty() && key.starts_with(ADDRESS_PREFIX.as_bytes());
    if direct { std::str::from_utf8(key).ok() } else { None }
}
