//! `warren check` and `warren --salvage`.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::{Warren, check, confirmed, durable, persist, refused, warren};

/// Messages of [`filled`].
const MESSAGES: u32 = 300;
const BODY: usize = 3000;

/// A data directory with everything that there can be: several files of the log, segments, a
/// catalogue and a snapshot of the definitions.
fn filled() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let broker = Warren::start(dir.path());
    let mut client = broker.client();
    assert_eq!(durable(&mut client, "q"), 0);
    for number in 0..MESSAGES {
        persist(&mut client, "q", &body(number));
        confirmed(&mut client, u64::from(number) + 1);
    }
    client.close();
    assert!(broker.stop().success());
    assert!(files(dir.path(), "wal").len() >= 2);
    assert!(!files(dir.path(), "seg").is_empty());
    assert!(!files(dir.path(), "meta").is_empty());
    dir
}

fn body(number: u32) -> Vec<u8> {
    let mut body = number.to_string().into_bytes();
    body.resize(BODY, b' ');
    body
}

/// The messages that a broker still has.
fn read_back(broker: &Warren) -> Vec<u32> {
    let mut client = broker.client();
    let count = durable(&mut client, "q");
    client.consume("q");
    let numbers = (0..count).map(|_| client.delivery().text().trim().parse().unwrap()).collect();
    client.close();
    numbers
}

/// The files in a part of a data directory, in order.
fn files(dir: &Path, part: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join(part)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_into(from, to.path());
    to
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy_into(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// A byte in the middle of what a file has becomes another.
fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x20;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_sound_directory_is_looked_at_and_stays_as_it_is() {
    let dir = filled();
    let before = snapshot(dir.path());
    let (status, said) = check(dir.path());
    assert_eq!(status, 0, "{said}");
    assert!(said.contains(&format!("1 queues with {MESSAGES} messages of ")), "{said}");
    assert!(said.ends_with("0 problems\n"), "{said}");
    assert_eq!(snapshot(dir.path()), before);
    assert_eq!(read_back(&Warren::start(dir.path())), (0..MESSAGES).collect::<Vec<_>>());
}

/// All files with their content.
fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(snapshot(&path));
        } else {
            all.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn damage_is_found_refused_and_salvaged() {
    let dir = filled();
    let log = files(dir.path(), "wal")[0].clone();
    flip(&log, 30_000);
    let (status, said) = check(dir.path());
    assert_eq!(status, 1, "{said}");
    assert!(said.contains(&format!("PROBLEM: {} is damaged at byte ", log.display())), "{said}");
    let said = refused(dir.path());
    assert!(said.contains(log.to_str().unwrap()) && said.contains("--salvage"), "{said}");

    let broker = Warren::salvage(dir.path());
    let log_of_it = broker.log();
    assert!(log_of_it.contains("salvaging: going on without it"), "{log_of_it}");
    assert!(log_of_it.contains("start without --salvage"), "{log_of_it}");
    let left = read_back(&broker);
    assert!(left.len() < MESSAGES as usize && left.len() > MESSAGES as usize / 2, "{left:?}");
    assert!(left.is_sorted());
    assert!(broker.stop().success());
    let (status, said) = check(dir.path());
    assert_eq!(status, 0, "{said}");
    assert_eq!(read_back(&Warren::start(dir.path())), left);
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let dir = filled();
    let broker = Warren::start(dir.path());
    let (status, said) = check(dir.path());
    assert_eq!(status, 2);
    assert!(said.contains("is in use by another process"), "{said}");
    let said = refused(dir.path());
    assert!(said.contains("is in use by another process"), "{said}");
    assert!(broker.stop().success());

    let other = tempfile::tempdir().unwrap();
    for path in [other.path(), &other.path().join("nowhere")] {
        let (status, said) = check(path);
        assert_eq!(status, 2);
        assert!(said.contains("is not a Warren data directory"), "{said}");
    }
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0, "nothing was made in it");

    let copied = copy(dir.path());
    let log = files(copied.path(), "wal")[0].clone();
    newer(&log);
    for said in [check(copied.path()).1, refused(copied.path())] {
        assert!(said.contains("has format 9") && said.contains("start the version"), "{said}");
    }
    assert_eq!(check(copied.path()).0, 2);
    assert_eq!(warren().arg("check").output().unwrap().status.code(), Some(2));
}

/// Makes a file say that it was written by a later version.
fn newer(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    fs::write(file, bytes).unwrap();
}
