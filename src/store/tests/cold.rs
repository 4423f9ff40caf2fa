//! Messages that outlive the log.

use super::*;
use crate::store::catalog::Tree;

fn small() -> Options {
    Options { log_files: 2, ..options() }
}

/// A store in which most of two queues has left the log.
fn moved(disk: &FakeDisk) -> Hand {
    let mut hand = try_open(disk, small()).unwrap();
    for position in 0..300 {
        hand.publish(1 + position % 2, position, format!("body {position}").as_bytes());
        if position % 10 == 0 {
            hand.commit(true);
        }
    }
    hand.commit(true);
    hand.tidy_all();
    hand
}

fn logs(disk: &FakeDisk) -> usize {
    disk.paths().iter().filter(|path| path.extension().is_some_and(|e| e == "wal")).count()
}

fn segment_files(disk: &FakeDisk) -> usize {
    disk.paths().iter().filter(|path| path.extension().is_some_and(|e| e == "seg")).count()
}

#[test]
fn they_are_fetched_in_order_wherever_they_stand() {
    let disk = FakeDisk::default();
    let mut hand = moved(&disk);
    assert!(segment_files(&disk) > 3, "{:?}", disk.paths());
    assert_eq!(logs(&disk), 2 + 2, "two in use, two ready");
    let want: Vec<u64> = (0..300).filter(|position| position % 2 == 0).collect();
    assert_eq!(hand.all(1).into_keys().collect::<Vec<_>>(), want);
    let mut got = Vec::new();
    while let Some(next) = fetch(&hand.store, 1, got.last().map_or(0, |last| last + 1), 7).last() {
        let from = got.last().map_or(0, |last| last + 1);
        for stored in fetch(&hand.store, 1, from, 7) {
            assert_eq!(body(&stored), format!("body {}", stored.position).as_bytes());
            got.push(stored.position);
        }
        assert_eq!(got.last(), Some(&next.position));
    }
    assert_eq!(got, want);

    hand.gone(1, 20, 1);
    hand.gone(1, 40, 31);
    hand.commit(true);
    let want: Vec<u64> =
        want.into_iter().filter(|at| *at != 20 && !(40..=70).contains(at)).collect();
    for hand in [hand, open(&disk.after_kill()), open(&disk.after_crash(7))] {
        assert_eq!(hand.all(1).into_keys().collect::<Vec<_>>(), want);
        assert_eq!(hand.all(2).len(), 150);
    }
}

/// Looks at a store after a kill, and after another one: what the first start did wrong shows then.
fn after_each_of_two_starts(mut disk: FakeDisk, look: impl Fn(&Hand)) {
    for _ in 0..2 {
        disk = disk.after_kill();
        let mut hand = try_open(&disk, small()).unwrap();
        hand.tidy_all();
        look(&hand);
    }
}

/// A checkpoint that was cut off is made again at the next start: of other runs, which must not be
/// taken for the ones that were left behind.
#[test]
fn a_checkpoint_that_was_cut_off_takes_nothing_from_the_next_one() {
    let before = FakeDisk::default();
    let mut hand = try_open(&before, options()).unwrap();
    for position in 0..100 {
        hand.publish(1 + position % 2, position, &[0; 100]);
        hand.commit(true);
    }
    let want = [hand.all(1), hand.all(2)];
    drop(hand);
    for operations in 0.. {
        let disk = before.after_kill();
        let began = disk.operations();
        disk.crash_after(operations);
        // Opening it may be what is cut off.
        if let Ok(mut hand) = try_open(&disk, small()) {
            hand.tidy_all();
        }
        let over = disk.operations() < began + operations;
        after_each_of_two_starts(disk, |hand| {
            assert_eq!([hand.all(1), hand.all(2)], want, "cut off after {operations}");
        });
        if over {
            assert!(operations > 50, "only {operations} operations");
            return;
        }
    }
}

