// What a mistake costs: the channel it was made on, and nothing else.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'amqplib';
import { Inbox, broker, inTime, url } from './broker.mjs';

const mistakes = {
  'looking at a missing queue': [404, 'NOT_FOUND', (channel, missing) => channel.checkQueue(missing)],
  'looking at a missing exchange': [404, 'NOT_FOUND', (channel, missing) => channel.checkExchange(missing)],
  'getting from a missing queue': [404, 'NOT_FOUND', (channel, missing) => channel.get(missing)],
  'consuming from a missing queue': [404, 'NOT_FOUND', (channel, missing) => channel.consume(missing, () => {})],
  'binding a missing queue': [404, 'NOT_FOUND', (channel, missing) => channel.bindQueue(missing, 'amq.fanout', '')],
  'publishing to a missing exchange': [404, 'NOT_FOUND', (channel, missing) => channel.publish(missing, '', Buffer.from('lost'))],
  'declaring a reserved name': [403, 'ACCESS_REFUSED', (channel, missing) => channel.assertQueue(`amq.${missing}`)],
  'acking what never came': [406, 'unknown delivery tag 7', (channel) => channel.ack({ fields: { deliveryTag: 7 } })],
};

for (const [mistake, [code, words, make]] of Object.entries(mistakes)) {
  test(`${mistake} closes the channel alone`, async (t) => {
    const b = broker(t);
    const connection = await b.connect();
    const bystander = await connection.createChannel();
    const { queue } = await bystander.assertQueue('', { exclusive: true });
    const inbox = await Inbox.open(bystander, queue, { noAck: true });
    const channel = await connection.createChannel();
    const closed = once(channel, 'error');

    await Promise.allSettled([make(channel, b.name('missing'))]);

    const [error] = await inTime(closed);
    assert.equal(error.code, code);
    assert.ok(error.message.includes(words), error.message);
    bystander.sendToQueue(queue, Buffer.from('still here'));
    assert.deepEqual(await inbox.texts(1), ['still here']);
    assert.ok(await connection.createChannel());
  });
}

test('a declaration that differs is refused and says how', async (t) => {
  const b = broker(t);
  const connection = await b.connect();
  const orders = await b.queue(await connection.createChannel(), 'orders', { maxLength: 5 });
  const channel = await connection.createChannel();
  channel.on('error', () => {});

  await assert.rejects(channel.assertQueue(orders, { maxLength: 6 }), (error) => {
    assert.equal(error.code, 406);
    assert.match(error.message, /PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'orders\..*' in vhost '\/'/);
    return true;
  });
});

test('a queue of another connection is locked', async (t) => {
  const b = broker(t);
  const owner = await b.channel();
  const { queue } = await owner.assertQueue('', { exclusive: true });
  const stranger = await b.channel();
  stranger.on('error', () => {});

  await assert.rejects(stranger.checkQueue(queue), { code: 405 });
});

test('a wrong password is refused', async () => {
  const wrong = new URL(url);
  wrong.password = 'wrong';

  await assert.rejects(connect(wrong.href), /403 \(ACCESS-REFUSED\)/);
});

test('a channel number is free again after a close', async (t) => {
  const connection = await broker(t).connect('?channelMax=2');

  for (let n = 0; n < 50; n++) await (await connection.createChannel()).close();

  const both = [await connection.createChannel(), await connection.createChannel()];
  assert.equal(both.length, 2);
});
