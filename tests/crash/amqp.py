"""A light AMQP client for one channel: what is sent often is put together by hand.

Answers to `call` are awaited; everything else the broker says is an event, taken with `events`.
A message's id travels in the message-id property, so that bodies can be anything, and empty.
"""

import select
import socket
import struct
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "compat"))

from amqpraw import (FRAME_END, PROTOCOL_HEADER, Typed, decode_header, decode_method, encode_frame,  # noqa: E402
                     encode_header, encode_method)

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_MAX = 131072
DELIVER, GET_OK, RETURN, ACK, NACK = (60, 60), (60, 71), (60, 50), (60, 80), (60, 120)
MODE_AND_ID = 0x1080                     # property flags: delivery-mode and message-id


class Delivery(NamedTuple):
    tag: int
    redelivered: bool
    id: str
    persistent: bool
    body: bytes
    consumer: str = ""
    properties: dict = {}                # `AnyProperties` reads them


class Confirm(NamedTuple):
    tag: int
    multiple: bool
    ack: bool


class Returned(NamedTuple):
    id: str


class Closed(ConnectionError):
    """The connection ended."""


class Refused(Exception):
    """The broker closed the channel or the connection, with a code and a text."""

    def __init__(self, fields):
        self.code = fields["reply_code"]
        super().__init__(f"{self.code} {fields['reply_text']}")


def publish(exchange, key, persistent, id, body, mandatory=False):
    """The bytes of a publish on channel 1."""
    exchange, key, id = exchange.encode(), key.encode(), id.encode()
    method = struct.pack(">HHHB", 60, 40, 0, len(exchange)) + exchange + bytes([len(key)]) + key + bytes([mandatory])
    header = struct.pack(">HHQHBB", 60, 0, len(body), MODE_AND_ID, 1 + persistent, len(id)) + id
    return encode_frame(METHOD, 1, method) + with_body(header, body)


def publish_with(exchange, key, properties, body):
    """The same with any properties."""
    method = encode_method("basic.publish", exchange=exchange, routing_key=key)
    return encode_frame(METHOD, 1, method) + with_body(encode_header(properties, len(body)), body)


def with_body(header, body):
    step = FRAME_MAX - 8
    pieces = (encode_frame(BODY, 1, body[at:at + step]) for at in range(0, len(body), step))
    return encode_frame(HEADER, 1, header) + b"".join(pieces)


