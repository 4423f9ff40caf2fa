//! What only queues have that were asked for more than to hold messages: time, limits, deaths.
//!
//! A plain queue has none of this and pays one branch for it.

use std::collections::{BTreeMap, VecDeque};

use super::Queue;
use super::due::{Dues, NEVER, Swept, Timed};
use super::moving::Lifted;
use super::ready::Entry;
use super::settings::Settings;
use super::timeouts::Timeouts;
use super::vocabulary::{Dead, Death, Departure, Effect, Return, Unread};
use super::volume::Volume;
use crate::message::Message;
use crate::queue::options::Overflow;
use crate::wire::content::{Property, property};

/// Messages swept in one turn, so that others get theirs.
const SWEEP: usize = 4096;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) settings: Settings,
    /// The time of this turn.
    pub(super) now: u64,
    pub(super) dues: Dues,
    /// Published in this turn, and gone with its end unless somebody takes them now.
    at_once: Vec<Timed>,
    /// Dead messages that wait to be taken.
    pub(super) dead: VecDeque<Dead>,
    /// Dead messages that have to be read first.
    pub(super) unread: VecDeque<Unread>,
    /// Positions of dead messages that are not buried, with the bytes of their bodies.
    pub(super) dying: BTreeMap<u64, u64>,
    pub(super) dying_bytes: u64,
    /// Messages that came back and wait to be tried again, by when that is.
    pub(super) delayed: BTreeMap<(u64, u64), Entry>,
    pub(super) delayed_bytes: u64,
    /// After a restart: positions of messages that wait, and until when, if they are still there.
    pub(super) waits: BTreeMap<u64, u64>,
    /// Messages that are being moved elsewhere.
    pub(super) lifted: Lifted,
    pub(super) timeouts: Timeouts,
    /// When the queue was used last.
    idle_since: Option<u64>,
    /// Nothing is handed out.
    paused: bool,
    /// It was said that the queue idles; it is said once.
    told_idle: bool,
    /// After a restart: messages from here to there are on disk and not known yet.
    pub(super) unknown: Option<Unknown>,
}

/// What is known of messages that are only on disk, beside how many they are.
#[derive(Clone, Copy)]
struct OnDisk {
    bytes: u64,
    lasting: Volume,
}

impl OnDisk {
    fn one(bytes: u64, lasting: bool) -> Self {
        Self { bytes, lasting: Volume::if_lasting(lasting, bytes) }
    }
}

/// Positions of which it is not known what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) from: u64,
    pub(super) end: u64,
}

impl Queue {
    pub(super) fn rules_mut(&mut self) -> &mut Rules {
        self.rules.get_or_insert_with(Box::default)
    }

    /// What it goes by; `None`: nothing was said.
    pub fn settings(&self) -> Option<&Settings> {
        self.rules.as_ref().map(|rules| &rules.settings)
    }

    /// Whether a turn starts with [`Command::Tick`](super::Command::Tick).
    #[inline]
    pub fn needs_clock(&self) -> bool {
        self.rules.is_some()
    }

    pub(super) fn configure(&mut self, settings: Settings) {
        if self.rules.is_none() && settings.is_plain() {
            return;
        }
        self.ready.tell_priorities_apart(settings.max_priority.unwrap_or(0));
        self.consumers.only_one_is_active(settings.single_active);
        let rules = self.rules_mut();
        rules.settings = settings;
        if let Some(timeout) = rules.timeout(None) {
            rules.timeouts.applies(timeout);
        }
    }

    /// When something is due that needs a turn, in ms since 1970.
    pub fn next_due(&self) -> Option<u64> {
        let rules = self.rules.as_deref().filter(|_| !self.deleted)?;
        let idle = rules.settings.expires.filter(|_| self.consumers.is_empty() && !rules.told_idle);
        let idle =
            idle.map(|expires| rules.idle_since.unwrap_or(rules.now).saturating_add(expires));
        let delayed = rules.delayed.first_key_value().map(|((due, _), _)| *due);
        let dues = rules.dues.next().into_iter().chain(rules.timeouts.next());
        dues.chain(delayed).chain(idle).min()
    }

    /// When a message published now would expire.
    #[inline]
    pub fn due_of(&self, message: &Message) -> u64 {
        if self.rules.is_none() { NEVER } else { self.due_by_rules(message) }
    }

    fn due_by_rules(&self, message: &Message) -> u64 {
        let Some(rules) = &self.rules else { return NEVER };
        let own = if message.expires() { expiration(message) } else { None };
        let ttl = rules.settings.message_ttl;
        let Some(ttl) = own.into_iter().chain(ttl).min() else { return NEVER };
        // Behind what has been swept, for what is due there counts as gone. And even a lifetime
        // of zero lasts until the end of this turn: whoever waits gets the message (RabbitMQ).
        rules.now.saturating_add(ttl.max(1)).max(rules.dues.swept() + 1)
    }

