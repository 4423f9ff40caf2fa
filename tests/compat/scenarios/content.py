"""The frames of a message: method, header, bodies, in this order and of the right sizes."""

from amqpraw import BODY, HEADER, METHOD, encode_header, encode_method
from harness import cases, scenario

PUBLISH = ("publish", METHOD, encode_method("basic.publish", routing_key="compat.nowhere"))
HEADER_3 = ("header of 3", HEADER, encode_header({}, 3))
HEADER_0 = ("header of 0", HEADER, encode_header({}, 0))
BODY_3 = ("body of 3", BODY, b"abc")
BODY_0 = ("body of 0", BODY, b"")
ANYTHING = ("qos", METHOD, encode_method("basic.qos", prefetch_count=1))


def _header_of_class(class_id, weight=0):
    return f"header of class {class_id}, weight {weight}", HEADER, encode_header({}, 3, class_id, weight)


@cases({
    "header alone": (HEADER_3,),
    "body alone": (BODY_3,),
    "body before header": (PUBLISH, BODY_3),
    "two headers": (PUBLISH, HEADER_3, HEADER_3),
    "two methods": (PUBLISH, ANYTHING),
    "two publishes": (PUBLISH, PUBLISH),
    "method after header": (PUBLISH, HEADER_3, ANYTHING),
    "method within body": (PUBLISH, HEADER_3, ("body of 1", BODY, b"a"), ANYTHING),
    "header within body": (PUBLISH, HEADER_3, ("body of 1", BODY, b"a"), HEADER_3),
    "body too long": (PUBLISH, HEADER_3, ("body of 4", BODY, b"abcd")),
    "second body too long": (PUBLISH, HEADER_3, ("body of 2", BODY, b"ab"), ("body of 2", BODY, b"cd")),
    "body after the end": (PUBLISH, HEADER_3, BODY_3, BODY_3),
    "body after an empty one": (PUBLISH, HEADER_0, BODY_3),
    "header of another class": (PUBLISH, _header_of_class(50)),
    "header of an unknown class": (PUBLISH, _header_of_class(99)),
    "header without a class": (PUBLISH, _header_of_class(0)),
    "header too short": (PUBLISH, ("header of 5 bytes", HEADER, b"\0\x3c\0\0\0")),
    "empty header": (PUBLISH, ("empty header", HEADER, b"")),
    "too large for any server": (PUBLISH, ("header of 1 TiB", HEADER, encode_header({}, 2**40))),
    "larger than 512 MiB": (PUBLISH, ("header of 513 MiB", HEADER, encode_header({}, 513 * 2**20))),
})
def out_of_order(s, *frames):
    client = s.channel().client
    for what, kind, payload in frames:
        client.send_frame(kind, 1, payload, what)
    client.hear()


BARE = encode_header({}, 3)[:12]    # without its flags


@cases({
    "without flags": BARE,
    "value missing": BARE + b"\x80\x00",
    "value cut": encode_header({"content_type": "text"}, 3)[:-2],
    "bytes after the values": encode_header({}, 3) + b"more",
    "flags to be continued": BARE + b"\x00\x01\x00\x00",
    "unused flag": BARE + b"\x00\x02",
    "table of unknown tag": BARE + b"\x20\x00\x00\x00\x00\x03\x01kZ",
    "table cut": BARE + b"\x20\x00\x00\x00\x00\xff\x01kI",
})
def header_cannot_be_read(s, header):
    ch = s.channel()
    ch.tell("basic.publish", routing_key="compat.nowhere")
    ch.client.send_frame(HEADER, 1, header, f"header {header!r}")
    ch.client.send_frame(BODY, 1, b"abc", "body of 3")
    ch.call("basic.qos", prefetch_count=1)


@scenario
def message_larger_than_allowed(s):
    """RabbitMQ says so after the last byte, others may before."""
    ch = s.channel()
    size = 16 * 2**20 + 1
    ch.tell("basic.publish", routing_key="compat.nowhere")
    s.note(f"a message of {size} bytes")
    ch.client.wire.send_content(1, {}, bytes(size))
    ch.hear()


@cases({
    "weight": (PUBLISH, _header_of_class(60, weight=1), BODY_3),
    "empty bodies": (PUBLISH, HEADER_3, BODY_0, BODY_3),
    "empty body for an empty message": (PUBLISH, HEADER_0, BODY_0),
    "three bodies": (PUBLISH, HEADER_3, *[(f"body {c}", BODY, c) for c in (b"a", b"b", b"c")]),
    "nothing more": (PUBLISH, HEADER_0),
})
def in_order(s, *frames):
    ch = s.channel()
    for what, kind, payload in frames:
        ch.client.send_frame(kind, 1, payload, what)
    ch.call("basic.qos", prefetch_count=1)


@scenario
def channels_interleave_their_content(s):
    q = s.queue(durable=True)
    client = s.connect()
    one, two = client.channel(1), client.channel(2)
    for ch in (one, two):
        ch.call("confirm.select")
        ch.tell("basic.publish", routing_key=q)
    for ch in (one, two):
        client.send_frame(HEADER, ch.number, encode_header({}, 2), "header of 2")
    for ch, body in ((one, b"1"), (two, b"2"), (one, b"a")):
        client.send_frame(BODY, ch.number, body, f"body {body!r}")
    one.hear()
    client.send_frame(BODY, 2, b"b", "body b'b'")
    two.hear()
    for _ in range(2):
        one.call("basic.get", queue=q, no_ack=True)


@scenario
def content_is_cut_to_the_agreed_frame_size(s):
    q = s.queue(durable=True)
    s.fill(q, "x" * 20000)
    ch = s.channel(frame_max=8192)
    ch.tell("basic.get", queue=q)
    for _ in range(5):
        frame = ch.client.wire.read_frame()
        s.note(f"1 < body of {len(frame.payload)}" if frame.kind == BODY else f"1 < frame of kind {frame.kind}")
