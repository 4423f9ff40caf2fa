"""Consumers that keep what they receive, and the two ways to wait for a broker: for something, for nothing."""

import time
from dataclasses import dataclass

import pika
from pika.exceptions import ChannelClosedByBroker

DEADLINE = 10.0  # For what must happen: generous, because it costs time only in failing tests.
QUIET = 0.15  # For what must not happen: a broker on this machine is late by far less.


@dataclass(frozen=True)
class Delivery:
    """A message as a consumer sees it."""

    method: pika.spec.Basic.Deliver
    properties: pika.BasicProperties
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    @property
    def tag(self):
        return self.method.delivery_tag

    @property
    def redelivered(self):
        return self.method.redelivered


class Inbox:
    """A consumer that keeps its deliveries until the test takes them."""

    def __init__(self, channel, queue, **options):
        self.channel = channel
        self.waiting = []
        self.tag = channel.basic_consume(queue, self._keep, **options)

    def _keep(self, _channel, method, properties, body):
        self.waiting.append(Delivery(method, properties, body))

    def take(self, count):
        """Waits for the next `count` deliveries."""
        until(lambda: len(self.waiting) >= count, self.channel.connection)
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def next(self):
        return self.take(1)[0]

    def texts(self, count):
        return [delivery.text for delivery in self.take(count)]

    def ack(self, delivery, multiple=False):
        self.channel.basic_ack(delivery.tag, multiple)

    def requeue(self, delivery):
        self.channel.basic_reject(delivery.tag, requeue=True)


def until(happened, *connections):
    """Lets the connections work until it has happened, or fails at the deadline."""
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end, f"the broker did not do it within {DEADLINE} seconds"
        for connection in connections:
            connection.process_data_events(time_limit=0.01)


def assert_quiet(*inboxes):
    """Nothing more comes to any of them: the one place where the tests let time pass."""
    end = time.monotonic() + QUIET
    while time.monotonic() < end:
        for inbox in inboxes:
            inbox.channel.connection.process_data_events(time_limit=QUIET / 10)
    assert [delivery.text for inbox in inboxes for delivery in inbox.waiting] == []


def send(channel, queue, *texts):
    """Publishes texts straight to a queue."""
    for text in texts:
        channel.basic_publish("", queue, text)


def fetch(channel, queue):
    """Takes one message without a consumer; it stays unacked. None when the queue is empty."""
    method, properties, body = channel.basic_get(queue)
    return method and Delivery(method, properties, body)


def drain(channel, queue):
    """Empties a queue and says what was in it, in order."""
    texts = []
    while delivery := fetch(channel, queue):
        channel.basic_ack(delivery.tag)
        texts.append(delivery.text)
    return texts


def depth(channel, queue):
    """How many messages are ready. RabbitMQ's answer may overtake messages that are not confirmed."""
    return channel.queue_declare(queue, passive=True).method.message_count


def consumers(channel, queue):
    return channel.queue_declare(queue, passive=True).method.consumer_count


def gone(connection, queue):
    """Whether a queue has ceased to be."""
    try:
        with connection.channel() as channel:
            channel.queue_declare(queue, passive=True)
        return False
    except ChannelClosedByBroker as refusal:
        return refusal.reply_code == 404
