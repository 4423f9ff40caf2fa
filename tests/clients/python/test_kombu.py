"""kombu, as Celery uses it: tasks, events for everyone, remote control."""

import threading

import kombu
import pytest
from kombu.common import Broadcast
from kombu.pidbox import Mailbox

from inbox import DEADLINE


@pytest.fixture
def celery(url):
    """A kombu connection, as Celery makes it."""
    with kombu.Connection(url, heartbeat=10) as connection:
        yield connection


def test_kombu_publishes_consumes_and_acks(celery, name):
    tasks = kombu.Queue(name("tasks"), kombu.Exchange(name("tasks"), type="direct"), routing_key="task")
    received = []

    celery.Producer().publish(
        {"id": 1, "args": [1, "zwei"]}, exchange=tasks.exchange, routing_key="task", declare=[tasks]
    )
    with celery.Consumer(tasks, callbacks=[lambda body, message: received.append((body, message.ack()))]):
        celery.drain_events(timeout=DEADLINE)

    assert [body for body, _ in received] == [{"id": 1, "args": [1, "zwei"]}]
    assert tasks(celery.default_channel).get() is None


def test_kombus_simple_queue(celery, name):
    with celery.SimpleQueue(name("simple"), serializer="json") as queue:
        queue.put({"hello": "world"}, retry=False)
        message = queue.get(block=True, timeout=DEADLINE)
        message.requeue()
        again = queue.get(block=True, timeout=DEADLINE)
        again.ack()

    assert (message.payload, again.payload) == ({"hello": "world"}, {"hello": "world"})
    assert again.delivery_info["redelivered"]


def test_celerys_global_prefetch_is_no_fault(celery, name):
    tasks = kombu.Queue(name("tasks"), durable=True)
    received = []
    consumer = celery.Consumer(tasks, callbacks=[lambda body, message: received.append(message)])
    consumer.qos(prefetch_count=1, apply_global=True)

    with consumer:
        for number in range(3):
            celery.Producer().publish(number, routing_key=tasks.name)
            celery.drain_events(timeout=DEADLINE)
            received[-1].ack()

    assert [message.payload for message in received] == [0, 1, 2]


def test_kombu_confirms(url, name):
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        tasks = kombu.Queue(name("tasks"), durable=True)
        for number in range(20):
            connection.Producer().publish(number, routing_key=tasks.name, declare=[tasks])

        assert tasks(connection.default_channel).queue_declare(passive=True).message_count == 20


DENIED = pytest.mark.beyond_rabbitmq("4.3 denies transient queues that are not exclusive")


@pytest.mark.parametrize("exclusive", [True, pytest.param(False, marks=DENIED)], ids=["exclusive", "shared"])
def test_celery_remote_control(url, celery, name, exclusive):
    """The pidbox: a fanout to every worker's transient queue, and an answer through another."""
    mailbox = Mailbox(name("control"), type="fanout", queue_exclusive=exclusive)
    with kombu.Connection(url) as connection:
        worker = mailbox(connection).Node("worker@here", channel=connection.default_channel)
        worker.handlers["ping"] = lambda _state: "pong"
        with worker.listen():
            work = threading.Thread(target=connection.drain_events, kwargs={"timeout": DEADLINE})
            work.start()
            replies = mailbox(celery).call(["worker@here"], "ping", timeout=DEADLINE)
            work.join()
    for exchange in [mailbox.exchange, mailbox.reply_exchange]:
        exchange(celery.default_channel).delete()

    assert replies == [{"worker@here": "pong"}]


def test_celery_broadcasts(url, celery, name):
    exchange = name("broadcast")
    queues = [Broadcast(exchange, unique=True) for _ in range(2)]
    heard = []
    with kombu.Connection(url) as connection:
        with connection.Consumer(queues, callbacks=[lambda body, _message: heard.append(body)], no_ack=True):
            celery.Producer().publish("everyone", exchange=exchange)
            for _ in queues:
                connection.drain_events(timeout=DEADLINE)

    assert heard == ["everyone", "everyone"]
