//! The disk has no room for some time: the store waits, loses nothing, and makes room
//! where it can.

use std::time::Duration;

use super::*;

/// Small files and short waits.
fn options() -> Options {
    let ms = Duration::from_millis(1);
    let small = Options { log_file: 4096, log_files: 2, most_log_files: 6, ..Options::new(DIR) };
    Options { patience: ms, lazy: ms, ..small }
}

fn run(disk: &FakeDisk, options: Options) -> Arc<Store> {
    Store::run_on(Arc::new(disk.clone()), options, catalog_on(disk)).unwrap().0
}

/// A life with everything that a store writes: files of the log, segments that come and go, rows.
/// Returns what is there in the end.
fn live(store: &Store) -> BTreeMap<u64, Vec<u8>> {
    let mut last = LogPosition::default();
    for position in 0..60 {
        store.append(Record::Put { key: &[position as u8 % 5], value: &[7; 20] });
        last = store.append(new(1, position, &message(&[position as u8; 300])));
        if position % 4 == 3 {
            assert!(store.wait(last), "{:?}", store.failure());
            // The last of them stays.
            last = store.append(gone(1, position - 3, 3));
        }
    }
    assert!(store.wait(last), "{:?}", store.failure());
    all(store, 1)
}

#[test]
fn it_waits_wherever_there_is_no_room_and_loses_nothing() {
    let want = live(&run(&FakeDisk::default(), options()));
    assert_eq!(want.len(), 15);
    for granted in 0.. {
        let disk = FakeDisk::default();
        let store = run(&disk, options());
        disk.refuse(granted, 3);
        assert_eq!(live(&store), want, "refused after {granted}");
        drop(store);
        for after in [disk.after_kill(), disk.after_crash(granted)] {
            let hand = open(&after);
            assert_eq!(hand.all(1), want, "refused after {granted}");
            assert_eq!(hand.recovered.rows.len(), 5);
            drop(hand);
            let mut problems = check(&after).problems;
            // A crash before the first checkpoint was safe leaves segments and no catalogue.
            problems.retain(|problem| !problem.contains("would be built anew"));
            assert_eq!(problems, [] as [String; 0]);
        }
        if !disk.has_refused() {
            assert!(granted > 20, "only {granted} demands");
            return;
        }
    }
}

#[test]
fn what_is_acknowledged_makes_room_on_a_full_disk() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, Options { log_files: 2, ..super::options() }).unwrap();
    let publish = |hand: &mut Hand, position| {
        hand.publish(1, position, &[0; 1000]);
        hand.commit(true);
        hand.tidy_all();
    };
    (0..40).for_each(|position| publish(&mut hand, position));
    let segments = || disk.paths().iter().filter(|path| path.starts_with("/data/seg")).count();
    assert!(segments() > 5);
    disk.limit_space(Some(0));
    hand.gone(1, 0, 40);
    hand.commit(true);
    hand.tidy_all();
    assert_eq!(segments(), 0);
    // The files that are there do, as long as what comes also goes.
    for position in 40..80 {
        publish(&mut hand, position);
        hand.gone(1, position, 1);
    }
    assert!(hand.store.failure().is_none(), "{:?}", hand.store.failure());
}
