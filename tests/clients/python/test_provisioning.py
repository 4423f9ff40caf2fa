"""The calls of terraform-provider-rabbitmq and of the Go client under it (rabbit-hole), in their order: look
(404), create, create again, read back what was said, delete, look (404). What is read back has to be equal
to what was said, or Terraform finds something to change each time."""

import os
import uuid
from urllib.parse import quote, unquote

import pytest
import requests


class Api:
    def __init__(self):
        self.url = os.environ.get("WARREN_HTTP_URL", "http://127.0.0.1:15672") + "/api"
        self.session = requests.Session()
        self.session.auth = ("guest", "guest")

    def call(self, method, *path, body=None):
        """As Go's url.PathEscape and its client send it."""
        place = "/".join(quote(each, safe="$&+=:@") for each in path)
        return self.session.request(method, f"{self.url}/{place}", json=body, timeout=20)

    def is_missing(self, *path):
        answer = self.call("GET", *path)
        assert answer.status_code == 404
        assert answer.json()["error"] == "Object Not Found"

    def get(self, *path):
        answer = self.call("GET", *path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def api():
    return Api()


@pytest.fixture
def vhost(api):
    # A slash and a blank in a name show who escapes what.
    name = f"terra/form {uuid.uuid4().hex[:8]}"
    assert api.call("PUT", "vhosts", name, body={}).status_code == 201
    yield name
    assert api.call("DELETE", "vhosts", name).status_code == 204


def lives(api, path, body, read_back, update=None):
    """A resource's life. `read_back`: what a GET has to have; `update`: another body, and what comes back."""
    api.is_missing(*path)
    assert api.call("PUT", *path, body=body).status_code == 201
    assert api.call("PUT", *path, body=body).status_code == 204
    steps = [(body, read_back)] + ([update] if update else [])
    for said, wanted in steps:
        assert api.call("PUT", *path, body=said).status_code == 204
        # Twice: nothing drifts between two plans.
        for _ in range(2):
            read = api.get(*path)
            read = read[0] if isinstance(read, list) else read
            assert {key: read.get(key) for key in wanted} == wanted
    assert api.call("DELETE", *path).status_code == 204
    api.is_missing(*path)
    assert api.call("DELETE", *path).status_code == 404


def test_a_vhost(api):
    name = f"terra/form {uuid.uuid4().hex[:8]}"
    body = {"description": "made", "tags": "a,b", "default_queue_type": "quorum", "tracing": False}
    changed = {**body, "description": "changed", "tags": "", "default_queue_type": "classic"}
    lives(
        api,
        ("vhosts", name),
        body,
        {"name": name, "description": "made", "tags": ["a", "b"], "default_queue_type": "quorum", "tracing": False},
        (changed, {"description": "changed", "tags": [], "default_queue_type": "classic"}),
    )


def test_a_user(api):
    name = f"terra-{uuid.uuid4().hex[:8]}"
    lives(
        api,
        ("users", name),
        {"password": "secret", "tags": "monitoring,management"},
        {"name": name, "tags": ["monitoring", "management"], "limits": {}},
        ({"password": "other", "tags": ""}, {"tags": []}),
    )


@pytest.fixture
def user(api):
    name = f"terra-{uuid.uuid4().hex[:8]}"
    api.call("PUT", "users", name, body={"password": "secret", "tags": ""})
    yield name
    api.call("DELETE", "users", name)


def test_permissions(api, vhost, user):
    body = {"configure": "^a", "write": ".*", "read": ""}
    said = {**body, "vhost": vhost, "user": user}
    changed = {**body, "read": "^b"}
    lives(api, ("permissions", vhost, user), body, said, (changed, {**said, **changed}))


def test_topic_permissions(api, vhost, user):
    body = {"exchange": "amq.topic", "write": "^a", "read": ".*"}
    said = {**body, "vhost": vhost, "user": user}
    lives(api, ("topic-permissions", vhost, user), body, said)


# Go reads every number as a float and compares it with what the plan has: 5 has to stay a number, and whole.
ARGUMENTS = {
    "x-max-length": 5,
    "x-message-ttl": 60000,
    "x-dead-letter-exchange": "amq.fanout",
    "x-single-active-consumer": True,
    "x-overflow": "reject-publish",
}


def test_a_queue(api, vhost):
    body = {"durable": True, "auto_delete": False, "arguments": ARGUMENTS}
    # RabbitMQ adds the type to the arguments; the provider takes it out before it compares.
    read_back = {**body, "arguments": {**ARGUMENTS, "x-queue-type": "classic"}, "type": "classic"}
    lives(api, ("queues", vhost, "orders/1"), body, read_back)


def test_a_quorum_queue(api, vhost):
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 7}
    body = {"durable": True, "auto_delete": False, "arguments": arguments}
    lives(api, ("queues", vhost, "q"), body, {**body, "type": "quorum"})


