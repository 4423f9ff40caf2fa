"""queue.declare: which arguments are refused, and which differences a redeclaration may not have."""

from amqpraw import Raw, Typed
from harness import cases, scenario

HUGE = 2**63 - 1

INVALID = {
    "x-expires zero": {"x-expires": 0},
    "x-expires negative": {"x-expires": -1},
    "x-expires string": {"x-expires": "1000"},
    "x-expires float": {"x-expires": 1000.0},
    "x-expires bool": {"x-expires": True},
    "x-expires void": {"x-expires": None},
    "x-expires table": {"x-expires": {}},
    "x-expires huge": {"x-expires": HUGE},
    "x-message-ttl negative": {"x-message-ttl": -1},
    "x-message-ttl string": {"x-message-ttl": "60000"},
    "x-message-ttl float": {"x-message-ttl": 1.5},
    "x-message-ttl bool": {"x-message-ttl": True},
    "x-message-ttl just too big": {"x-message-ttl": 2**32 * 86400},
    "x-message-ttl huge": {"x-message-ttl": HUGE},
    "x-message-ttl timestamp": {"x-message-ttl": Typed("T", 1000)},
    "x-max-length timestamp": {"x-max-length": Typed("T", 1000)},
    "x-message-ttl decimal": {"x-message-ttl": Typed("D", (0, 1000))},
    "x-max-length negative": {"x-max-length": -1},
    "x-max-length string": {"x-max-length": "10"},
    "x-max-length float": {"x-max-length": 10.0},
    "x-max-length-bytes negative": {"x-max-length-bytes": -5},
    "x-max-length-bytes string": {"x-max-length-bytes": "10"},
    "x-max-priority negative": {"x-max-priority": -1},
    "x-max-priority 256": {"x-max-priority": 256},
    "x-max-priority string": {"x-max-priority": "10"},
    "x-overflow unknown": {"x-overflow": "explode"},
    "x-overflow number": {"x-overflow": 1},
    "x-overflow void": {"x-overflow": None},
    "x-overflow empty": {"x-overflow": ""},
    "x-dead-letter-exchange number": {"x-dead-letter-exchange": 1},
    "x-dead-letter-exchange bool": {"x-dead-letter-exchange": True},
    "x-dead-letter-exchange void": {"x-dead-letter-exchange": None},
    "x-dead-letter-routing-key alone": {"x-dead-letter-routing-key": "k"},
    "x-dead-letter-routing-key number": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": 1},
    "x-dead-letter-strategy on classic": {"x-dead-letter-strategy": "at-least-once"},
    "x-dead-letter-strategy unknown": {"x-dead-letter-strategy": "maybe"},
    "x-single-active-consumer string": {"x-single-active-consumer": "true"},
    "x-single-active-consumer number": {"x-single-active-consumer": 1},
    "x-queue-type unknown": {"x-queue-type": "turbo"},
    "x-queue-type number": {"x-queue-type": 1},
    "x-queue-type bool": {"x-queue-type": True},
    "x-queue-type void": {"x-queue-type": None},
    "x-queue-version 1": {"x-queue-version": 1},
    "x-queue-version 3": {"x-queue-version": 3},
    "x-queue-version string": {"x-queue-version": "2"},
    "x-queue-master-locator": {"x-queue-master-locator": "client-local"},
    "x-queue-leader-locator unknown": {"x-queue-leader-locator": "somewhere"},
    "x-delivery-limit on classic": {"x-delivery-limit": 3},
    "x-delivery-limit string": {"x-delivery-limit": "3"},
    "x-consumer-timeout string": {"x-consumer-timeout": "1000"},
    "x-consumer-timeout on classic": {"x-consumer-timeout": 100000},
    "x-quorum-initial-group-size on classic": {"x-quorum-initial-group-size": 3},
    "x-max-age on classic": {"x-max-age": "1h"},
    "x-stream-max-segment-size-bytes on classic": {"x-stream-max-segment-size-bytes": 1000000},
    "x-initial-cluster-size on classic": {"x-initial-cluster-size": 1},
    "two wrong ones": {"x-message-ttl": "a", "x-expires": "b"},
    "wrong type and wrong queue type": {"x-queue-type": "turbo", "x-expires": 0},
}

VALID = {
    "x-expires one": {"x-expires": 60000},
    "x-message-ttl zero": {"x-message-ttl": 0},
    "x-max-length zero": {"x-max-length": 0},
    "x-max-priority zero": {"x-max-priority": 0},
    "x-max-priority 255": {"x-max-priority": 255},
    "x-overflow drop-head": {"x-overflow": "drop-head"},
    "x-overflow reject-publish": {"x-overflow": "reject-publish"},
    "x-overflow reject-publish-dlx": {"x-overflow": "reject-publish-dlx"},
    "x-dead-letter-exchange missing one": {"x-dead-letter-exchange": "compat.nowhere"},
    "x-single-active-consumer false": {"x-single-active-consumer": False},
    "x-queue-type classic": {"x-queue-type": "classic"},
    "unknown x argument": {"x-compat-unknown": 1},
    "unknown argument with nested values": {"compat": {"a": [1, "b", {"c": None}]}},
    "x-expires 32 bits": {"x-expires": 2**32},
    "x-message-ttl 32 bits": {"x-message-ttl": 2**32},
    "x-queue-type empty": {"x-queue-type": ""},
    "x-queue-mode unknown": {"x-queue-mode": "sleepy"},
    "x-queue-mode number": {"x-queue-mode": 1},
    "x-queue-mode default": {"x-queue-mode": "default"},
    "x-queue-mode lazy": {"x-queue-mode": "lazy"},
    "x-queue-version 2": {"x-queue-version": 2},
    "x-ha-policy of old": {"x-ha-policy": "all"},
    "x-queue-leader-locator": {"x-queue-leader-locator": "client-local"},
}

