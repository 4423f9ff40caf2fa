"""Clients that publish until the broker dies."""

import pika

import stage
from amqp import Confirm, Connection, publish

LARGEST_BODY = 200 << 10


def a_size(rng):
    """Mostly small, now and then empty or large."""
    dice = rng.random()
    if dice < 0.02:
        return rng.randrange(LARGEST_BODY + 1)
    return rng.randrange(20_000) if dice < 0.06 else rng.choice((0, 16, 100, rng.randrange(2000)))


class Publisher:
    """What all have in common: a name, and numbers that rise."""

    def __init__(self, journal, rng, port, name):
        self.journal, self.rng, self.port, self.name = journal, rng, port, name
        self.count = 0

    def write_down(self, queues, transaction=None):
        self.count += 1
        persistent = transaction is not None or self.rng.random() < 0.9
        return self.journal.publishing((self.name, self.count), queues, persistent, a_size(self.rng), transaction)

    def pika_channel(self):
        return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.port, heartbeat=0)).channel()


class Windowed(Publisher):
    """Many publishes outstanding; confirms come one by one or together."""

    confirms = True

    def __call__(self):
        rng, outstanding = self.rng, {}
        window, burst = rng.choice((1, 10, 100, 500)), rng.choice((1, 5, 50))
        with Connection(self.port) as connection:
            if self.confirms:
                connection.call("confirm.select")
            while True:
                if len(outstanding) < window:
                    messages = [self.choose() for _ in range(rng.randint(1, burst))]
                    if self.confirms:
                        outstanding.update({message.number: message for message, _ in messages})
                    connection.send(b"".join(data for _, data in messages))
                for event in connection.events(0 if len(outstanding) < window else 1):
                    self.confirm(event, outstanding)

    def choose(self):
        exchange, key, queues = self.rng.choice(stage.ROUTES)
        message = self.write_down(queues)
        return message, publish(exchange, key, message.persistent, message.id, message.body())

    def confirm(self, event, outstanding):
        if not isinstance(event, Confirm) or not event.ack:
            raise ValueError(f"{self.name} was told {event}")
        if not event.multiple:
            self.journal.confirmed([outstanding.pop(event.tag)])
            return
        tags = [tag for tag in outstanding if tag <= event.tag]
        self.journal.confirmed([outstanding.pop(tag) for tag in tags])


class Careless(Windowed):
    """Asks for no confirms, so nothing is promised."""

    confirms = False

    def __call__(self):
        with Connection(self.port) as connection:
            while True:
                for _, data in (self.choose() for _ in range(5)):
                    connection.send(data)
                connection.events(0.01)


class Pika(Publisher):
    """pika: one publish, one confirm."""

    def __call__(self):
        channel = self.pika_channel()
        channel.confirm_delivery()
        while True:
            exchange, key, queues = self.rng.choice(stage.ROUTES)
            message = self.write_down(queues)
            properties = pika.BasicProperties(delivery_mode=1 + message.persistent, message_id=message.id)
            channel.basic_publish(exchange, key, message.body(), properties)
            self.journal.confirmed([message])


class Transactional(Publisher):
    """pika: transactions over several queues, some of which are rolled back."""

    def __call__(self):
        channel = self.pika_channel()
        channel.tx_select()
        while True:
            transaction = self.journal.begin()
            for _ in range(self.rng.choice((1, 3, 10, 40))):
                exchange, key, queues = self.rng.choice([("", "ledger", ["ledger"]), *stage.ROUTES])
                message = self.write_down(queues, transaction)
                properties = pika.BasicProperties(delivery_mode=2, message_id=message.id)
                channel.basic_publish(exchange, key, message.body(), properties)
            if self.rng.random() < 0.2:
                channel.tx_rollback()
                self.journal.rolled_back(transaction)
            else:
                self.journal.committing(transaction)
                channel.tx_commit()
                self.journal.committed(transaction)


class Mover(Publisher):
    """Moves messages from `inbox` to `moved`, acking and publishing in one transaction. Some it only acks."""

    def __call__(self):
        held = []
        self.journal.consumers["inbox"] += 1
        with Connection(self.port) as connection:
            connection.call("tx.select")
            connection.call("basic.qos", prefetch_count=30)
            connection.call("basic.consume", queue="inbox")
            while True:
                for delivery in connection.events(0.1):
                    held.append((delivery.tag, self.journal.delivered("inbox", delivery)))
                if held:
                    self.move(connection, held)

    def move(self, connection, held):
        transaction = self.journal.begin()
        moving, only_ack = held[:self.rng.randint(1, len(held))], self.rng.random() < 0.2
        for tag, copy in moving:
            if not only_ack:
                message = self.write_down(["moved"], transaction)
                connection.send(publish("", "moved", True, message.id, message.body()))
            self.journal.acking([copy] if copy else [], transaction)
            connection.method("basic.ack", delivery_tag=tag)
        if self.rng.random() < 0.2:
            connection.call("tx.rollback")
            self.journal.rolled_back(transaction)
            return
        self.journal.committing(transaction)
        connection.call("tx.commit")
        self.journal.committed(transaction)
        del held[:len(moving)]
