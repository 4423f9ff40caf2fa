//! Methods in: by hand for what every message passes through, by `amq-protocol` for the rest.
//!
//! This is the only file that names that crate; the rest of Warren takes its generated types
//! from here.

use amq_protocol::protocol as generated;
use amq_protocol::types::FieldTable;

pub use generated::{
    AMQPClass as AnyMethod, access, basic, channel, confirm, connection, exchange, queue, tx,
};

use super::table::Table;
use super::{fixed, short_string};

/// Class and method number, for naming the offender in a close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MethodId {
    /// The class.
    pub class: u16,
    /// The method in it.
    pub method: u16,
}

impl MethodId {
    /// basic.qos
    pub const QOS: Self = Self::of(60, 10);
    /// basic.consume
    pub const CONSUME: Self = Self::of(60, 20);
    /// basic.publish
    pub const PUBLISH: Self = Self::of(60, 40);
    /// basic.return
    pub const RETURN: Self = Self::of(60, 50);
    /// basic.deliver
    pub const DELIVER: Self = Self::of(60, 60);
    /// basic.get-ok
    pub const GET_OK: Self = Self::of(60, 71);
    /// basic.ack
    pub const ACK: Self = Self::of(60, 80);
    /// basic.reject
    pub const REJECT: Self = Self::of(60, 90);
    /// basic.nack
    pub const NACK: Self = Self::of(60, 120);
    /// channel.close-ok
    pub const CHANNEL_CLOSE_OK: Self = Self::of(20, 41);

    /// Names a method.
    pub const fn of(class: u16, method: u16) -> Self {
        Self { class, method }
    }

    /// The id at the front of a method frame's payload.
    #[inline]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (raw, _) = fixed::<4>(payload)?;
        Some(Self {
            class: u16::from_be_bytes([raw[0], raw[1]]),
            method: u16::from_be_bytes([raw[2], raw[3]]),
        })
    }

    /// Whether AMQP 0-9-1 with RabbitMQ's extensions has such a method.
    pub fn exists(self) -> bool {
        matches!(
            (self.class, self.method),
            (10, 10 | 11 | 20 | 21 | 30 | 31 | 40 | 41 | 50 | 51 | 60 | 61 | 70 | 71)
                | (20, 10 | 11 | 20 | 21 | 40 | 41)
                | (30, 10 | 11)
                | (40, 10 | 11 | 20 | 21 | 30 | 31 | 40 | 51)
                | (50, 10 | 11 | 20 | 21 | 30 | 31 | 40 | 41 | 50 | 51)
                | (60, 10 | 11 | 20 | 21 | 30 | 31 | 40 | 50 | 60 | 70 | 71 | 72 | 80 | 90)
                | (60, 100 | 110 | 111 | 120)
                | (85, 10 | 11)
                | (90, 10 | 11 | 20 | 21 | 30 | 31)
        )
    }

    /// Where, behind the ids, a field table starts that must be checked for depth before
    /// `amq-protocol` reads it by recursion: (fixed bytes, short strings, fixed bytes) in front.
    fn table_position(self) -> Option<(usize, usize, usize)> {
        match (self.class, self.method) {
            (10, 10) => Some((2, 0, 0)),
            (10, 11) => Some((0, 0, 0)),
            (40, 10) => Some((2, 2, 1)),
            (40, 30 | 40) => Some((2, 3, 1)),
            (50, 10) => Some((2, 1, 1)),
            (50, 20) => Some((2, 3, 1)),
            (50, 50) => Some((2, 3, 0)),
            (60, 20) => Some((2, 2, 1)),
            _ => None,
        }
    }
}

/// A method frame's payload that cannot be read. A connection error 502 (SYNTAX_ERROR) where the
/// method exists, 540 (NOT_IMPLEMENTED) where it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMethod {
    /// There is no such class or method.
    #[error("unknown method {}.{}", .0.class, .0.method)]
    Unknown(MethodId),
    /// Its arguments cannot be read.
    #[error("malformed arguments of method {}.{}", .0.class, .0.method)]
    Malformed(MethodId),
    /// A short string in it is not UTF-8.
    #[error("Malformed UTF-8 in shortstr")]
    NotText,
    /// It is too short for a class and a method.
    #[error("method frame without class and method id")]
    NoId,
}

/// A method as it comes in, arguments still in the read buffer where that pays.
#[derive(Debug)]
pub enum Method<'a> {
    /// basic.publish
    Publish(Publish<'a>),
    /// basic.ack
    Ack(Ack),
    /// basic.nack
    Nack(Nack),
    /// basic.reject
    Reject(Reject),
    /// basic.qos; by hand because the generated type leaves the prefetch size out.
    Qos(Qos),
    /// Any other.
    Other(Box<Other>),
}

