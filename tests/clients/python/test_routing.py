"""Messages that go through several exchanges, to alternates, to copies, or back to their publisher."""

import pika
import pytest

from inbox import Inbox, assert_quiet, drain, fetch, until
from publisher import publish_confirmed
from refusals import channel_refused


def test_an_exchange_bound_to_an_exchange(channel, queue, exchange):
    inbox = queue("inbox")
    target = exchange("topic", {inbox: "#.error"})
    source = exchange("direct")
    channel.exchange_bind(target, source, "disk.error")
    channel.exchange_bind(target, source, "disk.info")

    for key in ["disk.error", "disk.info", "net.error"]:
        channel.basic_publish(source, key, key)
    channel.exchange_unbind(target, source, "disk.error")
    channel.basic_publish(source, "disk.error", "after unbinding")

    assert drain(channel, inbox) == ["disk.error"]


def test_a_cycle_of_exchanges_delivers_once(channel, queue, exchange):
    near, far = queue("near"), queue("far")
    a, b = exchange("fanout", {near: ""}), exchange("fanout", {far: ""})
    channel.exchange_bind(a, b)
    channel.exchange_bind(b, a)
    channel.exchange_bind(a, a)

    channel.basic_publish(a, "", "round and round")

    assert drain(channel, near) == drain(channel, far) == ["round and round"]


def test_a_queue_reached_by_two_ways_gets_one_copy(channel, queue, exchange):
    inbox = queue("inbox")
    left, right = exchange("fanout", {inbox: ""}), exchange("fanout", {inbox: ""})
    source = exchange("fanout")
    channel.exchange_bind(left, source)
    channel.exchange_bind(right, source)

    channel.basic_publish(source, "", "once")

    assert drain(channel, inbox) == ["once"]


def test_an_internal_exchange_is_for_exchanges_only(channel, queue, exchange):
    inbox = queue("inbox")
    internal = exchange("fanout", {inbox: ""}, internal=True)
    front = exchange("fanout")
    channel.exchange_bind(internal, front)

    channel.basic_publish(front, "", "through the front")

    assert drain(channel, inbox) == ["through the front"]
    with channel_refused(channel, 403, "ACCESS_REFUSED"):
        channel.basic_publish(internal, "", "straight in")


def test_the_alternate_exchange_gets_what_has_no_route(channel, queue, exchange):
    known, rest = queue("known"), queue("rest")
    lost_and_found = exchange("fanout", {rest: ""})
    front = exchange("direct", {known: "known"}, arguments={"alternate-exchange": lost_and_found})

    channel.basic_publish(front, "known", "1")
    channel.basic_publish(front, "unknown", "2")

    assert drain(channel, known) == ["1"]
    message = fetch(channel, rest)
    assert (message.text, message.method.exchange, message.method.routing_key) == ("2", front, "unknown")


def test_alternate_exchanges_form_a_chain(channel, queue, exchange):
    inbox = queue("inbox")
    last = exchange("fanout", {inbox: ""})
    middle = exchange("direct", arguments={"alternate-exchange": last})
    front = exchange("direct", arguments={"alternate-exchange": middle})

    channel.basic_publish(front, "no such key", "passed on twice")

    assert drain(channel, inbox) == ["passed on twice"]


def test_a_cycle_of_alternates_ends(url, channel, exchange, name):
    front = name("front")
    back = exchange("direct", arguments={"alternate-exchange": front})
    channel.exchange_declare(front, "direct", arguments={"alternate-exchange": back})

    assert publish_confirmed(url, [(front, "nowhere", "a")], mandatory=True) == [("return", "a"), ("ack", 1)]


def test_a_missing_alternate_drops(url, exchange, name):
    front = exchange("direct", arguments={"alternate-exchange": name("missing")})

    assert publish_confirmed(url, [(front, "nowhere", "a")], mandatory=True) == [("return", "a"), ("ack", 1)]


def test_mandatory_is_content_with_the_alternate(url, channel, queue, exchange):
    rest = queue("rest")
    front = exchange("direct", arguments={"alternate-exchange": exchange("fanout", {rest: ""})})

    assert publish_confirmed(url, [(front, "unknown", "a")], mandatory=True) == [("ack", 1)]
    assert drain(channel, rest) == ["a"]


def test_a_mandatory_message_comes_back_whole(channel, exchange):
    nowhere = exchange("direct")
    returned = []
    channel.add_on_return_callback(lambda _channel, *message: returned.append(message))

    sent = pika.BasicProperties(message_id="7", headers={"a": 1})
    channel.basic_publish(nowhere, "no such key", b"body", sent, mandatory=True)
    until(lambda: returned, channel.connection)

    [(method, properties, body)] = returned
    assert (method.reply_code, method.reply_text) == (312, "NO_ROUTE")
    assert (method.exchange, method.routing_key) == (nowhere, "no such key")
    assert (properties.message_id, properties.headers, body) == ("7", {"a": 1}, b"body")


def test_the_return_comes_before_the_confirm(url, exchange, queue):
    inbox = queue("inbox")
    half = exchange("direct", {inbox: "known"})

    events = publish_confirmed(
        url, [(half, key, key) for key in ["lost 1", "known", "lost 2"]], batch=1, mandatory=True
    )

    assert events == [("return", "lost 1"), ("ack", 1), ("ack", 2), ("return", "lost 2"), ("ack", 3)]


def test_without_mandatory_unroutable_messages_vanish(url, exchange):
    assert publish_confirmed(url, [(exchange("direct"), "nowhere", "a")]) == [("ack", 1)]


def test_cc_and_bcc_add_routing_keys(channel, queue, exchange):
    to, cc, bcc, nobody = queue("to"), queue("cc"), queue("bcc"), queue("nobody")
    post = exchange("direct", {to: "to", cc: "cc", bcc: "bcc", nobody: "nobody"})

    sent = pika.BasicProperties(headers={"CC": ["cc", "to"], "BCC": ["bcc"], "kept": 1})
    channel.basic_publish(post, "to", "letter", sent)

    for inbox in [to, cc, bcc]:
        letter = fetch(channel, inbox)
        assert (letter.text, letter.method.routing_key) == ("letter", "to")
        assert letter.properties.headers == {"CC": ["cc", "to"], "kept": 1}
        assert fetch(channel, inbox) is None
    assert drain(channel, nobody) == []


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_cc_reaches_queues_through_the_default_exchange(channel, queue, header):
    first, second = queue("first"), queue("second")

    channel.basic_publish("", first, "both", pika.BasicProperties(headers={header: [second]}))

    assert drain(channel, first) == drain(channel, second) == ["both"]


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_cc_must_be_a_list(channel, queue, header):
    inbox = queue("inbox")

    with channel_refused(channel, 406, "PRECONDITION_FAILED"):
        channel.basic_publish("", inbox, "letter", pika.BasicProperties(headers={header: "not a list"}))


def test_messages_from_one_channel_stay_in_order_through_any_exchange(connect, channel, queue, exchange):
    inbox = queue("inbox")
    by_key, by_topic = exchange("direct", {inbox: "key"}), exchange("topic", {inbox: "#"})
    reader = Inbox(connect().channel(), inbox, auto_ack=True)

    for number in range(0, 300, 3):
        channel.basic_publish(by_key, "key", str(number))
        channel.basic_publish(by_topic, "any.key", str(number + 1))
        channel.basic_publish("", inbox, str(number + 2))

    assert reader.texts(300) == [str(number) for number in range(300)]
    assert_quiet(reader)
