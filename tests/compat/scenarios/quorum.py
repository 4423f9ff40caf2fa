"""Quorum queues. Left out unless asked for with --quorum, for not every broker has them."""

from harness import cases, scenario

QUORUM = {"x-queue-type": "quorum"}


@cases({
    "plain": {},
    "transient": {"durable": False},
    "exclusive": {"exclusive": True},
    "auto_delete": {"auto_delete": True},
    "server-named": {"queue": ""},
    "x-max-priority": {"arguments": {"x-max-priority": 5}},
    "x-queue-mode": {"arguments": {"x-queue-mode": "lazy"}},
    "x-overflow drop-head": {"arguments": {"x-overflow": "drop-head"}},
    "x-overflow reject-publish": {"arguments": {"x-overflow": "reject-publish"}},
    "x-overflow reject-publish-dlx": {"arguments": {"x-overflow": "reject-publish-dlx"}},
    "x-delivery-limit": {"arguments": {"x-delivery-limit": 3}},
    "x-delivery-limit off": {"arguments": {"x-delivery-limit": -1}},
    "x-delivery-limit string": {"arguments": {"x-delivery-limit": "3"}},
    "x-quorum-initial-group-size": {"arguments": {"x-quorum-initial-group-size": 1}},
    "x-quorum-initial-group-size zero": {"arguments": {"x-quorum-initial-group-size": 0}},
    "x-quorum-initial-group-size too large": {"arguments": {"x-quorum-initial-group-size": 3}},
    "x-dead-letter-strategy": {"arguments": {"x-dead-letter-exchange": "", "x-overflow": "reject-publish",
                                             "x-dead-letter-strategy": "at-least-once"}},
    "x-dead-letter-strategy without overflow": {"arguments": {"x-dead-letter-exchange": "",
                                                              "x-dead-letter-strategy": "at-least-once"}},
    "x-dead-letter-strategy unknown": {"arguments": {"x-dead-letter-strategy": "maybe"}},
    "x-max-in-memory-length": {"arguments": {"x-max-in-memory-length": 1}},
    "x-consumer-timeout": {"arguments": {"x-consumer-timeout": 60000}},
    "x-consumer-timeout string": {"arguments": {"x-consumer-timeout": "60000"}},
    "x-delayed-retry-type": {"arguments": {"x-delayed-retry-type": "all", "x-delayed-retry-min": 100}},
    "x-delayed-retry-type unknown": {"arguments": {"x-delayed-retry-type": "some"}},
    "x-max-age": {"arguments": {"x-max-age": "1h"}},
})
def declare(s, fields):
    q = s.queue()
    arguments = {**QUORUM, **fields.get("arguments", {})}
    s.channel().call("queue.declare", **{"queue": q, "durable": True, **fields, "arguments": arguments})


@scenario
def delivery_count_and_limit(s):
    grave = s.queue("grave", durable=True)
    q = s.queue(durable=True, arguments={**QUORUM, "x-delivery-limit": 2, "x-dead-letter-exchange": "",
                                         "x-dead-letter-routing-key": grave})
    s.fill(q, "a")
    ch, mourner = s.channel("A"), s.channel("G")
    mourner.call("basic.consume", queue=grave, consumer_tag="g", no_ack=True)
    ch.call("basic.consume", queue=q, consumer_tag="c")
    for tag in (1, 2, 3):
        ch.hear()
        ch.tell("basic.reject", delivery_tag=tag, requeue=True)
    mourner.hear()


@scenario
def nacks_do_not_count(s):
    q = s.queue(durable=True, arguments=QUORUM)
    s.fill(q, "a")
    ch = s.channel()
    ch.call("basic.consume", queue=q, consumer_tag="c")
    for tag in (1, 2):
        ch.hear()
        ch.tell("basic.nack", delivery_tag=tag, requeue=True)
    ch.hear()


@scenario
def global_prefetch(s):
    q = s.queue(durable=True, arguments=QUORUM)
    ch = s.channel()
    ch.call("basic.qos", prefetch_count=1, **{"global": True})
    ch.call("basic.consume", queue=q, consumer_tag="c")


@scenario
def get_with_a_single_active_consumer(s):
    q = s.queue(durable=True, arguments={**QUORUM, "x-single-active-consumer": True})
    s.channel().call("basic.get", queue=q)


@scenario
def redeclared_as_classic(s):
    q = s.queue(durable=True, arguments=QUORUM)
    ch = s.channel()
    ch.call("queue.declare", queue=q, durable=True)


@scenario
def ordinary_life(s):
    q = s.queue(durable=True, arguments=QUORUM)
    ch = s.channel()
    ch.call("confirm.select")
    ch.publish(q, "a")
    ch.hear()
    ch.call("basic.get", queue=q)
    ch.tell("basic.ack", delivery_tag=1)
    ch.call("basic.get", queue=q)
    ch.call("queue.delete", queue=q)


@scenario
def priorities_need_no_argument(s):
    q = s.queue(durable=True, arguments=QUORUM)
    for body, priority in (("low", 1), ("high", 9), ("middle", 5)):
        s.fill(q, body, priority=priority)
    ch = s.channel()
    for _ in range(3):
        ch.call("basic.get", queue=q, no_ack=True)
