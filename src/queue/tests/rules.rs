//! Queues with rules (time, limits, deaths, priorities) against a naive model.

use super::*;
use crate::message::Parts;
use crate::queue::due::GRAIN;
use crate::queue::options::{DeadLetterStrategy, Overflow};
use crate::queue::peek::{Peeked, Standing};
use crate::queue::settings::{DeadLetter, Settings};
use crate::wire::content::{Property, Replacement, header, replace};

impl Queue {
    fn position_of(&self, id: DeliveryId) -> u64 {
        self.unacked.get(id.0).expect("held").entry.position
    }
}

/// A message that lives for so long.
fn mortal(expiration: Option<u64>, priority: u8) -> Message {
    let text = expiration.map(|ms| ms.to_string());
    let with =
        text.as_ref().map_or(Replacement::Nothing, |text| Replacement::Text(text.as_bytes()));
    Message::from_parts(Parts {
        exchange: b"",
        routing_key: b"q",
        header: &replace(&header(4, &[]), Property::Expiration, with),
        body: b"body",
        persistent: (expiration.unwrap_or(0) + u64::from(priority)) % 3 != 1,
        priority,
        expires: expiration.is_some(),
        died: false,
    })
}

/// What of some messages is persistent.
fn lasting<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Volume {
    let mut lasting = Volume::default();
    entries.into_iter().for_each(|entry| lasting.add(Volume::lasting(&entry.message)));
    lasting
}

#[test]
fn what_had_failed_too_often_before_a_crash_dies_when_it_is_read() {
    let away = Away { from: 0, count: 2, body_bytes: 8, ..Away::default() };
    let mut queue = Queue::stored(ROOMY, away, 2);
    let mut effects = Vec::new();
    let settings = Settings { delivery_limit: Some(1), ..Settings::default() };
    queue.apply(Command::Configure(Box::new(settings)), &mut effects);
    queue.refill(&mut effects);
    let failed = |position, times| {
        let entry = stored(position, mortal(None, 0));
        let deliveries = (0..times).fold(entry.deliveries, |before, _| before.again(true));
        Entry { deliveries, ..entry }
    };
    let entries = vec![failed(0, 2), failed(1, 1)];
    queue.apply(Command::Fetched { round: 0, entries }, &mut effects);
    assert_eq!((queue.ready(), queue.counters().exhausted), (1, 1));
    assert!(queue.fetch(true, &mut effects).is_some());
    let gone = |first, why| Effect::Gone { first, count: 1, why };
    let expected = [gone(0, Death::DeliveryLimit.departure()), gone(1, Departure::Acknowledged)];
    assert_eq!(effects[1..], expected);
}

#[test]
fn time_that_goes_back_makes_nothing_live_longer() {
    let (mut queue, mut effects) = (Queue::in_memory(), Vec::new());
    let settings = Settings { message_ttl: Some(1000), ..Settings::default() };
    queue.apply(Command::Configure(Box::new(settings)), &mut effects);
    queue.apply(Command::Tick(10_000), &mut effects);
    queue.apply(Command::Publish(mortal(None, 0)), &mut effects);
    for (now, ready) in [(5_000, 1), (10_900, 1), (0, 1), (11_000 + GRAIN, 0), (3_000, 0)] {
        queue.apply(Command::Tick(now), &mut effects);
        assert_eq!(queue.ready(), ready, "at {now}");
    }
    // What comes while the clock is behind lives as long as it should, by the time that was.
    queue.apply(Command::Publish(mortal(None, 0)), &mut effects);
    queue.apply(Command::Tick(11_900), &mut effects);
    assert_eq!(queue.ready(), 1);
    queue.apply(Command::Tick(12_000 + 2 * GRAIN), &mut effects);
    assert_eq!(queue.ready(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Publish {
        expiration: Option<u64>,
        priority: u8,
    },
    Wait(u64),
    Fetch {
        no_ack: bool,
    },
    Settle(usize, Outcome),
    Purge,
    /// The disk answers a fetch with so many messages.
    Answer(usize),
    /// Dead messages are read and buried, so many.
    Bury(usize),
    /// Ready messages are taken to be moved, from a position on.
    Lift {
        from: u64,
        most: usize,
    },
    /// What was taken to be moved has arrived elsewhere, or stays.
    Land {
        elsewhere: bool,
    },
    Configure(Settings),
    /// The broker is killed and comes back.
    Restart,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Accept),
        Just(Outcome::Discard),
        Just(Outcome::Requeue(Return::Nacked)),
        Just(Outcome::Requeue(Return::Rejected)),
    ]
}

