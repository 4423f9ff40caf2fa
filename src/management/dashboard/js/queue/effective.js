// What rules a queue when its arguments, its policy and the operator's policy all speak. Pure; the
// broker's own rules are those of src/policy/effective.rs.

/** Of these the smallest counts, whoever says it. */
const SMALLEST = new Set(["message-ttl", "expires", "max-length", "max-length-bytes", "delivery-limit", "consumer-timeout", "max-in-memory-length", "max-in-memory-bytes"]);
/** What says something where nobody else does. */
const QUORUM_RETURNS = 20, MULTIPLIER = 2, LONGEST_RETRY = 3_600_000;
/** What a queue is, rather than what rules it. */
const NO_SETTINGS = new Set(["x-queue-type"]);

/** Rows {key, argument, policy, operator, value, from}; `from` is whose word prevails. */
export function effective({ arguments: args = {}, type }, { policy, operator }) {
  const own = Object.fromEntries(Object.entries(args).filter(([key]) => !NO_SETTINGS.has(key)).map(([key, value]) => [key.replace(/^x-/, ""), value]));
  const keys = new Set([...Object.keys(own), ...Object.keys(policy?.definition ?? {}), ...Object.keys(operator?.definition ?? {})]);
  const rows = [...keys].map((key) => {
    const said = { argument: own[key], policy: policy?.definition[key], operator: operator?.definition[key] };
    return { key, ...said, ...prevails(key, said) };
  });
  for (const [key, value] of defaults(type, keys)) rows.push({ key, value, from: "default" });
  return rows.sort((a, b) => a.key.localeCompare(b.key));
}

function prevails(key, said) {
  const all = Object.entries(said).filter(([, value]) => value !== undefined);
  if (SMALLEST.has(key)) all.sort((a, b) => size(a[1]) - size(b[1]));
  // An operator's word goes before a policy's, and what the queue was declared with before both.
  else all.sort((a, b) => RANK.indexOf(a[0]) - RANK.indexOf(b[0]));
  const [from, value] = all[0];
  return { from, value };
}
const RANK = ["argument", "operator", "policy"];
/** A negative limit is none. */
const size = (value) => (value < 0 ? Infinity : value);

function defaults(type, keys) {
  const all = [];
  if (type === "quorum" && !keys.has("delivery-limit")) all.push(["delivery-limit", QUORUM_RETURNS]);
  if (keys.has("retry-delay")) {
    if (!keys.has("retry-multiplier")) all.push(["retry-multiplier", MULTIPLIER]);
    if (!keys.has("retry-max-delay")) all.push(["retry-max-delay", LONGEST_RETRY]);
  }
  return all;
}

const SHOWN = 6;

/**
 * How returned messages are tried again: {waits, more, longest, jitter, attempts, which}, or null if they
 * are at once. `waits` are the first ones, in ms; `more` tells that they go on.
 */
export function retries(rows) {
  const said = Object.fromEntries(rows.map((row) => [row.key, row.value]));
  const delay = said["retry-delay"];
  if (delay !== undefined) {
    const longest = said["retry-max-delay"];
    return waits((n) => Math.min(delay * said["retry-multiplier"] ** (n - 1), longest), { longest, jitter: said["retry-jitter"] ?? 0, attempts: said["retry-attempts"], which: "all" });
  }
  const which = said["delayed-retry-type"], first = said["delayed-retry-min"];
  if (which === undefined || which === "disabled" || first === undefined) return null;
  const longest = said["delayed-retry-max"] ?? Infinity;
  return waits((n) => Math.min(first * n, longest), { longest, jitter: 0, attempts: undefined, which });
}

function waits(of, more) {
  const most = Math.min(more.attempts ?? Infinity, SHOWN);
  return { waits: Array.from({ length: most }, (_, n) => of(n + 1)), more: (more.attempts ?? Infinity) > most, ...more };
}
