"""What becomes of delivered messages: acked, dropped, returned to their place, returned by accident."""

import pytest
from pika import spec

from inbox import Inbox, assert_quiet, depth, drain, fetch, send, until
from refusals import channel_refused, connection_refused


def test_acked_messages_are_gone(connection, queue):
    orders = queue("orders")
    channel = connection.channel()
    send(channel, orders, "a", "b")
    reader = Inbox(channel, orders)

    acked, _forgotten = reader.take(2)
    reader.ack(acked)
    channel.close()

    assert drain(connection.channel(), orders) == ["b"]


@pytest.mark.parametrize("verb", ["basic_nack", "basic_reject"])
def test_a_message_refused_for_good_is_gone(connection, queue, verb):
    orders = queue("orders")
    channel = connection.channel()
    send(channel, orders, "bad", "good")

    getattr(channel, verb)(fetch(channel, orders).tag, requeue=False)
    channel.close()

    assert drain(connection.channel(), orders) == ["good"]


@pytest.mark.parametrize("verb", ["basic_nack", "basic_reject"])
def test_a_requeued_message_comes_again_marked_as_redelivered(channel, queue, verb):
    orders = queue("orders")
    send(channel, orders, "a")
    reader = Inbox(channel, orders)
    first = reader.next()

    getattr(channel, verb)(first.tag, requeue=True)

    again = reader.next()
    assert (first.redelivered, again.redelivered) == (False, True)
    assert again.text == "a"
    assert again.tag == first.tag + 1


def test_requeued_messages_return_to_their_place(channel, queue):
    orders = queue("orders")
    send(channel, orders, *"abcdef")
    a, b, c, d = (fetch(channel, orders) for _ in range(4))

    for delivery in [c, a, d, b]:
        channel.basic_nack(delivery.tag, requeue=True)

    assert drain(channel, orders) == list("abcdef")


def test_a_hole_stays_a_hole(channel, queue):
    orders = queue("orders")
    send(channel, orders, *"abcde")
    a, b, c = (fetch(channel, orders) for _ in range(3))

    channel.basic_ack(b.tag)
    channel.basic_nack(c.tag, requeue=True)
    assert fetch(channel, orders).text == "c"
    channel.basic_nack(a.tag, requeue=True)

    assert drain(channel, orders) == ["a", "d", "e"]


def test_redelivered_is_said_of_that_message_alone(channel, queue):
    orders = queue("orders")
    send(channel, orders, "a", "b")
    channel.basic_nack(fetch(channel, orders).tag, requeue=True)

    assert [fetch(channel, orders).redelivered for _ in range(2)] == [True, False]


def test_one_ack_can_settle_all_before_it(connection, queue):
    orders = queue("orders")
    channel = connection.channel()
    send(channel, orders, *"abcde")
    reader = Inbox(channel, orders)

    reader.ack(reader.take(5)[2], multiple=True)
    channel.close()

    assert drain(connection.channel(), orders) == ["d", "e"]


def test_tag_zero_means_all(connection, queue):
    orders = queue("orders")
    channel = connection.channel()
    send(channel, orders, *"abc")
    Inbox(channel, orders).take(3)

    channel.basic_ack(0, multiple=True)
    channel.basic_ack(0, multiple=True)  # All of nothing.
    channel.close()

    assert drain(connection.channel(), orders) == []


def test_one_nack_can_return_all_before_it(channel, queue):
    orders = queue("orders")
    send(channel, orders, *"abcd")
    taken = [fetch(channel, orders) for _ in range(3)]

    channel.basic_nack(taken[1].tag, multiple=True, requeue=True)

    assert drain(channel, orders) == ["a", "b", "d"]


def test_one_ack_can_settle_messages_of_several_queues(connection, queue):
    first, second = queue("first"), queue("second")
    channel = connection.channel()
    send(channel, first, "a", "b")
    send(channel, second, "c", "d")
    taken = [fetch(channel, orders) for orders in [first, second, first]]

    channel.basic_ack(taken[-1].tag, multiple=True)
    channel.close()

    fresh = connection.channel()
    assert drain(fresh, first) == []
    assert drain(fresh, second) == ["d"]


