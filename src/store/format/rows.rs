//! The store's own small rows in the catalogue. The first byte of each is its version.
//!
//! | tree  | key              | value |
//! |-------|------------------|-------|
//! | Meta  | `segments`       | version 1, next segment 8, ranges × { first 8, count 4 }: the segments that count |
//! | Queue | queue 8 BE       | version 1, next position 8 |
//! | Acks  | queue 8 BE, piece 4 BE | version 1, counts × { position 8, deliveries 4 } |
//! | Runs  | see [`super::run`] | |

/// The key of the row that says which segments there are.
pub(crate) const SEGMENTS: &[u8] = b"segments";
const VERSION: u8 = 1;

/// Which segments there are, and the next one's number.
pub(crate) fn encode_segments(next: u64, segments: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut ranges: Vec<(u64, u32)> = Vec::new();
    for segment in segments {
        match ranges.last_mut() {
            Some((first, count)) if *first + u64::from(*count) == segment => *count += 1,
            Some(_) | None => ranges.push((segment, 1)),
        }
    }
    let mut out = vec![VERSION];
    out.extend_from_slice(&next.to_le_bytes());
    for (first, count) in ranges {
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
    }
    out
}

/// The next segment's number and those that there are.
pub(crate) fn decode_segments(row: &[u8]) -> Option<(u64, Vec<u64>)> {
    let (next, ranges) = versioned(row)?.split_first_chunk()?;
    let mut segments = Vec::new();
    for (first, count) in pairs(ranges)? {
        segments.extend(first..first.checked_add(count.into())?);
    }
    Some((u64::from_le_bytes(*next), segments))
}

/// What is known of a queue.
pub(crate) fn encode_queue(next_position: u64) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&next_position.to_le_bytes());
    out
}

/// A queue's next position.
pub(crate) fn decode_queue(row: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(versioned(row)?.try_into().ok()?))
}

/// How often messages were handed out.
pub(crate) fn encode_counts(counts: &[(u64, u32)]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for (position, deliveries) in counts {
        out.extend_from_slice(&position.to_le_bytes());
        out.extend_from_slice(&deliveries.to_le_bytes());
    }
    out
}

/// Positions and how often each was handed out.
pub(crate) fn decode_counts(row: &[u8]) -> Option<Vec<(u64, u32)>> {
    pairs(versioned(row)?)
}

fn versioned(row: &[u8]) -> Option<&[u8]> {
    row.split_first().filter(|(version, _)| **version == VERSION).map(|(_, rest)| rest)
}

fn pairs(bytes: &[u8]) -> Option<Vec<(u64, u32)>> {
    let (pairs, rest) = bytes.as_chunks::<12>();
    let word = |pair: &[u8; 12]| u64::from_le_bytes(std::array::from_fn(|n| pair[n]));
    let count = |pair: &[u8; 12]| u32::from_le_bytes(std::array::from_fn(|n| pair[8 + n]));
    rest.is_empty().then(|| pairs.iter().map(|pair| (word(pair), count(pair))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back() {
        let segments = vec![1, 2, 3, 7, 9, 10];
        let row = encode_segments(11, segments.iter().copied());
        assert_eq!(row.len(), 1 + 8 + 3 * 12);
        assert_eq!(decode_segments(&row), Some((11, segments)));
        assert_eq!(decode_queue(&encode_queue(77)), Some(77));
        let counts = vec![(5, 2), (6, 1)];
        assert_eq!(decode_counts(&encode_counts(&counts)), Some(counts));
    }

    #[test]
    fn another_version_is_not_read() {
        let mut row = encode_queue(77);
        row[0] = 2;
        assert_eq!(decode_queue(&row), None);
        assert_eq!(decode_segments(&row), None);
        assert_eq!(decode_counts(&row), None);
    }
}
