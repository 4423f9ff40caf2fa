"""Direct reply-to, the pseudo-queue amq.rabbitmq.reply-to."""

from harness import cases, scenario

NAME = "amq.rabbitmq.reply-to"


@scenario
def with_acknowledgements(s):
    s.channel().call("basic.consume", queue=NAME, consumer_tag="c")


@scenario
def consumed_twice(s):
    ch = s.channel()
    ch.call("basic.consume", queue=NAME, consumer_tag="a", no_ack=True)
    ch.call("basic.consume", queue=NAME, consumer_tag="b", no_ack=True)


@scenario
def consumed_twice_with_one_tag(s):
    ch = s.channel()
    ch.call("basic.consume", queue=NAME, consumer_tag="a", no_ack=True)
    ch.call("basic.consume", queue=NAME, consumer_tag="a", no_ack=True)


@scenario
def consumed_again_after_cancel(s):
    ch = s.channel()
    for _ in range(2):
        ch.call("basic.consume", queue=NAME, consumer_tag="a", no_ack=True)
        ch.call("basic.cancel", consumer_tag="a")


@scenario
def consumed_exclusively(s):
    s.channel().call("basic.consume", queue=NAME, consumer_tag="a", no_ack=True, exclusive=True)


@scenario
def server_made_tag(s):
    s.channel().call("basic.consume", queue=NAME, no_ack=True)


@scenario
def published_without_a_consumer(s):
    ch = s.channel()
    ch.publish("compat.nowhere", "x", reply_to=NAME)
    ch.hear()


@scenario
def published_to_the_bare_name(s):
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish(NAME, "x", mandatory=True)
    ch.hear()


@cases({
    "bind": ("queue.bind", {"exchange": "amq.direct", "routing_key": "k"}),
    "purge": ("queue.purge", {}),
    "get": ("basic.get", {"no_ack": True}),
    "declare": ("queue.declare", {"durable": True}),
    "declare passive": ("queue.declare", {"passive": True}),
    "delete": ("queue.delete", {}),
})
def bare_name(s, method, fields):
    s.channel().call(method, queue=NAME, **fields)


@cases({
    "garbage": f"{NAME}.compat",
    "empty part": f"{NAME}.",
    "plausible": f"{NAME}.g1h2AA5yZXBseUAxMjM0NTY3OAAAAAAAAAAAAAAAAQ==.AAAAAAAAAAAAAAAAAAAAAA==",
})
def name_nobody_has(s, name):
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish(name, "x", mandatory=True)
    ch.hear()
    ch.hear()
    ch.call("queue.declare", queue=name, passive=True)


def _request(s):
    """A requester that has sent one request; the responder's channel; the address in the request."""
    q = s.queue(durable=True)
    asker, answerer = s.channel("A"), s.channel("B")
    asker.call("basic.consume", queue=NAME, consumer_tag="c", no_ack=True)
    asker.publish(q, "question", reply_to=NAME, correlation_id="1")
    answerer.call("basic.consume", queue=q, consumer_tag="d", no_ack=True)
    address = answerer.hear().properties["reply_to"]
    return asker, answerer, address


@scenario
def question_and_answer(s):
    asker, answerer, address = _request(s)
    answerer.call("confirm.select")
    answerer.publish(address, "answer", correlation_id="1", mandatory=True)
    asker.hear()
    answerer.hear()


@scenario
def address_declared_passively(s):
    asker, answerer, address = _request(s)
    answerer.call("queue.declare", queue=address, passive=True)
    asker.client.leave()
    answerer.call("queue.declare", queue=address, passive=True)


@scenario
def address_after_the_asker_left(s):
    asker, answerer, address = _request(s)
    asker.client.leave()
    answerer.call("confirm.select")
    answerer.publish(address, "answer", mandatory=True)
    answerer.hear()


@cases({
    "consume": ("basic.consume", {"no_ack": True}),
    "get": ("basic.get", {"no_ack": True}),
    "bind": ("queue.bind", {"exchange": "amq.direct", "routing_key": "k"}),
    "purge": ("queue.purge", {}),
    "delete": ("queue.delete", {}),
})
def address_misused(s, method, fields):
    asker, answerer, address = _request(s)
    answerer.call(method, queue=address, **fields)
