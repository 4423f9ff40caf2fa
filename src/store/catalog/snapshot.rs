//! Snapshots of the definitions: `meta/definitions-<lsn>.snap`, the catalogue's own stand-in.
//!
//! When a catalogue had to be set aside, the definitions come from the newest valid snapshot and
//! from what the log says after its position. A snapshot is there whole or not at all.
//!
//! ```text
//! name: definitions-<position in the log, 16 hexadecimal digits>.snap
//! file (little endian)
//!    0   8  magic "WARRENdf"
//!    8   2  format version: 1
//!   10   6  zero
//!   16   8  position in the log that the rows are of
//!   24   8  number of rows
//!   32      rows, in the order of their keys:
//!             0  4  k, length of the key
//!             4  4  v, length of the value
//!             8  k  key
//!            ..  v  value
//!   last 4  CRC32C of everything before
//! ```
//!
//! Magic, version and checksum keep their places in every later version.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Catalog, CatalogError, Row, Tree, disk};

const MAGIC: &[u8; 8] = b"WARRENdf";
const FORMAT: u16 = 1;
const HEAD: usize = 32;

/// How many are kept: one more than needed, should the newest be damaged.
const KEPT: usize = 2;

/// A snapshot that was found sound.
#[derive(Debug)]
pub struct Snapshot {
    /// The position in the log that it is of.
    pub lsn: u64,
    /// The rows of [`Tree::Catalog`], in the order of their keys.
    pub rows: Vec<Row>,
    /// Newer ones that were not sound.
    pub skipped: Vec<CatalogError>,
}

/// Writes the definitions as of `lsn`, durably, and removes all but the last two snapshots.
pub fn write(dir: &Path, lsn: u64, catalog: &dyn Catalog) -> Result<PathBuf, CatalogError> {
    write_rows(dir, lsn, &catalog.scan_prefix(Tree::Catalog, b"")?)
}

/// As [`write()`], from rows in the order of their keys: for a thread that does not own the
/// catalogue.
pub fn write_rows(dir: &Path, lsn: u64, rows: &[Row]) -> Result<PathBuf, CatalogError> {
    fs::create_dir_all(dir).map_err(CatalogError::io("create", dir))?;
    let mut bytes = Vec::with_capacity(HEAD + 4 + rows.iter().map(size).sum::<usize>());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&[0; 6]);
    bytes.extend_from_slice(&lsn.to_le_bytes());
    bytes.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    for (key, value) in rows {
        for part in [key, value] {
            let len = u32::try_from(part.len()).expect("the catalogue bounds keys and values");
            bytes.extend_from_slice(&len.to_le_bytes());
        }
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
    }
    let crc = crc32c::crc32c(&bytes);
    let path = dir.join(format!("definitions-{lsn:016x}.snap"));
    disk::write_whole(&path, &[&bytes, &crc.to_le_bytes()])?;
    for (_, old) in list(dir)?.into_iter().rev().skip(KEPT) {
        fs::remove_file(&old).map_err(CatalogError::io("remove", &old))?;
    }
    Ok(path)
}

/// The newest snapshot that is sound, if there is one.
///
/// One that a newer version wrote is an error and not skipped: an older one would undo what that
/// version did.
pub fn newest_valid(dir: &Path) -> Result<Option<Snapshot>, CatalogError> {
    let mut skipped = Vec::new();
    for (lsn, path) in list(dir)?.into_iter().rev() {
        let bytes = fs::read(&path).map_err(CatalogError::io("read", &path))?;
        match parse(&path, lsn, &bytes) {
            Ok(rows) => return Ok(Some(Snapshot { lsn, rows, skipped })),
            Err(error @ CatalogError::BadSnapshot { .. }) => skipped.push(error),
            Err(error) => return Err(error),
        }
    }
    match skipped.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(None),
    }
}

/// The snapshots, oldest first.
fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, CatalogError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CatalogError::io("list", dir)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(CatalogError::io("list", dir))?.path();
        let lsn = path.file_name().and_then(|name| {
            let hex = name.to_str()?.strip_prefix("definitions-")?.strip_suffix(".snap")?;
            u64::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 16)
        });
        found.extend(lsn.map(|lsn| (lsn, path)));
    }
    found.sort();
    Ok(found)
}

fn parse(path: &Path, lsn: u64, bytes: &[u8]) -> Result<Vec<Row>, CatalogError> {
    let bad = |what: &str| CatalogError::BadSnapshot { file: path.to_owned(), what: what.into() };
    let Some((covered, crc)) = bytes.split_last_chunk::<4>() else {
        return Err(bad("it is shorter than a checksum"));
    };
    if crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
        return Err(bad("its checksum does not fit"));
    }
    let Some((head, mut rest)) = covered.split_first_chunk::<HEAD>() else {
        return Err(bad("it is shorter than its head"));
    };
    if !head.starts_with(MAGIC) {
        return Err(bad("it does not begin as one"));
    }
    let found = u16::from_le_bytes([head[8], head[9]]);
    if found > FORMAT {
        return Err(CatalogError::Newer { file: path.to_owned(), found, known: FORMAT });
    }
    let word = |at: usize| head[at..].first_chunk().map(|word| u64::from_le_bytes(*word));
    if word(16) != Some(lsn) {
        return Err(bad("its name and its head disagree about its position"));
    }
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let row;
        (row, rest) = split_row(rest).ok_or_else(|| bad("a row goes over its end"))?;
        rows.push(row);
    }
    if word(24) != Some(rows.len() as u64) {
        return Err(bad("it has more or fewer rows than its head says"));
    }
    Ok(rows)
}

fn split_row(bytes: &[u8]) -> Option<(Row, &[u8])> {
    let (key_len, bytes) = bytes.split_first_chunk()?;
    let (value_len, bytes) = bytes.split_first_chunk()?;
    let (key, bytes) = bytes.split_at_checked(u32::from_le_bytes(*key_len) as usize)?;
    let (value, bytes) = bytes.split_at_checked(u32::from_le_bytes(*value_len) as usize)?;
    Some(((key.to_vec(), value.to_vec()), bytes))
}

fn size((key, value): &Row) -> usize {
    8 + key.len() + value.len()
}
