"""Clients that consume until the broker dies: each in its own way, all with manual acks."""


import pika

from amqp import Connection


class Consumer:
    """Takes deliveries of one queue and, now and then, answers for them."""

    prefetch = (1, 10, 100, 0)
    reopens = 0.0                                  # how likely it gives everything back, each turn

    def __init__(self, journal, rng, port, queue):
        self.journal, self.rng, self.port, self.queue = journal, rng, port, queue
        self.prefetch = rng.choice(self.prefetch)
        self.held = []                             # of (tag, copy)
        self.newest = {}                           # publisher -> the last number that came for the first time

    def __call__(self):
        with Connection(self.port) as connection:
            self.subscribe(connection)
            while True:
                for delivery in connection.events(0.05):
                    self.take(delivery)
                self.answer(connection)
                if self.rng.random() < self.reopens:
                    self.give_back(connection)

    def subscribe(self, connection):
        self.journal.consumers[self.queue] += 1
        connection.call("basic.qos", prefetch_count=self.prefetch)
        connection.call("basic.consume", queue=self.queue)

    def take(self, delivery):
        copy = self.journal.delivered(self.queue, delivery)
        if copy is None:
            return
        self.held.append((delivery.tag, copy))
        message = copy.message
        if not delivery.redelivered:
            if message.number <= self.newest.get(message.publisher, 0):
                self.journal.fault(f"{self.queue}: {message.id} came after {self.newest[message.publisher]}")
            self.newest[message.publisher] = message.number

    def answer(self, connection):
        """One by one."""
        for tag, copy in self.held:
            self.journal.acking([copy])
            connection.method("basic.ack", delivery_tag=tag)
        self.settled(connection)

    def settled(self, connection, wait=None):
        """All that was held has been answered for. Sometimes waits for the broker to carry it out."""
        copies = [copy for _, copy in self.held]
        self.held.clear()
        if copies and (wait or self.rng.random() < 0.3):
            connection.call("basic.qos", prefetch_count=self.prefetch)
            self.journal.carried_out(copies)

    def give_back(self, connection):
        copies = [copy for _, copy in self.held]
        self.held.clear()
        self.journal.returning(copies)
        connection.reopen_channel()
        self.journal.carried_out(copies)
        self.newest.clear()
        self.subscribe(connection)


class Batching(Consumer):
    """Acks many at once."""

    def answer(self, connection):
        if len(self.held) < max(1, (self.prefetch or 50) // 2):
            return
        self.journal.acking([copy for _, copy in self.held])
        connection.method("basic.ack", delivery_tag=self.held[-1][0], multiple=True)
        self.settled(connection)


class Moody(Consumer):
    """Acks in any order, sends back, throws away, and leaves with what it has."""

    reopens = 0.02

    def answer(self, connection):
        self.rng.shuffle(self.held)
        for tag, copy in self.held:
            dice = self.rng.random()
            if dice < 0.3:
                self.journal.returning([copy])
                connection.method("basic.nack", delivery_tag=tag, requeue=True)
            else:
                self.journal.acking([copy])
                if dice < 0.4:
                    connection.method("basic.reject", delivery_tag=tag)
                else:
                    connection.method("basic.ack", delivery_tag=tag)
        self.settled(connection)


class Hoarding(Consumer):
    """Takes and does not answer."""

    prefetch = (1, 30, 300)
    reopens = 0.05

    def answer(self, connection):
        pass


class Polling(Consumer):
    """pika's basic.get."""

    def __call__(self):
        parameters = pika.ConnectionParameters("127.0.0.1", self.port, heartbeat=0)
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()
        self.journal.consumers[self.queue] += 1
        acked = []
        while True:
            method, properties, body = channel.basic_get(self.queue)
            self.journal.carried_out(acked)        # the broker reads a channel in order
            acked.clear()
            if method is None:
                connection.process_data_events(time_limit=0.01)
                continue
            copy = self.journal.delivered(self.queue, PikaDelivery(method, properties, body))
            if copy and self.rng.random() < 0.9:
                self.journal.acking([copy])
                channel.basic_ack(method.delivery_tag)
                acked.append(copy)


class PikaDelivery:
    """pika's delivery in the shape of `amqp.Delivery`."""

    def __init__(self, method, properties, body):
        self.id, self.body, self.redelivered = properties.message_id, body, method.redelivered
        self.persistent = properties.delivery_mode == 2
