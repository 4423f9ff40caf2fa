//! What can go wrong, in words for whoever runs the broker: what, which file, what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::catalog::CatalogError;
use super::format::FORMAT;
use super::format::read::Flaw;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    /// Another process has it open.
    #[error(
        "the data directory {} is in use by another process; stop that one, or give this broker \
         a data directory of its own", .0.display()
    )]
    InUse(PathBuf),
    /// It is none.
    #[error(
        "{} is not a Warren data directory: there is neither a file WARREN nor a folder wal in it",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// The operating system said no.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file has a format that we don't know.
    #[error(
        "{} has format {found}, and this broker knows {FORMAT}; start the version of the broker \
         that wrote it", path.display()
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u16,
    },
    /// Bytes are not what was once written.
    #[error(
        "{} is damaged at byte {offset}: {flaw}. Restore the data directory from a copy, or start \
         with --salvage to go on without what is damaged", path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        flaw: Flaw,
    },
    /// A file is not there.
    #[error(
        "{} is missing. Put it back, or start with --salvage to go on without what was in it",
        .0.display()
    )]
    Missing(PathBuf),
    /// The catalogue cannot be used.
    #[error("{0}")]
    Catalog(#[from] CatalogError),
    /// A copy of the catalogue cannot be used; in words about the original.
    #[error("{0}")]
    Copy(String),
    /// A file belongs to another data directory.
    #[error(
        "{} belongs to another data directory than the files beside it; move it away",
        .0.display()
    )]
    Foreign(PathBuf),
}

/// What ended a store: from then on nothing becomes durable.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was tried, as a verb.
    pub what: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// What the operating system said.
    pub error: Arc<io::Error>,
}

/// Why messages could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum CannotFetch {
    /// The operating system said no.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// From which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Bytes are not what was once written.
    #[error("{} is damaged at byte {offset}: {flaw}", path.display())]
    Damaged {
        /// The position of the message that cannot be read; those in front of it can.
        position: u64,
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        flaw: Flaw,
    },
    /// The store has failed.
    #[error("{0}")]
    Failed(Failure),
}

impl Failure {
    /// What was read is not what was once written.
    pub(crate) fn damaged(path: &Path, offset: u64, flaw: Flaw) -> Self {
        Self::new("go on with", path, io::Error::other(format!("damaged at byte {offset}: {flaw}")))
    }

    /// The same, where room is what is missing.
    pub(crate) fn for_want_of_room(self) -> Self {
        let Self { what, path, error } = self;
        let error = io::Error::new(io::ErrorKind::StorageFull, error.to_string());
        Self { what, path, error: Arc::new(error) }
    }

    /// What was tried and what the system said, for somebody who tries again.
    pub(crate) fn attempt(&self) -> impl fmt::Display {
        let Self { what, path, error } = self;
        format!("cannot {what} {}: {error}", path.display())
    }

    /// Whether there is only no room.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    pub(crate) fn new(what: &'static str, path: &Path, error: io::Error) -> Self {
        Self { what, path: path.into(), error: Arc::new(error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; nothing more will be stored", self.attempt())
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "a record is cut off",
            Self::Checksum => "a record's checksum is wrong",
            Self::Content => "a record makes no sense",
            Self::Header => "the file's header is damaged",
            Self::Ends => "records that were written are not there",
            Self::Short => "the file is shorter than it was",
        })
    }
}

/// Adds what was tried and with which file to an error of the operating system.
pub(crate) trait Tried<T> {
    fn tried(self, what: &'static str, path: &Path) -> Result<T, CannotOpen>;
    fn or_failure(self, what: &'static str, path: &Path) -> Result<T, Failure>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, what: &'static str, path: &Path) -> Result<T, CannotOpen> {
        self.map_err(|source| CannotOpen::Io { what, path: path.into(), source })
    }

    fn or_failure(self, what: &'static str, path: &Path) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(what, path, error))
    }
}
