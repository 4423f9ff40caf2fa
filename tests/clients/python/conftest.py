"""What every test starts from: the broker's address, connections to it, and names that nobody else uses."""

import os
import uuid

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

pytest.register_assert_rewrite("inbox", "refusals")

from inbox import until  # noqa: E402
from wire import Wire  # noqa: E402


@pytest.fixture(scope="session")
def url():
    return os.environ.get("WARREN_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")


@pytest.fixture(scope="session")
def server(url):
    """The properties with which the broker introduces itself."""
    with Wire(url) as wire:
        return wire.server_properties


@pytest.fixture(scope="session")
def janitor(url):
    """The connection that takes away what tests leave behind."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 0
    with pika.BlockingConnection(parameters) as connection:
        yield connection


@pytest.fixture
def name(janitor):
    """Makes names of this test's own. A queue or an exchange so named is deleted in the end."""
    names = []

    def unique(hint):
        names.append(f"{hint}.{uuid.uuid4().hex[:8]}")
        return names[-1]

    yield unique
    for used in names:
        until(lambda used=used: removed(janitor, used))


def removed(janitor, used):
    """Deletes what is so named. RabbitMQ may still be busy removing an exclusive queue: False, try again."""
    try:
        with janitor.channel() as channel:
            channel.queue_delete(used)
            channel.exchange_delete(used)
        return True
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code != 405:
            raise
        return False


@pytest.fixture
def connect(url, name):
    """Opens connections, with any of pika's parameters changed; they close before names are cleaned up."""
    connections = []

    def open_connection(**changes):
        parameters = pika.URLParameters(url)
        for parameter, value in changes.items():
            setattr(parameters, parameter, value)
        connections.append(pika.BlockingConnection(parameters))
        return connections[-1]

    yield open_connection
    for connection in connections:
        if connection.is_open:
            connection.close()


@pytest.fixture
def connection(connect):
    return connect()


@pytest.fixture
def channel(connection):
    return connection.channel()


@pytest.fixture
def queue(channel, name):
    """Declares queues, durable unless they are exclusive: what every RabbitMQ accepts."""

    def declare(hint="queue", exclusive=False, **options):
        declared = name(hint)
        channel.queue_declare(declared, durable=not exclusive, exclusive=exclusive, **options)
        return declared

    return declare


@pytest.fixture
def exchange(channel, name):
    """Declares exchanges, and binds queues to them on the way: `exchange("topic", {orders: "a.*"})`."""

    def declare(kind, bindings=None, **options):
        declared = name(kind)
        channel.exchange_declare(declared, kind, **options)
        for bound, key in (bindings or {}).items():
            channel.queue_bind(bound, declared, key)
        return declared

    return declare


@pytest.fixture
def wire(url, name):
    """Opens hand-made connections, for what no client library would do."""
    wires = []

    def open_wire(**options):
        wires.append(Wire(url, **options))
        return wires[-1]

    yield open_wire
    for opened in wires:
        opened.drop()


@pytest.fixture(autouse=True)
def expect_what_is_still_to_come_to_fail(request):
    """A test marked `later(feature)` runs, and is reported once it passes on Warren."""
    marker = request.node.get_closest_marker("later")
    if marker and request.getfixturevalue("server")["product"] == "Warren":
        request.applymarker(pytest.mark.xfail(strict=True, reason=f"still to come: {marker.args[0]}"))


@pytest.fixture(autouse=True)
def skip_what_goes_beyond_rabbitmq(request):
    marker = request.node.get_closest_marker("beyond_rabbitmq")
    if marker and request.getfixturevalue("server")["product"] == "RabbitMQ":
        pytest.skip(f"RabbitMQ {marker.args[0]}")
