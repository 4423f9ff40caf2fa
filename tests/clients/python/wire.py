"""A connection made by hand from pika's frames, for what no client library would do."""

import socket
import ssl

import pika
from pika import frame, spec

from inbox import DEADLINE


class Wire:
    """Frames out, frames in. It sends nothing of its own accord: no heartbeats, no replies to a close."""

    def __init__(self, url, heartbeat=0, channel_max=2047, frame_max=131072, capabilities=None):
        to = pika.URLParameters(url)
        self.socket = socket.create_connection((to.host, to.port), timeout=DEADLINE)
        if to.ssl_options:
            context = to.ssl_options.context or ssl.create_default_context()
            self.socket = context.wrap_socket(self.socket, server_hostname=to.host)
        self._received = b""
        self.socket.sendall(frame.ProtocolHeader().marshal())
        self.server_properties = self.expect(spec.Connection.Start).server_properties
        login = f"\0{to.credentials.username}\0{to.credentials.password}"
        properties = {"product": "a hand-made client", "capabilities": capabilities or {}}
        self.send(0, spec.Connection.StartOk(properties, "PLAIN", login, "en_US"))
        self.tune = self.expect(spec.Connection.Tune)
        self.send(0, spec.Connection.TuneOk(channel_max, frame_max, heartbeat))
        self.send(0, spec.Connection.Open(to.virtual_host))
        self.outcome = self.expect((spec.Connection.OpenOk, spec.Connection.Close))

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        self.drop()

    def send(self, channel, method):
        self.socket.sendall(frame.Method(channel, method).marshal())

    def send_content(self, channel, method, properties, body):
        """A method with content, its properties already encoded: flags, then values."""
        header = len(body).to_bytes(8, "big") + properties
        header = spec.Basic.INDEX.to_bytes(2, "big") + b"\0\0" + header
        self.send(channel, method)
        self.socket.sendall(_frame(spec.FRAME_HEADER, channel, header))
        self.socket.sendall(_frame(spec.FRAME_BODY, channel, body))

    def call(self, channel, method, answer):
        self.send(channel, method)
        return self.expect(answer)

    def open_channel(self, number=1):
        self.call(number, spec.Channel.Open(), spec.Channel.OpenOk)
        return number

    def receive(self):
        """The next frame as pika reads it, or None at the end of the connection."""
        raw = self.receive_raw()
        return raw and frame.decode_frame(raw)[1]

    def receive_raw(self):
        """The next frame, byte by byte as it came, or None at the end of the connection."""
        while (size := self._frame_size()) is None:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self._received += more
        raw, self._received = self._received[:size], self._received[size:]
        return raw

    def expect(self, wanted):
        """Waits for this method, or for one of several; what is not a method is passed over."""
        while (received := self.receive()) is not None:
            if isinstance(received, frame.Method):
                assert isinstance(received.method, wanted), received.method
                return received.method
        raise AssertionError(f"the broker hung up instead of sending {wanted}")

    def hung_up(self):
        """Whether the broker has ended the connection; what it sent before is thrown away."""
        self.socket.settimeout(0.01)
        try:
            while self.receive_raw():
                pass
        except TimeoutError:
            return False
        return True

    def drop(self):
        """Ends the TCP connection without a word."""
        self.socket.close()

    def _frame_size(self):
        if len(self._received) < spec.FRAME_HEADER_SIZE:
            return None
        size = int.from_bytes(self._received[3:7], "big") + spec.FRAME_HEADER_SIZE + spec.FRAME_END_SIZE
        return size if len(self._received) >= size else None


def _frame(kind, channel, payload):
    return (
        bytes([kind]) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + bytes([spec.FRAME_END])
    )
