//! The log: one sequence of records for all queues, in files that are filled ahead and used again.

pub(crate) mod batch;
pub(crate) mod gathering;
pub(crate) mod inbox;
pub(crate) mod pool;
pub(crate) mod writer;

use std::path::{Path, PathBuf};

/// The directory of the log's files.
pub(crate) fn dir(data: &Path) -> PathBuf {
    data.join("wal")
}

/// A log file's path.
pub(crate) fn path(data: &Path, file: u64) -> PathBuf {
    dir(data).join(format!("{file:016x}.wal"))
}

/// The number in a log file's name.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())?
}
