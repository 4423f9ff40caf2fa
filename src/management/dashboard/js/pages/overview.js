// The broker at a glance: is it healthy, what is busy, what is stuck and why.
import { html } from "../core/view.js";
import { get, may, put } from "../core/api.js";
import { bytes, plural, rate, short, span, whole } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { range, useStore } from "../core/store.js";
import { Badge, Bytes, Code, Empty, Facts, Head, Loaded, Num, Panel, Rate, Tile } from "../ui/bits.js";
import { ages, Chart, Depth, MessageRates, Range, rates, together } from "../ui/chart.js";
import { note, show } from "../ui/dialog.js";
import { Form } from "../ui/form.js";
import { QueueLink } from "../ui/links.js";

const TOP = 6;

export default function Overview() {
  const seconds = useStore(range);
  const { administer, monitor } = may();
  const queues = usePoll((signal) => queuesAndAlarms(monitor, signal), [monitor], { every: EVERY });
  const seen = usePoll((signal) => get("overview", ages(seconds, "msg_rates", "lengths"), { signal }), [seconds]);
  return html`<${Loaded} from=${seen}>${(all) => html`
    <${Head} title=${all.cluster_name} badges=${html`<${Badge}>Warren ${all.product_version}</><${Badge} title="The RabbitMQ whose behaviour this is">RabbitMQ ${all.rabbitmq_version} API</>`}>${administer && html`<button class="ghost small" onClick=${() => rename(all.cluster_name)}>Rename</button>`}<${Range} /></>
    <${Totals} all=${all} />
    <${Health} seen=${queues} />
    ${all.object_totals.connections === 0 && all.object_totals.queues === 0 && html`<${First} all=${all} />`}
    <div class="grid">
      <${Panel}><${MessageRates} stats=${all.message_stats} format=${rate} height=${200} /></>
      <${Panel}><${Depth} of=${all.queue_totals} format=${short} height=${200} /></>
    </div>
    <div class="grid">
      <${Busy} title="Busiest queues" from=${queues} rows=${(all) => all.busiest.filter((queue) => speed(queue, "publish") > 0)} none="No queue gets messages at the moment." />
      <${Busy} title="Longest queues" from=${queues} rows=${(all) => all.longest.filter((queue) => queue.messages > 0)} none="All queues are empty." />
    </div>
    ${monitor && html`<${Nodes} />`}
    <div class="grid"><${Churn} churn=${all.churn_rates} /><${Listeners} all=${all} /></div>`}</>`;
}

/** The name is what clients see, and what tells brokers apart. */
function rename(name) {
  show({ title: "Rename this broker", body: (close) => html`<${Form} action="Rename" start=${{ name }} onCancel=${close} fields=${[{ name: "name", label: "Name", required: true, help: "clients and monitoring are told it" }]} submit=${async (said) => {
    await put("cluster-name", said);
    close();
    note(`It is called ${said.name} from now on.`);
    refresh();
  }} />` });
}

function Totals({ all }) {
  const { object_totals: objects, queue_totals: queues, message_stats: stats } = all;
  const speed = (key) => stats[`${key}_details`]?.rate;
  return html`<div class="tiles">
    <${Tile} label="Published" value=${rate(speed("publish"))} unit="/s" title="${whole(stats.publish)} in all" />
    <${Tile} label="Delivered" value=${rate(speed("deliver_get"))} unit="/s" title="${whole(stats.deliver_get)} in all" />
    <${Tile} label="Ready" value=${short(queues.messages_ready)} title=${whole(queues.messages_ready)} href=${link("queues", { sort: "ready", desc: "1" })} />
    <${Tile} label="Unacked" value=${short(queues.messages_unacknowledged)} title=${whole(queues.messages_unacknowledged)} href=${link("queues", { sort: "unacked", desc: "1" })} />
    <${Tile} label="Connections" value=${short(objects.connections)} href="#/connections" />
    <${Tile} label="Channels" value=${short(objects.channels)} href="#/channels" />
    <${Tile} label="Queues" value=${short(objects.queues)} href="#/queues" />
    <${Tile} label="Consumers" value=${short(objects.consumers)} href="#/consumers" />
  </div>`;
}

const QUEUE = "name,vhost,state,messages,messages_ready,messages_unacknowledged,consumers,message_stats.publish_details.rate,message_stats.deliver_get_details.rate,message_stats.ack_details.rate";
const LOOKED_AT = 100;
/** Seconds between looks at all queues: with ten thousand of them a look costs the broker some 40 ms. */
const EVERY = 10;
const speed = (queue, key) => queue.message_stats?.[`${key}_details`]?.rate ?? 0;

