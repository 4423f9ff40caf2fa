//! The few things one does to files so that they are still there after a power cut.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::CatalogError;

/// How many directories may be set aside within one second.
const MOST_SET_ASIDE: u32 = 100;

/// Makes entries of a directory (created, renamed, removed files) durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), CatalogError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(CatalogError::io("sync", dir))
}

/// Makes every file in a directory durable, and then the directory.
pub(super) fn sync_tree(dir: &Path) -> Result<(), CatalogError> {
    for entry in fs::read_dir(dir).map_err(CatalogError::io("list", dir))? {
        let path = entry.map_err(CatalogError::io("list", dir))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(CatalogError::io("sync", &path))?;
        }
    }
    sync_dir(dir)
}

/// The directory that holds an entry for `path`.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a file that is there whole and durably, or not at all: `<path>.tmp`, sync, rename, sync
/// of the directory.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CatalogError> {
    let temporary = with_suffix(path, ".tmp");
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(CatalogError::io("write", &temporary))?;
    fs::rename(&temporary, path).map_err(CatalogError::io("rename", &temporary))?;
    sync_dir(parent(path))
}

/// Renames a directory to `<dir>.bad-<unix time>`, durably.
pub(super) fn set_aside(dir: &Path) -> Result<PathBuf, CatalogError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut to = with_suffix(dir, &format!(".bad-{now}"));
    for again in 2..MOST_SET_ASIDE {
        if !to.exists() {
            break;
        }
        to = with_suffix(dir, &format!(".bad-{now}-{again}"));
    }
    fs::rename(dir, &to).map_err(CatalogError::io("set aside", dir))?;
    sync_dir(parent(dir))?;
    Ok(to)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
