// The seven RabbitMQ tutorials, as people follow them with amqplib.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Inbox, assertQuiet, broker, drain, inTime, text } from './broker.mjs';

test('1: hello world', async (t) => {
  const b = broker(t);
  const sender = await b.channel();
  const hello = await b.queue(sender, 'hello');
  sender.sendToQueue(hello, Buffer.from('Hello World!'));

  const receiver = await Inbox.open(await b.channel(), hello, { noAck: true });

  assert.deepEqual(await receiver.texts(1), ['Hello World!']);
});

test('2: work goes to whoever is free', async (t) => {
  const b = broker(t);
  const boss = await b.channel();
  const tasks = await b.queue(boss, 'task_queue');
  const worker = async () => {
    const channel = await b.channel();
    await channel.prefetch(1);
    return Inbox.open(channel, tasks);
  };
  const busy = await worker();
  const idle = await worker();

  for (const task of ['long', 'a', 'b', 'c']) boss.sendToQueue(tasks, Buffer.from(task), { persistent: true });

  assert.equal(text(await busy.next()), 'long');
  for (const task of ['a', 'b', 'c']) {
    const message = await idle.next();
    assert.equal(text(message), task);
    assert.equal(message.properties.deliveryMode, 2);
    idle.channel.ack(message);
  }
  await assertQuiet(busy, idle);
});

test('3: publish/subscribe', async (t) => {
  const b = broker(t);
  const publisher = await b.channel();
  const logs = b.name('logs');
  await publisher.assertExchange(logs, 'fanout', { durable: false });
  const screen = await subscribe(b, logs);
  const file = await subscribe(b, logs);

  publisher.publish(logs, '', Buffer.from('Hello World!'));

  assert.deepEqual(await screen.texts(1), ['Hello World!']);
  assert.deepEqual(await file.texts(1), ['Hello World!']);
});

test('4: routing', async (t) => {
  const b = broker(t);
  const publisher = await b.channel();
  const logs = b.name('direct_logs');
  await publisher.assertExchange(logs, 'direct', { durable: false });
  const screen = await subscribe(b, logs, 'info', 'warning', 'error');
  const file = await subscribe(b, logs, 'error');

  for (const severity of ['info', 'error', 'debug', 'warning']) publisher.publish(logs, severity, Buffer.from(severity));

  assert.deepEqual(await screen.texts(3), ['info', 'error', 'warning']);
  assert.deepEqual(await file.texts(1), ['error']);
  await assertQuiet(screen, file);
});

test('5: topics', async (t) => {
  const b = broker(t);
  const publisher = await b.channel();
  const logs = b.name('topic_logs');
  await publisher.assertExchange(logs, 'topic', { durable: false });
  const all = await subscribe(b, logs, '#');
  const kernel = await subscribe(b, logs, 'kern.*');
  const critical = await subscribe(b, logs, '*.critical');

  const keys = ['kern.critical', 'cron.critical', 'kern.info', 'kern.disk.info'];
  for (const key of keys) publisher.publish(logs, key, Buffer.from(key));

  assert.deepEqual(await all.texts(4), keys);
  assert.deepEqual(await kernel.texts(2), ['kern.critical', 'kern.info']);
  assert.deepEqual(await critical.texts(2), ['kern.critical', 'cron.critical']);
  await assertQuiet(all, kernel, critical);
});

async function subscribe(b, exchange, ...keys) {
  const channel = await b.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  for (const key of keys.length ? keys : ['']) await channel.bindQueue(queue, exchange, key);
  return Inbox.open(channel, queue, { noAck: true });
}

for (const directly of [false, true]) {
  test(`6: remote calls through ${directly ? 'direct reply-to' : 'a callback queue'}`, async (t) => {
    const b = broker(t);
    const server = await b.channel();
    const requests = await b.queue(server, 'rpc_queue');
    await server.consume(requests, (request) => {
      const { replyTo, correlationId } = request.properties;
      server.sendToQueue(replyTo, Buffer.from(`fib(${text(request)}) = ${fib(Number(text(request)))}`), { correlationId });
      server.ack(request);
    });

    const client = await b.channel();
    const replyTo = directly ? 'amq.rabbitmq.reply-to' : (await client.assertQueue('', { exclusive: true })).queue;
    const replies = await Inbox.open(client, replyTo, { noAck: true });
    for (const n of [1, 10]) client.sendToQueue(requests, Buffer.from(`${n}`), { replyTo, correlationId: `call ${n}` });

    const [first, second] = await replies.take(2);
    assert.deepEqual([first, second].map(text), ['fib(1) = 1', 'fib(10) = 55']);
    assert.equal(second.properties.correlationId, 'call 10');
  });
}

function fib(n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

test('7: confirms one by one', async (t) => {
  const b = broker(t);
  const channel = await b.confirmChannel();
  const orders = await b.queue(channel, 'orders');

  for (let n = 0; n < 20; n++) {
    await inTime(new Promise((resolve, reject) => {
      channel.sendToQueue(orders, Buffer.from(`${n}`), {}, (refused) => (refused ? reject(refused) : resolve()));
    }));
  }

  assert.equal((await channel.checkQueue(orders)).messageCount, 20);
});

test('7: confirms for a batch', async (t) => {
  const b = broker(t);
  const channel = await b.confirmChannel();
  const orders = await b.queue(channel, 'orders');

  for (let n = 0; n < 500; n++) channel.sendToQueue(orders, Buffer.from(`${n}`));
  await inTime(channel.waitForConfirms());

  assert.deepEqual(await drain(channel, orders), Array.from({ length: 500 }, (_, n) => `${n}`));
});

test('7: a refused message is told to its sender', async (t) => {
  const b = broker(t);
  const channel = await b.confirmChannel();
  const small = await b.queue(channel, 'small', { maxLength: 1, overflow: 'reject-publish' });

  const outcome = (body) => inTime(new Promise((resolve) => {
    channel.sendToQueue(small, Buffer.from(body), {}, (refused) => resolve(refused ? 'nack' : 'ack'));
  }));

  assert.deepEqual([await outcome('fits'), await outcome('does not')], ['ack', 'nack']);
});
