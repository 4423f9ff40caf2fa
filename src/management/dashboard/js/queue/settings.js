// What rules a queue, and who said so: its own arguments, its policy, the operator's policy.
import { html } from "../core/view.js";
import { get, path } from "../core/api.js";
import { inline } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { Badge, Empty, Loaded, Panel } from "../ui/bits.js";

/** Settings of which the smaller counts when several name one. */
const SMALLER = new Set(["message-ttl", "expires", "max-length", "max-length-bytes", "delivery-limit", "consumer-timeout"]);

export function Settings({ queue }) {
  const { vhost, policy, operator_policy: operator } = queue;
  const seen = usePoll(async (signal) => ({
    policy: policy ? await get(path`policies/${vhost}/${policy}`, {}, { signal }) : null,
    operator: operator ? await get(path`operator-policies/${vhost}/${operator}`, {}, { signal }) : null,
  }), [vhost, policy, operator]);
  return html`<${Loaded} from=${seen}>${(rules) => {
    const rows = effective(queue.arguments, rules);
    if (!rows.length) return html`<${Empty} title="Nothing is set">The queue has no arguments, and no policy applies to it. <a href=${link("policies", { vhost })}>Policies</a> set things for many queues at once, and can be changed later.</>`;
    return html`<${Panel} title="What rules this queue" class="flush"><div class="scroll bare" tabindex="0" role="region" aria-label="Settings"><table>
      <thead><tr><th>Setting</th><th>In effect</th><th>Argument</th><th>Policy ${policy && html`<a href=${link("policies", { vhost, name: policy })}>${policy}</a>`}</th><th>Operator policy ${operator ?? ""}</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.key}><td class="mono">${row.key}</td><td><b class="mono">${inline(row.value)}</b> <${Badge} tone="accent">${row.from}</></td>${["argument", "policy", "operator"].map((who) => html`<td class="mono ${row.from === who ? "" : "zero"}">${row[who] === undefined ? "–" : inline(row[who])}</td>`)}</tr>`)}</tbody>
    </table></div></>`;
  }}</>`;
}

/** Each setting with all who speak of it and who prevails. */
export function effective(args = {}, { policy, operator }) {
  const own = Object.fromEntries(Object.entries(args).map(([key, value]) => [key.replace(/^x-/, ""), value]));
  const keys = new Set([...Object.keys(own), ...Object.keys(policy?.definition ?? {}), ...Object.keys(operator?.definition ?? {})]);
  return [...keys].sort().map((key) => {
    const said = { argument: own[key], policy: policy?.definition[key], operator: operator?.definition[key] };
    return { key, ...said, ...prevails(key, said) };
  });
}

function prevails(key, said) {
  const all = Object.entries(said).filter(([, value]) => value !== undefined);
  if (SMALLER.has(key)) all.sort((a, b) => a[1] - b[1]);
  else if (said.operator !== undefined) all.reverse();
  const [from, value] = all[0];
  return { from, value };
}