fn settings(max_priority: Option<u8>) -> impl Strategy<Value = Settings> {
    let overflow = prop_oneof![Just(Overflow::DropHead), Just(Overflow::RejectPublish)];
    (
        proptest::option::of(0u64..200),
        proptest::option::of(0u64..8),
        overflow,
        any::<bool>(),
        proptest::option::of(0u64..4),
    )
        .prop_map(move |(message_ttl, max_length, overflow, dead_letters, delivery_limit)| {
            Settings {
                message_ttl,
                max_length,
                overflow,
                max_priority,
                delivery_limit,
                dead_letter: dead_letters.then(|| DeadLetter {
                    exchange: "dlx".into(),
                    routing_key: None,
                    strategy: DeadLetterStrategy::AtMostOnce,
                }),
                ..Settings::default()
            }
        })
}

fn step(max_priority: Option<u8>) -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (proptest::option::of(0u64..300), 0u8..5)
            .prop_map(|(expiration, priority)| Step::Publish { expiration, priority }),
        6 => (0u64..100).prop_map(Step::Wait),
        3 => any::<bool>().prop_map(|no_ack| Step::Fetch { no_ack }),
        4 => (any::<usize>(), outcome()).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        1 => Just(Step::Purge),
        4 => (1usize..6).prop_map(Step::Answer),
        3 => (1usize..4).prop_map(Step::Bury),
        2 => (0u64..40, 1usize..4).prop_map(|(from, most)| Step::Lift { from, most }),
        3 => any::<bool>().prop_map(|elsewhere| Step::Land { elsewhere }),
        1 => settings(max_priority).prop_map(Step::Configure),
        1 => Just(Step::Restart),
    ]
}

/// A queue with a small window, a disk that keeps what it is told, and what of it is ready.
struct Play {
    queue: Queue,
    settings: Settings,
    now: u64,
    disk: BTreeMap<u64, Entry>,
    asked: Option<(u64, u64)>,
    held: Vec<(DeliveryId, u64)>,
    lifted: Vec<u64>,
    /// What has been moved may still be read from the disk for a while.
    ghosts: BTreeMap<u64, Entry>,
    /// Positions on the disk that are ready as far as the model knows; it knows nothing of time.
    ready: std::collections::BTreeSet<u64>,
}

const WINDOW: Window = Window { messages: 3, bytes: 1000 };

impl Play {
    fn new(settings: Settings) -> Self {
        let mut queue = Queue::stored(WINDOW, Away::default(), 0);
        queue.apply(Command::Configure(Box::new(settings.clone())), &mut Vec::new());
        let (disk, held, ready) = (BTreeMap::new(), Vec::new(), Default::default());
        let (lifted, ghosts) = (Vec::new(), BTreeMap::new());
        Self { queue, settings, now: 1000, disk, asked: None, held, lifted, ghosts, ready }
    }

    fn level(&self, position: u64) -> u8 {
        let max = self.settings.max_priority.unwrap_or(0);
        self.disk[&position].message.priority().min(max)
    }

    /// Whose turn it is, of those whose time is not over.
    fn first(&self) -> Option<u64> {
        let waits = self.ready.iter().filter(|position| self.disk[position].due > self.now);
        waits.copied().min_by_key(|position| (u8::MAX - self.level(*position), *position))
    }

