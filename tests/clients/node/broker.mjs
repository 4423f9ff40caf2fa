// What every test starts from: connections to the broker, names that nobody else uses, and readers
// that keep what they receive.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';

export const url = process.env.WARREN_AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672/';

const DEADLINE = 10_000; // For what must happen: it costs time only in failing tests.
const QUIET = 150; // For what must not happen.

/// The broker as one test sees it; what the test leaves behind is taken away when it ends.
export function broker(test) {
  const endings = [];
  const names = [];

  test.after(async () => {
    for (const end of endings.reverse()) await inTime(end());
    const janitor = await connect(url, { noDelay: true });
    const channel = await janitor.createChannel();
    for (const name of names) {
      await channel.deleteQueue(name);
      await channel.deleteExchange(name);
    }
    await janitor.close();
  });

  return {
    /// What to do when the test ends, last things first.
    finally(end) {
      endings.push(async () => end());
    },

    async connect(options = '', address = url) {
      const connection = await connect(address + options, { noDelay: true });
      let open = true;
      connection.on('close', () => (open = false));
      connection.on('error', () => {}); // Whoever expects an error listens for it.
      this.finally(() => open && connection.close());
      return connection;
    },

    async channel() {
      return (await this.connect()).createChannel();
    },

    async confirmChannel() {
      return (await this.connect()).createConfirmChannel();
    },

    name(hint) {
      names.push(`${hint}.${randomUUID().slice(0, 8)}`);
      return names.at(-1);
    },

    async queue(channel, hint = 'queue', options = {}) {
      return (await channel.assertQueue(this.name(hint), options)).queue;
    },
  };
}

/// A consumer that keeps its messages until the test takes them.
export class Inbox {
  static async open(channel, queue, options) {
    const inbox = new Inbox();
    inbox.channel = channel;
    inbox.waiting = [];
    inbox.arrived = () => {};
    const { consumerTag } = await channel.consume(queue, (message) => inbox.keep(message), options);
    inbox.tag = consumerTag;
    return inbox;
  }

  keep(message) {
    this.waiting.push(message);
    this.arrived();
  }

  async take(count) {
    const enough = new Promise((resolve) => {
      this.arrived = () => this.waiting.length >= count && resolve();
      this.arrived();
    });
    await inTime(enough);
    return this.waiting.splice(0, count);
  }

  async next() {
    return (await this.take(1))[0];
  }

  async texts(count) {
    return (await this.take(count)).map(text);
  }
}

export function text(message) {
  return message.content.toString();
}

/// Empties a queue and says what was in it, in order.
export async function drain(channel, queue) {
  const texts = [];
  for (let message; (message = await channel.get(queue, { noAck: true })); ) texts.push(text(message));
  return texts;
}

/// Nothing more comes to any of them: the one place where the tests let time pass.
export async function assertQuiet(...inboxes) {
  await pause(QUIET);
  assert.deepEqual(inboxes.flatMap((inbox) => inbox.waiting.map(text)), []);
}

/// Waits for a promise up to the deadline.
export async function inTime(promise) {
  const late = new AbortController();
  const deadline = pause(DEADLINE, undefined, { signal: late.signal }).then(() => {
    throw new Error(`the broker did not do it within ${DEADLINE} ms`);
  });
  deadline.catch(() => {}); // When the race is over, nobody waits for it.
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    late.abort();
  }
}
