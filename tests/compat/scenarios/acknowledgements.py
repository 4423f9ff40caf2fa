"""ack, nack, reject, recover and qos."""

from harness import cases, scenario


def _unacked(s, *bodies):
    """A channel that holds the messages of a queue unacknowledged, tags 1 to N."""
    q = s.queue(durable=True)
    s.fill(q, *bodies)
    ch = s.channel()
    for _ in bodies:
        ch.setup("basic.get", queue=q)
    return ch, q


SETTLE = {
    "ack": ("basic.ack", {}), "nack": ("basic.nack", {}), "reject": ("basic.reject", {}),
}
SETTLE_MANY = {"ack": ("basic.ack", {"multiple": True}), "nack": ("basic.nack", {"multiple": True})}


@cases(SETTLE)
def unknown_tag(s, method, fields):
    s.channel().call(method, delivery_tag=7, **fields)


@cases(SETTLE_MANY)
def unknown_tag_multiple(s, method, fields):
    s.channel().call(method, delivery_tag=7, **fields)


@cases(SETTLE)
def tag_zero(s, method, fields):
    ch, _ = _unacked(s, "a")
    ch.call(method, delivery_tag=0, **fields)


@cases(SETTLE_MANY)
def tag_zero_multiple_means_all(s, method, fields):
    ch, q = _unacked(s, "a", "b")
    ch.tell(method, delivery_tag=0, **fields)
    ch.tell(method, delivery_tag=0, **fields)
    ch.call("queue.declare", queue=q, passive=True)


@cases(SETTLE)
def settled_twice(s, method, fields):
    ch, _ = _unacked(s, "a", "b")
    ch.tell(method, delivery_tag=1, **fields)
    ch.call(method, delivery_tag=1, **fields)


@cases(SETTLE_MANY)
def multiple_with_a_settled_tag(s, method, fields):
    ch, _ = _unacked(s, "a", "b", "c")
    ch.tell("basic.ack", delivery_tag=2)
    ch.call(method, delivery_tag=2, **fields)


@scenario
def multiple_beyond_what_was_delivered(s):
    ch, _ = _unacked(s, "a", "b")
    ch.call("basic.ack", delivery_tag=3, multiple=True)