    fn step(&mut self, step: &Step) {
        let mut effects = Vec::new();
        if let Step::Wait(ms) = step {
            self.now += ms;
        }
        self.queue.apply(Command::Tick(self.now), &mut effects);
        self.carry_out(&mut effects);
        self.forget_the_dead();
        match step {
            Step::Wait(_) => {}
            Step::Publish { expiration, priority } => {
                self.publish(mortal(*expiration, *priority), &mut effects);
            }
            Step::Fetch { no_ack } => self.fetch(*no_ack, &mut effects),
            Step::Settle(which, outcome) => self.settle(*which, *outcome, &mut effects),
            Step::Purge => {
                self.queue.purge(&mut effects);
                self.ready.clear();
            }
            Step::Answer(most) => {
                if let Some((round, from)) = self.asked.take() {
                    let mut there = self.disk.clone();
                    there.extend(self.ghosts.clone());
                    let entries = there.range(from..).take(*most);
                    let entries = entries.map(|(_, entry)| entry.clone()).collect();
                    self.queue.apply(Command::Fetched { round, entries }, &mut effects);
                }
            }
            Step::Bury(most) => self.bury(*most, &mut effects),
            Step::Lift { from, most } => self.lift(*from, *most),
            Step::Land { elsewhere } => self.land(*elsewhere, &mut effects),
            Step::Configure(settings) => {
                self.settings = settings.clone();
                let command = Command::Configure(Box::new(settings.clone()));
                self.queue.apply(command, &mut effects);
            }
            Step::Restart => self.restart(),
        }
        self.queue.keep_limits(&mut effects);
        self.queue.refill(&mut effects);
        self.carry_out(&mut effects);
        self.forget_the_dead();
        self.check();
    }

    fn publish(&mut self, message: Message, effects: &mut Vec<Effect>) {
        if self.queue.would_refuse(&message) {
            let most = self.settings.max_length.expect("it has a limit");
            assert!(self.queue.ready() as u64 >= most, "refused although there is room");
            return self.queue.apply(Command::Refuse(message), effects);
        }
        let (position, due) = (self.queue.next_position(), self.queue.due_of(&message));
        let deliveries = Deliveries::default();
        self.disk.insert(position, Entry { position, deliveries, due, message: message.clone() });
        self.ready.insert(position);
        self.queue.apply(Command::Publish(message), effects);
    }

    fn fetch(&mut self, no_ack: bool, effects: &mut Vec<Effect>) {
        let (before, first) = (self.queue.must_fetch_first(), self.first());
        let Some(delivery) = self.queue.fetch(no_ack, effects) else {
            assert!(before || first.is_none_or(|first| self.queue.must_fetch_first() || first > 0));
            return;
        };
        // What is known only on disk after a restart may be of a higher priority.
        if self.queue.unknown_from().is_none() {
            let first = first.expect("what is handed out was ready");
            let got =
                if no_ack { first } else { self.queue.position_of(delivery.id.expect("held")) };
            assert_eq!(got, first, "the first in order is handed out");
            self.ready.remove(&first);
        } else if let Some(id) = delivery.id {
            self.ready.remove(&self.queue.position_of(id));
        }
        if let Some(id) = delivery.id {
            self.held.push((id, self.queue.position_of(id)));
        }
    }

    fn settle(&mut self, which: usize, outcome: Outcome, effects: &mut Vec<Effect>) {
        if self.held.is_empty() {
            return;
        }
        let (id, position) = self.held.swap_remove(which % self.held.len());
        if matches!(outcome, Outcome::Requeue(_)) {
            self.ready.insert(position);
        }
        self.queue.apply(Command::Settle(id, outcome), effects);
    }

