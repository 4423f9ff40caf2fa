"""Bindings: making, repeating and removing them, and who gets what by exchange type."""

from amqpraw import Typed
from harness import cases, scenario


@cases({
    "queue.bind": ("queue.bind", {"queue": "compat.q"}),
    "queue.unbind": ("queue.unbind", {"queue": "compat.q"}),
    "queue.bind of a missing queue too": ("queue.bind", {"queue": "compat.missing"}),
})
def missing_exchange(s, method, fields):
    s.queue(durable=True)
    s.channel().call(method, exchange="compat.missing", routing_key="k", **fields)


@cases({
    "bind, no source": ("exchange.bind", {"destination": "amq.direct", "source": "compat.missing"}),
    "bind, no destination": ("exchange.bind", {"destination": "compat.missing", "source": "amq.direct"}),
    "bind, neither": ("exchange.bind", {"destination": "compat.missing", "source": "compat.missing2"}),
    "unbind, no source": ("exchange.unbind", {"destination": "amq.direct", "source": "compat.missing"}),
    "unbind, no destination": ("exchange.unbind", {"destination": "compat.missing", "source": "amq.direct"}),
})
def missing_partner(s, method, fields):
    s.channel().call(method, routing_key="k", **fields)


@scenario
def binding_made_twice_counts_once(s):
    q, x = s.queue(durable=True), s.exchange(type="direct")
    ch = s.channel()
    for _ in range(2):
        ch.call("queue.bind", queue=q, exchange=x, routing_key="k")
    ch.call("confirm.select")
    ch.publish("k", "once", exchange=x)
    ch.hear()
    ch.call("queue.declare", queue=q, passive=True)
    ch.call("queue.unbind", queue=q, exchange=x, routing_key="k")
    ch.publish("k", "gone", exchange=x, mandatory=True)
    ch.hear(2)


@scenario
def bindings_differ_by_their_arguments(s):
    q, x = s.queue(durable=True), s.exchange(type="direct")
    ch = s.channel()
    ch.call("queue.bind", queue=q, exchange=x, routing_key="k", arguments={"n": 1})
    ch.call("queue.bind", queue=q, exchange=x, routing_key="k", arguments={"n": 2})
    ch.call("queue.unbind", queue=q, exchange=x, routing_key="k", arguments={"n": 1})
    ch.call("queue.unbind", queue=q, exchange=x, routing_key="k")
    ch.call("confirm.select")
    ch.publish("k", "still bound", exchange=x, mandatory=True)
    ch.hear()
    ch.call("queue.unbind", queue=q, exchange=x, routing_key="k", arguments={"n": 2})
    ch.publish("k", "gone", exchange=x, mandatory=True)
    ch.hear(2)


@scenario
def unbind_of_what_was_never_bound(s):
    q, x = s.queue(durable=True), s.exchange(type="direct")
    ch = s.channel()
    ch.call("queue.unbind", queue=q, exchange=x, routing_key="k")
    ch.call("exchange.unbind", destination=x, source="amq.direct", routing_key="k")


@scenario
def exchange_bound_to_itself(s):
    q, x = s.queue(durable=True), s.exchange(type="fanout")
    ch = s.channel()
    ch.call("exchange.bind", destination=x, source=x)
    ch.call("queue.bind", queue=q, exchange=x)
    ch.call("confirm.select")
    ch.publish("k", "x", exchange=x)
    ch.hear()
    ch.call("queue.declare", queue=q, passive=True)


@scenario
def exchanges_in_a_ring(s):
    q, x, y = s.queue(durable=True), s.exchange("x", type="fanout"), s.exchange("y", type="fanout")
    ch = s.channel()
    ch.call("exchange.bind", destination=y, source=x)
    ch.call("exchange.bind", destination=x, source=y)
    ch.call("queue.bind", queue=q, exchange=x)
    ch.call("queue.bind", queue=q, exchange=y)
    ch.call("confirm.select")
    ch.publish("k", "x", exchange=x)
    ch.hear()
    ch.call("queue.declare", queue=q, passive=True)


@scenario
def nowait_binds(s):
    q, x = s.queue(durable=True), s.exchange(type="direct")
    ch = s.channel()
    ch.tell("queue.bind", queue=q, exchange=x, routing_key="k", nowait=True)
    ch.tell("exchange.bind", destination=x, source="amq.direct", routing_key="compat", nowait=True)
    ch.tell("exchange.unbind", destination=x, source="amq.direct", routing_key="compat", nowait=True)
    ch.call("confirm.select")
    ch.publish("k", "x", exchange=x, mandatory=True)
    ch.hear()


# Who gets it: a queue for every binding, named after it; the transcript lists who got each message.

def _bind_and_publish(s, kind, bindings, messages):
    x = s.exchange(type=kind)
    queues = {label: s.queue(str(number), durable=True) for number, label in enumerate(bindings)}
    for label, (key, arguments) in bindings.items():
        s.caretaker.setup("queue.bind", queue=queues[label], exchange=x, routing_key=key, arguments=arguments)
    for label, (key, headers) in messages.items():
        s.caretaker.setup("confirm.select")
        s.caretaker.send_message(key, "x", x, headers=headers)
        s.caretaker.client.expect_quietly("basic.ack")
        takers = [name for name, q in queues.items()
                  if s.caretaker.setup("queue.purge", queue=q).fields["message_count"]]
        s.note(f"{label} -> {', '.join(takers) or 'nobody'}")


