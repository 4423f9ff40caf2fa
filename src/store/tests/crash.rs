//! The power goes at any moment: what was acknowledged is there, and nothing else.

use super::*;
use crate::store::disk::fake::Dice;

/// What a row said, by the position from which on.
type RowHistory = Vec<(u64, Option<Vec<u8>>)>;

/// Everything that was appended, and when.
#[derive(Clone, Default)]
struct Model {
    messages: BTreeMap<(u64, u64), Life>,
    rows: BTreeMap<Vec<u8>, RowHistory>,
    groups: Vec<Group>,
    next: BTreeMap<u64, u64>,
}

/// What counts only together, from a position on.
#[derive(Clone)]
struct Group {
    position: u64,
    born: Vec<(u64, u64)>,
    left: Option<(u64, u64)>,
}

#[derive(Clone)]
struct Life {
    body: Vec<u8>,
    appended: u64,
    gone: Option<u64>,
}

const QUEUES: usize = 3;

impl Model {
    fn publish(&mut self, dice: &mut Dice) -> ((u64, u64), Vec<u8>) {
        let queue = dice.below(QUEUES) as u64;
        let position = self.next.entry(queue).or_default();
        let at = (queue, *position);
        *position += 1;
        let len = if dice.below(20) == 0 { 2000 + dice.below(4000) } else { dice.below(200) };
        let body = (0..len).map(|n| (n as u64 ^ at.1) as u8).collect();
        (at, body)
    }

    fn born(&mut self, at: (u64, u64), body: Vec<u8>, appended: LogPosition) {
        self.messages.insert(at, Life { body, appended: appended.0, gone: None });
    }

    fn gone(&mut self, at: (u64, u64), position: LogPosition) {
        if let Some(life) = self.messages.get_mut(&at) {
            life.gone.get_or_insert(position.0);
        }
    }

    fn any_live(&self, dice: &mut Dice) -> Option<(u64, u64)> {
        let live: Vec<_> = self.messages.iter().filter(|(_, life)| life.gone.is_none()).collect();
        let first = dice.below(2) == 0;
        let at = if live.is_empty() || first { 0 } else { dice.below(live.len()) };
        live.get(at).map(|(at, _)| **at)
    }

    /// What is in the store is what it must be, given that it was durable up to some position.
    fn check(&self, hand: &Hand, durable: u64) {
        let mut found = BTreeMap::new();
        for queue in 0..QUEUES as u64 {
            for (position, body) in hand.all(queue) {
                found.insert((queue, position), body);
            }
        }
        for (at, life) in &self.messages {
            let here = found.remove(at);
            let left = life.gone.is_some_and(|gone| gone <= durable);
            if life.appended <= durable && life.gone.is_none() {
                assert!(here.is_some(), "{at:?} was acknowledged at {} and is lost", life.appended);
            }
            assert!(!(left && here.is_some()), "{at:?} has left at {:?} and is back", life.gone);
            if let Some(body) = here {
                assert_eq!(body, life.body, "{at:?}");
            }
        }
        assert!(found.is_empty(), "never appended: {:?}", found.keys());
        let rows: BTreeMap<_, _> = hand.recovered.rows.iter().cloned().collect();
        for (key, history) in &self.rows {
            let now = rows.get(key).cloned();
            let sure = history.iter().rposition(|(position, _)| *position <= durable);
            let allowed = &history[sure.unwrap_or(0)..];
            let never = sure.is_none() && now.is_none();
            assert!(never || allowed.iter().any(|(_, value)| *value == now), "row {key:?}");
        }
        for Group { position, born, left } in &self.groups {
            let unharmed = born.iter().filter(|at| self.messages[at].gone.is_none());
            let here = |at: &&(u64, u64)| hand.all(at.0).contains_key(&at.1);
            let (there, all) = (unharmed.clone().filter(here).count(), unharmed.count());
            assert!(there == 0 || there == all, "half of a group: {there} of {born:?}");
            let Some(left) = left.as_ref().filter(|_| all > 0) else { continue };
            let life = &self.messages[left];
            if life.appended <= durable && life.gone == Some(*position) {
                assert!((there > 0) != here(&left), "{there} of {born:?} came, {left:?} left");
            }
        }
    }

