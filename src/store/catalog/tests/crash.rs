//! kill −9 in the middle of batches: what was synced is there, and no batch is there by half.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// Tells the child what to do: the kind and the directory.
const ORDERS: &str = "WARREN_CATALOG_TEST_CHILD";

/// What the catalogue holds after `batch`: each row of a batch bears its number, some of them in
/// several pieces, and some go away again.
fn batch(number: u32) -> Vec<Change> {
    let row = |n: u32| {
        let len = if n.is_multiple_of(5) { 9_000 } else { 100 };
        let value = number.to_le_bytes().repeat(len / 4);
        Change::put(Tree::ALL[n as usize % 6], (number.wrapping_mul(n) % 500).to_be_bytes(), value)
    };
    let gone = Change::delete(Tree::Queue, (number % 500).to_be_bytes());
    // Now and then one that sled has to spread over its segments of 512 KiB.
    let rows = if number.is_multiple_of(11) { 1_500 } else { 20 };
    (1..rows)
        .map(row)
        .chain([gone, Change::put(Tree::Meta, "batch", number.to_le_bytes())])
        .collect()
}

fn child_works_until_it_is_killed(kind: Kind, dir: &Path) {
    let mut catalog = open(kind, dir).unwrap().catalog;
    let done = catalog.get(Tree::Meta, b"batch").unwrap();
    let done = done.map_or(0, |number| u32::from_le_bytes(number.try_into().unwrap()));
    for number in done + 1.. {
        catalog.apply(&batch(number)).unwrap();
        if number.is_multiple_of(7) {
            catalog.sync().unwrap();
            println!("synced {number}");
        }
    }
}

/// Not a test of its own: the body of the child.
#[test]
fn child() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let (kind, dir) = orders.split_once(' ').unwrap();
    let kind = if kind == "sled" { Kind::Sled } else { Kind::Redb };
    child_works_until_it_is_killed(kind, &PathBuf::from(dir));
}

fn kill_after(kind: Kind, dir: &Path, syncs: usize, then: Duration) -> u32 {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::child"), "--nocapture"])
        .env(ORDERS, format!("{kind} {}", dir.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let number = |line: String| {
        let (_, number) = line.split_once("synced ")?;
        number.parse::<u32>().ok()
    };
    let mut last = lines.by_ref().filter_map(number).nth(syncs).unwrap();
    // Not waiting for an event: the point is to strike at no particular moment.
    std::thread::sleep(then);
    child.kill().unwrap();
    child.wait().unwrap();
    if let Some(later) = lines.filter_map(number).last() {
        last = later;
    }
    last
}

#[test]
fn killed_in_the_middle_of_batches_it_holds_what_was_synced() {
    for kind in KINDS {
        let dir = TempDir::new().unwrap();
        let mut expected = Memory::default();
        let mut applied = 0;
        for round in 0..8 {
            let then = Duration::from_micros(700 * round);
            let synced = kill_after(kind, dir.path(), 3, then);
            let catalog = reopen(kind, dir.path());
            let found = catalog.get(Tree::Meta, b"batch").unwrap().unwrap();
            let found = u32::from_le_bytes(found.try_into().unwrap());
            assert!(found >= synced, "{kind}: {found} is there, {synced} was synced");
            for number in applied + 1..=found {
                expected.apply(&batch(number)).unwrap();
            }
            applied = found;
            assert!(contents(&*catalog).unwrap() == contents(&expected).unwrap(), "{kind} {found}");
        }
    }
}
