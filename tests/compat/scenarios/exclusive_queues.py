"""Exclusive queues: what other connections may not, and when they go."""

from harness import cases, scenario

EVERY_OPERATION = {
    "declare": ("queue.declare", {"durable": True}),
    "declare exclusive": ("queue.declare", {"durable": True, "exclusive": True}),
    "declare passive": ("queue.declare", {"passive": True}),
    "bind": ("queue.bind", {"exchange": "amq.direct", "routing_key": "k"}),
    "unbind": ("queue.unbind", {"exchange": "amq.direct", "routing_key": "k"}),
    "purge": ("queue.purge", {}),
    "delete": ("queue.delete", {}),
    "get": ("basic.get", {"no_ack": True}),
    "consume": ("basic.consume", {}),
}


@cases(EVERY_OPERATION)
def of_another_connection(s, method, fields):
    q = s.own_queue()
    s.channel("A").setup("queue.declare", queue=q, durable=True, exclusive=True)
    s.channel("B").call(method, queue=q, **fields)


@scenario
def takes_messages_from_another_connection(s):
    q = s.own_queue()
    owner, other = s.channel("A"), s.channel("B")
    owner.call("queue.declare", queue=q, exclusive=True)
    other.call("confirm.select")
    other.publish(q, "hello")
    other.hear()
    owner.call("basic.get", queue=q, no_ack=True)


@scenario
def is_open_to_every_channel_of_its_connection(s):
    q = s.own_queue()
    client = s.connect()
    one, two = client.channel(1), client.channel(2)
    one.call("queue.declare", queue=q, exclusive=True)
    two.call("queue.declare", queue=q, exclusive=True)
    two.call("basic.consume", queue=q, consumer_tag="c")


@scenario
def goes_with_its_connection(s):
    """RabbitMQ may still show it for a moment after close-ok; to be gone by then is better."""
    q = s.own_queue()
    owner = s.channel()
    owner.call("queue.declare", queue=q, exclusive=True)
    owner.client.leave()
    s.await_free(q)
