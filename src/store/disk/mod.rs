//! The few things that the store asks of a file system, behind a trait so that a test can take
//! the power away between any two of them.
//!
//! What is promised: bytes written with [`DiskFile::write_at`] are safe after
//! [`DiskFile::sync`]; a name made, changed or removed is safe after [`Disk::sync_dir`] of its
//! directory. Before that, after a crash, any part of it may or may not be there.

#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod real;
pub(crate) mod untouched;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file system.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Makes a directory and those above it, unless they are there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes a lock file, until the answer is dropped. `None` when somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>>;

    /// Makes an empty file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file that is there.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, in the place of one that may be there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names of the files in a directory, in order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes names in a directory safe.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes that may still be written in a directory.
    fn free(&self, dir: &Path) -> io::Result<u64>;

    /// Whether overwriting a file's bytes stays in place. Where it does not (copy on write), a
    /// file filled ahead of time gains nothing.
    fn overwrites_in_place(&self, dir: &Path) -> bool;
}

/// An open file.
pub(crate) trait DiskFile: Debug + Send + Sync {
    /// Writes all of `bytes` at an offset.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Reads until `bytes` is full or the file ends. Returns how many were read.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes what was written safe.
    fn sync(&self) -> io::Result<()>;

    /// Its length.
    fn len(&self) -> io::Result<u64>;
}

/// A file that is read in parts, mostly from its front to its end.
pub(crate) struct Window<'a> {
    file: &'a dyn DiskFile,
    /// Bytes that are read at a time.
    part: usize,
    bytes: Vec<u8>,
    /// Where they stand in the file.
    at: u64,
}

impl<'a> Window<'a> {
    /// Reads so many bytes at a time.
    pub(crate) fn new(file: &'a dyn DiskFile, part: usize) -> Self {
        Self { file, part, bytes: Vec::new(), at: 0 }
    }

    /// The `len` bytes at an offset; fewer where the file ends.
    pub(crate) fn look_at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let held = self.at..self.at + self.bytes.len() as u64;
        if offset < held.start || offset + len as u64 > held.end {
            self.bytes.resize(self.part.max(len), 0);
            let read = self.file.read_at(&mut self.bytes, offset)?;
            self.bytes.truncate(read);
            self.at = offset;
        }
        let from = (offset - self.at) as usize;
        Ok(&self.bytes[from..self.bytes.len().min(from + len)])
    }
}

/// All bytes of a file.
pub(crate) fn read_whole(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
