//! What happens to files: deleted, cut short, a bit flipped, an old state brought back.
//!
//! Each time the catalogue is either whole, or set aside with a reason, or refused with one. It is
//! never quietly poorer, and never panics.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// How many places of each file get a flipped bit.
const FLIPS: u64 = 40;

/// A catalogue that was opened twice, so that each database has all its files, and was not opened
/// since, so that what it wrote last stands in no snapshot of sled's.
fn fill(kind: Kind, dir: &Path) -> Vec<(Tree, Vec<Row>)> {
    let mut expected = Memory::default();
    for half in 0..2 {
        let mut catalog = open(kind, dir).unwrap().catalog;
        for n in 0..400_u32 {
            let len = if n.is_multiple_of(50) { 9_000 } else { 150 };
            let key = (1_000 * half + n).to_be_bytes();
            let change = [Change::put(Tree::ALL[n as usize % 6], key, vec![n as u8; len])];
            catalog.apply(&change).unwrap();
            expected.apply(&change).unwrap();
        }
        catalog.sync().unwrap();
    }
    contents(&expected).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// Does something to a copy of a catalogue, opens it, and says what became of it.
fn after(
    kind: Kind,
    original: &Path,
    expected: &[(Tree, Vec<Row>)],
    damage: impl FnOnce(&Path),
) -> &'static str {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("rows");
    copy(original, &dir);
    damage(&dir);
    let mut opened = match open(kind, &dir) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(error.to_string().len() > 40, "{error}");
            return "refused";
        }
    };
    match opened.found {
        Found::Existing => {
            assert!(contents(&*opened.catalog).unwrap() == expected, "{kind} is quietly poorer");
            "whole"
        }
        Found::New => "new",
        Found::SetAside { to, why } => {
            assert!(to.to_str().unwrap().contains("rows.bad-"), "{to:?}");
            assert!(to.is_dir());
            assert!(why.to_string().contains(" is damaged: "), "{why}");
            opened.catalog.apply(&[Change::put(Tree::Meta, "k", "v")]).unwrap();
            opened.catalog.sync().unwrap();
            drop(opened.catalog);
            assert_eq!(reopen(kind, &dir).get(Tree::Meta, b"k").unwrap().unwrap(), b"v");
            "set aside"
        }
    }
}

#[test]
fn a_deleted_directory_is_a_new_catalogue() {
    for kind in KINDS {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("deep/down/rows");
        fill(kind, &dir);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(contents(&*create(kind, &dir)).unwrap().iter().flat_map(|(_, r)| r).count(), 0);
    }
}

#[test]
fn a_deleted_file_is_noticed() {
    for kind in KINDS {
        let original = TempDir::new().unwrap();
        let expected = fill(kind, original.path());
        for path in files(original.path()) {
            let name = path.strip_prefix(original.path()).unwrap();
            let became = after(kind, original.path(), &expected, |dir| {
                fs::remove_file(dir.join(name)).unwrap();
            });
            assert!(became == "set aside" || became == "whole", "{kind} {name:?}: {became}");
        }
    }
}

