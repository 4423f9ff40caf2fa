//! Whatever happens, the store holds what a map would, also after being opened again.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Publish { queue: u64, skip: u64, len: usize, lasting: bool },
    FanOut { len: usize, ttl: u64 },
    Transaction { from: u64, at: usize, to: u64, len: usize, commits: bool, between: Option<bool> },
    Gone { queue: u64, at: usize, count: u64 },
    Delivered { queue: u64, at: usize },
    Purge { queue: u64, at: usize },
    Delete { queue: u64 },
    Put { key: u8, value: u8 },
    Forget { key: u8 },
    Commit { urgent: bool },
    Tidy,
    Fetch { queue: u64, at: usize, messages: usize },
    Stop,
    Kill,
    LoseCatalog,
}

fn step() -> impl Strategy<Value = Step> {
    let (queue, at) = (0u64..4, 0usize..60);
    prop_oneof![
        12 => (queue.clone(), 0u64..3, 0usize..400, 0u8..9).prop_map(|(queue, skip, len, kind)| {
            let skip = if skip == 2 { 1 } else { 0 };
            Step::Publish { queue, skip, len: if kind == 8 { len * 20 } else { len }, lasting: kind > 0 }
        }),
        2 => (0usize..800, 0u64..3).prop_map(|(len, ttl)| Step::FanOut { len, ttl }),
        2 => (queue.clone(), at.clone(), queue.clone(), 0usize..800, 0u8..4, 0u8..4).prop_map(
            |(from, at, to, len, commits, between)| {
                let between = (between < 2).then_some(between == 0);
                Step::Transaction { from, at, to, len, commits: commits > 0, between }
            }
        ),
        6 => (queue.clone(), at.clone(), 1u64..9)
            .prop_map(|(queue, at, count)| Step::Gone { queue, at, count }),
        2 => (queue.clone(), at.clone()).prop_map(|(queue, at)| Step::Delivered { queue, at }),
        1 => (queue.clone(), at.clone()).prop_map(|(queue, at)| Step::Purge { queue, at }),
        1 => queue.clone().prop_map(|queue| Step::Delete { queue }),
        2 => (0u8..4, 0u8..9).prop_map(|(key, value)| Step::Put { key, value }),
        1 => (0u8..4).prop_map(|key| Step::Forget { key }),
        6 => any::<bool>().prop_map(|urgent| Step::Commit { urgent }),
        6 => Just(Step::Tidy),
        3 => (queue, at, 1usize..20)
            .prop_map(|(queue, at, messages)| Step::Fetch { queue, at, messages }),
        1 => Just(Step::Stop),
        1 => Just(Step::Kill),
        1 => Just(Step::LoseCatalog),
    ]
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    body: Vec<u8>,
    expires: Option<u64>,
    deliveries: u32,
    lasting: bool,
}

#[derive(Default)]
struct Model {
    queues: BTreeMap<u64, BTreeMap<u64, Held>>,
    next: BTreeMap<u64, u64>,
    /// Each queue's number; it changes when the queue is deleted.
    numbers: BTreeMap<u64, u64>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    count: u64,
}

impl Model {
    fn number(&mut self, queue: u64) -> u64 {
        *self.numbers.entry(queue).or_insert(queue)
    }

    fn next(&mut self, queue: u64, skip: u64) -> u64 {
        let next = self.next.entry(queue).or_default();
        *next += skip + 1;
        *next - 1
    }

    /// The position of some message in a queue, counted from its first.
    fn nth(&self, queue: u64, at: usize) -> u64 {
        let held = self.queues.get(&queue);
        held.and_then(|held| held.keys().nth(at % held.len().max(1))).copied().unwrap_or(0)
    }

    fn body(&mut self, len: usize) -> Vec<u8> {
        self.count += 1;
        (0..len).map(|n| (n as u64 * 31 + self.count) as u8).collect()
    }

    fn check(&self, hand: &Hand) {
        for (queue, held) in &self.queues {
            let got: BTreeMap<u64, Held> = fetch(&hand.store, *queue, 0, usize::MAX)
                .into_iter()
                .map(|stored| {
                    let (expires, deliveries) = (stored.expires, stored.deliveries);
                    let lasting = held.get(&stored.position).is_some_and(|held| held.lasting);
                    (stored.position, Held { body: body(&stored), expires, deliveries, lasting })
                })
                .collect();
            assert_eq!(&got, held, "queue {queue}");
            assert_eq!(hand.store.count(QueueId(*queue)), held.len() as u64);
        }
    }

    fn restarted(&mut self, hand: &Hand) {
        for held in self.queues.values_mut() {
            held.retain(|_, held| held.lasting);
        }
        let rows: BTreeMap<_, _> = hand.recovered.rows.iter().cloned().collect();
        assert_eq!(rows, self.rows);
        let bytes = |queue: &u64| {
            self.queues
                .get(queue)
                .map_or(0, |held| held.values().map(|held| held.body.len() as u64).sum())
        };
        for queue in &hand.recovered.queues {
            assert_eq!(queue.body_bytes, bytes(&queue.id.0), "{queue:?}");
            let last = self.queues.get(&queue.id.0).and_then(|held| held.keys().last());
            assert!(last.is_none_or(|last| *last < queue.next_position));
        }
        let known: BTreeSet<u64> = hand.recovered.queues.iter().map(|queue| queue.id.0).collect();
        for (queue, _) in self.queues.iter().filter(|(_, held)| !held.is_empty()) {
            assert!(known.contains(queue));
        }
    }
}

fn options() -> Options {
    Options { log_file: 3000, log_files: 2, ..super::options() }
}

