#!/usr/bin/env python3
"""A million messages in one queue that expire at random times over a minute: how late is each
dead-lettered, and what does it cost the broker?

    benches/expiry.py HOST:PORT PID [MESSAGES] [SECONDS]

Speaks AMQP with frames made by hand, so that the measuring costs little. A message's body is when it
is due; the consumer of the dead-letter queue compares that with its clock.
"""

import os
import random
import socket
import struct
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel, klass, number, arguments):
    return frame(1, channel, struct.pack(">HH", klass, number) + arguments)


def short(text):
    return bytes([len(text)]) + text.encode()


def long(data):
    return struct.pack(">I", len(data)) + data


def text(key, value):
    return short(key) + b"S" + long(value.encode())


class Peer:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.rest = b""
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.hear()
        self.ask(0, 10, 11, long(b"") + short("PLAIN") + long(b"\0guest\0guest") + short("en_US"))
        self.say(method(0, 10, 31, struct.pack(">HIH", 2047, 131072, 0)))
        self.ask(0, 10, 40, short("/") + b"\0\0")
        self.ask(1, 20, 10, b"\0")

    def say(self, data):
        self.socket.sendall(data)

    def ask(self, channel, klass, number, arguments):
        self.say(method(channel, klass, number, arguments))
        return self.hear()

    def frames(self):
        """The frames that have come by now; waits for some."""
        new = self.socket.recv(1 << 20)
        if not new:
            raise EOFError("the broker has closed the connection")
        data = self.rest + new
        at, found = 0, []
        while len(data) - at >= 8:
            kind, _, size = struct.unpack_from(">BHI", data, at)
            if len(data) - at < size + 8:
                break
            found.append((kind, data[at + 7:at + 7 + size]))
            at += size + 8
        self.rest = data[at:]
        return found

    def hear(self):
        while not (found := self.frames()):
            pass
        return found

    def declare(self, queue, arguments):
        self.ask(1, 50, 10, b"\0\0" + short(queue) + b"\x02" + long(arguments))

    def delete(self, queue):
        self.ask(1, 50, 40, b"\0\0" + short(queue) + b"\0")


def publish(queue, body, expiration):
    head = struct.pack(">HHQH", 60, 0, len(body), 0x1100) + b"\x02" + short(str(expiration))
    return method(1, 60, 40, b"\0\0" + short("") + short(queue) + b"\0") + frame(2, 1, head) + frame(3, 1, body)


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    return int(open(f"/proc/{pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def lateness(consumer, queue, count, pid):
    """Consumes so many. Says how late each is against its body, in order, and what that cost the broker: the share of
    a core, and how much memory it had at most."""
    began, before, peak, late = time.time(), cpu(pid), memory(pid), []
    looked = began
    # Deliveries may come with the answer.
    found = consumer.ask(1, 60, 20, b"\0\0" + short(queue) + short("c") + b"\x02" + long(b""))
    while True:
        now = time.time()
        late.extend(now - struct.unpack(">d", payload)[0] for kind, payload in found if kind == 3)
        if len(late) >= count:
            break
        found = consumer.frames()
        if now - looked > 1:
            looked, peak = now, max(peak, memory(pid))
    late.sort()
    at = lambda share: 1000 * late[min(count - 1, int(count * share))]
    share = 100 * (cpu(pid) - before) / (time.time() - began)
    return f"late by p50 {at(.5):.0f} ms, p99 {at(.99):.0f} ms, max {1000 * late[-1]:.0f} ms", share, peak


def main():
    address, pid = sys.argv[1], int(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    seconds = int(sys.argv[4]) if len(sys.argv) > 4 else 60
    idle = memory(pid)
    producer, consumer = Peer(address), Peer(address)
    producer.declare("expiry.dead", b"")
    producer.declare("expiry", text("x-dead-letter-exchange", "") + text("x-dead-letter-routing-key", "expiry.dead"))
    # The first one is due when all have been published: at some 50,000 a second.
    first = time.time() + 5 + count / 50_000
    batch = []
    for number in range(count):
        due = first + random.random() * seconds
        expiration = max(1, int((due - time.time()) * 1000))
        batch.append(publish("expiry", struct.pack(">d", time.time() + expiration / 1000), expiration))
        if len(batch) == 500:
            producer.say(b"".join(batch))
            batch.clear()
    producer.say(b"".join(batch))
    producer.ask(1, 50, 10, b"\0\0" + short("expiry") + b"\x03" + long(b""))
    late_start = max(0.0, time.time() - first)
    late, share, peak = lateness(consumer, "expiry.dead", count, pid)
    print(f"{count} messages over {seconds} s, published {late_start:.1f} s too late; {late}; broker {share:.0f} % of a core, "
          f"RSS at most {peak - idle:.0f} MiB over idle")
    producer.delete("expiry")
    producer.delete("expiry.dead")


if __name__ == "__main__":
    main()
