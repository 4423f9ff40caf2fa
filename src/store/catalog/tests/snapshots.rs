//! Snapshots: what goes in comes out, and a damaged one is passed over.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::snapshot::{newest_valid, write, write_rows};
use super::*;

fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| name(e).unwrap()).collect();
    names.sort();
    names
}

fn with(queues: &[&str]) -> Memory {
    let mut catalog = Memory::default();
    let put = |queue: &&str| Change::put(Tree::Catalog, *queue, vec![7; 5_000]);
    catalog.apply(&queues.iter().map(put).collect::<Vec<_>>()).unwrap();
    catalog.apply(&[Change::put(Tree::Meta, "ckpt", "not a definition")]).unwrap();
    catalog
}

/// Two snapshots, of positions 5 with one queue and 9 with two.
fn two() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    write(dir.path(), 5, &with(&["q/1/a"])).unwrap();
    let newest = write(dir.path(), 9, &with(&["q/1/a", "q/1/b"])).unwrap();
    (dir, newest)
}

#[test]
fn the_definitions_come_back_from_the_newest() {
    let (dir, _) = two();
    let snapshot = newest_valid(dir.path()).unwrap().unwrap();
    assert_eq!(snapshot.lsn, 9);
    assert_eq!(snapshot.rows, with(&["q/1/a", "q/1/b"]).scan_prefix(Tree::Catalog, b"").unwrap());
    assert!(snapshot.skipped.is_empty());
}

#[test]
fn an_empty_one_is_a_snapshot_and_none_is_none() {
    let dir = TempDir::new().unwrap();
    let meta = dir.path().join("meta");
    assert!(newest_valid(&meta).unwrap().is_none());
    write_rows(&meta, 0, &[]).unwrap();
    assert_eq!(newest_valid(&meta).unwrap().unwrap().rows, []);
}

#[test]
fn the_last_two_are_kept_and_other_files_left_alone() {
    let (dir, _) = two();
    fs::write(dir.path().join("definitions-1.snap"), "no name of ours").unwrap();
    fs::write(dir.path().join("node-id"), "x").unwrap();
    write_rows(dir.path(), 0x1_0000_0003, &[]).unwrap();
    assert_eq!(
        names(dir.path()),
        [
            "definitions-0000000000000009.snap",
            "definitions-0000000100000003.snap",
            "definitions-1.snap",
            "node-id",
        ]
    );
}

#[test]
fn any_flipped_bit_and_any_cut_falls_back_to_the_one_before() {
    let (dir, newest) = two();
    let whole = fs::read(&newest).unwrap();
    let bits = (0..whole.len().min(64) * 8).chain((64..whole.len()).map(|byte| byte * 8 + 3));
    let flips = bits.map(|bit| {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let cuts = (0..whole.len()).step_by(97).map(|len| whole[..len].to_vec());
    for wrong in flips.chain(cuts) {
        fs::write(&newest, wrong).unwrap();
        let snapshot = newest_valid(dir.path()).unwrap().unwrap();
        assert_eq!((snapshot.lsn, snapshot.rows.len()), (5, 1));
        let text = snapshot.skipped[0].to_string();
        assert!(text.contains("0000000000000009.snap is no valid snapshot: "), "{text}");
    }
}

#[test]
fn a_well_summed_but_wrong_one_is_passed_over() {
    let (dir, newest) = two();
    let whole = fs::read(&newest).unwrap();
    let summed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole[..whole.len() - 4].to_vec();
        change(&mut bytes);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    };
    for (wrong, text) in [
        (summed(&|bytes| bytes[0] = b'w'), "does not begin as one"),
        (summed(&|bytes| bytes[16] = 8), "disagree about its position"),
        (summed(&|bytes| bytes[24] = 3), "more or fewer rows"),
        (summed(&|bytes| bytes[32..36].fill(0xFF)), "a row goes over its end"),
        (summed(&|bytes| bytes.truncate(20)), "shorter than its head"),
    ] {
        fs::write(&newest, wrong).unwrap();
        let skipped = newest_valid(dir.path()).unwrap().unwrap().skipped;
        assert!(skipped[0].to_string().contains(text), "{skipped:?}");
    }
    fs::write(&newest, summed(&|bytes| bytes[8] = 2)).unwrap();
    let error = newest_valid(dir.path()).unwrap_err().to_string();
    assert!(error.contains("newer version of Warren (its format is 2"), "{error}");
}

#[test]
fn when_all_are_damaged_it_says_so() {
    let (dir, newest) = two();
    fs::write(newest, "").unwrap();
    fs::write(dir.path().join("definitions-0000000000000005.snap"), "junk").unwrap();
    let error = newest_valid(dir.path()).unwrap_err().to_string();
    assert!(error.contains("0000000000000009.snap is no valid snapshot"), "{error}");
}

#[test]
fn a_crash_while_one_is_written_leaves_the_one_before() {
    let (dir, _) = two();
    fs::write(dir.path().join("definitions-000000000000000a.snap.tmp"), "half").unwrap();
    assert_eq!(newest_valid(dir.path()).unwrap().unwrap().lsn, 9);
    write_rows(dir.path(), 10, &[]).unwrap();
    assert_eq!(newest_valid(dir.path()).unwrap().unwrap().lsn, 10);
    assert_eq!(names(dir.path()).len(), 2);
}
