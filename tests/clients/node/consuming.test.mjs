// Consumers with amqplib: cancelling, prefetch, and where unacked messages go.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Inbox, assertQuiet, broker, drain, text } from './broker.mjs';
import { relay } from './relay.mjs';

function send(channel, queue, ...texts) {
  for (const body of texts) channel.sendToQueue(queue, Buffer.from(body));
}

test('a cancelled consumer receives nothing more', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const orders = await b.queue(channel, 'orders');
  const reader = await Inbox.open(channel, orders);
  send(channel, orders, 'before');
  const held = await reader.next();

  await channel.cancel(reader.tag);
  send(channel, orders, 'after');

  await assertQuiet(reader);
  channel.ack(held);
  assert.deepEqual(await drain(channel, orders), ['after']);
});

test('a consumer is told with null that its queue is deleted', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const orders = await b.queue(channel, 'orders');
  const reader = await Inbox.open(await b.channel(), orders);

  await channel.deleteQueue(orders);

  assert.equal(await reader.next(), null);
  assert.ok(await reader.channel.assertQueue('', { exclusive: true }));
});

test('prefetch is exact', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const orders = await b.queue(channel, 'orders');
  await channel.prefetch(3);
  const reader = await Inbox.open(channel, orders);
  send(channel, orders, ...'abcdef');

  const held = await reader.take(3);
  await assertQuiet(reader);
  channel.ack(held[1], true);

  assert.deepEqual(await reader.texts(2), ['d', 'e']);
  await assertQuiet(reader);
});

test('nackAll and ackAll', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const orders = await b.queue(channel, 'orders');
  const reader = await Inbox.open(channel, orders);
  send(channel, orders, ...'abc');
  await reader.take(3);

  channel.nackAll(true);

  const again = await reader.take(3);
  assert.deepEqual(again.map(text), ['a', 'b', 'c']);
  assert.ok(again.every((message) => message.fields.redelivered));
  channel.ackAll();
  await channel.close();
  assert.deepEqual(await drain(await b.channel(), orders), []);
});

test('recover brings everything back', async (t) => {
  const b = broker(t);
  const channel = await b.channel();
  const orders = await b.queue(channel, 'orders');
  const reader = await Inbox.open(channel, orders);
  send(channel, orders, ...'ab');
  await reader.take(2);

  await channel.recover();

  assert.deepEqual(await reader.texts(2), ['a', 'b']);
});

const ends = {
  'its channel closes': (channel) => channel.close(),
  'its connection closes': (_channel, connection) => connection.close(),
  'its network fails': (_channel, _connection, network) => network.cut(),
};

for (const [end, happens] of Object.entries(ends)) {
  test(`what a consumer holds unacked returns in order when ${end}`, async (t) => {
    const b = broker(t);
    const network = await relay(b);
    const connection = await b.connect('', network.url);
    const channel = await connection.createChannel();
    const orders = await b.queue(await b.channel(), 'orders');
    const doomed = await Inbox.open(channel, orders);
    send(channel, orders, ...'abcd');
    const [, second] = await doomed.take(4);
    channel.ack(second);
    assert.equal(await channel.get(orders), false); // What follows an ack is answered after it.

    const heir = await Inbox.open(await b.channel(), orders);
    await happens(channel, connection, network);

    const again = await heir.take(3);
    assert.deepEqual(again.map(text), ['a', 'c', 'd']);
    assert.ok(again.every((message) => message.fields.redelivered));
  });
}
