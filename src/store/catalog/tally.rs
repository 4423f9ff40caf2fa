//! The tally: what all rows of a catalogue come to, whatever their order.
//!
//! ```text
//! row 00 ‖ "tally" (little endian)
//!    0   8  rows
//!    8   8  wrapping sum of mix(CRC32C of the row, length of its value)
//!   16   8  batches applied since the catalogue was made
//!   24   4  CRC32C of bytes 0..24
//! ```

use super::rows::Head;

/// What the rows come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many rows.
    pub(super) rows: u64,
    sum: u64,
    /// How many batches have been applied.
    pub(super) batches: u64,
}

impl Tally {
    /// Nothing yet, after that many batches.
    pub(super) fn after(batches: u64) -> Self {
        Self { batches, ..Self::default() }
    }

    /// Counts a row in.
    pub(super) fn add(&mut self, head: Head) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(mix(head));
    }

    /// Counts a row out.
    pub(super) fn remove(&mut self, head: Head) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(mix(head));
    }

    /// As it lies on the disk.
    pub(super) fn to_bytes(self) -> [u8; 28] {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&self.rows.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sum.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.batches.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..24]);
        bytes[24..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads it; none if it is not sound.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (covered, crc) = bytes.split_last_chunk::<4>()?;
        if covered.len() != 24 || crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
            return None;
        }
        let word = |at: usize| Some(u64::from_le_bytes(*covered[at..].first_chunk()?));
        Some(Self { rows: word(0)?, sum: word(8)?, batches: word(16)? })
    }
}

/// splitmix64, so that sums of checksums do not cancel out.
fn mix(head: Head) -> u64 {
    let mut x =
        (u64::from(head.len) << 32 | u64::from(head.crc)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
