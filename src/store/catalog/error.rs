//! Every way the catalogue can be wrong: what happened, to which file, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::Kind;
use super::rows::{MAX_KEY, MAX_VALUE};

/// Why the catalogue did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Somebody else has it open.
    #[error(
        "the catalogue {} is in use by another process; stop that one, or give this broker a data \
         directory of its own",
        .dir.display()
    )]
    InUse {
        /// The catalogue's directory.
        dir: PathBuf,
    },
    /// It was written by a later version of the broker.
    #[error(
        "{} was written by a newer version of Warren (its format is {found}, this version knows \
         {known}); start the newer version",
        .file.display()
    )]
    Newer {
        /// The file that says so.
        file: PathBuf,
        /// Its format version.
        found: u16,
        /// The highest one we read.
        known: u16,
    },
    /// It lies in another database than the configuration says.
    #[error(
        "{} is a {found} catalogue, but {asked} was asked for; ask for {found}, or name another \
         directory",
        .dir.display()
    )]
    OtherKind {
        /// The catalogue's directory.
        dir: PathBuf,
        /// What it is.
        found: Kind,
        /// What was asked for.
        asked: Kind,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {source}; {}", .file.display(), advice(.source))]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// With which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What lies on the disk is not what was written.
    #[error(
        "{} is damaged: {what}; a damaged catalogue is set aside when the broker starts, and \
         rebuilt from the log",
        .file.display()
    )]
    Damaged {
        /// The file or directory.
        file: PathBuf,
        /// How one can tell.
        what: String,
    },
    /// An earlier write or sync went wrong.
    #[error(
        "an earlier write to the catalogue {} failed, so it takes no more; restart the broker",
        .dir.display()
    )]
    Stopped {
        /// The catalogue's directory.
        dir: PathBuf,
    },
    /// A key is over the limit.
    #[error("a catalogue key of {len} bytes is over the limit of {MAX_KEY}; shorten the name")]
    KeyTooLong {
        /// Its length.
        len: usize,
    },
    /// A value is over the limit.
    #[error(
        "a catalogue value of {len} bytes is over the limit of {MAX_VALUE}; shorten the definition"
    )]
    ValueTooLong {
        /// Its length.
        len: usize,
    },
}

impl CatalogError {
    /// For `map_err` on a call of the system.
    pub(super) fn io(doing: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, file: file.to_owned(), source }
    }

    /// The same as an error of the system, of the kind that the system gave it.
    pub(crate) fn into_io(self) -> io::Error {
        let kind =
            if let Self::Io { source, .. } = &self { source.kind() } else { io::ErrorKind::Other };
        io::Error::new(kind, self)
    }

    /// Damage to a file, told by `what`.
    pub(super) fn damaged(file: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), what: what.into() }
    }

    /// What a database met in one of its files. A file that is too short, is gone, or made the
    /// database give up with words of its own (`Other`) is damage; the rest is the system's, and
    /// setting the catalogue aside would not help.
    pub(super) fn of_engine(doing: &'static str, file: &Path, source: io::Error) -> Self {
        use io::ErrorKind;
        let damage = [
            ErrorKind::UnexpectedEof,
            ErrorKind::InvalidData,
            ErrorKind::InvalidInput,
            ErrorKind::NotFound,
            ErrorKind::Other,
        ];
        if source.raw_os_error().is_none_or(|_| source.kind() == ErrorKind::NotFound)
            && damage.contains(&source.kind())
        {
            return Self::damaged(file, format!("cannot {doing} it: {source}"));
        }
        Self::io(doing, file)(source)
    }
}

fn advice(error: &io::Error) -> &'static str {
    let known = [
        (io::ErrorKind::PermissionDenied, "let the broker's user write there"),
        (io::ErrorKind::ReadOnlyFilesystem, "mount that filesystem writable"),
        (io::ErrorKind::StorageFull, "make room on that filesystem"),
        (io::ErrorKind::QuotaExceeded, "raise the quota of the broker's user"),
        (io::ErrorKind::NotADirectory, "name a directory"),
    ];
    let advice = known.iter().find(|(kind, _)| *kind == error.kind());
    advice.map_or("see the kernel's log for faults of the disk", |(_, advice)| advice)
}
