//! The catalogue: what durable things exist, and how far each has come.
//!
//! Owns small rows under six [`Tree`]s and the promise that a batch of changes is seen whole or
//! not at all, and that what was there at the last [`Catalog::sync`] is there after a crash. It
//! must not know what the rows mean, nor the log. It is written by one thread, off the hot path;
//! message bodies and single acks never come here.
//!
//! [`open`] never leaves the caller with a database that may be wrong: every row carries a
//! checksum, the rows together carry a tally, and the `seal` beside the database says how many
//! batches it must hold at least. What does not fit is renamed to `<dir>.bad-<unix time>` and the
//! caller rebuilds the rows from the newest snapshot (`janitor/snapshot.rs`) and the log.
//!
//! For the maintainer: a database is an `Engine` (bytes to bytes; `sled.rs`, `redb.rs`),
//! `checked.rs` puts the rules above over any of them, `rows.rs` and `seal.rs` say how it lies on
//! the disk.

use std::fmt;
use std::path::PathBuf;

mod checked;
mod disk;
mod error;
mod memory;
mod opening;
mod redb;
mod rows;
mod seal;
mod sled;
mod tally;

#[cfg(test)]
mod tests;

pub use error::CatalogError;
pub use memory::Memory;
pub use opening::open;
pub use rows::{MAX_KEY, MAX_VALUE};

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Durable rows. Memory, sled and redb implement it; they pass the same tests.
pub trait Catalog: Send {
    /// The value under a key.
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, CatalogError>;

    /// All rows of a tree whose keys begin with `prefix`, in the order of their keys.
    fn scan_prefix(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Row>, CatalogError>;

    /// Makes the changes in their order; after a crash either all of them are there or none.
    ///
    /// They are durable only after the next [`Self::sync`]. A batch that a limit refuses changes
    /// nothing. After any other error the catalogue takes no more changes: what the database
    /// holds is unknown until it is opened again.
    fn apply(&mut self, batch: &[Change]) -> Result<(), CatalogError>;

    /// Returns when everything applied so far would survive a power cut.
    ///
    /// A failed sync is never tried again (Linux forgets which pages were dirty): the catalogue
    /// takes no more changes.
    fn sync(&mut self) -> Result<(), CatalogError>;
}

/// The families of rows. The numbers are on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tree {
    /// Definitions: vhosts, exchanges, queues, bindings, users, permissions, policies.
    Catalog = 1,
    /// A queue's manifest.
    Queue = 2,
    /// Cold runs of messages.
    Runs = 3,
    /// Ack floors and holes.
    Acks = 4,
    /// Consumer offsets of streams.
    Stream = 5,
    /// What a checkpoint covers.
    Meta = 6,
}

impl Tree {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Catalog, Self::Queue, Self::Runs, Self::Acks, Self::Stream, Self::Meta];
}

/// One step of a batch. A key has at most [`MAX_KEY`] bytes, a value [`MAX_VALUE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a row, whether or not there was one.
    Put {
        /// Its family.
        tree: Tree,
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Takes a row away, if there is one.
    Delete {
        /// Its family.
        tree: Tree,
        /// Its key.
        key: Vec<u8>,
    },
}

impl Change {
    /// A put.
    pub fn put(tree: Tree, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self::Put { tree, key: key.into(), value: value.into() }
    }

    /// A delete.
    pub fn delete(tree: Tree, key: impl Into<Vec<u8>>) -> Self {
        Self::Delete { tree, key: key.into() }
    }

    /// Which row, and what it is to hold afterwards.
    fn target(&self) -> (Tree, &[u8], Option<&[u8]>) {
        match self {
            Self::Put { tree, key, value } => (*tree, key, Some(value)),
            Self::Delete { tree, key } => (*tree, key, None),
        }
    }
}

/// The databases a catalogue can lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// sled 0.34, the design's choice.
    Sled,
    /// redb, its stand-in.
    Redb,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        })
    }
}

/// An open catalogue, and in what state it was found.
pub struct Opened {
    /// The rows.
    pub catalog: Box<dyn Catalog>,
    /// What [`open`] met. Unless it is [`Found::Existing`] the catalogue is empty.
    pub found: Found,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("found", &self.found).finish_non_exhaustive()
    }
}

/// What [`open`] met.
#[derive(Debug)]
pub enum Found {
    /// There was nothing, so an empty catalogue was made. If a log stands beside it, somebody has
    /// deleted the directory and the rows must be rebuilt, as for [`Self::SetAside`].
    New,
    /// Every row is sound, and nothing that was synced is missing.
    Existing,
    /// The old one could not be used and is out of the way; the rows must be rebuilt.
    SetAside {
        /// Where it lies now.
        to: PathBuf,
        /// What is wrong with it.
        why: CatalogError,
    },
}
