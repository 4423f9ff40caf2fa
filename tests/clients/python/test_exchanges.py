"""How the four kinds of exchange choose their queues."""

import pika
import pytest

from inbox import drain, send
from refusals import channel_refused


def test_the_default_exchange_routes_by_queue_name(channel, queue):
    near, far = queue("near"), queue("far")

    send(channel, near, "to near")

    assert drain(channel, near) == ["to near"]
    assert drain(channel, far) == []


def test_direct_wants_the_same_key(channel, queue, exchange):
    errors, warnings, both = queue("errors"), queue("warnings"), queue("both")
    logs = exchange("direct", {errors: "error", warnings: "warning", both: "error"})
    channel.queue_bind(both, logs, "warning")

    for key in ["error", "warning", "Error", "err", ""]:
        channel.basic_publish(logs, key, key)

    assert drain(channel, errors) == ["error"]
    assert drain(channel, warnings) == ["warning"]
    assert drain(channel, both) == ["error", "warning"]


def test_fanout_ignores_the_key(channel, queue, exchange):
    a, b = queue("a"), queue("b")
    news = exchange("fanout", {a: "some key", b: ""})

    channel.basic_publish(news, "some key", "1")
    channel.basic_publish(news, "another", "2")

    assert drain(channel, a) == drain(channel, b) == ["1", "2"]


@pytest.mark.parametrize(
    "pattern, key, matches",
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.b", "a", False),
        ("a.b", "a.b.c", False),
        ("*", "a", True),
        ("*", "", False),  # RabbitMQ: the empty key has no words, not one empty word.
        ("*", "a.b", False),
        ("*.*", "a.b", True),
        ("*.*", "a", False),
        ("*.*", ".", True),
        ("*.b", "a.b", True),
        ("*.b", ".b", True),
        ("*.b", "b", False),
        ("a.*", "a.", True),
        ("a.*.c", "a..c", True),
        ("a.*.c", "a.c", False),
        ("#", "", True),
        ("#", "a", True),
        ("#", "a.b.c", True),
        ("#", "..", True),
        ("#.#", "", True),
        ("#.#", "a", True),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("a.#", "ab", False),
        ("#.c", "c", True),
        ("#.c", "a.b.c", True),
        ("#.c", "a.c.b", False),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.b.b.c", True),
        ("a.#.c", "a.b", False),
        ("#.b.#", "a.b.c", True),
        ("#.b.#", "b", True),
        ("#.b.#", "a.c", False),
        ("*.#", "", False),
        ("*.#", "a", True),
        ("#.*", "a.b", True),
        ("#.*", "", False),
        ("*.#.*", "a", False),
        ("*.#.*", "a.b", True),
        ("a.#.b.#", "a.x.b.y", True),  # RabbitMQ 4.3 takes two '#' at most.
        ("a.#.b.#", "b.x.a.y", False),
        ("", "", True),
        ("", "a", False),
        ("..", "..", True),
        ("..", ".", False),
        ("a*", "ab", False),  # Within a word, the wildcards are letters like any other.
        ("a*", "a*", True),
        ("a#", "a", False),
        ("ä.*", "ä.ö", True),
        ("w." * 127 + "#", "w." * 127 + "w", True),
    ],
)
def test_topic_patterns(channel, queue, exchange, pattern, key, matches):
    matched, everything = queue("matched"), queue("everything")
    topics = exchange("topic", {matched: pattern, everything: "#"})

    channel.basic_publish(topics, key, "message")

    assert drain(channel, everything) == ["message"]
    assert drain(channel, matched) == (["message"] if matches else [])


def test_topic_bindings_come_and_go_one_by_one(channel, queue, exchange):
    inbox = queue("inbox")
    topics = exchange("topic", {inbox: "a.*"})
    channel.queue_bind(inbox, topics, "a.#")

    channel.queue_unbind(inbox, topics, "a.#")

    for key in ["a", "a.b", "a.b.c"]:
        channel.basic_publish(topics, key, key)
    assert drain(channel, inbox) == ["a.b"]