@scenario
def ack_of_a_no_ack_delivery(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch = s.channel()
    ch.call("basic.get", queue=q, no_ack=True)
    ch.call("basic.ack", delivery_tag=1)


@scenario
def ack_on_another_channel(s):
    ch, _ = _unacked(s, "a")
    ch.client.channel(2).call("basic.ack", delivery_tag=1)


@scenario
def huge_tag(s):
    s.channel().call("basic.ack", delivery_tag=2**64 - 1)


@scenario
def an_error_gives_the_messages_back(s):
    ch, q = _unacked(s, "a", "b")
    ch.call("basic.ack", delivery_tag=9)
    ch.reopen()
    ch.consume_what_returns(q, count=2)


@cases({"nack": "basic.nack", "reject": "basic.reject"})
def requeued_to_the_front(s, method):
    ch, q = _unacked(s, "a", "b", "c")
    ch.tell(method, delivery_tag=2, requeue=True)
    ch.tell(method, delivery_tag=1, requeue=True)
    ch.call("basic.get", queue=q)
    ch.call("basic.get", queue=q)
    ch.call("basic.get", queue=q)


@scenario
def nack_multiple_requeues_in_order(s):
    ch, q = _unacked(s, "a", "b", "c")
    ch.tell("basic.nack", delivery_tag=2, multiple=True, requeue=True)
    for _ in range(3):
        ch.call("basic.get", queue=q)


@cases({"nack": "basic.nack", "reject": "basic.reject"})
def discarded(s, method):
    ch, q = _unacked(s, "a", "b")
    ch.tell(method, delivery_tag=1, requeue=False)
    ch.call("channel.close", reply_code=200)
    ch.reopen()
    ch.consume_what_returns(q)


@scenario
def requeued_to_the_same_consumer(s):
    q = s.queue(durable=True)
    s.fill(q, "a", "b")
    ch = s.channel()
    ch.call("basic.qos", prefetch_count=1)
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.hear()
    ch.tell("basic.reject", delivery_tag=1, requeue=True)
    ch.hear()
    ch.tell("basic.ack", delivery_tag=2)
    ch.hear()


@cases({"requeue": True, "no requeue": False})
def recover(s, requeue):
    ch, q = _unacked(s, "a", "b")
    ch.call("basic.recover", requeue=requeue)
    ch.call("basic.get", queue=q)


@cases({"requeue": True, "no requeue": False})
def recover_async(s, requeue):
    ch, q = _unacked(s, "a", "b")
    ch.tell("basic.recover-async", requeue=requeue)
    ch.call("basic.get", queue=q)


@scenario
def recover_with_nothing_to_recover(s):
    s.channel().call("basic.recover", requeue=True)


@scenario
def recover_delivers_again_to_the_consumer(s):
    q = s.queue(durable=True)
    s.fill(q, "a", "b")
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.hear(2)
    ch.call("basic.recover", requeue=True)
    ch.hear(2)
    ch.call("basic.ack", delivery_tag=1)


@cases({"channel closed": "channel", "connection closed": "connection", "connection lost": "socket"})
def redelivered_after(s, ending):
    q = s.queue(durable=True)
    s.fill(q, "a", "b")
    ch, other = s.channel("A"), s.channel("B")
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.hear(2)
    other.call("basic.consume", queue=q, consumer_tag="d")
    if ending == "channel":
        ch.call("channel.close", reply_code=200)
    elif ending == "connection":
        ch.client.leave()
    else:
        ch.client.wire.close()
        ch.client.over = True
    other.hear(2)


@cases({
    "size": {"prefetch_size": 1},
    "size and count": {"prefetch_size": 1, "prefetch_count": 1},
    "count": {"prefetch_count": 10},
    "count zero": {"prefetch_count": 0},
    "largest count": {"prefetch_count": 65535},
    "global": {"prefetch_count": 10, "global": True},
    "global size": {"prefetch_size": 1, "global": True},
})
def qos(s, fields):
    s.channel().call("basic.qos", **fields)


@scenario
def prefetch_holds_back_until_ack(s):
    q = s.queue(durable=True)
    s.fill(q, "a", "b", "c", "d")
    ch = s.channel()
    ch.call("basic.qos", prefetch_count=2)
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.hear(2)
    ch.silence()
    ch.tell("basic.ack", delivery_tag=1)
    ch.hear()
    ch.tell("basic.ack", delivery_tag=3)
    ch.hear()
    ch.silence()


@scenario
def prefetch_counts_for_each_consumer(s):
    one, two = s.queue("one", durable=True), s.queue("two", durable=True)
    for q in (one, two):
        s.fill(q, "a", "b")
    ch = s.channel()
    ch.call("basic.qos", prefetch_count=1)
    ch.call("basic.consume", queue=one, consumer_tag="1")
    ch.hear()
    ch.call("basic.consume", queue=two, consumer_tag="2")
    ch.hear()
    ch.silence()


@scenario
def global_prefetch_counts_for_the_channel(s):
    one, two = s.queue("one", durable=True), s.queue("two", durable=True)
    for q in (one, two):
        s.fill(q, "a", "b")
    ch = s.channel()
    ch.call("basic.qos", prefetch_count=1, **{"global": True})
    ch.call("basic.consume", queue=one, consumer_tag="1")
    ch.hear()
    ch.call("basic.consume", queue=two, consumer_tag="2")
    ch.silence()


@scenario
def prefetch_changed_later_is_for_later_consumers(s):
    q = s.queue(durable=True)
    s.fill(q, "a", "b")
    ch = s.channel()
    ch.call("basic.qos", prefetch_count=1)
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.hear()
    ch.call("basic.qos", prefetch_count=10)
    ch.silence()


@scenario
def prefetch_does_not_hold_back_no_ack(s):
    q = s.queue(durable=True)
    s.fill(q, "a", "b", "c")
    ch = s.channel()
    ch.call("basic.qos", prefetch_count=1)
    ch.call("basic.consume", queue=q, consumer_tag="c", no_ack=True)
    ch.hear(3)


@scenario
def prefetch_does_not_hold_back_get(s):
    q = s.queue(durable=True)
    s.fill(q, "a", "b")
    ch = s.channel()
    ch.call("basic.qos", prefetch_count=1)
    ch.call("basic.get", queue=q)
    ch.call("basic.get", queue=q)
