"""Messages arrive as they were sent, whatever their properties, their size, their number."""

import datetime
import decimal
import struct

import pika
import pytest
from pika import spec

from inbox import Inbox, drain, fetch, send
from refusals import channel_refused


def test_all_properties_arrive(url, channel, queue):
    inbox = queue("inbox")
    sent = pika.BasicProperties(
        content_type="application/json",
        content_encoding="gzip",
        headers={"key": "value"},
        delivery_mode=2,
        priority=7,
        correlation_id="correlation",
        reply_to="reply queue",
        expiration="60000",
        message_id="message 1",
        timestamp=1_700_000_000,
        type="order",
        user_id=pika.URLParameters(url).credentials.username,
        app_id="shop",
        cluster_id="cluster",
    )

    channel.basic_publish("", inbox, "body", sent)

    assert vars(fetch(channel, inbox).properties) == vars(sent)


@pytest.mark.parametrize(
    "alone",
    [
        {},
        {"priority": 0},
        {"message_id": ""},
        {"headers": {}},
        {"cluster_id": "x" * 255},
        {"timestamp": 2**63 - 1},
        {"delivery_mode": 1},
    ],
)
def test_a_property_arrives_alone_and_at_its_limits(channel, queue, alone):
    inbox = queue("inbox")

    channel.basic_publish("", inbox, "body", pika.BasicProperties(**alone))

    received = vars(fetch(channel, inbox).properties)
    assert {key: value for key, value in received.items() if value is not None} == alone


def test_headers_of_every_type_arrive(channel, queue):
    inbox = queue("inbox")
    flat = {
        "string": "äöü",
        "empty string": "",
        "bytes": b"\x00\xff",
        "true": True,
        "false": False,
        "int": -(2**31),
        "long": 2**40,
        "decimal": decimal.Decimal("3.14"),
        "time": datetime.datetime(2026, 11, 22, 8, 30, tzinfo=datetime.timezone.utc),
        "nothing": None,
        "empty table": {},
        "empty list": [],
    }
    headers = flat | {"table": flat | {"table": flat}, "list": [*flat.values(), flat, [[1], "two"]]}

    channel.basic_publish("", inbox, "body", pika.BasicProperties(headers=headers))

    assert fetch(channel, inbox).properties.headers == headers


FIELDS = {
    b"t": b"\x01",
    b"b": struct.pack(">b", -7),
    b"B": struct.pack(">B", 200),
    b"s": struct.pack(">h", -300),
    b"u": struct.pack(">H", 60000),
    b"I": struct.pack(">i", -70000),
    b"i": struct.pack(">I", 4_000_000_000),
    b"l": struct.pack(">q", -(2**40)),
    b"L": struct.pack(">q", 2**40),
    b"f": struct.pack(">f", 0.5),
    b"d": struct.pack(">d", 0.1),
    b"D": struct.pack(">Bi", 2, 314),
    b"S": struct.pack(">I", 3) + b"str",
    b"A": struct.pack(">I", 6) + b"t\x01b\x05VV",
    b"T": struct.pack(">Q", 1_700_000_000),
    b"F": struct.pack(">I", 4) + b"\x01it\x01",
    b"V": b"",
    b"x": struct.pack(">I", 2) + b"\x00\xff",
}
SAYS_L = pytest.mark.beyond_rabbitmq("passes L on as l, which means the same")


@pytest.mark.parametrize(
    "tag",
    [pytest.param(tag, id=tag.decode(), marks=SAYS_L if tag == b"L" else ()) for tag in FIELDS],
)
def test_header_fields_arrive_byte_by_byte(wire, queue, tag):
    inbox = queue("inbox")
    table = b"\x05field" + tag + FIELDS[tag]
    properties = b"\x20\x00" + struct.pack(">I", len(table)) + table
    hand_made = wire()
    hand_made.open_channel()

    hand_made.send_content(1, spec.Basic.Publish(routing_key=inbox), properties, b"body")
    hand_made.call(1, spec.Basic.Get(queue=inbox), spec.Basic.GetOk)

    assert hand_made.receive_raw()[7 + 12 : -1] == properties


