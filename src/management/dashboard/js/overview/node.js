// The machine's side: memory, disk, file handles, listeners, and what comes and goes.
import { html } from "../core/view.js";
import { get } from "../core/api.js";
import { bytes, rate, span, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { range, useStore } from "../core/store.js";
import { Bytes, Facts, Loaded, Panel } from "../ui/bits.js";
import { ages, Chart, rates, together } from "../ui/chart.js";
import { Rows } from "../ui/rows.js";

/** All nodes; there is one. */
export function Nodes({ listeners }) {
  const seconds = useStore(range);
  const seen = usePoll((signal) => get("nodes", ages(seconds, "node_stats"), { signal }), [seconds]);
  return html`<${Loaded} from=${seen}>${(nodes) => nodes.map((node) => html`<${Node} key=${node.name} node=${node} listeners=${listeners} />`)}</>`;
}

function Node({ node, listeners }) {
  return html`<${Panel} title="Node" note=${node.name}>
    <div class="grid three">
      <div class="stack">
        <${Gauge} label="Memory" used=${node.mem_used} of=${node.mem_limit} format=${bytes} alarm=${node.mem_alarm} />
        <${Gauge} label="File handles" used=${node.fd_used} of=${node.fd_total} format=${whole} />
        <${Gauge} label="Sockets" used=${node.sockets_used} of=${node.sockets_total} format=${whole} />
        <${Facts} rows=${[
          ["Disk free", html`<span class=${node.disk_free_alarm ? "num bad" : "num"}>${bytes(node.disk_free)}</span>${node.disk_free_limit ? html` <small>alarm below ${bytes(node.disk_free_limit)}</small>` : ""}`],
          ["Up for", span(node.uptime)],
          ["Processors", node.processors],
          ["Process", node.os_pid],
          ["Data", html`<span class="mono">${node.db_dir}</span>`],
        ]} />
      </div>
      <${Memory} node=${node.name} />
      <${Listeners} all=${listeners} />
    </div>
  </>`;
}

function Gauge({ label, used, of, format, alarm }) {
  const share = of ? Math.min(1, used / of) : 0;
  const tone = alarm || share > 0.95 ? "bad" : share > 0.8 ? "warn" : "";
  return html`<div class="gauge ${tone}"><span>${label}</span><span class="num">${format(used)}${of ? html` <small>of ${format(of)}</small>` : ""}</span><div class="track"><i style=${{ width: `${(100 * share).toFixed(1)}%` }}></i></div></div>`;
}

const PARTS = 10;
function Memory({ node }) {
  const seen = usePoll((signal) => get(`nodes/${encodeURIComponent(node)}/memory`, {}, { signal }), [node], { every: 15 });
  return html`<div><h3>Memory by category</h3><${Loaded} from=${seen}>${({ memory }) => {
    if (!memory || typeof memory !== "object") return html`<p class="note">Not available.</p>`;
    const parts = Object.entries(memory).filter(([, value]) => typeof value === "number" && value > 0).sort((a, b) => b[1] - a[1]).slice(0, PARTS);
    const most = parts[0]?.[1] ?? 1;
    return html`<dl class="bars">${parts.map(([name, value]) => html`<div key=${name}><dt>${name.replaceAll("_", " ")}</dt><dd><i style=${{ width: `${(100 * value / most).toFixed(1)}%` }}></i></dd><dd class="num"><${Bytes} value=${value} /></dd></div>`)}</dl>`;
  }}</></div>`;
}

const CHURN = [["connection_created", "Connections opened"], ["connection_closed", "Connections closed"], ["channel_created", "Channels opened"], ["channel_closed", "Channels closed"], ["queue_declared", "Queues declared"], ["queue_created", "Queues created"], ["queue_deleted", "Queues deleted"]];
/** How many connections, channels and queues come and go: many tell of clients that connect for each message. */
export function Churn({ churn }) {
  const shown = [CHURN[0], CHURN[1], CHURN[2], CHURN[5]];
  return html`<${Panel} title="What comes and goes"><div class="grid uneven">
    <${Chart} title="Per second" height=${170} format=${rate} series=${shown.map(([, label], at) => ({ label, color: `--c${at + 1}` }))} data=${together(rates, shown.map(([key]) => churn[`${key}_details`]))} />
    <div><h3>Since the start</h3><${Facts} rows=${CHURN.map(([key, label]) => [label, html`<span class="num">${whole(churn[key])}</span>`])} /></div>
  </div></>`;
}

const LISTENERS = [
  { id: "protocol", label: "Protocol", always: true },
  { id: "ip_address", label: "Address", show: (each) => html`<span class="mono num">${each.ip_address}</span>` },
  { id: "port", label: "Port", num: true },
];
const Listeners = ({ all }) => html`<div class="stack"><h3>Listeners</h3><${Rows} label="Listeners" rows=${all} columns=${LISTENERS} rowKey=${(each) => each.protocol + each.ip_address + each.port} /></div>`;
