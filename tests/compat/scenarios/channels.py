"""Channel numbers, opening and closing, and what lives on channel 0."""

from amqpraw import BODY, HEADER, METHOD, encode_header, encode_method
from harness import cases, scenario

QOS = encode_method("basic.qos", prefetch_count=1)



@cases({
    "method": (METHOD, QOS), "open-ok": (METHOD, encode_method("channel.open-ok")),
    "close": (METHOD, encode_method("channel.close", reply_code=200)),
    "close-ok": (METHOD, encode_method("channel.close-ok")),
    "header": (HEADER, encode_header({}, 3)), "body": (BODY, b"abc"),
    "connection method": (METHOD, encode_method("connection.open", virtual_host="/")),
})
def unopened_channel(s, kind, payload):
    client = s.connect()
    client.send_frame(kind, 1, payload, f"frame of kind {kind}: {payload!r}")
    client.hear()


@scenario
def publish_on_an_unopened_channel(s):
    client = s.connect()
    client.tell("basic.publish", 1, routing_key="compat.nowhere")
    client.send_frame(HEADER, 1, encode_header({}, 1), "header of 1")
    client.send_frame(BODY, 1, b"x", "body of 1")
    client.hear()


@cases({
    "channel.open": ("channel.open", {}),
    "queue.declare": ("queue.declare", {"queue": "compat.q", "durable": True}),
    "basic.publish": ("basic.publish", {"routing_key": "compat.q"}),
    "channel.close": ("channel.close", {"reply_code": 200}),
    "channel.flow": ("channel.flow", {"active": True}),
})
def channel_zero(s, method, fields):
    s.connect().call(method, 0, **fields)


@cases({"header": (HEADER, encode_header({}, 3)), "body": (BODY, b"abc")})
def content_on_channel_zero(s, kind, payload):
    client = s.connect()
    client.send_frame(kind, 0, payload, f"frame of kind {kind}: {payload!r}")
    client.hear()


@cases({
    "connection.close": ("connection.close", {"reply_code": 200}),
    "connection.open": ("connection.open", {"virtual_host": "/"}),
    "connection.start-ok": ("connection.start-ok", {}),
    "connection.close-ok": ("connection.close-ok", {}),
})
def connection_method_on_a_channel(s, method, fields):
    s.channel().call(method, **fields)


@cases({"the highest": (2047, 0), "one above": (2048, 0), "65535": (65535, 0),
        "agreed highest": (10, 10), "above the agreed": (11, 10)})
def channel_number(s, number, channel_max):
    s.connect(channel_max=channel_max).call("channel.open", number)


@cases({"fits": 10, "too many": 11})
def number_of_channels(s, count):
    """Numbers are what is limited, so numbers 1 to N are all one can have."""
    client = s.connect(channel_max=10)
    for number in range(1, count):
        client.channel(number)
    client.call("channel.open", count)


@scenario
def channel_opened_twice(s):
    s.channel().call("channel.open")


@scenario
def channel_closed_and_opened_again(s):
    ch = s.channel()
    ch.call("channel.close", reply_code=200)
    ch.call("channel.open")
    ch.call("basic.qos", prefetch_count=1)


@scenario
def channel_used_after_its_close(s):
    ch = s.channel()
    ch.call("channel.close", reply_code=200)
    ch.call("basic.qos", prefetch_count=1)


@scenario
def channel_used_after_the_servers_close(s):
    ch = s.channel()
    ch.call("queue.declare", queue="compat.missing", passive=True)
    ch.client.call("basic.qos", 1, prefetch_count=1)


@scenario
def channel_closed_twice(s):
    ch = s.channel()
    ch.call("channel.close", reply_code=200)
    ch.call("channel.close", reply_code=200)


@scenario
def close_ok_nobody_asked_for(s):
    ch = s.channel()
    ch.tell("channel.close-ok")
    ch.call("basic.qos", prefetch_count=1)


@scenario
def what_follows_an_error_is_ignored_until_close_ok(s):
    q = s.queue()
    ch = s.channel()
    ch.tell("queue.declare", queue="compat.missing", passive=True)
    ch.tell("queue.declare", queue=q, durable=True)
    ch.hear()
    ch.reopen()
    ch.call("queue.declare", queue=q, passive=True)


@scenario
def close_that_crosses_an_error(s):
    ch = s.channel()
    ch.tell("queue.declare", queue="compat.missing", passive=True)
    ch.tell("channel.close", reply_code=200)
    ch.hear(2)
    ch.reopen()


@cases({"on": True, "off": False})
def flow(s, active):
    s.channel().call("channel.flow", active=active)


@scenario
def access_request(s):
    s.channel().call("access.request", realm="/data", active=True, write=True, read=True)
