"""How a publisher learns what became of its messages: confirms, and the older transactions."""

import pytest
from pika import spec
from pika.exceptions import NackError, UnroutableError

from inbox import depth, drain, fetch, send
from publisher import publish_confirmed
from refusals import channel_refused


def test_confirms_count_from_one_on_each_channel(wire, queue):
    orders = queue("orders")
    hand_made = wire()
    for number in [1, 2]:
        hand_made.open_channel(number)
        hand_made.call(number, spec.Confirm.Select(), spec.Confirm.SelectOk)
        for expected in [1, 2]:
            hand_made.send_content(number, spec.Basic.Publish(routing_key=orders), b"\0\0", b"order")
            assert hand_made.expect(spec.Basic.Ack).delivery_tag == expected


def test_what_was_published_before_confirms_is_not_counted(wire, queue):
    orders = queue("orders")
    hand_made = wire()
    hand_made.open_channel(1)
    publish = spec.Basic.Publish(routing_key=orders)

    hand_made.send_content(1, publish, b"\0\0", b"before")
    hand_made.call(1, spec.Confirm.Select(), spec.Confirm.SelectOk)
    hand_made.call(1, spec.Confirm.Select(), spec.Confirm.SelectOk)  # Asking again changes nothing.
    hand_made.send_content(1, publish, b"\0\0", b"after")

    assert hand_made.expect(spec.Basic.Ack).delivery_tag == 1


def test_a_confirmed_message_is_in_every_queue(url, channel, queue, exchange):
    copies = [queue("copy") for _ in range(5)]
    news = exchange("fanout", dict.fromkeys(copies, ""))

    events = publish_confirmed(url, [(news, "", str(number)) for number in range(50)])

    assert sorted(events) == [("ack", number) for number in range(1, 51)]
    assert [depth(channel, copy) for copy in copies] == [50] * 5


@pytest.mark.parametrize("delivery_mode", [1, 2])
def test_thousands_are_confirmed_each_exactly_once(url, channel, queue, delivery_mode):
    orders = queue("orders")
    properties = spec.BasicProperties(delivery_mode=delivery_mode)

    events = publish_confirmed(url, [("", orders, "order")] * 3000, properties=properties)

    assert sorted(events) == [("ack", number) for number in range(1, 3001)]
    assert channel.queue_purge(orders).method.message_count == 3000


def test_a_full_queue_can_refuse_messages(url, channel, queue):
    small = queue("small", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})

    events = publish_confirmed(url, [("", small, text) for text in "abcd"], batch=1)

    assert events == [("ack", 1), ("ack", 2), ("nack", 3), ("nack", 4)]
    assert drain(channel, small) == ["a", "b"]


def test_pika_raises_what_is_refused_or_returned(channel, queue):
    full = queue("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    channel.confirm_delivery()

    with pytest.raises(NackError):
        channel.basic_publish("", full, "one too many")
    with pytest.raises(UnroutableError) as returned:
        channel.basic_publish("amq.direct", full, "nowhere", mandatory=True)
    [message] = returned.value.messages
    assert (message.method.reply_text, message.body) == ("NO_ROUTE", b"nowhere")


def test_a_full_queue_drops_its_oldest_unless_told_otherwise(url, channel, queue):
    small = queue("small", arguments={"x-max-length": 2})

    assert publish_confirmed(url, [("", small, text) for text in "abcd"], batch=1) == [("ack", n) for n in range(1, 5)]
    assert drain(channel, small) == ["c", "d"]


def test_a_transaction_publishes_at_its_commit(connection, channel, queue):
    orders = queue("orders")
    observer = connection.channel()
    channel.tx_select()

    send(channel, orders, "a", "b")
    channel.basic_qos(prefetch_count=1)  # When this is answered, the messages have arrived.
    assert depth(observer, orders) == 0
    channel.tx_commit()

    assert drain(observer, orders) == ["a", "b"]


def test_a_rollback_forgets_what_was_published(connection, channel, queue):
    orders = queue("orders")
    channel.tx_select()

    send(channel, orders, "forgotten")
    channel.tx_rollback()
    send(channel, orders, "kept")
    channel.tx_commit()

    assert drain(connection.channel(), orders) == ["kept"]


def test_a_channel_that_closes_forgets_its_transaction(connection, queue):
    orders = queue("orders")
    channel = connection.channel()
    channel.tx_select()

    send(channel, orders, "forgotten")
    channel.close()

    assert drain(connection.channel(), orders) == []


def test_a_transaction_acks_at_its_commit(connection, queue):
    orders = queue("orders")
    channel = connection.channel()
    send(channel, orders, "committed", "not committed")
    channel.tx_select()

    channel.basic_ack(fetch(channel, orders).tag)
    channel.tx_commit()
    channel.basic_ack(fetch(channel, orders).tag)
    channel.close()

    assert drain(connection.channel(), orders) == ["not committed"]


def test_after_a_rollback_messages_can_be_acked_again(connection, queue):
    orders = queue("orders")
    channel = connection.channel()
    send(channel, orders, "a", "b")
    channel.tx_select()
    a, b = fetch(channel, orders), fetch(channel, orders)

    channel.basic_ack(a.tag)
    channel.basic_nack(b.tag, requeue=True)
    channel.tx_rollback()
    channel.basic_ack(b.tag)
    channel.tx_commit()
    channel.close()

    assert drain(connection.channel(), orders) == ["a"]


def test_a_transaction_can_move_a_message(connection, channel, queue):
    inbox, outbox = queue("inbox"), queue("outbox")
    observer = connection.channel()
    send(channel, inbox, "message")
    channel.tx_select()

    taken = fetch(channel, inbox)
    send(channel, outbox, taken.text)
    channel.basic_ack(taken.tag)
    channel.tx_commit()

    assert drain(observer, outbox) == ["message"]
    channel.close()
    assert drain(observer, inbox) == []


def test_unroutable_messages_return_at_the_commit(channel, exchange):
    nowhere = exchange("direct")
    returned = []
    channel.add_on_return_callback(lambda _channel, _method, _properties, body: returned.append(body))
    channel.tx_select()

    channel.basic_publish(nowhere, "key", "lost", mandatory=True)
    channel.basic_qos(prefetch_count=1)
    channel.connection.process_data_events()
    assert returned == []
    channel.tx_commit()
    channel.connection.process_data_events()

    assert returned == [b"lost"]


@pytest.mark.parametrize("end", ["tx_commit", "tx_rollback"])
def test_a_transaction_must_begin_before_it_ends(channel, end):
    with channel_refused(channel, 406, "PRECONDITION_FAILED"):
        getattr(channel, end)()


def test_no_transactions_on_a_confirming_channel(channel):
    channel.confirm_delivery()

    with channel_refused(channel, 406, "PRECONDITION_FAILED"):
        channel.tx_select()


def test_no_confirms_on_a_transactional_channel(channel):
    channel.tx_select()

    with channel_refused(channel, 406, "PRECONDITION_FAILED"):
        channel.confirm_delivery()
