//! Which messages wait to be tried again, and until when, as rows of the catalogue.
//!
//! ```text
//! w queue number u64, position u64 → version 1, until u64 (ms since 1970)
//! ```

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::names::QueueId;
use crate::store::Recovered;
use crate::topology::rows::RowChange;

const LETTER: u8 = b'w';
const VERSION: u8 = 1;

/// A message waits until then.
pub(super) fn row(queue: QueueId, position: u64, until: u64) -> RowChange {
    let value = [&[VERSION][..], &until.to_le_bytes()].concat();
    RowChange { key: key(queue, position), value: Some(value) }
}

/// It waits no longer.
pub(super) fn over(queue: QueueId, position: u64) -> RowChange {
    RowChange { key: key(queue, position), value: None }
}

fn key(queue: QueueId, position: u64) -> Vec<u8> {
    [&[LETTER][..], &queue.0.to_le_bytes(), &position.to_le_bytes()].concat()
}

/// Whether a row is one of these.
pub(super) fn is_one(key: &[u8]) -> bool {
    key.len() == 17 && key[0] == LETTER
}

/// All of them, by queue.
pub(super) fn found(found: &Recovered) -> FxHashMap<QueueId, BTreeMap<u64, u64>> {
    let mut all = FxHashMap::<QueueId, BTreeMap<u64, u64>>::default();
    for (queue, position, until) in found.rows.iter().filter_map(|(key, value)| read(key, value)) {
        all.entry(queue).or_default().insert(position, until);
    }
    all
}

fn read(key: &[u8], value: &[u8]) -> Option<(QueueId, u64, u64)> {
    let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    let (&VERSION, until) = value.split_first().filter(|_| is_one(key))? else { return None };
    Some((QueueId(number(&key[1..9])?), number(&key[9..])?, number(until)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back() {
        let change = row(QueueId(7), 9, 1234);
        let value = change.value.expect("it says something");
        assert_eq!(read(&change.key, &value), Some((QueueId(7), 9, 1234)));
        assert_eq!(over(QueueId(7), 9), RowChange { key: change.key, value: None });
        assert_eq!(read(b"w", &value), None);
    }
}
