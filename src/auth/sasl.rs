//! SASL mechanisms: what a client's response says.

use super::Refused;
use crate::wire::table::{TableRef, Value};

/// The mechanisms, as connection.start names them.
pub const MECHANISMS: &str = "PLAIN AMQPLAIN";

/// What a response comes to.
pub(super) struct Login<'a> {
    pub(super) user: &'a [u8],
    pub(super) password: &'a [u8],
}

/// A response that is not what its mechanism asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadResponse {
    /// PLAIN is `authzid NUL user NUL password` (RFC 4616).
    #[error("PLAIN wants an identity, a user and a password, divided by zeros")]
    Plain,
    /// AMQPLAIN is a field table without its length.
    #[error("AMQPLAIN wants a table with LOGIN and PASSWORD")]
    Amqplain,
}

/// Reads a response.
pub(super) fn read<'a>(mechanism: &str, response: &'a [u8]) -> Result<Login<'a>, Refused> {
    match mechanism {
        "PLAIN" => Ok(plain(response).ok_or(BadResponse::Plain)?),
        "AMQPLAIN" => Ok(amqplain(response).ok_or(BadResponse::Amqplain)?),
        other => Err(Refused::UnknownMechanism(other.into())),
    }
}

/// The identity to act as is ignored, as RabbitMQ does.
fn plain(response: &[u8]) -> Option<Login<'_>> {
    let parts: Vec<&[u8]> = response.split(|byte| *byte == 0).collect();
    let [_identity, user, password] = parts[..] else { return None };
    Some(Login { user, password })
}

fn amqplain(response: &[u8]) -> Option<Login<'_>> {
    let table = TableRef::checked(response).ok()?;
    let field = |name| match table.get(name) {
        Some(Value::Text(text)) => Some(text),
        Some(_) | None => None,
    };
    Some(Login { user: field("LOGIN")?, password: field("PASSWORD")? })
}
