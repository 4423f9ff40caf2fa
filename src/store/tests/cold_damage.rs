//! Segments and snapshots that are not as they were left.

use super::*;

/// A store most of whose messages stand in segments, stopped.
fn stopped() -> FakeDisk {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, Options { log_files: 2, ..options() }).unwrap();
    hand.store.append(Record::Put { key: b"q/1", value: b"one" });
    for position in 0..200 {
        hand.publish(1 + position % 2, position, &[position as u8; 100]);
        if position % 10 == 0 {
            hand.commit(true);
        }
    }
    hand.commit(true);
    hand.tidy_all();
    hand.stop();
    disk.after_kill()
}

fn files(disk: &FakeDisk, ending: &str) -> Vec<PathBuf> {
    let right = |path: &PathBuf| path.extension().is_some_and(|each| each == ending);
    disk.paths().into_iter().filter(right).collect()
}

fn salvage(disk: &FakeDisk) -> Hand {
    try_open(disk, Options { salvage: true, ..options() }).unwrap()
}

#[test]
fn a_sound_directory_has_no_problems() {
    let disk = stopped();
    let before = (disk.operations(), disk.paths());
    let report = check(&disk);
    assert_eq!(report.problems, [] as [String; 0]);
    assert_eq!((report.queues, report.messages, report.body_bytes), (2, 200, 20_000));
    assert_eq!((report.rows, report.segments), (1, files(&disk, "seg").len()));
    assert_eq!((disk.operations(), disk.paths()), before, "nothing was touched");
    let hand = open(&disk);
    assert_eq!(hand.all(1).len() + hand.all(2).len(), 200);
}

#[test]
fn every_flipped_bit_in_a_segment_shows() {
    let disk = stopped();
    for lost_catalog in [false, true] {
        let path = &files(&disk, "seg")[1];
        let len = disk.bytes(path).len();
        let mut shown = 0;
        for bit in (0..len * 8).step_by(101) {
            let disk = disk.after_kill();
            disk.damage(path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            if lost_catalog {
                disk.lose_catalog();
            }
            let problems = check(&disk).problems;
            let named = problems.iter().any(|text| text.contains(path.to_str().unwrap()));
            shown += usize::from(named);
            if !named {
                // Padding, or a footer that nobody needs while there is a catalogue.
                let hand = open(&disk);
                assert_eq!(hand.all(1).len() + hand.all(2).len(), 200, "bit {bit}");
            }
        }
        assert!(shown * 101 * 8 > len * 8 / 2, "{shown} of {len}");
    }
}

#[test]
fn a_damaged_message_in_a_segment_is_not_delivered_but_others_are() {
    let disk = stopped();
    let path = &files(&disk, "seg")[0];
    disk.damage(path, |bytes| bytes[64 + 100] ^= 1);
    let mut hand = open(&disk);
    let wanted = |from| Wanted { queue: QueueId(1), from, messages: 1, bytes: 1 };
    let text = hand.store.fetch(wanted(0)).unwrap_err().to_string();
    assert!(text.contains(&format!("{} is damaged at byte 64", path.display())), "{text}");
    assert_eq!(hand.store.fetch(wanted(2)).unwrap()[0].position, 2);
    // Once nobody wants it any more, the damage is nobody's.
    hand.gone(1, 0, 1);
    hand.commit(true);
    assert_eq!(hand.all(1).len(), 99);
    let report = check(&disk.after_kill());
    assert_eq!((report.messages, &report.problems[..]), (199, &[] as &[String]));
}

#[test]
fn a_missing_segment_shows() {
    for path in files(&stopped(), "seg") {
        let disk = stopped();
        disk.remove(&path).unwrap();
        let text = match try_open(&disk, options()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("it should not open"),
        };
        assert!(text.contains(path.to_str().unwrap()) && text.contains("missing"), "{text}");
        let hand = salvage(&disk);
        assert!((100..200).contains(&(hand.all(1).len() + hand.all(2).len())));
        assert_eq!(hand.recovered.lost.len(), 1);
    }
}

#[test]
fn salvage_leaves_a_sound_directory() {
    for lost_catalog in [false, true] {
        for (name, place) in [("header", 20), ("first record", 100), ("middle", 2000)] {
            let disk = stopped();
            let path = &files(&disk, "seg")[1];
            disk.damage(path, |bytes| bytes[place..place + 8].fill(0xee));
            if lost_catalog {
                disk.lose_catalog();
            }
            assert!(!check(&disk).problems.is_empty(), "{name}");
            let mut hand = salvage(&disk);
            let left = hand.all(1).len() + hand.all(2).len();
            assert!(left >= 198, "{name}: {left}");
            hand.tidy_all();
            hand.stop();
            let disk = disk.after_kill();
            let report = check(&disk);
            assert_eq!(report.problems, [] as [String; 0], "{name}");
            assert_eq!(report.messages, left as u64);
            open(&disk);
        }
    }
}

#[test]
fn a_damaged_footer_is_made_up_for_by_looking_at_everything() {
    let disk = stopped();
    let path = &files(&disk, "seg")[1];
    disk.damage(path, |bytes| {
        let end = bytes.len();
        bytes[end - 20..].fill(0xee);
    });
    let hand = open(&disk.after_kill());
    assert_eq!(hand.all(1).len() + hand.all(2).len(), 200, "the catalogue knows the runs");
    disk.lose_catalog();
    assert!(try_open(&disk, options()).is_err());
    let hand = salvage(&disk);
    assert_eq!(hand.all(1).len() + hand.all(2).len(), 200);
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    let disk = FakeDisk::default();
    let mut hand = try_open(&disk, Options { log_files: 2, ..options() }).unwrap();
    for round in 0..4u8 {
        hand.store.append(Record::Put { key: b"q/1", value: &[round] });
        for position in 0..60 {
            hand.publish(1, u64::from(round) * 60 + position, &[0; 100]);
        }
        hand.commit(true);
        hand.tidy_all();
    }
    let snapshots = files(&disk, "snap");
    assert_eq!(snapshots.len(), 2);
    for bit in 0..disk.bytes(&snapshots[1]).len() * 8 {
        let disk = disk.after_kill();
        disk.damage(&snapshots[1], |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        if check(&disk).problems.is_empty() {
            continue; // Padding.
        }
        disk.lose_catalog();
        let hand = open(&disk);
        let (key, value) = &hand.recovered.rows[0];
        assert!(key == b"q/1" && value[0] >= 2, "{value:?}");
    }
}
