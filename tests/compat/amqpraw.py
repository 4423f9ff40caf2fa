"""A tiny AMQP 0-9-1 client that hides nothing: every frame, and any bytes at all, can be sent.

`encode_*` / `decode_*` translate values, `Wire` is a socket that speaks frames. Field-table
values keep their type tag (`Typed`), for what a broker must send back is the tag as well.
"""

import socket
import struct
from typing import Any, NamedTuple

from spec import BY_ID, BY_NAME, CLASSES, PROPERTIES, WITH_CONTENT

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END = b"\xce"
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


class Typed(NamedTuple):
    """A field-table value with its type tag, for example Typed("I", 5)."""
    tag: str
    value: Any


class Raw(bytes):
    """Bytes that stand for an encoded value and are sent as they are."""


class Frame(NamedTuple):
    kind: int
    channel: int
    payload: bytes


class Event(NamedTuple):
    """Something the server said: a method, with its content where it has one."""
    channel: int
    name: str
    fields: dict
    properties: dict | None = None
    body: bytes | None = None


class Silence(Exception):
    """Nothing arrived within the timeout."""


# --- values -----------------------------------------------------------------------------------

_NUMBERS = {"octet": ">B", "short": ">H", "long": ">I", "longlong": ">Q", "timestamp": ">Q"}
_FIXED_TAGS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q",
               "L": ">q", "f": ">f", "d": ">d", "T": ">Q", "t": ">?"}


def _as_bytes(text):
    return text.encode() if isinstance(text, str) else bytes(text)


def encode_value(kind, value):
    if isinstance(value, Raw):
        return bytes(value)
    if kind in _NUMBERS:
        return struct.pack(_NUMBERS[kind], value)
    if kind == "table":
        return encode_table(value)
    text = _as_bytes(value)
    return struct.pack(">B" if kind == "shortstr" else ">I", len(text)) + text


def encode_table(table):
    entries = b"".join(encode_value("shortstr", key) + encode_tagged(value) for key, value in table.items())
    return struct.pack(">I", len(entries)) + entries


def encode_tagged(value):
    if isinstance(value, Raw):
        return bytes(value)
    tag, value = value if isinstance(value, Typed) else (_natural_tag(value), value)
    return tag.encode() + _encode_by_tag(tag, value)


def _encode_by_tag(tag, value):
    if tag in _FIXED_TAGS:
        return struct.pack(_FIXED_TAGS[tag], value)
    if tag in "Sx":
        return encode_value("longstr", value)
    if tag == "F":
        return encode_table(value)
    if tag == "A":
        items = b"".join(map(encode_tagged, value))
        return struct.pack(">I", len(items)) + items
    if tag == "D":
        scale, number = value
        return struct.pack(">BI", scale, number)
    if tag == "V":
        return b""
    raise ValueError(f"no such field-table tag: {tag!r}")


def _natural_tag(value):
    if isinstance(value, bool):
        return "t"
    if isinstance(value, int):
        return "I" if -2**31 <= value < 2**31 else "l"
    return {str: "S", bytes: "S", float: "d", dict: "F", list: "A", type(None): "V"}[type(value)]


class Reader:
    """Takes values off the front of a payload."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        piece = self.data[self.at:self.at + size]
        if len(piece) < size:
            raise ValueError(f"the server sent a truncated payload: {self.data!r}")
        self.at += size
        return piece

    def number(self, pattern):
        return struct.unpack(pattern, self.take(struct.calcsize(pattern)))[0]

    def value(self, kind):
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == "table":
            return self.table()
        return self.take(self.number(">B" if kind == "shortstr" else ">I")).decode("utf-8", "backslashreplace")

    def table(self):
        inner, table = Reader(self.take(self.number(">I"))), {}
        while inner.at < len(inner.data):
            key = inner.value("shortstr")
            table[key] = inner.tagged()
        return table

    def tagged(self):
        tag = chr(self.take(1)[0])
        return Typed(tag, self._by_tag(tag))

    def _by_tag(self, tag):
        if tag in _FIXED_TAGS:
            return self.number(_FIXED_TAGS[tag])
        if tag in "Sx":
            return self.value("longstr")
        if tag == "F":
            return self.table()
        if tag == "A":
            inner, items = Reader(self.take(self.number(">I"))), []
            while inner.at < len(inner.data):
                items.append(inner.tagged())
            return items
        if tag == "D":
            return self.number(">B"), self.number(">I")
        if tag == "V":
            return None
        raise ValueError(f"the server sent an unknown field-table tag: {tag!r}")


# --- methods and content ----------------------------------------------------------------------

def encode_method(name, **fields):
    """A method frame's payload. Fields left out are zero, empty or false."""
    method = BY_NAME[name]
    unknown = set(fields) - {field for field, _ in method.fields}
    if unknown:
        raise TypeError(f"{name} has no {unknown}")
    payload, bits = struct.pack(">HH", method.class_id, method.method_id), []
    for field, kind in method.fields:
        if kind == "bit":
            bits.append(bool(fields.get(field)))
            continue
        payload += _pack_bits(bits) + encode_value(kind, fields.get(field, _zero(kind)))
        bits = []
    return payload + _pack_bits(bits)


