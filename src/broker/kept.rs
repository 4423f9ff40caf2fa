//! What exchanges and queues keep on disk apart, under queue numbers that nobody else knows: which number belongs to
//! which exchange, as rows of the catalogue.
//!
//! ```text
//! s vhost exchange → version 1, queue number u64: messages that wait until they are due
//! d vhost exchange → version 1, queue number u64: values by which duplicates are told
//! e vhost queue    → the same, of a queue
//! ```

use serde::{Deserialize, Serialize};

use crate::names::QueueId;
use crate::topology::rows::RowChange;

const VERSION: u8 = 1;

/// What an exchange keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Messages that wait until they are due.
    Messages,
    /// Values by which duplicates are told.
    Values,
    /// The same, of a queue.
    QueueValues,
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptRow {
    pub(super) what: Kept,
    pub(super) of: Exchange,
}

/// An exchange, or a queue, by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exchange {
    pub(super) vhost: String,
    pub(super) name: String,
}

const KINDS: [Kept; 3] = [Kept::Messages, Kept::Values, Kept::QueueValues];

impl Kept {
    fn letter(self) -> u8 {
        match self {
            Self::Messages => b's',
            Self::Values => b'd',
            Self::QueueValues => b'e',
        }
    }
}

impl KeptRow {
    /// It is stored under this number.
    pub(super) fn change(&self, id: QueueId) -> RowChange {
        let value = [&[VERSION][..], &id.0.to_le_bytes()].concat();
        RowChange { key: self.key(), value: Some(value) }
    }

    /// There is nothing any more.
    pub(super) fn gone(&self) -> RowChange {
        RowChange { key: self.key(), value: None }
    }

    fn key(&self) -> Vec<u8> {
        let letter = vec![self.what.letter()];
        postcard::to_extend(&self.of, letter).expect("a key can be written to memory")
    }
}

/// Reads such a row back, if it is one.
pub(super) fn read(key: &[u8], value: &[u8]) -> Option<(KeptRow, QueueId)> {
    let (&letter, key) = key.split_first()?;
    let what = KINDS.into_iter().find(|what| what.letter() == letter)?;
    let (&VERSION, value) = value.split_first()? else { return None };
    let id = u64::from_le_bytes(value.try_into().ok()?);
    Some((KeptRow { what, of: postcard::from_bytes(key).ok()? }, QueueId(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back() {
        for what in KINDS {
            let row = KeptRow { what, of: Exchange { vhost: "/".into(), name: "x".into() } };
            let change = row.change(QueueId(7));
            let value = change.value.expect("it says something");
            assert_eq!(read(&change.key, &value), Some((row.clone(), QueueId(7))));
            assert_eq!(row.gone(), RowChange { key: change.key, value: None });
            assert_eq!(read(b"x", &value), None);
        }
        assert_eq!(read(b"", b""), None);
    }
}
