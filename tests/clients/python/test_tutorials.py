"""The seven RabbitMQ tutorials, as people follow them with pika."""

import pika
from pika.exceptions import UnroutableError
import pytest

from inbox import Inbox, assert_quiet, send
from publisher import publish_confirmed


def test_1_hello_world(connect, queue):
    hello = queue("hello")
    sender = connect()
    sender.channel().basic_publish(exchange="", routing_key=hello, body="Hello World!")
    sender.close()

    received = []

    def callback(ch, method, properties, body):
        received.append(body)
        ch.stop_consuming()

    receiver = connect().channel()
    receiver.basic_consume(queue=hello, on_message_callback=callback, auto_ack=True)
    receiver.start_consuming()

    assert received == [b"Hello World!"]


def test_2_work_goes_to_whoever_is_free(connect, channel, queue):
    tasks = queue("task_queue")
    busy, idle = (worker(connect, tasks) for _ in range(2))
    lasting = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)
    for task in ["long", "a", "b", "c"]:
        channel.basic_publish("", tasks, task, lasting)

    assert busy.next().text == "long"
    for task in ["a", "b", "c"]:
        done = idle.next()
        assert (done.text, done.properties.delivery_mode) == (task, 2)
        idle.ack(done)
    assert_quiet(busy, idle)


def test_2_work_of_a_dead_worker_goes_to_another(connect, channel, queue):
    tasks = queue("task_queue")
    doomed = worker(connect, tasks)
    send(channel, tasks, "task")
    assert not doomed.next().redelivered

    doomed.channel.connection.close()

    again = worker(connect, tasks).next()
    assert (again.text, again.redelivered) == ("task", True)


def worker(connect, tasks):
    channel = connect().channel()
    channel.basic_qos(prefetch_count=1)
    return Inbox(channel, tasks)


def test_3_publish_subscribe(connect, channel, exchange):
    logs = exchange("fanout")
    screen, file = (subscriber(connect, logs) for _ in range(2))

    channel.basic_publish(exchange=logs, routing_key="", body="info: Hello World!")

    assert screen.texts(1) == file.texts(1) == ["info: Hello World!"]


def test_4_routing(connect, channel, exchange):
    logs = exchange("direct")
    screen = subscriber(connect, logs, "info", "warning", "error")
    file = subscriber(connect, logs, "error")

    for severity in ["info", "error", "warning", "debug"]:
        channel.basic_publish(exchange=logs, routing_key=severity, body=f"a {severity}")

    assert screen.texts(3) == ["a info", "a error", "a warning"]
    assert file.texts(1) == ["a error"]
    assert_quiet(screen, file)


def test_5_topics(connect, channel, exchange):
    logs = exchange("topic")
    everything = subscriber(connect, logs, "#")
    kernel = subscriber(connect, logs, "kern.*")
    critical = subscriber(connect, logs, "*.critical", "kern.critical")

    for key in ["kern.critical", "cron.critical", "kern.info", "auth.info.login"]:
        channel.basic_publish(exchange=logs, routing_key=key, body=key)

    assert everything.texts(4) == ["kern.critical", "cron.critical", "kern.info", "auth.info.login"]
    assert kernel.texts(2) == ["kern.critical", "kern.info"]
    assert critical.texts(2) == ["kern.critical", "cron.critical"]
    assert_quiet(everything, kernel, critical)


def subscriber(connect, exchange, *keys):
    """A queue named by the server, for this connection alone."""
    channel = connect().channel()
    temporary = channel.queue_declare(queue="", exclusive=True).method.queue
    for key in keys or [""]:
        channel.queue_bind(exchange=exchange, queue=temporary, routing_key=key)
    return Inbox(channel, temporary, auto_ack=True)


def test_6_rpc_through_a_callback_queue(connect, queue):
    requests = queue("rpc_queue")
    client = connect().channel()
    callback_queue = client.queue_declare(queue="", exclusive=True).method.queue
    answers = Inbox(client, callback_queue, auto_ack=True)

    for number in range(3):
        asked = pika.BasicProperties(reply_to=callback_queue, correlation_id=f"call {number}")
        client.basic_publish("", requests, str(number), asked)
    answer(connect, requests, calls=3)

    replies = answers.take(3)
    assert [reply.text for reply in replies] == ["fib(0) = 0", "fib(1) = 1", "fib(2) = 1"]
    assert [reply.properties.correlation_id for reply in replies] == ["call 0", "call 1", "call 2"]


def test_6_rpc_with_direct_reply_to(connect, queue):
    requests = queue("rpc_queue")
    client = connect().channel()
    answers = Inbox(client, "amq.rabbitmq.reply-to", auto_ack=True)

    asked = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="direct")
    client.basic_publish("", requests, "10", asked)
    reply_to = answer(connect, requests, calls=1)

    reply = answers.next()
    assert (reply.text, reply.properties.correlation_id) == ("fib(10) = 55", "direct")
    assert reply_to.startswith("amq.rabbitmq.reply-to.")


def answer(connect, requests, calls):
    """Serves so many calls and says where the last reply went."""
    inbox = worker(connect, requests)
    for _ in range(calls):
        request = inbox.next()
        reply_to, correlation_id = request.properties.reply_to, request.properties.correlation_id
        reply = f"fib({request.text}) = {fib(int(request.text))}"
        inbox.channel.basic_publish("", reply_to, reply, pika.BasicProperties(correlation_id=correlation_id))
        inbox.ack(request)
    return reply_to


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def test_7_confirms_one_at_a_time(channel, queue):
    orders = queue("orders")
    channel.confirm_delivery()

    for order in range(20):
        channel.basic_publish("", orders, str(order), mandatory=True)  # Raises unless it is confirmed.
    with pytest.raises(UnroutableError):
        channel.basic_publish("", orders + ".misspelt", "lost", mandatory=True)

    assert channel.queue_purge(orders).method.message_count == 20


@pytest.mark.parametrize("batch", [10, None], ids=["in batches", "asynchronously"])
def test_7_confirms(url, channel, queue, batch):
    orders = queue("orders")

    events = publish_confirmed(url, [("", orders, str(order)) for order in range(100)], batch)

    assert sorted(events) == [("ack", number) for number in range(1, 101)]
    assert channel.queue_purge(orders).method.message_count == 100
