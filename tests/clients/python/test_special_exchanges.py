"""Kinds of exchanges that RabbitMQ has as plugins, as pika meets them."""

import pika
import pytest

from inbox import Inbox, assert_quiet, drain
from publisher import publish_confirmed
from refusals import channel_refused


@pytest.fixture(autouse=True)
def only_where_no_plugin_is_needed(server):
    if server["product"] != "Warren":
        pytest.skip("RabbitMQ needs plugins for this")


def with_headers(**headers):
    return pika.BasicProperties(headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_hash_sends_each_key_to_one_queue(channel, queue, exchange):
    queues = [queue(f"shard{n}") for n in range(3)]
    hashing = exchange("x-consistent-hash", {each: "1" for each in queues})

    for key in ["a", "b", "c", "d", "e", "f"] * 5:
        channel.basic_publish(hashing, key, key)

    shards = [drain(channel, each) for each in queues]
    assert sorted(sum(shards, [])) == sorted("abcdef" * 5)
    for key in "abcdef":
        assert sorted(shard.count(key) for shard in shards) == [0, 0, 5]


def test_a_weight_is_a_number(channel, queue, exchange):
    hashing, inbox = exchange("x-consistent-hash"), queue("inbox")

    with channel_refused(channel, 406, "PRECONDITION_FAILED - The binding key must be greater than 0"):
        channel.queue_bind(inbox, hashing, "0")


def test_a_delayed_message_comes_when_it_is_due(channel, queue, exchange):
    inbox = queue("inbox")
    later = exchange("x-delayed-message", {inbox: "k"}, durable=True, arguments={"x-delayed-type": "direct"})
    waiting = Inbox(channel, inbox, auto_ack=True)

    channel.basic_publish(later, "k", "in a second", with_headers(x_delay=1000))
    channel.basic_publish(later, "k", "now")

    assert waiting.texts(1) == ["now"]
    delivery = waiting.next()
    assert (delivery.text, delivery.properties.headers) == ("in a second", {"x-delay": -1000})


def test_a_delay_that_is_not_over_shows_nothing(url, channel, queue, exchange):
    inbox = queue("inbox")
    later = exchange("x-delayed-message", {inbox: "k"}, durable=True, arguments={"x-delayed-type": "direct"})
    waiting = Inbox(channel, inbox, auto_ack=True)

    properties = with_headers(x_delay=3_600_000)
    events = publish_confirmed(url, [(later, "k", "in an hour")], mandatory=True, properties=properties)

    assert events == [("ack", 1)]
    assert_quiet(waiting)


def test_a_delay_needs_a_kind_to_route_by(channel, exchange):
    must = "Invalid argument, 'x-delayed-type' must be an existing exchange type"
    with channel_refused(channel, 406, f"PRECONDITION_FAILED - {must}"):
        exchange("x-delayed-message")


def test_a_duplicate_is_acked_and_dropped(url, channel, queue, exchange):
    inbox = queue("inbox")
    once = exchange("direct", {inbox: "k"}, arguments={"x-message-deduplication": True})

    properties = with_headers(x_deduplication_header="order 7")
    events = publish_confirmed(url, [(once, "k", "first"), (once, "k", "second")], properties=properties)

    assert events == [("ack", 1), ("ack", 2)]
    assert drain(channel, inbox) == ["first"]


def test_who_comes_late_gets_the_history(channel, queue, exchange):
    news = exchange("x-recent-history", arguments={"x-recent-history-length": 2})
    for text in ["1", "2", "3"]:
        channel.basic_publish(news, "", text)
    inbox = queue("inbox")

    channel.queue_bind(inbox, news)

    assert drain(channel, inbox) == ["2", "3"]
