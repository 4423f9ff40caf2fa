//! What a store does when nothing goes wrong.

use super::*;

#[test]
fn what_was_stored_comes_back() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    for position in 0..100 {
        hand.publish(1, position, format!("body {position}").as_bytes());
    }
    hand.commit(true);
    hand.gone(1, 0, 50);
    hand.gone(1, 60, 1);
    hand.store.append(Record::Put { key: b"q/1", value: b"durable" });
    hand.store.append(Record::Put { key: b"q/2", value: b"durable" });
    hand.store.append(Record::Delete { key: b"q/2" });
    let rest = |hand: &Hand| hand.all(1).into_keys().collect::<Vec<_>>();
    hand.commit(true);
    assert_eq!(rest(&hand), (50..60).chain(61..100).collect::<Vec<_>>());
    hand.stop();

    let hand = open(&disk.after_kill());
    assert_eq!(rest(&hand), (50..60).chain(61..100).collect::<Vec<_>>());
    assert_eq!(hand.all(1)[&77], b"body 77");
    assert_eq!(hand.recovered.rows, [(b"q/1".to_vec(), b"durable".to_vec())]);
    let queue = RecoveredQueue {
        id: QueueId(1),
        next_position: 100,
        messages: 49,
        body_bytes: 49 * 7,
        timed: false,
    };
    assert_eq!(hand.recovered.queues, [queue]);
}

#[test]
fn what_left_before_it_was_written_never_is() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    hand.publish(1, 0, b"first");
    hand.commit(true);
    let before = disk.operations();
    let mut last = LogPosition(0);
    for position in 1..100 {
        hand.publish(1, position, b"passing by");
        last = hand.gone(1, position, 1);
    }
    hand.commit(true);
    assert_eq!(disk.operations(), before, "nothing is written and nothing synced");
    assert_eq!(hand.store.durable_position(), last);
    assert_eq!(hand.all(1).len(), 1);

    // Those that stay and those whose message was written before are told apart.
    for position in 100..110 {
        hand.publish(1, position, b"more");
    }
    hand.gone(1, 0, 1);
    hand.gone(1, 102, 3);
    hand.gone(1, 108, 2);
    hand.commit(true);
    let left = vec![100, 101, 105, 106, 107];
    assert_eq!(hand.all(1).into_keys().collect::<Vec<_>>(), left);
    let hand = open(&disk.after_crash(1));
    assert_eq!(hand.all(1).into_keys().collect::<Vec<_>>(), left);
}

#[test]
fn always_writes_everything() {
    let disk = FakeDisk::default();
    let always = Options { durability: Durability::Always, ..options() };
    let mut hand = try_open(&disk, always).unwrap();
    hand.publish(1, 0, b"passing by");
    hand.gone(1, 0, 1);
    let before = disk.syncs();
    hand.commit(false);
    assert!(disk.syncs() > before);
}

#[test]
fn nobody_waiting_means_no_sync() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    let position = hand.publish(1, 0, b"a");
    hand.commit(false);
    assert!(hand.store.durable_position() < position);
    let before = disk.syncs();
    hand.publish(1, 1, b"b");
    hand.commit(false);
    assert_eq!(disk.syncs(), before);
    hand.commit(true);
    assert_eq!((disk.syncs(), hand.store.durable_position()), (before + 1, LogPosition(2)));
}

#[test]
fn a_purge_and_a_delete_are_one_record() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    for queue in [1, 2] {
        for position in 0..50 {
            hand.publish(queue, position, b"x");
        }
    }
    hand.commit(true);
    hand.store.append(Record::Purge { queue: QueueId(1), before: 40 });
    hand.store.append(Record::QueueDeleted { queue: QueueId(2) });
    hand.commit(true);
    for hand in [hand, open(&disk.after_kill())] {
        assert_eq!(hand.all(1).into_keys().collect::<Vec<_>>(), (40..50).collect::<Vec<_>>());
        assert!(hand.all(2).is_empty());
    }
}

