//! SASL mechanisms: what a client's response says.

use super::Refused;
use crate::config::Mechanism;
use crate::wire::table::{TableRef, Value};

/// What a response comes to.
pub(super) enum Login<'a> {
    /// A name and a password.
    Password { user: &'a [u8], password: &'a [u8] },
    /// Whoever the client's certificate names.
    Certificate,
    /// Whoever the settings name.
    Anonymous,
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

/// A mechanism's name.
pub(super) fn name(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Plain => "PLAIN",
        Mechanism::Amqplain => "AMQPLAIN",
        Mechanism::External => "EXTERNAL",
        Mechanism::Anonymous => "ANONYMOUS",
    }
}

/// Reads a response to one of the mechanisms that were offered; their names are case sensitive.
pub(super) fn read<'a>(
    mut offered: impl Iterator<Item = Mechanism>,
    mechanism: &str,
    response: &'a [u8],
) -> Result<Login<'a>, Refused> {
    let chosen = offered.find(|each| name(*each) == mechanism);
    match chosen.ok_or_else(|| Refused::UnknownMechanism(mechanism.into()))? {
        Mechanism::Plain => Ok(plain(response).ok_or(BadResponse::Plain)?),
        Mechanism::Amqplain => Ok(amqplain(response).ok_or(BadResponse::Amqplain)?),
        Mechanism::External => Ok(Login::Certificate),
        Mechanism::Anonymous => Ok(Login::Anonymous),
    }
}

/// The identity to act as is ignored, as RabbitMQ does.
fn plain(response: &[u8]) -> Option<Login<'_>> {
    let parts: Vec<&[u8]> = response.split(|byte| *byte == 0).collect();
    let [_identity, user, password] = parts[..] else { return None };
    Some(Login::Password { user, password })
}

fn amqplain(response: &[u8]) -> Option<Login<'_>> {
    let table = TableRef::checked(response).ok()?;
    let field = |name| match table.get(name) {
        Some(Value::Text(text)) => Some(text),
        Some(_) | None => None,
    };
    Some(Login::Password { user: field("LOGIN")?, password: field("PASSWORD")? })
}
