"""aio-pika: services that confirm, iterate and reconnect."""

import asyncio
import functools

import aio_pika
import pytest
import yarl
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError
from aio_pika.patterns import RPC, Master

from inbox import DEADLINE
from relay import Relay


def asynchronous(story):
    """Runs a test on an event loop of its own, up to the deadline."""

    @functools.wraps(story)
    def run(**fixtures):
        asyncio.run(asyncio.wait_for(story(**fixtures), DEADLINE))

    return run


@asynchronous
async def test_aio_pika_publishes_with_confirms_and_iterates(url, name):
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        queue = await channel.declare_queue(name("inbox"), durable=True)
        message = aio_pika.Message(
            b"body", content_type="text/plain", headers={"n": 1, "list": [1, "two", None]}, delivery_mode=2, priority=3
        )

        for _ in range(50):
            await channel.default_exchange.publish(message, queue.name)

        received = []
        async with queue.iterator() as incoming:
            async for delivery in incoming:
                async with delivery.process():
                    received.append(delivery)
                if len(received) == 50:
                    break
        assert {delivery.body for delivery in received} == {b"body"}
        assert received[-1].headers == {"n": 1, "list": [1, "two", None]}
        assert (await queue.declare()).message_count == 0


@asynchronous
async def test_aio_pika_raises_what_comes_back(url, name):
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)

        with pytest.raises(DeliveryError):
            await channel.default_exchange.publish(aio_pika.Message(b"lost"), name("nowhere"))


@asynchronous
async def test_aio_pika_publishes_many_at_once(url, name):
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(name("inbox"), durable=True)

        publish = channel.default_exchange.publish
        await asyncio.gather(*(publish(aio_pika.Message(str(n).encode()), queue.name) for n in range(500)))

        assert [int((await queue.get(no_ack=True)).body) for _ in range(500)] == list(range(500))


@asynchronous
async def test_aio_pika_commits_and_rolls_back(url, name):
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(name("inbox"), durable=True)

        for text in [b"kept", b"forgotten"]:
            transaction = channel.transaction()
            await transaction.select()
            await channel.default_exchange.publish(aio_pika.Message(text), queue.name)
            await (transaction.commit() if text == b"kept" else transaction.rollback())

        assert (await queue.get(no_ack=True)).body == b"kept"
        assert await queue.get(fail=False) is None


@asynchronous
async def test_aio_pika_survives_a_channel_error(url, name):
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()

        with pytest.raises(ChannelNotFoundEntity):
            await channel.get_queue(name("missing"), ensure=True)

        assert not connection.is_closed
        assert await (await connection.channel()).declare_queue(exclusive=True)


@asynchronous
async def test_aio_pika_goes_on_after_the_network_failed(url, name):
    async with Relay(url) as relay:
        through_relay = str(yarl.URL(url).with_host("127.0.0.1").with_port(relay.port))
        connection = await aio_pika.connect_robust(through_relay, reconnect_interval=0.05)
        channel = await connection.channel()
        queue = await channel.declare_queue(name("inbox"), durable=True)
        events = await channel.declare_exchange(name("events"), "fanout", durable=True)
        await queue.bind(events)
        received = asyncio.Queue()
        await queue.consume(received.put)
        await events.publish(aio_pika.Message(b"before"), "")
        first = await received.get()
        reconnected = asyncio.Event()
        connection.reconnect_callbacks.add(lambda *_: reconnected.set())

        relay.cut()
        await reconnected.wait()
        await events.publish(aio_pika.Message(b"after"), "")

        again, after = await received.get(), await received.get()
        assert [(m.body, m.redelivered) for m in (first, again, after)] == [
            (b"before", False),
            (b"before", True),
            (b"after", False),
        ]
        await connection.close()


@asynchronous
async def test_aio_pika_calls_procedures(url, name):
    async def multiply(x, y):
        return x * y

    async with await aio_pika.connect(url) as connection:
        rpc = await RPC.create(await connection.channel())
        await rpc.register(procedure := name("multiply"), multiply, durable=True, auto_delete=True)

        assert await rpc.call(procedure, kwargs={"x": 6, "y": 7}) == 42
        await rpc.close()


@asynchronous
async def test_aio_pika_hands_out_tasks(url, name):
    done = asyncio.Queue()

    async def work(task):
        await done.put(task)

    async with await aio_pika.connect(url) as connection:
        master = Master(await connection.channel())
        worker = await master.create_worker(tasks := name("tasks"), work, durable=True)

        for task in range(3):
            await master.create_task(tasks, kwargs={"task": task})

        assert [await done.get() for _ in range(3)] == [0, 1, 2]
        await worker.close()
