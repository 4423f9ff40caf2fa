//! Opening a catalogue: new, as it was left, or put out of the way.

use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::checked::{Checked, Engine, caught, never_used};
use super::redb::Redb;
use super::seal::Seal;
use super::sled::Sled;
use super::{CatalogError, Found, Kind, Opened, disk};

/// How long a lock may stay taken before it counts as another process's: sled's threads hold on
/// to it for an instant after the database was dropped, and so does a child on its way to `exec`.
const LET_GO: Duration = Duration::from_secs(1);

/// Opens the catalogue in `dir`, or makes one.
///
/// A damaged one is renamed to `<dir>.bad-<unix time>` and a new one made in its place. That never
/// happens because another process has it open, because a newer version wrote it, or because the
/// system refuses a file: these are errors, and the directory stays as it is.
pub fn open(kind: Kind, dir: &Path) -> Result<Opened, CatalogError> {
    // Without a slash at the end, which would put the new name inside the old directory.
    let dir = dir.components().as_path();
    match kind {
        Kind::Sled => open_in(kind, dir, Sled::open),
        Kind::Redb => open_in(kind, dir, Redb::open),
    }
}

fn open_in<E: Engine + 'static>(
    kind: Kind,
    dir: &Path,
    engine: fn(&Path) -> Result<E, CatalogError>,
) -> Result<Opened, CatalogError> {
    let opened = |checked: Checked<E>, found| Opened { catalog: Box::new(checked), found };
    let until = Instant::now() + LET_GO;
    let mut found = existing(kind, dir, engine);
    while matches!(found, Err(CatalogError::InUse { .. })) && Instant::now() < until {
        sleep(LET_GO / 100);
        found = existing(kind, dir, engine);
    }
    match found {
        Ok(Some(checked)) => Ok(opened(checked, Found::Existing)),
        Ok(None) => Ok(opened(create(kind, dir, engine)?, Found::New)),
        Err(why @ CatalogError::Damaged { .. }) => {
            let to = disk::set_aside(dir)?;
            Ok(opened(create(kind, dir, engine)?, Found::SetAside { to, why }))
        }
        Err(error) => Err(error),
    }
}

/// The catalogue that is there, if one is and it was ever finished.
fn existing<E: Engine>(
    kind: Kind,
    dir: &Path,
    engine: fn(&Path) -> Result<E, CatalogError>,
) -> Result<Option<Checked<E>>, CatalogError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(None);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CatalogError::io("list", dir)(error)),
    }
    // The seal first: it says who has it open and whether we can read it at all, and opening a
    // database changes it.
    let seal = Seal::open(dir, kind)?;
    let engine = caught(dir, || engine(dir))?;
    match seal {
        Some(seal) => Checked::resume(engine, dir, seal).map(Some),
        None if never_used(&engine, dir)? => Ok(None),
        None => Err(CatalogError::damaged(&dir.join("seal"), "it is missing")),
    }
}

fn create<E: Engine>(
    kind: Kind,
    dir: &Path,
    engine: fn(&Path) -> Result<E, CatalogError>,
) -> Result<Checked<E>, CatalogError> {
    fs::create_dir_all(dir).map_err(CatalogError::io("create", dir))?;
    let engine = caught(dir, || engine(dir))?;
    Checked::create(engine, dir, || {
        disk::sync_tree(dir)?;
        disk::sync_dir(disk::parent(dir))?;
        Seal::create(dir, kind)
    })
}
