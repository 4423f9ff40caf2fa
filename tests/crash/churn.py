"""The client that declares, binds, fills, purges and deletes until the broker dies."""

import topology
from amqp import Confirm, Connection, publish
from publishers import Publisher
from topology import EXCHANGES, KEYS, PATTERNS, QUEUES, Binding

PATIENCE = 20


class Churn(Publisher):
    def __call__(self):
        with Connection(self.port) as connection:
            self.connection = connection
            connection.call("confirm.select")
            connection.call("queue.declare", queue=topology.PASSING_QUEUE)
            connection.call("exchange.declare", exchange=topology.PASSING_EXCHANGE, type="fanout")
            acts = [self.declare_queue, self.declare_exchange, self.bind, self.bind, self.bind_exchanges, self.unbind,
                    self.fill, self.fill, self.fill, self.purge, self.delete_queue, self.delete_exchange]
            while not self.journal.frozen:
                self.rng.choice(acts)()

    @property
    def now(self):
        return self.journal.churned.now

    def pick(self, names):
        """One of a set; None of an empty one."""
        names = sorted(names)
        return self.rng.choice(names) if names else None

    def ask(self, method, then, **fields):
        self.journal.churned.asking((method, fields), then)
        self.connection.call(method, **fields)
        if not self.journal.frozen:
            self.journal.churned.answered()
            self.journal.counts["declared"] += 1

    def declare_queue(self):
        name = self.rng.choice(QUEUES)
        self.journal.copies.setdefault(name, {})
        self.ask("queue.declare", self.now.with_queue(name), queue=name, durable=True)

    def declare_exchange(self):
        name = self.rng.choice(list(EXCHANGES))
        self.ask("exchange.declare", self.now.with_exchange(name), exchange=name, type=EXCHANGES[name], durable=True)

    def bind(self):
        queue, source, key = self.pick(self.now.queues), self.pick(self.now.exchanges), self.rng.choice(PATTERNS)
        if queue and source:
            self.ask("queue.bind", self.now.bound(Binding(source, queue, key)),
                     queue=queue, exchange=source, routing_key=key)

    def bind_exchanges(self):
        destination, source = self.pick(self.now.exchanges), self.pick(self.now.exchanges)
        if source and source != destination:
            self.ask("exchange.bind", self.now.bound(Binding(source, destination, "a.b")),
                     destination=destination, source=source, routing_key="a.b")

    def unbind(self):
        binding = self.pick(self.now.bindings)
        if not binding:
            return
        if binding.destination in self.now.queues:
            self.ask("queue.unbind", self.now.unbound(binding),
                     queue=binding.destination, exchange=binding.source, routing_key=binding.key)
        else:
            self.ask("exchange.unbind", self.now.unbound(binding),
                     destination=binding.destination, source=binding.source, routing_key=binding.key)

    def delete_exchange(self):
        name = self.rng.choice(list(EXCHANGES))
        self.ask("exchange.delete", self.now.without(name), exchange=name)

    def delete_queue(self):
        name = self.rng.choice(QUEUES)
        self.ask("queue.delete", self.now.without(name), queue=name)
        if not self.journal.frozen:
            self.journal.copies.pop(name, None)

    def purge(self):
        queue = self.pick(self.now.queues)
        if queue:
            copies = list(self.journal.copies[queue].values())
            self.journal.acking(copies)
            self.connection.call("queue.purge", queue=queue)
            self.journal.carried_out(copies)

    def fill(self):
        """Publishes through an exchange and waits for the confirms."""
        exchange, key = self.pick(self.now.exchanges), self.rng.choice(KEYS)
        if not exchange:
            return
        queues = sorted(self.now.route(exchange, key))
        messages = [self.write_down(queues) for _ in range(self.rng.choice((1, 10, 50)))]
        self.connection.send(b"".join(
            publish(exchange, key, each.persistent, each.id, each.body()) for each in messages))
        left = {each.number: each for each in messages}
        while left:
            for event in self.connection.events(PATIENCE) or [None]:
                if not isinstance(event, Confirm) or not event.ack:
                    raise ValueError(f"the churning client waited for confirms and was told {event}")
                tags = [tag for tag in left if tag == event.tag or (event.multiple and tag < event.tag)]
                self.journal.confirmed([left.pop(tag) for tag in tags])
