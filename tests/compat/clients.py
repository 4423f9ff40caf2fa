"""Connections and channels that write down what is said on them."""

from amqpraw import PROTOCOL_HEADER, Silence, Wire
from rendering import shown, shown_event, shown_fields

PATIENCE = 5.0      # for an answer that must come
A_WHILE = 0.3       # for showing that nothing comes
NO_ANSWER = f"no answer within {PATIENCE:g} s"


class Abandoned(Exception):
    """The scenario cannot go on; the transcript says why."""


class Client:
    """One connection, from the first byte on."""

    def __init__(self, scene, label):
        self.scene, self.label = scene, label
        self.wire = Wire((scene.broker.host, scene.broker.port), PATIENCE)
        self.opened, self.over = False, False
        self.closed_channels = set()    # by the server, and not opened again since

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
        event = self._read()
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
                while (event := self._read()) is not None and event.name != "connection.close-ok":
                    pass
            except (Abandoned, ValueError):
                pass
        self.wire.close()
        self.over = True

    # What the transcript keeps.

    def _note(self, direction, channel, line):
        self.scene.note(f"{self.label}{channel} {direction} {line}")

    def _read(self):
        try:
            event = self.wire.read_event(PATIENCE)
        except Silence:
            self.scene.note(f"{self.label} < {NO_ANSWER}")
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

    def hear(self):
        """Notes the next thing the server says; a close is answered, and the end awaited."""
        if self.over:
            raise Abandoned
        event = self._read()
        self._note("<", event.channel if event else "", shown_event(event))
        if event is None:
            self.over = True
        elif event.name == "channel.close":
            self.closed_channels.add(event.channel)
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

    def silence(self):
        """Notes that nothing comes for a while, or what comes."""
        try:
            event = self.wire.read_event(A_WHILE)
        except Silence:
            self.scene.note(f"{self.label} < nothing")
        else:
            self._note("<", event.channel if event else "", shown_event(event))


class Channel:
    """One channel of a client. A scenario ends where it would go on with a channel the server closed."""

    def __init__(self, client, number):
        self.client, self.number = client, number

    def setup(self, name, **fields):
        """A call that only prepares: its answer must be good, and stays out of the transcript."""
        self.client.wire.send_method(self.number, name, **fields)
        return self.client.expect_quietly(f"{name}-ok")

    def tell(self, name, **fields):
        if self.number in self.client.closed_channels:
            raise Abandoned
        self.client.tell(name, self.number, **fields)

    def call(self, name, **fields):
        self.tell(name, **fields)
        return self.client.hear()

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

    def consume_what_returns(self, queue, count=1):
        """Takes messages that come back to a queue in the server's own time, as after a channel's end."""
        self.call("basic.consume", queue=queue, consumer_tag="again", no_ack=True)
        self.hear(count)

    def reopen(self):
        """Opens the channel again after it was closed, which shows that the connection lives."""
        self.client.closed_channels.discard(self.number)
        self.call("channel.open")
