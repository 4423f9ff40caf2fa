//! Files that are not as they were left: it shows, and the message says where.

use super::*;

/// A store with a few log files, stopped in good order.
fn stopped() -> FakeDisk {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    for position in 0..100 {
        hand.publish(1, position, &[position as u8; 100]);
        if position % 5 == 0 {
            hand.gone(1, position, 1);
            hand.commit(true);
        }
    }
    hand.stop();
    disk.after_kill()
}

fn refused(disk: &FakeDisk) -> String {
    match try_open(disk, options()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it should not open"),
    }
}

fn salvage(disk: &FakeDisk) -> Hand {
    try_open(disk, Options { salvage: true, ..options() }).unwrap()
}

fn logs(disk: &FakeDisk) -> Vec<PathBuf> {
    disk.paths().into_iter().filter(|path| path.extension().is_some()).collect()
}

/// Where the records of a log file end.
fn end_of(bytes: &[u8]) -> usize {
    let mut at = 64;
    while bytes.len() >= at + 4 && bytes[at..at + 4] != [0; 4] {
        let len = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        at += (len as usize).next_multiple_of(8);
    }
    at
}

#[test]
fn every_flipped_bit_in_the_log_shows() {
    let disk = stopped();
    let logs = logs(&disk);
    assert!(logs.len() > 3);
    let sound = open(&disk.after_kill()).all(1);
    for path in &logs {
        let bytes = disk.bytes(path);
        for bit in (0..end_of(&bytes) * 8).step_by(37) {
            let disk = disk.after_kill();
            disk.damage(path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            match try_open(&disk, options()) {
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains(path.to_str().unwrap()), "{text}");
                }
                // Padding is nobody's, and the last mark says nothing that would be missed.
                Ok(hand) => assert_eq!(hand.all(1), sound, "bit {bit} of {path:?}"),
            }
        }
    }
}

#[test]
fn zeros_in_the_middle_show() {
    for log in logs(&stopped()) {
        let disk = stopped();
        disk.damage(&log, |bytes| bytes[512..1024].fill(0));
        let text = refused(&disk);
        assert!(text.contains(log.to_str().unwrap()) && text.contains("at byte"), "{text}");
    }
}

#[test]
fn a_shortened_file_shows() {
    for log in logs(&stopped()).into_iter().rev().skip(1) {
        let disk = stopped();
        disk.damage(&log, |bytes| bytes.truncate(700));
        let text = refused(&disk);
        assert!(text.contains(log.to_str().unwrap()), "{text}");
    }
}

#[test]
fn a_missing_file_shows() {
    let logs = logs(&stopped());
    for log in &logs[..logs.len() - 1] {
        let disk = stopped();
        disk.remove(log).unwrap();
        let text = refused(&disk);
        assert!(text.contains(log.to_str().unwrap()) && text.contains("missing"), "{text}");
    }
}

/// A store whose files were filled ahead, as they are on real disks; and its newest log file. It was
/// killed, so that nothing says where the log ended.
fn killed() -> (FakeDisk, PathBuf) {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    for position in 0..100 {
        hand.tidy_all();
        hand.publish(1, position, &[position as u8; 100]);
        hand.commit(true);
    }
    hand.tidy_all();
    let blank = |path: &PathBuf| disk.bytes(path)[..64] == [0; 64];
    let newest = logs(&disk).into_iter().rev().find(|path| !blank(path)).unwrap();
    assert!(logs(&disk).last() != Some(&newest), "there are files that are ready");
    (disk.after_kill(), newest)
}

#[test]
fn the_newest_file_cut_short_shows() {
    let (disk, newest) = killed();
    let sound = open(&disk.after_kill()).all(1);
    assert_eq!(sound.len(), 100);
    for keep in (64..disk.bytes(&newest).len()).step_by(101) {
        let disk = disk.after_kill();
        disk.damage(&newest, |bytes| bytes.truncate(keep));
        let text = refused(&disk);
        assert!(text.contains(newest.to_str().unwrap()), "{text}");
        assert!(text.contains("shorter") || text.contains("at byte"), "{text}");
        let left = salvage(&disk).all(1);
        assert!(left.len() >= 50 && left.iter().all(|one| sound.get(one.0) == Some(one.1)));
    }
}

#[test]
fn the_newest_file_missing_shows() {
    let (disk, newest) = killed();
    disk.remove(&newest).unwrap();
    // And it still does at the second attempt.
    for _ in 0..2 {
        let text = refused(&disk);
        assert!(text.contains(newest.to_str().unwrap()) && text.contains("missing"), "{text}");
    }
    let mut hand = salvage(&disk);
    assert!((50..100).contains(&hand.all(1).len()));
    hand.publish(1, 1000, b"after");
    hand.commit(true);
    let all = hand.all(1);
    hand.tidy_all();
    hand.stop();
    assert_eq!(open(&disk.after_kill()).all(1), all);
}

