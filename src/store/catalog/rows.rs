//! How a row lies in a database: bounded keys, and values in pieces below 4 KiB.
//!
//! sled moves a page beyond 128 KiB to a file that it never syncs. A leaf holds up to 20 rows and
//! an inner page up to 320 keys, so keys are kept to 259 bytes and values to [`PIECE`].
//!
//! ```text
//! key of a row, where k = tree number (1 byte) ‖ the caller's key
//!   k                                    up to 255 bytes
//!   k[..224] ‖ SHA-256(k)                longer: 256 bytes; the rest is in the value
//! key of a later piece
//!   F0 ‖ key of the row ‖ number         number: u16 big endian, from 1
//! key of the catalogue's own rows
//!   00 ‖ name
//!
//! value of a row (little endian)
//!   0   2  pieces, this one included: 1 or more
//!   2   2  r, the bytes of k that the key has no room for: 0, or length of k − 224
//!   4   4  length of the caller's value
//!   8   4  CRC32C of k ‖ the caller's value
//!  12   r  k[224..]
//!  ..      the value's first bytes, up to 4,000 in all
//! value of a later piece
//!   0      the value's next bytes, up to 4,000
//! ```

use sha2::{Digest, Sha256};

use super::Tree;

/// The longest key of a row: a binding between two longest names with a longest routing key has
/// less than half of it.
pub const MAX_KEY: usize = 2 * 1024;

/// The longest value of a row: eight times what fits in one frame at RabbitMQ's default.
pub const MAX_VALUE: usize = 1024 * 1024;

const LONGEST_WHOLE: usize = 255;
const KEPT: usize = 224;
const PIECE: usize = 4_000;
const HEAD: usize = 12;
const PIECES: u8 = 0xF0;
const OWN: u8 = 0;

/// A write to the database: the key's new value, or none.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);

/// Whose key it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The catalogue's own row.
    Own,
    /// A row of the caller.
    Row,
    /// A later piece of one.
    Piece,
}

/// Tells keys of the database apart; none if it is no key of ours.
pub(super) fn owner(stored: &[u8]) -> Option<Owner> {
    match *stored.first()? {
        OWN => Some(Owner::Own),
        PIECES => Some(Owner::Piece),
        tree if Tree::ALL.iter().any(|known| *known as u8 == tree) => Some(Owner::Row),
        _ => None,
    }
}

/// The key of one of the catalogue's own rows.
pub(super) fn own_key(name: &str) -> Vec<u8> {
    [&[OWN], name.as_bytes()].concat()
}

/// The tree's number and the caller's key.
pub(super) fn full_key(tree: Tree, key: &[u8]) -> Vec<u8> {
    [&[tree as u8], key].concat()
}

/// The key in the database.
pub(super) fn stored_key(full: &[u8]) -> Vec<u8> {
    if full.len() <= LONGEST_WHOLE {
        return full.to_vec();
    }
    [&full[..KEPT], &Sha256::digest(full)].concat()
}

/// What all keys in the database begin with whose full key begins with `full`. Keys that do not
/// may begin with it too, if `full` is long.
pub(super) fn stored_prefix(full: &[u8]) -> &[u8] {
    &full[..full.len().min(KEPT)]
}

/// The key of a later piece.
pub(super) fn piece_key(stored: &[u8], number: u16) -> Vec<u8> {
    [&[PIECES], stored, &number.to_be_bytes()].concat()
}

/// The writes that set a row, and its checksum.
pub(super) fn encode(full: &[u8], value: &[u8], writes: &mut Vec<Write>) -> Head {
    let stored = stored_key(full);
    let rest = if full.len() <= LONGEST_WHOLE { &[][..] } else { &full[KEPT..] };
    let (first, later) = value.split_at(value.len().min(PIECE - HEAD - rest.len()));
    let pieces = 1 + later.chunks(PIECE).count();
    let head = Head {
        pieces: u16::try_from(pieces).expect("MAX_VALUE is below 65,535 pieces"),
        rest: u16::try_from(rest.len()).expect("MAX_KEY is below 64 KiB"),
        len: u32::try_from(value.len()).expect("MAX_VALUE is below 4 GiB"),
        crc: crc32c::crc32c_append(crc32c::crc32c(full), value),
    };
    for (number, piece) in (1..).zip(later.chunks(PIECE)) {
        writes.push((piece_key(&stored, number), Some(piece.to_vec())));
    }
    writes.push((stored, Some([&head.to_bytes(), rest, first].concat())));
    head
}

