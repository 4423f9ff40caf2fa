//! Runs that stay in memory: of what is not stored either, or while nothing can be written.

use std::io;

use parking_lot::RwLock;

use super::{Scratch, ScratchFile};

/// See the module.
#[derive(Debug)]
pub(super) struct Memory;

#[derive(Debug, Default)]
pub(super) struct InMemory(RwLock<Vec<u8>>);

impl Scratch for Memory {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        Ok(Box::new(InMemory::default()))
    }
}

impl ScratchFile for InMemory {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut file = self.0.write();
        debug_assert_eq!(file.len() as u64, offset, "a run is written from its front to its end");
        file.extend_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let file = self.0.read();
        let from = usize::try_from(offset).ok().and_then(|offset| file.get(offset..));
        let from = from.and_then(|from| from.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