@pytest.mark.parametrize("expiration", ["", "soon", "-1", "1.5", " 1"])
def test_an_expiration_must_be_a_number(channel, queue, expiration):
    inbox = queue("inbox")

    with channel_refused(channel, 406, "PRECONDITION_FAILED - invalid expiration"):
        channel.basic_publish("", inbox, "body", pika.BasicProperties(expiration=expiration))


def test_nobody_speaks_for_another_user(channel, queue):
    inbox = queue("inbox")

    with channel_refused(channel, 406, "PRECONDITION_FAILED - user_id property set to 'somebody else'"):
        channel.basic_publish("", inbox, "body", pika.BasicProperties(user_id="somebody else"))


@pytest.mark.parametrize("frame_max", [8192, 131072])
def test_bodies_of_any_size_arrive(connect, queue, frame_max):
    inbox = queue("inbox")
    channel = connect(frame_max=frame_max).channel()
    channel.confirm_delivery()
    full = frame_max - spec.FRAME_HEADER_SIZE - spec.FRAME_END_SIZE
    sizes = [0, 1, full - 1, full, full + 1, 2 * full, 3 * full + 1, 1024 * 1024]

    for size in sizes:
        channel.basic_publish("", inbox, pattern(size))

    for size in sizes:
        assert fetch(channel, inbox).body == pattern(size)


def test_frames_are_as_small_as_each_reader_wants_them(connect, wire, queue):
    inbox = queue("inbox")
    writer = connect(frame_max=131072).channel()
    writer.confirm_delivery()
    writer.basic_publish("", inbox, pattern(100_000))
    reader = wire(frame_max=8192)
    reader.open_channel()

    reader.call(1, spec.Basic.Get(queue=inbox), spec.Basic.GetOk)
    reader.receive()  # The header.
    bodies = []
    while sum(bodies) < 100_000:
        frame = reader.receive_raw()
        assert len(frame) <= 8192
        bodies.append(len(frame) - spec.FRAME_HEADER_SIZE - spec.FRAME_END_SIZE)

    assert sum(bodies) == 100_000


def test_five_megabytes_arrive(channel, queue):
    inbox = queue("inbox")
    large = pattern(5 * 1024 * 1024)
    reader = Inbox(channel, inbox)

    for _ in range(3):
        channel.basic_publish("", inbox, large)

    assert all(delivery.body == large for delivery in reader.take(3))


def test_large_messages_on_several_channels_do_not_mix(connect, queue):
    inboxes = [queue("inbox") for _ in range(4)]
    connection = connect()
    bodies = [bytes([number]) * 700_000 for number in range(4)]
    readers = [Inbox(connection.channel(), inbox) for inbox in inboxes]

    for reader, inbox, body in zip(readers, inboxes, bodies):
        for _ in range(3):
            reader.channel.basic_publish("", inbox, body)

    for reader, body in zip(readers, bodies):
        assert [delivery.body for delivery in reader.take(3)] == [body] * 3


def pattern(size):
    """A body in which no part could be taken for another."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


def test_thousands_of_messages_arrive_in_order(connect, channel, queue):
    inbox = queue("inbox")
    texts = [str(number) for number in range(5000)]
    send(channel, inbox, *texts)

    reader_channel = connect().channel()
    reader_channel.basic_qos(prefetch_count=200)
    reader = Inbox(reader_channel, inbox)
    received = []
    while len(received) < 5000:
        some = reader.take(100)
        reader.ack(some[-1], multiple=True)
        received += [delivery.text for delivery in some]

    assert received == texts


def test_many_channels_share_a_connection(connection):
    inboxes = []
    for _ in range(100):
        channel = connection.channel()
        mine = channel.queue_declare("", exclusive=True).method.queue
        inboxes.append((channel, mine, Inbox(channel, mine, auto_ack=True)))

    for number, (channel, mine, _inbox) in enumerate(inboxes):
        send(channel, mine, str(number), "more")

    for number, (_channel, _mine, inbox) in enumerate(inboxes):
        assert inbox.texts(2) == [str(number), "more"]


def test_messages_wait_for_a_reader_who_comes_later(connect, queue):
    inbox = queue("inbox")
    writer = connect()
    send(writer.channel(), inbox, "a", "b")
    writer.close()

    assert drain(connect().channel(), inbox) == ["a", "b"]