    fn lift(&mut self, from: u64, most: usize) {
        let mut seen = self.queue.peek(from..u64::MAX, most);
        let there = self.disk.values().filter(|entry| self.queue.is_only_on_disk(entry));
        seen.extend(there.map(|entry| Peeked::of(entry, Standing::Ready)));
        seen.retain(|each| each.position >= from);
        for each in seen.iter().take(most) {
            let ready = self.ready.contains(&each.position);
            if self.queue.lift(each) {
                assert!(ready && each.standing == Standing::Ready, "only what is ready is lifted");
                self.ready.remove(&each.position);
                self.lifted.push(each.position);
            }
        }
    }

    fn land(&mut self, elsewhere: bool, effects: &mut Vec<Effect>) {
        let lifted = std::mem::take(&mut self.lifted);
        if elsewhere {
            let ghost = |position: &u64| Some((*position, self.disk.get(position)?.clone()));
            self.ghosts.extend(lifted.iter().filter_map(ghost));
            self.queue.apply(Command::Moved(lifted), effects);
        } else {
            self.ready.extend(&lifted);
            self.queue.apply(Command::Stays(lifted), effects);
        }
    }

    fn bury(&mut self, most: usize, effects: &mut Vec<Effect>) {
        if let Some(unread) = self.queue.unread_dead() {
            let entries = self.disk.range(unread.first..).take(most);
            let entries: Vec<Entry> = entries.map(|(_, entry)| entry.clone()).collect();
            let done = entries.last().is_none_or(|last| last.position >= unread.last);
            self.queue.apply(Command::Exhumed { entries, done }, effects);
        }
        let dead = self.queue.take_dead(most);
        for each in &dead {
            let position = each.position.expect("refused ones are not kept in this play");
            assert!(self.disk.contains_key(&position), "dead once");
            let due = self.disk[&position].due;
            assert!(each.death != Death::Expired || due <= self.now + 1, "expired before its time");
        }
        let positions = dead.iter().filter_map(|dead| dead.position).collect();
        self.queue.apply(Command::Buried(positions), effects);
    }

    /// Everything is on disk, and nothing is known of it.
    fn restart(&mut self) {
        let (count, body_bytes) = (self.disk.len(), 4 * self.disk.len() as u64);
        let next = self.queue.next_position();
        let lasting = lasting(self.disk.values());
        self.queue = Queue::stored(WINDOW, Away { from: 0, count, body_bytes, lasting }, next);
        let mut effects = Vec::new();
        self.queue.apply(Command::Configure(Box::new(self.settings.clone())), &mut effects);
        self.queue.knows_nothing_of_its_messages();
        self.ready = self.disk.keys().copied().collect();
        self.held.clear();
        self.lifted.clear();
        self.ghosts.clear();
        self.asked = None;
        self.queue.apply(Command::Tick(self.now), &mut effects);
        while let Some(from) = self.queue.unknown_from() {
            let entries = self.disk.range(from..).take(2).map(|(_, entry)| entry.clone());
            self.queue.apply(Command::Discovered(entries.collect()), &mut effects);
            self.carry_out(&mut effects);
        }
    }

