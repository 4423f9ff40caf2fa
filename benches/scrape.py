#!/usr/bin/env python3
"""How long a scrape takes with many queues, and whether it hurts traffic.

    benches/scrape.py BINARY [QUEUES] [SCRAPES] [SECONDS]

Starts a broker of its own with QUEUES (10000), each with a few messages, and scrapes each path SCRAPES times (15),
with and without gzip, while nothing else happens. Then a load of 50,000 messages a second runs for SECONDS (10) three
times: alone, with a scrape of `/metrics/per-object` (gzip) every second, and alone again. Prints Markdown tables.
Standard library only.
"""

import gzip
import http.client
import json
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

from expiry import Peer, frame, long, method, short

binary = os.path.abspath(sys.argv[1])
queues, scrapes, seconds = (int(given) for given in (*sys.argv[2:5], *("10000", "15", "10")[len(sys.argv) - 2:]))
PATHS = ["/metrics", "/metrics/per-object",
         "/metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count"]


def cpu(pid):
    """Seconds of CPU that a process has taken."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Broker:
    def __init__(self, dir):
        self.log = open(os.path.join(dir, "log"), "w+")
        self.process = subprocess.Popen(
            [binary, "--data-dir", os.path.join(dir, "data"), "--bind", "127.0.0.1", "--amqp-port", "0",
             "--http-port", "0", "--prometheus-port", "0"], stderr=self.log)
        self.pid = self.process.pid
        while not (ready := re.search(r" amqp=\S+?:(\d+) .*prometheus=\S+?:(\d+)", self.said())):
            if self.process.poll() is not None:
                raise SystemExit(self.said())
            time.sleep(0.02)
        self.amqp, self.prometheus = int(ready.group(1)), int(ready.group(2))

    def said(self):
        with open(self.log.name) as log:
            return log.read()


def fill(broker):
    peer, answers = Peer(f"127.0.0.1:{broker.amqp}"), 0
    for number in range(queues):
        name = short(f"tenant-{number % 100}.orders.service-{number}")
        head = struct.pack(">HHQH", 60, 0, 16, 0)
        publish = method(1, 60, 40, b"\0\0" + short("") + name + b"\0") + frame(2, 1, head) + frame(3, 1, b"x" * 16)
        peer.say(method(1, 50, 10, b"\0\0" + name + b"\0" + long(b"")) + 3 * publish)
        answers += 1
        while answers == 200 or answers and number + 1 == queues:
            answers -= sum(kind == 1 for kind, _ in peer.frames())
    return peer


def scrape(connection, path, zipped):
    began = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"} if zipped else {})
    body = connection.getresponse().read()
    return (time.perf_counter() - began) * 1000, body


def row(*cells):
    print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)


def at_rest(broker):
    row("path", "", "median", "slowest", "broker's CPU", "size")
    row("---", "---", "---:", "---:", "---:", "---:")
    connection = http.client.HTTPConnection("127.0.0.1", broker.prometheus)
    for path in PATHS:
        for zipped in (False, True):
            scrape(connection, path, zipped)
            taken = cpu(broker.pid)
            times, body = zip(*(scrape(connection, path, zipped) for _ in range(scrapes)))
            taken = (cpu(broker.pid) - taken) / scrapes * 1000
            text = gzip.decompress(body[-1]) if zipped else body[-1]
            assert text.count(b"\n") > 100 and text.endswith(b"\n")
            row(path.replace("&", " "), "gzip" if zipped else "plain", f"{statistics.median(times):.0f} ms",
                f"{max(times):.0f} ms", f"{taken:.0f} ms", f"{len(body[-1]) / 2**20:.2f} MiB")


def load(broker):
    report = subprocess.run(
        [binary, "perf", "--uri", f"amqp://guest:guest@127.0.0.1:{broker.amqp}", "--pid", str(broker.pid), "-x", "4",
         "-y", "4", "--queues", "4", "--rate", "12500", "--size", "100", "--warmup", "2", "--duration", str(seconds),
         "--json", "--quiet"], stdout=subprocess.PIPE, check=True)
    return json.loads(report.stdout)


def under_load(broker):
    print()
    row("50,000 msg/s", "consumed/s", "p50", "p99", "p99.9", "broker's CPU per message")
    row("---", "---:", "---:", "---:", "---:", "---:")
    for scraped in (False, True, False):
        over = threading.Event()

        def look():
            connection = http.client.HTTPConnection("127.0.0.1", broker.prometheus)
            while not over.wait(1):
                scrape(connection, "/metrics/per-object", True)
        looking = threading.Thread(target=look)
        if scraped:
            looking.start()
        report = load(broker)
        over.set()
        late = report["latency_us"]
        row("scraped every second" if scraped else "alone", f"{report['consume_rate']:.0f}", f"{late['p50']} µs",
            f"{late['p99']} µs", f"{late['p999']} µs", f"{report['broker']['cpu_us_per_message']:.2f} µs")


with tempfile.TemporaryDirectory(prefix="scrape-bench.") as dir:
    broker = Broker(dir)
    try:
        peer = fill(broker)
        at_rest(broker)
        if seconds:
            under_load(broker)
    finally:
        broker.process.terminate()
        broker.process.wait()
