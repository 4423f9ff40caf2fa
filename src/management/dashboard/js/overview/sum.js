// The numbers of several vhosts as one: the broker keeps rates of all vhosts together, which not everybody
// may see, and of each. Pure.

const LENGTHS = ["messages", "messages_ready", "messages_unacknowledged"];

/** `message_stats` and `queue_totals` of these vhosts together, with their samples. */
export function together(vhosts) {
  const lengths = vhosts.map((vhost) => Object.fromEntries(LENGTHS.flatMap((key) => [key, `${key}_details`]).map((key) => [key, vhost[key]])));
  return { message_stats: vhosts.map((vhost) => vhost.message_stats).reduce(add, {}), queue_totals: lengths.reduce(add, {}) };
}

function add(one, other) {
  if (one === undefined || other === undefined) return one ?? other;
  if (typeof one === "number") return one + other;
  // Samples are taken of all at the same times.
  if (Array.isArray(one)) return one.map((each, at) => ({ ...each, sample: each.sample + (other[at]?.sample ?? 0) }));
  return Object.fromEntries([...new Set([...Object.keys(one), ...Object.keys(other)])].map((key) => [key, add(one[key], other[key])]));
}
