//! Queue numbers that are never used twice, also not after a restart.
//!
//! Numbers are taken in blocks: a row of the catalogue says up to which one they may have been
//! used. It is written before the first number of a block is, so nothing has to wait for it.

use crate::names::QueueId;
use crate::store::Recovered;
use crate::topology::rows::RowChange;

/// The row.
const KEY: &[u8] = b"n queue ids";
/// How many numbers one write of the row is good for.
const BLOCK: u64 = 4096;

/// The numbers that are left.
pub(super) struct QueueIds {
    next: u64,
    end: u64,
}

impl QueueIds {
    /// The numbers that follow those used before a restart, and the row to write first.
    pub(super) fn after(found: Option<&Recovered>) -> (Self, RowChange) {
        let rows = found.map(|found| found.rows.as_slice()).unwrap_or_default();
        let row = rows.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value);
        let used = row.and_then(|value| value.as_slice().try_into().ok()).map(u64::from_le_bytes);
        let mut ids = Self { next: used.unwrap_or(1), end: 0 };
        let row = ids.take_block();
        (ids, row)
    }

    /// The next number, and the row to write before it is used, if it is the first of a block.
    pub(super) fn next(&mut self) -> (QueueId, Option<RowChange>) {
        let row = (self.next == self.end).then(|| self.take_block());
        let id = QueueId(self.next);
        self.next += 1;
        (id, row)
    }

    fn take_block(&mut self) -> RowChange {
        self.end = self.next + BLOCK;
        RowChange { key: KEY.into(), value: Some(self.end.to_le_bytes().into()) }
    }
}

/// Whether a row is this one.
pub(super) fn is_it(key: &[u8]) -> bool {
    key == KEY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_comes_twice() {
        let (mut ids, _) = QueueIds::after(None);
        let mut last = 0;
        let mut written = BLOCK + 1;
        for _ in 0..3 * BLOCK {
            let (id, row) = ids.next();
            assert!(id.0 > last);
            last = id.0;
            if let Some(row) = row {
                let value = row.value.expect("written").try_into().expect("eight bytes");
                written = u64::from_le_bytes(value);
            }
            assert!(id.0 < written, "a restart now would go on behind it");
        }
    }
}