/// A method that `amq-protocol` has read.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    /// The method.
    pub method: AnyMethod,
    /// Its table, if it has one, as the bytes that came: the generated type sorts the keys, keeps
    /// the last of two equal ones where RabbitMQ keeps the first, and reads `L` as `l`.
    pub arguments: Table,
}

/// basic.publish (60,40)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Exchange and routing key as they stand on the wire: two short strings.
    pub names: &'a [u8],
    /// Return it if it reaches no queue.
    pub mandatory: bool,
    /// Return it if no consumer can take it now; not implemented anywhere.
    pub immediate: bool,
}

impl<'a> Publish<'a> {
    /// The exchange published to.
    pub fn exchange(&self) -> &'a [u8] {
        &self.names[1..1 + usize::from(self.names[0])]
    }

    /// The routing key.
    pub fn routing_key(&self) -> &'a [u8] {
        &self.names[2 + usize::from(self.names[0])..]
    }
}

/// basic.ack (60,80)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// What is acknowledged.
    pub delivery_tag: u64,
    /// Everything up to it as well.
    pub multiple: bool,
}

/// basic.nack (60,120)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack {
    /// What is refused.
    pub delivery_tag: u64,
    /// Everything up to it as well.
    pub multiple: bool,
    /// Put it back.
    pub requeue: bool,
}

/// basic.reject (60,90)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// What is refused.
    pub delivery_tag: u64,
    /// Put it back.
    pub requeue: bool,
}

/// basic.qos (60,10)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qos {
    /// Bytes that may be unacked; not implemented anywhere.
    pub prefetch_size: u32,
    /// Messages that may be unacked; 0 is no limit.
    pub prefetch_count: u16,
    /// For the whole channel, not for each consumer to come.
    pub global: bool,
}

/// Reads a method frame's payload.
#[inline]
pub fn decode(payload: &[u8]) -> Result<Method<'_>, BadMethod> {
    let id = MethodId::read(payload).ok_or(BadMethod::NoId)?;
    let arguments = &payload[4..];
    let hot = match id {
        MethodId::PUBLISH => decode_publish(arguments).map(Method::Publish),
        MethodId::ACK => decode_settle(arguments)
            .map(|(delivery_tag, bits)| Method::Ack(Ack { delivery_tag, multiple: bits & 1 != 0 })),
        MethodId::NACK => decode_settle(arguments).map(|(delivery_tag, bits)| {
            Method::Nack(Nack { delivery_tag, multiple: bits & 1 != 0, requeue: bits & 2 != 0 })
        }),
        MethodId::REJECT => decode_settle(arguments).map(|(delivery_tag, bits)| {
            Method::Reject(Reject { delivery_tag, requeue: bits & 1 != 0 })
        }),
        MethodId::QOS => decode_qos(arguments).map(Method::Qos),
        _ => return decode_other(id, payload),
    };
    hot.ok_or(BadMethod::Malformed(id))
}

#[inline]
fn decode_publish(arguments: &[u8]) -> Option<Publish<'_>> {
    let names = arguments.get(2..)?;
    let (_exchange, rest) = short_string(names)?;
    let (_routing_key, rest) = short_string(rest)?;
    let &[bits] = rest else { return None };
    let names = &names[..names.len() - 1];
    Some(Publish { names, mandatory: bits & 1 != 0, immediate: bits & 2 != 0 })
}

#[inline]
fn decode_settle(arguments: &[u8]) -> Option<(u64, u8)> {
    let (tag, rest) = fixed(arguments)?;
    let &[bits] = rest else { return None };
    Some((u64::from_be_bytes(tag), bits))
}

fn decode_qos(arguments: &[u8]) -> Option<Qos> {
    let (size, rest) = fixed(arguments)?;
    let &[count_high, count_low, bits] = rest else { return None };
    Some(Qos {
        prefetch_size: u32::from_be_bytes(size),
        prefetch_count: u16::from_be_bytes([count_high, count_low]),
        global: bits & 1 != 0,
    })
}

fn decode_other(id: MethodId, payload: &[u8]) -> Result<Method<'_>, BadMethod> {
    if !id.exists() {
        return Err(BadMethod::Unknown(id));
    }
    decode_any(id, payload).map(|other| Method::Other(Box::new(other)))
}

/// Reads any method into `amq-protocol`'s type; for channel 0, and for clients, which see the
/// server's methods.
pub fn decode_any(id: MethodId, payload: &[u8]) -> Result<Other, BadMethod> {
    let arguments = match id.table_position() {
        Some(position) => read_table(payload, position).ok_or(BadMethod::Malformed(id))?,
        None => Table::default(),
    };
    match generated::parse_class(payload) {
        Ok(([], method)) => Ok(Other { method, arguments }),
        Ok(_) => Err(BadMethod::Malformed(id)),
        Err(_) => Err(why_malformed(id, payload)),
    }
}

