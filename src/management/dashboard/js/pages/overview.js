// The broker at a glance: is it healthy, what is busy, what is stuck and why.
import { html } from "../core/view.js";
import { get, may, put } from "../core/api.js";
import { rate, short, whole } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { range, useStore } from "../core/store.js";
import { Badge, Empty, Head, Loaded, Num, Panel, Rate, Tile } from "../ui/bits.js";
import { ages, Depth, MessageRates, Range } from "../ui/chart.js";
import { note, show } from "../ui/dialog.js";
import { Form } from "../ui/form.js";
import { QueueLink } from "../ui/links.js";
import { Rows } from "../ui/rows.js";
import { Health } from "../overview/health.js";
import { Churn, Nodes } from "../overview/node.js";
import { together } from "../overview/sum.js";

const TOP = 6;

export default function Overview() {
  const seconds = useStore(range);
  const { administer, monitor } = may();
  const queues = usePoll((signal) => queuesAndAlarms(monitor, signal), [monitor], { every: EVERY });
  const seen = usePoll((signal) => overview(monitor, ages(seconds, "msg_rates", "lengths"), signal), [monitor, seconds]);
  return html`<${Loaded} from=${seen}>${(all) => html`
    <${Head} title=${all.cluster_name} badges=${html`<${Badge}>Warren ${all.product_version}</><${Badge} title="The RabbitMQ whose behaviour this is">RabbitMQ ${all.rabbitmq_version} API</>${administer && html`<button class="ghost icon small" aria-label="Rename" title="Rename" onClick=${() => rename(all.cluster_name)}>✎</button>`}`}><${Range} /></>
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
    ${monitor && html`<${Nodes} listeners=${all.listeners} />`}
    <${Churn} churn=${all.churn_rates} />`}</>`;
}

async function overview(monitor, asked, signal) {
  const [all, vhosts] = await Promise.all([get("overview", asked, { signal }), monitor ? null : get("vhosts", asked, { signal })]);
  return vhosts ? { ...all, ...together(vhosts) } : all;
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
const EVERY = 15;
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

const BUSY = [
  { id: "name", label: "Queue", always: true, show: (queue) => html`<${QueueLink} vhost=${queue.vhost} name=${queue.name} sub=${queue.vhost === "/" ? undefined : queue.vhost} />` },
  { id: "messages", label: "Messages", num: true, show: (queue) => html`<${Num} value=${queue.messages} />` },
  { id: "in", label: "In", num: true, show: (queue) => html`<${Rate} value=${speed(queue, "publish")} />` },
  { id: "out", label: "Out", num: true, show: (queue) => html`<${Rate} value=${speed(queue, "deliver_get")} />` },
  { id: "consumers", label: "Consumers", num: true, at: "wide", show: (queue) => html`<${Num} value=${queue.consumers} />` },
];

function Busy({ title, from, rows, none }) {
  return html`<${Panel} title=${title} class="flush"><${Loaded} from=${from}>${(all) => {
    const shown = rows(all).slice(0, TOP);
    return shown.length ? html`<${Rows} bare label=${title} rows=${shown} columns=${BUSY} rowKey=${(queue) => `${queue.vhost}\n${queue.name}`} />` : html`<p class="note pad">${none}</p>`;
  }}</></>`;
}

function First({ all }) {
  const port = all.listeners.find((each) => each.protocol === "amqp")?.port ?? 5672;
  return html`<${Empty} title="Nobody is here yet" code=${`import pika                                                  # pip install pika
channel = pika.BlockingConnection(pika.ConnectionParameters("${location.hostname}", ${port})).channel()
channel.queue_declare("hello")
channel.basic_publish(exchange="", routing_key="hello", body="Hello, Warren!")`}>Connect a client, declare a queue and publish to it; this page shows what happens.</>`;
}
