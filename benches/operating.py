#!/usr/bin/env python3
"""What being operated costs: idle connections, connections that come and go, and being looked at.

    benches/operating.py AMQP_PORT HTTP_PORT PROMETHEUS_PORT PID [CASE…]

Cases (all by default): idle, churn, looks. The broker should be freshly started, as guest may log in. PERF=path
names the binary with `warren perf` (target/release/warren). CHURN_SECONDS (60), RATE (200) and LOOK_SECONDS (20)
change how long and how fast. Standard library only; prints a Markdown table.
"""

import asyncio
import base64
import os
import struct
import subprocess
import sys
import time
import urllib.request

amqp, http, prometheus, pid = (int(argument) for argument in sys.argv[1:5])
cases = sys.argv[5:] or ["idle", "churn", "looks"]
perf = os.environ.get("PERF", os.path.join(os.path.dirname(__file__), "../target/release/warren"))


def resident():
    """Bytes that the broker holds."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu():
    """Seconds of CPU that the broker has taken."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(*cells):
    print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)


def mib(size):
    return f"{size / 2**20:.1f} MiB"


def frame(channel, class_id, method_id, arguments=b""):
    payload = struct.pack(">HH", class_id, method_id) + arguments
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


def short(text):
    return bytes([len(text)]) + text


START_OK = frame(0, 10, 11, struct.pack(">I", 0) + short(b"PLAIN") + struct.pack(">I", 12) + b"\0guest\0guest"
                 + short(b"en_US"))
OPEN = frame(0, 10, 31, struct.pack(">HIH", 2047, 131072, 0)) + frame(0, 10, 40, short(b"/") + b"\0\0")
CHANNEL = frame(1, 20, 10, b"\0")
CLOSE = frame(0, 10, 50, struct.pack(">H", 200) + short(b"") + struct.pack(">HH", 0, 0))


async def hears(reader, *methods):
    """Reads until the last of these methods has come."""
    for wanted in methods:
        while True:
            head = await reader.readexactly(7)
            payload = await reader.readexactly(struct.unpack(">I", head[3:])[0] + 1)
            if head[0] == 1 and struct.unpack(">HH", payload[:4]) == wanted:
                break


async def come_and_go():
    reader, writer = await asyncio.open_connection("127.0.0.1", amqp)
    writer.write(b"AMQP\0\0\x09\x01")
    await hears(reader, (10, 10))
    writer.write(START_OK)
    await hears(reader, (10, 30))
    writer.write(OPEN + CHANNEL)
    await hears(reader, (10, 41), (20, 11))
    writer.write(CLOSE)
    await hears(reader, (10, 51))
    writer.close()


async def churn(seconds, rate):
    """Connections at a rate, and what the broker holds every ten seconds."""
    begun, done, tasks, held = time.monotonic(), 0, set(), []
    while (passed := time.monotonic() - begun) < seconds:
        if passed >= len(held) * 10:
            held.append(resident())
        while done < passed * rate:
            task = asyncio.ensure_future(come_and_go())
            tasks.add(task)
            done += 1
        finished = {task for task in tasks if task.done()}
        for task in finished:
            task.result()
        tasks -= finished
        await asyncio.sleep(0.005)
    await asyncio.gather(*tasks)
    held.append(resident())
    return done, held


def look():
    """What a dashboard and Prometheus ask for."""
    login = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
    for path in ("/api/overview", "/api/nodes", "/api/queues?page=1&page_size=100", "/api/connections?page=1"):
        request = urllib.request.Request(f"http://127.0.0.1:{http}{path}", headers=login)
        urllib.request.urlopen(request).read()
    urllib.request.urlopen(f"http://127.0.0.1:{prometheus}/metrics").read()


def under_load(seconds, looking):
    """CPU share of the broker at 100,000 messages a second and 1,000 queues."""
    load = subprocess.Popen(
        [perf, "perf", "--uri", f"amqp://guest:guest@127.0.0.1:{amqp}", "--publishers", "20", "--consumers", "20",
         "--queues", "1000", "--rate", "5000", "--size", "100", "--warmup", "3", "--duration", str(seconds + 4),
         "--prefetch", "200", "--quiet", "--json"], stdout=subprocess.DEVNULL)
    time.sleep(4)
    taken, begun = cpu(), time.monotonic()
    while time.monotonic() - begun < seconds:
        if looking:
            look()
        time.sleep(5 - (time.monotonic() - begun) % 5)
    share = (cpu() - taken) / (time.monotonic() - begun)
    load.wait()
    return share * 100


row("case", "result", "memory")
row("---", "---", "---")
if "idle" in cases:
    before = resident()
    holding = subprocess.Popen([perf, "perf", "--uri", f"amqp://guest:guest@127.0.0.1:{amqp}", "--idle-connections",
                                "5000", "--duration", "8", "--quiet"], stdout=subprocess.DEVNULL)
    most = before
    while holding.poll() is None:
        most = max(most, resident())
        time.sleep(0.2)
    row("5,000 idle connections with a channel", f"{(most - before) / 5000 / 1024:.1f} KiB each", mib(most))
if "churn" in cases:
    seconds, rate = int(os.environ.get("CHURN_SECONDS", "60")), int(os.environ.get("RATE", "200"))
    taken = cpu()
    done, held = asyncio.run(churn(seconds, rate))
    row(f"{rate} connections/s for {seconds} s", f"{done} came and went, {(cpu() - taken) / done * 1e3:.2f} ms CPU each",
        " → ".join(mib(size) for size in held))
if "looks" in cases:
    seconds = int(os.environ.get("LOOK_SECONDS", "20"))
    shares = [(under_load(seconds, False), under_load(seconds, True)) for _ in range(2)]
    text = ", ".join(f"{alone:.1f} % alone, {seen:.1f} % looked at every 5 s" for alone, seen in shares)
    row("100,000 msg/s, 1,000 queues: CPU of one core", text, mib(resident()))
