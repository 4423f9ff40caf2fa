//! Stories about one queue, and random commands against its invariants.

use super::*;
use crate::message::Parts;
use proptest::prelude::*;
use std::collections::BTreeMap;

mod rules;

fn message(body: &str) -> Message {
    Message::from_parts(Parts {
        exchange: b"",
        routing_key: b"q",
        header: b"",
        body: body.as_bytes(),
        persistent: false,
        priority: 0,
        expires: false,
        died: false,
    })
}

/// A queue and what the story calls its consumers and deliveries.
#[derive(Default)]
struct Stage {
    queue: Queue,
    consumers: BTreeMap<String, ConsumerKey>,
    held: BTreeMap<String, DeliveryId>,
    told: Vec<String>,
}

impl Stage {
    /// Runs one line of a story; what the queue does with it is told.
    fn act(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut effects = Vec::new();
        match words[..] {
            ["publish", ref bodies @ ..] => {
                for body in bodies {
                    self.queue.apply(Command::Publish(message(body)), &mut effects);
                }
            }
            ["consume", name, ref options @ ..] => self.consume(name, options),
            ["cancel", name] => {
                self.queue.apply(Command::ConsumerGone(self.consumers[name]), &mut effects);
            }
            ["busy", name] => self.queue.apply(Command::Busy(self.consumers[name]), &mut effects),
            ["room", name] => self.queue.apply(Command::Room(self.consumers[name]), &mut effects),
            ["get", ref options @ ..] => {
                match self.queue.fetch(options == ["no_ack"], &mut effects) {
                    Some(delivery) => self.tell("got", delivery),
                    None => self.told.push("empty".into()),
                }
            }
            ["pause"] => self.queue.apply(Command::Pause(true), &mut effects),
            ["resume"] => self.queue.apply(Command::Pause(false), &mut effects),
            ["purge"] => {
                let count = self.queue.purge(&mut effects);
                self.told.push(format!("purged {count}"));
            }
            ["delete", ref conditions @ ..] => {
                let (unused, empty) =
                    (conditions.contains(&"unused"), conditions.contains(&"empty"));
                self.told.push(format!("{:?}", self.queue.delete(unused, empty)));
            }
            [verb, ref bodies @ ..] => {
                let outcome = match verb {
                    "accept" => Outcome::Accept,
                    "discard" => Outcome::Discard,
                    "requeue" => Outcome::Requeue(Return::Nacked),
                    other => panic!("no such step: {other}"),
                };
                for body in bodies {
                    let id = self.held.remove(*body).expect("the story settles what it holds");
                    self.queue.apply(Command::Settle(id, outcome), &mut effects);
                }
            }
            [] => {}
        }
        self.dispatch(&mut effects);
        self.told.extend(effects.iter().map(|effect| format!("{effect:?}").to_lowercase()));
        self.queue.validate();
    }

    fn consume(&mut self, name: &str, options: &[&str]) {
        let number = |key: &str| options.iter().find_map(|o| o.strip_prefix(key)?.parse().ok());
        let subscription = Subscription {
            prefetch: number("prefetch=").map(|n: i64| u32::try_from(n).expect("small")),
            no_ack: options.contains(&"no_ack"),
            exclusive: options.contains(&"exclusive"),
            priority: number("priority=").unwrap_or(0),
            timeout: None,
        };
        match self.queue.consume(subscription) {
            Ok(key) => {
                self.consumers.insert(name.into(), key);
            }
            Err(ExclusiveConsumer) => self.told.push(format!("refused {name}")),
        }
    }

    fn dispatch(&mut self, effects: &mut Vec<Effect>) {
        while let Some(key) = self.queue.next_consumer(effects) {
            let delivery = self.queue.deliver(key, effects);
            let (name, _) = self.consumers.iter().find(|(_, each)| **each == key).expect("known");
            let name = format!("deliver {name}");
            self.tell(&name, delivery);
        }
    }

    fn tell(&mut self, how: &str, delivery: Delivery) {
        let body = String::from_utf8(delivery.message.body().to_vec()).expect("text");
        let again = if delivery.redelivered { " again" } else { "" };
        self.told.push(format!("{how} {body}{again}"));
        if let Some(id) = delivery.id {
            self.held.insert(body, id);
        }
    }
}

/// Runs a story: lines are steps; lines with `>` are what the queue says to the step before.
fn check(story: &str) {
    let mut stage = Stage::default();
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(expected) = line.strip_prefix("> ") {
            assert!(!stage.told.is_empty(), "nothing said, expected: {expected}");
            assert_eq!(stage.told.remove(0), expected, "in the story:\n{story}");
        } else {
            assert!(stage.told.is_empty(), "unexpected before '{line}': {:?}", stage.told);
            stage.act(line);
        }
    }
    assert!(stage.told.is_empty(), "unexpected at the end: {:?}", stage.told);
}

