//! Stories about one queue, and random commands against its invariants.

use super::*;
use crate::message::Parts;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn message(body: &str) -> Message {
    Message::from_parts(Parts {
        exchange: b"",
        routing_key: b"q",
        header: b"",
        body: body.as_bytes(),
        persistent: false,
        priority: 0,
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
                    "requeue" => Outcome::Requeue,
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
        };
        match self.queue.consume(subscription) {
            Ok(key) => {
                self.consumers.insert(name.into(), key);
            }
            Err(ExclusiveConsumer) => self.told.push(format!("refused {name}")),
        }
    }

    fn dispatch(&mut self, effects: &mut Vec<Effect>) {
        while let Some(key) = self.queue.next_consumer() {
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
    let mut queue = Queue::new(true);
    let mut effects = Vec::new();
    for body in ["a", "b", "c"] {
        queue.apply(Command::Publish(message(body)), &mut effects);
    }
    let held = queue.fetch(false, &mut effects).and_then(|delivery| delivery.id).expect("held");
    queue.fetch(true, &mut effects);
    queue.apply(Command::Settle(held, Outcome::Accept), &mut effects);
    queue.purge(&mut effects);
    assert_eq!(effects, [Effect::Gone(1), Effect::Gone(0), Effect::Gone(2)]);
}

#[derive(Clone, Debug)]
enum Step {
    Publish,
    Consume { prefetch: u32, no_ack: bool, priority: i64 },
    Cancel(usize),
    Busy(usize, bool),
    Fetch { no_ack: bool },
    Settle(usize, Outcome),
    Purge,
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
            Just(Outcome::Accept), Just(Outcome::Discard), Just(Outcome::Requeue)
        ]).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        1 => Just(Step::Purge),
    ]
}

/// What random steps leave behind, to be compared between two runs.
fn play(steps: &[Step]) -> String {
    let mut queue = Queue::new(true);
    let (mut consumers, mut held, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for step in steps {
        let mut effects = Vec::new();
        match *step {
            Step::Publish => queue.apply(Command::Publish(message("x")), &mut effects),
            Step::Consume { prefetch, no_ack, priority } => {
                let prefetch = (prefetch > 0).then_some(prefetch);
                let subscription = Subscription { prefetch, no_ack, exclusive: false, priority };
                consumers.push(queue.consume(subscription).expect("nobody is exclusive"));
            }
            Step::Cancel(who) if !consumers.is_empty() => {
                let key = consumers.swap_remove(who % consumers.len());
                queue.apply(Command::ConsumerGone(key), &mut effects);
            }
            Step::Busy(who, busy) if !consumers.is_empty() => {
                let key = consumers[who % consumers.len()];
                let command = if busy { Command::Busy(key) } else { Command::Room(key) };
                queue.apply(command, &mut effects);
            }
            Step::Fetch { no_ack } => {
                held.extend(queue.fetch(no_ack, &mut effects).and_then(|delivery| delivery.id));
            }
            Step::Settle(which, outcome) if !held.is_empty() => {
                let id = held.swap_remove(which % held.len());
                queue.apply(Command::Settle(id, outcome), &mut effects);
            }
            Step::Purge => {
                queue.purge(&mut effects);
            }
            Step::Cancel(_) | Step::Busy(..) | Step::Settle(..) => {}
        }
        while let Some(key) = queue.next_consumer() {
            held.extend(queue.deliver(key, &mut effects).id);
        }
        gone.extend(effects.into_iter().filter(|effect| matches!(effect, Effect::Gone(_))));
        queue.validate();
        let published = queue.counters().published as usize;
        assert_eq!(queue.ready() + queue.unacked() + gone.len(), published, "conservation");
        assert_eq!(queue.unacked(), held.len());
    }
    format!("{queue:?}")
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(steps in proptest::collection::vec(step(), 0..200)) {
        prop_assert_eq!(play(&steps), play(&steps));
    }
}