/// What is acknowledged and merged in one checkpoint is still where it was if that is cut off.
#[test]
fn a_merge_that_was_cut_off_loses_nothing() {
    let before = FakeDisk::default();
    drop(moved(&before));
    // Of the older ones some stay here and there, so that their segments are sparse.
    let stays = |position: &u64| *position >= 120 || position % 40 < 2;
    let want: Vec<u64> = (0..300).filter(stays).collect();
    for operations in 0.. {
        let disk = before.after_kill();
        let mut hand = try_open(&disk, small()).unwrap();
        // A file is begun, so that nothing else is to be done below.
        hand.publish(3, 0, b"begins a file");
        hand.commit(true);
        hand.tidy_all();
        let began = disk.operations();
        disk.crash_after(operations);
        for first in [2, 42, 82] {
            hand.gone(1, first, 38);
            hand.gone(2, first, 38);
        }
        hand.commit(true);
        hand.tidy_all();
        drop(hand);
        let over = disk.operations() < began + operations;
        after_each_of_two_starts(disk, |hand| {
            let mut found = hand.all(1);
            found.append(&mut hand.all(2));
            let found: Vec<u64> = found.into_keys().filter(stays).collect();
            assert_eq!(found, want, "cut off after {operations}");
        });
        if over {
            assert!(operations > 10, "only {operations} operations");
            return;
        }
    }
}

#[test]
fn what_is_gone_gives_its_disk_back() {
    let disk = FakeDisk::default();
    let mut hand = moved(&disk);
    let before = segment_files(&disk);
    hand.gone(1, 0, 300);
    hand.commit(true);
    hand.tidy_all();
    assert_eq!(segment_files(&disk), before, "the other queue's messages are still there");
    hand.gone(2, 0, 280);
    hand.commit(true);
    hand.tidy_all();
    assert!(segment_files(&disk) <= 2, "{:?}", disk.paths());
    hand.store.append(Record::QueueDeleted { queue: QueueId(2) });
    hand.commit(true);
    hand.tidy_all();
    assert_eq!(segment_files(&disk), 0, "{:?}", disk.paths());
    assert_eq!(disk.rows_in(Tree::Runs), 0);
}

#[test]
fn nothing_is_moved_or_saved_when_messages_pass_through() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, small()).unwrap();
    for position in 0..1000 {
        hand.publish(1, position, &[0; 100]);
        hand.commit(true);
        hand.gone(1, position, 1);
        hand.tidy_all();
    }
    assert_eq!(segment_files(&disk), 0);
    assert_eq!(disk.rows_in(Tree::Meta) + disk.rows_in(Tree::Queue), 0);
    assert_eq!(logs(&disk), 4);
    hand.commit(true);
    let hand = open(&disk.after_kill());
    assert!(hand.all(1).is_empty());
    assert_eq!(hand.recovered.queues[0].next_position, 1000);
}

#[test]
fn stuck_messages_are_moved_together() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, small()).unwrap();
    for position in 0..2000 {
        hand.publish(1, position, &[0; 100]);
        if position % 10 == 9 {
            hand.commit(true);
            hand.tidy();
            // All but one in fifty are consumed a while after they came.
            if position > 400 {
                for gone in position - 400 - 9..=position - 400 {
                    if gone % 50 != 0 {
                        hand.gone(1, gone, 1);
                    }
                }
            }
        }
    }
    hand.commit(true);
    hand.tidy_all();
    // 400 that wait fill some 17, and fewer than eight of a size are left beside them.
    assert!(segment_files(&disk) < 28, "{}", segment_files(&disk));
    let stuck: Vec<u64> = hand.all(1).into_keys().take_while(|position| *position < 1500).collect();
    assert_eq!(stuck, (0..1500).step_by(50).collect::<Vec<_>>());
    assert_eq!(open(&disk.after_kill()).all(1), hand.all(1));
}