fn run(steps: Vec<Step>) {
    let mut disk = FakeDisk::default();
    let mut model = Model::default();
    let mut hand = try_open(&disk, options()).unwrap();
    for step in steps {
        match step {
            Step::Publish { queue, skip, len, lasting } => {
                let queue = model.number(queue);
                let (position, body) = (model.next(queue, skip), model.body(len));
                let content = message(&body);
                let Record::Message(new) = new(queue, position, &content) else { unreachable!() };
                hand.store.append(Record::Message(NewMessage { lasting, ..new }));
                let held = Held { body, expires: None, deliveries: 0, lasting };
                model.queues.entry(queue).or_default().insert(position, held);
            }
            Step::FanOut { len, ttl } => {
                let (shared, body) = (SharedBody::default(), model.body(len));
                let content = message(&body);
                for queue in 0..4 {
                    let (queue, expires) = (model.number(queue), (ttl > 0).then_some(ttl * queue));
                    let position = model.next(queue, 0);
                    let Record::Message(new) = new(queue, position, &content) else {
                        unreachable!()
                    };
                    let new = NewMessage { shared: Some(&shared), expires, ..new };
                    hand.store.append(Record::Message(new));
                    let held = Held { body: body.clone(), expires, deliveries: 0, lasting: true };
                    model.queues.entry(queue).or_default().insert(position, held);
                }
            }
            Step::Transaction { from, at, to, len, commits, between } => {
                let (from, to, body) = (model.number(from), model.number(to), model.body(len));
                let together = hand.store.begin();
                let left = model.nth(from, at);
                let there = model.queues.get(&from).is_some_and(|held| held.contains_key(&left));
                if there {
                    together.append(gone(from, left, 1));
                }
                if let Some(tidy) = between {
                    hand.commit(tidy);
                    if tidy {
                        hand.tidy();
                    }
                }
                let position = model.next(to, 0);
                together.append(new(to, position, &message(&body)));
                if !commits {
                    continue;
                }
                together.commit();
                if there && let Some(held) = model.queues.get_mut(&from) {
                    held.remove(&left);
                }
                let held = Held { body, expires: None, deliveries: 0, lasting: true };
                model.queues.entry(to).or_default().insert(position, held);
            }
            Step::Gone { queue, at, count } => {
                let queue = model.number(queue);
                let first = model.nth(queue, at);
                let end = model.next.get(&queue).copied().unwrap_or(0);
                let count = count.min(end.saturating_sub(first));
                let there = model.queues.entry(queue).or_default();
                there.retain(|position, _| *position < first || *position >= first + count);
                hand.gone(queue, first, count);
            }
            Step::Delivered { queue, at } => {
                let queue = model.number(queue);
                let first = model.nth(queue, at);
                let Some(held) = model.queues.entry(queue).or_default().get_mut(&first) else {
                    continue;
                };
                held.deliveries += 1;
                let (queue, deliveries) = (QueueId(queue), held.deliveries);
                hand.store.append(Record::Delivered { queue, first, count: 1, deliveries });
            }
            Step::Purge { queue, at } => {
                let queue = model.number(queue);
                let before = model.nth(queue, at);
                let held = model.queues.entry(queue).or_default();
                *held = held.split_off(&before);
                hand.store.append(Record::Purge { queue: QueueId(queue), before });
            }
            Step::Delete { queue } => {
                let number = model.number(queue);
                hand.store.append(Record::QueueDeleted { queue: QueueId(number) });
                model.queues.insert(number, BTreeMap::new());
                model.numbers.insert(queue, number + 4);
            }
            Step::Put { key, value } => {
                hand.store.append(Record::Put { key: &[key], value: &[value] });
                model.rows.insert(vec![key], vec![value]);
            }
            Step::Forget { key } => {
                hand.store.append(Record::Delete { key: &[key] });
                model.rows.remove(&[key][..]);
            }
            Step::Commit { urgent } => hand.commit(urgent),
            Step::Tidy => {
                hand.commit(false);
                hand.tidy();
            }
            Step::Fetch { queue, at, messages } => {
                hand.commit(false);
                let queue = model.number(queue);
                let from = model.nth(queue, at);
                let got = fetch(&hand.store, queue, from, messages);
                let got: Vec<_> =
                    got.iter().map(|stored| (stored.position, body(stored))).collect();
                let held = model.queues.entry(queue).or_default().range(from..).take(messages);
                let want: Vec<_> = held.map(|(at, held)| (*at, held.body.clone())).collect();
                assert_eq!(got, want);
            }
            Step::Stop | Step::Kill | Step::LoseCatalog => {
                hand.commit(false);
                if matches!(step, Step::LoseCatalog) {
                    // Settled messages may come again then, so settle everything first.
                    hand.tidy_all();
                    if disk.rows_in(catalog::Tree::Runs) > 0 {
                        continue;
                    }
                }
                if matches!(step, Step::Stop) {
                    hand.stop();
                }
                disk = disk.after_kill();
                assert_eq!(check(&disk).problems, [] as [String; 0]);
                if matches!(step, Step::LoseCatalog) {
                    disk.lose_catalog();
                }
                hand = try_open(&disk, options()).unwrap();
                model.restarted(&hand);
                if hand.recovered.rebuilt {
                    hand.tidy_all();
                }
            }
        }
        assert!(hand.store.failure().is_none(), "{:?}", hand.store.failure());
    }
    hand.commit(false);
    model.check(&hand);
    hand.tidy_all();
    model.check(&hand);
    let hand = try_open(&disk.after_kill(), options()).unwrap();
    model.restarted(&hand);
    model.check(&hand);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn it_is_a_map_of_messages(steps in proptest::collection::vec(step(), 0..250)) {
        run(steps);
    }
}
