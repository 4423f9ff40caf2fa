"""The queues and exchanges that stay, and what is published to them."""

QUEUES = ["work", "batch", "moody", "slow", "polled", "inbox", "moved", "ledger"]
EXCHANGES = {"crash.direct": "direct", "crash.fanout": "fanout", "crash.topic": "topic"}
BINDINGS = [
    *(("crash.direct", queue, queue) for queue in QUEUES),
    *(("crash.fanout", queue, "") for queue in ("work", "batch", "slow")),
    ("crash.topic", "moody", "order.*"), ("crash.topic", "slow", "order.#"), ("crash.topic", "polled", "order.new"),
]
# (exchange, key, the queues it reaches). `moved` is for what the mover moves from `inbox`.
ROUTES = [
    *(("", queue, [queue]) for queue in QUEUES if queue not in ("moved", "ledger")),
    *(("crash.direct", queue, [queue]) for queue in ("work", "batch", "moody", "inbox")),
    ("crash.fanout", "", ["work", "batch", "slow"]),
    ("crash.topic", "order.old", ["moody", "slow"]),
    ("crash.topic", "order.new", ["moody", "slow", "polled"]),
    ("crash.topic", "other", []),
]


def set_up(connection):
    """Declares them all, also where they are there already: then they must be as they were."""
    for name, kind in EXCHANGES.items():
        connection.call("exchange.declare", exchange=name, type=kind, durable=True)
    for name in QUEUES:
        connection.call("queue.declare", queue=name, durable=True)
    for exchange, queue, key in BINDINGS:
        connection.call("queue.bind", queue=queue, exchange=exchange, routing_key=key)


def missing(connection):
    """What of it is not there, as far as a passive declare can see; messages show the bindings."""
    gone = [f"exchange {name}" for name, kind in EXCHANGES.items()
            if connection.exists("exchange.declare", exchange=name, type=kind) is None]
    return gone + [f"queue {name}" for name in QUEUES if connection.exists("queue.declare", queue=name) is None]
