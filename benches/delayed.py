#!/usr/bin/env python3
"""Messages that wait at a delayed exchange: how late are they, what do they cost, and does a start wait for
those that fell due while the broker was down?

    benches/delayed.py BINARY [MESSAGES] [SECONDS] [DIR]

Starts brokers of its own on DIR (a new one under the working directory). MESSAGES (1000000) with x-delay are due at
random times within SECONDS (30); then as many are due while no broker runs. With more than a million, the broker is
started again while they wait instead, and the first half million are looked at. Prints one line for each part.
"""

import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from expiry import Peer, cpu, frame, lateness, long, memory, method, short, text

AMQP = 5693
LOOKED_AT = 500_000


def publisher():
    """Makes publishes of a delay and a body."""
    headers = long(short("x-delay") + b"l" + b"DDDDDDDD")
    head = struct.pack(">HHQH", 60, 0, 8, 0x3000) + headers + b"\x02"
    example = (method(1, 60, 40, b"\0\0" + short("later") + short("k") + b"\0") + frame(2, 1, head)
               + frame(3, 1, b"BBBBBBBB"))
    front, rest = example.split(b"DDDDDDDD")
    middle, end = rest.split(b"BBBBBBBB")
    pack = struct.Struct(f">{len(front)}sq{len(middle)}sd{len(end)}s").pack
    return lambda delay, body: pack(front, delay, middle, body, end)


class Broker:
    def __init__(self, binary, dir):
        began = time.time()
        self.process = subprocess.Popen(
            [binary, "--data-dir", dir, "--bind", "127.0.0.1", "--amqp-port", str(AMQP), "--http-port", "0"],
            stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", AMQP)).close()
                break
            except OSError:
                time.sleep(0.005)
        self.took, self.pid = time.time() - began, self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def fill(producer, count, delay_until):
    """Publishes so many on a new connection; returns once all are safe."""
    producer.ask(1, 85, 10, b"\0")
    publish, batch, confirmed = publisher(), [], 0
    for number in range(1, count + 1):
        now = time.time()
        delay = max(1, int((delay_until() - now) * 1000))
        batch.append(publish(delay, now + delay / 1000))
        if len(batch) == 500 or number == count:
            producer.say(b"".join(batch))
            batch.clear()
            while confirmed < number - 2000 or (number == count and confirmed < count):
                acks = [payload for kind, payload in producer.frames() if kind == 1]
                confirmed = max([confirmed, *(struct.unpack_from(">Q", ack, 4)[0] for ack in acks)])


def consume(consumer, count, pid, idle):
    late, share, peak = lateness(consumer, "due", count, pid)
    return f"{late}; broker {share:.0f} % of a core, RSS at most {peak - idle:.0f} MiB over idle"


def until_idle(pid):
    """How long a broker is busy that nobody asks anything."""
    began = time.time()
    while True:
        before = cpu(pid)
        time.sleep(0.5)
        if cpu(pid) - before < 0.05:
            return time.time() - began - 0.5


def main():
    binary = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    dir = tempfile.mkdtemp(prefix="delayed-bench.", dir=sys.argv[4] if len(sys.argv) > 4 else ".")
    address = f"127.0.0.1:{AMQP}"
    broker = Broker(binary, dir)
    try:
        time.sleep(1)
        idle = memory(broker.pid)
        producer = Peer(address)
        kind = text("x-delayed-type", "direct")
        producer.ask(1, 40, 10, b"\0\0" + short("later") + short("x-delayed-message") + b"\x02" + long(kind))
        producer.declare("due", b"")
        producer.ask(1, 50, 20, b"\0\0" + short("due") + short("later") + short("k") + b"\0" + long(b""))
        began, first = time.time(), time.time() + 5 + count / 200_000
        fill(producer, count, lambda: first + random.random() * seconds)
        filled, behind = time.time() - began, max(0.0, time.time() - first)
        resting = memory(broker.pid) - idle
        print(f"{count} messages wait, published in {filled:.1f} s, {behind:.1f} s too late: {resting:.0f} MiB over idle",
              flush=True)
        if count > 1_000_000:
            broker.stop()
            broker = Broker(binary, dir)
            whole = until_idle(broker.pid)
            print(f"started again: it lets clients in after {1000 * broker.took:.0f} ms, knows when all are due after "
                  f"{whole:.1f} s, {memory(broker.pid) - idle:.0f} MiB over idle", flush=True)
            print(f"the first {LOOKED_AT}: " + consume(Peer(address), LOOKED_AT, broker.pid, idle))
            return
        print(consume(Peer(address), count, broker.pid, idle), flush=True)
        due = time.time() + 5 + count / 200_000
        fill(Peer(address), count, lambda: due)
        broker.stop()
        time.sleep(max(0.0, due + 1 - time.time()))
        broker = Broker(binary, dir)
        began = time.time()
        found = consume(Peer(address), count, broker.pid, idle)
        print(f"{count} messages fell due while it was down: it lets clients in after {1000 * broker.took:.0f} ms, all are "
              f"there after {time.time() - began:.1f} s; {found.split('; ', 1)[1]}")
    finally:
        broker.stop()
        shutil.rmtree(dir)


if __name__ == "__main__":
    main()
