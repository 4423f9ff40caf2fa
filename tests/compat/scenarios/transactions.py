"""confirm.select and tx.*: modes, and what they mean for publishes and acks."""

from harness import cases, scenario


@cases({
    "tx after confirm": ("confirm.select", "tx.select"),
    "confirm after tx": ("tx.select", "confirm.select"),
    "confirm twice": ("confirm.select", "confirm.select"),
    "tx twice": ("tx.select", "tx.select"),
    "commit in confirm mode": ("confirm.select", "tx.commit"),
    "commit without select": ("tx.commit",),
    "rollback without select": ("tx.rollback",),
    "empty commit": ("tx.select", "tx.commit", "tx.commit"),
    "empty rollback": ("tx.select", "tx.rollback"),
})
def modes(s, *methods):
    ch = s.channel()
    for method in methods:
        ch.call(method)


@scenario
def confirm_select_nowait(s):
    ch = s.channel()
    ch.tell("confirm.select", nowait=True)
    ch.publish("compat.nowhere", "x")
    ch.hear()


@scenario
def confirms_are_numbered_from_the_select(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.publish(q, "before")
    ch.call("confirm.select")
    for body in ("one", "two"):
        ch.publish(q, body, delivery_mode=2)
        ch.hear()


@scenario
def unroutable_is_confirmed(s):
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("compat.nowhere", "x")
    ch.hear()


@scenario
def unroutable_and_mandatory_is_returned_and_then_confirmed(s):
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish("compat.nowhere", "x", mandatory=True)
    ch.hear(2)


@scenario
def a_full_queue_refuses(s):
    q = s.queue(durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    ch = s.channel()
    ch.call("confirm.select")
    for body in ("fits", "does not"):
        ch.publish(q, body)
        ch.hear()


@scenario
def a_full_queue_among_two_refuses_for_both(s):
    full = s.queue("full", durable=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    free, x = s.queue("free", durable=True), s.exchange(type="fanout")
    ch = s.channel()
    for q in (full, free):
        ch.call("queue.bind", queue=q, exchange=x)
    ch.call("confirm.select")
    ch.publish(exchange=x, body="x")
    ch.hear()
    ch.call("basic.get", queue=free, no_ack=True)


@scenario
def publishes_wait_for_commit(s):
    q = s.queue(durable=True)
    ch, other = s.channel("A"), s.channel("B")
    ch.call("tx.select")
    ch.publish(q, "a")
    ch.publish(q, "b")
    other.call("basic.get", queue=q, no_ack=True)
    ch.call("tx.commit")
    other.call("basic.get", queue=q, no_ack=True)
    other.call("basic.get", queue=q, no_ack=True)


@scenario
def rollback_forgets_publishes(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("tx.select")
    ch.publish(q, "a")
    ch.call("tx.rollback")
    ch.call("tx.commit")
    ch.call("basic.get", queue=q, no_ack=True)


@scenario
def rollback_takes_acks_back(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch = s.channel()
    ch.call("tx.select")
    ch.call("basic.get", queue=q)
    ch.tell("basic.ack", delivery_tag=1)
    ch.call("tx.rollback")
    ch.tell("basic.ack", delivery_tag=1)
    ch.call("tx.commit")
    ch.call("basic.recover", requeue=True)
    ch.call("basic.get", queue=q)


@scenario
def acks_wait_for_commit(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch = s.channel()
    ch.call("tx.select")
    ch.call("basic.get", queue=q)
    ch.tell("basic.ack", delivery_tag=1)
    ch.call("channel.close", reply_code=200)
    ch.reopen()
    ch.consume_what_returns(q)


@scenario
def nacks_wait_for_commit(s):
    q = s.queue(durable=True)
    s.fill(q, "a")
    ch, other = s.channel("A"), s.channel("B")
    ch.call("tx.select")
    ch.call("basic.get", queue=q)
    ch.tell("basic.nack", delivery_tag=1, requeue=True)
    other.call("basic.get", queue=q)
    ch.call("tx.commit")
    other.consume_what_returns(q)


@scenario
def closing_forgets_publishes(s):
    q = s.queue(durable=True)
    ch = s.channel()
    ch.call("tx.select")
    ch.publish(q, "a")
    ch.call("channel.close", reply_code=200)
    ch.reopen()
    ch.call("basic.get", queue=q)


@scenario
def unknown_tag_in_a_transaction(s):
    ch = s.channel()
    ch.call("tx.select")
    ch.call("basic.ack", delivery_tag=7)


@scenario
def mandatory_is_returned_at_commit(s):
    ch = s.channel()
    ch.call("tx.select")
    ch.publish("compat.nowhere", "x", mandatory=True)
    ch.silence()
    ch.tell("tx.commit")
    ch.hear(2)


@scenario
def missing_exchange_in_a_transaction(s):
    ch = s.channel()
    ch.call("tx.select")
    ch.publish("k", "x", exchange="compat.missing")
    ch.hear()
