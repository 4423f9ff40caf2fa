"""basic.publish: where to, which properties, and what comes back."""

from amqpraw import Typed
from harness import cases, scenario


@cases({
    "missing exchange": {"exchange": "compat.missing"},
    "internal exchange": {"exchange": "amq.rabbitmq.trace"},
    "immediate": {"immediate": True},
    "immediate and mandatory": {"immediate": True, "mandatory": True},
    "missing exchange and immediate": {"exchange": "compat.missing", "immediate": True},
})
def refused(s, options):
    ch = s.channel()
    ch.publish("compat.nowhere", "x", **options)
    ch.hear()


@scenario
def internal_exchange(s):
    ch = s.channel()
    ch.publish("k", "x", exchange=s.exchange(type="direct", internal=True))
    ch.hear()


@cases({
    "default exchange": ("", {}),
    "direct": ("amq.direct", {}),
    "with everything": ("amq.direct", {
        "content_type": "text/plain", "content_encoding": "utf-8", "headers": {"n": 1, "s": "x"},
        "delivery_mode": 2, "priority": 3, "correlation_id": "c", "reply_to": "r", "expiration": "1000",
        "message_id": "m", "timestamp": 1700000000, "type": "t", "user_id": "guest", "app_id": "a",
        "cluster_id": "z"}),
})
def mandatory(s, exchange, properties):
    ch = s.channel()
    ch.publish("compat.nowhere", "x", exchange, mandatory=True, **properties)
    ch.hear()


@scenario
def mandatory_and_empty(s):
    ch = s.channel()
    ch.publish("compat.nowhere", "", mandatory=True)
    ch.hear()


@scenario
def mandatory_and_routed(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.publish(q, "x", mandatory=True)
    ch.silence()


@cases({
    "digits": "60000", "zero": "0", "empty": "", "negative": "-1", "word": "abc", "fraction": "1.5",
    "leading blank": " 1", "trailing blank": "1 ", "plus": "+1", "leading zeros": "007",
    "32 bits": str(2**32), "100 years": str(100 * 365 * 86400 * 1000), "64 bits": str(2**64), "digits and word": "10s",
})
def expiration(s, value):
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("compat.nowhere", "x", expiration=value)
    ch.hear()


@cases({"own": "guest", "other": "compat-nobody", "empty": ""})
def user_id(s, value):
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("compat.nowhere", "x", user_id=value)
    ch.hear()


@cases({
    "string": "compat.q", "number": 1, "void": None, "empty array": [], "array of numbers": [1],
    "mixed array": ["compat.q", 1], "table": {},
})
def carbon_copy_of_a_wrong_type(s, value):
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("compat.nowhere", "x", headers={"CC": value})
    ch.hear()
    s.note("BCC:")
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("compat.nowhere", "x", headers={"BCC": value})
    ch.hear()


@scenario
def carbon_copies(s):
    to, cc, bcc = (s.queue(name, durable=True) for name in ("to", "cc", "bcc"))
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish(to, "x", headers={"CC": [cc], "BCC": [bcc], "k": 1})
    ch.hear()
    for q in (to, cc, bcc):
        ch.call("basic.get", queue=q, no_ack=True)


@scenario
def carbon_copy_to_the_same_queue_arrives_once(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish(q, "x", headers={"CC": [q, q], "BCC": [q]})
    ch.hear()
    ch.call("basic.get", queue=q, no_ack=True)


@scenario
def carbon_copy_counts_as_routed(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("compat.nowhere", "x", mandatory=True, headers={"BCC": [q]})
    ch.hear()


EVERY_TYPE = {"t": True, "b": Typed("b", -1), "B": Typed("B", 255), "s": Typed("s", -2), "u": Typed("u", 65535),
              "I": Typed("I", -3), "i": Typed("i", 2**32 - 1), "l": Typed("l", -4), "L": Typed("L", 5),
              "f": Typed("f", 0.5), "d": 0.25, "D": Typed("D", (2, 314)), "T": Typed("T", 1700000000), "S": "text",
              "x": Typed("x", b"\x00\x01"), "V": None, "A": [1, "a", True, [None], {"k": 1}],
              "F": {"inner": {"deep": [1]}}, "": "empty key"}


@scenario
def every_type_of_header_comes_back(s):
    q = s.queue(durable=True)
    s.fill(q, "x", headers=EVERY_TYPE)
    s.channel().call("basic.get", queue=q, no_ack=True)


@scenario
def every_property_comes_back(s):
    q = s.queue(durable=True)
    s.fill(q, "x", content_type="text/plain", content_encoding="utf-8", headers={}, delivery_mode=2, priority=255,
           correlation_id="c", reply_to="r", expiration="60000", message_id="m", timestamp=2**63, type="t",
           user_id="guest", app_id="a", cluster_id="z")
    s.channel().call("basic.get", queue=q, no_ack=True)


@scenario
def properties_that_are_empty_come_back_empty(s):
    q = s.queue(durable=True)
    s.fill(q, "x", content_type="", delivery_mode=0, priority=0, correlation_id="", headers={}, timestamp=0)
    s.channel().call("basic.get", queue=q, no_ack=True)


@cases({str(mode): mode for mode in (0, 1, 2, 3, 255)})
def delivery_mode(s, mode):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish(q, "x", delivery_mode=mode)
    ch.hear()
    ch.call("basic.get", queue=q, no_ack=True)


@scenario
def header_keys_keep_their_order(s):
    """Normal transcripts sort keys, so this one looks at the order itself."""
    q = s.queue(durable=True)
    s.fill(q, "x", headers={"b": 1, "a": 2, "c": 3})
    event = s.channel().setup("basic.get", queue=q, no_ack=True)
    s.note(" ".join(event.properties["headers"]))


@cases({"one byte": 1, "one frame": 131064, "a frame and a byte": 131065, "a mebibyte": 2**20})
def body_of(s, size):
    q = s.queue(durable=True)
    s.fill(q, "".join(chr(97 + i % 26) for i in range(size)))
    s.channel().call("basic.get", queue=q, no_ack=True)


@scenario
def routing_key_of_255_bytes(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("queue.bind", queue=q, exchange="amq.direct", routing_key="k" * 255)
    ch.call("confirm.select")
    ch.publish("k" * 255, "x", exchange="amq.direct")
    ch.hear()
    ch.call("basic.get", queue=q, no_ack=True)


@scenario
def a_channel_error_stops_later_publishes(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.publish(q, "before")
    ch.publish("k", "x", exchange="compat.missing")
    ch.publish(q, "after")
    ch.hear()
    ch.reopen()
    ch.call("basic.get", queue=q, no_ack=True)
    ch.call("basic.get", queue=q, no_ack=True)
