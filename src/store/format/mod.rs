//! What stands in the files, to the byte. Pure: bytes in, values out.
//!
//! Every file begins with a [`file_header`] and goes on with [`record`]s. All numbers are little
//! endian; records are padded to 8 bytes. A checksum is CRC32C and, in a record, is seeded with
//! the number of the file it stands in: what an earlier life of a recycled file left behind never
//! looks valid.

pub(crate) mod file_header;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod rows;
pub(crate) mod run;

/// The version of the formats of all files. A file with a newer one is refused, never guessed at;
/// older ones are read.
///
/// 1. The first.
/// 2. Records of transactions.
pub(crate) const FORMAT: u16 = 2;