    /// Notes when a published message is due.
    pub(super) fn is_due(&mut self, message: Timed, own: bool) {
        if message.due == NEVER {
            return;
        }
        let rules = self.rules_mut();
        let in_order = !own && rules.unknown.is_none();
        rules.dues.add(message, in_order);
        if message.due <= rules.now + 1 {
            rules.at_once.push(message);
        }
        let live = self.ready.len() + self.unacked.len();
        let (rules, ready) = (self.rules.as_mut().expect("made above"), &self.ready);
        rules.dues.tidy(live, |position| ready.may_have(position));
    }

    pub(super) fn tick(&mut self, now: u64, effects: &mut Vec<Effect>) {
        if self.deleted {
            return;
        }
        let rules = self.rules_mut();
        rules.now = rules.now.max(now);
        rules.idle_since.get_or_insert(now);
        self.sweep(effects);
        self.try_again(effects);
        self.time_out(effects);
        let rules = self.rules_mut();
        let since = rules.idle_since.unwrap_or(now);
        let expires = rules.settings.expires;
        let idle = expires.is_some_and(|expires| since.saturating_add(expires) <= now);
        if idle
            && self.consumers.is_empty()
            && !std::mem::replace(&mut self.rules_mut().told_idle, true)
        {
            effects.push(Effect::Idle);
        }
    }

