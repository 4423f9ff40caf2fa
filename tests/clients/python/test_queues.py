"""How queues are named, declared again, counted and purged."""

import pytest

from inbox import Inbox, consumers, depth, drain, fetch, gone, send
from refusals import channel_refused


def test_the_server_names_queues(channel):
    names = {channel.queue_declare("", exclusive=True).method.queue for _ in range(10)}

    assert len(names) == 10
    assert all(name.startswith("amq.gen-") for name in names)


def test_an_empty_name_means_the_queue_declared_last(channel, exchange):
    logs = exchange("fanout")
    channel.queue_declare("", exclusive=True)
    last = channel.queue_declare("", exclusive=True).method.queue

    channel.queue_bind("", logs, "")
    channel.basic_publish(logs, "", "1")
    channel.basic_publish(logs, "", "2")

    assert fetch(channel, "").text == "1"
    assert channel.queue_purge("").method.message_count == 1
    channel.queue_unbind("", logs, "")
    channel.queue_delete("")
    assert gone(channel.connection, last)


def test_an_empty_routing_key_with_an_empty_name_binds_by_that_queues_name(channel, exchange):
    by_name = exchange("direct")
    last = channel.queue_declare("", exclusive=True).method.queue

    channel.queue_bind("", by_name, "")
    channel.basic_publish(by_name, last, "message")

    assert drain(channel, last) == ["message"]


def test_without_a_queue_declared_an_empty_name_means_nothing(connection):
    channel = connection.channel()

    with channel_refused(channel, 404, "NOT_FOUND"):
        channel.queue_bind("", "amq.fanout", "")


def test_names_in_amq_belong_to_the_broker(channel, name):
    with channel_refused(channel, 403, "ACCESS_REFUSED"):
        channel.queue_declare("amq." + name("mine"), exclusive=True)


@pytest.mark.parametrize("odd", [" ", "a b/c?d", "ünïcödé-隊列", "x" * 240])
def test_names_may_be_odd(channel, queue, odd):
    named = queue(odd)

    send(channel, named, "message")

    assert drain(channel, named) == ["message"]


def test_passive_declares_look_and_do_not_touch(channel, queue, name):
    existing, missing = queue(arguments={"x-max-length": 5}), name("missing")

    assert channel.queue_declare(existing, passive=True).method.queue == existing
    with channel_refused(channel, 404, f"NOT_FOUND - no queue '{missing}' in vhost '/'"):
        channel.queue_declare(missing, passive=True)


def test_redeclaring_alike_is_fine(channel, queue):
    arguments = {"x-message-ttl": 60000, "x-max-length": 10, "x-dead-letter-exchange": ""}
    orders = queue("orders", arguments=arguments)
    channel.confirm_delivery()
    send(channel, orders, "kept")

    again = channel.queue_declare(orders, durable=True, arguments=arguments)

    assert again.method.message_count == 1


def test_the_classic_type_need_not_be_said(channel, queue):
    said, unsaid = queue(arguments={"x-queue-type": "classic"}), queue()

    channel.queue_declare(said, durable=True)
    channel.queue_declare(unsaid, durable=True, arguments={"x-queue-type": "classic"})


@pytest.mark.parametrize(
    "difference, reason",
    [
        (
            {"auto_delete": True},
            "inequivalent arg 'auto_delete' for queue '{}' in vhost '/': received 'true' but current is 'false'",
        ),
        (
            {"arguments": {"x-max-length": 9}},
            "inequivalent arg 'x-max-length' for queue '{}' in vhost '/': received '9' but current is '5'",
        ),
        (
            {"arguments": {}},
            "inequivalent arg 'x-max-length' for queue '{}' in vhost '/': "
            "received none but current is the value '5' of type 'signedint'",
        ),
        (
            {"arguments": {"x-max-length": 5, "x-expires": 60000}},
            "inequivalent arg 'x-expires' for queue '{}' in vhost '/': "
            "received the value '60000' of type 'signedint' but current is none",
        ),
    ],
)
def test_redeclaring_otherwise_is_refused(channel, queue, difference, reason):
    orders = queue("orders", arguments={"x-max-length": 5})

    with channel_refused(channel, 406, "PRECONDITION_FAILED - " + reason.format(orders)):
        channel.queue_declare(orders, **({"durable": True, "arguments": {"x-max-length": 5}} | difference))


def test_exclusive_cannot_be_added_later(channel, queue):
    orders = queue("orders")

    with channel_refused(channel, 405, f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{orders}'"):
        channel.queue_declare(orders, durable=True, exclusive=True)


@pytest.mark.parametrize(
    "argument", [{"x-max-length": "ten"}, {"x-message-ttl": -1}, {"x-expires": 0}, {"x-queue-type": "heap"}]
)
def test_arguments_must_make_sense(channel, name, argument):
    with channel_refused(channel, 406, "PRECONDITION_FAILED"):
        channel.queue_declare(name("odd"), durable=True, arguments=argument)


def test_declare_counts_ready_messages_and_consumers(channel, queue):
    orders = queue("orders")
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=1)
    send(channel, orders, "a", "b", "c")
    reader = Inbox(channel, orders)

    reader.next()

    assert depth(channel, orders) == 2
    assert consumers(channel, orders) == 1


def test_purge_spares_what_is_with_consumers(channel, queue):
    orders = queue("orders")
    send(channel, orders, "a", "b", "c")
    with_me = fetch(channel, orders)

    assert channel.queue_purge(orders).method.message_count == 2
    assert depth(channel, orders) == 0
    channel.basic_nack(with_me.tag, requeue=True)
    assert drain(channel, orders) == ["a"]


def test_purging_a_missing_queue_is_refused(channel, name):
    missing = name("missing")

    with channel_refused(channel, 404, f"no queue '{missing}' in vhost '/'"):
        channel.queue_purge(missing)


@pytest.mark.beyond_rabbitmq("4.3 denies transient queues that are not exclusive")
def test_transient_queues_are_shared_like_any_other(connect, channel, name):
    shared = name("transient")
    channel.queue_declare(shared, durable=False)
    channel.confirm_delivery()

    send(channel, shared, "message")

    assert drain(connect().channel(), shared) == ["message"]
