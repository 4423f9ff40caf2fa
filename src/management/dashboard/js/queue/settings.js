// What rules a queue, and who said so: its own arguments, its policy, the operator's policy.
import { html } from "../core/view.js";
import { get, path } from "../core/api.js";
import { inline, plural, span } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { Badge, Empty, Loaded, Panel } from "../ui/bits.js";
import { MEANINGS } from "../ui/known.js";
import { ExchangeLink } from "../ui/links.js";
import { effective, retries } from "./effective.js";

const WHO = [["argument", "Argument"], ["policy", "Policy"], ["operator", "Operator policy"]];

export function Settings({ queue }) {
  const { vhost, policy, operator_policy: operator } = queue;
  const seen = usePoll(async (signal) => ({
    policy: policy ? await get(path`policies/${vhost}/${policy}`, {}, { signal }) : null,
    operator: operator ? await get(path`operator-policies/${vhost}/${operator}`, {}, { signal }) : null,
  }), [vhost, policy, operator]);
  return html`<${Loaded} from=${seen}>${(rules) => {
    const rows = effective(queue, rules);
    if (!rows.length) return html`<${Empty} title="Nothing is set">The queue has no arguments, and no policy applies to it. <a href=${link("policies", { vhost })}>Policies</a> set things for many queues at once, and can be changed later.</>`;
    return html`<${Fate} queue=${queue} rows=${rows} /><${Panel} title="What rules this queue, and who said so" class="flush"><div class="scroll bare" tabindex="0" role="region" aria-label="Settings"><table class="settings">
      <thead><tr><th>Setting</th><th>In effect</th>${WHO.map(([who, label]) => html`<th key=${who} class=${who === "argument" ? "" : "wide"}>${label}${who === "policy" && policy && html` <a href=${link("policies", { vhost, name: policy })}>${policy}</a>`}${who === "operator" && operator && html` <a href=${link("policies", { vhost, kind: "operator", name: operator })}>${operator}</a>`}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.key}><td class="main"><span class="mono" title=${MEANINGS.get(row.key)}>${row.key}</span></td><td><b class="mono">${inline(row.value)}</b>${unit(row)} <${Badge} tone=${row.from === "default" ? "quiet" : "accent"}>${row.from}</></td>${WHO.map(([who]) => html`<td key=${who} class="mono ${who === "argument" ? "" : "wide"} ${row.from === who ? "" : "zero"}">${row[who] === undefined ? "–" : inline(row[who])}</td>`)}</tr>`)}</tbody>
    </table></div></>`;
  }}</>`;
}

/** Milliseconds as people read them. */
const TIMES = /^(message-ttl|expires|consumer-timeout|cache-ttl|retry-(max-)?delay|delayed-retry-(min|max))$/;
const unit = ({ key, value }) => (TIMES.test(key) && value >= 1000 ? html` <small>${span(value)}</small>` : "");

/** What becomes of a message that comes back, or dies. */
function Fate({ queue, rows }) {
  const said = Object.fromEntries(rows.map((row) => [row.key, row.value]));
  const dead = said["dead-letter-exchange"];
  const again = retries(rows);
  const limit = said["delivery-limit"] >= 0 ? said["delivery-limit"] : undefined;
  if (!again && limit === undefined && dead === undefined) return null;
  const last = [again?.attempts, limit].filter((each) => each !== undefined);
  return html`<${Panel} title="What becomes of messages that come back"><ol class="steps">
    ${again ? html`<li>${RETURNS[again.which]} waits ${again.waits.map((wait) => span(wait)).join(", then ")}${again.more ? html`, and so on${again.longest < Infinity && html` (at most ${span(again.longest)})`}` : ""}${again.jitter > 0 && html`, each up to ${again.jitter} % shorter`}; then it is handed out again.</li>` : html`<li>A message that a consumer puts back is handed out again at once.</li>`}
    ${last.length > 0 && html`<li>After ${plural(Math.min(...last), "return")} ${dead === undefined ? "it is dropped" : "it is dead-lettered"}.</li>`}
    <li>${dead === undefined ? html`There is no dead-letter exchange: what is rejected, expires or does not fit is dropped.` : html`Dead letters go to <${ExchangeLink} vhost=${queue.vhost} name=${dead} />${said["dead-letter-routing-key"] === undefined ? " with their own routing key" : html` with the key <code>${said["dead-letter-routing-key"]}</code>`}.`}</li>
  </ol></>`;
}
const RETURNS = { all: "A message that a consumer puts back", failed: "A message that a consumer rejects and puts back", returned: "A message that a consumer puts back with nack" };