#[test]
fn a_lost_catalogue_is_built_anew_from_the_files() {
    let disk = FakeDisk::default();
    let mut hand = moved(&disk);
    hand.store.append(Record::Put { key: b"q/1", value: b"one" });
    hand.store.append(Record::Put { key: b"q/2", value: b"two" });
    hand.commit(true);
    for position in 300..500 {
        hand.publish(1, position, &[0; 100]);
    }
    hand.store.append(Record::Delete { key: b"q/2" });
    hand.commit(true);
    hand.tidy_all();
    assert!(disk.rows_in(Tree::Catalog) > 0, "the rows have left the log");
    let rows = vec![(b"q/1".to_vec(), b"one".to_vec())];
    let all = (hand.all(1), hand.all(2));
    for lost in [false, true] {
        let disk = disk.after_kill();
        if lost {
            disk.lose_catalog();
        }
        let mut hand = try_open(&disk, small()).unwrap();
        assert_eq!((hand.all(1), hand.all(2)), all);
        assert_eq!((&hand.recovered.rows, hand.recovered.rebuilt), (&rows, lost));
        // And it lasts.
        for position in 500..700 {
            hand.publish(1, position, &[0; 100]);
        }
        hand.commit(true);
        hand.tidy_all();
        let hand = try_open(&disk.after_crash(3), small()).unwrap();
        assert_eq!((hand.all(1).len(), hand.all(2)), (all.0.len() + 200, all.1.clone()));
        assert_eq!((&hand.recovered.rows, hand.recovered.rebuilt), (&rows, false));
    }
}

#[test]
fn delivery_counts_and_expiries_go_along() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, small()).unwrap();
    let delivered =
        |first, deliveries| Record::Delivered { queue: QueueId(1), first, count: 1, deliveries };
    let content = message(b"x");
    for position in 0..300 {
        let Record::Message(new) = new(1, position, &content) else { unreachable!() };
        let record = NewMessage { expires: Some(1000 + position), ..new };
        hand.store.append(Record::Message(record));
    }
    hand.store.append(delivered(3, 2));
    hand.commit(true);
    hand.tidy_all();
    hand.store.append(delivered(5, 7));
    hand.commit(true);
    for position in 300..500 {
        hand.publish(1, position, &[0; 100]);
    }
    hand.commit(true);
    hand.tidy_all();
    for hand in [hand, open(&disk.after_kill())] {
        let stored = fetch(&hand.store, 1, 0, 10);
        let counts: Vec<_> = stored.iter().map(|stored| stored.deliveries).collect();
        assert_eq!(counts, [0, 0, 0, 2, 0, 7, 0, 0, 0, 0]);
        assert_eq!(stored[4].expires, Some(1004));
        assert_eq!(hand.recovered.queues.len().min(1), hand.recovered.queues.len());
    }
}

#[test]
fn body_bytes_are_counted_without_those_that_left() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, small()).unwrap();
    for position in 0..300 {
        hand.publish(1, position, &vec![0; position as usize]);
    }
    hand.commit(true);
    hand.tidy_all();
    for position in (0..250).step_by(3) {
        hand.gone(1, position, 1);
    }
    hand.commit(true);
    let bytes: u64 = hand.all(1).keys().sum();
    let queue = open(&disk.after_kill()).recovered.queues[0];
    assert_eq!((queue.body_bytes, queue.messages), (bytes, hand.all(1).len() as u64));
}

#[test]
fn a_log_with_too_many_files_holds_publishers_back() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, Options { most_log_files: 4, ..small() }).unwrap();
    let mut position = 0;
    while hand.store.has_room() {
        hand.publish(1, position, &[0; 500]);
        hand.commit(false);
        position += 1;
        assert!(position < 100);
    }
    hand.tidy_all();
    assert!(hand.store.has_room());
    assert_eq!(hand.all(1).len() as u64, position);
}

#[test]
fn paged_out_messages_do_not_come_back_from_segments() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, small()).unwrap();
    let content = message(&[0; 50]);
    for position in 0..200 {
        let Record::Message(new) = new(1, position, &content) else { unreachable!() };
        let record = NewMessage { lasting: position % 3 == 0, ..new };
        hand.store.append(Record::Message(record));
    }
    hand.commit(true);
    hand.tidy_all();
    assert_eq!(hand.all(1).len(), 200);
    let back = open(&disk.after_kill()).all(1);
    assert_eq!(back.into_keys().collect::<Vec<_>>(), (0..200).step_by(3).collect::<Vec<_>>());
    disk.lose_catalog();
    let back = open(&disk.after_kill()).all(1);
    assert_eq!(back.into_keys().collect::<Vec<_>>(), (0..200).step_by(3).collect::<Vec<_>>());
}