async function queuesAndAlarms(monitor, signal) {
  const top = (sort, size) => get("queues", { page: 1, page_size: size, sort, sort_reverse: "true", columns: QUEUE }, { signal });
  const [nodes, longest, busiest, held] = await Promise.all([
    monitor ? get("nodes", { columns: "name,mem_alarm,disk_free_alarm,mem_used,mem_limit,fd_used,fd_total" }, { signal }) : [],
    top("messages", LOOKED_AT),
    top("message_stats.publish_details.rate", TOP),
    get("connections", { page: 1, page_size: 20, sort: "state", columns: "name,state" }, { signal }),
  ]);
  return { nodes, longest: longest.items, busiest: busiest.items, held: held.items };
}

/** Why something needs attention; nothing, if nothing does. */
function Health({ seen }) {
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

function Busy({ title, from, rows, none }) {
  return html`<${Panel} title=${title} class="flush"><${Loaded} from=${from}>${(all) => {
    const shown = rows(all).slice(0, TOP);
    if (!shown.length) return html`<p class="note pad">${none}</p>`;
    return html`<div class="scroll bare" tabindex="0" role="region" aria-label=${title}><table><thead><tr><th>Queue</th><th class="right">Messages</th><th class="right">In</th><th class="right">Out</th><th class="right wide">Consumers</th></tr></thead><tbody>
      ${shown.map((queue) => html`<tr key=${queue.vhost + "\n" + queue.name}><td class="main"><${QueueLink} vhost=${queue.vhost} name=${queue.name} sub=${queue.vhost === "/" ? undefined : queue.vhost} /></td><td class="right"><${Num} value=${queue.messages} /></td><td class="right"><${Rate} value=${speed(queue, "publish")} /></td><td class="right"><${Rate} value=${speed(queue, "deliver_get")} /></td><td class="right wide"><${Num} value=${queue.consumers} /></td></tr>`)}
    </tbody></table></div>`;
  }}</></>`;
}

function Nodes() {
  const seconds = useStore(range);
  const seen = usePoll((signal) => get("nodes", ages(seconds, "node_stats"), { signal }), [seconds]);
  return html`<${Loaded} from=${seen}>${(nodes) => nodes.map((node) => html`<${Node} key=${node.name} node=${node} />`)}</>`;
}

function Node({ node }) {
  return html`<${Panel} title="Node" note=${node.name}>
    <div class="grid">
      <div class="stack">
        <${Gauge} label="Memory" used=${node.mem_used} of=${node.mem_limit} format=${bytes} alarm=${node.mem_alarm} />
        <${Gauge} label="File handles" used=${node.fd_used} of=${node.fd_total} format=${whole} />
        <${Gauge} label="Sockets" used=${node.sockets_used} of=${node.sockets_total} format=${whole} />
        <${Facts} rows=${[
          ["Disk free", html`<span class=${node.disk_free_alarm ? "num bad" : "num"}>${bytes(node.disk_free)}</span>`, node.disk_free_limit ? `alarm below ${bytes(node.disk_free_limit)}` : undefined],
          ["Up for", span(node.uptime)],
          ["Processors", node.processors],
          ["Process", node.os_pid],
          ["Data", html`<span class="mono">${node.db_dir}</span>`],
        ]} />
      </div>
      <${Memory} node=${node.name} />
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
function Churn({ churn }) {
  const shown = [CHURN[0], CHURN[1], CHURN[2], CHURN[5]];
  return html`<${Panel} title="What comes and goes"><${Chart} title="Churn" height=${140} format=${rate} series=${shown.map(([, label], at) => ({ label, color: `--c${at + 1}` }))} data=${together(rates, shown.map(([key]) => churn[`${key}_details`]))} />
    <${Facts} rows=${CHURN.map(([key, label]) => [label, html`<span class="num">${whole(churn[key])}</span>`])} /></>`;
}

function Listeners({ all }) {
  return html`<${Panel} title="Listeners"><div class="scroll bare" tabindex="0" role="region" aria-label="Listeners"><table><thead><tr><th>Protocol</th><th>Address</th><th class="right">Port</th></tr></thead><tbody>
    ${all.listeners.map((each) => html`<tr key=${each.protocol + each.port}><td>${each.protocol}</td><td class="mono">${each.ip_address}</td><td class="right">${each.port}</td></tr>`)}
  </tbody></table></div></>`;
}

function First({ all }) {
  const port = all.listeners.find((each) => each.protocol === "amqp")?.port ?? 5672;
  return html`<${Empty} title="Nobody is here yet" code=${`import pika                                                  # pip install pika
channel = pika.BlockingConnection(pika.ConnectionParameters("${location.hostname}", ${port})).channel()
channel.queue_declare("hello")
channel.basic_publish(exchange="", routing_key="hello", body="Hello, Warren!")`}>Connect a client, declare a queue and publish to it; this page shows what happens.</>`;
}
