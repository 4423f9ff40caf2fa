//! Which schedule belongs to which exchange, as a row of the catalogue.
//!
//! ```text
//! s vhost exchange → version 1, queue number u64
//! ```

use serde::{Deserialize, Serialize};

use crate::names::QueueId;
use crate::topology::rows::RowChange;

const KIND: u8 = b's';
const VERSION: u8 = 1;

/// The key of such a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::broker) struct ScheduleRow {
    pub(in crate::broker) vhost: String,
    pub(in crate::broker) exchange: String,
}

impl ScheduleRow {
    /// The exchange's messages are stored under this number.
    pub(in crate::broker) fn change(&self, id: QueueId) -> RowChange {
        let value = [&[VERSION][..], &id.0.to_le_bytes()].concat();
        RowChange { key: self.key(), value: Some(value) }
    }

    /// There are no such messages any more.
    pub(in crate::broker) fn gone(&self) -> RowChange {
        RowChange { key: self.key(), value: None }
    }

    fn key(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![KIND]).expect("a key can be written to memory")
    }
}

/// Reads such a row back, if it is one.
pub(in crate::broker) fn read(key: &[u8], value: &[u8]) -> Option<(ScheduleRow, QueueId)> {
    let (&KIND, key) = key.split_first()? else { return None };
    let (&VERSION, value) = value.split_first()? else { return None };
    let id = u64::from_le_bytes(value.try_into().ok()?);
    Some((postcard::from_bytes(key).ok()?, QueueId(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back() {
        let row = ScheduleRow { vhost: "/".into(), exchange: "later".into() };
        let change = row.change(QueueId(7));
        let value = change.value.expect("it says something");
        assert_eq!(read(&change.key, &value), Some((row.clone(), QueueId(7))));
        assert_eq!(row.gone(), RowChange { key: change.key, value: None });
        assert_eq!(read(b"x", &value), None);
        assert_eq!(read(b"", b""), None);
    }
}