@pytest.mark.parametrize("kind", ["direct", "topic", "fanout", "headers"])
def test_one_copy_however_many_bindings_match(channel, queue, exchange, kind):
    inbox = queue("inbox")
    source = exchange(kind, {inbox: "a.b"})
    channel.queue_bind(inbox, source, "a.b")
    channel.queue_bind(inbox, source, "a.*")
    channel.queue_bind(inbox, source, "#", arguments={"x-match": "all"})

    channel.basic_publish(source, "a.b", "once", pika.BasicProperties(headers={}))

    assert drain(channel, inbox) == ["once"]


@pytest.mark.parametrize(
    "x_match, wanted, headers, matches",
    [
        ("all", {"a": 1, "b": "x"}, {"a": 1, "b": "x"}, True),
        ("all", {"a": 1, "b": "x"}, {"a": 1, "b": "x", "c": "more"}, True),
        ("all", {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, False),
        ("all", {"a": 1, "b": "x"}, {"a": 1}, False),
        ("all", {"a": 1}, {"a": "1"}, False),
        ("all", {}, {"a": 1}, True),
        ("all", {}, {}, True),
        ("all", {"a": None}, {"a": "anything"}, True),  # A void value asks for presence alone.
        ("all", {"a": None}, {"b": 1}, False),
        ("all", {"a": True}, {"a": True}, True),
        ("all", {"a": True}, {"a": False}, False),
        ("all", {"a": 1, "x-b": "x"}, {"a": 1}, True),  # Keys in x- are not looked at …
        ("all-with-x", {"a": 1, "x-b": "x"}, {"a": 1}, False),  # … unless asked for.
        ("all-with-x", {"a": 1, "x-b": "x"}, {"a": 1, "x-b": "x"}, True),
        ("any", {"a": 1, "b": "x"}, {"b": "x"}, True),
        ("any", {"a": 1, "b": "x"}, {"a": 2, "b": "y"}, False),
        ("any", {"a": 1, "b": None}, {"b": "anything"}, True),
        ("any", {}, {"a": 1}, False),
        ("any", {"a": 1, "x-b": "x"}, {"x-b": "x"}, False),
        ("any-with-x", {"a": 1, "x-b": "x"}, {"x-b": "x"}, True),
        ("any-with-x", {"a": 1, "x-b": "x"}, {"x-b": "y"}, False),
        (None, {"a": 1, "b": "x"}, {"a": 1}, False),  # Without x-match, all must match.
        (None, {"a": 1, "b": "x"}, {"a": 1, "b": "x"}, True),
    ],
)
def test_headers_matching(channel, queue, exchange, x_match, wanted, headers, matches):
    matched, everything = queue("matched"), queue("everything")
    by_headers = exchange("headers")
    channel.queue_bind(everything, by_headers)
    channel.queue_bind(matched, by_headers, arguments=wanted | ({"x-match": x_match} if x_match else {}))

    channel.basic_publish(by_headers, "", "message", pika.BasicProperties(headers=headers))

    assert drain(channel, everything) == ["message"]
    assert drain(channel, matched) == (["message"] if matches else [])


def test_a_message_without_headers_matches_an_empty_wish(channel, queue, exchange):
    picky, easy = queue("picky"), queue("easy")
    by_headers = exchange("headers")
    channel.queue_bind(picky, by_headers, arguments={"a": 1})
    channel.queue_bind(easy, by_headers)

    channel.basic_publish(by_headers, "", "bare")

    assert drain(channel, easy) == ["bare"]
    assert drain(channel, picky) == []


def test_x_match_must_be_one_of_the_four(channel, queue, exchange):
    inbox, by_headers = queue("inbox"), exchange("headers")

    with channel_refused(channel, 406, "PRECONDITION_FAILED"):
        channel.queue_bind(inbox, by_headers, arguments={"x-match": "most", "a": 1})


def test_bindings_differ_by_their_arguments(channel, queue, exchange):
    inbox, by_headers = queue("inbox"), exchange("headers")
    channel.queue_bind(inbox, by_headers, arguments={"colour": "red"})
    channel.queue_bind(inbox, by_headers, arguments={"colour": "blue"})

    channel.queue_unbind(inbox, by_headers, arguments={"colour": "red"})

    for colour in ["red", "blue"]:
        channel.basic_publish(by_headers, "", colour, pika.BasicProperties(headers={"colour": colour}))
    assert drain(channel, inbox) == ["blue"]