class Connection:
    """A connection with its channel 1 open."""

    def __init__(self, port, patience=20):
        self.patience = patience
        self.socket = socket.create_connection(("127.0.0.1", port), patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.at = b"", 0
        self.happened = []
        self.content = None              # a method whose content is still arriving
        self.socket.sendall(PROTOCOL_HEADER)
        self._await("connection.start")
        login = {"mechanism": "PLAIN", "response": "\0guest\0guest", "locale": "en_US"}
        self.socket.sendall(encode_frame(METHOD, 0, encode_method("connection.start-ok", **login)))
        self._await("connection.tune")
        tune = encode_method("connection.tune-ok", channel_max=2047, frame_max=FRAME_MAX, heartbeat=0)
        opening = encode_method("connection.open", virtual_host="/")
        self.socket.sendall(encode_frame(METHOD, 0, tune) + encode_frame(METHOD, 0, opening))
        self._await("connection.open-ok")
        self.call("channel.open")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        """Ends the connection in order: everything sent before was carried out."""
        self.socket.sendall(encode_frame(METHOD, 0, encode_method("connection.close", reply_code=200)))
        self._await("connection.close-ok")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def method(self, name, **fields):
        self.socket.sendall(encode_frame(METHOD, 1, encode_method(name, **fields)))

    def call(self, name, **fields):
        """Sends a method and waits for its answer, whose fields are returned."""
        self.method(name, **fields)
        return self._await(f"{name}-ok")

    def get(self, queue):
        """basic.get: a Delivery or None."""
        self.method("basic.get", queue=queue)
        answer = self._await(Delivery, "basic.get-empty")
        return answer if isinstance(answer, Delivery) else None

    def exists(self, name, **fields):
        """Whether a passive declare finds it: the answer's fields, or None."""
        try:
            return self.call(name, passive=True, **fields)
        except Refused as refusal:
            if refusal.code != 404:
                raise
            self.call("channel.open")
            return None

    def reopen_channel(self):
        """Closes the channel, which gives back what is unacked, and opens it again."""
        self.call("channel.close", reply_code=200)
        self.happened.clear()
        self.call("channel.open")

    def events(self, timeout):
        """What happened: what has arrived already, or else what arrives within the timeout."""
        deadline = time.monotonic() + timeout
        self._read(0 if self.happened else timeout)
        while not self.happened and (left := deadline - time.monotonic()) > 0:
            self._read(left)                       # a part of a message has arrived, or nothing
        happened, self.happened = self.happened, []
        return happened

    def _await(self, *wanted):
        kept = []
        while True:
            for place, event in enumerate(self.happened):
                if type(event) in wanted or (type(event) is tuple and event[0] in wanted):
                    self.happened = kept + self.happened[place + 1:]
                    return event[1] if type(event) is tuple else event
                kept.append(event)
            self.happened = []
            if not self._read(self.patience):
                self.happened = kept
                raise TimeoutError(f"no {wanted[0]} for {self.patience} s")

    def _read(self, timeout):
        """Reads what is there. False if nothing arrived in time."""
        if not select.select([self.socket], [], [], timeout)[0]:
            return False
        data = self.socket.recv(1 << 18)
        if not data:
            raise Closed("the broker hung up")
        self.buffer = self.buffer[self.at:] + data
        self.at = 0
        while len(self.buffer) - self.at >= 7:
            kind, _, size = struct.unpack_from(">BHI", self.buffer, self.at)
            end = self.at + 7 + size
            if len(self.buffer) <= end:
                break
            if self.buffer[end:end + 1] != FRAME_END:
                raise ValueError("the broker's frame does not end in 0xCE")
            payload = self.buffer[self.at + 7:end]
            self.at = end + 1
            self._frame(kind, payload)
        return True

    def _frame(self, kind, payload):
        if kind == METHOD:
            self._method(payload)
        elif kind == HEADER:
            size, = struct.unpack_from(">Q", payload, 4)
            self.content += [size, [], *self._properties(payload)]
            self._content(b"")
        elif kind == BODY:
            self._content(payload)

    def _properties(self, payload):
        """A message's id, whether it is persistent, and what else is said of it."""
        flags, mode, length = struct.unpack_from(">HBB", payload, 12)
        if flags != MODE_AND_ID:
            raise ValueError(f"a message's properties are not those it was published with: {payload!r}")
        return payload[16:16 + length].decode("utf-8", "backslashreplace"), mode == 2, {}

    def _method(self, payload):
        which = struct.unpack_from(">HH", payload)
        if which == DELIVER:
            end = 5 + payload[4]
            self.content = [which, payload[5:end].decode(), *struct.unpack_from(">QB", payload, end)]
        elif which == GET_OK:
            self.content = [which, "", *struct.unpack_from(">QB", payload, 4)]
        elif which == RETURN:
            self.content = [which, "", 0, 0]
        elif which in (ACK, NACK):
            tag, bits = struct.unpack_from(">QB", payload, 4)
            self.happened.append(Confirm(tag, bool(bits & 1), which == ACK))
        else:
            name, fields = decode_method(payload)
            if name in ("channel.close", "connection.close"):
                channel = 1 if name == "channel.close" else 0
                self.socket.sendall(encode_frame(METHOD, channel, encode_method(f"{name}-ok")))
                raise Refused(fields)
            self.happened.append((name, fields))

    def _content(self, piece):
        which, consumer, tag, redelivered, left, pieces, id, persistent, properties = self.content
        pieces.append(piece)
        self.content[4] = left = left - len(piece)
        if left > 0:
            return
        self.content = None
        if which == RETURN:
            self.happened.append(Returned(id))
        else:
            body = b"".join(pieces)
            self.happened.append(Delivery(tag, bool(redelivered), id, persistent, body, consumer, properties))


class AnyProperties(Connection):
    """A connection to which messages come with any properties."""

    def _properties(self, payload):
        _, properties = decode_header(payload)
        properties = plain(properties)
        return properties.get("message_id", ""), properties.get("delivery_mode") == 2, properties


def plain(value):
    """A field table's value without its types."""
    if isinstance(value, Typed):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value