    /// Whether nobody has used the queue for as long as it may idle.
    pub fn idles(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.told_idle)
    }

    /// Somebody uses the queue.
    pub(super) fn touch(&mut self) {
        if let Some(rules) = &mut self.rules {
            rules.idle_since = Some(rules.now);
            rules.told_idle = false;
        }
    }

    fn sweep(&mut self, effects: &mut Vec<Effect>) {
        let Some(rules) = &mut self.rules else { return };
        let mut swept = Vec::new();
        rules.dues.sweep(rules.now, SWEEP, |each| swept.push(each));
        for each in swept {
            match each {
                Swept::One { position, len, away, lasting, step } => {
                    let on_disk = away.then(|| OnDisk::one(len, lasting));
                    self.expire(position, on_disk, step, effects);
                }
                Swept::Run { first, last, away, away_bytes, away_lasting, step } => {
                    while let Some(entry) = self.ready.take_between(first, last) {
                        self.dies(entry, Death::Expired, effects);
                    }
                    let first = first.max(self.ready.on_disk().from);
                    if away > 0 && first <= last {
                        let unread = Unread { first, last, step, count: away };
                        let on_disk = OnDisk { bytes: away_bytes, lasting: away_lasting };
                        self.expire_away(unread, on_disk, effects);
                    }
                }
            }
        }
    }

    /// A message is due: it dies if it still waits. `on_disk`: it was only there, and is unless it
    /// has arrived meanwhile.
    fn expire(
        &mut self,
        position: u64,
        on_disk: Option<OnDisk>,
        step: u64,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(entry) = self.ready.take(position) {
            self.dies(entry, Death::Expired, effects);
        } else if let Some(on_disk) = on_disk
            && self.ready.is_away(position)
            && !self.was_lifted_from_disk(position)
        {
            let unread = Unread { first: position, last: position, step, count: 1 };
            self.expire_away(unread, on_disk, effects);
        }
    }

    /// Messages die that are only on disk.
    fn expire_away(&mut self, which: Unread, on_disk: OnDisk, effects: &mut Vec<Effect>) {
        let OnDisk { bytes, lasting } = on_disk;
        let count = which.count;
        self.ready.leaves_disk(usize::try_from(count).unwrap_or(usize::MAX), bytes, lasting);
        self.counters.expired += count;
        if self.dead_letters() {
            let rules = self.rules_mut();
            rules.unread.push_back(which);
            return;
        }
        let Unread { first, last, .. } = which;
        self.gone_but(first, last, Departure::Expired, effects);
    }

    /// Tells that all between two positions left but those that were taken.
    pub(super) fn gone_but(
        &self,
        first: u64,
        last: u64,
        why: Departure,
        effects: &mut Vec<Effect>,
    ) {
        let mut next = first;
        let mut tell = |first: u64, end: u64| {
            if first < end {
                effects.push(Effect::Gone { first, count: end - first, why });
            }
        };
        if first < last {
            for held in self.held_positions() {
                if (next..=last).contains(&held) {
                    tell(next, held);
                    next = held + 1;
                }
            }
        }
        tell(next, last + 1);
    }

    /// Positions of all messages that are here and not ready, in order.
    fn held_positions(&self) -> Vec<u64> {
        let unacked = self.unacked.iter().map(|(_, held)| held.entry.position);
        let mut held: Vec<u64> = unacked.collect();
        if let Some(rules) = &self.rules {
            held.extend(rules.dying.keys());
            held.extend(rules.delayed.keys().map(|(_, position)| *position));
            held.extend(rules.lifted.positions());
            held.extend(rules.unread.iter().flat_map(|unread| unread.first..=unread.last));
        }
        held.sort_unstable();
        held
    }

    /// Whether a message would make the queue longer than it may be, where such are refused.
    #[inline]
    pub fn would_refuse(&self, message: &Message) -> bool {
        let Some(rules) = &self.rules else { return false };
        rules.settings.overflow != Overflow::DropHead
            && rules.is_over(self.ready.len() as u64 + 1, || {
                self.ready.body_bytes() + message.body_len() as u64
            })
    }

    pub(super) fn refuse(&mut self, message: Message) {
        if self.deleted {
            return;
        }
        self.counters.refused += 1;
        let rules = self.rules_mut();
        let dead_letters = rules.settings.dead_letter.is_some();
        if dead_letters && rules.settings.overflow == Overflow::RejectPublishDlx {
            rules.dead.push_back(Dead { position: None, death: Death::MaxLength, message });
        }
    }

    /// Ends a turn, after all who could have taken messages: what could not wait any longer goes,
    /// and what is too much.
    #[inline]
    pub fn keep_limits(&mut self, effects: &mut Vec<Effect>) {
        if self.rules.is_some() {
            self.keep_limits_by_rules(effects);
        }
    }

    fn keep_limits_by_rules(&mut self, effects: &mut Vec<Effect>) {
        for each in std::mem::take(&mut self.rules_mut().at_once) {
            if let Some(entry) = self.ready.take(each.position) {
                self.dies(entry, Death::Expired, effects);
            }
        }
        loop {
            let Some(rules) = &self.rules else { return };
            if rules.settings.overflow != Overflow::DropHead
                || !rules.is_over(self.ready.len() as u64, || self.ready.body_bytes())
            {
                return;
            }
            // What is only on disk goes once it is read.
            let Some(entry) = self.ready.pop() else { return };
            self.dies(entry, Death::MaxLength, effects);
        }
    }

    /// The first message goes if its time is over. Returns whether anybody may have the next one.
    #[inline]
    pub(super) fn hands_out(&mut self, effects: &mut Vec<Effect>) -> bool {
        let Some(rules) = &self.rules else { return true };
        if rules.paused {
            return false;
        }
        let now = rules.now;
        while self.ready.first_due().is_some_and(|due| due <= now)
            && let Some(entry) = self.ready.pop()
        {
            self.dies(entry, Death::Expired, effects);
        }
        true
    }

    pub(super) fn pause(&mut self, paused: bool) {
        if self.is_paused() != paused && !self.deleted {
            self.rules_mut().paused = paused;
        }
    }

    /// Whether nothing is handed out.
    pub fn is_paused(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.paused)
    }

    /// Whether a message failed more often than it may.
    fn is_worn_out(&self, entry: &Entry) -> bool {
        let limit = self.rules.as_ref().and_then(|rules| rules.settings.delivery_limit);
        limit.is_some_and(|limit| entry.deliveries.failed() > limit)
    }

    /// Puts a message back, unless it came back too often or its time is over.
    pub(super) fn put_back_by_rules(
        &mut self,
        entry: Entry,
        why: Return,
        effects: &mut Vec<Effect>,
    ) {
        if self.is_worn_out(&entry) {
            return self.dies(entry, Death::DeliveryLimit, effects);
        }
        let Some(rules) = &mut self.rules else { return self.ready.put_back(entry) };
        if let Some(retry) = rules.settings.retry.filter(|retry| retry.covers(why)) {
            return self.delay(entry, retry, effects);
        }
        self.ready_again(entry, effects);
    }

    pub(super) fn ready_again(&mut self, entry: Entry, effects: &mut Vec<Effect>) {
        let Some(rules) = &mut self.rules else { return self.ready.put_back(entry) };
        if entry.due <= rules.now {
            return self.dies(entry, Death::Expired, effects);
        }
        if entry.due != NEVER {
            rules.dues.again(Timed::of(&entry, false));
        }
        self.ready.put_anywhere(entry);
    }

    /// After a restart: nothing is known yet of what is on disk. What is due, or of a higher
    /// priority, has to be looked for and told with [`Command::Discovered`](super::Command::Discovered).
    pub fn knows_nothing_of_its_messages(&mut self) {
        let end = self.next_position;
        self.rules_mut().unknown = Some(Unknown { from: 0, end });
    }

    /// From where on what is on disk is not known; `None`: all is.
    pub fn unknown_from(&self) -> Option<u64> {
        Some(self.rules.as_ref()?.unknown?.from)
    }

    pub(super) fn discovered(&mut self, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
        let Some(Unknown { from, end }) = self.rules.as_ref().and_then(|rules| rules.unknown)
        else {
            return;
        };
        let last = entries.last().map(|entry| entry.position);
        for entry in entries {
            let inside = (from..end).contains(&entry.position);
            let was_lifted = self.was_lifted_from_disk(entry.position);
            if inside && self.ready.is_away(entry.position) && !was_lifted {
                self.discover(entry, effects);
            }
        }
        let from = last.map_or(end, |last| last + 1);
        self.rules_mut().unknown = (from < end).then_some(Unknown { from, end });
        if from >= end {
            self.forget_waits(effects);
        }
        self.sweep(effects);
    }

    fn discover(&mut self, entry: Entry, effects: &mut Vec<Effect>) {
        let Some(entry) = self.goes_on_waiting(entry, effects) else { return };
        let away = self.ready.level(&entry.message) == 0;
        let timed = Timed::of(&entry, away);
        let Timed { position, due, len, lasting, .. } = timed;
        if due != NEVER {
            let rules = self.rules_mut();
            if away && rules.dues.is_swept(due) {
                let step = super::due::step(due);
                let unread = Unread { first: position, last: position, step, count: 1 };
                return self.expire_away(unread, OnDisk::one(len, lasting), effects);
            }
            let in_order = rules.settings.message_ttl.is_some();
            rules.dues.add(timed, in_order);
        }
        if !away {
            self.ready.arrived_early(entry);
        }
    }

    /// Bytes in memory of what is neither ready nor unacked.
    #[inline]
    pub(super) fn bytes_apart(&self) -> u64 {
        self.rules
            .as_ref()
            .map_or(0, |rules| rules.dying_bytes + rules.delayed_bytes + rules.lifted.bytes())
    }

    fn was_lifted_from_disk(&self, position: u64) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.lifted.has_passed(position))
    }

    /// Whether a message that is on disk, where ready ones are, is none of those: it is in memory,
    /// or dead.
    pub(super) fn stands_apart(&self, entry: &Entry) -> bool {
        let Some(rules) = &self.rules else { return false };
        let known = rules.unknown.is_none_or(|unknown| !unknown.contains(entry.position));
        let lifted = rules.lifted.has_passed(entry.position);
        lifted || known && (self.ready.level(&entry.message) > 0 || rules.dues.is_swept(entry.due))
    }

    /// Takes in what was read from disk.
    pub(super) fn arrive(&mut self, entry: Entry, effects: &mut Vec<Effect>) {
        let position = entry.position;
        if !self.ready.is_away(position) {
            return;
        }
        if self.stands_apart(&entry) {
            return self.ready.pass(position);
        }
        let Some(entry) = self.goes_on_waiting(entry, effects) else {
            return self.ready.pass(position);
        };
        // It came back once too often, and a crash came before it could be dead-lettered.
        if self.is_worn_out(&entry) {
            self.ready.pass(position);
            self.ready.one_leaves_disk(&entry.message);
            return self.dies(entry, Death::DeliveryLimit, effects);
        }
        if let Some(rules) = &mut self.rules {
            let apart = self.ready.level(&entry.message) > 0;
            if entry.due != NEVER && !apart {
                rules.dues.arrived(Timed::of(&entry, true));
            }
        }
        self.ready.arrived(entry);
    }
}

