"""basic.consume and basic.cancel: tags, exclusivity, arguments, and the order of what is delivered."""

from amqpraw import Typed
from harness import cases, scenario

NOTIFIED = {"consumer_cancel_notify": True}


@scenario
def consume_ok_comes_before_the_first_delivery(s):
    q = s.queue(durable=True)
    s.fill(q, "a", "b", delivery_mode=2)
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c", no_ack=True)
    ch.hear(2)


@scenario
def tag_made_by_the_server(s):
    ch = s.channel()
    ch.call("basic.consume", queue=s.queue(durable=True))


@scenario
def tag_of_255_bytes(s):
    ch = s.channel()
    ch.call("basic.consume", queue=s.queue(durable=True), consumer_tag="t" * 255)


@scenario
def tag_taken_on_the_channel(s):
    q, other = s.queue(durable=True), s.queue("other", durable=True)
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.call("basic.consume", queue=other, consumer_tag="c")


@scenario
def tag_taken_on_another_channel(s):
    q = s.queue(durable=True)
    client = s.connect()
    client.channel(1).call("basic.consume", queue=q, consumer_tag="c")
    client.channel(2).call("basic.consume", queue=q, consumer_tag="c")


@scenario
def tag_free_again_after_cancel(s):
    ch = s.channel()
    q = s.queue(durable=True)
    for _ in range(2):
        ch.call("basic.consume", queue=q, consumer_tag="c")
        ch.call("basic.cancel", consumer_tag="c")


@cases({"unknown": "compat-none", "empty": "", "server's": "amq.ctag-none"})
def cancel_of_a_tag(s, tag):
    s.channel().call("basic.cancel", consumer_tag=tag)


