"""From the first byte to connection.open-ok: headers, authentication, tuning, and steps out of order."""

from amqpraw import HEARTBEAT, PROTOCOL_HEADER, Typed, encode_table
from harness import cases, scenario
from rendering import shown


@cases({
    "AMQP 0-9-1": PROTOCOL_HEADER,
    "AMQP 0-8": b"AMQP\x01\x01\x08\x00",
    "AMQP 0-9": b"AMQP\x01\x01\x00\x09",
    "AMQP 0-9 in the new form": b"AMQP\x00\x00\x09\x00",
    "AMQP 0-10": b"AMQP\x01\x01\x00\x0a",
    "AMQP 0-9-2": b"AMQP\x00\x00\x09\x02",
    "AMQP 0-11": b"AMQP\x00\x00\x0b\x00",
    "TLS within AMQP 1.0": b"AMQP\x02\x01\x00\x00",
    "unknown protocol id": b"AMQP\x09\x00\x09\x01",
    "HTTP": b"GET / HTTP/1.1\r\nHost: compat\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01",
    "zeros": b"\x00" * 8,
})
def protocol_header(s, header):
    client = s.dial()
    client.send_bytes(header, repr(header))
    if header in (PROTOCOL_HEADER, b"AMQP\x01\x01\x00\x09"):
        client.expect_quietly("connection.start")
        s.note("connection.start")
    else:
        client.hear_bytes_and_end()


@scenario
def protocol_header_in_pieces(s):
    client = s.dial()
    for at in range(8):
        client.wire.send_bytes(PROTOCOL_HEADER[at:at + 1])
    client.expect_quietly("connection.start")
    s.note("connection.start")


@scenario
def protocol_header_once_more(s):
    client = s.dial()
    client.wire.send_bytes(PROTOCOL_HEADER)
    client.expect_quietly("connection.start")
    client.send_bytes(PROTOCOL_HEADER, "the header again")
    client.hear_bytes_and_end()


@scenario
def start(s):
    """What every broker says of itself: which properties, of which types; the texts are its own."""
    client = s.dial()
    client.wire.send_bytes(PROTOCOL_HEADER)
    fields = client.expect_quietly("connection.start").fields
    properties = fields["server_properties"]
    s.note(f"version {fields['version_major']}-{fields['version_minor']}, locales {fields['locales']!r}")
    s.note(f"types: {shown({name: value.tag for name, value in properties.items()})}")
    s.note(f"capabilities: {shown(properties['capabilities'])}")


@scenario
def mechanisms(s):
    client = s.dial()
    client.wire.send_bytes(PROTOCOL_HEADER)
    fields = client.expect_quietly("connection.start").fields
    s.note(" ".join(sorted(fields["mechanisms"].split())))


def _amqplain(**fields):
    return encode_table(fields)[4:]


CREDENTIALS = {
    "PLAIN": ("PLAIN", "\0guest\0guest"),
    "PLAIN with an authorisation id": ("PLAIN", "other\0guest\0guest"),
    "PLAIN empty": ("PLAIN", ""),
    "PLAIN without zeros": ("PLAIN", "guest guest"),
    "PLAIN without password": ("PLAIN", "\0guest"),
    "PLAIN with a part too many": ("PLAIN", "\0guest\0guest\0guest"),
    "PLAIN in small letters": ("plain", "\0guest\0guest"),
    "PLAIN with bytes not UTF-8": ("PLAIN", b"\0\xff\xfe\0guest"),
    "AMQPLAIN": ("AMQPLAIN", _amqplain(LOGIN="guest", PASSWORD="guest")),
    "AMQPLAIN in other order": ("AMQPLAIN", _amqplain(PASSWORD="guest", LOGIN="guest")),
    "AMQPLAIN with more": ("AMQPLAIN", _amqplain(LOGIN="guest", PASSWORD="guest", OTHER=1)),
    "AMQPLAIN without password": ("AMQPLAIN", _amqplain(LOGIN="guest")),
    "AMQPLAIN with a number": ("AMQPLAIN", _amqplain(LOGIN="guest", PASSWORD=1)),
    "AMQPLAIN empty": ("AMQPLAIN", ""),
    "AMQPLAIN not a table": ("AMQPLAIN", b"\x05LOGI"),
    "AMQPLAIN with table length": ("AMQPLAIN", encode_table({"LOGIN": "guest", "PASSWORD": "guest"})),
    "unknown mechanism": ("COMPAT", ""),
    "empty mechanism": ("", ""),
    "EXTERNAL where there is none": ("EXTERNAL", ""),
}


@cases(CREDENTIALS)
def authentication(s, mechanism, response):
    client = s.dial()
    client.start(mechanism=mechanism, response=response, capabilities={"authentication_failure_close": True})
    s.note(f"{mechanism!r} {response!r}")
    client.hear()


@cases({
    "password, with a close": ("\0guest\0wrong", True),
    "user, with a close": ("\0compat-nobody\0wrong", True),
    "empty password, with a close": ("\0guest\0", True),
    "empty user, with a close": ("\0\0guest", True),
    "password, without a close": ("\0guest\0wrong", False),
    "user, without a close": ("\0compat-nobody\0wrong", False),
})
def wrong(s, response, with_close):
    client = s.dial()
    client.start(response=response, capabilities={"authentication_failure_close": with_close})
    client.hear()


