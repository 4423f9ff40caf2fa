//! What exchanges see of a message.

use crate::wire::table::TableRef;

/// What a message shows to the exchanges that it passes. Its body is nobody's business here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'a> {
    /// The routing key, and behind it those of CC and BCC.
    pub keys: &'a [&'a [u8]],
    /// Its headers.
    pub headers: Option<TableRef<'a>>,
    /// The payload of its content header, of which single properties are read when a rule asks.
    pub properties: &'a [u8],
    /// A random number, for exchanges that go by chance.
    pub chance: u64,
}

impl<'a> Envelope<'a> {
    /// A message of which only the keys count.
    pub fn with_keys(keys: &'a [&'a [u8]]) -> Self {
        Self { keys, ..Self::default() }
    }
}
