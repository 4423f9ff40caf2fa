// Clients that do more by themselves: handlers, retries, and coming back after the network failed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'amqplib';
import { Connection } from 'rabbitmq-client';
import { broker, inTime, text, url } from './broker.mjs';
import { relay } from './relay.mjs';

function rabbitmqClient(t, address) {
  const connection = new Connection({ url: address, retryLow: 20 });
  connection.on('error', () => {}); // That the network fails is the story.
  t.after(() => connection.close());
  return connection;
}

/// A consumer of rabbitmq-client whose calls can be waited for.
async function worker(rabbit, options, handle) {
  const consumer = rabbit.createConsumer({ queueOptions: { durable: true }, ...options }, async (message) => {
    await handle(message);
    consumer.emit('handled', message);
  });
  consumer.on('error', () => {});
  await inTime(once(consumer, 'ready'));
  return consumer;
}

test('rabbitmq-client acks what its handler has done', async (t) => {
  const b = broker(t);
  const rabbit = rabbitmqClient(t, url);
  const [queue, exchange] = [b.name('user-events'), b.name('events')];
  const done = [];
  const consumer = await worker(
    rabbit,
    {
      queue,
      qos: { prefetchCount: 2 },
      exchanges: [{ exchange, type: 'topic', durable: true }],
      queueBindings: [{ exchange, routingKey: 'users.*' }],
    },
    (message) => done.push(message.body),
  );
  const publisher = rabbit.createPublisher({ confirm: true });

  for (const id of [1, 2, 3]) {
    const handled = once(consumer, 'handled');
    await publisher.send({ exchange, routingKey: 'users.visit' }, { id });
    await inTime(handled);
  }
  await publisher.close();
  await consumer.close();

  assert.deepEqual(done, [{ id: 1 }, { id: 2 }, { id: 3 }]);
  assert.equal((await rabbit.queueDeclare({ queue, passive: true })).messageCount, 0);
});

test('rabbitmq-client requeues what its handler fails at', async (t) => {
  const b = broker(t);
  const rabbit = rabbitmqClient(t, url);
  const queue = b.name('flaky');
  const attempts = [];
  const consumer = await worker(rabbit, { queue }, ({ redelivered }) => {
    attempts.push(redelivered);
    if (!redelivered) throw new Error('try again');
  });
  const publisher = rabbit.createPublisher({ confirm: true });

  const handled = once(consumer, 'handled');
  await publisher.send(queue, 'task');
  await inTime(handled);
  await publisher.close();
  await consumer.close();

  assert.deepEqual(attempts, [false, true]);
});

test('rabbitmq-client calls procedures', async (t) => {
  const b = broker(t);
  const rabbit = rabbitmqClient(t, url);
  const queue = b.name('square');
  const server = rabbit.createConsumer({ queue, queueOptions: { durable: true } }, async (request, reply) => {
    await reply(request.body ** 2);
  });
  await inTime(once(server, 'ready'));
  const client = rabbit.createRPCClient({ confirm: true });

  const answers = await inTime(Promise.all([2, 3, 4].map((n) => client.send(queue, n))));
  await client.close();
  await server.close();

  assert.deepEqual(answers.map((answer) => answer.body), [4, 9, 16]);
});

test('rabbitmq-client comes back after the network failed', async (t) => {
  const b = broker(t);
  const network = await relay(t);
  const rabbit = rabbitmqClient(t, network.url);
  const queue = b.name('inbox');
  const bodies = [];
  const consumer = await worker(rabbit, { queue }, (message) => bodies.push(message.body));
  const publisher = rabbit.createPublisher({ confirm: true, maxAttempts: 3 });
  const before = once(consumer, 'handled');
  await publisher.send(queue, 'before');
  await inTime(before);

  const ready = once(consumer, 'ready');
  network.cut();
  await inTime(ready);
  const after = once(consumer, 'handled');
  await publisher.send(queue, 'after');
  await inTime(after);
  await publisher.close();
  await consumer.close();

  assert.deepEqual([bodies[0], bodies.at(-1)], ['before', 'after']);
});

test('amqplib comes back after the network failed', async (t) => {
  const b = broker(t);
  const network = await relay(t);
  const queue = b.name('inbox');
  const received = [];
  const connection = await connect(network.url, {
    recovery: {
      initialDelay: 20,
      async setup(model) {
        const channel = await model.createChannel();
        channel.on('error', () => {});
        await channel.assertQueue(queue);
        await channel.consume(queue, (message) => {
          received.push(text(message));
          channel.ack(message);
          connection?.emit('received');
        });
      },
    },
  });
  connection.on('error', () => {});
  t.after(() => connection.close());

  const reconnected = once(connection, 'connect');
  network.cut();
  await inTime(reconnected);
  const arrived = once(connection, 'received');
  (await b.channel()).sendToQueue(queue, Buffer.from('after'));
  await inTime(arrived);

  assert.deepEqual(received, ['after']);
});