/// Whether bytes that are not ASCII are what is wrong with a payload: the parser does not say.
fn why_malformed(id: MethodId, payload: &[u8]) -> BadMethod {
    let ascii: Vec<u8> =
        payload.iter().map(|&byte| if byte < 0x80 { byte } else { b'?' }).collect();
    match generated::parse_class(&ascii[..]) {
        Ok(([], _)) => BadMethod::NotText,
        Ok(_) | Err(_) => BadMethod::Malformed(id),
    }
}

fn read_table(payload: &[u8], (before, strings, after): (usize, usize, usize)) -> Option<Table> {
    let mut rest = payload.get(4 + before..)?;
    for _ in 0..strings {
        rest = short_string(rest)?.1;
    }
    let (len, rest) = fixed::<4>(rest.get(after..)?)?;
    let table = rest.get(..u32::from_be_bytes(len) as usize)?;
    Table::checked(table).ok()
}

/// A method frame's payload.
pub fn encode(method: &AnyMethod) -> Vec<u8> {
    generated::gen_class(method)(Vec::new().into())
        .map(|done| done.into_inner().0)
        .expect("a method built by the broker can be written to memory")
}

/// A table, for methods that are sent.
pub fn field_table(table: &Table) -> FieldTable {
    let mut bytes = Vec::new();
    super::put_long_string(&mut bytes, table.as_ref().as_bytes());
    let parsed = amq_protocol::types::parsing::parse_field_table(&bytes[..]);
    parsed.map(|(_, fields)| fields).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::table::{TableBuilder, Value};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn publish_keeps_its_names_in_place() {
        let payload = b"\x00\x3C\x00\x28\x00\x00\x04logs\x03a.b\x01";
        let Ok(Method::Publish(publish)) = decode(payload) else { panic!("not a publish") };
        assert_eq!(publish.exchange(), b"logs");
        assert_eq!(publish.routing_key(), b"a.b");
        assert_eq!((publish.mandatory, publish.immediate), (true, false));
    }

    #[test]
    fn settling_methods_are_read() {
        let ack = decode(b"\x00\x3C\x00\x50\x00\x00\x00\x00\x00\x00\x00\x07\x01");
        assert!(matches!(ack, Ok(Method::Ack(Ack { delivery_tag: 7, multiple: true }))));
        let nack = decode(b"\x00\x3C\x00\x78\x00\x00\x00\x00\x00\x00\x00\x07\x02");
        assert!(matches!(
            nack,
            Ok(Method::Nack(Nack { delivery_tag: 7, multiple: false, requeue: true }))
        ));
    }

    #[test]
    fn unknown_and_malformed_are_told_apart() {
        let unknown = MethodId::of(60, 99);
        assert_eq!(decode(&[0, 60, 0, 99]).unwrap_err(), BadMethod::Unknown(unknown));
        let torn = MethodId::of(50, 10);
        assert_eq!(decode(&[0, 50, 0, 10, 0]).unwrap_err(), BadMethod::Malformed(torn));
        let long = MethodId::of(85, 10);
        assert_eq!(decode(&[0, 85, 0, 10, 0, 0]).unwrap_err(), BadMethod::Malformed(long));
    }

    #[test]
    fn a_deeply_nested_table_is_refused_not_recursed_into() {
        let mut table = Vec::new();
        for _ in 0..20_000 {
            let mut outer = vec![1, b'k', b'F'];
            super::super::put_long_string(&mut outer, &table);
            table = outer;
        }
        let mut payload = vec![0, 50, 0, 10, 0, 0, 1, b'q', 0];
        super::super::put_long_string(&mut payload, &table);
        assert_eq!(decode(&payload).unwrap_err(), BadMethod::Malformed(MethodId::of(50, 10)));
    }

    #[test]
    fn arguments_are_the_bytes_that_came() {
        let table = TableBuilder::new()
            .with("b", Value::I64(5))
            .with("a", Value::Text(b"x"))
            .with("b", Value::Bool(true))
            .build();
        let mut payload = vec![0, 50, 0, 10, 0, 0, 1, b'q', 0];
        super::super::put_long_string(&mut payload, table.as_ref().as_bytes());
        let Ok(Method::Other(other)) = decode(&payload) else { panic!("not decoded") };
        assert_eq!(other.arguments, table);
        assert_eq!(other.arguments.get("b"), Some(Value::I64(5)));
    }

    proptest! {
        #[test]
        fn any_payload_is_decoded_or_refused(
            id in proptest::sample::select(vec![(10u8, 11u8), (40, 10), (50, 10), (50, 20), (60, 20), (60, 40), (60, 80)]),
            rest in proptest::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..64),
        ) {
            let mut payload = vec![0, id.0, 0, id.1];
            payload.extend_from_slice(&rest);
            let _ = decode(&payload);
        }
    }
}
