"""How exchanges are declared, lent to one another, refused and deleted."""

import pytest

from inbox import drain
from refusals import channel_refused

PREDECLARED = {
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.topic": "topic",
    "amq.headers": "headers",
    "amq.match": "headers",
}


@pytest.mark.parametrize("predeclared, kind", PREDECLARED.items())
def test_predeclared_exchanges(channel, queue, predeclared, kind):
    inbox = queue("inbox")

    channel.exchange_declare(predeclared, passive=True)
    channel.exchange_declare(predeclared, kind, durable=True)
    channel.queue_bind(inbox, predeclared, inbox, arguments={"x-match": "any", "never": "sent"})
    channel.basic_publish(predeclared, inbox, "message")

    assert drain(channel, inbox) == ([] if kind == "headers" else ["message"])
    with channel_refused(channel, 403, "ACCESS_REFUSED"):
        channel.exchange_delete(predeclared)


def test_names_in_amq_belong_to_the_broker(channel, name):
    with channel_refused(channel, 403, "ACCESS_REFUSED"):
        channel.exchange_declare("amq." + name("mine"), "direct")


def test_the_default_exchange_cannot_be_changed(connection, queue):
    inbox = queue("inbox")
    for change in [
        lambda channel: channel.exchange_declare("", "direct", durable=True),
        lambda channel: channel.exchange_delete(""),
        lambda channel: channel.queue_bind(inbox, "", "key"),
        lambda channel: channel.queue_unbind(inbox, "", inbox),
        lambda channel: channel.exchange_bind("amq.fanout", ""),
    ]:
        channel = connection.channel()
        with channel_refused(channel, 403, "ACCESS_REFUSED"):
            change(channel)


def test_redeclaring_alike_is_fine(channel, exchange):
    logs = exchange("topic", durable=True, arguments={"alternate-exchange": "amq.fanout"})

    channel.exchange_declare(logs, "topic", durable=True, arguments={"alternate-exchange": "amq.fanout"})
    channel.exchange_declare(logs, passive=True)


@pytest.mark.parametrize(
    "difference, argument",
    [
        ({"exchange_type": "direct"}, "type"),
        ({"durable": False}, "durable"),
        ({"auto_delete": True}, "auto_delete"),
        ({"internal": True}, "internal"),
        ({"arguments": {"alternate-exchange": "amq.fanout"}}, "alternate-exchange"),
    ],
)
def test_redeclaring_otherwise_is_refused(channel, exchange, difference, argument):
    logs = exchange("topic", durable=True)

    with channel_refused(channel, 406, f"inequivalent arg '{argument}' for exchange '{logs}' in vhost '/'"):
        channel.exchange_declare(logs, **({"exchange_type": "topic", "durable": True} | difference))


def test_a_missing_exchange_is_not_found(connection, queue, name):
    inbox, missing = queue("inbox"), name("missing")
    for wish in [
        lambda channel: channel.exchange_declare(missing, passive=True),
        lambda channel: channel.basic_publish(missing, "key", "lost"),
        lambda channel: channel.queue_bind(inbox, missing, "key"),
        lambda channel: channel.exchange_bind(missing, "amq.fanout"),
        lambda channel: channel.exchange_bind("amq.fanout", missing),
    ]:
        channel = connection.channel()
        with channel_refused(channel, 404, f"NOT_FOUND - no exchange '{missing}' in vhost '/'"):
            wish(channel)


def test_an_unknown_kind_is_refused(channel, name):
    with channel_refused(channel, 406, "unknown exchange type 'x-telepathy'"):
        channel.exchange_declare(name("mind"), "x-telepathy")


def test_deleting_is_idempotent(channel, exchange):
    logs = exchange("fanout")

    channel.exchange_delete(logs)
    channel.exchange_delete(logs)

    with channel_refused(channel, 404, f"no exchange '{logs}'"):
        channel.exchange_declare(logs, passive=True)


def test_an_exchange_in_use_can_be_spared(channel, queue, exchange):
    inbox = queue("inbox")
    logs = exchange("fanout", {inbox: ""})

    with channel_refused(channel, 406, f"PRECONDITION_FAILED - exchange '{logs}' in vhost '/' in use"):
        channel.exchange_delete(logs, if_unused=True)


def test_an_unused_exchange_is_not_spared(channel, queue, exchange):
    inbox = queue("inbox")
    logs = exchange("fanout", {inbox: ""})
    channel.queue_unbind(inbox, logs, "")

    channel.exchange_delete(logs, if_unused=True)

    with channel_refused(channel, 404, f"no exchange '{logs}'"):
        channel.exchange_declare(logs, passive=True)


def test_deleting_takes_the_bindings_along(channel, queue, exchange):
    inbox = queue("inbox")
    logs = exchange("fanout", {inbox: ""})

    channel.exchange_delete(logs)
    channel.exchange_declare(logs, "fanout")
    channel.basic_publish(logs, "", "to nobody")

    assert drain(channel, inbox) == []


def test_auto_delete_waits_for_a_first_binding_and_goes_with_the_last(channel, queue, exchange):
    a, b = queue("a"), queue("b")
    logs = exchange("fanout", auto_delete=True)
    channel.exchange_declare(logs, passive=True)
    channel.queue_bind(a, logs, "")
    channel.queue_bind(b, logs, "")

    channel.queue_unbind(a, logs, "")
    channel.exchange_declare(logs, passive=True)
    channel.queue_unbind(b, logs, "")

    with channel_refused(channel, 404, f"no exchange '{logs}'"):
        channel.exchange_declare(logs, passive=True)


def test_auto_delete_goes_with_its_last_queue(channel, queue, exchange):
    inbox = queue("inbox")
    logs = exchange("fanout", {inbox: ""}, auto_delete=True)

    channel.queue_delete(inbox)

    with channel_refused(channel, 404, f"no exchange '{logs}'"):
        channel.exchange_declare(logs, passive=True)


def test_auto_delete_runs_down_a_chain_of_exchanges(channel, queue, exchange):
    inbox = queue("inbox")
    first, second = exchange("fanout", auto_delete=True), exchange("fanout", {inbox: ""}, auto_delete=True)
    channel.exchange_bind(second, first)

    channel.queue_delete(inbox)

    for gone in [first, second]:
        with channel.connection.channel() as fresh, channel_refused(fresh, 404, f"no exchange '{gone}'"):
            fresh.exchange_declare(gone, passive=True)


def test_unbinding_what_was_never_bound_is_fine(channel, queue, exchange):
    inbox, logs = queue("inbox"), exchange("direct")

    channel.queue_unbind(inbox, logs, "never")
    channel.exchange_unbind(logs, "amq.fanout", "never")
