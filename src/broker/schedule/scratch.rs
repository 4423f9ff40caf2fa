//! Files for what agendas do not hold in memory.
//!
//! They lie in the data directory, for that is on a disk with room, and have no name there: whatever
//! becomes of the broker, nothing is left of them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::agenda::{Scratch, ScratchFile};

/// Makes nameless files in a directory.
#[derive(Debug)]
pub(in crate::broker) struct Nameless(pub(in crate::broker) PathBuf);

impl Scratch for Nameless {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        Ok(Box::new(tempfile::tempfile_in(&self.0)?))
    }
}

impl ScratchFile for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }
}
