// Messages with amqplib: their sizes, their headers, and more of them than the network takes at once.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Inbox, broker, inTime, text, url } from './broker.mjs';

for (const frameMax of [8192, 131072]) {
  test(`bodies of any size, in frames of ${frameMax}`, async (t) => {
    const b = broker(t);
    const connection = await b.connect(`?frameMax=${frameMax}`);
    const channel = await connection.createChannel();
    const queue = await b.queue(channel);
    const inbox = await Inbox.open(channel, queue, { noAck: true });
    const sizes = [0, 1, frameMax - 9, frameMax - 8, frameMax - 7, 2 * frameMax, 5 * 1024 * 1024];

    const bodies = sizes.map((size) => Buffer.alloc(size, 'a distinct pattern; '));
    for (const body of bodies) channel.sendToQueue(queue, body);

    const received = await inbox.take(sizes.length);
    received.forEach((message, n) => assert.ok(message.content.equals(bodies[n]), `${sizes[n]} bytes`));
  });
}

test('publishing until the buffer is full, then waiting for drain', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const queue = await b.queue(channel);
  const reader = await Inbox.open(await b.channel(), queue, { noAck: true });
  const body = Buffer.alloc(8 * 1024, 'x');

  let sent = 0;
  for (let rounds = 0; rounds < 3; rounds++) {
    while (channel.sendToQueue(queue, body, { messageId: `${sent++}` })); // Until there is no more room.
    await inTime(once(channel, 'drain'));
  }

  const received = await reader.take(sent);
  assert.deepEqual(received.map((message) => message.properties.messageId), Array.from({ length: sent }, (_, n) => `${n}`));
  assert.ok(received.every((message) => message.content.length === body.length));
});

test('thousands of messages in order', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const queue = await b.queue(channel);
  const consumer = await b.channel();
  await consumer.prefetch(100);
  const reader = await Inbox.open(consumer, queue);

  for (let n = 0; n < 5000; n++) channel.sendToQueue(queue, Buffer.from(`${n}`));

  for (let n = 0; n < 5000; n += 50) {
    const some = await reader.take(50);
    assert.deepEqual(some.map(text), Array.from({ length: 50 }, (_, i) => `${n + i}`));
    consumer.ack(some.at(-1), true);
  }
});

test('all properties', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const queue = await b.queue(channel);
  const properties = {
    contentType: 'application/json',
    contentEncoding: 'gzip',
    headers: { key: 'value' },
    deliveryMode: 2,
    priority: 7,
    correlationId: 'correlation',
    replyTo: 'reply queue',
    expiration: '60000',
    messageId: 'message 1',
    timestamp: 1_700_000_000,
    type: 'order',
    userId: decodeURIComponent(new URL(url).username),
    appId: 'shop',
  };

  channel.sendToQueue(queue, Buffer.from('body'), properties);

  const received = await channel.get(queue, { noAck: true });
  assert.deepEqual({ ...received.properties }, { ...properties, clusterId: undefined });
});

test('headers of every type', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const queue = await b.queue(channel);
  const typed = (type, value) => ({ '!': type, value });
  const plain = { string: 'äöü', yes: true, no: false, integer: -5, large: 2 ** 40, fraction: 0.1, nothing: null };

  const headers = {
    ...plain,
    int8: typed('int8', -7),
    int16: typed('int16', -300),
    int32: typed('int32', -70000),
    int64: typed('int64', -(2 ** 40)),
    float: typed('float', 0.5),
    table: { ...plain, deeper: { list: [1, ['two'], plain] } },
    list: [...Object.values(plain), {}],
    bytes: Buffer.from([0, 255]),
    time: typed('timestamp', 1_700_000_000),
    decimal: typed('decimal', { places: 2, digits: 314 }),
  };
  channel.sendToQueue(queue, Buffer.from('body'), { headers });

  const received = (await channel.get(queue, { noAck: true })).properties.headers;
  const untyped = { int8: -7, int16: -300, int32: -70000, int64: -(2 ** 40), float: 0.5 };
  assert.deepEqual(received, { ...headers, ...untyped });
});

test('an unroutable message comes back', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const returned = once(channel, 'return');

  channel.publish('amq.direct', b.name('nowhere'), Buffer.from('lost'), { mandatory: true, messageId: '7' });

  const [message] = await inTime(returned);
  assert.equal(message.fields.replyCode, 312);
  assert.equal(message.fields.replyText, 'NO_ROUTE');
  assert.equal(message.properties.messageId, '7');
  assert.equal(text(message), 'lost');
});
