// A stretch of network between a client and the broker that the test can break.

import { once } from 'node:events';
import net from 'node:net';
import { url } from './broker.mjs';

/// Passes everything on from a port of its own; `cut` breaks what is connected, new connections may be made.
export async function relay(b) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  const server = net.createServer((client) => {
    const broker = net.connect(port || 5672, hostname);
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => other.destroy());
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  b.finally(() => {
    server.close();
    cut();
  });

  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = server.address().port;
  return { url: through.href, cut };
}
