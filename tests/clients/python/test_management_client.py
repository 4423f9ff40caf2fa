"""AMQPStorm's client for RabbitMQ's management API, unchanged, does everything that it can do."""

import os
import uuid

import pika
import pytest
from amqpstorm.management import ApiError, ManagementApi

from inbox import until


@pytest.fixture(scope="module")
def api():
    url = os.environ.get("WARREN_HTTP_URL", "http://127.0.0.1:15672")
    with ManagementApi(url, "guest", "guest") as api:
        yield api


@pytest.fixture
def vhost(api):
    name = f"amqpstorm-{uuid.uuid4().hex[:8]}"
    api.virtual_host.create(name)
    yield name
    api.virtual_host.delete(name)


def test_the_broker_as_a_whole(api):
    assert api.aliveness_test() == {"status": "ok"}
    assert api.healthchecks.get() == {"status": "ok"}
    assert api.whoami()["name"] == "guest"
    assert api.cluster_name()["name"]
    node = api.overview()["node"]
    assert [each["name"] for each in api.nodes()] == [node]
    assert api.node(node)["running"] is True


def test_queues_exchanges_and_bindings(api, vhost):
    api.queue.declare("q", virtual_host=vhost, durable=True, arguments={"x-max-length": 7})
    api.exchange.declare("x", "topic", virtual_host=vhost, durable=True)
    api.exchange.declare("inner", "fanout", virtual_host=vhost)
    assert api.queue.get("q", virtual_host=vhost)["arguments"]["x-max-length"] == 7
    assert "x" in {each["name"] for each in api.exchange.list(virtual_host=vhost)}
    api.queue.bind(queue="q", exchange="x", routing_key="a.*", virtual_host=vhost)
    api.exchange.bind(source="x", destination="inner", routing_key="b", virtual_host=vhost)
    keys = {each["routing_key"] for each in api.queue.bindings("q", virtual_host=vhost)}
    assert keys == {"q", "a.*"}
    assert api.exchange.bindings("x", virtual_host=vhost)
    api.queue.unbind(queue="q", exchange="x", routing_key="a.*", virtual_host=vhost)
    api.exchange.unbind(source="x", destination="inner", routing_key="b", virtual_host=vhost)
    assert len(api.queue.bindings("q", virtual_host=vhost)) == 1
    api.exchange.delete("inner", virtual_host=vhost)
    api.queue.delete("q", virtual_host=vhost)
    with pytest.raises(ApiError) as missing:
        api.queue.get("q", virtual_host=vhost)
    assert missing.value.error_code == 404


def test_messages(api, vhost):
    api.queue.declare("q", virtual_host=vhost)
    for body in ("one", "two"):
        routed = api.basic.publish(
            body, "q", exchange="amq.default", virtual_host=vhost, properties={"message_id": body}
        )
        assert routed == {"routed": True}
    first = api.basic.get("q", virtual_host=vhost, requeue=True)[0]
    assert (first.body, first.message_id) == ("one", "one")
    api.queue.purge("q", virtual_host=vhost)
    assert api.basic.get("q", virtual_host=vhost) == []


def test_users_and_permissions(api, vhost):
    name = f"amqpstorm-{uuid.uuid4().hex[:8]}"
    api.user.create(name, "secret", tags="monitoring")
    api.user.set_permission(name, vhost, configure_regex="^a", write_regex=".*", read_regex="")
    permission = api.user.get_permission(name, vhost)
    assert (permission["configure"], permission["write"], permission["read"]) == ("^a", ".*", "")
    assert name in {each["name"] for each in api.user.list()}
    assert len(api.user.get_permissions(name)) == 1
    assert name in {each["user"] for each in api.virtual_host.get_permissions(vhost)}
    api.user.delete_permission(name, vhost)
    api.user.delete(name)
    with pytest.raises(ApiError):
        api.user.get(name)


def test_connections_are_seen_and_closed(api, url):
    name = f"amqpstorm-{uuid.uuid4().hex[:8]}"
    parameters = pika.URLParameters(url)
    parameters.client_properties = {"connection_name": name}
    connection = pika.BlockingConnection(parameters)
    connection.channel()

    def own():
        return [each for each in api.connection.list() if each.get("user_provided_name") == name]

    until(lambda: len(own()) == 1)
    path = own()[0]["name"]
    assert api.connection.get(path)["user"] == "guest"
    until(lambda: [each for each in api.channel.list() if each["connection_details"]["name"] == path])
    api.connection.close(path, reason="that is all")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
        until(lambda: connection.process_data_events(0.1))
    assert closed.value.reply_code == 320
