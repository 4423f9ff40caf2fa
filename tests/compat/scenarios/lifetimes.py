"""How messages and queues come to their end: expiry, length limits, dead-lettering, priorities."""

from harness import scenario

# Waits go by events: a message that expires is seen in the queue it is dead-lettered to.


def _with_graveyard(s, **arguments):
    """A queue whose dead messages go to a second queue, and a consumer there."""
    grave = s.queue("grave", durable=True)
    q = s.queue(durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": grave, **arguments})
    mourner = s.channel("G")
    mourner.call("basic.consume", queue=grave, consumer_tag="g", no_ack=True)
    return q, mourner


@scenario
def rejected(s):
    q, mourner = _with_graveyard(s)
    s.fill(q, "a", headers={"k": 1}, delivery_mode=2)
    ch = s.channel()
    ch.call("basic.get", queue=q)
    ch.tell("basic.reject", delivery_tag=1, requeue=False)
    mourner.hear()


@scenario
def nacked_together(s):
    q, mourner = _with_graveyard(s)
    s.fill(q, "a", "b")
    ch = s.channel()
    ch.setup("basic.get", queue=q)
    ch.setup("basic.get", queue=q)
    ch.tell("basic.nack", delivery_tag=2, multiple=True, requeue=False)
    mourner.hear(2)


@scenario
def expired_by_the_queue(s):
    q, mourner = _with_graveyard(s, **{"x-message-ttl": 50})
    s.fill(q, "a")
    mourner.hear()


@scenario
def expired_by_itself(s):
    q, mourner = _with_graveyard(s)
    s.fill(q, "a", expiration="50", headers={})
    mourner.hear()


@scenario
def the_shorter_of_two_lifetimes_counts(s):
    q, mourner = _with_graveyard(s, **{"x-message-ttl": 60000})
    s.fill(q, "a", expiration="50")
    mourner.hear()


@scenario
def expired_at_once(s):
    q, mourner = _with_graveyard(s)
    s.fill(q, "a", expiration="0")
    mourner.hear()


@scenario
def a_lifetime_of_zero_reaches_a_waiting_consumer(s):
    q = s.queue(durable=True, arguments={"x-message-ttl": 0})
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c", no_ack=True)
    s.fill(q, "a")
    ch.hear()


@scenario
def a_lifetime_of_zero_reaches_nobody_else(s):
    q = s.queue(durable=True, arguments={"x-message-ttl": 0})
    s.fill(q, "a")
    s.channel().call("basic.get", queue=q, no_ack=True)


@scenario
def too_many_drops_the_oldest(s):
    q, mourner = _with_graveyard(s, **{"x-max-length": 2})
    s.fill(q, "a", "b", "c")
    mourner.hear()
    s.channel().call("queue.declare", queue=q, passive=True)


@scenario
def too_many_bytes_drop_the_oldest(s):
    q, mourner = _with_graveyard(s, **{"x-max-length-bytes": 10})
    s.fill(q, "a" * 6, "b" * 6)
    mourner.hear()
    s.channel().call("queue.declare", queue=q, passive=True)


@scenario
def no_length_at_all(s):
    q, mourner = _with_graveyard(s, **{"x-max-length": 0})
    s.fill(q, "a")
    mourner.hear()


@scenario
def refused_and_dead_lettered(s):
    q, mourner = _with_graveyard(s, **{"x-max-length": 1, "x-overflow": "reject-publish-dlx"})
    ch = s.channel()
    ch.call("confirm.select")
    for body in ("fits", "does not"):
        ch.publish(q, body)
        ch.hear()
    mourner.hear()


@scenario
def dead_letters_keep_their_key_without_another(s):
    grave, x = s.queue("grave", durable=True), s.exchange(type="fanout")
    q = s.queue(durable=True, arguments={"x-dead-letter-exchange": x, "x-message-ttl": 0})
    s.caretaker.setup("queue.bind", queue=grave, exchange=x)
    mourner = s.channel("G")
    mourner.call("basic.consume", queue=grave, consumer_tag="g", no_ack=True)
    s.fill(q, "a", headers={"CC": ["compat.elsewhere"], "BCC": ["compat.nowhere"]})
    mourner.hear()


@scenario
def dead_letters_to_a_missing_exchange_vanish(s):
    q = s.queue(durable=True, arguments={"x-dead-letter-exchange": "compat.missing"})
    s.fill(q, "a")
    ch = s.channel()
    ch.call("basic.get", queue=q)
    ch.tell("basic.reject", delivery_tag=1, requeue=False)
    ch.call("queue.declare", queue=q, passive=True)


@scenario
def dead_twice_in_the_same_queue(s):
    """Through a second queue and back again, twice: the counts add up."""
    q, back = "compat.q", "compat.back"
    s.queue("back", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": q,
                                             "x-message-ttl": 10})
    s.queue(durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": back})
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c")
    s.fill(q, "a")
    for tag in (1, 2):
        ch.hear()
        ch.tell("basic.reject", delivery_tag=tag, requeue=False)
    ch.hear()


@scenario
def dead_in_a_circle_without_a_rejection(s):
    """Expiry alone would go round for ever; such a message is dropped."""
    s.queue("one", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "compat.two",
                                            "x-message-ttl": 10})
    s.queue("two", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "compat.one",
                                            "x-message-ttl": 10})
    s.fill("compat.one", "a")
    ch = s.channel()
    ch.silence()
    for q in ("compat.one", "compat.two"):
        ch.call("queue.declare", queue=q, passive=True)


