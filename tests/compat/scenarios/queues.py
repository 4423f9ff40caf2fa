"""Queues apart from their arguments: names, purge and delete, get, auto-delete."""

from harness import cases, scenario


@cases({
    "declare passive": ("queue.declare", {"passive": True}),
    "bind": ("queue.bind", {"exchange": "amq.direct", "routing_key": "k"}),
    "unbind": ("queue.unbind", {"exchange": "amq.direct", "routing_key": "k"}),
    "purge": ("queue.purge", {}),
    "delete": ("queue.delete", {}),
    "delete if unused": ("queue.delete", {"if_unused": True}),
    "get": ("basic.get", {"no_ack": True}),
    "consume": ("basic.consume", {}),
})
def missing_queue(s, method, fields):
    q = s.queue("missing")
    ch = s.channel()
    ch.call(method, queue=q, **fields)


@cases({
    "declare passive": ("queue.declare", {"passive": True}),
    "bind": ("queue.bind", {"exchange": "amq.direct"}),
    "unbind": ("queue.unbind", {"exchange": "amq.direct"}),
    "purge": ("queue.purge", {}),
    "delete": ("queue.delete", {}),
    "get": ("basic.get", {}),
    "consume": ("basic.consume", {}),
})
def empty_name_with_none_declared(s, method, fields):
    s.channel().call(method, queue="", **fields)


@scenario
def empty_name_means_the_last_declared(s):
    first, second = s.queue("first"), s.queue("second")
    ch = s.channel()
    ch.call("queue.declare", queue=first, durable=True)
    ch.call("queue.declare", queue=second, durable=True)
    ch.call("queue.bind", queue="", exchange="amq.direct", routing_key="compat")
    s.fill(second, "one", "two")
    ch.call("basic.get", queue="", no_ack=True)
    ch.call("queue.purge", queue="")
    ch.call("basic.consume", queue="", consumer_tag="c", no_ack=True)
    ch.call("queue.declare", queue=first, passive=True)
    ch.call("queue.unbind", queue="", exchange="amq.direct", routing_key="compat")
    ch.call("queue.delete", queue="")
    ch.call("queue.declare", queue=second, passive=True)


@scenario
def empty_name_in_a_passive_declare_is_just_empty(s):
    ch = s.channel()
    ch.call("queue.declare", queue=s.queue(), durable=True)
    ch.call("queue.declare", queue="", passive=True)


@scenario
def empty_name_after_its_queue_was_deleted(s):
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True)
    ch.call("queue.delete", queue=q)
    ch.call("queue.purge", queue="")


@scenario
def empty_name_bound_with_empty_key_uses_the_queue_name_as_key(s):
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True)
    ch.call("queue.bind", queue="", exchange="amq.direct", routing_key="")
    ch.publish(q, "by name", exchange="amq.direct")
    ch.call("basic.get", queue=q, no_ack=True)
    ch.publish("", "by empty key", exchange="amq.direct")
    ch.call("basic.get", queue=q, no_ack=True)


@scenario
def the_last_declared_is_kept_per_channel(s):
    q = s.queue()
    client = s.connect()
    one, two = client.channel(1), client.channel(2)
    one.call("queue.declare", queue=q, durable=True)
    two.call("queue.declare", queue="", passive=True)


@cases({
    "declare": {"durable": True},
    "declare passive": {"passive": True},
    "declare exclusive": {"exclusive": True},
})
def reserved_name(s, fields):
    s.channel().call("queue.declare", queue="amq.compat", **fields)


@scenario
def reserved_name_deleted(s):
    s.channel().call("queue.delete", queue="amq.compat")


@scenario
def reserved_prefix_needs_the_dot(s):
    ch = s.channel()
    ch.call("queue.declare", queue="amqcompat", exclusive=True)
    ch.call("queue.declare", queue="amq.", exclusive=True)


@scenario
def redeclaring_a_server_named_queue_by_its_name(s):
    ch = s.channel()
    name = ch.call("queue.declare", queue="", exclusive=True).fields["queue"]
    ch.call("queue.declare", queue=name, exclusive=True)
    ch.reopen()
    ch.call("queue.declare", queue=name, passive=True)
    ch.call("queue.delete", queue=name)


@scenario
def server_named_queues_differ(s):
    ch = s.channel()
    names = {ch.setup("queue.declare", exclusive=True).fields["queue"] for _ in range(5)}
    s.note(f"{len(names)} names")


