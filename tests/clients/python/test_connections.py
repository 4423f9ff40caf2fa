"""How connections begin, are kept alive and end."""

import socket

import pika
import pytest
from pika import spec
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from inbox import DEADLINE, Inbox, consumers, depth, gone, send, until
from refusals import channel_refused, connection_refused


def test_the_server_says_what_it_can(server):
    assert {"product", "version", "platform", "capabilities"} <= server.keys()
    for capability in [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ]:
        assert server["capabilities"][capability] is True


def test_a_wrong_password_and_an_unknown_user_look_the_same(url, connect):
    user = pika.URLParameters(url).credentials.username
    reasons = []
    for credentials in [pika.PlainCredentials(user, "wrong"), pika.PlainCredentials("nobody", "wrong")]:
        with pytest.raises(ProbableAuthenticationError) as refused:
            connect(credentials=credentials)
        reasons.append(str(refused.value))

    assert reasons[0] == reasons[1]
    assert "(403) 'ACCESS_REFUSED" in reasons[0]


def test_a_missing_vhost_is_refused_by_name(connect):
    with pytest.raises(ProbableAccessDeniedError, match="530.*NOT_ALLOWED - .*nowhere"):
        connect(virtual_host="nowhere")


def test_another_version_is_answered_with_ours(url):
    broker = pika.URLParameters(url)
    with socket.create_connection((broker.host, broker.port), timeout=DEADLINE) as stranger:
        stranger.sendall(b"AMQP\x00\x00\x09\x02")
        assert stranger.recv(8, socket.MSG_WAITALL) == b"AMQP\x00\x00\x09\x01"


def test_clients_may_say_much_about_themselves(connect):
    connection = connect(
        client_properties={
            "connection_name": "the talkative client",
            "product": "tests",
            "token": "x" * 6000,
            "nested": {"list": ["a", 1, {"deep": True}]},
        }
    )

    assert connection.channel().is_open


@pytest.mark.beyond_rabbitmq("hangs up without a word, after three seconds")
@pytest.mark.parametrize(
    "excess", [{"frame_max": 4096}, {"frame_max": 2**31}, {"frame_max": 0}, {"channel_max": 0}, {"channel_max": 65535}]
)
def test_clients_may_lower_the_limits_within_reason(wire, excess):
    close = wire(**excess).outcome

    assert (close.reply_code, close.reply_text[:11]) == (530, "NOT_ALLOWED")


def test_channels_are_limited_to_what_was_agreed(wire):
    hand_made = wire(channel_max=3)
    for number in [1, 2, 3]:
        hand_made.open_channel(number)

    close = hand_made.call(4, spec.Channel.Open(), spec.Connection.Close)

    assert close.reply_code == 530


def test_closed_channels_make_room_for_others(connect):
    connection = connect(channel_max=2)
    keeper = connection.channel()

    for _ in range(20):
        connection.channel().close()
    for _ in range(20):
        with pytest.raises(ChannelClosedByBroker):
            connection.channel().queue_declare("amq.missing", passive=True)

    assert keeper.queue_declare("", exclusive=True)


def test_a_channel_is_opened_once(wire):
    hand_made = wire()
    hand_made.open_channel(1)

    assert hand_made.call(1, spec.Channel.Open(), spec.Connection.Close).reply_code == 504


def test_a_channel_must_be_opened_before_use(wire):
    assert wire().call(7, spec.Queue.Declare(exclusive=True), spec.Connection.Close).reply_code == 504


def test_silent_peers_are_hung_up_on_and_talkative_ones_kept(connect, wire):
    silent, careless, chatty = wire(heartbeat=1), wire(heartbeat=0), wire(heartbeat=1)
    punctual = connect(heartbeat=1)  # pika sends heartbeats, and insists on the server's.
    chatty.open_channel()

    def silence_has_ended():
        chatty.call(1, spec.Basic.Qos(prefetch_count=1), spec.Basic.QosOk)  # Any traffic is a heartbeat.
        return silent.hung_up()

    until(silence_has_ended, punctual)

    assert punctual.channel().is_open
    assert chatty.open_channel(2)
    assert careless.open_channel()  # Nobody counts its heartbeats.


def test_the_server_sends_heartbeats_while_nothing_happens(wire):
    waiting = wire(heartbeat=1)

    assert isinstance(waiting.receive(), pika.frame.Heartbeat)


def test_a_broken_heartbeat_frame_costs_the_connection(wire):
    hand_made = wire()

    hand_made.socket.sendall(b"\x08\x00\x00\x00\x00\x00\x00\x00")  # Its last byte should be 206.

    assert hand_made.expect(spec.Connection.Close).reply_code == 501


def test_everything_published_before_a_close_arrives(connect, channel, queue):
    orders = queue("orders")
    writer = connect()
    send(writer.channel(), orders, *(str(number) for number in range(2000)))

    writer.close()

    assert Inbox(channel, orders, auto_ack=True).texts(2000) == [str(number) for number in range(2000)]


def test_closing_amid_deliveries_loses_nothing(connect, channel, queue):
    orders = queue("orders")
    channel.confirm_delivery()
    texts = [f"{number}" * 200 for number in range(500)]
    send(channel, orders, *texts)
    reader = Inbox(connect().channel(), orders)
    reader.take(1)

    reader.channel.connection.close()  # Most of the messages are on their way by now.
    until(lambda: depth(channel, orders) == 500)

    assert Inbox(channel, orders).texts(500) == texts


def test_a_closed_connection_takes_its_consumers_along(connect, channel, queue):
    orders = queue("orders")
    visitor = connect()
    Inbox(visitor.channel(), orders)
    assert consumers(channel, orders) == 1

    visitor.close()

    until(lambda: consumers(channel, orders) == 0)


def test_when_the_server_closes_others_go_on(connect, channel, queue, name):
    orders, mine = queue("orders"), name("mine")
    channel.confirm_delivery()
    send(channel, orders, "a")
    culprit = connect()
    culprit_channel = culprit.channel()
    culprit_channel.queue_declare(mine, exclusive=True)
    Inbox(culprit_channel, orders).take(1)

    with connection_refused(culprit, 540, "NOT_IMPLEMENTED"):
        culprit_channel.basic_qos(prefetch_size=1)

    until(lambda: gone(channel.connection, mine))
    until(lambda: depth(channel, orders) == 1)


def test_a_channel_error_leaves_the_other_channels_alone(connection, queue):
    orders = queue("orders")
    good, bad = connection.channel(), connection.channel()
    reader = Inbox(good, orders)

    with channel_refused(bad, 404, "NOT_FOUND"):
        bad.queue_declare(orders + ".missing", passive=True)

    send(good, orders, "a")
    assert reader.texts(1) == ["a"]


def test_pikas_callers_see_why_the_server_hung_up(connection, channel):
    with pytest.raises(ConnectionClosedByBroker) as closed:
        channel.basic_recover(requeue=False)

    assert closed.value.reply_code == 540
    assert connection.is_closed
