"""The queues and exchanges that come and go, as a model: what is there, and what routes where.

One client changes them, one request at a time. So after a crash there are two possibilities at
most: the request that was not answered was carried out, or it was not; as a whole.
"""

from typing import NamedTuple

QUEUES = [f"churn.q{n}" for n in range(5)]
EXCHANGES = {"churn.direct": "direct", "churn.fanout": "fanout", "churn.topic": "topic", "churn.topic2": "topic"}
KEYS = ["a.b", "a.c"]
PATTERNS = ["a.b", "a.c", "a.*", "#"]
# Not durable: never there after a restart.
PASSING_QUEUE, PASSING_EXCHANGE = "passing.q", "passing.x"


class Binding(NamedTuple):
    source: str
    destination: str               # a queue or an exchange; their names differ
    key: str


class Topology(NamedTuple):
    queues: frozenset = frozenset()
    exchanges: frozenset = frozenset()
    bindings: frozenset = frozenset()

    def with_queue(self, name):
        return self._replace(queues=self.queues | {name})

    def with_exchange(self, name):
        return self._replace(exchanges=self.exchanges | {name})

    def without(self, name):
        """Its bindings go with it."""
        bindings = {each for each in self.bindings if name not in each[:2]}
        return Topology(self.queues - {name}, self.exchanges - {name}, frozenset(bindings))

    def bound(self, binding):
        return self._replace(bindings=self.bindings | {binding})

    def unbound(self, binding):
        return self._replace(bindings=self.bindings - {binding})

    def route(self, exchange, key):
        """The queues that a message reaches."""
        queues, seen, ahead = set(), {exchange}, [exchange]
        while ahead:
            source = ahead.pop()
            for binding in self.bindings:
                if binding.source != source or not matches(EXCHANGES[source], binding.key, key):
                    continue
                if binding.destination in self.queues:
                    queues.add(binding.destination)
                elif binding.destination not in seen:
                    seen.add(binding.destination)
                    ahead.append(binding.destination)
        return queues

    def routes(self):
        """Where every probe goes: what can be seen of the bindings."""
        return {(exchange, key): frozenset(self.route(exchange, key)) for exchange in self.exchanges for key in KEYS}


def matches(kind, pattern, key):
    if kind == "fanout" or (kind == "topic" and pattern == "#"):
        return True
    if kind == "topic" and pattern == "a.*":
        return key.startswith("a.")
    return pattern == key


class Churned:
    """What the broker has said is there, and what the request under way makes of it."""

    def __init__(self):
        self.now = Topology()
        self.pending = None        # the topology if the request under way is carried out …
        self.request = None        # … and the request, a method and its fields
        self.did = []              # for the reader of a journal

    def asking(self, request, then):
        self.pending, self.request = then, request
        self.did.append(f"{request} …")

    def answered(self):
        self.now, self.pending, self.request = self.pending, None, None
        self.did[-1] += " ok"

    def start_over(self, actual):
        """After a restart: this is what there is."""
        self.now, self.pending, self.request = actual, None, None
        self.did.clear()