def _by_key(*keys):
    return {key: (key, {}) for key in keys}


@scenario
def direct(s):
    _bind_and_publish(s, "direct", _by_key("a", "b", "", "a.*", "#"), _by_key("a", "b", "", "c", "a.*", "A"))


@scenario
def fanout(s):
    _bind_and_publish(s, "fanout", _by_key("a", ""), _by_key("a", "x", ""))


@scenario
def topic(s):
    bindings = _by_key("a", "a.b", "a.*", "*.b", "*", "*.*", "#", "a.#", "#.b", "a.#.b", "#.#", "*.#", "#.*", "",
                       ".", "*.", "a..b", "a.*.b", "#.a.#", "a*", "a#", "**", "a.b.#")
    messages = _by_key("a", "a.b", "a.b.b", "a.c.b", "b", "", ".", "..", "a.", ".a", "a..b", "a.*", "#", "*", "a*",
                       "b.a.b", "A.B", "a.b.c.d.e")
    _bind_and_publish(s, "topic", bindings, messages)


@scenario
def topic_bindings_ignore_their_arguments(s):
    _bind_and_publish(s, "topic", {"with arguments": ("a.*", {"x-match": "none", "n": 1})}, _by_key("a.b", "b"))


def _match(mode, **headers):
    return "", {"x-match": mode, **headers}


@scenario
def headers(s):
    bindings = {
        "all": _match("all", a=1, b="x"), "any": _match("any", a=1, b="x"), "default": ("", {"a": 1}),
        "all of nothing": _match("all"), "any of nothing": _match("any"), "no arguments": ("", {}),
        "void": _match("all", a=None), "any void": _match("any", a=None, z=1),
        "all x-": _match("all", **{"x-a": 1, "a": 1}), "all-with-x": _match("all-with-x", **{"x-a": 1, "a": 1}),
        "any x-": _match("any", **{"x-a": 1}), "any-with-x": _match("any-with-x", **{"x-a": 1}),
        "table": _match("all", t={"k": 1}), "float": _match("all", a=1.0), "string": _match("all", a="1"),
    }
    messages = {
        "nothing": ("", {}), "a=1": ("", {"a": 1}), "a=1 b=x": ("", {"a": 1, "b": "x"}), "a=2": ("", {"a": 2}),
        "b=x": ("k", {"b": "x"}), "x-a=1": ("", {"x-a": 1}), "x-a=1 a=1": ("", {"x-a": 1, "a": 1}),
        "t={k:1}": ("", {"t": {"k": 1}}), "a=1.0": ("", {"a": 1.0}), "a='1'": ("", {"a": "1"}),
        "a=void": ("", {"a": None}), "a=true": ("", {"a": True}), "more": ("", {"a": 1, "b": "x", "c": 3}),
    }
    _bind_and_publish(s, "headers", bindings, messages)


@scenario
def headers_compare_numbers_by_value(s):
    bindings = {tag: _match("all", n=Typed(tag, 5)) for tag in "bBsuIilLT"}
    messages = {f"n={tag}5": ("", {"n": Typed(tag, 5)}) for tag in "bIlT"}
    _bind_and_publish(s, "headers", bindings, messages)


@cases({"unknown": "some", "number": 1, "void": None, "empty": "", "capitals": "ALL", "bool": True})
def x_match(s, value):
    q = s.queue(durable=True)
    s.channel().call("queue.bind", queue=q, exchange="amq.headers", arguments={"x-match": value, "compat": 1})


@scenario
def message_without_headers(s):
    q, x = s.queue(durable=True), s.exchange(type="headers")
    ch = s.channel()
    ch.call("queue.bind", queue=q, exchange=x, arguments={"x-match": "all"})
    ch.call("confirm.select")
    ch.publish("k", "x", exchange=x, mandatory=True)
    ch.hear()


@scenario
def alternate_exchange(s):
    q, spare = s.queue(durable=True), s.exchange("spare", type="fanout")
    x = s.exchange(type="direct", arguments={"alternate-exchange": spare})
    ch = s.channel()
    ch.call("queue.bind", queue=q, exchange=spare)
    ch.call("confirm.select")
    ch.publish("k", "x", exchange=x, mandatory=True)
    ch.hear()
    ch.call("basic.get", queue=q, no_ack=True)


@scenario
def alternate_exchange_missing(s):
    x = s.exchange(type="direct", arguments={"alternate-exchange": "compat.missing"})
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("k", "x", exchange=x, mandatory=True)
    ch.hear(2)


@scenario
def alternate_exchanges_in_a_ring(s):
    x = s.exchange("x", type="direct", arguments={"alternate-exchange": "compat.y"})
    s.exchange("y", type="direct", arguments={"alternate-exchange": "compat.x"})
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("k", "x", exchange=x, mandatory=True)
    ch.hear(2)
