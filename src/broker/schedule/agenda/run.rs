//! A sorted run: messages in the order in which they are due, in a file of its own.
//!
//! An entry has 16 bytes (when it is due, its position; little-endian), some entries are a block.
//! Memory holds the first entry of each block, so that a place is found with one read, and its
//! checksum. A run is written once and never changed, so it may be read while others go on.

use std::io;
use std::sync::Arc;

use super::{Due, ScratchFile};

const ENTRY: usize = 16;

/// See the module. It has one entry at least.
#[derive(Debug)]
pub(super) struct Run {
    file: Box<dyn ScratchFile>,
    blocks: Vec<Block>,
    len: usize,
    /// Entries of each block but the last one.
    block: usize,
}

#[derive(Debug)]
struct Block {
    first: Due,
    checksum: u32,
}

/// A run that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    run: Run,
    /// The block that is not full yet.
    bytes: Vec<u8>,
}

/// Where somebody stands in a run: at an entry that is still to come.
#[derive(Debug)]
pub(super) struct Cursor {
    run: Arc<Run>,
    head: Due,
    block: usize,
    /// Where `head` stands in its block.
    at: usize,
    /// Its block; empty if it is the first one and nobody has asked for more.
    entries: Vec<Due>,
}

impl Writer {
    pub(super) fn new(file: Box<dyn ScratchFile>, block: usize) -> Self {
        let run = Run { file, blocks: Vec::new(), len: 0, block };
        Self { run, bytes: Vec::with_capacity(block * ENTRY) }
    }

    /// Adds an entry, which comes behind all others.
    pub(super) fn push(&mut self, due: Due) -> io::Result<()> {
        if self.bytes.is_empty() {
            self.run.blocks.push(Block { first: due, checksum: 0 });
        }
        self.bytes.extend_from_slice(&due.at.to_le_bytes());
        self.bytes.extend_from_slice(&due.position.to_le_bytes());
        self.run.len += 1;
        if self.bytes.len() == self.run.block * ENTRY { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some((last, others)) = self.run.blocks.split_last_mut() else { return Ok(()) };
        last.checksum = crc32c::crc32c(&self.bytes);
        self.run.file.write_at(&self.bytes, (others.len() * self.run.block * ENTRY) as u64)?;
        self.bytes.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Arc<Run>> {
        if !self.bytes.is_empty() {
            self.flush()?;
        }
        self.run.blocks.shrink_to_fit();
        Ok(Arc::new(self.run))
    }
}

impl Run {
    fn read(&self, block: usize) -> io::Result<Vec<Due>> {
        let first = block * self.block;
        let mut bytes = vec![0; self.block.min(self.len - first) * ENTRY];
        self.file.read_at(&mut bytes, (first * ENTRY) as u64)?;
        if crc32c::crc32c(&bytes) != self.blocks[block].checksum {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not what was written"));
        }
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| u64::from_le_bytes(words[at]);
        let entries =
            (0..words.len() / 2).map(|at| Due { at: word(2 * at), position: word(2 * at + 1) });
        Ok(entries.collect())
    }
}

impl Cursor {
    /// At the first entry.
    pub(super) fn at_front(run: Arc<Run>) -> Option<Self> {
        Self::at_block(run, 0)
    }

    /// At the first entry that does not come in front of `from`.
    pub(super) fn from(run: Arc<Run>, from: Due) -> io::Result<Option<Self>> {
        let behind = run.blocks.partition_point(|block| block.first < from);
        if let Some(block) = behind.checked_sub(1) {
            let entries = run.read(block)?;
            let at = entries.partition_point(|due| *due < from);
            if let Some(&head) = entries.get(at) {
                return Ok(Some(Self { run, head, block, at, entries }));
            }
        }
        Ok(Self::at_block(run, behind))
    }

    fn at_block(run: Arc<Run>, block: usize) -> Option<Self> {
        let head = run.blocks.get(block)?.first;
        Some(Self { run, head, block, at: 0, entries: Vec::new() })
    }

    #[inline]
    pub(super) fn head(&self) -> Due {
        self.head
    }

    /// Goes on behind the head; false at the end. If it cannot be read, nothing has changed.
    pub(super) fn pass(&mut self) -> io::Result<bool> {
        if self.entries.is_empty() {
            self.entries = self.run.read(self.block)?;
        }
        if let Some(&next) = self.entries.get(self.at + 1) {
            self.head = next;
            self.at += 1;
            return Ok(true);
        }
        self.entries = Vec::new();
        self.block += 1;
        self.at = 0;
        let next = self.run.blocks.get(self.block);
        Ok(next.inspect(|block| self.head = block.first).is_some())
    }

    /// How many are still to come.
    pub(super) fn left(&self) -> usize {
        self.run.len - self.block * self.run.block - self.at
    }

    /// Whether an entry is still to come.
    pub(super) fn has(&self, due: Due) -> io::Result<bool> {
        if due <= self.head {
            return Ok(due == self.head);
        }
        let block = self.run.blocks.partition_point(|block| block.first <= due) - 1;
        let found = self.run.read(block)?.binary_search(&due).is_ok();
        Ok(found)
    }

    /// The run, and where what is still to come of it begins that does not come in front of `from`.
    pub(super) fn rest(&self, from: Due) -> (Arc<Run>, Due) {
        (Arc::clone(&self.run), self.head.max(from))
    }

    pub(super) fn is_of(&self, run: &Arc<Run>) -> bool {
        Arc::ptr_eq(&self.run, run)
    }
}
