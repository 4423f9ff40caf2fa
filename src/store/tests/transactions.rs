//! What counts only together, though others stand between.

use super::*;

fn positions(hand: &Hand, queue: u64) -> Vec<u64> {
    hand.all(queue).into_keys().collect()
}

#[test]
fn all_of_it_comes_back_or_nothing() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    hand.publish(1, 0, b"source");
    hand.commit(true);
    let together = hand.store.begin();
    together.append(new(2, 0, &message(b"target")));
    hand.publish(2, 1, b"another's");
    hand.commit(true);
    together.append(gone(1, 0, 1));
    together.append(new(3, 0, &message(b"target")));
    hand.commit(true);
    let nothing = disk.after_crash(1);
    assert_eq!(positions(&hand, 2), [0, 1], "what has come can be fetched at once");
    assert_eq!(positions(&hand, 1), [0], "what has left is not forgotten before it is sure");

    let position = together.commit();
    hand.commit(true);
    assert!(position <= hand.store.durable_position());
    assert_eq!(positions(&hand, 1), [0; 0]);
    let all = open(&disk.after_crash(1));
    assert_eq!((positions(&all, 1), positions(&all, 2)), (vec![], vec![0, 1]));
    assert_eq!(positions(&all, 3), [0]);

    // Twice, since what was left out still stands in the log.
    let mut nothing = nothing;
    for _ in 0..2 {
        let mut hand = open(&nothing);
        assert_eq!((positions(&hand, 1), positions(&hand, 2)), (vec![0], vec![1]));
        assert_eq!(positions(&hand, 3), [0; 0]);
        assert_eq!(hand.recovered.queues[1].next_position, 2);
        hand.publish(3, 1, b"life goes on");
        hand.commit(true);
        assert_eq!(positions(&hand, 3), [1]);
        hand.gone(3, 1, 1);
        hand.stop();
        nothing = nothing.after_kill();
    }
}

#[test]
fn what_is_settled_before_it_counts_stays_settled() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    let together = hand.store.begin();
    together.append(new(1, 0, &message(b"seen and acked")));
    together.append(new(1, 1, &message(b"seen")));
    hand.commit(true);
    hand.gone(1, 0, 1);
    hand.commit(true);
    together.commit();
    hand.commit(true);
    assert_eq!(positions(&open(&disk.after_crash(1)), 1), [1]);
}

#[test]
fn one_that_is_dropped_has_not_happened() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    hand.publish(1, 0, b"stays");
    let together = hand.store.begin();
    together.append(gone(1, 0, 1));
    together.append(new(1, 1, &message(b"never")));
    hand.commit(true);
    drop(together);
    hand.commit(true);
    assert_eq!(positions(&hand, 1), [0]);
    assert_eq!(positions(&open(&disk.after_crash(1)), 1), [0]);
}

#[test]
fn one_without_records_writes_nothing() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    let before = disk.operations();
    assert_eq!(hand.store.begin().commit(), LogPosition(0));
    drop(hand.store.begin());
    hand.commit(true);
    assert_eq!(disk.operations(), before);
}

/// The log goes on for many files while one is open, and nothing of it is moved or forgotten.
#[test]
fn the_log_waits_for_its_end() {
    for commits in [true, false] {
        let disk = FakeDisk::default();
        let small = Options { log_files: 2, ..options() };
        let mut hand = try_open(&disk, small.clone()).unwrap();
        hand.publish(1, 0, b"source");
        for position in 0..20 {
            hand.publish(2, position, &[0; 900]);
            hand.commit(true);
            hand.tidy_all();
        }
        assert!(disk.rows_in(catalog::Tree::Runs) > 0, "the source is in a segment");
        let together = hand.store.begin();
        together.append(gone(1, 0, 1));
        together.append(new(3, 0, &message(b"target")));
        for position in 20..60 {
            hand.publish(2, position, &[0; 900]);
            hand.commit(true);
            hand.tidy_all();
        }
        assert!(hand.store.shared.index.lock().logs.len() > 10);
        let hand_of = |disk: &FakeDisk| try_open(disk, small.clone()).unwrap();
        let nothing = hand_of(&disk.after_crash(1));
        assert_eq!((positions(&nothing, 1), positions(&nothing, 3)), (vec![0], vec![]));
        if commits {
            together.commit();
        } else {
            drop(together);
        }
        hand.commit(true);
        hand.tidy_all();
        assert!(hand.store.shared.index.lock().logs.len() <= 3);
        let (source, target) = if commits { (vec![], vec![0]) } else { (vec![0], vec![]) };
        for hand in [&hand, &hand_of(&disk.after_crash(1))] {
            assert_eq!((positions(hand, 1), positions(hand, 3)), (source.clone(), target.clone()));
        }
    }
}
