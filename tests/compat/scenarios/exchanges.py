"""exchange.declare, delete, bind, unbind, and what the default exchange refuses."""

from harness import cases, scenario

PREDECLARED = {
    "amq.direct": ("amq.direct", {"type": "direct", "durable": True}),
    "amq.fanout": ("amq.fanout", {"type": "fanout", "durable": True}),
    "amq.topic": ("amq.topic", {"type": "topic", "durable": True}),
    "amq.headers": ("amq.headers", {"type": "headers", "durable": True}),
    "amq.match": ("amq.match", {"type": "headers", "durable": True}),
    "amq.rabbitmq.trace": ("amq.rabbitmq.trace", {"type": "topic", "durable": True, "internal": True}),
}


@cases(PREDECLARED)
def predeclared(s, name, declare):
    ch = s.channel()
    ch.call("exchange.declare", exchange=name, passive=True)
    ch.call("exchange.declare", exchange=name, **declare)
    ch.call("exchange.declare", exchange=name, **{**declare, "auto_delete": True})


@cases({name: name for name in PREDECLARED})
def predeclared_deleted(s, name):
    s.channel().call("exchange.delete", exchange=name)


@cases({
    "declare": ("exchange.declare", {"type": "direct", "durable": True}),
    "declare as fanout": ("exchange.declare", {"type": "fanout", "durable": True}),
    "declare with unknown type": ("exchange.declare", {"type": "compat-none"}),
    "declare passive": ("exchange.declare", {"type": "direct", "passive": True}),
    "delete": ("exchange.delete", {}),
    "delete if unused": ("exchange.delete", {"if_unused": True}),
})
def default_exchange(s, method, fields):
    s.channel().call(method, exchange="", **fields)


@cases({
    "queue.bind": ("queue.bind", {}),
    "queue.unbind": ("queue.unbind", {}),
})
def default_exchange_with_queue(s, method, fields):
    q = s.queue(durable=True)
    s.channel().call(method, queue=q, exchange="", routing_key="k", **fields)


@cases({
    "bind as source": ("exchange.bind", {"destination": "amq.direct", "source": ""}),
    "bind as destination": ("exchange.bind", {"destination": "", "source": "amq.direct"}),
    "unbind as source": ("exchange.unbind", {"destination": "amq.direct", "source": ""}),
    "unbind as destination": ("exchange.unbind", {"destination": "", "source": "amq.direct"}),
})
def default_exchange_with_exchange(s, method, fields):
    s.channel().call(method, routing_key="k", **fields)


@cases({
    "declare": ("exchange.declare", {"type": "direct"}),
    "declare passive": ("exchange.declare", {"type": "direct", "passive": True}),
    "delete": ("exchange.delete", {}),
})
def reserved_name(s, method, fields):
    s.channel().call(method, exchange="amq.compat", **fields)


@cases({
    "unknown": {"type": "compat-none"},
    "empty": {"type": ""},
    "unknown and passive": {"type": "compat-none", "passive": True},
    "capitals": {"type": "Direct"},
})
def exchange_type(s, fields):
    x = s.exchange()
    s.channel().call("exchange.declare", exchange=x, durable=True, **fields)


@cases({
    "direct": "direct", "fanout": "fanout", "topic": "topic", "headers": "headers",
    "x-local-random": "x-local-random", "x-modulus-hash": "x-modulus-hash",
})
def declared_twice(s, kind):
    x = s.exchange()
    ch = s.channel()
    ch.call("exchange.declare", exchange=x, type=kind, durable=True)
    ch.call("exchange.declare", exchange=x, type=kind, durable=True)
    ch.call("exchange.declare", exchange=x, passive=True)


@cases({
    "type": ({}, {"type": "fanout"}),
    "durable to transient": ({"durable": True}, {"durable": False}),
    "transient to durable": ({"durable": False}, {"durable": True}),
    "auto_delete": ({}, {"auto_delete": True}),
    "internal": ({}, {"internal": True}),
    "alternate-exchange added": ({}, {"arguments": {"alternate-exchange": "amq.fanout"}}),
    "alternate-exchange dropped": ({"arguments": {"alternate-exchange": "amq.fanout"}}, {}),
    "alternate-exchange changed": ({"arguments": {"alternate-exchange": "amq.fanout"}},
                                   {"arguments": {"alternate-exchange": "amq.topic"}}),
    "unknown argument added": ({}, {"arguments": {"x-compat": 1}}),
    "unknown argument changed": ({"arguments": {"x-compat": 1}}, {"arguments": {"x-compat": 2}}),
    "everything": ({}, {"type": "fanout", "durable": False, "auto_delete": True, "internal": True}),
    "durable and auto_delete": ({}, {"durable": False, "auto_delete": True}),
    "auto_delete and internal": ({}, {"auto_delete": True, "internal": True}),
    "passive ignores all": ({}, {"type": "fanout", "auto_delete": True, "passive": True}),
})
def redeclared(s, first, second):
    x = s.exchange()
    ch = s.channel()
    base = {"type": "direct", "durable": True}
    ch.call("exchange.declare", exchange=x, **{**base, **first})
    ch.call("exchange.declare", exchange=x, **{**base, **second})