#[test]
fn a_torn_end_is_no_damage() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    for position in 0..10 {
        hand.publish(1, position, &[1; 100]);
        hand.commit(true);
    }
    let log = log_path(1);
    let before = disk.bytes(&log).len() - 8;
    hand.publish(1, 10, &[1; 100]);
    hand.commit(false);
    // Any part of the last write may be missing, as after a power cut: it was never confirmed.
    for keep in before..=disk.bytes(&log).len() {
        let disk = disk.after_kill();
        disk.damage(&log, |bytes| bytes.truncate(keep));
        match try_open(&disk, options()) {
            Ok(hand) => assert!(hand.all(1).len() >= 10),
            Err(error) => panic!("{keep}: {error}"),
        }
    }
}

#[test]
fn salvage_keeps_what_can_be_read() {
    let disk = stopped();
    let sound = open(&disk.after_kill()).all(1);
    for log in logs(&disk) {
        let disk = disk.after_kill();
        disk.damage(&log, |bytes| bytes[600..610].fill(0xee));
        let hand = salvage(&disk);
        let lost = sound.keys().filter(|position| !hand.all(1).contains_key(position)).count();
        assert!((1..20).contains(&lost), "{lost} lost of {}", sound.len());

        let disk = disk.after_kill();
        disk.remove(&log).unwrap();
        let left = salvage(&disk).all(1).len();
        assert!(left > sound.len() / 2, "{left} left of {}", sound.len());
    }
}

#[test]
fn what_was_salvaged_opens_again() {
    let disk = stopped();
    let log = logs(&disk)[1].clone();
    disk.damage(&log, |bytes| bytes[600..610].fill(0xee));
    let mut hand = salvage(&disk);
    hand.publish(1, 1000, b"after");
    hand.commit(true);
    let all = hand.all(1);
    assert_eq!(hand.recovered.lost.len(), 1, "{:?}", hand.recovered.lost);
    hand.tidy_all();
    hand.stop();
    let hand = open(&disk.after_kill());
    assert_eq!(hand.all(1), all);
    assert!(hand.recovered.lost.is_empty());
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let disk = stopped();
    let log = logs(&disk)[0].clone();
    disk.damage(&log, |bytes| {
        bytes[8] = 9;
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    });
    let text = refused(&disk);
    assert!(text.contains("has format 9, and this broker knows 2"), "{text}");
}

#[test]
fn an_older_format_is_read() {
    let disk = stopped();
    let all = open(&disk.after_kill()).all(1);
    for log in logs(&disk) {
        disk.damage(&log, |bytes| {
            bytes[8] = 1;
            let crc = crc32c::crc32c(&bytes[..60]);
            bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        });
    }
    assert_eq!(open(&disk).all(1), all);
}

#[test]
fn a_file_of_another_directory_is_refused() {
    let (disk, other) = (stopped(), stopped());
    let log = logs(&disk)[1].clone();
    let foreign = other.bytes(&log);
    disk.damage(&log, |bytes| *bytes = foreign);
    let text = refused(&disk);
    assert!(text.contains("belongs to another data directory"), "{text}");
}

#[test]
fn a_damaged_message_is_not_delivered() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    hand.publish(1, 0, &[1; 100]);
    hand.commit(true);
    disk.damage(&log_path(1), |bytes| bytes[200] ^= 1);
    let wanted = Wanted { queue: QueueId(1), from: 0, messages: 1, bytes: 1 };
    let text = hand.store.fetch(wanted).unwrap_err().to_string();
    assert!(text.contains("0000000000000001.wal is damaged at byte 104"), "{text}");
}

#[test]
fn those_in_front_of_a_damaged_message_and_behind_it_are_delivered() {
    let disk = FakeDisk::default();
    let mut hand = open(&disk);
    for position in 0..6 {
        hand.publish(1, position, &[position as u8; 100]);
    }
    hand.commit(true);
    let bytes = disk.bytes(&log_path(1));
    let at = bytes.windows(100).position(|window| window == [3; 100]).unwrap();
    disk.damage(&log_path(1), |bytes| bytes[at] ^= 1);
    let wanted = |from| Wanted { queue: QueueId(1), from, messages: 10, bytes: 10_000 };
    let positions =
        |from| Vec::from_iter(hand.store.fetch(wanted(from)).unwrap().iter().map(|m| m.position));
    assert_eq!(positions(0), [0, 1, 2]);
    let why = hand.store.fetch(wanted(3)).unwrap_err();
    assert!(matches!(why, CannotFetch::Damaged { position: 3, .. }), "{why}");
    assert_eq!(positions(4), [4, 5]);
}