INTEGER_TAGS = "bBsuIilL"


@cases(INVALID)
def refused(s, arguments):
    q = s.queue()
    s.channel().call("queue.declare", queue=q, durable=True, arguments=arguments)


@cases(VALID)
def accepted(s, arguments):
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True, arguments=arguments)
    ch.call("queue.declare", queue=q, durable=True, arguments=arguments)


@cases({tag: tag for tag in INTEGER_TAGS})
def integer_width(s, tag):
    """A number counts by its value: any integer type declares, and redeclares, the same queue."""
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True, arguments={"x-max-length": Typed(tag, 100)})
    ch.call("queue.declare", queue=q, durable=True, arguments={"x-max-length": Typed("l", 100)})


@cases({
    "durable": ({"durable": True}, {"durable": False, "exclusive": False}),
    "auto_delete set": ({}, {"auto_delete": True}),
    "auto_delete unset": ({"auto_delete": True}, {}),
    "exclusive set": ({}, {"exclusive": True}),
})
def redeclared_with_other_flags(s, first, second):
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, **{"durable": True, **first})
    ch.call("queue.declare", queue=q, **{"durable": True, **second})


@scenario
def redeclared_exclusive_as_shared(s):
    q = s.own_queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True, exclusive=True)
    ch.call("queue.declare", queue=q, durable=True)


@scenario
def redeclared_exclusive_durable_as_transient(s):
    q = s.own_queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True, exclusive=True)
    ch.call("queue.declare", queue=q, durable=False, exclusive=True)


# Two values that are valid and differ, for every argument.
TWO_VALUES = {
    "x-expires": (60000, 70000),
    "x-message-ttl": (60000, 70000),
    "x-max-length": (10, 20),
    "x-max-length-bytes": (1000, 2000),
    "x-max-priority": (5, 6),
    "x-overflow": ("drop-head", "reject-publish"),
    "x-dead-letter-exchange": ("compat.dlx1", "compat.dlx2"),
    "x-single-active-consumer": (True, False),
    "x-queue-type": ("classic", "quorum"),
    "x-queue-leader-locator": ("client-local", "balanced"),
    "x-compat-unknown": (1, 2),
    "x-compat-other": ("a", "b"),
    "x-ha-policy": ("all", "nodes"),
}


def _declare_both(s, first, second):
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True, arguments=first)
    ch.call("queue.declare", queue=q, durable=True, arguments=second)


@cases({name: (name, one, other) for name, (one, other) in TWO_VALUES.items()})
def redeclared_with_another_value(s, name, one, other):
    _declare_both(s, {name: one}, {name: other})


@cases({name: (name, one) for name, (one, _) in TWO_VALUES.items()})
def redeclared_without(s, name, one):
    _declare_both(s, {name: one}, {})


@cases({name: (name, one) for name, (one, _) in TWO_VALUES.items()})
def redeclared_with_a_new(s, name, one):
    _declare_both(s, {}, {name: one})


@cases({
    "routing key changed": ({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "a"},
                            {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b"}),
    "routing key added": ({"x-dead-letter-exchange": ""},
                          {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b"}),
    "number against string": ({"x-compat-unknown": 1}, {"x-compat-unknown": "1"}),
    "number against float": ({"x-compat-unknown": 1}, {"x-compat-unknown": 1.0}),
    "string against bytes": ({"x-compat-unknown": "a"}, {"x-compat-unknown": Typed("x", b"a")}),
    "ttl as string": ({"x-message-ttl": 1000}, {"x-message-ttl": "1000"}),
    "overflow as bytes": ({"x-overflow": "drop-head"}, {"x-overflow": Typed("x", b"drop-head")}),
    "several differences": ({"x-max-length": 1, "x-message-ttl": 1, "x-expires": 60000},
                            {"x-max-length": 2, "x-message-ttl": 2, "x-expires": 70000}),
    "other order": ({"x-max-length": 1, "x-message-ttl": 1000}, {"x-message-ttl": 1000, "x-max-length": 1}),
    "table": ({"x-compat-unknown": {"a": 1}}, {"x-compat-unknown": {"a": 2}}),
    "classic spelt out": ({}, {"x-queue-type": "classic"}),
    "classic left out": ({"x-queue-type": "classic"}, {}),
})
def redeclared(s, first, second):
    _declare_both(s, first, second)


@scenario
def flags_are_compared_before_arguments(s):
    q = s.queue(durable=True)
    s.channel().call("queue.declare", queue=q, durable=True, auto_delete=True, arguments={"x-max-length": 1})


@scenario
def passive_declare_looks_at_nothing_but_the_name(s):
    q = s.queue(durable=True)
    s.channel().call("queue.declare", queue=q, passive=True, auto_delete=True, arguments={"x-max-length": "a"})


@scenario
def an_argument_given_twice(s):
    q = s.queue()
    entry = b"\x0cx-max-lengthI\x00\x00\x00\x05"
    twice = Raw(len(entry * 2).to_bytes(4, "big") + entry + entry.replace(b"\x05", b"\x07"))
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True, arguments=twice)
    ch.call("queue.declare", queue=q, durable=True, arguments={"x-max-length": 5})


@scenario
def a_queue_name_of_255_bytes(s):
    ch = s.channel()
    name = s.queue("n" * 248)
    ch.call("queue.declare", queue=name, durable=True)
    ch.call("queue.declare", queue=name, durable=True, auto_delete=True)