@scenario
def a_clients_own_death_certificate(s):
    q, mourner = _with_graveyard(s)
    forged = {"queue": "compat.q", "reason": "rejected", "count": 41}
    s.fill(q, "a", headers={"x-death": [forged], "x-first-death-queue": "z"})
    ch = s.channel()
    ch.setup("basic.get", queue=q)
    ch.tell("basic.reject", delivery_tag=1, requeue=False)
    mourner.hear()


@scenario
def purged_and_deleted_are_not_dead_lettered(s):
    q, mourner = _with_graveyard(s)
    s.fill(q, "a", "b")
    ch = s.channel()
    ch.call("queue.purge", queue=q)
    s.fill(q, "c")
    ch.call("queue.delete", queue=q)
    mourner.silence()


@scenario
def queue_expires_when_unused(s):
    q = s.queue(durable=True, arguments={"x-expires": 100})
    ch = s.channel(capabilities={"consumer_cancel_notify": True})
    ch.call("queue.declare", queue=q, passive=True)
    ch.silence()
    ch.silence()
    ch.call("queue.declare", queue=q, passive=True)


@scenario
def queue_does_not_expire_while_consumed(s):
    q = s.queue(durable=True, arguments={"x-expires": 300})
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c")
    ch.silence()
    ch.silence()
    ch.call("queue.declare", queue=q, passive=True)


@scenario
def priorities(s):
    q = s.queue(durable=True, arguments={"x-max-priority": 3})
    for body, priority in (("low", 0), ("two", 2), ("top", 3), ("beyond", 200), ("one", 1), ("two again", 2)):
        s.fill(q, body, priority=priority)
    s.fill(q, "none")
    ch = s.channel()
    for _ in range(7):
        ch.call("basic.get", queue=q, no_ack=True)


@scenario
def priority_of_a_returned_message(s):
    q = s.queue(durable=True, arguments={"x-max-priority": 3})
    s.fill(q, "low", priority=1)
    ch = s.channel()
    ch.call("basic.get", queue=q)
    s.fill(q, "high", priority=2)
    s.fill(q, "low again", priority=1)
    ch.tell("basic.nack", delivery_tag=1, requeue=True)
    for _ in range(3):
        ch.call("basic.get", queue=q, no_ack=True)


@scenario
def too_many_drop_the_head_and_that_has_the_highest_priority(s):
    q, mourner = _with_graveyard(s, **{"x-max-length": 2, "x-max-priority": 3})
    for body, priority in (("high", 3), ("low", 1), ("new", 2)):
        s.fill(q, body, priority=priority)
    mourner.hear()