@scenario
def transient_shared_queue(s):
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q)


@scenario
def transient_auto_delete_queue(s):
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, auto_delete=True)


@scenario
def transient_exclusive_queue(s):
    s.channel().call("queue.declare", queue=s.own_queue(), exclusive=True)


@scenario
def server_named_shared_queue(s):
    ch = s.channel()
    name = ch.call("queue.declare", queue="", durable=True).fields["queue"]
    ch.call("queue.delete", queue=name)


@scenario
def counts_of_declare_purge_and_delete(s):
    q = s.queue(durable=True)
    ch = s.channel()
    s.fill(q, "a", "b", "c")
    ch.call("basic.get", queue=q)
    ch.call("queue.declare", queue=q, passive=True)
    ch.call("queue.purge", queue=q)
    ch.call("queue.declare", queue=q, passive=True)
    s.fill(q, "d")
    ch.call("queue.declare", queue=q, passive=True)
    ch.call("queue.delete", queue=q)
    ch.call("queue.delete", queue=q)


@scenario
def delete_if_empty_with_messages(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch = s.channel()
    ch.call("queue.delete", queue=q, if_empty=True)


@scenario
def delete_if_empty_with_only_unacked_messages(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch = s.channel()
    ch.call("basic.get", queue=q)
    ch.call("queue.delete", queue=q, if_empty=True)


@scenario
def delete_if_unused_with_consumer(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.setup("basic.consume", queue=q)
    ch.call("queue.delete", queue=q, if_unused=True)


@scenario
def delete_if_unused_and_if_empty_with_both_in_the_way(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.hear()
    ch.call("queue.delete", queue=q, if_unused=True, if_empty=True)


@scenario
def delete_if_unused_with_a_binding(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("queue.bind", queue=q, exchange="amq.direct", routing_key="compat")
    ch.call("queue.delete", queue=q, if_unused=True)


@scenario
def get_fields(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("basic.get", queue=q)
    s.fill(q, "a", "b", "c")
    ch.call("basic.get", queue=q)
    ch.call("basic.get", queue=q, no_ack=True)
    ch.call("basic.get", queue=q)
    ch.call("basic.get", queue=q)


@scenario
def auto_delete_goes_with_its_last_consumer(s):
    q = s.queue()
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True, auto_delete=True)
    ch.call("basic.consume", queue=q, consumer_tag="c1")
    ch.call("basic.consume", queue=q, consumer_tag="c2")
    ch.call("basic.cancel", consumer_tag="c1")
    ch.call("queue.declare", queue=q, passive=True)
    ch.call("basic.cancel", consumer_tag="c2")
    ch.call("queue.declare", queue=q, passive=True)


@scenario
def auto_delete_goes_with_its_consumers_connection(s):
    q = s.queue()
    owner = s.channel()
    owner.call("queue.declare", queue=q, durable=True, auto_delete=True)
    owner.call("basic.consume", queue=q, consumer_tag="c")
    owner.client.leave()
    s.await_free(q)


@scenario
def auto_delete_without_a_consumer_stays(s):
    q = s.queue()
    ch = s.channel("A")
    ch.call("queue.declare", queue=q, durable=True, auto_delete=True)
    ch.call("basic.get", queue=q)
    ch.client.leave()
    s.channel("B").call("queue.declare", queue=q, passive=True)


@scenario
def nowait_answers_nothing(s):
    q = s.queue()
    ch = s.channel()
    ch.tell("queue.declare", queue=q, durable=True, nowait=True)
    ch.tell("queue.bind", queue=q, exchange="amq.direct", routing_key="compat", nowait=True)
    ch.tell("queue.purge", queue=q, nowait=True)
    ch.call("queue.declare", queue=q, passive=True)
    ch.tell("queue.delete", queue=q, nowait=True)
    ch.call("queue.declare", queue=q, passive=True)


@cases({
    "passive declare": ("queue.declare", {"passive": True}),
    "reserved name": ("queue.declare", {"queue": "amq.compat", "durable": True}),
    "bind": ("queue.bind", {"exchange": "compat.missing"}),
    "purge": ("queue.purge", {}),
    "consume": ("basic.consume", {"consumer_tag": "c"}),
})
def nowait_still_reports_errors(s, method, fields):
    q = s.queue("missing")
    s.channel().call(method, **{"queue": q, "nowait": True, **fields})
