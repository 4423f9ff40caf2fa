"""Messages that die, wait, are tried again, must come once or overtake others: their part of every round.

All sections have the same writers and readers, and are verified at once, each on a connection of its own: what takes
long there is waiting. What is not kept for the next round is acked, and a confirm after that seals it, so that
whatever comes back later is a fault.
"""

import random
import threading
import time
from typing import NamedTuple

from amqp import AnyProperties, Confirm
from deaths import Careful, Judged, Mortal, Short
from letters import EXCHANGE, MARGIN, SEAL
from once import Once, Ranked
from waits import Punctual, Tried

MOST = 400                               # letters of a writer in a round: verifying them takes time


class Tally(NamedTuple):
    there: int
    promised: int
    took: float


class Afterlife:
    def __init__(self, journal):
        self.journal = journal
        self.proven = 0.0                # what was carried out well before this time is on disk
        self.silent_since = 0.0          # the broker was dead by then
        self.stopped = False             # it was asked to stop: all of it is
        self.sections = [kind(self) for kind in (Mortal, Careful, Judged, Short, Punctual, Tried, Once, Ranked)]

    def set_up(self, connection):
        connection.call("exchange.declare", exchange=EXCHANGE, type="direct", durable=True)
        connection.call("queue.declare", queue=SEAL, durable=True, arguments={"x-max-length": 1})
        for section in self.sections:
            section.declare(connection)

    def clients(self, rng, port, round):
        """Who is busy this time."""
        def own():
            return random.Random(rng.getrandbits(64))

        for section in self.sections:
            section.begin()
        reading = {queue: section for section in self.sections for queue in section.reads(rng)}
        sources = {queue: section for queue, section in reading.items() if queue in section.sources}
        targets = {queue: section for queue, section in reading.items() if queue not in sources}
        return [*(Writer(self, own(), port, f"r{round}.w{n}") for n in range(2)),
                *(Reader(self, own(), port, queues) for queues in (sources, targets))]

    def proves(self, section, letter):
        if section.proves(letter):
            self.proven = max(self.proven, letter.sent)

    def lasted(self, time):
        """Whether what was carried out then is sure to be on disk."""
        return time is not None and (self.stopped or time + MARGIN < self.proven)

    def verify(self, port, rng, round, stopped):
        """Compares. Writes faults to the journal; returns what there was."""
        self.stopped, began = stopped, time.monotonic()
        promised = sum(section.promised(letter) for section in self.sections for letter in section.letters.values())
        threads = []
        for section in self.sections:
            own = random.Random(rng.getrandbits(64))
            threads.append(threading.Thread(target=section.verify, args=(port, own, f"r{round}"), daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for section in self.sections:
            self.journal.faults += section.faults
        there = sum(len(section.found) for section in self.sections)
        return Tally(there, promised, time.monotonic() - began)

    def story(self):
        return {"proven": self.proven, **{section.name: section.story() for section in self.sections}}


class Writer:
    """Publishes to all sections, or to one, which then gets more than it can do at once."""

    def __init__(self, afterlife, rng, port, name):
        self.afterlife, self.rng, self.port, self.name = afterlife, rng, port, name
        self.sections = afterlife.sections if rng.random() < 0.7 else [rng.choice(afterlife.sections)]
        self.written = 0

    def __call__(self):
        outstanding = {}
        window, burst = self.rng.choice((3, 30, 200)), self.rng.choice((1, 5, 20))
        try:
            with AnyProperties(self.port) as connection:
                connection.call("confirm.select")
                while True:
                    ready = len(outstanding) < window and self.written < MOST
                    if ready:
                        connection.send(b"".join(self.write(outstanding) for _ in range(self.rng.randint(1, burst))))
                    for event in connection.events(0.01 if ready else 0.5):
                        self.confirm(event, outstanding)
        finally:
            self.afterlife.silent_since = time.monotonic()

    def write(self, outstanding):
        section = self.rng.choice(self.sections)
        letter, data = section.write(self.name, self.rng)
        self.written += 1
        outstanding[self.written] = section, letter
        return data

    def confirm(self, event, outstanding):
        if not isinstance(event, Confirm):
            raise ValueError(f"{self.name} was told {event}")
        for tag in [tag for tag in outstanding if tag == event.tag or (event.multiple and tag < event.tag)]:
            section, letter = outstanding.pop(tag)
            section.confirmed(letter, event.ack)


class Reader:
    """Reads several queues, and answers as their sections say."""

    def __init__(self, afterlife, rng, port, queues):
        self.journal, self.rng, self.port, self.queues = afterlife.journal, rng, port, queues

    def __call__(self):
        with AnyProperties(self.port) as connection:
            for queue in self.queues:
                connection.call("basic.qos", prefetch_count=self.rng.choice((10, 100, 0)))
                connection.call("basic.consume", queue=queue, consumer_tag=queue)
            while True:
                answered = [self.read(connection, event) for event in connection.events(0.5)]
                if any(answered) and self.rng.random() < 0.5:
                    self.settled(connection, filter(None, answered))

    def read(self, connection, delivery):
        """Returns the letter if it was answered for."""
        section = self.queues[delivery.consumer]
        letter = section.received(delivery.consumer, delivery)
        answer = letter and section.answer(delivery.consumer, letter, self.rng)
        if not answer:
            return None
        method, fields = answer
        connection.method(method, delivery_tag=delivery.tag, **fields)
        return letter

    def settled(self, connection, letters):
        """Waits until the broker has carried out the answers."""
        connection.call("basic.qos")
        if not self.journal.frozen:
            now = time.monotonic()
            for letter in letters:
                letter.settled = now
