//! The store with its threads, on a real disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

#[derive(Default)]
struct Woken(AtomicUsize, parking_lot::Condvar, Mutex<LogPosition>);

impl Waiter for Woken {
    fn durable(&self, position: LogPosition) {
        self.0.fetch_add(1, Ordering::Relaxed);
        *self.2.lock() = position;
        self.1.notify_all();
    }
}

impl Woken {
    fn wait(&self, position: LogPosition) {
        let mut durable = self.2.lock();
        while *durable < position {
            self.1.wait(&mut durable);
        }
    }
}

#[test]
fn many_publish_and_each_hears_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { log_file: 1 << 20, ..Options::new(dir.path()) };
    let (store, _) = Store::open(options.clone()).unwrap();
    std::thread::scope(|scope| {
        for queue in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                let woken = Arc::new(Woken::default());
                let registration = Registration::new(woken.clone());
                let message = message(&[queue as u8; 100]);
                for round in 0..200 {
                    let mut last = LogPosition(0);
                    for n in 0..20 {
                        last = store.append(new(queue, round * 20 + n, &message));
                        if store.ask(last, &registration) == Asked::Now {
                            continue;
                        }
                    }
                    if round % 2 == 0 {
                        store.commit_here();
                    }
                    while store.durable_position() < last {
                        match store.ask(last, &registration) {
                            Asked::Now => {}
                            Asked::Later => woken.wait(LogPosition(1)),
                            Asked::Never => panic!("the store has failed"),
                        }
                        std::thread::yield_now();
                    }
                    store.append(gone(queue, round * 20, 10));
                }
            });
        }
    });
    drop(store);
    let (store, recovered) = Store::open(options).unwrap();
    assert_eq!(recovered.queues.len(), 4);
    for queue in 0..4 {
        let want: Vec<u64> = (0..4000).filter(|position| position % 20 >= 10).collect();
        assert_eq!(all(&store, queue).into_keys().collect::<Vec<_>>(), want);
    }
}

/// An orderly stop lost acks: the store was closed while a dead letter was between two queues.
#[test]
fn what_is_under_way_arrives_before_the_store_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(Options::new(dir.path())).unwrap();
    let together = store.begin();
    together.append(new(1, 0, &message(b"on its way")));
    let (closed, is_closed) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            store.close();
            closed.send(()).unwrap();
        });
        let early = is_closed.recv_timeout(Duration::from_millis(100));
        assert!(early.is_err(), "it waits for the transaction");
        together.commit();
    });
    drop(store);
    let (store, _) = Store::open(Options::new(dir.path())).unwrap();
    assert_eq!(all(&store, 1).into_keys().collect::<Vec<_>>(), [0]);
}

#[test]
fn who_waits_alone_commits_alone() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { log_file: 64 << 10, ..Options::new(dir.path()) };
    let (store, _) = Store::open(options.clone()).unwrap();
    let content = message(&[7; 1000]);
    let mut here = 0;
    for position in 0..500 {
        let last = store.append(new(1, position, &content));
        store.commit_here();
        here += usize::from(store.durable_position() >= last);
        assert!(store.wait(last));
    }
    // Not where a file is at its end, nor where files are not filled ahead.
    assert!(here > 0 || !RealDisk.overwrites_in_place(dir.path()));
    drop(store);
    let (store, _) = Store::open(options).unwrap();
    assert_eq!(all(&store, 1).len(), 500);
}

#[test]
fn one_commit_wakes_a_session_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(Options::new(dir.path())).unwrap();
    let woken = Arc::new(Woken::default());
    let registration = Registration::new(woken.clone());
    let content = message(b"x");
    let records: Vec<_> = (0..1000).map(|position| new(1, position, &content)).collect();
    let last = store.append_all(records);
    for position in 1..=1000 {
        assert_ne!(store.ask(LogPosition(position), &registration), Asked::Never);
    }
    woken.wait(last);
    assert!(woken.0.load(Ordering::Relaxed) <= 3, "{woken_count:?}", woken_count = woken.0);
}

#[test]
fn a_fetch_sees_what_was_appended_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(Options::new(dir.path())).unwrap();
    let (store, content) = (&store, message(b"x"));
    std::thread::scope(|scope| {
        for queue in 1..4 {
            let content = &content;
            scope.spawn(move || {
                let woken = Arc::new(Woken::default());
                let registration = Registration::new(woken);
                for position in 0..3_000 {
                    // That somebody asks has the log write while the fetch looks.
                    let last = store.append(new(queue, position, content));
                    let _ = store.ask(last, &registration);
                    let stored = fetch(store, queue, position, 1);
                    let found: Vec<_> = stored.iter().map(|s| s.position).collect();
                    assert_eq!(found, [position]);
                }
            });
        }
    });
}

