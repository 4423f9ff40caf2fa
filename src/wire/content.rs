//! Content headers: kept as the bytes that came, checked once, single fields read on demand.
//!
//! ```text
//! class u16 | weight u16 | body size u64 | property flags u16 | properties in flag order
//! ```
//! (AMQP 0-9-1, 4.2.6.1)

use super::table::{BadTable, TableRef};
use super::{fixed, put_long_string, put_short_string, short_string};

/// Bytes in front of the property flags.
const FIXED: usize = 12;

/// Bytes that are no content header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// It ends before its body's size.
    #[error("content header without class, weight and size")]
    NoSize,
    /// It ends before its properties do.
    #[error("content header is truncated")]
    Truncated,
    /// There are bytes behind the last property.
    #[error("content header has bytes behind its last property")]
    TrailingBytes,
    /// It says that more flags follow, but the basic class has no more properties.
    #[error("content header continues its property flags")]
    MoreFlags,
    /// Its headers are no field table.
    #[error(transparent)]
    Headers(#[from] BadTable),
}

/// The properties of the basic class, each with its flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Property {
    /// MIME content type.
    ContentType = 1 << 15,
    /// MIME content encoding.
    ContentEncoding = 1 << 14,
    /// The headers table.
    Headers = 1 << 13,
    /// 1 transient, 2 persistent.
    DeliveryMode = 1 << 12,
    /// Message priority.
    Priority = 1 << 11,
    /// Correlation identifier.
    CorrelationId = 1 << 10,
    /// Address to reply to.
    ReplyTo = 1 << 9,
    /// Time to live in milliseconds, as text.
    Expiration = 1 << 8,
    /// Message identifier.
    MessageId = 1 << 7,
    /// Seconds since the epoch.
    Timestamp = 1 << 6,
    /// Message type name.
    Type = 1 << 5,
    /// Creating user.
    UserId = 1 << 4,
    /// Creating application.
    AppId = 1 << 3,
    /// Deprecated cluster id.
    ClusterId = 1 << 2,
}

impl Property {
    const ALL: [Self; 14] = [
        Self::ContentType,
        Self::ContentEncoding,
        Self::Headers,
        Self::DeliveryMode,
        Self::Priority,
        Self::CorrelationId,
        Self::ReplyTo,
        Self::Expiration,
        Self::MessageId,
        Self::Timestamp,
        Self::Type,
        Self::UserId,
        Self::AppId,
        Self::ClusterId,
    ];

    /// The flag that says that more flags follow (AMQP 0-9-1, 4.2.6.1).
    const MORE: u16 = 1;
    /// A flag that no property has; RabbitMQ looks past it.
    const UNUSED: u16 = 2;

    fn flag(self) -> u16 {
        self as u16
    }

    /// The property's bytes split off the front.
    #[inline]
    fn split(self, rest: &[u8]) -> Option<(&[u8], &[u8])> {
        let len = match self {
            Self::Headers => {
                let (len, _) = fixed::<4>(rest)?;
                4usize.checked_add(u32::from_be_bytes(len) as usize)?
            }
            Self::DeliveryMode | Self::Priority => 1,
            Self::Timestamp => 8,
            Self::ContentType
            | Self::ContentEncoding
            | Self::CorrelationId
            | Self::ReplyTo
            | Self::Expiration
            | Self::MessageId
            | Self::Type
            | Self::UserId
            | Self::AppId
            | Self::ClusterId => 1 + usize::from(*rest.first()?),
        };
        rest.split_at_checked(len)
    }
}

/// A checked content header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The class it says it belongs to; 60 for everything that exists.
    pub class: u16,
    /// 0 in everything that exists.
    pub weight: u16,
    /// Bytes of body that follow.
    pub body_size: u64,
    /// What the rules of publishing ask for.
    pub properties: Properties<'a>,
}

/// The properties that rules look at. The others are checked and carried, not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    /// 1 transient, 2 persistent; 0 where missing.
    pub delivery_mode: u8,
    /// 0 where missing.
    pub priority: u8,
    /// The headers, if there are any.
    pub headers: Option<TableRef<'a>>,
    /// Where to reply to.
    pub reply_to: Option<&'a [u8]>,
    /// Time to live, as the publisher wrote it.
    pub expiration: Option<&'a [u8]>,
    /// Who says they published it.
    pub user_id: Option<&'a [u8]>,
}