    /// Forgets what did not survive, so that life can go on from here.
    fn settle(&mut self, hand: &Hand) {
        let here: BTreeMap<u64, _> = (0..QUEUES as u64).map(|q| (q, hand.all(q))).collect();
        for (at, life) in &mut self.messages {
            if here[&at.0].contains_key(&at.1) {
                (life.appended, life.gone) = (0, None);
            } else {
                life.gone = Some(0);
            }
        }
        self.groups.clear();
        let rows: BTreeMap<_, _> = hand.recovered.rows.iter().cloned().collect();
        for (key, history) in &mut self.rows {
            *history = vec![(0, rows.get(key).cloned())];
        }
        for queue in &hand.recovered.queues {
            assert!(queue.next_position <= self.next.get(&queue.id.0).copied().unwrap_or(0));
        }
    }
}

/// Lets a store live for a while.
fn live(hand: &mut Hand, model: &mut Model, dice: &mut Dice, steps: usize) {
    for _ in 0..steps {
        match dice.below(20) {
            0..=7 => {
                let (at, body) = model.publish(dice);
                let position = hand.publish(at.0, at.1, &body);
                model.born(at, body, position);
            }
            8..=11 => {
                if let Some(at) = model.any_live(dice) {
                    let position = hand.gone(at.0, at.1, 1);
                    model.gone(at, position);
                }
            }
            12 => {
                let key = vec![b'k', dice.below(3) as u8];
                let value = (dice.below(3) > 0).then(|| vec![dice.below(256) as u8; 20]);
                let record = match &value {
                    Some(value) => Record::Put { key: &key, value },
                    None => Record::Delete { key: &key },
                };
                let position = hand.store.append(record).0;
                model.rows.entry(key).or_default().push((position, value));
            }
            13 if dice.below(2) == 0 => group(hand, model, dice),
            13 => transaction(hand, model, dice),
            14 if dice.below(4) == 0 => {
                let queue = dice.below(QUEUES) as u64;
                let before = model.next.get(&queue).copied().unwrap_or(0).saturating_sub(2);
                let position = hand.store.append(Record::Purge { queue: QueueId(queue), before });
                let all: Vec<_> = model.messages.keys().copied().collect();
                for at in all.into_iter().filter(|at| at.0 == queue && at.1 < before) {
                    model.gone(at, position);
                }
            }
            14 | 15 => while dice.below(4) > 0 && hand.tidy() {},
            16 => hand.commit(false),
            17 => fan_out(hand, model, dice),
            _ => hand.commit(true),
        }
    }
}

/// A message for all queues.
fn fan_out(hand: &mut Hand, model: &mut Model, dice: &mut Dice) {
    let shared = SharedBody::default();
    let (_, body) = model.publish(dice);
    let content = message(&body);
    for queue in 0..QUEUES as u64 {
        let position = model.next.entry(queue).or_default();
        let at = (queue, *position);
        *position += 1;
        let Record::Message(new) = new(at.0, at.1, &content) else { unreachable!() };
        let new = NewMessage { shared: Some(&shared), ..new };
        let appended = hand.store.append(Record::Message(new));
        model.born(at, body.clone(), appended);
        if dice.below(4) == 0 {
            hand.commit(dice.below(2) == 0);
        }
    }
}

/// A few messages and a departure that count only together.
fn group(hand: &Hand, model: &mut Model, dice: &mut Dice) {
    let published: Vec<_> = (0..1 + dice.below(4)).map(|_| model.publish(dice)).collect();
    let messages: Vec<_> = published.iter().map(|(_, body)| message(body)).collect();
    let news = published.iter().zip(&messages).map(|((at, _), message)| new(at.0, at.1, message));
    let left = model.any_live(dice);
    let leaves = left.map(|at| gone(at.0, at.1, 1));
    let position = hand.store.append_group(news.chain(leaves));
    together(model, published, left, position);
}

fn together(
    model: &mut Model,
    published: Vec<((u64, u64), Vec<u8>)>,
    left: Option<(u64, u64)>,
    position: LogPosition,
) {
    let born = published.iter().map(|(at, _)| *at).collect();
    model.groups.push(Group { position: position.0, born, left });
    for (at, body) in published {
        model.born(at, body, position);
    }
    if let Some(at) = left {
        model.gone(at, position);
    }
}

