"""Publishing without waiting for each confirm, as pika's asynchronous connection does it."""

import pika
from pika import spec

from inbox import DEADLINE


def publish_confirmed(url, messages, batch=None, **options):
    """Publishes `(exchange, routing_key, text)`s on a connection of its own until all are confirmed.

    At most `batch` messages are under way at a time; without it, all of them. The answer is what
    came back, in order: `("ack", 1)`, `("nack", 2)`, `("return", "text")`, where a confirm that
    stands for several messages counts as one event for each.
    """
    publisher = _Publisher(list(messages), batch, options)
    connection = pika.SelectConnection(
        pika.URLParameters(url),
        on_open_callback=publisher.connected,
        on_open_error_callback=publisher.disconnected,
        on_close_callback=publisher.disconnected,
    )
    late = TimeoutError(f"not all is confirmed after {DEADLINE} seconds")
    connection.ioloop.call_later(DEADLINE, lambda: publisher.disconnected(connection, late))
    connection.ioloop.start()
    if publisher.failure:
        raise publisher.failure
    return publisher.events


class _Publisher:
    def __init__(self, messages, batch, options):
        self.messages = messages
        self.batch = batch or len(messages)
        self.options = options
        self.events = []
        self.sent = 0
        self.under_way = []
        self.done = False
        self.failure = None

    def connected(self, connection):
        self.connection = connection
        connection.channel(on_open_callback=self.channel_opened)

    def channel_opened(self, channel):
        self.channel = channel
        channel.add_on_close_callback(self.channel_closed)
        channel.add_on_return_callback(self.returned)
        channel.confirm_delivery(self.confirmed, callback=lambda _select_ok: self.publish_batch())

    def publish_batch(self):
        if self.sent == len(self.messages):
            self.done = True
            self.connection.close()
        for exchange, routing_key, text in self.messages[self.sent : self.sent + self.batch]:
            self.sent += 1
            self.under_way.append(self.sent)
            self.channel.basic_publish(exchange, routing_key, text, **self.options)

    def returned(self, _channel, _method, _properties, body):
        self.events.append(("return", body.decode()))

    def confirmed(self, frame):
        last, multiple = frame.method.delivery_tag, frame.method.multiple
        meant = [number for number in self.under_way if number == last or (multiple and number < last)]
        assert last in meant, f"{last} is confirmed while {self.under_way} are under way"
        kind = "ack" if isinstance(frame.method, spec.Basic.Ack) else "nack"
        self.events += [(kind, number) for number in meant]
        self.under_way = [number for number in self.under_way if number not in meant]
        if not self.under_way:
            self.publish_batch()

    def channel_closed(self, _channel, reason):
        self.blame(reason)
        if self.connection.is_open:
            self.connection.close()

    def disconnected(self, connection, reason):
        self.blame(reason)
        connection.ioloop.stop()

    def blame(self, reason):
        """Keeps the first reason why it ended early; in the end, connections may close."""
        if not self.done:
            self.failure = self.failure or reason
