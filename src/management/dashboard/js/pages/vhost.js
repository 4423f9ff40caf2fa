// One vhost: what goes through it, who may enter, its limits.
import { html } from "../core/view.js";
import { call, get, may, path } from "../core/api.js";
import { plural, rate, short } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { range, useStore } from "../core/store.js";
import { Badge, Head, Loaded, Panel, Tile } from "../ui/bits.js";
import { ages, Depth, MessageRates, Range } from "../ui/chart.js";
import { note, show } from "../ui/dialog.js";
import { Limits } from "../ui/limits.js";
import { Permissions } from "../ui/permissions.js";
import { drop, Standing, VhostForm } from "./vhosts.js";

const count = async (where, signal) => (await get(where, { page: 1, page_size: 1, columns: "name", disable_stats: "true" }, { signal })).total_count;

export default function Vhost({ parts: [name] }) {
  const seconds = useStore(range);
  const at = path`vhosts/${name}`;
  const seen = usePoll(async (signal) => {
    const [vhost, queues, exchanges, connections] = await Promise.all([get(at, ages(seconds, "msg_rates", "lengths"), { signal }), count(path`queues/${name}`, signal), count(path`exchanges/${name}`, signal), count(`${at}/connections`, signal)]);
    return { vhost, queues, exchanges, connections };
  }, [at, seconds]);
  const rights = may();
  return html`<${Loaded} from=${seen}>${({ vhost, queues, exchanges, connections }) => html`
    <${Head} trail=${[["Vhosts", "#/vhosts"]]} title=${name} badges=${html`${vhost.tags.map((tag) => html`<${Badge} key=${tag}>${tag}</>`)}<${Standing} of=${vhost} />`}>
      <${Range} />${rights.administer && html`<button onClick=${() => show({ title: `Change ${name}`, body: (close) => html`<${VhostForm} vhost=${vhost} close=${close} />` })}>Change</button>
      <button onClick=${() => protect(vhost, at)}>${vhost.protected_from_deletion ? "Unprotect" : "Protect"}</button>
      <button class="quiet-danger" disabled=${vhost.protected_from_deletion} onClick=${() => drop(vhost, [plural(queues, "queue"), plural(vhost.messages, "message"), plural(exchanges, "exchange"), `${plural(connections, "connection")}, which ${connections === 1 ? "is" : "are"} closed`])}>Delete</button>`}</>
    ${vhost.description && html`<p class="note">${vhost.description}</p>`}
    <div class="tiles">
      <${Tile} label="Queues" value=${short(queues)} href=${link("queues", { vhost: name })} /><${Tile} label="Exchanges" value=${short(exchanges)} href=${link("exchanges", { vhost: name })} /><${Tile} label="Connections" value=${short(connections)} href=${link("connections", { vhost: name })} />
      <${Tile} label="Ready" value=${short(vhost.messages_ready)} /><${Tile} label="Unacked" value=${short(vhost.messages_unacknowledged)} /><${Tile} label="Topology" value="Graph" href=${link("topology", { vhost: name })} />
    </div>
    <div class="grid"><${Panel}><${MessageRates} stats=${vhost.message_stats} format=${rate} /></><${Panel}><${Depth} of=${vhost} format=${short} /></></div>
    ${rights.administer && html`<${Permissions} vhost=${name} /><div class="grid"><${Limits} of="vhost-limits" name=${name} /></div>`}`}</>`;
}

async function protect(vhost, at) {
  try {
    await call(vhost.protected_from_deletion ? "DELETE" : "POST", `${at}/deletion/protection`, vhost.protected_from_deletion ? {} : { body: {} });
    refresh();
  } catch (error) {
    note(error.message, "bad");
  }
}
