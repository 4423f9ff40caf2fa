//! When a catalogue must be left alone: in use, too new, of another kind, not ours to write.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use tempfile::TempDir;

use super::*;

/// Tells the child which directory it must fail to open.
const ORDERS: &str = "WARREN_CATALOG_TEST_READ_ONLY";

/// Somebody who may not write what root made.
const NOBODY: u32 = 65_534;

fn refusal(kind: Kind, dir: &Path) -> String {
    let before: Vec<_> =
        fs::read_dir(disk::parent(dir)).unwrap().map(|e| e.unwrap().path()).collect();
    let error = open(kind, dir).unwrap_err().to_string();
    let after: Vec<_> =
        fs::read_dir(disk::parent(dir)).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(before, after, "nothing was set aside");
    error
}

#[test]
fn opened_twice_is_in_use_and_stays_as_it_is() {
    for kind in KINDS {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("rows");
        let mut catalog = create(kind, &dir);
        catalog.apply(&[Change::put(Tree::Meta, "k", "v")]).unwrap();
        catalog.sync().unwrap();
        let error = refusal(kind, &dir);
        assert!(error.contains("in use by another process"), "{error}");
        // The database's own lock, should the seal be gone.
        fs::rename(dir.join("seal"), dir.join("hidden")).unwrap();
        let error = refusal(kind, &dir);
        assert!(error.contains("in use by another process"), "{error}");
        fs::rename(dir.join("hidden"), dir.join("seal")).unwrap();
        drop(catalog);
        assert_eq!(reopen(kind, &dir).get(Tree::Meta, b"k").unwrap().unwrap(), b"v");
    }
}

#[test]
fn a_newer_version_is_refused_before_anything_is_touched() {
    for kind in KINDS {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("rows");
        drop(create(kind, &dir));
        let mut bytes = fs::read(dir.join("seal")).unwrap();
        for at in [0, 512] {
            bytes[at + 8] = 2;
            let crc = crc32c::crc32c(&bytes[at..at + 60]).to_le_bytes();
            bytes[at + 60..at + 64].copy_from_slice(&crc);
        }
        fs::write(dir.join("seal"), bytes).unwrap();
        fs::remove_dir_all(dir.join("blobs")).ok();
        let error = refusal(kind, &dir);
        assert!(error.contains("newer version of Warren (its format is 2"), "{error}");
        assert!(!dir.join("blobs").exists(), "the database was not opened");
    }
}

#[test]
fn a_newer_version_row_is_refused_too() {
    let version = rows::own_key("version");
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("rows");
    drop(create(Kind::Sled, &dir));
    behind_its_back(&dir, |db| drop(db.insert(version, &[3, 0]).unwrap()));
    let error = refusal(Kind::Sled, &dir);
    assert!(error.contains("newer version of Warren (its format is 3"), "{error}");
}

#[test]
fn another_kind_is_refused() {
    for (made, asked) in [(Kind::Sled, Kind::Redb), (Kind::Redb, Kind::Sled)] {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("rows");
        drop(create(made, &dir));
        let error = refusal(asked, &dir);
        assert!(
            error.contains(&format!("is a {made} catalogue, but {asked} was asked")),
            "{error}"
        );
        drop(reopen(made, &dir));
    }
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    for kind in KINDS {
        let parent = TempDir::new().unwrap();
        fs::write(parent.path().join("rows"), "mine").unwrap();
        let error = refusal(kind, &parent.path().join("rows"));
        assert!(error.contains("name a directory"), "{error}");
    }
}

#[test]
fn a_slash_at_the_end_does_not_matter() {
    for kind in KINDS {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("rows");
        drop(create(kind, &dir));
        fs::write(dir.join("seal"), "nonsense").unwrap();
        let opened = open(kind, &parent.path().join("rows/")).unwrap();
        let Found::SetAside { to, .. } = opened.found else { panic!("{:?}", opened.found) };
        assert_eq!(to.parent(), Some(parent.path()));
    }
}

/// Not a test of its own: the body of the child, which is nobody.
#[test]
fn child() {
    let Ok(parent) = std::env::var(ORDERS) else { return };
    for kind in KINDS {
        for name in ["made", "empty"] {
            let error = refusal(kind, &Path::new(&parent).join(format!("{kind}-{name}")));
            assert!(error.contains("let the broker's user write there"), "{error}");
        }
    }
    println!("was refused");
}

#[test]
fn a_read_only_directory_is_refused() {
    let parent = TempDir::new().unwrap();
    for kind in KINDS {
        drop(create(kind, &parent.path().join(format!("{kind}-made"))));
    }
    for entry in fs::read_dir(parent.path()).unwrap() {
        set_mode(&entry.unwrap().path(), 0o555);
    }
    set_mode(parent.path(), 0o555);
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("{module}::child"), "--nocapture"]).env(ORDERS, parent.path());
    let is_root = fs::write(parent.path().join("probe"), "").is_ok();
    if is_root {
        child.uid(NOBODY).gid(NOBODY);
    }
    match child.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("was refused"), "{output:?}");
        }
        // As root under a home directory that nobody can read.
        Err(error) => println!("not tested, the child cannot start: {error}"),
    }
    for entry in fs::read_dir(parent.path()).unwrap() {
        set_mode(&entry.unwrap().path(), 0o755);
    }
    set_mode(parent.path(), 0o755);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
