"""Whom queues belong to, and when they go: exclusive, auto-delete, deleted."""

import pytest

from inbox import Inbox, consumers, drain, fetch, gone, send, until
from refusals import channel_refused


def test_an_exclusive_queue_serves_all_channels_of_its_connection(connection, channel, queue):
    mine = queue(exclusive=True)
    send(channel, mine, "message")

    assert drain(connection.channel(), mine) == ["message"]


def test_an_exclusive_queue_is_locked_to_others(connect, channel, queue):
    mine = queue(exclusive=True)
    channel.queue_bind(mine, "amq.fanout", "")
    stranger = connect()
    for trespass in [
        lambda channel: channel.queue_declare(mine, exclusive=True),
        lambda channel: channel.queue_declare(mine, passive=True),
        lambda channel: channel.queue_bind(mine, "amq.fanout", ""),
        lambda channel: channel.queue_unbind(mine, "amq.fanout", ""),
        lambda channel: channel.queue_purge(mine),
        lambda channel: channel.queue_delete(mine),
        lambda channel: channel.basic_get(mine),
        lambda channel: channel.basic_consume(mine, print),
    ]:
        channel = stranger.channel()
        with channel_refused(
            channel, 405, f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{mine}'"
        ):
            trespass(channel)


def test_others_may_publish_to_an_exclusive_queue(connect, channel, queue):
    mine = queue(exclusive=True)
    stranger = connect().channel()
    stranger.confirm_delivery()

    send(stranger, mine, "hello")

    assert drain(channel, mine) == ["hello"]


def test_an_exclusive_queue_goes_with_its_connection(connect, connection, name):
    mine = name("mine")
    owner = connect()
    owner.channel().queue_declare(mine, exclusive=True)

    owner.close()

    until(lambda: gone(connection, mine))


@pytest.mark.beyond_rabbitmq("may still hold the queue when it has answered the close")
def test_an_exclusive_queue_is_gone_before_its_connection_has_closed(connect, connection, name):
    for _ in range(10):
        mine = name("mine")
        owner = connect()
        owner.channel().queue_declare(mine, exclusive=True)

        owner.close()

        assert gone(connection, mine)


def test_auto_delete_goes_with_the_last_consumer(connection, channel, queue):
    shared = queue(auto_delete=True)
    first, second = Inbox(channel, shared), Inbox(channel, shared)

    channel.basic_cancel(first.tag)
    assert consumers(channel, shared) == 1
    channel.basic_cancel(second.tag)

    assert gone(connection, shared)


def test_auto_delete_goes_when_the_consumers_connection_closes(connect, connection, queue):
    shared = queue(auto_delete=True)
    reader = connect()
    Inbox(reader.channel(), shared)

    reader.close()

    until(lambda: gone(connection, shared))


def test_auto_delete_waits_for_a_first_consumer(connect, queue, channel):
    shared = queue(auto_delete=True)
    visitor = connect()
    assert fetch(visitor.channel(), shared) is None  # To get is not to consume.
    visitor.close()

    assert consumers(channel, shared) == 0


def test_delete_says_how_many_messages_it_took_along(channel, queue):
    orders = queue("orders")
    send(channel, orders, "a", "b")

    assert channel.queue_delete(orders).method.message_count == 2
    assert channel.queue_delete(orders).method.message_count == 0  # Deleting is idempotent.


def test_delete_can_spare_a_queue_with_messages(channel, queue):
    orders = queue("orders")
    send(channel, orders, "a")

    with channel_refused(channel, 406, f"PRECONDITION_FAILED - queue '{orders}' in vhost '/' not empty"):
        channel.queue_delete(orders, if_empty=True)


def test_delete_can_spare_a_queue_with_consumers(channel, queue):
    orders = queue("orders")
    Inbox(channel, orders)

    with channel_refused(channel, 406, f"PRECONDITION_FAILED - queue '{orders}' in vhost '/' in use"):
        channel.queue_delete(orders, if_unused=True)


def test_delete_does_not_spare_an_empty_unused_queue(connection, channel, queue):
    orders = queue("orders")
    send(channel, orders, "a")
    drain(channel, orders)

    channel.queue_delete(orders, if_unused=True, if_empty=True)

    assert gone(connection, orders)


def test_bindings_go_with_the_queue(channel, queue, exchange):
    inbox = queue("inbox")
    logs = exchange("fanout", {inbox: ""})

    channel.queue_delete(inbox)
    channel.queue_declare(inbox, durable=True)
    channel.basic_publish(logs, "", "to nobody")

    assert drain(channel, inbox) == []