def _zero(kind):
    return 0 if kind in _NUMBERS else {} if kind == "table" else ""


def _pack_bits(bits):
    return bytes([sum(bit << place for place, bit in enumerate(bits))]) if bits else b""


def decode_method(payload):
    reader = Reader(payload)
    method = BY_ID[reader.number(">H"), reader.number(">H")]
    fields, place, octet = {}, 8, 0
    for field, kind in method.fields:
        if kind != "bit":
            fields[field], place = reader.value(kind), 8
            continue
        if place == 8:
            octet, place = reader.number(">B"), 0
        fields[field] = bool(octet >> place & 1)
        place += 1
    return method.name, fields


def encode_header(properties, body_size, class_id=CLASSES["basic"], weight=0):
    flags, values = 0, b""
    for place, (name, kind) in enumerate(PROPERTIES):
        if name in properties:
            flags |= 1 << (15 - place)
            values += encode_value(kind, properties[name])
    return struct.pack(">HHQH", class_id, weight, body_size, flags) + values


def decode_header(payload):
    reader = Reader(payload)
    reader.take(4)
    size, flags = reader.number(">Q"), reader.number(">H")
    return size, {name: reader.value(kind) for place, (name, kind) in enumerate(PROPERTIES)
                  if flags >> (15 - place) & 1}


def encode_frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + FRAME_END


# --- the socket -------------------------------------------------------------------------------

class Wire:
    """A connection that has said nothing yet."""

    def __init__(self, address, timeout):
        self.timeout = timeout
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        # A broker that has already hung up is seen at the next read, where it belongs.
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send_frame(self, kind, channel, payload):
        self.send_bytes(encode_frame(kind, channel, payload))

    def send_method(self, channel, name, **fields):
        self.send_frame(METHOD, channel, encode_method(name, **fields))

    def send_content(self, channel, properties, body, frame_max=131072):
        self.send_frame(HEADER, channel, encode_header(properties, len(body)))
        step = frame_max - 8
        for start in range(0, len(body), step):
            self.send_frame(BODY, channel, body[start:start + step])

    def read_bytes(self, size, timeout=None):
        """Exactly `size` bytes, or fewer where the server hung up."""
        self.socket.settimeout(timeout or self.timeout)
        while len(self.buffer) < size:
            try:
                piece = self.socket.recv(65536)
            except TimeoutError:
                raise Silence from None
            except ConnectionResetError:
                piece = b""
            if not piece:
                break
            self.buffer += piece
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def read_frame(self, timeout=None):
        """The next frame, or None at the end of the stream."""
        head = self.read_bytes(7, timeout)
        if len(head) < 7:
            return None
        kind, channel, size = struct.unpack(">BHI", head)
        payload = self.read_bytes(size + 1)
        if payload[-1:] != FRAME_END:
            raise ValueError(f"the server's frame does not end in 0xCE: {head + payload!r}")
        return Frame(kind, channel, payload[:-1])

    def read_event(self, timeout=None):
        """The next method with its content, heartbeats aside; None at the end of the stream."""
        frame = self.read_frame(timeout)
        while frame is not None and frame.kind == HEARTBEAT:
            frame = self.read_frame(timeout)
        if frame is None:
            return None
        name, fields = decode_method(frame.payload)
        if name not in WITH_CONTENT:
            return Event(frame.channel, name, fields)
        size, properties = decode_header(self._content_frame(frame.channel, HEADER))
        body = b""
        while len(body) < size:
            body += self._content_frame(frame.channel, BODY)
        return Event(frame.channel, name, fields, properties, body)

    def _content_frame(self, channel, kind):
        frame = self.read_frame()
        if frame is None or (frame.kind, frame.channel) != (kind, channel):
            raise ValueError(f"expected a content frame of kind {kind} on channel {channel}, got {frame}")
        return frame.payload