impl Rules {
    /// What waits is forgotten. What is dead goes on its way.
    pub(super) fn forget_ready(&mut self) {
        self.dues.clear();
        self.at_once.clear();
        self.unknown = None;
        self.lifted.forget_passed();
    }

    /// What must hold: dead messages are known by their positions.
    pub(super) fn validate(&self) {
        self.dues.validate();
        self.lifted.validate();
        assert_eq!(self.dying.values().sum::<u64>(), self.dying_bytes);
        let delayed = self.delayed.values().map(|entry| entry.message.body_len() as u64);
        assert_eq!(delayed.sum::<u64>(), self.delayed_bytes);
        let known = |dead: &Dead| dead.position.is_none_or(|each| self.dying.contains_key(&each));
        assert!(self.dead.iter().all(known), "what waits to be buried is dying");
    }

    fn is_over(&self, count: u64, bytes: impl FnOnce() -> u64) -> bool {
        self.settings.max_length.is_some_and(|most| count > most)
            || self.settings.max_length_bytes.is_some_and(|most| bytes() > most)
    }
}

impl Unknown {
    pub(super) fn contains(&self, position: u64) -> bool {
        (self.from..self.end).contains(&position)
    }
}

/// A message's own time to live in ms: its publisher's word, checked when it was published.
fn expiration(message: &Message) -> Option<u64> {
    let text = property(message.header(), Property::Expiration)?;
    std::str::from_utf8(text).ok()?.trim_start_matches('+').parse().ok()
}
