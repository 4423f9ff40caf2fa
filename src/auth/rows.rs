//! Users and permissions as rows of the catalogue.
//!
//! ```text
//! U name                 → hash, how it was made, tags
//! P vhost user           → configure, write, read
//! T vhost user exchange  → write, read
//! ```
//!
//! As the topology's rows are: keys are a letter and postcard-encoded strings, values start with
//! their version.

use serde::{Deserialize, Serialize};

use super::accounts::{Permission, TopicPermission, User};
use super::password::{HashingAlgorithm, PasswordHash};
use super::pattern::{Pattern, TopicPattern};
use crate::topology::rows::{BadRow, RowChange};

/// The version that values are written in.
const VERSION: u8 = 1;
/// The row that says that the default user was made; it is made once, also if it was deleted.
const BEGUN: &[u8] = b"n users begun";

/// A row, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    User(User),
    Permission(Permission),
    TopicPermission(TopicPermission),
    /// The default user was made.
    Begun,
}

#[derive(Serialize, Deserialize)]
struct UserValue {
    hash: String,
    algorithm: String,
    tags: Vec<String>,
}

/// Whether a row is one of these.
pub fn is_one(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'U' | b'P' | b'T')) || key == BEGUN
}

pub(super) fn begun() -> RowChange {
    RowChange { key: BEGUN.into(), value: Some(vec![VERSION]) }
}

pub(super) fn user(user: &User) -> RowChange {
    let value = UserValue {
        hash: user.password.text(),
        algorithm: user.password.algorithm().name().into(),
        tags: user.tags.clone(),
    };
    RowChange { key: keyed(b'U', &user.name.as_str()), value: Some(versioned(&value)) }
}

pub(super) fn permission(permission: &Permission) -> RowChange {
    let Permission { vhost, user, configure, write, read } = permission;
    let value = (configure.as_str(), write.as_str(), read.as_str());
    let key = keyed(b'P', &(vhost.as_str(), user.as_str()));
    RowChange { key, value: Some(versioned(&value)) }
}

pub(super) fn topic_permission(permission: &TopicPermission) -> RowChange {
    let TopicPermission { vhost, user, exchange, write, read } = permission;
    let value = (write.as_str(), read.as_str());
    let key = keyed(b'T', &(vhost.as_str(), user.as_str(), exchange.as_str()));
    RowChange { key, value: Some(versioned(&value)) }
}

/// The same row, gone.
pub(super) fn gone(row: RowChange) -> RowChange {
    RowChange { value: None, ..row }
}

/// Reads a row back.
pub(super) fn read(key: &[u8], value: &[u8]) -> Result<Row, BadRow> {
    let (&version, value) = value.split_first().ok_or(BadRow::Malformed)?;
    if version != VERSION {
        return Err(BadRow::Unknown);
    }
    if key == BEGUN {
        return Ok(Row::Begun);
    }
    match key.split_first().ok_or(BadRow::Malformed)? {
        (b'U', key) => read_user(key, value),
        (b'P', key) => read_permission(key, value),
        (b'T', key) => read_topic_permission(key, value),
        _ => Err(BadRow::Unknown),
    }
}

fn read_user(key: &[u8], value: &[u8]) -> Result<Row, BadRow> {
    let (name, value): (String, UserValue) = (decoded(key)?, decoded(value)?);
    let algorithm = HashingAlgorithm::of_name(&value.algorithm).ok_or(BadRow::Unknown)?;
    let password = PasswordHash::parse(&value.hash, algorithm).map_err(|_| BadRow::Malformed)?;
    Ok(Row::User(User { name: name.into(), password, tags: value.tags }))
}

fn read_permission(key: &[u8], value: &[u8]) -> Result<Row, BadRow> {
    let (vhost, user): (String, String) = decoded(key)?;
    let (configure, write, read): (String, String, String) = decoded(value)?;
    let pattern = |text: String| Pattern::parse(&text).map_err(|_| BadRow::Malformed);
    let (configure, write, read) = (pattern(configure)?, pattern(write)?, pattern(read)?);
    let (vhost, user) = (vhost.into(), user.into());
    Ok(Row::Permission(Permission { vhost, user, configure, write, read }))
}

fn read_topic_permission(key: &[u8], value: &[u8]) -> Result<Row, BadRow> {
    let (vhost, user, exchange): (String, String, String) = decoded(key)?;
    let (write, read): (String, String) = decoded(value)?;
    let pattern = |text: String| TopicPattern::parse(&text).map_err(|_| BadRow::Malformed);
    Ok(Row::TopicPermission(TopicPermission {
        vhost: vhost.into(),
        user: user.into(),
        exchange: exchange.into(),
        write: pattern(write)?,
        read: pattern(read)?,
    }))
}

fn keyed(kind: u8, key: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(key, vec![kind]).expect("a key can be written to memory")
}

fn versioned(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("a value can be written to memory")
}

fn decoded<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, BadRow> {
    postcard::from_bytes(bytes).map_err(|_| BadRow::Malformed)
}