    fn carry_out(&mut self, effects: &mut Vec<Effect>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Gone { first, count, why } => {
                    for position in first..first + count {
                        let Some(entry) = self.disk.remove(&position) else { continue };
                        let expired = why == Departure::Expired;
                        assert!(!expired || entry.due <= self.now + 1, "expired before its time");
                        let held = self.held.iter().any(|(_, held)| *held == position)
                            || self.lifted.contains(&position);
                        assert!(!held, "what is held does not go");
                        self.ready.remove(&position);
                    }
                }
                Effect::Returned { position, deliveries } => {
                    let entry = self.disk.get_mut(&position).expect("what came back is stored");
                    entry.deliveries = Deliveries::from_stored(deliveries);
                }
                Effect::Fetch { round, from } => self.asked = Some((round, from)),
                Effect::Unused
                | Effect::Idle
                | Effect::Waits { .. }
                | Effect::WaitOver { .. }
                | Effect::TimedOut { .. } => {}
            }
        }
    }

    /// What is dead waits no longer. (Whether it died for a reason is seen when it is buried.)
    fn forget_the_dead(&mut self) {
        if let Some(rules) = &self.queue.rules {
            self.ready.retain(|position| !rules.dying.contains_key(position));
        }
    }

    fn check(&self) {
        self.queue.validate();
        assert_eq!(self.queue.unacked(), self.held.len());
        let here = self.queue.ready() + self.queue.unacked();
        let here = here + self.queue.dying() + self.queue.delayed() + self.queue.lifted();
        assert_eq!(here, self.disk.len(), "the disk has what the queue has");
        let swept = self.now - self.now % GRAIN;
        let alive = self.disk.values().filter(|entry| entry.due > swept).count();
        assert!(self.queue.ready() <= alive, "what is due waits no longer");
        if self.settings.overflow == Overflow::DropHead && !self.queue.must_fetch_first() {
            let most = self.settings.max_length.unwrap_or(u64::MAX);
            assert!(self.queue.ready() as u64 <= most, "no longer than it may be");
        }
        let next = self.queue.next_due();
        assert!(next.is_none_or(|next| next > swept), "all that was due has been seen to");
        assert_eq!(self.queue.counters().missing, 0);
        if self.queue.unknown_from().is_none() {
            self.check_peek();
        }
    }

    /// Whoever looks sees each message that is here and not dead once.
    fn check_peek(&self) {
        let seen = self.queue.peek(0..u64::MAX, usize::MAX);
        let in_memory = seen.iter().map(|peeked| peeked.position);
        let only_there = self.disk.values().filter(|entry| self.queue.is_only_on_disk(entry));
        let mut seen: Vec<u64> = in_memory.chain(only_there.map(|entry| entry.position)).collect();
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(count, seen.len(), "nothing is seen twice");
        let here = self.queue.ready() + self.queue.unacked() + self.queue.delayed();
        assert_eq!(count, here, "everything is seen");
        let lasting = lasting(seen.iter().map(|position| &self.disk[position]));
        assert_eq!(lasting, self.queue.lasting(), "what is persistent is counted");
        let first: Vec<u64> = self.queue.peek(2..9, 2).iter().map(|each| each.position).collect();
        let all = self.queue.peek(2..9, usize::MAX);
        let expected: Vec<u64> = all.iter().map(|each| each.position).take(2).collect();
        assert_eq!(first, expected, "the first ones, in order");
    }
}

#[test]
fn a_lifetime_of_zero_lasts_until_the_end_of_the_turn() {
    let settings = Settings { message_ttl: Some(0), ..Settings::default() };
    // At a step's end, and in between.
    for now in [GRAIN * 10, GRAIN * 10 + 7] {
        let (mut queue, mut effects) = (Queue::in_memory(), Vec::new());
        queue.apply(Command::Configure(Box::new(settings.clone())), &mut effects);
        queue.apply(Command::Tick(now), &mut effects);
        queue.apply(Command::Publish(mortal(None, 0)), &mut effects);
        assert!(queue.fetch(true, &mut effects).is_some(), "whoever waits gets it");
        queue.apply(Command::Publish(mortal(None, 0)), &mut effects);
        queue.keep_limits(&mut effects);
        assert_eq!((queue.ready(), queue.counters().expired), (0, 1), "nobody waited");
        queue.validate();
    }
}

proptest! {
    #[test]
    fn time_limits_and_deaths_are_kept(
        (start, steps) in proptest::option::of(1u8..4).prop_flat_map(|max| {
            (settings(max), proptest::collection::vec(step(max), 0..150))
        })
    ) {
        let play = || {
            let mut play = Play::new(start.clone());
            for step in &steps {
                play.step(step);
            }
            format!("{:?}", play.queue)
        };
        prop_assert_eq!(play(), play());
    }
}
