// What rules a queue, and who said so: its own arguments, its policy, the operator's policy.
import { html } from "../core/view.js";
import { get, path } from "../core/api.js";
import { inline, plural, span } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { Badge, Empty, Loaded, Panel } from "../ui/bits.js";
import { MEANINGS } from "../ui/known.js";
import { ExchangeLink } from "../ui/links.js";
import { Rows } from "../ui/rows.js";
import { effective, retries } from "./effective.js";

export function Settings({ queue }) {
  const { vhost, policy, operator_policy: operator } = queue;
  const seen = usePoll(async (signal) => ({
    policy: policy ? await get(path`policies/${vhost}/${policy}`, {}, { signal }) : null,
    operator: operator ? await get(path`operator-policies/${vhost}/${operator}`, {}, { signal }) : null,
  }), [vhost, policy, operator]);
  return html`<${Loaded} from=${seen}>${(rules) => {
    const rows = effective(queue, rules);
    if (!rows.length) return html`<${Empty} title="Nothing is set">The queue has no arguments, and no policy applies to it. <a href=${link("policies", { vhost })}>Policies</a> set things for many queues at once, and can be changed later.</>`;
    return html`<${Fate} queue=${queue} rows=${rows} /><${Panel} title="What rules this queue, and who said so" class="flush" actions=${html`${policy && html`<a href=${link("policies", { vhost, name: policy })}>Policy ${policy}</a>`}${operator && html`<a href=${link("policies", { vhost, kind: "operator", name: operator })}>Operator policy ${operator}</a>`}`}><${Rows} bare label="Settings" rows=${rows} rowKey=${(row) => row.key} columns=${[
      { id: "key", label: "Setting", always: true, show: (row) => html`<span class="mono" title=${MEANINGS.get(row.key)}>${row.key}</span>` },
      { id: "value", full: true, label: "In effect", show: (row) => html`<b class="mono">${inline(row.value)}</b>${unit(row)} <${Badge} tone=${row.from === "default" ? "quiet" : "accent"}>${row.from}</>` },
      said("argument", "Argument"),
      said("policy", "Policy"),
      said("operator", "Operator policy"),
    ]} /></>`;
  }}</>`;
}

/** What one of them said. */
const said = (who, label) => ({ id: who, label, mono: true, show: (row) => html`<span class=${row.from === who ? "" : "zero"}>${row[who] === undefined ? "–" : inline(row[who])}</span>` });

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
    ${last.length > 0 && html`<li>If it comes back more than ${plural(Math.min(...last), "time")} it is ${dead === undefined ? "dropped" : "dead-lettered"}.</li>`}
    <li>${dead === undefined ? html`There is no dead-letter exchange: what is rejected, expires or does not fit is dropped.` : html`Dead letters go to <${ExchangeLink} vhost=${queue.vhost} name=${dead} />${said["dead-letter-routing-key"] === undefined ? " with their own routing key" : html` with the key <code>${said["dead-letter-routing-key"]}</code>`}.`}</li>
  </ol></>`;
}
const RETURNS = { all: "A message that a consumer puts back", failed: "A message that a consumer rejects and puts back", returned: "A message that a consumer puts back with nack" };
