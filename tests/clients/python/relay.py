"""A stretch of network between a client and the broker that the test can break."""

import asyncio

import pika


class Relay:
    """Listens on a port of its own and passes everything on, until it is cut."""

    def __init__(self, url):
        self.broker = pika.URLParameters(url)
        self.writers = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._pass_on, "127.0.0.1")
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_failure):
        self.server.close()
        self.cut()

    def cut(self):
        """Breaks all connections; new ones may be made."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def _pass_on(self, client_reader, client_writer):
        broker_reader, broker_writer = await asyncio.open_connection(self.broker.host, self.broker.port)
        self.writers |= {client_writer, broker_writer}
        await asyncio.gather(_pump(client_reader, broker_writer), _pump(broker_reader, client_writer))


async def _pump(reader, writer):
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()
