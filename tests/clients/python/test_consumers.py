"""Who gets which message: turns, priorities, exclusive consumers, cancelling, getting."""

import pika
from pika import spec

from inbox import Inbox, assert_quiet, depth, drain, fetch, send, until
from refusals import channel_refused


def test_deliveries_say_where_they_come_from(channel, queue, exchange):
    orders = queue("orders")
    shop = exchange("direct", {orders: "new"})
    reader = Inbox(channel, orders, consumer_tag="reader")

    channel.basic_publish(shop, "new", "order")

    method = reader.next().method
    assert (method.consumer_tag, method.delivery_tag, method.redelivered) == ("reader", 1, False)
    assert (method.exchange, method.routing_key) == (shop, "new")


def test_delivery_tags_count_from_one_on_each_channel(connection, queue):
    orders = queue("orders")
    channel = connection.channel()
    send(channel, orders, *"abcd")
    assert [fetch(channel, orders).tag for _ in range(2)] == [1, 2]
    assert [delivery.tag for delivery in Inbox(channel, orders).take(2)] == [3, 4]

    other = connection.channel()
    channel.close()
    assert [delivery.tag for delivery in Inbox(other, orders).take(4)] == [1, 2, 3, 4]


def test_consumers_take_turns(connect, channel, queue):
    orders = queue("orders")
    readers = [Inbox(connect().channel(), orders, auto_ack=True) for _ in range(3)]

    send(channel, orders, *(str(number) for number in range(9)))

    turns = [[int(text) for text in reader.texts(3)] for reader in readers]
    assert sorted(turns) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def prefetching(channel, queue, count, **options):
    channel.basic_qos(prefetch_count=count)
    return Inbox(channel, queue, **options)


def test_a_higher_priority_comes_first_as_long_as_it_has_room(connect, channel, queue):
    orders = queue("orders")
    low = prefetching(connect().channel(), orders, 10, arguments={"x-priority": -5})
    normal = prefetching(connect().channel(), orders, 1)
    high = prefetching(connect().channel(), orders, 2, arguments={"x-priority": 10})

    send(channel, orders, *"abcde")

    urgent = high.take(2)
    assert [delivery.text for delivery in urgent] == ["a", "b"]
    assert normal.texts(1) == ["c"]
    assert low.texts(2) == ["d", "e"]
    high.ack(urgent[1])
    assert fetch(high.channel, orders) is None  # What follows an ack is answered after it.
    send(channel, orders, "f")
    assert high.texts(1) == ["f"]
    assert_quiet(low, normal, high)


def test_an_exclusive_consumer_tolerates_no_other(connect, channel, queue):
    orders = queue("orders")
    alone = Inbox(channel, orders, exclusive=True)

    other = connect().channel()
    with channel_refused(other, 403, f"ACCESS_REFUSED - queue '{orders}' in vhost '/' in exclusive use"):
        Inbox(other, orders)

    channel.basic_cancel(alone.tag)
    Inbox(connect().channel(), orders)
    with channel_refused(channel, 403, f"ACCESS_REFUSED - queue '{orders}' in vhost '/' in exclusive use"):
        Inbox(channel, orders, exclusive=True)


def test_a_consumer_tag_is_used_once_on_a_channel(connection, wire, queue):
    orders = queue("orders")
    Inbox(connection.channel(), orders, consumer_tag="twin")
    Inbox(connection.channel(), orders, consumer_tag="twin")  # Another channel has its own tags.

    hand_made = wire()
    number = hand_made.open_channel()
    consume = spec.Basic.Consume(queue=orders, consumer_tag="twin")
    hand_made.call(number, consume, spec.Basic.ConsumeOk)
    close = hand_made.call(number, consume, spec.Connection.Close)
    assert (close.reply_code, close.reply_text[:11]) == (530, "NOT_ALLOWED")


def test_the_server_names_consumers(wire, queue):
    orders = queue("orders")
    hand_made = wire()  # pika would choose a tag by itself.
    number = hand_made.open_channel()

    tags = {
        hand_made.call(number, spec.Basic.Consume(queue=orders), spec.Basic.ConsumeOk).consumer_tag for _ in range(3)
    }

    assert len(tags) == 3
    assert all(tag.startswith("amq.ctag-") for tag in tags)


