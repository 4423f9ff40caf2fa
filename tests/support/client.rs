//! A client that shows every frame, sends whatever it is told to, and waits only for events.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use warren::wire::PROTOCOL_HEADER;
use warren::wire::frame::{FrameKind, Split, split};
use warren::wire::method::{AnyMethod, MethodId, Other, basic, decode_any, queue};
use warren::wire::table::Table;

use super::{A_MOMENT, Login, PATIENCE, Payload};

pub(crate) const METHOD: u8 = 1;
pub(crate) const HEADER: u8 = 2;
pub(crate) const BODY: u8 = 3;
pub(crate) const HEARTBEAT: u8 = 8;

/// One connection to a broker.
pub(crate) struct Client {
    socket: TcpStream,
    /// What was read and not yet heard.
    bytes: Vec<u8>,
    frame_max: usize,
    /// The largest frame heard.
    pub(crate) largest_frame: usize,
}

/// A method heard, with its content.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) channel: u16,
    pub(crate) id: (u16, u16),
    pub(crate) method: AnyMethod,
    /// Its table, if it has one.
    pub(crate) arguments: Table,
    /// The content header, if the method has content.
    pub(crate) header: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// A basic.deliver heard.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) channel: u16,
    pub(crate) consumer: String,
    pub(crate) tag: u64,
    pub(crate) redelivered: bool,
    pub(crate) routing_key: String,
    pub(crate) header: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Delivered {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }
}

/// One frame heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawFrame {
    pub(crate) kind: FrameKind,
    pub(crate) channel: u16,
    pub(crate) payload: Vec<u8>,
}

/// How a basic.consume is meant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Consume<'a> {
    pub(crate) no_ack: bool,
    pub(crate) exclusive: bool,
    pub(crate) tag: &'a str,
    pub(crate) priority: Option<i8>,
}

