//! The first 64 bytes of every file, and all of a data directory's mark.
//!
//! ```text
//!  0  magic       8   "WARRNLOG", "WARRNSEG", "WARRNSNP" or "WARRNDIR"
//!  8  format      2   see [`super::FORMAT`]
//! 10  (zero)      6
//! 16  file        8   its number; never used twice within a kind
//! 24  store      16   which data directory it belongs to
//! 40  first       8   log: no record in it stands before this position
//!                     segment: the log file whose messages it took over, 0 after a merge
//! 48  before      8   log: where the records of the file before it end, 0 if there is none
//!                     segment: where its footer starts; snapshot: its length
//! 56  count       4   segment: how many messages it has
//!                     log: how long the file was when it was begun, see [`filled`]
//! 60  crc         4   CRC32C of bytes 0..60
//! ```

use super::FORMAT;

/// Length of the header.
pub(crate) const LEN: usize = 64;
/// In what units a log file's length stands in its header.
const FILLED: u64 = 64;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What says which data directory this is.
    Directory,
    /// A piece of the log.
    Log,
    /// A segment of messages that have left the log.
    Segment,
    /// All rows of the broker.
    Snapshot,
}

/// A file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) kind: Kind,
    pub(crate) file: u64,
    pub(crate) store: StoreId,
    pub(crate) first: u64,
    pub(crate) before: u64,
    pub(crate) count: u32,
}

/// Which data directory a file belongs to: drawn when the directory is made.
pub(crate) type StoreId = [u8; 16];

/// Why 64 bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHeader {
    /// All zeros, or too few bytes: nothing was ever written here.
    Blank,
    /// Not ours, or damaged.
    Damaged,
    /// Ours, of a format that we don't know.
    Format(u16),
}

impl Kind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Directory => b"WARRNDIR",
            Self::Log => b"WARRNLOG",
            Self::Segment => b"WARRNSEG",
            Self::Snapshot => b"WARRNSNP",
        }
    }
}

impl FileHeader {
    /// Its bytes.
    pub(crate) fn encode(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[0..8].copy_from_slice(self.kind.magic());
        out[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        out[16..24].copy_from_slice(&self.file.to_le_bytes());
        out[24..40].copy_from_slice(&self.store);
        out[40..48].copy_from_slice(&self.first.to_le_bytes());
        out[48..56].copy_from_slice(&self.before.to_le_bytes());
        out[56..60].copy_from_slice(&self.count.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the header at the front of `bytes`.
    pub(crate) fn decode(kind: Kind, bytes: &[u8]) -> Result<Self, NoHeader> {
        let Some((bytes, _)) = bytes.split_first_chunk::<LEN>() else {
            return Err(NoHeader::Blank);
        };
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(NoHeader::Blank);
        }
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        if bytes[..8] != kind.magic()[..]
            || word(56) >> 32 != u64::from(crc32c::crc32c(&bytes[..60]))
        {
            return Err(NoHeader::Damaged);
        }
        let format = u16::from_le_bytes([bytes[8], bytes[9]]);
        if !(1..=FORMAT).contains(&format) {
            return Err(NoHeader::Format(format));
        }
        let mut store = StoreId::default();
        store.copy_from_slice(&bytes[24..40]);
        let (file, first, before, count) = (word(16), word(40), word(48), word(56) as u32);
        Ok(Self { kind, file, store, first, before, count })
    }
}

/// Bytes that a log file was filled with ahead, in the units in which its header says so.
pub(crate) fn filled(len: u64) -> u32 {
    u32::try_from(len / FILLED).unwrap_or(u32::MAX)
}

/// How long a log file is at least.
pub(crate) fn least_len(header: &FileHeader) -> u64 {
    u64::from(header.count) * FILLED
}

/// What the checksums of a file's records start from.
pub(crate) fn seed(file: u64) -> u32 {
    crc32c::crc32c(&file.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FileHeader =
        FileHeader { kind: Kind::Log, file: 7, store: [3; 16], first: 99, before: 4096, count: 12 };

    #[test]
    fn it_comes_back() {
        assert_eq!(FileHeader::decode(Kind::Log, &HEADER.encode()), Ok(HEADER));
    }

    #[test]
    fn every_flipped_bit_shows() {
        for bit in 0..LEN * 8 {
            let mut bytes = HEADER.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHeader::decode(Kind::Log, &bytes), Err(NoHeader::Damaged), "{bit}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = HEADER.encode();
        bytes[8] = 9;
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(FileHeader::decode(Kind::Log, &bytes), Err(NoHeader::Format(9)));
    }

    #[test]
    fn zeros_and_stumps_are_blank() {
        assert_eq!(FileHeader::decode(Kind::Log, &[0; 64]), Err(NoHeader::Blank));
        assert_eq!(FileHeader::decode(Kind::Log, &HEADER.encode()[..63]), Err(NoHeader::Blank));
    }
}
