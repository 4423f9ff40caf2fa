"""Methods that do not exist, are cut short, hold bytes that mean nothing, or belong to the server."""

import struct

from amqpraw import METHOD, Raw, encode_method
from harness import cases, scenario


def _ids(class_id, method_id):
    return struct.pack(">HH", class_id, method_id)


@cases({
    f"{class_id}.{method_id} on {channel}": (class_id, method_id, channel)
    for class_id, method_id in ((0, 0), (99, 10), (999, 10), (10, 99), (20, 99), (50, 99), (60, 99), (60, 22), (40, 41))
    for channel in (0, 1)
})
def unknown_method(s, class_id, method_id, channel):
    client = s.channel().client
    client.send_frame(METHOD, channel, _ids(class_id, method_id), f"method {class_id}.{method_id}")
    client.hear()


@scenario
def unknown_method_on_an_unopened_channel(s):
    client = s.connect()
    client.send_frame(METHOD, 1, _ids(99, 10), "method 99.10")
    client.hear()


SERVER_ONLY = ("connection.start", "connection.secure", "connection.tune", "connection.open-ok", "connection.blocked",
               "connection.unblocked", "connection.update-secret-ok", "channel.open-ok", "channel.flow-ok",
               "access.request-ok", "exchange.declare-ok", "exchange.unbind-ok", "queue.declare-ok", "queue.bind-ok",
               "queue.purge-ok", "basic.qos-ok", "basic.consume-ok", "basic.get-empty",
               "basic.recover-ok", "confirm.select-ok",
               "tx.select-ok", "tx.commit-ok")


@cases({name: name for name in SERVER_ONLY})
def server_method(s, name):
    client = s.channel().client
    client.call(name, 0 if name.startswith("connection.") else 1)


@cases({name: name for name in ("basic.return", "basic.deliver", "basic.get-ok")})
def server_method_with_content(s, name):
    ch = s.channel()
    ch.tell(name)
    ch.client.wire.send_content(1, {}, b"x")
    ch.hear()


DECLARE = encode_method("queue.declare", queue="compat.q", durable=True)


@cases({
    "no fields": DECLARE[:4],
    "half a short": DECLARE[:5],
    "string cut": DECLARE[:10],
    "no bits": DECLARE[:15],
    "no table": DECLARE[:16],
    "table length cut": DECLARE[:18],
    "bytes after the end": DECLARE + b"more",
})
def declare_of_wrong_length(s, payload):
    s.queue()
    client = s.channel().client
    client.send_frame(METHOD, 1, payload, f"queue.declare {payload[4:]!r}")
    client.hear()


def _table(entries):
    return Raw(struct.pack(">I", len(entries)) + entries)


@cases({
    "unknown tag": _table(b"\x01kZ\x00\x00\x00\x00"),
    "tag zero": _table(b"\x01k\x00"),
    "key cut": _table(b"\x09key"),
    "value missing": _table(b"\x01k"),
    "number cut": _table(b"\x01kI\x00\x00"),
    "string longer than its table": _table(b"\x01kS\x00\x00\x00\xff" + b"abc"),
    "string of 2 GiB": _table(b"\x01kS\x7f\xff\xff\xff" + b"abc"),
    "string of 4 GiB": _table(b"\x01kS\xff\xff\xff\xff" + b"abc"),
    "table longer than its method": Raw(b"\x00\x00\xff\xff"),
    "table of 4 GiB": Raw(b"\xff\xff\xff\xff"),
    "array item cut": _table(b"\x01kA\x00\x00\x00\x02I\x00"),
    "array of unknown tag": _table(b"\x01kA\x00\x00\x00\x01Z"),
    "inner table cut": _table(b"\x01kF\x00\x00\x00\x09\x01k"),
})
def table_cannot_be_read(s, table):
    q = s.queue()
    s.channel().call("queue.declare", queue=q, durable=True, arguments=table)


@cases({
    "bool of two": _table(b"\x01kt\x02"),
    "empty key": _table(b"\x00I\x00\x00\x00\x01"),
    "key not UTF-8": _table(b"\x02\xff\xfeI\x00\x00\x00\x01"),
    "string not UTF-8": _table(b"\x01kS\x00\x00\x00\x02\xff\xfe"),
    "key of 255 bytes": _table(b"\xff" + b"k" * 255 + b"V"),
    "decimal": _table(b"\x01kD\x02\x00\x00\x01\x00"),
    "byte array": _table(b"\x01kx\x00\x00\x00\x02\x00\xff"),
})
def table_is_odd(s, table):
    q = s.queue()
    s.channel().call("queue.declare", queue=q, durable=True, arguments=table)


@scenario
def tables_nested_deep(s):
    q = s.queue()
    table = _table(b"")
    for _ in range(100):
        table = _table(b"\x01kF" + table)
    s.channel().call("queue.declare", queue=q, durable=True, arguments=table)


NOT_UTF8 = b"compat.\xff\xfe"


@cases({
    "queue.declare": ("queue.declare", {"queue": NOT_UTF8, "exclusive": True}),
    "queue.declare passive": ("queue.declare", {"queue": NOT_UTF8, "passive": True}),
    "queue.delete": ("queue.delete", {"queue": NOT_UTF8}),
    "exchange.declare": ("exchange.declare", {"exchange": NOT_UTF8, "type": "direct", "auto_delete": True}),
    "exchange type": ("exchange.declare", {"exchange": "compat.x", "type": NOT_UTF8}),
    "exchange.delete": ("exchange.delete", {"exchange": NOT_UTF8}),
    "consumer tag": ("basic.consume", {"queue": "compat.q", "consumer_tag": NOT_UTF8}),
    "cancelled tag": ("basic.cancel", {"consumer_tag": NOT_UTF8}),
    "binding key": ("queue.bind", {"queue": "compat.q", "exchange": "amq.direct", "routing_key": NOT_UTF8}),
    "channel.close": ("channel.close", {"reply_code": 200, "reply_text": NOT_UTF8}),
})
def not_utf8(s, method, fields):
    s.queue(durable=True)
    s.channel().call(method, **fields)


@cases({
    "routing key": (NOT_UTF8, "", {}),
    "exchange": ("k", NOT_UTF8, {}),
    "message id": ("compat.q", "", {"message_id": NOT_UTF8}),
    "content type": ("compat.q", "", {"content_type": NOT_UTF8}),
    "header key": ("compat.q", "", {"headers": _table(b"\x02\xff\xfeI\x00\x00\x00\x01")}),
    "header value": ("compat.q", "", {"headers": {"k": b"\xff\xfe"}}),
})
def published_not_utf8(s, routing_key, exchange, properties):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish(routing_key, "x", exchange, **properties)
    if ch.hear().name == "basic.ack":
        ch.call("basic.get", queue=q, no_ack=True)


@scenario
def names_in_utf8(s):
    ch = s.channel()
    q = s.queue("grüße-✓")
    ch.call("queue.declare", queue=q, durable=True)
    ch.call("queue.declare", queue=s.queue("missing-✓"), passive=True)
