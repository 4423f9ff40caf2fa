//! Files for the log to write to.

use std::path::PathBuf;
use std::sync::Arc;

use crate::store::disk::{Disk, DiskFile};
use crate::store::error::{Failure, Tried};

/// See the module.
#[derive(Debug)]
pub(crate) struct Pool {
    data: PathBuf,
}

impl Pool {
    /// A pool for a data directory.
    pub(crate) fn new(data: PathBuf) -> Self {
        Self { data }
    }

    /// The file with this number, ready to be written to.
    pub(crate) fn next(
        &self,
        disk: &dyn Disk,
        file: u64,
    ) -> Result<(PathBuf, Arc<dyn DiskFile>), Failure> {
        let path = super::path(&self.data, file);
        let handle = disk.create(&path).or_failure("create", &path)?;
        let dir = super::dir(&self.data);
        disk.sync_dir(&dir).or_failure("sync", &dir)?;
        Ok((path, handle))
    }
}
