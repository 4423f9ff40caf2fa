"""Prometheus' own parser reads what the broker exposes, and its numbers move with the messages."""
import os
import urllib.request

import pytest
from inbox import until

parser = pytest.importorskip("prometheus_client.parser")


def scrape(port, path="/metrics"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return list(parser.text_string_to_metric_families(answer.read().decode()))


def total(families, name, **labels):
    samples = [s for family in families for s in family.samples if s.name == name]
    return sum(s.value for s in samples if all(s.labels.get(k) == v for k, v in labels.items()))


@pytest.fixture
def port():
    port = os.environ.get("WARREN_PROMETHEUS_PORT")
    return port or pytest.skip("WARREN_PROMETHEUS_PORT says where to scrape")


@pytest.mark.parametrize("path", [
    "/metrics", "/metrics/per-object", "/metrics/memory-breakdown",
    "/metrics/detailed?family=queue_metrics&family=channel_metrics&family=exchange_bindings",
])
def test_everything_exposed_can_be_parsed(port, path, queue):
    queue('a "quoted" \\ name')
    families = scrape(port, path)
    assert families
    for family in families:
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family


def test_numbers_move_with_the_messages(port, channel, queue):
    orders = queue("orders")
    before = scrape(port)
    for number in range(10):
        channel.basic_publish("", orders, str(number))
    until(lambda: count(channel, orders) == 10)
    for _ in range(4):
        method, _, _ = channel.basic_get(orders)
        channel.basic_ack(method.delivery_tag)
    until(lambda: count(channel, orders) == 6)
    after = scrape(port)

    def moved(name):
        return total(after, name) - total(before, name)

    assert moved("rabbitmq_global_messages_received_total") >= 10
    assert moved("rabbitmq_global_messages_delivered_get_manual_ack_total") >= 4
    detailed = scrape(port, "/metrics/detailed?family=queue_coarse_metrics")
    assert total(detailed, "rabbitmq_detailed_queue_messages_ready", queue=orders) == 6


def count(channel, name):
    return channel.queue_declare(name, passive=True).method.message_count