@scenario
def cancel_nowait(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.tell("basic.cancel", consumer_tag="c", nowait=True)
    ch.call("basic.cancel", consumer_tag="c")


@scenario
def consume_nowait(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch = s.channel()
    ch.tell("basic.consume", queue=q, consumer_tag="c", nowait=True)
    ch.hear()


@scenario
def consume_nowait_without_a_tag(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch = s.channel()
    ch.tell("basic.consume", queue=q, nowait=True)
    ch.hear()


@cases({"then plain": (True, False), "after plain": (False, True), "twice": (True, True)})
def exclusive(s, first, second):
    q = s.queue(durable=True)
    s.channel("A").call("basic.consume", queue=q, consumer_tag="a", exclusive=first)
    s.channel("B").call("basic.consume", queue=q, consumer_tag="b", exclusive=second)


@scenario
def exclusive_on_one_channel(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="a", exclusive=True)
    ch.call("basic.consume", queue=q, consumer_tag="b")


@scenario
def exclusive_does_not_keep_get_out(s):
    q = s.queue(durable=True)
    s.channel("A").call("basic.consume", queue=q, consumer_tag="a", exclusive=True)
    s.channel("B").call("basic.get", queue=q, no_ack=True)


@scenario
def exclusive_is_free_again_after_cancel(s):
    q = s.queue(durable=True)
    one, two = s.channel("A"), s.channel("B")
    one.call("basic.consume", queue=q, consumer_tag="a", exclusive=True)
    one.call("basic.cancel", consumer_tag="a")
    two.call("basic.consume", queue=q, consumer_tag="b", exclusive=True)


@cases({
    "x-priority": {"x-priority": 5},
    "x-priority negative": {"x-priority": -5},
    "x-priority string": {"x-priority": "5"},
    "x-priority float": {"x-priority": 5.0},
    "x-priority bool": {"x-priority": True},
    "x-priority void": {"x-priority": None},
    "x-priority byte": {"x-priority": Typed("b", 5)},
    "x-priority huge": {"x-priority": 2**62},
    "x-cancel-on-ha-failover": {"x-cancel-on-ha-failover": True},
    "x-cancel-on-ha-failover string": {"x-cancel-on-ha-failover": "yes"},
    "x-credit": {"x-credit": {"credit": 1, "drain": False}},
    "x-stream-offset on classic": {"x-stream-offset": "first"},
    "x-stream-offset wrong": {"x-stream-offset": {}},
    "x-consumer-timeout": {"x-consumer-timeout": 60000},
    "x-consumer-timeout string": {"x-consumer-timeout": "60000"},
    "x-consumer-timeout negative": {"x-consumer-timeout": -1},
    "unknown": {"x-compat": {"a": [1]}},
})
def argument(s, arguments):
    s.channel().call("basic.consume", queue=s.queue(durable=True), consumer_tag="c", arguments=arguments)


@scenario
def no_local_is_ignored(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c", no_local=True, no_ack=True)
    ch.publish(q, "mine")
    ch.hear()


@scenario
def queue_deleted_under_a_consumer_that_wants_to_know(s):
    q = s.queue(durable=True)
    ch, other = s.channel("A", capabilities=NOTIFIED), s.channel("B")
    ch.call("basic.consume", queue=q, consumer_tag="c")
    other.call("queue.delete", queue=q)
    ch.hear()
    ch.call("basic.consume", queue=s.queue("other", durable=True), consumer_tag="c")


@scenario
def queue_deleted_under_a_consumer_that_does_not(s):
    q = s.queue(durable=True)
    ch, other = s.channel("A"), s.channel("B")
    ch.call("basic.consume", queue=q, consumer_tag="c")
    other.call("queue.delete", queue=q)
    ch.silence()
    ch.call("basic.cancel", consumer_tag="c")


@scenario
def queue_deleted_by_its_consumers_own_channel(s):
    q = s.queue(durable=True)
    ch = s.channel(capabilities=NOTIFIED)
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.tell("queue.delete", queue=q)
    s.note("in either order: " + ", ".join(sorted(
        ch.client.expect_quietly("queue.delete-ok", "basic.cancel").name for _ in range(2))))


@scenario
def two_consumers_take_turns(s):
    q = s.queue(durable=True)
    one, two = s.channel("A"), s.channel("B")
    for ch, tag in ((one, "a"), (two, "b")):
        ch.call("basic.qos", prefetch_count=2)
        ch.call("basic.consume", queue=q, consumer_tag=tag)
    s.fill(q, "1", "2", "3", "4")
    one.hear(2)
    two.hear(2)


@scenario
def the_higher_priority_is_served_first(s):
    q = s.queue(durable=True)
    low, high = s.channel("L"), s.channel("H")
    for ch, tag, priority in ((low, "low", 0), (high, "high", 10)):
        ch.call("basic.qos", prefetch_count=1)
        ch.call("basic.consume", queue=q, consumer_tag=tag, arguments={"x-priority": priority})
    s.fill(q, "1", "2")
    high.hear()
    low.hear()


@scenario
def single_active_consumer(s):
    q = s.queue(durable=True, arguments={"x-single-active-consumer": True})
    one, two = s.channel("A"), s.channel("B")
    one.call("basic.consume", queue=q, consumer_tag="a")
    two.call("basic.consume", queue=q, consumer_tag="b")
    s.fill(q, "1", "2")
    one.hear(2)
    two.silence()
    one.tell("basic.ack", delivery_tag=1)
    one.client.leave()
    two.hear()
    two.call("queue.declare", queue=q, passive=True)


@scenario
def single_active_consumer_does_not_keep_get_out(s):
    q = s.queue(durable=True, arguments={"x-single-active-consumer": True})
    s.fill(q, "1")
    s.channel().call("basic.get", queue=q, no_ack=True)


@scenario
def single_active_consumer_with_an_exclusive_one(s):
    q = s.queue(durable=True, arguments={"x-single-active-consumer": True})
    s.channel().call("basic.consume", queue=q, consumer_tag="c", exclusive=True)


@scenario
def cancel_leaves_unacked_messages_with_the_channel(s):
    q = s.queue(durable=True)
    s.fill(q, "a", "b")
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.hear(2)
    ch.call("basic.cancel", consumer_tag="c")
    ch.call("queue.declare", queue=q, passive=True)
    ch.tell("basic.ack", delivery_tag=1)
    ch.call("channel.close", reply_code=200)
    ch.reopen()
    ch.consume_what_returns(q)