@cases({
    "locale": {"locale": "xx_XX"},
    "empty locale": {"locale": ""},
    "no client properties": {},
    "every table type": {"client_properties": {
        "capabilities": {}, "t": True, "b": Typed("b", -1), "B": Typed("B", 1), "s": Typed("s", -1),
        "u": Typed("u", 1), "I": 1, "i": Typed("i", 1), "l": Typed("l", -1), "L": Typed("L", 1),
        "f": Typed("f", 0.5), "d": 0.5, "D": Typed("D", (2, 314)), "T": Typed("T", 1), "S": "s",
        "x": Typed("x", b"\0"), "A": [1, "a"], "F": {"k": None}, "V": None}},
    "capabilities not a table": {"client_properties": {"capabilities": "all"}},
    "capability not a bool": {"client_properties": {"capabilities": {"basic.nack": 1}}},
    "product a number": {"client_properties": {"product": 1}},
    "client properties of 5000 bytes": {"client_properties": {"x": "x" * 5000}},
})
def start_ok(s, fields):
    client = s.dial()
    client.wire.send_bytes(PROTOCOL_HEADER)
    client.expect_quietly("connection.start")
    client.call("connection.start-ok", **{"mechanism": "PLAIN", "response": "\0guest\0guest",
                                          "locale": "en_US", **fields})


@cases({
    "as offered": (2047, 131072, 60),
    "no heartbeat": (2047, 131072, 0),
    "heartbeat of a second": (2047, 131072, 1),
    "longest heartbeat": (2047, 131072, 65535),
    "one channel": (1, 131072, 0),
    "no channel limit": (0, 131072, 0),
    "a channel too many": (2048, 131072, 0),
    "most channels": (65535, 131072, 0),
    "no frame limit": (2047, 0, 0),
    "tiny frames": (2047, 1, 0),
    "frames of 4095": (2047, 4095, 0),
    "frames of 4096": (2047, 4096, 0),
    "frames of 8191": (2047, 8191, 0),
    "frames of 8192": (2047, 8192, 0),
    "frames a byte too long": (2047, 131073, 0),
    "longest frames": (2047, 2**32 - 1, 0),
    "both wrong": (0, 0, 0),
})
def tune_ok(s, channel_max, frame_max, heartbeat):
    client = s.dial()
    client.start()
    client.hear()
    client.tell("connection.tune-ok", channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat)
    client.call("connection.open", virtual_host="/")


def _tuned(s):
    client = s.dial()
    client.start()
    client.expect_quietly("connection.tune")
    client.wire.send_method(0, "connection.tune-ok", channel_max=2047, frame_max=131072)
    return client


@cases({
    "missing": {"virtual_host": "compat-none"},
    "empty": {"virtual_host": ""},
    "with reserved fields": {"virtual_host": "/", "reserved1": "x", "reserved2": True},
    "not UTF-8": {"virtual_host": b"\xff\xfe"},
})
def vhost(s, fields):
    _tuned(s).call("connection.open", **fields)


@scenario
def open_twice(s):
    client = _tuned(s)
    client.call("connection.open", virtual_host="/")
    client.call("connection.open", virtual_host="/")


# Steps that come too early, named by the state they arrive in.

EARLY = {
    "tune-ok": ("connection.tune-ok", 0, {"frame_max": 131072, "channel_max": 2047}),
    "open": ("connection.open", 0, {"virtual_host": "/"}),
    "secure-ok": ("connection.secure-ok", 0, {"response": "x"}),
    "close": ("connection.close", 0, {"reply_code": 200}),
    "close-ok": ("connection.close-ok", 0, {}),
    "channel.open": ("channel.open", 1, {}),
    "queue.declare on channel 0": ("queue.declare", 0, {"queue": "compat.q"}),
}


@cases(EARLY)
def instead_of_start_ok(s, method, channel, fields):
    client = s.dial()
    client.wire.send_bytes(PROTOCOL_HEADER)
    client.expect_quietly("connection.start")
    client.call(method, channel, **fields)


@cases({label: case for label, case in EARLY.items() if label != "tune-ok"})
def instead_of_tune_ok(s, method, channel, fields):
    client = s.dial()
    client.start()
    client.expect_quietly("connection.tune")
    client.call(method, channel, **fields)


@cases({label: case for label, case in EARLY.items() if label != "open"})
def instead_of_open(s, method, channel, fields):
    _tuned(s).call(method, channel, **fields)


@cases({
    "start-ok": ("connection.start-ok", {"mechanism": "PLAIN", "response": "\0guest\0guest", "locale": "en_US"}),
    "secure-ok": ("connection.secure-ok", {"response": "x"}),
    "tune-ok": ("connection.tune-ok", {"frame_max": 131072, "channel_max": 2047}),
    "close-ok": ("connection.close-ok", {}),
    "update-secret": ("connection.update-secret", {"new_secret": "guest", "reason": "compat"}),
})
def after_open(s, method, fields):
    s.connect().call(method, **fields)


@scenario
def heartbeats_may_come_early(s):
    client = s.dial()
    client.wire.send_bytes(PROTOCOL_HEADER)
    client.expect_quietly("connection.start")
    client.send_frame(HEARTBEAT, 0, b"", "heartbeat")
    client.call("connection.start-ok", mechanism="PLAIN", response="\0guest\0guest", locale="en_US")


@scenario
def close(s):
    client = s.connect()
    client.call("connection.close", reply_code=200, reply_text="bye")


@scenario
def what_follows_a_close_is_ignored(s):
    q = s.queue()
    client = s.connect()
    ch = client.channel()
    client.tell("connection.close", reply_code=200)
    ch.tell("queue.declare", queue=q, durable=True)
    client.hear()
    client.silence()


@scenario
def heartbeats_are_sent_when_asked_for(s):
    client = s.connect(heartbeat=1)
    frame = client.wire.read_frame()
    s.note(f"kind {frame.kind}, channel {frame.channel}, payload {frame.payload!r}")
