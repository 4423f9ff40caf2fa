//! One AMQP connection with one channel: the handshake, and methods that are answered.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};

use super::input::{Filled, Input, is_pause};
use super::uri::Uri;
use crate::wire::PROTOCOL_HEADER;
use crate::wire::encode::Out;
use crate::wire::frame::{FrameKind, OVERHEAD};
use crate::wire::method::{AnyMethod, MethodId, channel, connection, decode_any, field_table};
use crate::wire::table::{TableBuilder, Value};

/// The only channel of every connection.
pub(super) const CHANNEL: u16 = 1;
/// Largest frame we agree to; what RabbitMQ proposes.
const FRAME_MAX: u32 = 128 * 1024;
/// How long the broker may take to answer a method.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a thread of a running load sits in a read or a write before it looks around.
pub(super) const TICK: Duration = Duration::from_millis(200);
/// Methods written before their answers are read; small enough for any socket buffer.
const PIPELINE: usize = 100;

/// An open connection with an open channel.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) input: Input,
    /// The largest payload of a frame.
    pub(super) max_payload: usize,
}

impl Connection {
    /// Connects, logs in and opens the channel. `name` is shown in management tools.
    pub(super) fn open(uri: &Uri, name: &str) -> anyhow::Result<Self> {
        Self::handshake(uri, name).with_context(|| format!("connecting to {uri}"))
    }

    fn handshake(uri: &Uri, name: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((uri.host.as_str(), uri.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let max_payload = FRAME_MAX as usize - OVERHEAD;
        let mut this = Self { stream, input: Input::new(max_payload), max_payload };
        this.stream.write_all(&PROTOCOL_HEADER)?;
        this.receive().context("is this an AMQP 0-9-1 broker?")?;
        this.send(0, [start_ok(uri, name)])?;
        let answer = this.receive().context("logging in")?;
        let AnyMethod::Connection(connection::AMQPMethod::Tune(tune)) = answer else {
            bail!("expected connection.tune, got {answer:?}");
        };
        // 0 is no limit.
        let frame_max = if tune.frame_max == 0 { FRAME_MAX } else { tune.frame_max.min(FRAME_MAX) };
        this.max_payload = (frame_max as usize).saturating_sub(OVERHEAD);
        let channel_max = tune.channel_max;
        let tune_ok = connection::TuneOk { channel_max, frame_max, heartbeat: 0 };
        let open = connection::Open { virtual_host: uri.vhost.as_str().into() };
        let open = AnyMethod::Connection(connection::AMQPMethod::Open(open));
        this.send(0, [AnyMethod::Connection(connection::AMQPMethod::TuneOk(tune_ok)), open])?;
        this.receive()?;
        this.call(AnyMethod::Channel(channel::AMQPMethod::Open(channel::Open {})))?;
        Ok(this)
    }

    /// Sends a method on the channel and waits for the answer.
    pub(super) fn call(&mut self, method: AnyMethod) -> anyhow::Result<AnyMethod> {
        self.send(CHANNEL, [method])?;
        self.receive()
    }

    /// Sends many methods, each with an answer that need not be looked at.
    pub(super) fn call_all(
        &mut self,
        methods: impl IntoIterator<Item = AnyMethod>,
    ) -> anyhow::Result<()> {
        let mut methods = methods.into_iter().peekable();
        while methods.peek().is_some() {
            let mut unanswered = 0;
            let some = methods.by_ref().take(PIPELINE).inspect(|_| unanswered += 1);
            self.send(CHANNEL, some)?;
            for _ in 0..unanswered {
                self.receive()?;
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        channel: u16,
        methods: impl IntoIterator<Item = AnyMethod>,
    ) -> anyhow::Result<()> {
        let mut out = Out::default();
        methods.into_iter().for_each(|method| out.method(channel, &method));
        let bytes = out.contiguous().expect("methods are copied, not shared");
        self.stream.write_all(bytes).context("writing to the broker")
    }

    /// The next method that answers something.
    fn receive(&mut self) -> anyhow::Result<AnyMethod> {
        loop {
            while let Some(frame) = self.input.next()? {
                if frame.kind != FrameKind::Method {
                    continue;
                }
                let method = read_method(frame.payload)?;
                let blocked = matches!(
                    method,
                    AnyMethod::Connection(
                        connection::AMQPMethod::Blocked(_) | connection::AMQPMethod::Unblocked(_)
                    )
                );
                if !blocked {
                    return Ok(method);
                }
            }
            match self.input.fill(&self.stream)? {
                Filled::More => {}
                Filled::Quiet => bail!("no answer within {} s", PATIENCE.as_secs()),
                Filled::End => bail!("the broker closed the socket"),
            }
        }
    }

    /// Prepares for load: a large read buffer, and reads and writes that come back now and then.
    pub(super) fn brace(&mut self) -> anyhow::Result<()> {
        self.input.grow(self.max_payload);
        self.stream.set_read_timeout(Some(TICK))?;
        Ok(self.stream.set_write_timeout(Some(TICK))?)
    }

    /// Says goodbye. That it may go wrong is of no interest any more.
    pub(super) fn close(mut self) {
        if self.stream.write_all(&goodbye()).is_ok() {
            let _ = self.receive();
        }
    }
}

/// Reads a method; a close by the broker is an error that says what the broker said.
pub(super) fn read_method(payload: &[u8]) -> anyhow::Result<AnyMethod> {
    let id = MethodId::read(payload).context("the broker sent a method without a number")?;
    let method = decode_any(id, payload)?.method;
    if let AnyMethod::Connection(connection::AMQPMethod::Close(close)) = &method {
        bail!("the broker closed the connection: {} {}", close.reply_code, close.reply_text);
    }
    if let AnyMethod::Channel(channel::AMQPMethod::Close(close)) = &method {
        bail!("the broker closed the channel: {} {}", close.reply_code, close.reply_text);
    }
    Ok(method)
}

/// connection.close, as bytes.
pub(super) fn goodbye() -> Vec<u8> {
    let close =
        connection::Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 };
    let mut out = Out::default();
    out.method(0, &AnyMethod::Connection(connection::AMQPMethod::Close(close)));
    out.into_memory()
}

/// Writes all of `bytes`. At every [`TICK`] that the broker does not read, asks whether to go on
/// waiting; returns whether all was written.
pub(super) fn write_patiently(
    mut stream: &TcpStream,
    mut bytes: &[u8],
    mut go_on: impl FnMut() -> bool,
) -> anyhow::Result<bool> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(fault) if !is_pause(&fault) => return Err(fault).context("writing to the broker"),
            Err(_) if go_on() => {}
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

fn start_ok(uri: &Uri, name: &str) -> AnyMethod {
    let table =
        ["publisher_confirms", "basic.nack", "connection.blocked", "consumer_cancel_notify"]
            .into_iter()
            .chain(["authentication_failure_close"])
            .fold(TableBuilder::new(), |table, name| table.with(name, Value::Bool(true)))
            .build();
    let properties = TableBuilder::new()
        .with("product", Value::Text(b"warren perf"))
        .with("connection_name", Value::Text(format!("warren perf {name}").as_bytes()))
        .with("capabilities", Value::Table(table.as_ref()))
        .build();
    AnyMethod::Connection(connection::AMQPMethod::StartOk(connection::StartOk {
        client_properties: field_table(&properties),
        mechanism: "PLAIN".into(),
        response: format!("\0{}\0{}", uri.user, uri.password).into(),
        locale: "en_US".into(),
    }))
}
