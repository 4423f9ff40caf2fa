"""What scenarios are written with: connections that keep a transcript of what was said.

A scenario is a function that takes a `Scene`. It is registered under `theme.name`, or, with
`cases`, once for each entry of a table as `theme.name[label]`. The transcript has a line for
everything sent (`>`) and everything answered (`<`), led by the connection's letter and the
channel. Two brokers agree on a scenario when their transcripts are equal.
"""

import re
import time
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from amqpraw import PROTOCOL_HEADER, Silence, Typed, Wire, encode_header, HEADER

PATIENCE = 5.0      # for an answer that must come
A_WHILE = 0.3       # for showing that nothing comes

SCENARIOS = {}      # name -> function of a Scene


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


class Abandoned(Exception):
    """The scenario cannot go on; the transcript says why."""


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
    try:
        SCENARIOS[name](scene)
    except Abandoned:
        pass
    except Exception as error:  # one scenario's failure must not stop the others
        scene.note(f"the scenario broke: {error!r}")
    finally:
        scene.tidy()
    return scene.transcript


# --- rendering --------------------------------------------------------------------------------

_GENERATED = (
    (re.compile(r"amq\.gen-[\w-]{22}"), "amq.gen-<22>"),
    (re.compile(r"amq\.ctag-[\w-]{22}"), "amq.ctag-<22>"),
    (re.compile(r"amq\.rabbitmq\.reply-to\.g[\w.+/=-]+"), "amq.rabbitmq.reply-to.<generated>"),
)


def normalised(line):
    for pattern, stand_in in _GENERATED:
        line = pattern.sub(stand_in, line)
    return line


def shown(value):
    if isinstance(value, Typed):
        is_now = value.tag == "T" and abs(value.value - time.time()) < 3600
        return value.tag + ("<now>" if is_now else shown(value.value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:60]}... ({len(value)} long)"


def shown_fields(fields):
    return " ".join(f"{name}={shown(value)}" for name, value in fields.items())


