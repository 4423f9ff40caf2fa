// Limits of all vhosts and users.
import { html } from "../core/view.js";
import { get, may } from "../core/api.js";
import { whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { Empty, Head, Loaded, Panel } from "../ui/bits.js";
import { Rows } from "../ui/rows.js";
import { USER_LIMITS, VHOST_LIMITS } from "../ui/limits.js";

export default function LimitsPage() {
  const rights = may();
  return html`<${Head} title="Limits" /><p class="note">Limits are set on the page of a vhost or a user.</p>
    <${Of} what="vhost" from="vhost-limits" place="vhosts" known=${VHOST_LIMITS} />
    ${rights.administer && html`<${Of} what="user" from="user-limits" place="users" known=${USER_LIMITS} />`}`;
}

function Of({ what, from, place, known }) {
  const seen = usePoll((signal) => get(from, {}, { signal }), [from]);
  return html`<${Panel} title="Of ${what}s" class="flush"><${Loaded} from=${seen}>${(rows) => (rows.length === 0 ? html`<div class="pad"><${Empty} title="No ${what} is limited">A limit keeps one ${what} from using up the broker. <a href=${link(place)}>Choose a ${what}</a> to set one.</></div>` : html`<${Rows} bare label="Limits of ${what}s" rows=${rows} rowKey=${(row) => row[what]} columns=${[
    { id: "name", label: what === "vhost" ? "Vhost" : "User", always: true, show: (row) => html`<a class="name" href=${link(place, row[what])}>${row[what]}</a>` },
    ...known.map(([id, label]) => ({ id, label: `${label} at most`, num: true, show: (row) => (row.value[id] === undefined ? html`<span class="zero">–</span>` : whole(row.value[id])) })),
  ]} />`)}</></>`;
}
