"""How many unacked messages a consumer may hold."""

import pytest

from inbox import Inbox, assert_quiet, fetch, send
from refusals import connection_refused


@pytest.mark.parametrize("prefetch", [1, 3, 10])
def test_prefetch_is_exact(channel, queue, prefetch):
    orders = queue("orders")
    send(channel, orders, *(str(number) for number in range(prefetch + 2)))
    channel.basic_qos(prefetch_count=prefetch)
    reader = Inbox(channel, orders)

    held = reader.take(prefetch)
    assert_quiet(reader)
    reader.ack(held[0])

    assert reader.texts(1) == [str(prefetch)]
    assert_quiet(reader)


def test_prefetch_zero_is_no_limit(channel, queue):
    orders = queue("orders")
    send(channel, orders, *(str(number) for number in range(500)))
    channel.basic_qos(prefetch_count=0)

    assert len(Inbox(channel, orders).take(500)) == 500


def test_prefetch_does_not_count_what_needs_no_ack(channel, queue):
    orders = queue("orders")
    send(channel, orders, *"abcde")
    channel.basic_qos(prefetch_count=1)

    assert Inbox(channel, orders, auto_ack=True).texts(5) == list("abcde")


def test_prefetch_is_for_each_consumer_that_comes_after_it(channel, queue):
    before, first, second = queue("before"), queue("first"), queue("second")
    unlimited = Inbox(channel, before)
    channel.basic_qos(prefetch_count=2)
    limited = Inbox(channel, first), Inbox(channel, second)

    for orders in [before, first, second]:
        send(channel, orders, "a", "b", "c")

    assert unlimited.texts(3) == ["a", "b", "c"]
    assert [reader.texts(2) for reader in limited] == [["a", "b"]] * 2
    assert_quiet(*limited)


@pytest.mark.beyond_rabbitmq("4.3 treats global as per consumer")
def test_global_prefetch_is_shared_by_the_channel(channel, queue):
    first, second = queue("first"), queue("second")
    channel.basic_qos(prefetch_count=3, global_qos=True)
    readers = Inbox(channel, first), Inbox(channel, second)

    send(channel, first, *"ab")
    held = readers[0].take(2)
    send(channel, second, *"cde")
    assert readers[1].texts(1) == ["c"]
    assert_quiet(*readers)
    readers[0].ack(held[0])

    assert readers[1].texts(1) == ["d"]
    assert_quiet(*readers)


def test_a_prefetch_size_is_not_implemented(connection, channel):
    with connection_refused(connection, 540, "NOT_IMPLEMENTED"):
        channel.basic_qos(prefetch_size=1000)


def test_get_is_not_held_back_by_prefetch(channel, queue):
    orders = queue("orders")
    channel.basic_qos(prefetch_count=1)
    send(channel, orders, "a", "b")

    assert [fetch(channel, orders).text for _ in range(2)] == ["a", "b"]


def test_a_busy_consumer_misses_its_turn(connect, channel, queue):
    orders = queue("orders")
    busy, free = (single(connect, orders) for _ in range(2))
    send(channel, orders, "a", "b")
    busy.next()
    done = free.next()

    for text in ["c", "d", "e"]:
        free.ack(done)
        send(channel, orders, text)
        done = free.next()
        assert done.text == text
    assert_quiet(busy, free)


def single(connect, queue):
    """A consumer that holds one message at a time."""
    channel = connect().channel()
    channel.basic_qos(prefetch_count=1)
    return Inbox(channel, queue)
