// Clients that do more by themselves: handlers, retries, and coming back after the network failed.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { connect } from 'amqplib';
import { Connection } from 'rabbitmq-client';
import { broker, inTime, text, url } from './broker.mjs';
import { relay } from './relay.mjs';

/// rabbitmq-client, closed part by part when the test ends.
function rabbitmqClient(b, address = url) {
  const rabbit = new Connection({ url: address, retryLow: 20 });
  rabbit.on('error', () => {}); // That the network fails is the story.
  b.finally(() => rabbit.close());
  const closedFirst = (part) => {
    b.finally(() => part.close());
    return part;
  };

  return {
    queueDeclare: (options) => rabbit.queueDeclare(options),
    publisher: () => closedFirst(rabbit.createPublisher({ confirm: true, maxAttempts: 3 })),
    caller: () => closedFirst(rabbit.createRPCClient({ confirm: true })),
    async worker(options, handle) {
      const consumer = closedFirst(
        rabbit.createConsumer({ queueOptions: { durable: true }, ...options }, async (message, reply) => {
          await handle(message, reply);
          consumer.emit('handled');
        }),
      );
      consumer.on('error', () => {}); // Handlers may fail.
      await happens(consumer, 'ready');
      return consumer;
    },
  };
}

/// Like `once` of node:events, and errors on the way are part of the story.
function happens(emitter, event) {
  return inTime(new Promise((resolve) => emitter.once(event, resolve)));
}

test('rabbitmq-client acks what its handler has done', async (t) => {
  const b = broker(t);
  const rabbit = rabbitmqClient(b);
  const [queue, exchange] = [b.name('user-events'), b.name('events')];
  const done = [];
  const consumer = await rabbit.worker(
    {
      queue,
      qos: { prefetchCount: 2 },
      exchanges: [{ exchange, type: 'topic', durable: true }],
      queueBindings: [{ exchange, routingKey: 'users.*' }],
    },
    (message) => done.push(message.body),
  );
  const publisher = rabbit.publisher();

  for (const id of [1, 2, 3]) {
    const handled = happens(consumer, 'handled');
    await publisher.send({ exchange, routingKey: 'users.visit' }, { id });
    await handled;
  }
  await consumer.close();

  assert.deepEqual(done, [{ id: 1 }, { id: 2 }, { id: 3 }]);
  assert.equal((await rabbit.queueDeclare({ queue, passive: true })).messageCount, 0);
});

test('rabbitmq-client requeues what its handler fails at', async (t) => {
  const b = broker(t);
  const rabbit = rabbitmqClient(b);
  const queue = b.name('flaky');
  const attempts = [];
  const consumer = await rabbit.worker({ queue }, ({ redelivered }) => {
    attempts.push(redelivered);
    if (!redelivered) throw new Error('try again');
  });

  const handled = happens(consumer, 'handled');
  await rabbit.publisher().send(queue, 'task');
  await handled;

  assert.deepEqual(attempts, [false, true]);
});

test('rabbitmq-client calls procedures', async (t) => {
  const b = broker(t);
  const rabbit = rabbitmqClient(b);
  const queue = b.name('square');
  await rabbit.worker({ queue }, (request, reply) => reply(request.body ** 2));
  const caller = rabbit.caller();

  const answers = await inTime(Promise.all([2, 3, 4].map((n) => caller.send(queue, n))));

  assert.deepEqual(answers.map((answer) => answer.body), [4, 9, 16]);
});

test('rabbitmq-client comes back after the network failed', async (t) => {
  const b = broker(t);
  const network = await relay(b);
  const rabbit = rabbitmqClient(b, network.url);
  const queue = b.name('inbox');
  const bodies = [];
  const consumer = await rabbit.worker({ queue }, (message) => bodies.push(message.body));
  const publisher = rabbit.publisher();
  const before = happens(consumer, 'handled');
  await publisher.send(queue, 'before');
  await before;

  const ready = happens(consumer, 'ready');
  network.cut();
  await ready;
  const arrived = new Promise((resolve) => consumer.on('handled', () => bodies.includes('after') && resolve()));
  await publisher.send(queue, 'after');
  await inTime(arrived); // Perhaps after a second "before", whose ack the cut may have lost.

  assert.deepEqual(bodies.filter((body) => body !== 'before'), ['after']);
});

test('amqplib comes back after the network failed', async (t) => {
  const b = broker(t);
  const network = await relay(b);
  const queue = b.name('inbox');
  const events = new EventEmitter();
  const connection = await connect(network.url, { recovery: { initialDelay: 20, setup: consume } });
  connection.on('error', () => {});
  b.finally(() => connection.close());

  async function consume(model) {
    const channel = await model.createChannel();
    channel.on('error', () => {});
    await channel.assertQueue(queue);
    await channel.consume(queue, (message) => events.emit('received', text(message)), { noAck: true });
  }

  const reconnected = happens(connection, 'connect');
  network.cut();
  await reconnected;
  const received = happens(events, 'received');
  (await b.channel()).sendToQueue(queue, Buffer.from('after'));

  assert.equal(await received, 'after');
});
