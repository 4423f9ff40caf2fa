//! Bytes of a method, a header or a table, put together by hand: what no client library would
//! send can be sent.

/// Bytes as AMQP writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload(pub(crate) Vec<u8>);

impl Payload {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A method's ids; its arguments follow.
    pub(crate) fn method(class: u16, method: u16) -> Self {
        Self::new().u16(class).u16(method)
    }

    /// A content header of the basic class without properties.
    pub(crate) fn header(body_size: u64) -> Self {
        Self::new().u16(60).u16(0).u64(body_size).u16(0)
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(self, n: u8) -> Self {
        self.raw(&[n])
    }

    pub(crate) fn u16(self, n: u16) -> Self {
        self.raw(&n.to_be_bytes())
    }

    pub(crate) fn u32(self, n: u32) -> Self {
        self.raw(&n.to_be_bytes())
    }

    pub(crate) fn u64(self, n: u64) -> Self {
        self.raw(&n.to_be_bytes())
    }

    pub(crate) fn short(self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        self.u8(u8::try_from(text.len()).expect("a short string")).raw(text)
    }

    pub(crate) fn long(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.u32(u32::try_from(bytes.len()).expect("a long string")).raw(bytes)
    }

    /// A field table of these entries.
    pub(crate) fn table(self, entries: &Self) -> Self {
        self.long(&entries.0)
    }

    /// An entry of a field table.
    pub(crate) fn entry(self, key: &str, kind: u8, value: impl AsRef<[u8]>) -> Self {
        self.short(key).u8(kind).raw(value.as_ref())
    }

    /// An entry of text.
    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.entry(key, b'S', Self::new().long(value).0)
    }

    /// The bytes as a frame.
    pub(crate) fn frame(&self, kind: u8, channel: u16) -> Vec<u8> {
        Self::new().u8(kind).u16(channel).long(&self.0).u8(0xCE).0
    }
}