#[test]
fn a_paused_queue_takes_and_does_not_give() {
    check(
        "consume 1
         pause
         publish a b
         get
         > empty
         resume
         > deliver 1 a
         > deliver 1 b
         pause
         requeue a
         accept b
         cancel 1
         > unused
         get
         > empty
         resume
         get
         > got a again",
    );
}

#[test]
fn messages_leave_in_order() {
    check(
        "publish a b
         consume 1
         > deliver 1 a
         > deliver 1 b",
    );
}

#[test]
fn prefetch_holds_back_until_ack() {
    check(
        "consume 1 prefetch=1
         publish a
         > deliver 1 a
         publish b
         accept a
         > deliver 1 b",
    );
}

#[test]
fn turns_are_fair() {
    check(
        "consume 1
         consume 2
         consume 3
         publish a b c d
         > deliver 1 a
         > deliver 2 b
         > deliver 3 c
         > deliver 1 d",
    );
}

#[test]
fn who_has_no_credit_loses_no_turn_of_the_others() {
    check(
        "consume 1 prefetch=1
         consume 2 prefetch=2
         publish a b c d
         > deliver 1 a
         > deliver 2 b
         > deliver 2 c
         accept a
         > deliver 1 d",
    );
}

#[test]
fn higher_priority_first_while_it_has_credit() {
    check(
        "consume low
         consume high priority=5 prefetch=1
         publish a b
         > deliver high a
         > deliver low b
         accept a
         publish c
         > deliver high c",
    );
}

#[test]
fn requeue_goes_back_to_the_old_place() {
    check(
        "publish a b c
         get
         > got a
         get
         > got b
         requeue b
         requeue a
         consume 1
         > deliver 1 a again
         > deliver 1 b again
         > deliver 1 c",
    );
}

#[test]
fn a_cancelled_consumer_still_settles_what_it_holds() {
    check(
        "consume 1 prefetch=2
         publish a b
         > deliver 1 a
         > deliver 1 b
         cancel 1
         > unused
         accept a
         requeue b
         get no_ack
         > got b again
         get
         > empty",
    );
}

#[test]
fn a_full_outbox_costs_the_turn_not_the_message() {
    check(
        "consume 1
         consume 2
         busy 1
         publish a b
         > deliver 2 a
         > deliver 2 b
         busy 2
         publish c
         room 1
         > deliver 1 c",
    );
}

#[test]
fn exclusive_means_alone_both_ways() {
    check(
        "consume 1 exclusive
         consume 2
         > refused 2
         cancel 1
         > unused
         consume 2
         consume 3 exclusive
         > refused 3",
    );
}

#[test]
fn purge_leaves_what_is_unacked() {
    check(
        "publish a b c
         get
         > got a
         purge
         > purged 2
         requeue a
         get
         > got a again",
    );
}

#[test]
fn conditions_keep_a_queue_from_being_deleted() {
    check(
        "publish a
         delete empty
         > Err(NotEmpty)
         consume 1 no_ack
         > deliver 1 a
         delete unused
         > Err(InUse)
         publish b
         > deliver 1 b
         delete
         > Ok(0)
         publish c
         get
         > empty",
    );
}

#[test]
fn a_durable_queue_tells_what_is_gone() {
    let mut queue = Queue::stored(ROOMY, Away::default(), 0);
    let mut effects = Vec::new();
    for body in ["a", "b", "c"] {
        queue.apply(Command::Publish(message(body)), &mut effects);
    }
    let held = queue.fetch(false, &mut effects).and_then(|delivery| delivery.id).expect("held");
    queue.fetch(true, &mut effects);
    queue.apply(Command::Settle(held, Outcome::Accept), &mut effects);
    queue.purge(&mut effects);
    let gone = |first, why| Effect::Gone { first, count: 1, why };
    let acknowledged = Departure::Acknowledged;
    let purged = gone(2, Departure::Purged);
    assert_eq!(effects, [gone(1, acknowledged), gone(0, acknowledged), purged]);
}