#[test]
fn a_truncated_file_is_noticed() {
    for kind in KINDS {
        let original = TempDir::new().unwrap();
        let expected = fill(kind, original.path());
        for path in files(original.path()) {
            let name = path.strip_prefix(original.path()).unwrap();
            let len = fs::metadata(&path).unwrap().len();
            for to in [0, 1, 7, 60, len / 4, len / 2, len * 3 / 4, len.saturating_sub(1)] {
                let became = after(kind, original.path(), &expected, |dir| {
                    let file = fs::OpenOptions::new().write(true).open(dir.join(name)).unwrap();
                    file.set_len(to).unwrap();
                });
                assert_ne!(became, "refused", "{kind} {name:?} to {to}");
                assert_ne!(became, "new", "{kind} {name:?} to {to}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_any_file_is_noticed_or_does_no_harm() {
    for kind in KINDS {
        let original = TempDir::new().unwrap();
        let expected = fill(kind, original.path());
        let mut damaged = 0;
        for path in files(original.path()) {
            let name = path.strip_prefix(original.path()).unwrap();
            let len = fs::metadata(&path).unwrap().len();
            for n in 0..FLIPS.min(len) {
                // Close together at the beginning, where heads are, and further apart later.
                let at = (len - 1) * n * n / (FLIPS * FLIPS);
                let became = after(kind, original.path(), &expected, |dir| {
                    let mut bytes = fs::read(dir.join(name)).unwrap();
                    bytes[at as usize] ^= 1 << (n % 8);
                    fs::write(dir.join(name), bytes).unwrap();
                });
                assert_ne!(became, "refused", "{kind} {name:?} at {at}");
                assert_ne!(became, "new", "{kind} {name:?} at {at}");
                damaged += u32::from(became == "set aside");
            }
        }
        assert!(damaged > 5, "{kind}: only {damaged} flips were noticed");
    }
}

#[test]
fn an_older_state_of_the_database_is_noticed() {
    for kind in KINDS {
        let original = TempDir::new().unwrap();
        let old = TempDir::new().unwrap();
        fill(kind, original.path());
        copy(original.path(), old.path());
        let mut catalog = reopen(kind, original.path());
        for n in 0..3_u8 {
            catalog.apply(&[Change::put(Tree::Meta, "ckpt", [n])]).unwrap();
        }
        catalog.sync().unwrap();
        drop(catalog);
        let opened = {
            fs::copy(original.path().join("seal"), old.path().join("seal")).unwrap();
            open(kind, old.path()).unwrap()
        };
        let Found::SetAside { to, why } = opened.found else { panic!("{:?}", opened.found) };
        assert!(why.to_string().contains("the last 3 synced batches are missing"), "{why}");
        fs::remove_dir_all(to).unwrap();
    }
}

#[test]
fn a_crash_while_it_is_made_leaves_a_new_one() {
    for kind in KINDS {
        let dir = TempDir::new().unwrap();
        drop(create(kind, dir.path()));
        fs::remove_file(dir.path().join("seal")).unwrap();
        drop(create(kind, dir.path()));
        drop(reopen(kind, dir.path()));
    }
}

#[test]
fn rows_that_came_or_went_behind_its_back_are_noticed() {
    let row = |key: &[u8], value: &[u8]| {
        let mut writes = Vec::new();
        rows::encode(&rows::full_key(Tree::Queue, key), value, &mut writes);
        writes.pop().unwrap()
    };
    type Damage<'a> = &'a dyn Fn(&::sled::Db);
    let tests: [(&str, Damage<'_>); 5] = [
        ("a row too few", &|db| drop(db.remove(row(b"a", b"").0).unwrap())),
        ("a row too many", &|db| drop(db.insert(row(b"c", b"").0, row(b"c", b"").1.unwrap()))),
        ("an old value", &|db| drop(db.insert(row(b"a", b"old").0, row(b"a", b"old").1.unwrap()))),
        ("a stray piece", &|db| drop(db.insert(rows::piece_key(b"\x02a", 7), "").unwrap())),
        ("a stray key", &|db| drop(db.insert("stray", "").unwrap())),
    ];
    for (name, change) in tests {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("rows");
        let mut catalog = create(Kind::Sled, &dir);
        for key in ["a", "b"] {
            catalog.apply(&[Change::put(Tree::Queue, key, "value")]).unwrap();
        }
        drop(catalog);
        behind_its_back(&dir, change);
        let found = open(Kind::Sled, &dir).unwrap().found;
        let Found::SetAside { why, .. } = found else { panic!("{name}: {found:?}") };
        let text = why.to_string();
        assert!(text.contains("none of ours") || text.contains("that were written"), "{text}");
    }
}