@pytest.mark.parametrize("settle", ["basic_ack", "basic_nack", "basic_reject"])
def test_an_unknown_tag_costs_the_channel(channel, settle):
    with channel_refused(channel, 406, "PRECONDITION_FAILED - unknown delivery tag 99"):
        getattr(channel, settle)(99)


def test_acking_twice_costs_the_channel(channel, queue):
    orders = queue("orders")
    send(channel, orders, "a")
    taken = fetch(channel, orders)
    channel.basic_ack(taken.tag)

    with channel_refused(channel, 406, f"PRECONDITION_FAILED - unknown delivery tag {taken.tag}"):
        channel.basic_ack(taken.tag)


def test_acking_on_another_channel_costs_that_channel(connection, channel, queue):
    orders = queue("orders")
    send(channel, orders, "a")
    taken = fetch(channel, orders)

    stranger = connection.channel()
    with channel_refused(stranger, 406, f"PRECONDITION_FAILED - unknown delivery tag {taken.tag}"):
        stranger.basic_ack(taken.tag)
    channel.basic_ack(taken.tag)


def test_acking_what_needs_no_ack_costs_the_channel(channel, queue):
    orders = queue("orders")
    send(channel, orders, "a")
    delivered = Inbox(channel, orders, auto_ack=True).next()

    with channel_refused(channel, 406, f"PRECONDITION_FAILED - unknown delivery tag {delivered.tag}"):
        channel.basic_ack(delivered.tag)


def test_recover_returns_everything_unacked_in_order(channel, queue):
    orders = queue("orders")
    send(channel, orders, *"abc")
    reader = Inbox(channel, orders)
    acked, *_ = reader.take(3)
    reader.ack(acked)

    channel.basic_recover(requeue=True)

    again = reader.take(2)
    assert [(delivery.text, delivery.redelivered) for delivery in again] == [("b", True), ("c", True)]
    assert_quiet(reader)


def test_recover_without_requeue_is_not_implemented(connection, channel):
    with connection_refused(connection, 540, "NOT_IMPLEMENTED"):
        channel.basic_recover(requeue=False)


def close_the_channel(reader):
    reader.channel.close()


def close_the_connection(reader):
    reader.channel.connection.close()


def lose_the_channel_by_a_mistake(reader):
    with channel_refused(reader.channel, 406, "unknown delivery tag"):
        reader.channel.basic_ack(99)


@pytest.mark.parametrize("end", [close_the_channel, close_the_connection, lose_the_channel_by_a_mistake])
def test_what_is_unacked_returns_in_order(connect, channel, queue, end):
    orders = queue("orders")
    send(channel, orders, *"abcde")
    reader = Inbox(connect().channel(), orders)
    _a, b, *_ = reader.take(5)
    reader.ack(b)

    end(reader)
    until(lambda: depth(channel, orders) == 4)
    send(channel, orders, "f")

    again = Inbox(channel, orders).take(5)
    assert [(delivery.text, delivery.redelivered) for delivery in again] == [
        ("a", True),
        ("c", True),
        ("d", True),
        ("e", True),
        ("f", False),
    ]


def test_what_is_unacked_returns_when_the_network_fails(wire, channel, queue):
    orders = queue("orders")
    send(channel, orders, *"abc")
    doomed = wire()
    doomed.call(doomed.open_channel(), spec.Basic.Consume(queue=orders), spec.Basic.ConsumeOk)
    for _ in range(3):
        doomed.expect(spec.Basic.Deliver)

    doomed.drop()

    again = Inbox(channel, orders).take(3)
    assert [(delivery.text, delivery.redelivered) for delivery in again] == [("a", True), ("b", True), ("c", True)]


def test_a_waiting_consumer_takes_over_from_a_lost_one(connect, channel, queue):
    orders = queue("orders")
    channel.basic_qos(prefetch_count=2)
    first = Inbox(connect().channel(), orders)
    send(channel, orders, "a", "b")
    first.take(2)
    second = Inbox(channel, orders)

    first.channel.connection.close()

    assert second.texts(2) == ["a", "b"]
