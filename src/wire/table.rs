//! Field tables: kept as the bytes that came, read on demand.
//!
//! A table is checked once, when it enters; after that reading it cannot fail. The bytes go out
//! as they came in, so every type survives a round trip, also those that RabbitMQ reads alike
//! (`l` and `L`). Types are RabbitMQ's: `t b B s U u I i l L f d D S A T F x V`.

use std::fmt;

/// How deep tables and arrays may nest. RabbitMQ has no limit; nobody nests that deep, and the
/// limit keeps a hostile table from using up the stack.
pub const MAX_DEPTH: usize = 128;

/// Bytes that are no field table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTable {
    /// A length points past the end.
    #[error("field table is truncated")]
    Truncated,
    /// A value has a type that does not exist.
    #[error("field table has a value of unknown type {0}")]
    UnknownType(u8),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("field table is nested deeper than 128 levels")]
    TooDeep,
}

/// A checked field table that owns its bytes (those behind the length prefix).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Table(Box<[u8]>);

/// A checked field table, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct TableRef<'a>(&'a [u8]);

/// A checked field array, borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ArrayRef<'a>(&'a [u8]);

/// One value of a table or an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `t`
    Bool(bool),
    /// `b`
    I8(i8),
    /// `B`
    U8(u8),
    /// `s` and `U`
    I16(i16),
    /// `u`
    U16(u16),
    /// `I`
    I32(i32),
    /// `i`
    U32(u32),
    /// `l` and `L`
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`
    Decimal {
        /// Digits behind the point.
        scale: u8,
        /// All digits.
        digits: u32,
    },
    /// `S`: a long string, any bytes.
    Text(&'a [u8]),
    /// `x`
    Bytes(&'a [u8]),
    /// `A`
    Array(ArrayRef<'a>),
    /// `T`: seconds since the epoch.
    Timestamp(u64),
    /// `F`
    Table(TableRef<'a>),
    /// `V`
    Void,
}

impl<'a> Value<'a> {
    /// The value as a whole number, whatever its width.
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Self::I8(n) => Some(n.into()),
            Self::U8(n) => Some(n.into()),
            Self::I16(n) => Some(n.into()),
            Self::U16(n) => Some(n.into()),
            Self::I32(n) => Some(n.into()),
            Self::U32(n) => Some(n.into()),
            Self::I64(n) => Some(n),
            Self::Bool(_)
            | Self::F32(_)
            | Self::F64(_)
            | Self::Decimal { .. }
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::Array(_)
            | Self::Timestamp(_)
            | Self::Table(_)
            | Self::Void => None,
        }
    }

    /// The name of its type, as RabbitMQ's texts have it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::I8(_) => "byte",
            Self::U8(_) => "unsignedbyte",
            Self::I16(_) => "short",
            Self::U16(_) => "unsignedshort",
            Self::I32(_) => "signedint",
            Self::U32(_) => "unsignedint",
            Self::I64(_) => "long",
            Self::F32(_) => "float",
            Self::F64(_) => "double",
            Self::Decimal { .. } => "decimal",
            Self::Text(_) => "longstr",
            Self::Bytes(_) => "binary",
            Self::Array(_) => "array",
            Self::Timestamp(_) => "timestamp",
            Self::Table(_) => "table",
            Self::Void => "void",
        }
    }

    /// The bytes of a long string.
    pub fn as_bytes_of_text(&self) -> Option<&'a [u8]> {
        if let Self::Text(bytes) = *self { Some(bytes) } else { None }
    }

    /// The value as text, if it is a long string of UTF-8.
    pub fn as_text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes_of_text()?).ok()
    }
}

impl Table {
    /// Checks and keeps the bytes of a table (without their length prefix).
    pub fn checked(bytes: &[u8]) -> Result<Self, BadTable> {
        TableRef::checked(bytes).map(TableRef::to_owned)
    }

    /// Borrows it.
    pub fn as_ref(&self) -> TableRef<'_> {
        TableRef(&self.0)
    }

    /// The first value under `key`.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.as_ref().get(key)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values in the order they came.
    pub fn iter(&self) -> TableIter<'_> {
        self.as_ref().iter()
    }
}

impl<'a> TableRef<'a> {
    /// Checks the bytes of a table (without their length prefix).
    pub fn checked(bytes: &'a [u8]) -> Result<Self, BadTable> {
        check_table(bytes, 0)?;
        Ok(Self(bytes))
    }

    /// The first value under `key`.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Keys and values in the order they came. Entries whose key is not UTF-8 are carried, and
    /// passed over here: no rule could name them.
    pub fn iter(self) -> TableIter<'a> {
        TableIter(self.0)
    }

    /// The same table without the entries of one key.
    pub fn without(self, key: &str) -> Table {
        self.without_any(&[key])
    }

    /// The same table without the entries of some keys.
    pub fn without_any(self, keys: &[&str]) -> Table {
        let mut kept = Vec::with_capacity(self.0.len());
        let mut rest = self.0;
        while let Some((name, _, behind)) = split_entry(rest) {
            if keys.iter().all(|key| name != key.as_bytes()) {
                kept.extend_from_slice(&rest[..rest.len() - behind.len()]);
            }
            rest = behind;
        }
        Table(kept.into())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The bytes as they go on the wire, without their length prefix.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Copies it.
    pub fn to_owned(self) -> Table {
        Table(self.0.into())
    }
}

impl<'a> ArrayRef<'a> {
    /// The values in order.
    pub fn iter(self) -> ArrayIter<'a> {
        ArrayIter(self.0)
    }
}

/// Walks a table.
pub struct TableIter<'a>(&'a [u8]);

/// Walks an array.
pub struct ArrayIter<'a>(&'a [u8]);

impl<'a> Iterator for TableIter<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, value, rest) = split_entry(self.0)?;
            self.0 = rest;
            if let Ok(key) = std::str::from_utf8(key) {
                return Some((key, value));
            }
        }
    }
}

/// The first entry of a checked table, and the bytes behind it.
fn split_entry(bytes: &[u8]) -> Option<(&[u8], Value<'_>, &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    let (key, rest) = rest.split_at_checked(len.into())?;
    let (value, rest) = read_value(rest).ok()?;
    Some((key, value, rest))
}

impl<'a> Iterator for ArrayIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (value, rest) = read_value(self.0).ok()?;
        self.0 = rest;
        Some(value)
    }
}

fn check_table(mut bytes: &[u8], depth: usize) -> Result<(), BadTable> {
    if depth > MAX_DEPTH {
        return Err(BadTable::TooDeep);
    }
    while let Some((&len, rest)) = bytes.split_first() {
        let (_key, rest) = rest.split_at_checked(len.into()).ok_or(BadTable::Truncated)?;
        bytes = check_value(rest, depth)?;
    }
    Ok(())
}

fn check_array(mut bytes: &[u8], depth: usize) -> Result<(), BadTable> {
    if depth > MAX_DEPTH {
        return Err(BadTable::TooDeep);
    }
    while !bytes.is_empty() {
        bytes = check_value(bytes, depth)?;
    }
    Ok(())
}

fn check_value(bytes: &[u8], depth: usize) -> Result<&[u8], BadTable> {
    let (value, rest) = read_value(bytes)?;
    if let Value::Table(table) = value {
        check_table(table.0, depth + 1)?;
    } else if let Value::Array(array) = value {
        check_array(array.0, depth + 1)?;
    }
    Ok(rest)
}

/// Reads one typed value off the front. What is nested in it is not looked at.
fn read_value(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), BadTable> {
    fn fixed<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), BadTable> {
        bytes.split_first_chunk().map(|(head, rest)| (*head, rest)).ok_or(BadTable::Truncated)
    }
    fn long(bytes: &[u8]) -> Result<(&[u8], &[u8]), BadTable> {
        let (len, rest) = fixed::<4>(bytes)?;
        rest.split_at_checked(u32::from_be_bytes(len) as usize).ok_or(BadTable::Truncated)
    }
    macro_rules! number {
        ($variant:ident, $type:ty, $rest:expr) => {{
            let (raw, rest) = fixed($rest)?;
            (Value::$variant(<$type>::from_be_bytes(raw)), rest)
        }};
    }
    let (&kind, rest) = bytes.split_first().ok_or(BadTable::Truncated)?;
    Ok(match kind {
        b't' => {
            let ([raw], rest) = fixed(rest)?;
            (Value::Bool(raw != 0), rest)
        }
        b'b' => number!(I8, i8, rest),
        b'B' => number!(U8, u8, rest),
        b's' | b'U' => number!(I16, i16, rest),
        b'u' => number!(U16, u16, rest),
        b'I' => number!(I32, i32, rest),
        b'i' => number!(U32, u32, rest),
        b'l' | b'L' => number!(I64, i64, rest),
        b'f' => number!(F32, f32, rest),
        b'd' => number!(F64, f64, rest),
        b'D' => {
            let ([scale], rest) = fixed(rest)?;
            let (digits, rest) = fixed(rest)?;
            (Value::Decimal { scale, digits: u32::from_be_bytes(digits) }, rest)
        }
        b'T' => number!(Timestamp, u64, rest),
        b'V' => (Value::Void, rest),
        b'S' => {
            let (text, rest) = long(rest)?;
            (Value::Text(text), rest)
        }
        b'x' => {
            let (bytes, rest) = long(rest)?;
            (Value::Bytes(bytes), rest)
        }
        b'A' => {
            let (array, rest) = long(rest)?;
            (Value::Array(ArrayRef(array)), rest)
        }
        b'F' => {
            let (table, rest) = long(rest)?;
            (Value::Table(TableRef(table)), rest)
        }
        other => return Err(BadTable::UnknownType(other)),
    })
}

/// Writes a table, entry by entry.
#[derive(Default)]
pub struct TableBuilder(Vec<u8>);

impl TableBuilder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry. A key is at most 255 bytes; a longer one is cut.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value<'_>) -> Self {
        self.push(key, value);
        self
    }

    /// Adds an entry.
    pub fn push(&mut self, key: &str, value: Value<'_>) {
        super::put_short_string(&mut self.0, key.as_bytes());
        write_value(&mut self.0, value);
    }

    /// The finished table.
    pub fn build(self) -> Table {
        Table(self.0.into())
    }
}

/// Writes an array, value by value.
#[derive(Default)]
pub struct ArrayBuilder(Vec<u8>);

impl ArrayBuilder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value.
    pub fn push(&mut self, value: Value<'_>) {
        write_value(&mut self.0, value);
    }

    /// The finished array.
    pub fn as_value(&self) -> Value<'_> {
        Value::Array(ArrayRef(&self.0))
    }
}

impl Table {
    /// Goes on writing where the table ends.
    pub fn extend(self) -> TableBuilder {
        TableBuilder(self.0.into())
    }
}

fn write_value(out: &mut Vec<u8>, value: Value<'_>) {
    fn long(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
        out.push(kind);
        super::put_long_string(out, bytes);
    }
    fn fixed(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
        out.push(kind);
        out.extend_from_slice(bytes);
    }
    match value {
        Value::Bool(b) => fixed(out, b't', &[b.into()]),
        Value::I8(n) => fixed(out, b'b', &n.to_be_bytes()),
        Value::U8(n) => fixed(out, b'B', &[n]),
        Value::I16(n) => fixed(out, b's', &n.to_be_bytes()),
        Value::U16(n) => fixed(out, b'u', &n.to_be_bytes()),
        Value::I32(n) => fixed(out, b'I', &n.to_be_bytes()),
        Value::U32(n) => fixed(out, b'i', &n.to_be_bytes()),
        Value::I64(n) => fixed(out, b'l', &n.to_be_bytes()),
        Value::F32(n) => fixed(out, b'f', &n.to_be_bytes()),
        Value::F64(n) => fixed(out, b'd', &n.to_be_bytes()),
        Value::Decimal { scale, digits } => {
            fixed(out, b'D', &[scale]);
            out.extend_from_slice(&digits.to_be_bytes());
        }
        Value::Text(text) => long(out, b'S', text),
        Value::Bytes(bytes) => long(out, b'x', bytes),
        Value::Array(array) => long(out, b'A', array.0),
        Value::Timestamp(seconds) => fixed(out, b'T', &seconds.to_be_bytes()),
        Value::Table(table) => long(out, b'F', table.0),
        Value::Void => out.push(b'V'),
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Debug for TableRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Debug for ArrayRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nested(levels: usize) -> Vec<u8> {
        (0..levels).fold(Vec::new(), |inner, _| {
            let mut outer = vec![1, b'k', b'F'];
            outer.extend_from_slice(&u32::try_from(inner.len()).expect("small").to_be_bytes());
            outer.extend_from_slice(&inner);
            outer
        })
    }

    #[test]
    fn what_is_written_is_read() {
        let inner = TableBuilder::new().with("deep", Value::Void).build();
        let table = TableBuilder::new()
            .with("a", Value::I32(-7))
            .with("b", Value::Text(b"text"))
            .with("c", Value::Table(inner.as_ref()))
            .build();
        assert_eq!(table.get("a"), Some(Value::I32(-7)));
        assert_eq!(table.get("b").and_then(|v| v.as_text()), Some("text"));
        assert_eq!(table.get("c"), Some(Value::Table(inner.as_ref())));
        assert_eq!(table.get("d"), None);
        assert_eq!(Table::checked(table.as_ref().as_bytes()), Ok(table));
    }

    #[test]
    fn nesting_has_an_end() {
        assert!(Table::checked(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(Table::checked(&nested(MAX_DEPTH + 2)), Err(BadTable::TooDeep));
        assert_eq!(Table::checked(&nested(20_000)), Err(BadTable::TooDeep));
    }

    #[test]
    fn unknown_types_and_torn_tables_are_refused() {
        assert_eq!(Table::checked(&[1, b'k', b'z']), Err(BadTable::UnknownType(b'z')));
        assert_eq!(Table::checked(&[1, b'k', b'I', 0]), Err(BadTable::Truncated));
    }

    #[test]
    fn a_key_that_is_no_text_is_carried_and_passed_over() {
        let table = Table::checked(&[1, 0xFF, b'V', 1, b'k', b'V', 1, b'b', b'V']).expect("good");
        let keys: Vec<&str> = table.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["k", "b"]);
        let kept = table.as_ref().without("k");
        assert_eq!(kept.as_ref().as_bytes(), &[1, 0xFF, b'V', 1, b'b', b'V']);
    }

    proptest! {
        #[test]
        fn a_checked_table_is_read_to_its_end(
            bytes in proptest::collection::vec(prop_oneof![0u8..4, Just(b'F'), Just(b'A'), Just(b'V'), Just(b't')], 0..48)
        ) {
            if let Ok(table) = TableRef::checked(&bytes) {
                let mut again = TableBuilder::new();
                for (key, value) in table.iter() {
                    again.push(key, value);
                }
                prop_assert_eq!(again.build().as_ref().as_bytes().len(), bytes.len());
            }
        }
    }
}
