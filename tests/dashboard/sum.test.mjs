// What somebody sees of several vhosts who may not see the whole broker.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const source = readFileSync(`${process.env.WARREN_DASHBOARD}/js/overview/sum.js`, "utf8");
const { together } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

test("counts, rates and samples of vhosts are added up, also where one has never seen a message", () => {
  const details = (rate, ...samples) => ({ rate, samples: samples.map((sample, at) => ({ sample, timestamp: 1000 * (9 - at) })) });
  const vhost = (publish, ready) => ({ message_stats: publish && { publish: publish.samples[0].sample, publish_details: publish }, messages_ready: ready, messages_ready_details: details(0, ready) });
  const sum = together([vhost(details(2, 20, 10), 1), vhost(details(0.5, 5, 5), 2), vhost(undefined, 4)]);
  assert.deepEqual(sum.message_stats, { publish: 25, publish_details: details(2.5, 25, 15) });
  assert.equal(sum.queue_totals.messages_ready, 7);
  assert.deepEqual(sum.queue_totals.messages_ready_details.samples, [{ sample: 7, timestamp: 9000 }]);
});

test("who may enter no vhost sees nothing", () => {
  assert.deepEqual(together([]), { message_stats: {}, queue_totals: {} });
});
