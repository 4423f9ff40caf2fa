//! Files for the log to write to: filled with zeros ahead of time, and used again and again.
//!
//! A sync after writing to bytes that a file already has is about twice as fast as after making
//! it longer. A file that is ready has the name that it will be used under, and its name is safe,
//! so that the writer only has to write; whether it was begun shows in its header.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::store::disk::{Disk, DiskFile};
use crate::store::error::{Failure, Tried};

/// Bytes of zeros that are written at once.
const ZEROS: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct Pool {
    data: PathBuf,
    /// Bytes of a file.
    len: u64,
    /// Whether it helps to fill files ahead.
    in_place: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ready: VecDeque<Ready>,
    next: u64,
    /// How often the writer found no file ready.
    missed: u64,
}

/// A file that is ready to be written to.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) file: u64,
    pub(crate) path: PathBuf,
    pub(crate) handle: Arc<dyn DiskFile>,
}

impl Pool {
    /// A pool for a data directory, whose next file has this number.
    pub(crate) fn new(data: PathBuf, len: u64, in_place: bool, next: u64) -> Self {
        let state = State { ready: VecDeque::new(), next, missed: 0 };
        Self { data, len, in_place, state: Mutex::new(state) }
    }

    /// The next file. If none is ready, an empty one.
    pub(crate) fn next(&self, disk: &dyn Disk) -> Result<Ready, Failure> {
        let mut state = self.state.lock();
        if let Some(ready) = state.ready.pop_front() {
            return Ok(ready);
        }
        state.missed += 1;
        let file = state.next;
        let path = super::path(&self.data, file);
        let handle = disk.create(&path).or_failure("create", &path)?;
        let dir = super::dir(&self.data);
        disk.sync_dir(&dir).or_failure("sync", &dir)?;
        state.next += 1;
        Ok(Ready { file, path, handle })
    }

    /// Whether files are filled ahead: then writing to one needs no more room on the disk.
    pub(crate) fn is_in_place(&self) -> bool {
        self.in_place
    }

    /// How many files are ready.
    pub(crate) fn ready(&self) -> usize {
        self.state.lock().ready.len()
    }

    /// Whether it wants another file of its own making.
    pub(crate) fn wants(&self, ready: usize) -> bool {
        self.in_place && self.ready() < ready
    }

    /// Makes a file ready.
    pub(crate) fn fill(&self, disk: &dyn Disk) -> Result<(), Failure> {
        let path = super::dir(&self.data).join("next.tmp");
        let filled = self.fill_with_zeros(disk, &path);
        // Whatever there is no room for, half a file of zeros must not be why.
        let handle = filled.inspect_err(|_| drop(disk.remove(&path)))?;
        self.add(disk, &path, handle)
    }

    fn fill_with_zeros(&self, disk: &dyn Disk, path: &Path) -> Result<Arc<dyn DiskFile>, Failure> {
        let handle = disk.create(path).or_failure("create", path)?;
        let zeros = vec![0; ZEROS.min(self.len as usize)];
        let mut at = 0;
        while at < self.len {
            let len = zeros.len().min((self.len - at) as usize);
            handle.write_at(&zeros[..len], at).or_failure("write to", path)?;
            at += len as u64;
        }
        handle.sync().or_failure("sync", path)?;
        Ok(handle)
    }

    /// Removes a file that is ready, but for the last one: its room is needed more elsewhere.
    /// Returns whether there was one.
    pub(crate) fn give_up_one(&self, disk: &dyn Disk) -> Result<bool, Failure> {
        let mut state = self.state.lock();
        if state.ready.len() < 2 {
            return Ok(false);
        }
        let Some(Ready { file, path, .. }) = state.ready.pop_back() else { return Ok(false) };
        state.next = file;
        disk.remove(&path).or_failure("remove", &path)?;
        let dir = super::dir(&self.data);
        disk.sync_dir(&dir).or_failure("sync", &dir)?;
        Ok(true)
    }

    /// Takes back a file that is no longer needed, or removes it if it is of no use: it has
    /// another length, somebody still reads it, or there are enough.
    pub(crate) fn recycle(
        &self,
        disk: &dyn Disk,
        file: u64,
        handle: Arc<dyn DiskFile>,
        wanted: bool,
    ) -> Result<(), Failure> {
        let path = super::path(&self.data, file);
        let len = handle.len().or_failure("look at", &path)?;
        if wanted && self.in_place && len == self.len && Arc::strong_count(&handle) == 1 {
            return self.add(disk, &path, handle);
        }
        disk.remove(&path).or_failure("remove", &path)?;
        let dir = super::dir(&self.data);
        disk.sync_dir(&dir).or_failure("sync", &dir)
    }

    fn add(&self, disk: &dyn Disk, from: &Path, handle: Arc<dyn DiskFile>) -> Result<(), Failure> {
        // Under the lock: files are taken in the order of their numbers, and none is missing.
        let mut state = self.state.lock();
        let file = state.next;
        let (path, dir) = (super::path(&self.data, file), super::dir(&self.data));
        disk.rename(from, &path).or_failure("rename", from)?;
        disk.sync_dir(&dir).or_failure("sync", &dir)?;
        state.next += 1;
        state.ready.push_back(Ready { file, path, handle });
        Ok(())
    }
}
