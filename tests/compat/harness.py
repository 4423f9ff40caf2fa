"""What scenarios are written with: connections that keep a transcript of what was said.

A scenario is a function that takes a `Scene`. It is registered under `theme.name`, or, with
`cases`, once for each entry of a table as `theme.name[label]`. The transcript has a line for
everything sent (`>`) and everything answered (`<`), led by the connection's letter and the
channel. Two brokers agree on a scenario when their transcripts are equal.
"""

import secrets
import time
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from amqpraw import PROTOCOL_HEADER, Silence, Typed, Wire
from clients import PATIENCE, Abandoned, Client
from rendering import normalised

SCENARIOS = {}      # name -> function of a Scene
BROKE = "the scenario broke"


class Broker(NamedTuple):
    host: str
    port: int
    user: str
    password: str
    vhost: str

    @classmethod
    def at(cls, url):
        parts = urlsplit(url)
        return cls(parts.hostname, parts.port or 5672, unquote(parts.username or "guest"),
                   unquote(parts.password or "guest"), unquote(parts.path[1:]) or "/")


# --- registration -----------------------------------------------------------------------------

def scenario(function):
    SCENARIOS[_name(function)] = function
    return function


def cases(table):
    """Registers the function once for each label; its entry is passed on (tuples spread out)."""
    def register(function):
        for label, entry in table.items():
            arguments = entry if isinstance(entry, tuple) and not isinstance(entry, Typed) else (entry,)
            SCENARIOS[f"{_name(function)}[{label}]"] = lambda scene, a=arguments: function(scene, *a)
        return function
    return register


def _name(function):
    return f"{function.__module__.split('.')[-1]}.{function.__name__}"


def play(name, broker):
    """Runs one scenario and returns its transcript, whatever happens in it."""
    scene = Scene(broker)
    for act in SCENARIOS[name], Scene.tidy:
        try:
            act(scene)
        except Abandoned:
            pass
        except Exception as error:  # one scenario's failure must not stop the others
            scene.note(f"{error!r}, {BROKE}")
    return scene.transcript


def product(broker):
    """What the broker calls itself; None where no broker answers."""
    try:
        wire = Wire((broker.host, broker.port), PATIENCE)
        wire.send_bytes(PROTOCOL_HEADER)
        start = wire.read_event()
        wire.close()
    except (OSError, Silence):
        return None
    return start and start.fields["server_properties"]["product"].value


# --- the stage --------------------------------------------------------------------------------

class Scene:
    """One run of one scenario: its connections, its transcript, and what it must clean up."""

    def __init__(self, broker):
        self.broker = broker
        self.transcript = []
        self.clients = []
        self.queues, self.exchanges = [], []
        self._caretaker = None

    def note(self, line):
        self.transcript.append(normalised(line))

    def dial(self, label=""):
        """A socket on which nothing has been said yet."""
        client = Client(self, label)
        self.clients.append(client)
        return client

    def connect(self, label="", **handshake):
        """An open connection."""
        client = self.dial(label)
        client.shake_hands(**handshake)
        return client

    def channel(self, label="", **handshake):
        """Channel 1 of a new connection: all that most scenarios need."""
        return self.connect(label, **handshake).channel()

    def queue(self, name="q", **declare):
        """The name of a queue for this scenario: absent, or durable and empty if `declare` says how."""
        name = f"compat.{name}"
        self.queues.append(name)
        self.caretaker.setup("queue.delete", queue=name)
        if declare:
            self.caretaker.setup("queue.declare", queue=name, **declare)
        return name

    def own_queue(self):
        """A name for an exclusive queue, never used before.

        RabbitMQ may hold on to an exclusive queue for a moment after it told its owner good-bye,
        so a name that is used again could meet its former self. Clearing away is not needed.
        """
        return f"compat.e-{secrets.token_hex(4)}"

    def fill(self, queue, *bodies, **properties):
        """Puts messages into a queue, and returns when they are there."""
        self.caretaker.setup("confirm.select")
        for body in bodies:
            self.caretaker.send_message(queue, body, **properties)
            self.caretaker.client.expect_quietly("basic.ack")

    def exchange(self, name="x", **declare):
        """The name of an exchange for this scenario: absent, or declared if `declare` says how."""
        name = f"compat.{name}"
        self.exchanges.append(name)
        self.caretaker.setup("exchange.delete", exchange=name)
        if declare:
            self.caretaker.setup("exchange.declare", exchange=name, **declare)
        return name

    def await_free(self, queue):
        """Waits for a queue to go that the server deletes in its own time: until the name can be taken."""
        deadline = time.monotonic() + PATIENCE
        while self._refused("queue.declare", queue=queue, durable=True):
            if time.monotonic() > deadline:
                self.note(f"{queue} does not go away")
                raise Abandoned
        self.caretaker.setup("queue.delete", queue=queue)
        self.note(f"{queue} is gone")

    @property
    def caretaker(self):
        """A channel for preparing and clearing away, which stays out of the transcript."""
        if self._caretaker is None:
            self._caretaker = self.connect("caretaker").channel()
        return self._caretaker

    def tidy(self):
        """Takes away what the scenario made; exclusive queues go first, with their connections."""
        for client in self.clients:
            if self._caretaker is None or client is not self._caretaker.client:
                client.leave()
        for name in self.queues:
            self.caretaker.setup("queue.delete", queue=name)
        for name in self.exchanges:
            self.caretaker.setup("exchange.delete", exchange=name)
        if self._caretaker is not None:
            self._caretaker.client.leave()

    def _refused(self, method, **fields):
        """Whether a call of the caretaker's is answered by closing the channel."""
        client = self.caretaker.client
        client.wire.send_method(1, method, **fields)
        if client.expect_quietly(f"{method}-ok", "channel.close").name != "channel.close":
            return False
        client.wire.send_method(1, "channel.close-ok")
        client.channel()
        return True