impl<'a> ContentHeader<'a> {
    /// Checks a content header's payload and reads what rules look at.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, BadHeader> {
        let (class, rest) = fixed(payload).ok_or(BadHeader::NoSize)?;
        let (weight, rest) = fixed(rest).ok_or(BadHeader::NoSize)?;
        let (size, rest) = fixed(rest).ok_or(BadHeader::NoSize)?;
        Ok(Self {
            class: u16::from_be_bytes(class),
            weight: u16::from_be_bytes(weight),
            body_size: u64::from_be_bytes(size),
            properties: Properties::parse(rest)?,
        })
    }
}

impl<'a> Properties<'a> {
    #[inline]
    fn parse(rest: &'a [u8]) -> Result<Self, BadHeader> {
        let (flags, mut rest) = fixed(rest).ok_or(BadHeader::Truncated)?;
        let mut flags = u16::from_be_bytes(flags);
        if flags & Property::MORE != 0 {
            return Err(BadHeader::MoreFlags);
        }
        flags &= !Property::UNUSED;
        let mut read = Self::default();
        // From the highest flag down, which is the order of the properties.
        while flags != 0 {
            let property = Property::ALL[flags.leading_zeros() as usize];
            flags &= !property.flag();
            let (bytes, behind) = property.split(rest).ok_or(BadHeader::Truncated)?;
            rest = behind;
            match property {
                Property::Headers => read.headers = Some(TableRef::checked(&bytes[4..])?),
                Property::DeliveryMode => read.delivery_mode = bytes[0],
                Property::Priority => read.priority = bytes[0],
                Property::ReplyTo => read.reply_to = Some(&bytes[1..]),
                Property::Expiration => read.expiration = Some(&bytes[1..]),
                Property::UserId => read.user_id = Some(&bytes[1..]),
                Property::ContentType
                | Property::ContentEncoding
                | Property::CorrelationId
                | Property::MessageId
                | Property::Timestamp
                | Property::Type
                | Property::AppId
                | Property::ClusterId => {}
            }
        }
        if rest.is_empty() { Ok(read) } else { Err(BadHeader::TrailingBytes) }
    }

    /// Delivery mode 2.
    pub fn is_persistent(&self) -> bool {
        self.delivery_mode == 2
    }
}