#[test]
fn a_queue_in_memory_overflows_to_disk_and_comes_back_when_it_is_empty() {
    let (mut queue, mut effects) = (Queue::in_memory(), Vec::new());
    let window = Window { messages: 2, bytes: 100 };
    queue.apply(Command::Publish(message("0")), &mut effects);
    assert!(!queue.overflow_to_disk(window), "it fits");
    for body in ["1", "2"] {
        queue.apply(Command::Publish(message(body)), &mut effects);
    }
    assert!(queue.overflow_to_disk(window));
    assert!(!queue.stays_in_memory(&message("3")));
    queue.apply(Command::Publish(message("3")), &mut effects);
    queue.refill(&mut effects);
    assert_eq!((queue.ready(), queue.messages_in_memory()), (4, 3));
    assert_eq!(effects, [], "the disk comes after what is in memory");
    for _ in 0..3 {
        queue.fetch(true, &mut effects).expect("a message");
    }
    queue.refill(&mut effects);
    let why = Departure::Acknowledged;
    let gone = Effect::Gone { first: 0, count: 3, why };
    assert_eq!(effects, [gone, Effect::Fetch { round: 0, from: 3 }]);
    assert!(!queue.return_to_memory(), "something is on disk");
    let entries = vec![stored(3, message("3"))];
    queue.apply(Command::Fetched { round: 0, entries }, &mut effects);
    let last = queue.fetch(true, &mut effects).expect("a message");
    assert_eq!(last.message.body(), b"3");
    assert!(queue.return_to_memory());
    assert!(queue.stays_in_memory(&message("4")));
    queue.validate();
}

fn stored(position: u64, message: Message) -> Entry {
    Entry { position, deliveries: Deliveries::default(), due: NEVER, message }
}

/// More than any test fills.
const ROOMY: Window = Window { messages: 1000, bytes: 1 << 20 };

#[test]
fn what_does_not_fit_the_window_is_fetched_in_time() {
    let mut queue = Queue::stored(Window { messages: 2, bytes: 100 }, Away::default(), 0);
    let mut effects = Vec::new();
    for body in ["a", "b", "c", "d"] {
        queue.apply(Command::Publish(message(body)), &mut effects);
        queue.refill(&mut effects);
    }
    assert_eq!((queue.ready(), effects.len()), (4, 0), "the window is full, nothing is fetched");
    queue.fetch(true, &mut effects);
    queue.refill(&mut effects);
    let fetch = Effect::Fetch { round: 0, from: 2 };
    let gone = Effect::Gone { first: 0, count: 1, why: Departure::Acknowledged };
    assert_eq!(effects, [gone, fetch]);
    queue.refill(&mut effects);
    assert_eq!(effects.len(), 2, "one fetch at a time");
    let entry = |position, body| stored(position, message(body));
    let entries = vec![entry(2, "c"), entry(3, "d")];
    queue.apply(Command::Fetched { round: 0, entries }, &mut effects);
    let bodies: Vec<Vec<u8>> = std::iter::from_fn(|| queue.fetch(true, &mut effects))
        .map(|delivery| delivery.message.body().to_vec())
        .collect();
    assert_eq!(bodies, [b"b", b"c", b"d"]);
}

#[test]
fn a_fetch_that_a_purge_overtook_brings_nothing_back() {
    let away = Away { from: 0, count: 2, body_bytes: 2, ..Away::default() };
    let mut queue = Queue::stored(ROOMY, away, 2);
    let mut effects = Vec::new();
    queue.refill(&mut effects);
    assert_eq!(effects, [Effect::Fetch { round: 0, from: 0 }]);
    assert_eq!(queue.purge(&mut effects), 2);
    let entries = vec![stored(0, message("a"))];
    queue.apply(Command::Fetched { round: 0, entries }, &mut effects);
    assert_eq!(queue.ready(), 0);
    let gone = Effect::Gone { first: 0, count: 2, why: Departure::Purged };
    assert_eq!(effects[1..], [gone]);
}

#[test]
fn a_message_that_cannot_be_read_is_passed_over_and_the_rest_goes_on() {
    let away = Away { from: 0, count: 3, body_bytes: 3, ..Away::default() };
    let mut queue = Queue::stored(ROOMY, away, 3);
    let mut effects = Vec::new();
    queue.refill(&mut effects);
    queue.apply(Command::Unreadable { round: 0, position: 0 }, &mut effects);
    assert_eq!((queue.ready(), queue.counters().missing), (2, 1));
    queue.refill(&mut effects);
    let next = Effect::Fetch { round: 1, from: 1 };
    assert_eq!(effects, [Effect::Fetch { round: 0, from: 0 }, next]);
    // An answer that comes twice, as when basic.get did not wait for the first.
    queue.apply(Command::Unreadable { round: 0, position: 1 }, &mut effects);
    assert_eq!(queue.ready(), 2);
    let entry = stored(1, message("b"));
    queue.apply(Command::Fetched { round: 1, entries: vec![entry] }, &mut effects);
    assert_eq!(queue.fetch(false, &mut effects).unwrap().message.body(), b"b");
    queue.apply(Command::Unreadable { round: 2, position: 2 }, &mut effects);
    assert_eq!((queue.ready(), queue.counters().missing, queue.body_bytes()), (0, 2, 1));
    queue.validate();
}