/// The first bytes of a row's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// In how many pieces it lies.
    pub(super) pieces: u16,
    rest: u16,
    /// The length of the caller's value.
    pub(super) len: u32,
    /// The checksum of the full key and the value.
    pub(super) crc: u32,
}

impl Head {
    fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[0..2].copy_from_slice(&self.pieces.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.rest.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    /// Reads a head, and what follows it; none if it cannot be one.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, tail) = bytes.split_first_chunk::<HEAD>()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *head;
        let head = Self {
            pieces: u16::from_le_bytes([a, b]),
            rest: u16::from_le_bytes([c, d]),
            len: u32::from_le_bytes([e, f, g, h]),
            crc: u32::from_le_bytes([i, j, k, l]),
        };
        (head.pieces > 0 && head.len as usize <= MAX_VALUE).then_some((head, tail))
    }
}

/// A row as it was found: its head, its full key, and its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) head: Head,
    pub(super) full: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Puts a row together again, asking for its later pieces; none if anything is amiss.
pub(super) fn decode<E>(
    stored: &[u8],
    bytes: &[u8],
    mut piece: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, E>,
) -> Result<Option<Found>, E> {
    let Some((head, tail)) = Head::parse(bytes) else { return Ok(None) };
    let Some((rest, first)) = tail.split_at_checked(usize::from(head.rest)) else {
        return Ok(None);
    };
    let full = match (rest, stored.len()) {
        ([], _) => stored.to_vec(),
        (_, 256..) => [&stored[..KEPT], rest].concat(),
        _ => return Ok(None),
    };
    let mut value = Vec::with_capacity(head.len as usize);
    value.extend_from_slice(first);
    for number in 1..head.pieces {
        let Some(more) = piece(&piece_key(stored, number))? else { return Ok(None) };
        value.extend_from_slice(&more);
    }
    let sound = value.len() == head.len as usize
        && crc32c::crc32c_append(crc32c::crc32c(&full), &value) == head.crc
        && stored_key(&full) == stored;
    Ok(sound.then_some(Found { head, full, value }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    fn round_trip(key_len: usize, value_len: usize) {
        let full = full_key(Tree::Catalog, &vec![b'k'; key_len]);
        let value: Vec<u8> = (0..value_len).map(|n| n as u8).collect();
        let mut writes = Vec::new();
        let head = encode(&full, &value, &mut writes);
        assert!(writes.iter().all(|(k, v)| k.len() <= 259 && v.as_ref().unwrap().len() < 4096));
        let stored: BTreeMap<_, _> = writes.into_iter().map(|(k, v)| (k, v.unwrap())).collect();
        let key = stored_key(&full);
        let found =
            decode(&key, &stored[&key], |k| Ok::<_, Infallible>(stored.get(k).cloned())).unwrap();
        assert_eq!(found, Some(Found { head, full, value }), "{key_len} {value_len}");
        assert_eq!(usize::from(head.pieces), stored.len());
    }

    #[test]
    fn lengths_around_every_limit_come_back() {
        for key in [0, 1, 222, 223, 224, 253, 254, 255, 256, 1_000, MAX_KEY] {
            for value in [0, 1, 3_987, 3_988, 3_989, 4_000, 8_000, 8_001, MAX_VALUE] {
                round_trip(key, value);
            }
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let full = full_key(Tree::Queue, &[7; 300]);
        let mut writes = Vec::new();
        encode(&full, b"a value", &mut writes);
        let (stored, bytes) = writes.pop().map(|(k, v)| (k, v.unwrap())).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let found = decode(&stored, &wrong, |_| Ok::<_, Infallible>(None)).unwrap();
            assert_eq!(found, None, "bit {bit}");
        }
    }

    #[test]
    fn keys_of_pieces_are_told_apart_whatever_the_keys() {
        assert_ne!(piece_key(b"\x01a", 1), piece_key(b"\x01a\x00\x01", 1));
        assert_eq!(owner(&piece_key(b"\x01a", 1)), Some(Owner::Piece));
        assert_eq!(owner(&own_key("tally")), Some(Owner::Own));
        assert_eq!(owner(&full_key(Tree::Meta, b"")), Some(Owner::Row));
        assert_eq!(owner(b"\x07"), None);
        assert_eq!(owner(b""), None);
    }
}
