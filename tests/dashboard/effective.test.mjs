// Whose word prevails when arguments and policies speak of the same setting, as the broker has it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const source = readFileSync(`${process.env.WARREN_DASHBOARD}/js/queue/effective.js`, "utf8");
const { effective, retries } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const rows = (args, policy, operator, type = "classic") => effective({ arguments: args, type }, { policy: policy && { definition: policy }, operator: operator && { definition: operator } });
const inEffect = (...said) => Object.fromEntries(rows(...said).map(({ key, value, from }) => [key, [value, from]]));

test("the smallest of limits counts, whoever says it; none at all yields", () => {
  assert.deepEqual(inEffect({ "x-max-length": 5 }, { "max-length": 3 }, { "max-length": 4 }), { "max-length": [3, "policy"] });
  assert.deepEqual(inEffect({ "x-message-ttl": 5 }, { "message-ttl": 7 }), { "message-ttl": [5, "argument"] });
  assert.deepEqual(inEffect({ "x-delivery-limit": -1 }, {}, { "delivery-limit": 9 }), { "delivery-limit": [9, "operator"] });
});

test("what is no limit is said by the argument, else by the operator, else by the policy", () => {
  assert.deepEqual(inEffect({ "x-overflow": "drop-head" }, { overflow: "reject-publish" }, { overflow: "reject-publish-dlx" }), { overflow: ["drop-head", "argument"] });
  assert.deepEqual(inEffect({}, { overflow: "reject-publish" }, { overflow: "drop-head" }), { overflow: ["drop-head", "operator"] });
  assert.deepEqual(inEffect({ "x-queue-type": "classic" }, { "dead-letter-exchange": "dlx" }), { "dead-letter-exchange": ["dlx", "policy"] });
});

test("what nobody says is told where it matters", () => {
  assert.deepEqual(inEffect({}, {}, {}, "quorum"), { "delivery-limit": [20, "default"] });
  assert.deepEqual(inEffect({ "x-retry-delay": 100 }), { "retry-delay": [100, "argument"], "retry-max-delay": [3_600_000, "default"], "retry-multiplier": [2, "default"] });
});

test("how long returned messages wait", () => {
  const waits = (...said) => retries(rows(...said));
  assert.equal(waits({}), null);
  assert.deepEqual(waits({ "x-retry-delay": 100, "x-retry-multiplier": 3, "x-retry-max-delay": 1000, "x-retry-attempts": 4 }), { waits: [100, 300, 900, 1000], more: false, longest: 1000, jitter: 0, attempts: 4, which: "all" });
  const linear = waits({ "x-delayed-retry-type": "failed", "x-delayed-retry-min": 10 }, {}, {}, "quorum");
  assert.deepEqual([linear.waits, linear.more, linear.which], [[10, 20, 30, 40, 50, 60], true, "failed"]);
  assert.equal(waits({ "x-delayed-retry-type": "disabled", "x-delayed-retry-min": 10 }, {}, {}, "quorum"), null);
});