def test_a_queue_that_is_otherwise_is_refused(api, vhost):
    path = ("queues", vhost, "q")
    assert api.call("PUT", *path, body={"durable": True, "arguments": {}}).status_code == 201
    answer = api.call("PUT", *path, body={"durable": True, "arguments": {"x-max-length": 5}})
    assert answer.status_code == 400
    assert answer.json()["error"] == "bad_request"
    assert "inequivalent arg 'x-max-length'" in answer.json()["reason"]


def test_an_exchange(api, vhost):
    body = {
        "type": "topic",
        "durable": True,
        "auto_delete": False,
        "internal": True,
        "arguments": {"alternate-exchange": "amq.fanout", "number": 5, "list": [1, "two", {"three": 3}], "real": 1.5},
    }
    lives(api, ("exchanges", vhost, "x/1"), body, {**body, "name": "x/1", "vhost": vhost})


@pytest.mark.parametrize("key", ["", "a.#", "key/with slash", "ü+%"])
@pytest.mark.parametrize("arguments", [{}, {"x-match": "all", "tenant": 5}])
def test_a_binding(api, vhost, key, arguments):
    api.call("PUT", "exchanges", vhost, "x/1", body={"type": "headers", "durable": True})
    api.call("PUT", "queues", vhost, "q/1", body={"durable": True})
    ends = ("bindings", vhost, "e", "x/1", "q", "q/1")
    body = {"routing_key": key, "arguments": arguments, "destination_type": "queue"}
    locations = []
    for _ in range(2):
        answer = api.call("POST", *ends, body=body)
        assert answer.status_code == 201
        locations.append(answer.headers["Location"])
    assert locations[0] == locations[1]
    # The provider keeps the last part, unescaped, as the binding's name.
    name = unquote(locations[0].split("/")[-1])
    found = [each for each in api.get(*ends) if each["properties_key"] == name]
    assert [(each["routing_key"], each["arguments"]) for each in found] == [(key, arguments)]
    assert api.get(*ends, name)["properties_key"] == name
    assert api.call("DELETE", *ends, name).status_code == 204
    api.is_missing(*ends, name)
    assert api.get(*ends) == []


def test_policies(api, vhost):
    body = {
        "pattern": "^orders\\.",
        "apply-to": "queues",
        "priority": 3,
        "definition": {"max-length": 5, "overflow": "reject-publish", "message-ttl": 1000},
    }
    for kind in ("policies", "operator-policies"):
        if kind == "operator-policies":
            body = {**body, "definition": {"max-length": 5, "message-ttl": 1000}}
        changed = {**body, "priority": 0, "definition": {"expires": 90000}}
        said = {"name": "p/1", "vhost": vhost}
        lives(api, (kind, vhost, "p/1"), body, {**body, **said}, (changed, changed))


def test_parameters(api, vhost):
    shovel = {
        "src-uri": "amqp://source",
        "src-queue": "q",
        "dest-uri": "amqp://destination",
        "dest-exchange": "x",
        "ack-mode": "on-confirm",
        "reconnect-delay": 5,
    }
    upstream = {"uri": "amqp://upstream", "prefetch-count": 100, "trust-user-id": False, "ack-mode": "on-confirm"}
    for component, value in (("shovel", shovel), ("federation-upstream", upstream)):
        path = ("parameters", component, vhost, "n/1")
        lives(api, path, {"value": value}, {"value": value, "component": component, "name": "n/1", "vhost": vhost})