/// The same with others between them. Some are settled before it counts, and now and then nothing
/// comes of it.
fn transaction(hand: &mut Hand, model: &mut Model, dice: &mut Dice) {
    let together = hand.store.begin();
    let left = model.any_live(dice);
    if let Some(at) = left {
        together.append(gone(at.0, at.1, 1));
    }
    let (mut published, mut settled) = (Vec::new(), Vec::new());
    let shared = SharedBody::default();
    let content = message(b"for several queues");
    for _ in 0..1 + dice.below(5) {
        let (at, body) = model.publish(dice);
        if dice.below(3) == 0 {
            let Record::Message(new) = new(at.0, at.1, &content) else { unreachable!() };
            together.append(Record::Message(NewMessage { shared: Some(&shared), ..new }));
            published.push((at, content.body().to_vec()));
        } else {
            together.append(new(at.0, at.1, &message(&body)));
            published.push((at, body));
        }
        match dice.below(8) {
            0 => settled.push((at, hand.gone(at.0, at.1, 1))),
            1 | 2 => hand.commit(dice.below(2) == 0),
            3 => {
                hand.tidy();
            }
            4 => {
                let (at, body) = model.publish(dice);
                let position = hand.publish(at.0, at.1, &body);
                model.born(at, body, position);
            }
            _ => {}
        }
    }
    if dice.below(5) == 0 {
        return;
    }
    let position = together.commit();
    self::together(model, published, left, position);
    settled.into_iter().for_each(|(at, position)| model.gone(at, position));
}

fn crash_everywhere(seed: u64, every: u64, options: &Options) -> usize {
    let open = |disk: &FakeDisk| try_open(disk, options.clone()).unwrap();
    let mut operations = 1;
    loop {
        let disk = FakeDisk::default();
        let (mut model, mut dice) = (Model::default(), Dice(seed));
        let mut hand = open(&disk);
        disk.crash_after(operations);
        live(&mut hand, &mut model, &mut dice, 120);
        let done = hand.store.failure().is_none();
        let durable = hand.store.durable_position().0;
        for falls in 1..4 {
            let disk = disk.after_crash(seed ^ operations << 8 ^ falls);
            let mut hand = open(&disk);
            let mut model = model.clone();
            model.check(&hand, durable);
            // And on from there, to the next crash.
            model.settle(&hand);
            disk.crash_after(1 + operations % 17);
            live(&mut hand, &mut model, &mut Dice(seed + falls), 30);
            let durable = hand.store.durable_position().0;
            let hand = open(&disk.after_crash(falls));
            model.check(&hand, durable);
        }
        if done {
            let is_segment =
                |path: &PathBuf| path.extension().is_some_and(|ending| ending == "seg");
            return disk.paths().into_iter().filter(is_segment).count();
        }
        operations += every;
    }
}

#[test]
fn acknowledged_means_there_after_a_power_cut() {
    for seed in 1..12 {
        crash_everywhere(seed, 1, &options());
    }
}

#[test]
fn acknowledged_means_there_while_the_janitor_is_at_work() {
    let mut segments = 0;
    for seed in 1..12 {
        let small = Options { log_file: 2048, log_files: 2, ..options() };
        segments += crash_everywhere(seed, 1, &small);
    }
    assert!(segments > 5, "{segments}: otherwise this test says little");
}

#[test]
fn a_killed_process_loses_nothing_written() {
    for seed in 1..30 {
        let disk = FakeDisk::default();
        let (mut model, mut dice) = (Model::default(), Dice(seed));
        let mut hand = open(&disk);
        live(&mut hand, &mut model, &mut dice, 200);
        hand.commit(false);
        let last = hand.store.shared.progress.last_written();
        model.check(&open(&disk.after_kill()), last);
    }
}

#[test]
fn a_failed_sync_ends_the_store_for_good() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    let safe = hand.publish(1, 0, b"safe");
    hand.commit(true);
    disk.fail_syncs(true);
    let lost = hand.publish(1, 1, b"lost");
    hand.commit(true);
    disk.fail_syncs(false);
    let failure = hand.store.failure().expect("it has failed").to_string();
    assert!(failure.contains("cannot sync /data/wal/0000000000000001.wal"), "{failure}");
    hand.commit(true);
    assert_eq!(hand.store.durable_position(), safe);
    struct Nobody;
    impl Waiter for Nobody {
        fn durable(&self, _: LogPosition) {}
    }
    let nobody = Registration::new(Arc::new(Nobody));
    assert_eq!(hand.store.ask(safe, &nobody), Asked::Now);
    assert_eq!(hand.store.ask(lost, &nobody), Asked::Never);
}

#[test]
fn a_full_disk_ends_the_store_and_keeps_what_was_safe() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    disk.limit_space(Some(20_000));
    let mut position = 0;
    while hand.store.failure().is_none() {
        hand.publish(1, position, &[0; 500]);
        hand.commit(true);
        position += 1;
    }
    let safe = hand.store.durable_position().0;
    drop(hand);
    disk.limit_space(None);
    assert_eq!(open(&disk.after_crash(3)).all(1).len() as u64, safe);
}