#[derive(Clone, Debug)]
enum Step {
    Publish,
    Consume {
        prefetch: u32,
        no_ack: bool,
        priority: i64,
    },
    Cancel(usize),
    Busy(usize, bool),
    Fetch {
        no_ack: bool,
    },
    Settle(usize, Outcome),
    Purge,
    /// The disk answers a fetch with so many messages.
    Answer(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Publish),
        2 => (0u32..4, any::<bool>(), -1i64..2)
            .prop_map(|(prefetch, no_ack, priority)| Step::Consume { prefetch, no_ack, priority }),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(who, busy)| Step::Busy(who, busy)),
        2 => any::<bool>().prop_map(|no_ack| Step::Fetch { no_ack }),
        8 => (any::<usize>(), prop_oneof![
            Just(Outcome::Accept), Just(Outcome::Discard), Just(Outcome::Requeue(Return::Released))
        ]).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        1 => Just(Step::Purge),
        3 => (1usize..4).prop_map(Step::Answer),
    ]
}

/// A queue with a small window, and a disk that keeps what it is told.
#[derive(Default)]
struct Play {
    queue: Queue,
    disk: BTreeMap<u64, Entry>,
    asked: Option<(u64, u64)>,
    consumers: Vec<ConsumerKey>,
    held: Vec<DeliveryId>,
    gone: u64,
}

impl Play {
    fn step(&mut self, step: &Step) {
        let mut effects = Vec::new();
        match *step {
            Step::Publish => self.publish(&mut effects),
            Step::Consume { prefetch, no_ack, priority } => {
                let prefetch = (prefetch > 0).then_some(prefetch);
                let (exclusive, timeout) = (false, None);
                let subscription = Subscription { prefetch, no_ack, exclusive, priority, timeout };
                self.consumers.push(self.queue.consume(subscription).expect("nobody is exclusive"));
            }
            Step::Cancel(who) if !self.consumers.is_empty() => {
                let key = self.consumers.swap_remove(who % self.consumers.len());
                self.queue.apply(Command::ConsumerGone(key), &mut effects);
            }
            Step::Busy(who, busy) if !self.consumers.is_empty() => {
                let key = self.consumers[who % self.consumers.len()];
                let command = if busy { Command::Busy(key) } else { Command::Room(key) };
                self.queue.apply(command, &mut effects);
            }
            Step::Fetch { no_ack } => {
                let fetched = self.queue.fetch(no_ack, &mut effects);
                self.held.extend(fetched.and_then(|delivery| delivery.id));
            }
            Step::Settle(which, outcome) if !self.held.is_empty() => {
                let id = self.held.swap_remove(which % self.held.len());
                self.queue.apply(Command::Settle(id, outcome), &mut effects);
            }
            Step::Purge => {
                self.queue.purge(&mut effects);
            }
            Step::Answer(most) => self.answer(most, &mut effects),
            Step::Cancel(_) | Step::Busy(..) | Step::Settle(..) => {}
        }
        while let Some(key) = self.queue.next_consumer(&mut effects) {
            self.held.extend(self.queue.deliver(key, &mut effects).id);
        }
        self.queue.refill(&mut effects);
        self.carry_out(&effects);
        self.check();
    }

    fn publish(&mut self, effects: &mut Vec<Effect>) {
        let position = self.queue.next_position();
        let message = message(&position.to_string());
        self.disk.insert(position, stored(position, message.clone()));
        self.queue.apply(Command::Publish(message), effects);
    }

    fn answer(&mut self, most: usize, effects: &mut Vec<Effect>) {
        if let Some((round, from)) = self.asked.take() {
            let entries = self.disk.range(from..).take(most).map(|(_, entry)| entry.clone());
            let entries = entries.collect();
            self.queue.apply(Command::Fetched { round, entries }, effects);
        }
    }

    fn carry_out(&mut self, effects: &[Effect]) {
        for effect in effects {
            match *effect {
                Effect::Gone { first, count, .. } => {
                    let before = self.disk.len();
                    self.disk.retain(|position, _| !(first..first + count).contains(position));
                    self.gone += (before - self.disk.len()) as u64;
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

    fn check(&self) {
        self.queue.validate();
        let here = self.queue.ready() + self.queue.unacked();
        assert_eq!(here, self.disk.len(), "the disk has what the queue has");
        assert_eq!(here as u64 + self.gone, self.queue.counters().published, "conservation");
        assert_eq!(self.queue.unacked(), self.held.len());
        assert_eq!(self.queue.counters().missing, 0);
    }
}

/// What random steps leave behind, to be compared between two runs.
fn play(steps: &[Step]) -> String {
    let window = Window { messages: 3, bytes: 1000 };
    let queue = Queue::stored(window, Away::default(), 0);
    let mut play = Play { queue, ..Play::default() };
    for step in steps {
        play.step(step);
    }
    format!("{:?}", play.queue)
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(steps in proptest::collection::vec(step(), 0..200)) {
        prop_assert_eq!(play(&steps), play(&steps));
    }
}
