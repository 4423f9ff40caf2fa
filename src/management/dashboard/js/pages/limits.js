// Limits of all vhosts and users.
import { html } from "../core/view.js";
import { get, may } from "../core/api.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { Empty, Head, Loaded, Panel } from "../ui/bits.js";
import { USER_LIMITS, VHOST_LIMITS } from "../ui/limits.js";

export default function LimitsPage() {
  const rights = may();
  return html`<${Head} title="Limits" /><p class="note">Limits are set on the page of a vhost or a user.</p>
    <${Of} what="vhost" from="vhost-limits" place="vhosts" known=${VHOST_LIMITS} />
    ${rights.administer && html`<${Of} what="user" from="user-limits" place="users" known=${USER_LIMITS} />`}`;
}

function Of({ what, from, place, known }) {
  const seen = usePoll((signal) => get(from, {}, { signal }), [from]);
  return html`<${Panel} title="Of ${what}s" class="flush"><${Loaded} from=${seen}>${(rows) => (rows.length === 0 ? html`<div class="pad"><${Empty} title="No ${what} is limited">A limit keeps one ${what} from using up the broker. <a href=${link(place)}>Choose a ${what}</a> to set one.</></div>` : html`<div class="scroll bare" tabindex="0" role="region" aria-label="Limits of ${what}s"><table><thead><tr><th>${what === "vhost" ? "Vhost" : "User"}</th>${known.map(([id, label]) => html`<th key=${id} class="right">${label} at most</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row[what]}><td class="main"><a class="name" href=${link(place, row[what])}>${row[what]}</a></td>${known.map(([id]) => html`<td key=${id} class="right num">${row.value[id] ?? html`<span class="zero">–</span>`}</td>`)}</tr>`)}</tbody></table></div>`)}</></>`;
}
