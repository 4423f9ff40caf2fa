//! Segments: messages that outlived the log file they were written to.
//!
//! A segment is written once, in order of queue and position, and never changed:
//!
//! ```text
//! header 64 | Message records …, queue by queue | Blob record: the footer
//! footer payload:
//!   version 4 = 1 | merged 4 | runs 4 | zero 4
//!   merged × segment 8              the segments that this one took the place of
//!   runs × { run's key 24 | lasting 4 | value length 4 | run's value, padded to 8 }
//! ```
//!
//! It comes into being under another name and is renamed when it is on the disk, so a file with
//! the right name is whole. Its checksums are seeded with its number, top bit set.

pub(crate) mod read;
pub(crate) mod runs;
pub(crate) mod write;

use std::path::{Path, PathBuf};

use super::format::file_header;

/// The directory of segments.
pub(crate) fn dir(data: &Path) -> PathBuf {
    data.join("seg")
}

/// A segment's path.
pub(crate) fn path(data: &Path, segment: u64) -> PathBuf {
    dir(data).join(format!("{segment:016x}.seg"))
}

/// The path of a segment that is being written.
pub(crate) fn unfinished(data: &Path, segment: u64) -> PathBuf {
    dir(data).join(format!("{segment:016x}.tmp"))
}

/// The number in a segment's name.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())?
}

/// What the checksums in a segment start from.
pub(crate) fn seed(segment: u64) -> u32 {
    file_header::seed(segment | 1 << 63)
}