def test_consuming_from_a_missing_queue_is_refused(channel, name):
    missing = name("missing")

    with channel_refused(channel, 404, f"NOT_FOUND - no queue '{missing}' in vhost '/'"):
        channel.basic_consume(missing, print)


def test_after_a_cancel_nothing_comes_and_what_came_can_be_acked(channel, queue):
    orders = queue("orders")
    reader = Inbox(channel, orders)
    send(channel, orders, "before")
    held = reader.next()

    channel.basic_cancel(reader.tag)
    send(channel, orders, "after")

    assert_quiet(reader)
    reader.ack(held)
    assert drain(channel, orders) == ["after"]


def test_cancelling_an_unknown_consumer_is_fine(wire):
    hand_made = wire()  # pika would not send it.
    number = hand_made.open_channel()

    assert hand_made.call(number, spec.Basic.Cancel("nobody"), spec.Basic.CancelOk).consumer_tag == "nobody"


def test_consumers_hear_that_their_queue_is_deleted(connect, channel, queue):
    orders = queue("orders")
    reader = Inbox(connect().channel(), orders)
    cancelled = []
    reader.channel.add_on_cancel_callback(cancelled.append)

    channel.queue_delete(orders)
    until(lambda: cancelled, reader.channel.connection)

    assert cancelled[0].method.consumer_tag == reader.tag
    assert reader.channel.queue_declare("", exclusive=True)  # The channel lives on.


def test_clients_that_cannot_be_told_of_a_cancel_are_not_told(wire, channel, queue):
    orders = queue("orders")
    told = wire(capabilities={"consumer_cancel_notify": True})
    untold = wire()
    for hand_made in [told, untold]:
        hand_made.call(hand_made.open_channel(), spec.Basic.Consume(queue=orders), spec.Basic.ConsumeOk)

    channel.queue_delete(orders)

    assert told.expect(spec.Basic.Cancel)
    assert untold.call(1, spec.Basic.Qos(prefetch_count=1), spec.Basic.QosOk)


def test_get_takes_one_message_and_counts_the_rest(channel, queue):
    orders = queue("orders")
    send(channel, orders, "a", "b", "c")

    counts = [fetch(channel, orders).method.message_count for _ in range(3)]

    assert counts == [2, 1, 0]
    assert fetch(channel, orders) is None


def test_what_is_got_with_auto_ack_never_returns(connection, queue):
    orders = queue("orders")
    channel = connection.channel()
    channel.confirm_delivery()
    send(channel, orders, "a", "b")

    assert channel.basic_get(orders, auto_ack=True)[2] == b"a"
    channel.close()

    assert drain(connection.channel(), orders) == ["b"]


def test_consuming_begins_with_what_is_there_and_goes_on(channel, queue):
    orders = queue("orders")
    channel.confirm_delivery()
    send(channel, orders, "a", "b")
    reader = Inbox(channel, orders, auto_ack=True)
    assert reader.texts(2) == ["a", "b"]

    send(channel, orders, "c")

    assert reader.texts(1) == ["c"]
    assert depth(channel, orders) == 0


def test_pikas_own_way_of_iterating(channel, queue):
    orders = queue("orders")
    send(channel, orders, "a", "b", "c")

    seen = []
    for method, _properties, body in channel.consume(orders, inactivity_timeout=5):
        seen.append(body)
        channel.basic_ack(method.delivery_tag)
        if len(seen) == 2:
            break
    channel.cancel()

    assert seen == [b"a", b"b"]
    assert drain(channel, orders) == ["c"]  # The third had been delivered too, and went back.


def test_direct_replies_need_a_consumer_without_acks(channel, queue):
    with channel_refused(channel, 406, "PRECONDITION_FAILED"):
        channel.basic_consume("amq.rabbitmq.reply-to", print, auto_ack=False)


def test_direct_replies_need_a_consumer_first(channel, queue):
    requests = queue("requests")

    with channel_refused(channel, 406, "PRECONDITION_FAILED"):
        asked = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to")
        channel.basic_publish("", requests, "request", asked)
