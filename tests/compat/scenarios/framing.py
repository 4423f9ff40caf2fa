"""Frames as such: their ends, kinds and sizes. Nothing is made on the broker."""

import struct

from amqpraw import BODY, HEADER, HEARTBEAT, METHOD, encode_frame, encode_header, encode_method
from harness import cases, scenario

QOS = encode_method("basic.qos", prefetch_count=1)


@scenario
def wrong_frame_end(s):
    client = s.channel().client
    client.send_bytes(encode_frame(METHOD, 1, QOS)[:-1] + b"\x00", "basic.qos that ends in 0")
    client.hear()


@cases({f"{kind} on {channel}": (kind, channel) for kind in (0, 4, 5, 7, 9, 255) for channel in (0, 1)})
def unknown_frame_kind(s, kind, channel):
    client = s.channel().client
    client.send_frame(kind, channel, b"abc", f"a frame of kind {kind}")
    client.hear()


@cases({
    "on channel 0": (0, b""),
    "with a payload": (0, b"x"),
    "on channel 1": (1, b""),
    "on an unopened channel": (7, b""),
})
def heartbeat(s, channel, payload):
    ch = s.channel()
    ch.client.send_frame(HEARTBEAT, channel, payload, f"heartbeat {payload!r}")
    ch.call("basic.qos", prefetch_count=1)


@cases({
    "empty": b"", "one byte": b"\x00", "only a class": b"\x00\x3c", "three bytes": b"\x00\x3c\x00",
})
def method_frame_too_short(s, payload):
    client = s.channel().client
    client.send_frame(METHOD, 1, payload, f"method frame {payload!r}")
    client.hear()


# A frame may be as long as agreed on, counting its 8 bytes of framing.

@cases({"fits": 8192 - 8, "a byte too long": 8192 - 7, "the tolerance": 8192, "beyond the tolerance": 8193})
def frame_size(s, size):
    ch = s.channel(frame_max=8192)
    ch.call("confirm.select")
    ch.tell("basic.publish", routing_key="compat.nowhere")
    ch.client.send_frame(HEADER, 1, encode_header({}, size), f"header of {size} bytes")
    ch.client.send_frame(BODY, 1, b"x" * size, f"body of {size} bytes")
    ch.hear()


@cases({"larger": 131072, "of 2 GiB": 2**31, "of 4 GiB": 2**32 - 1})
def frame_announced(s, size):
    """The size alone is reason enough: the server does not wait for the bytes."""
    client = s.channel(frame_max=8192).client
    client.send_bytes(struct.pack(">BHI", BODY, 1, size), f"the head of a frame of {size} bytes")
    client.hear()


@cases({"fits": 8000, "too long": 8200, "much too long": 100000})
def frame_size_before_tuning(s, size):
    """Until tune-ok a frame may have 8192 bytes."""
    client = s.dial()
    client.start(compat="x" * size)
    s.note(f"0 > connection.start-ok with a property of {size} bytes")
    client.hear()