def shown_event(event):
    if event is None:
        return "end of stream"
    if event.name in ("connection.close", "channel.close"):
        return "{} {reply_code} {reply_text!r} class={class_id} method={method_id}".format(event.name, **event.fields)
    line = f"{event.name} {shown_fields(event.fields)}".rstrip()
    if event.body is None:
        return line
    return f"{line} | {shown_fields(event.properties)} | {shown(event.body)}"


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
        self._delete_queue(name)
        if declare:
            self.caretaker.setup("queue.declare", queue=name, **declare)
        return name

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
        try:
            for name in self.queues:
                self._delete_queue(name)
            for name in self.exchanges:
                self.caretaker.setup("exchange.delete", exchange=name)
        except Abandoned:
            pass
        if self._caretaker is not None:
            self._caretaker.client.leave()

    def _delete_queue(self, name):
        """Deletes a queue; RabbitMQ keeps an exclusive one locked for a moment after its owner left."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.caretaker.client.wire.send_method(1, "queue.delete", queue=name)
            answer = self.caretaker.client.expect_quietly("queue.delete-ok", "channel.close")
            if answer.name == "queue.delete-ok":
                return
            if time.monotonic() > deadline:
                self.note(f"{name} cannot be deleted: {shown_event(answer)}")
                raise Abandoned
            self.caretaker.client.wire.send_method(1, "channel.close-ok")
            self._caretaker = self._caretaker.client.channel()


class Client:
    """One connection, from the first byte on."""

    def __init__(self, scene, label):
        self.scene, self.label = scene, label
        self.wire = Wire((scene.broker.host, scene.broker.port), PATIENCE)
        self.opened, self.over = False, False

    # Opening and closing, without a word in the transcript.

    def shake_hands(self, capabilities=None, channel_max=0, frame_max=0, heartbeat=0, **client_properties):
        """Opens the connection; zero limits mean to take what the server offers."""
        self.start(capabilities=capabilities, **client_properties)
        offer = self.expect_quietly("connection.tune").fields
        self.wire.send_method(0, "connection.tune-ok", channel_max=channel_max or offer["channel_max"],
                              frame_max=frame_max or offer["frame_max"], heartbeat=heartbeat)
        self.wire.send_method(0, "connection.open", virtual_host=self.scene.broker.vhost)
        self.expect_quietly("connection.open-ok")

    def start(self, capabilities=None, mechanism="PLAIN", response=None, **client_properties):
        """The first steps: protocol header, start, start-ok."""
        broker = self.scene.broker
        self.wire.send_bytes(PROTOCOL_HEADER)
        self.expect_quietly("connection.start")
        if capabilities is not None:
            client_properties["capabilities"] = capabilities
        if response is None:
            response = f"\0{broker.user}\0{broker.password}"
        self.wire.send_method(0, "connection.start-ok", client_properties=client_properties,
                              mechanism=mechanism, response=response, locale="en_US")

    def expect_quietly(self, *names):
        event = self._read(PATIENCE)
        if event is None or event.name not in names:
            self._note("<", 0, f"{shown_event(event)}, where {' or '.join(names)} was due")
            raise Abandoned
        return event

    def channel(self, number=1):
        self.wire.send_method(number, "channel.open")
        self.expect_quietly("channel.open-ok")
        return Channel(self, number)

    def leave(self):
        """Closes the connection and waits until the server has let go of it."""
        if self.opened and not self.over:
            self.wire.send_method(0, "connection.close", reply_code=200)
            try:
                while (event := self._read(PATIENCE)) is not None and event.name != "connection.close-ok":
                    pass
            except (Abandoned, ValueError):
                pass
        self.wire.close()
        self.over = True

    # What the transcript keeps.

    def _note(self, direction, channel, line):
        self.scene.note(f"{self.label}{channel} {direction} {line}")

    def _read(self, timeout):
        try:
            event = self.wire.read_event(timeout)
        except Silence:
            self.scene.note(f"{self.label} no answer within {timeout:g} s")
            raise Abandoned from None
        if event is not None and event.name == "connection.open-ok":
            self.opened = True
        return event

    def tell(self, name, channel=0, **fields):
        self._note(">", channel, f"{name} {shown_fields(fields)}".rstrip())
        self.wire.send_method(channel, name, **fields)

    def send_frame(self, kind, channel, payload, what):
        """Any frame; `what` describes it in the transcript."""
        self._note(">", channel, what)
        self.wire.send_frame(kind, channel, payload)

    def send_bytes(self, data, what):
        self.scene.note(f"{self.label} > {what}")
        self.wire.send_bytes(data)

    def hear(self, timeout=PATIENCE):
        """Notes the next thing the server says; a close is answered, and the end awaited."""
        if self.over:
            raise Abandoned
        event = self._read(timeout)
        self._note("<", event.channel if event else "", shown_event(event))
        if event is None:
            self.over = True
        elif event.name == "channel.close":
            self.wire.send_method(event.channel, "channel.close-ok")
        elif event.name == "connection.close":
            self.wire.send_method(0, "connection.close-ok")
            self.hear()
        return event

    def hear_bytes_and_end(self):
        """Notes all that comes until the server hangs up, byte for byte."""
        said = b""
        try:
            while piece := self.wire.read_bytes(1):
                said += piece
        except Silence:
            self.scene.note(f"{self.label} < {said!r}, and the connection stays open")
        else:
            self.scene.note(f"{self.label} < {said!r}, end of stream")
        self.over = True

    def call(self, name, channel=0, **fields):
        self.tell(name, channel, **fields)
        return self.hear()

    def silence(self, timeout=A_WHILE):
        """Notes that nothing comes for a while, or what comes."""
        try:
            event = self.wire.read_event(timeout)
        except Silence:
            self.scene.note(f"{self.label} < nothing")
        else:
            self._note("<", event.channel if event else "", shown_event(event))


class Channel:
    """One channel of a client."""

    def __init__(self, client, number):
        self.client, self.number = client, number

    def setup(self, name, **fields):
        """A call that only prepares: its answer must be good, and stays out of the transcript."""
        self.client.wire.send_method(self.number, name, **fields)
        return self.client.expect_quietly(_answer_to(name))

    def tell(self, name, **fields):
        self.client.tell(name, self.number, **fields)

    def call(self, name, **fields):
        return self.client.call(name, self.number, **fields)

    def publish(self, routing_key="", body="", exchange="", mandatory=False, immediate=False, **properties):
        """Publishes, and notes it in short."""
        flags = " mandatory" * mandatory + " immediate" * immediate
        self.client._note(">", self.number, f"publish {exchange!r} {routing_key!r}{flags} "
                                            f"{shown(properties)} {shown(body)}")
        self.send_message(routing_key, body, exchange, mandatory, immediate, **properties)

    def send_message(self, routing_key="", body="", exchange="", mandatory=False, immediate=False, **properties):
        """Publishes, out of the transcript."""
        self.client.wire.send_method(self.number, "basic.publish", exchange=exchange, routing_key=routing_key,
                                     mandatory=mandatory, immediate=immediate)
        self.client.wire.send_content(self.number, properties, body.encode())

    def hear(self, count=1):
        return [self.client.hear() for _ in range(count)][-1]

    def silence(self):
        self.client.silence()

    def reopen(self):
        """Opens the channel again after the server closed it, to show that the connection lives."""
        self.client.call("channel.open", self.number)


def _answer_to(name):
    return {"exchange.unbind": "exchange.unbind-ok", "basic.get": "basic.get-ok"}.get(name, f"{name}-ok")