@cases({
    "number": 1, "void": None, "bool": True, "empty": "", "missing": "compat.nowhere", "reserved": "amq.nowhere",
})
def alternate_exchange_argument(s, value):
    x = s.exchange()
    s.channel().call("exchange.declare", exchange=x, type="direct", arguments={"alternate-exchange": value})


@scenario
def passive_declare_of_a_missing_exchange(s):
    s.channel().call("exchange.declare", exchange=s.exchange("missing"), type="direct", passive=True)


@scenario
def nowait_declare_with_error(s):
    s.channel().call("exchange.declare", exchange=s.exchange("missing"), type="direct", passive=True, nowait=True)


@scenario
def delete_of_a_missing_exchange(s):
    x = s.exchange("missing")
    ch = s.channel()
    ch.call("exchange.delete", exchange=x)
    ch.call("exchange.delete", exchange=x, if_unused=True)


@scenario
def delete_if_unused_with_a_queue_bound(s):
    x, q = s.exchange(type="direct"), s.queue(durable=True)
    ch = s.channel()
    ch.call("queue.bind", queue=q, exchange=x, routing_key="k")
    ch.call("exchange.delete", exchange=x, if_unused=True)
    ch.reopen()
    ch.call("exchange.delete", exchange=x)


@scenario
def delete_if_unused_as_a_destination(s):
    x = s.exchange(type="direct")
    ch = s.channel()
    ch.call("exchange.bind", destination=x, source="amq.direct", routing_key="compat")
    ch.call("exchange.delete", exchange=x, if_unused=True)


@scenario
def auto_delete_goes_with_its_last_binding(s):
    x, q = s.exchange(type="direct", auto_delete=True), s.queue(durable=True)
    ch = s.channel()
    ch.call("queue.bind", queue=q, exchange=x, routing_key="a")
    ch.call("queue.bind", queue=q, exchange=x, routing_key="b")
    ch.call("queue.unbind", queue=q, exchange=x, routing_key="a")
    ch.call("exchange.declare", exchange=x, passive=True)
    ch.call("queue.unbind", queue=q, exchange=x, routing_key="b")
    ch.call("exchange.declare", exchange=x, passive=True)


@scenario
def auto_delete_goes_with_the_last_queue(s):
    x, q = s.exchange(type="direct", auto_delete=True), s.queue(durable=True)
    ch = s.channel()
    ch.call("queue.bind", queue=q, exchange=x, routing_key="a")
    ch.call("queue.delete", queue=q)
    ch.call("exchange.declare", exchange=x, passive=True)


@scenario
def auto_delete_does_not_go_with_its_last_inbound_binding(s):
    x = s.exchange(type="direct", auto_delete=True)
    ch = s.channel()
    ch.call("exchange.bind", destination=x, source="amq.direct", routing_key="compat")
    ch.call("exchange.unbind", destination=x, source="amq.direct", routing_key="compat")
    ch.call("exchange.declare", exchange=x, passive=True)


@scenario
def a_chain_of_auto_delete_exchanges_goes_together(s):
    first, second = (s.exchange(name, type="fanout", auto_delete=True) for name in ("x1", "x2"))
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("exchange.bind", destination=second, source=first)
    ch.call("queue.bind", queue=q, exchange=second)
    ch.call("queue.delete", queue=q)
    ch.call("exchange.declare", exchange=second, passive=True)
    ch.reopen()
    ch.call("exchange.declare", exchange=first, passive=True)


@cases({"durable": True, "transient": False})
def declared_nowait(s, durable):
    x = s.exchange()
    ch = s.channel()
    ch.tell("exchange.declare", exchange=x, type="fanout", durable=durable, nowait=True)
    ch.call("exchange.declare", exchange=x, passive=True)
    ch.tell("exchange.delete", exchange=x, nowait=True)
    ch.call("exchange.declare", exchange=x, passive=True)
