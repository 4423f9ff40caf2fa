//! How a store is opened.

use std::path::PathBuf;
use std::time::Duration;

use super::catalog::Kind;

/// When the log is synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before anybody is told that something is durable, and else a little later.
    #[default]
    Confirm,
    /// With every write.
    Always,
    /// Never: what the operating system has taken counts as durable. A power cut loses it.
    Os,
}

/// What a store is opened with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory.
    pub dir: PathBuf,
    /// When the log is synced.
    pub durability: Durability,
    /// How long a record that nobody waits for may stay in memory.
    pub lazy: Duration,
    /// Bytes of a log file.
    pub log_file: u64,
    /// How many log files are kept, at least, before the oldest one is cleared.
    pub log_files: usize,
    /// How many there may be before the log waits for the clearing.
    pub most_log_files: usize,
    /// Bytes that may wait for the log before publishers are held back.
    pub room: usize,
    /// How long to wait for room on the disk before the next attempt.
    pub patience: Duration,
    /// What the catalogue lies in.
    pub catalog: Kind,
    /// Carry on where records are damaged, without them.
    pub salvage: bool,
}

impl Options {
    /// What a broker uses.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: Durability::Confirm,
            lazy: Duration::from_millis(50),
            log_file: 8 << 20,
            log_files: 4,
            most_log_files: 8,
            room: 2 << 20,
            patience: Duration::from_millis(200),
            catalog: Kind::Sled,
            salvage: false,
        }
    }
}
