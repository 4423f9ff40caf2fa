// What needs attention: alarms, what is stuck, and why.
import { html } from "../core/view.js";
import { bytes, plural, rate, whole } from "../core/format.js";
import { link } from "../core/route.js";
import { Badge } from "../ui/bits.js";
import { QueueLink } from "../ui/links.js";

const speed = (queue, key) => queue.message_stats?.[`${key}_details`]?.rate ?? 0;

/** Why something needs attention; nothing, if nothing does. */
export function Health({ seen }) {
  if (!seen.data) return null;
  const { nodes, longest, held } = seen.data;
  const found = verdicts(nodes, longest, held);
  if (!found.length) return html`<div class="verdict ok"><${Badge} tone="ok">Healthy</><span>No alarms, nothing stuck.</span></div>`;
  const worst = found.some(([tone]) => tone === "bad") ? "bad" : "warn";
  return html`<section class="verdict ${worst}" aria-label="What needs attention"><${Badge} tone=${worst}>${worst === "bad" ? "In trouble" : "Look at this"}</><ul>${found.map(([, text], at) => html`<li key=${at}>${text}</li>`)}</ul></section>`;
}

function verdicts(nodes, queues, connections) {
  const all = [];
  for (const node of nodes) {
    if (node.mem_alarm) all.push(["bad", html`<b>Memory alarm</b> at ${node.name}: publishers wait until consumers have made room.`]);
    else if (node.mem_limit && node.mem_used / node.mem_limit > 0.8) all.push(["warn", html`Memory at ${Math.round(100 * node.mem_used / node.mem_limit)} % of its limit (${bytes(node.mem_limit)}).`]);
    if (node.disk_free_alarm) all.push(["bad", html`<b>Disk alarm</b> at ${node.name}: publishers wait until there is room on the disk.`]);
    if (node.fd_total && node.fd_used / node.fd_total > 0.9) all.push(["warn", html`${whole(node.fd_used)} of ${whole(node.fd_total)} file handles are in use.`]);
  }
  const held = connections.filter((each) => each.state === "blocked" || each.state === "flow");
  if (held.length) all.push(["warn", html`<a href=${link("connections", { sort: "state" })}>${plural(held.length, "connection")}</a> ${held.length === 1 ? "is" : "are"} held back (${held[0].state}).`]);
  const queueNote = (found, text) => {
    if (!found.length) return;
    const [first] = found;
    all.push(["warn", html`<${QueueLink} vhost=${first.vhost} name=${first.name} />${found.length > 1 ? html` and <a href=${link("queues", { sort: "ready", desc: "1" })}>${plural(found.length - 1, "other queue")}</a>` : ""}: ${text(first)}`]);
  };
  const paused = queues.filter((queue) => queue.state === "paused");
  queueNote(paused, (queue) => `paused, with ${plural(queue.messages_ready, "message")} waiting.`);
  queueNote(queues.filter((queue) => !paused.includes(queue) && queue.messages_ready > 0 && queue.consumers === 0 && speed(queue, "publish") > 0), (queue) => `nobody consumes, ${plural(queue.messages_ready, "message")} and growing.`);
  queueNote(queues.filter((queue) => queue.consumers > 0 && queue.messages_unacknowledged > 0 && speed(queue, "ack") === 0 && queue.messages_ready > 0 && speed(queue, "deliver_get") === 0), (queue) => `its consumers hold ${plural(queue.messages_unacknowledged, "message")} and acknowledge none; ${whole(queue.messages_ready)} wait.`);
  queueNote(queues.filter((queue) => queue.consumers > 0 && queue.messages_ready > 1000 && speed(queue, "publish") > 1.2 * speed(queue, "ack") && speed(queue, "ack") > 0), (queue) => `its consumers are slower than its publishers (${rate(speed(queue, "ack"))}/s against ${rate(speed(queue, "publish"))}/s).`);
  return all;
}