/// What a property is replaced with.
#[derive(Clone, Copy, Debug)]
pub enum Replacement<'a> {
    /// A short string.
    Text(&'a [u8]),
    /// A table.
    Table(TableRef<'a>),
    /// Nothing: the property goes.
    Nothing,
}

/// The same content header with one property set or removed. The payload has been checked.
pub fn replace(payload: &[u8], property: Property, with: Replacement<'_>) -> Vec<u8> {
    let mut out = payload[..FIXED].to_vec();
    let flags = u16::from_be_bytes([payload[FIXED], payload[FIXED + 1]]);
    let kept = flags & !property.flag();
    let added = if matches!(with, Replacement::Nothing) { 0 } else { property.flag() };
    out.extend_from_slice(&(kept | added).to_be_bytes());
    let mut rest = &payload[FIXED + 2..];
    for each in Property::ALL {
        let old = (flags & each.flag() != 0).then(|| each.split(rest)).flatten();
        rest = old.map_or(rest, |(_, behind)| behind);
        if each == property {
            match with {
                Replacement::Text(text) => put_short_string(&mut out, text),
                Replacement::Table(table) => put_long_string(&mut out, table.as_bytes()),
                Replacement::Nothing => {}
            }
        } else if let Some((bytes, _)) = old {
            out.extend_from_slice(bytes);
        }
    }
    out
}

/// One property of a checked content header: a short string's text, a table's bytes, or the
/// number as it stands.
pub fn property(payload: &[u8], wanted: Property) -> Option<&[u8]> {
    let flags = u16::from_be_bytes([*payload.get(FIXED)?, *payload.get(FIXED + 1)?]);
    let mut rest = &payload[FIXED + 2..];
    for each in Property::ALL {
        if flags & each.flag() == 0 {
            continue;
        }
        let (bytes, behind) = each.split(rest)?;
        if each == wanted {
            return Some(match each {
                Property::Headers => &bytes[4..],
                Property::DeliveryMode | Property::Priority | Property::Timestamp => bytes,
                Property::ContentType
                | Property::ContentEncoding
                | Property::CorrelationId
                | Property::ReplyTo
                | Property::Expiration
                | Property::MessageId
                | Property::Type
                | Property::UserId
                | Property::AppId
                | Property::ClusterId => short_string(bytes)?.0,
            });
        }
        rest = behind;
    }
    None
}

/// A content header for a body of `body_size` bytes with the given properties, each already
/// encoded, in the order of their flags.
pub fn header(body_size: u64, properties: &[(Property, &[u8])]) -> Vec<u8> {
    let mut out = vec![0, 60, 0, 0];
    out.extend_from_slice(&body_size.to_be_bytes());
    let flags = properties.iter().fold(0, |flags, (property, _)| flags | property.flag());
    out.extend_from_slice(&flags.to_be_bytes());
    for (_, bytes) in properties {
        out.extend_from_slice(bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::table::{TableBuilder, Value};
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let mut headers = Vec::new();
        let table = TableBuilder::new().with("k", Value::I32(1)).build();
        put_long_string(&mut headers, table.as_ref().as_bytes());
        header(
            5,
            &[
                (Property::ContentType, b"\x04text"),
                (Property::Headers, &headers),
                (Property::DeliveryMode, &[2]),
                (Property::ReplyTo, b"\x03old"),
                (Property::Timestamp, &[0; 8]),
            ],
        )
    }

    #[test]
    fn fields_are_read() {
        let sample = sample();
        let header = ContentHeader::parse(&sample).expect("well formed");
        assert_eq!((header.class, header.body_size), (60, 5));
        assert!(header.properties.is_persistent());
        assert_eq!(header.properties.reply_to, Some(&b"old"[..]));
        let headers = header.properties.headers.expect("has headers");
        assert_eq!(headers.get("k"), Some(Value::I32(1)));
        assert_eq!(property(&sample, Property::ContentType), Some(&b"text"[..]));
        assert_eq!(property(&sample, Property::AppId), None);
    }

    #[test]
    fn one_property_is_replaced_and_the_others_stay() {
        let sample = sample();
        let renamed = replace(&sample, Property::ReplyTo, Replacement::Text(b"new one"));
        assert_eq!(property(&renamed, Property::ReplyTo), Some(&b"new one"[..]));
        assert_eq!(property(&renamed, Property::ContentType), Some(&b"text"[..]));
        let back = replace(&renamed, Property::ReplyTo, Replacement::Text(b"old"));
        assert_eq!(back, sample);
        let gone = replace(&sample, Property::Headers, Replacement::Nothing);
        assert_eq!(ContentHeader::parse(&gone).expect("well formed").properties.headers, None);
        let added = replace(&gone, Property::UserId, Replacement::Text(b"me"));
        assert_eq!(property(&added, Property::UserId), Some(&b"me"[..]));
    }

    #[test]
    fn bad_headers_are_told_apart() {
        assert_eq!(ContentHeader::parse(&[0, 60]), Err(BadHeader::NoSize));
        let mut torn = sample();
        torn.pop();
        assert_eq!(ContentHeader::parse(&torn), Err(BadHeader::Truncated));
        let mut long = sample();
        long.push(0);
        assert_eq!(ContentHeader::parse(&long), Err(BadHeader::TrailingBytes));
        let mut odd = header(0, &[]);
        odd[13] = 1;
        assert_eq!(ContentHeader::parse(&odd), Err(BadHeader::MoreFlags));
        odd[13] = 2;
        assert!(ContentHeader::parse(&odd).is_ok(), "RabbitMQ looks past the unused flag");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(flags in any::<u16>().prop_map(|flags| flags & !2), rest in proptest::collection::vec(0u8..8, 0..64)) {
            let mut payload = header(1, &[]);
            payload.truncate(FIXED);
            payload.extend_from_slice(&flags.to_be_bytes());
            payload.extend_from_slice(&rest);
            if ContentHeader::parse(&payload).is_ok() {
                let same = property(&payload, Property::ReplyTo).map(<[u8]>::to_vec);
                let with = same.as_deref().map_or(Replacement::Nothing, Replacement::Text);
                prop_assert_eq!(replace(&payload, Property::ReplyTo, with), payload);
            }
        }
    }
}
