//! The seal: a small file of ours beside the database that says what the database must hold.
//!
//! A database that finds its newest pages torn may quietly open an older state. The seal, written
//! after each sync of the database, tells such a state from the synced one. It also carries the
//! format version, readable without opening a database that a newer version wrote, and the lock.
//!
//! ```text
//! file: two slots of 64 bytes at 0 and 512, written in turn, so that a torn write leaves one;
//!       1,024 bytes in all, the rest zero. The valid slot with more batches counts.
//! slot (little endian)
//!    0   8  magic "WARRENsl"
//!    8   2  format version of the catalogue: 1
//!   10   1  database: 1 sled, 2 redb
//!   11   5  zero
//!   16   8  batches applied when the database was last synced
//!   24  36  zero
//!   60   4  CRC32C of bytes 0..60
//! ```
//!
//! Magic, version and checksum keep their places in every later version.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{CatalogError, Kind, disk};

/// The format of rows and seal.
pub(super) const FORMAT: u16 = 1;

const MAGIC: &[u8; 8] = b"WARRENsl";
const SLOT: usize = 64;
const FILE: usize = 1024;
const SLOTS: [usize; 2] = [0, 512];

/// The seal of an open catalogue. While it lives, nobody else can open it.
#[derive(Debug)]
pub(super) struct Seal {
    file: File,
    path: PathBuf,
    kind: Kind,
    batches: u64,
    newest: usize,
}

impl Seal {
    /// Makes the seal of an empty catalogue that is durable already.
    pub(super) fn create(dir: &Path, kind: Kind) -> Result<Self, CatalogError> {
        let path = dir.join("seal");
        let mut bytes = vec![0; FILE];
        for at in SLOTS {
            bytes[at..at + SLOT].copy_from_slice(&slot(kind, 0));
        }
        disk::write_whole(&path, &bytes)?;
        match Self::open(dir, kind)? {
            Some(seal) => Ok(seal),
            None => Err(CatalogError::damaged(&path, "it went away as it was made")),
        }
    }

    /// Takes the lock and reads the seal; none if there is no file.
    pub(super) fn open(dir: &Path, kind: Kind) -> Result<Option<Self>, CatalogError> {
        let path = dir.join("seal");
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CatalogError::io("open", &path)(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CatalogError::InUse { dir: dir.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(CatalogError::io("lock", &path)(error)),
        }
        let mut bytes = Vec::with_capacity(FILE);
        file.by_ref()
            .take(FILE as u64)
            .read_to_end(&mut bytes)
            .map_err(CatalogError::io("read", &path))?;

        let slots = SLOTS.map(|at| bytes.get(at..at + SLOT).and_then(parse));
        let newest = usize::from(batches(slots[1]) > batches(slots[0]));
        let Some((version, database, batches)) = slots[newest] else {
            return Err(CatalogError::damaged(&path, "neither of its two slots is valid"));
        };
        if version > FORMAT {
            return Err(CatalogError::Newer { file: path, found: version, known: FORMAT });
        }
        if database != number(kind) {
            let found = if kind == Kind::Sled { Kind::Redb } else { Kind::Sled };
            return Err(CatalogError::OtherKind { dir: dir.to_owned(), found, asked: kind });
        }
        Ok(Some(Self { file, path, kind, batches, newest }))
    }

    /// How many batches the database must hold at least.
    pub(super) fn batches(&self) -> u64 {
        self.batches
    }

    /// Says that the database holds that many, durably.
    pub(super) fn press(&mut self, batches: u64) -> Result<(), CatalogError> {
        let other = 1 - self.newest;
        self.file
            .write_all_at(&slot(self.kind, batches), SLOTS[other] as u64)
            .and_then(|()| self.file.sync_data())
            .map_err(CatalogError::io("write", &self.path))?;
        self.newest = other;
        self.batches = batches;
        Ok(())
    }
}

fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Sled => 1,
        Kind::Redb => 2,
    }
}

fn slot(kind: Kind, batches: u64) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[10] = number(kind);
    bytes[16..24].copy_from_slice(&batches.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Version, database and batches of a valid slot.
fn parse(bytes: &[u8]) -> Option<(u16, u8, u64)> {
    let (covered, crc) = bytes.split_last_chunk::<4>()?;
    if !covered.starts_with(MAGIC) || crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
        return None;
    }
    let version = u16::from_le_bytes(*covered[8..].first_chunk()?);
    let batches = u64::from_le_bytes(*covered[16..].first_chunk()?);
    Some((version, covered[10], batches))
}

/// What a slot counts for: nothing if it is invalid, and more than nothing if it is valid.
fn batches(slot: Option<(u16, u8, u64)>) -> Option<u64> {
    slot.map(|(_, _, batches)| batches)
}