/// The sockets.
impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the broker listens"))
    }

    pub(crate) fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).expect("a socket");
        Self { socket, bytes: Vec::new(), frame_max: 8192, largest_frame: 0 }
    }

    /// Bytes as they are. What the broker does not take any more is lost without a word, as a
    /// test sees it in what it hears.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Bytes as they are, as long as the broker takes them. Returns how many it took within the
    /// time.
    pub(crate) fn say_for(&mut self, bytes: &[u8], time: Duration) -> usize {
        self.socket.set_write_timeout(Some(time)).expect("a socket");
        let mut taken = 0;
        while taken < bytes.len() {
            match self.socket.write(&bytes[taken..]) {
                Ok(count) => taken += count,
                Err(_) => break,
            }
        }
        self.socket.set_write_timeout(None).expect("a socket");
        taken
    }

    /// One frame.
    pub(crate) fn frame(&mut self, kind: u8, channel: u16, payload: &Payload) {
        self.say(&payload.frame(kind, channel));
    }

    /// One method frame.
    pub(crate) fn method(&mut self, channel: u16, payload: &Payload) {
        self.frame(METHOD, channel, payload);
    }

    /// The other way to write while this one reads.
    pub(crate) fn writer(&self) -> Self {
        Self { frame_max: self.frame_max, ..Self::over(self.socket.try_clone().expect("a socket")) }
    }

    /// Leaves without a word.
    pub(crate) fn vanish(self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Says no more, and still listens.
    pub(crate) fn fall_silent(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// The next frame, unless none comes until then. `Ok(None)`: the broker has ended.
    pub(crate) fn next_frame(&mut self, deadline: Instant) -> Result<Option<RawFrame>, Silence> {
        loop {
            match split(&self.bytes, usize::MAX - 64).expect("the broker sends frames") {
                Split::Whole(frame) => {
                    let (kind, channel) = (frame.kind, frame.channel);
                    let (payload, len) = (frame.payload.to_vec(), frame.wire_len());
                    self.bytes.drain(..len);
                    self.largest_frame = self.largest_frame.max(len);
                    return Ok(Some(RawFrame { kind, channel, payload }));
                }
                Split::Needs(_) => {
                    if !self.read(deadline)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// What is there to be read, as it comes. `false`: the broker has ended.
    fn read(&mut self, deadline: Instant) -> Result<bool, Silence> {
        let left = deadline.saturating_duration_since(Instant::now());
        // A timeout of nothing is none at all.
        self.socket.set_nonblocking(left.is_zero()).expect("a socket");
        let timeout = (!left.is_zero()).then_some(left);
        self.socket.set_read_timeout(timeout).expect("a socket");
        let mut buffer = vec![0; 64 * 1024];
        let read = self.socket.read(&mut buffer);
        if left.is_zero() {
            self.socket.set_nonblocking(false).expect("a socket");
        }
        match read {
            Ok(count) => {
                self.bytes.extend_from_slice(&buffer[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Silence),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(_) => Ok(false),
        }
    }

    /// Waits until the broker has said something, or has ended.
    #[track_caller]
    pub(crate) fn waits_for_an_answer(&mut self) {
        if self.bytes.is_empty() {
            self.read(Instant::now() + PATIENCE).expect("the broker answers");
        }
    }

    /// Everything until the broker ends, as bytes.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.read(deadline).expect("the broker ends") {}
        std::mem::take(&mut self.bytes)
    }
}

/// Nothing came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Silence;

/// Listening.
impl Client {
    /// The next method with its content, heartbeats left out. `Ok(None)`: the broker has ended.
    pub(crate) fn hear_until(&mut self, deadline: Instant) -> Result<Option<Heard>, Silence> {
        let frame = loop {
            match self.next_frame(deadline)? {
                None => return Ok(None),
                Some(frame) if frame.kind == FrameKind::Heartbeat => {}
                Some(frame) => break frame,
            }
        };
        assert_eq!(frame.kind, FrameKind::Method, "a method comes first");
        let id = MethodId::read(&frame.payload).expect("a method has an id");
        let Other { method, arguments } = read_method(id, &frame.payload);
        let (mut header, mut body) = (Vec::new(), Vec::new());
        if matches!(id, MethodId::DELIVER | MethodId::GET_OK | MethodId::RETURN) {
            let mut piece = |kind| {
                let piece = self.next_frame(Instant::now() + PATIENCE);
                let piece = piece.expect("content follows").expect("content follows");
                assert_eq!((piece.kind, piece.channel), (kind, frame.channel), "content follows");
                piece.payload
            };
            header = piece(FrameKind::Header);
            let size = u64::from_be_bytes(header[4..12].try_into().expect("a size"));
            while (body.len() as u64) < size {
                body.extend(piece(FrameKind::Body));
            }
        }
        let channel = frame.channel;
        Ok(Some(Heard { channel, id: (id.class, id.method), method, arguments, header, body }))
    }

    /// The next method with its content.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> Heard {
        let heard = self.hear_until(Instant::now() + PATIENCE).expect("the broker says something");
        heard.expect("the broker has not ended")
    }

    /// The next method, which is this one.
    #[track_caller]
    pub(crate) fn expect(&mut self, channel: u16, class: u16, method: u16) -> Heard {
        let heard = self.hear();
        assert_eq!((heard.channel, heard.id), (channel, (class, method)), "heard {heard:?}");
        heard
    }

    /// The next delivery.
    #[track_caller]
    pub(crate) fn delivery(&mut self) -> Delivered {
        let heard = self.hear();
        let AnyMethod::Basic(basic::AMQPMethod::Deliver(deliver)) = heard.method else {
            panic!("not a delivery: {heard:?}");
        };
        Delivered {
            channel: heard.channel,
            consumer: deliver.consumer_tag.to_string(),
            tag: deliver.delivery_tag,
            redelivered: deliver.redelivered,
            routing_key: deliver.routing_key.to_string(),
            header: heard.header,
            body: heard.body,
        }
    }

    /// The texts of the next deliveries.
    #[track_caller]
    pub(crate) fn deliveries(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.delivery().text()).collect()
    }

    /// Nothing comes but heartbeats.
    #[track_caller]
    pub(crate) fn hears_nothing(&mut self) {
        let heard = self.hear_until(Instant::now() + A_MOMENT);
        assert!(matches!(heard, Err(Silence)), "heard {heard:?}");
    }

    /// The broker ends the connection, and says nothing before.
    #[track_caller]
    pub(crate) fn hears_the_end(&mut self) {
        let heard = self.hear_until(Instant::now() + PATIENCE).expect("the broker ends");
        assert!(heard.is_none(), "heard {heard:?}");
    }

    /// The broker closes the connection with this code, because of this method; both sides end.
    #[track_caller]
    pub(crate) fn is_closed(&mut self, code: u16, by: (u16, u16)) {
        let heard = self.expect(0, 10, 50);
        let close = close_of(&heard);
        assert_eq!((close.0, close.1), (code, by), "closed: {}", close.2);
        self.method(0, &Payload::method(10, 51));
        self.hears_the_end();
    }

    /// The broker closes the channel with this code, because of this method; it can be opened
    /// again.
    #[track_caller]
    pub(crate) fn channel_is_closed(&mut self, channel: u16, code: u16, by: (u16, u16)) {
        let heard = self.expect(channel, 20, 40);
        let close = close_of(&heard);
        assert_eq!((close.0, close.1), (code, by), "closed: {}", close.2);
        self.method(channel, &Payload::method(20, 41));
    }
}

/// Reads a method. A routing key may be no text, which generated types cannot hold.
fn read_method(id: MethodId, payload: &[u8]) -> Other {
    decode_any(id, payload).unwrap_or_else(|_| {
        let as_text = |byte: &u8| if byte.is_ascii() { *byte } else { b'?' };
        let ascii: Vec<u8> = payload.iter().map(as_text).collect();
        decode_any(id, &ascii).expect("the broker's methods can be read")
    })
}

/// Code, offending method and text of a close.
#[track_caller]
pub(crate) fn close_of(heard: &Heard) -> (u16, (u16, u16), String) {
    use warren::wire::method::{channel, connection};
    if let AnyMethod::Connection(connection::AMQPMethod::Close(close)) = &heard.method {
        (close.reply_code, (close.class_id, close.method_id), close.reply_text.to_string())
    } else if let AnyMethod::Channel(channel::AMQPMethod::Close(close)) = &heard.method {
        (close.reply_code, (close.class_id, close.method_id), close.reply_text.to_string())
    } else {
        panic!("not a close: {heard:?}")
    }
}

/// Conversations.
impl Client {
    /// The whole handshake.
    #[track_caller]
    pub(crate) fn log_in(&mut self, login: &Login) {
        self.ask_in(login);
        self.expect(0, 10, 41);
    }

    /// The handshake up to connection.open. Returns connection.start.
    #[track_caller]
    pub(crate) fn ask_in(&mut self, login: &Login) -> Heard {
        self.say(&PROTOCOL_HEADER);
        let start = self.expect(0, 10, 10);
        self.method(0, &login.start_ok());
        self.expect(0, 10, 30);
        self.tune(login);
        self.method(0, &login.open());
        start
    }

    pub(crate) fn tune(&mut self, login: &Login) {
        self.frame_max = login.frame_max as usize;
        self.method(0, &login.tune_ok());
    }

    #[track_caller]
    pub(crate) fn open_channel(&mut self, channel: u16) {
        self.method(channel, &Payload::method(20, 10).short(""));
        self.expect(channel, 20, 11);
    }

    /// Closes the connection from this side.
    #[track_caller]
    pub(crate) fn close(mut self) {
        self.method(0, &Payload::method(10, 50).u16(200).short("bye").u16(0).u16(0));
        self.expect(0, 10, 51);
        self.hears_the_end();
    }

    #[track_caller]
    pub(crate) fn close_channel(&mut self, channel: u16) {
        self.method(channel, &Payload::method(20, 40).u16(200).short("bye").u16(0).u16(0));
        self.expect(channel, 20, 41);
    }

    /// Declares a queue that is neither durable nor anybody's own.
    #[track_caller]
    pub(crate) fn declare(&mut self, name: &str) -> queue::DeclareOk {
        self.method(1, &declare(name, 0));
        self.declare_ok()
    }

    #[track_caller]
    pub(crate) fn declare_ok(&mut self) -> queue::DeclareOk {
        let heard = self.hear();
        let AnyMethod::Queue(queue::AMQPMethod::DeclareOk(ok)) = heard.method else {
            panic!("not a declare-ok: {heard:?}");
        };
        ok
    }

    /// Publishes to a queue over channel 1.
    pub(crate) fn publish(&mut self, queue: &str, body: impl AsRef<[u8]>) {
        let bytes = publish(1, "", queue, body.as_ref(), self.frame_max);
        self.say(&bytes);
    }

    /// Publishes numbered texts to a queue in one go.
    pub(crate) fn publish_numbers(&mut self, queue: &str, numbers: std::ops::Range<usize>) {
        let max = self.frame_max;
        let each = |number: usize| publish(1, "", queue, number.to_string().as_bytes(), max);
        let bytes: Vec<u8> = numbers.flat_map(each).collect();
        self.say(&bytes);
    }

    /// Something answered on channel 1 after everything before was understood.
    #[track_caller]
    pub(crate) fn sync(&mut self) {
        self.method(1, &Payload::method(20, 20).u8(1));
        self.expect(1, 20, 21);
    }

    /// Consumes over channel 1, with acknowledgements.
    #[track_caller]
    pub(crate) fn consume(&mut self, queue: &str) {
        self.consume_as(1, queue, Consume::default());
    }

    #[track_caller]
    pub(crate) fn consume_as(&mut self, channel: u16, queue: &str, how: Consume<'_>) {
        self.method(channel, &consume(queue, how));
        self.expect(channel, 60, 21);
    }

    #[track_caller]
    pub(crate) fn prefetch(&mut self, channel: u16, count: u16, global: bool) {
        self.method(channel, &Payload::method(60, 10).u32(0).u16(count).u8(global.into()));
        self.expect(channel, 60, 11);
    }

    #[track_caller]
    pub(crate) fn confirm_select(&mut self, channel: u16) {
        self.method(channel, &Payload::method(85, 10).u8(0));
        self.expect(channel, 85, 11);
    }

    /// basic.ack on channel 1
    pub(crate) fn ack(&mut self, tag: u64, multiple: bool) {
        self.method(1, &Payload::method(60, 80).u64(tag).u8(multiple.into()));
    }

    /// basic.get on channel 1. `None`: the queue is empty.
    #[track_caller]
    pub(crate) fn get(&mut self, queue: &str, no_ack: bool) -> Option<(basic::GetOk, Heard)> {
        self.method(1, &Payload::method(60, 70).u16(0).short(queue).u8(no_ack.into()));
        let heard = self.hear();
        match heard.id {
            (60, 71) => {
                let AnyMethod::Basic(basic::AMQPMethod::GetOk(ok)) = heard.method.clone() else {
                    panic!("not a get-ok: {heard:?}");
                };
                Some((ok, heard))
            }
            (60, 72) => None,
            _ => panic!("not an answer to basic.get: {heard:?}"),
        }
    }
}

/// queue.declare; bits: 1 passive, 2 durable, 4 exclusive, 8 auto-delete, 16 no-wait
pub(crate) fn declare(name: &str, bits: u8) -> Payload {
    Payload::method(50, 10).u16(0).short(name).u8(bits).table(&Payload::new())
}

/// basic.consume
pub(crate) fn consume(queue: &str, how: Consume<'_>) -> Payload {
    let bits = u8::from(how.no_ack) << 1 | u8::from(how.exclusive) << 2;
    let arguments = match how.priority {
        None => Payload::new(),
        Some(priority) => Payload::new().entry("x-priority", b'b', priority.to_be_bytes()),
    };
    Payload::method(60, 20).u16(0).short(queue).short(how.tag).u8(bits).table(&arguments)
}

/// basic.publish; bits: 1 mandatory, 2 immediate
pub(crate) fn publish_method(exchange: &str, routing_key: &str, bits: u8) -> Payload {
    Payload::method(60, 40).u16(0).short(exchange).short(routing_key).u8(bits)
}

/// All frames of a publish without properties.
pub(crate) fn publish(
    channel: u16,
    exchange: &str,
    routing_key: &str,
    body: &[u8],
    frame_max: usize,
) -> Vec<u8> {
    let method = publish_method(exchange, routing_key, 0);
    publish_frames(channel, &method, &Payload::header(body.len() as u64), body, frame_max)
}

/// All frames of a publish.
pub(crate) fn publish_frames(
    channel: u16,
    method: &Payload,
    header: &Payload,
    body: &[u8],
    frame_max: usize,
) -> Vec<u8> {
    let mut bytes = method.frame(METHOD, channel);
    bytes.extend(header.frame(HEADER, channel));
    for piece in body.chunks(frame_max - 8) {
        bytes.extend(Payload(piece.to_vec()).frame(BODY, channel));
    }
    bytes
}