#[test]
fn what_nobody_waits_for_is_durable_soon() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(Options::new(dir.path())).unwrap();
    let last = store.append(new(1, 0, &message(b"x")));
    // Nobody asks; the test itself gives up after a while.
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while store.durable_position() < last && std::time::Instant::now() < patience {
        std::thread::yield_now();
    }
    assert_eq!(store.durable_position(), last);
}

#[test]
fn a_full_inbox_says_so_and_says_when_it_is_not() {
    struct Room(Mutex<bool>, parking_lot::Condvar);
    impl Waiter for Room {
        fn durable(&self, _: LogPosition) {}
        fn room(&self) {
            *self.0.lock() = true;
            self.1.notify_all();
        }
    }
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, Options { room: 10_000, ..options() }).unwrap();
    let room = Arc::new(Room(Mutex::default(), parking_lot::Condvar::new()));
    let registration = Registration::new(room.clone());
    assert_eq!(hand.store.ask_for_room(&registration), Asked::Now);
    let mut position = 0;
    while hand.store.has_room() {
        hand.publish(1, position, &[0; 1000]);
        position += 1;
    }
    assert_eq!(position, 10);
    assert_eq!(hand.store.ask_for_room(&registration), Asked::Later);
    hand.commit(false);
    assert!(*room.0.lock() && hand.store.has_room());
}

/// A life with everything in it: the janitor at work, a real catalogue, and restarts.
fn live_on_disk(kind: catalog::Kind) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        log_file: 64 << 10,
        log_files: 2,
        most_log_files: 6,
        catalog: kind,
        ..Options::new(dir.path())
    };
    let mut next = 0;
    for round in 0..4u8 {
        let (store, recovered) = Store::open(options.clone()).unwrap();
        assert!(!recovered.rebuilt);
        let rows = (0..round).map(|round| (vec![round], vec![round; 10])).collect::<Vec<_>>();
        assert_eq!(recovered.rows, rows);
        let row = store.append(Record::Put { key: &[round], value: &[round; 10] });
        std::thread::scope(|scope| {
            for queue in 0..3u64 {
                let store = &store;
                scope.spawn(move || {
                    for position in next..next + 3000 {
                        while !store.has_room() {
                            std::thread::yield_now();
                        }
                        let body = format!("{queue} {position}");
                        store.append(new(queue, position, &message(body.as_bytes())));
                        // One in seven is never consumed; one queue is slow.
                        let behind = 40 + 1000 * queue;
                        if position >= behind && (position - behind) % 7 > 0 {
                            store.append(gone(queue, position - behind, 1));
                        }
                        if position % 500 == 0 {
                            let from = position.saturating_sub(800);
                            for stored in fetch(store, queue, from, 50) {
                                let want = format!("{queue} {}", stored.position);
                                assert_eq!(stored.message.body(), want.as_bytes());
                            }
                        }
                    }
                });
            }
        });
        next += 3000;
        assert!(store.wait(row));
        assert!(store.failure().is_none());
        for queue in 0..3u64 {
            let behind = 40 + 1000 * queue;
            let stays = |position: &u64| position + behind >= next || position.is_multiple_of(7);
            let want: Vec<u64> = (0..next).filter(stays).collect();
            assert_eq!(all(&store, queue).into_keys().collect::<Vec<_>>(), want);
        }
        drop(store);
        let report = check::check(&options.dir).unwrap();
        assert_eq!(report.problems, [] as [String; 0], "{report}");
    }
}

#[test]
fn it_lives_on_a_disk_with_sled() {
    live_on_disk(catalog::Kind::Sled);
}

#[test]
fn it_lives_on_a_disk_with_redb() {
    live_on_disk(catalog::Kind::Redb);
}

#[test]
fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(Options::new(dir.path())).unwrap();
    let text = Store::open(Options::new(dir.path())).unwrap_err().to_string();
    assert!(text.contains("in use by another process"), "{text}");
    assert!(matches!(check::check(dir.path()), Err(CannotOpen::InUse(_))));
    drop(store);
    Store::open(Options::new(dir.path())).unwrap();
}