#[test]
fn a_fan_out_stores_its_content_once() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    let (big, shared) = (message(&[7; 2000]), SharedBody::default());
    for queue in 1..=8 {
        let Record::Message(new) = new(queue, 5, &big) else { unreachable!() };
        let new = NewMessage { shared: Some(&shared), expires: Some(queue), ..new };
        let new = NewMessage { lasting: queue != 3, ..new };
        hand.store.append(Record::Message(new));
        if queue == 4 {
            // The rest comes later, and the first one is done with by then.
            hand.gone(1, 5, 1);
            hand.commit(true);
        }
    }
    hand.commit(true);
    assert!(disk.bytes(&log_path(1)).len() < 4096, "eight times 2000 would not fit");
    let check = |hand: &Hand, passing: bool| {
        assert!(hand.all(1).is_empty());
        for queue in 2..=8 {
            let stored = fetch(&hand.store, queue, 0, 9);
            if queue == 3 && !passing {
                assert!(stored.is_empty());
            } else {
                assert_eq!((stored[0].position, stored[0].expires), (5, Some(queue)));
                assert_eq!(stored[0].message.body(), [7; 2000]);
            }
        }
    };
    check(&hand, true);
    check(&open(&disk.after_kill()), false);
}

#[test]
fn what_is_only_passing_is_not_there_after_a_restart() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    let message = message(b"paged out");
    for position in 0..10 {
        let Record::Message(new) = new(1, position, &message) else { unreachable!() };
        let new = NewMessage { lasting: position % 2 == 0, ..new };
        hand.store.append(Record::Message(new));
    }
    hand.commit(true);
    assert_eq!(hand.all(1).len(), 10);
    let hand = open(&disk.after_kill());
    assert_eq!(hand.all(1).into_keys().collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
    assert_eq!(hand.recovered.queues[0].next_position, 10);
}

#[test]
fn deliveries_are_counted_over_a_restart() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    for position in 0..4 {
        hand.publish(1, position, b"x");
    }
    let delivered = Record::Delivered { queue: QueueId(1), first: 1, count: 2, deliveries: 3 };
    hand.store.append(delivered);
    hand.commit(true);
    for hand in [hand, open(&disk.after_kill())] {
        let counts: Vec<_> = fetch(&hand.store, 1, 0, 9).iter().map(|m| m.deliveries).collect();
        assert_eq!(counts, [0, 3, 3, 0]);
    }
}

#[test]
fn a_message_larger_than_a_file_has_a_file_of_its_own() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    let bodies = [vec![1; 10], vec![2; 30_000], vec![3; 10], vec![4; 5_000], vec![5; 10]];
    for (position, body) in (0..).zip(&bodies) {
        hand.publish(1, position, body);
    }
    hand.commit(true);
    for hand in [hand, open(&disk.after_kill())] {
        assert_eq!(hand.all(1).into_values().collect::<Vec<_>>(), bodies);
    }
}

#[test]
fn fetching_stops_at_its_limits() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    for position in 0..20 {
        hand.publish(1, position, &[0; 100]);
    }
    hand.gone(1, 3, 2);
    hand.commit(true);
    let wanted = Wanted { queue: QueueId(1), from: 2, messages: 3, bytes: usize::MAX };
    let positions = |wanted| -> Vec<u64> {
        hand.store.fetch(wanted).unwrap().iter().map(|stored| stored.position).collect()
    };
    assert_eq!(positions(wanted), [2, 5, 6]);
    assert_eq!(positions(Wanted { bytes: 1, ..wanted }), [2], "one always comes");
    assert_eq!(positions(Wanted { bytes: 400, ..wanted }), [2, 5]);
    assert_eq!(positions(Wanted { from: 18, messages: 9, ..wanted }), [18, 19]);
    assert!(positions(Wanted { queue: QueueId(9), ..wanted }).is_empty());
}

#[test]
fn only_one_store_opens_a_directory() {
    let disk = FakeDisk::default();
    let hand = open(&disk);
    assert!(matches!(try_open(&disk, options()), Err(CannotOpen::InUse(_))));
    drop(hand);
    open(&disk);
}

#[test]
fn files_of_the_log_are_used_again_and_not_filled_anew() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, Options { log_files: 2, ..options() }).unwrap();
    hand.tidy_all();
    let mut demands = 0;
    for position in 0..100 {
        hand.publish(1, position, &[0; 1000]);
        hand.commit(true);
        hand.gone(1, position, 1);
        hand.commit(true);
        hand.tidy_all();
        if position == 50 {
            demands = disk.demands();
        }
    }
    assert!(hand.store.shared.oldest_log() > 20, "files come and go");
    assert_eq!(disk.demands(), demands, "nothing takes more room");
}
