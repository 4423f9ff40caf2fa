// All queues: what waits where, and for whom.
import { html } from "../core/view.js";
import { get, path, put, remove } from "../core/api.js";
import { plural } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { go, useRoute } from "../core/route.js";
import { Badge, Bytes, Empty, Head, Num, Rate, State } from "../ui/bits.js";
import { levels, Spark } from "../ui/chart.js";
import { confirm, note, show } from "../ui/dialog.js";
import { Form } from "../ui/form.js";
import { QUEUE_ARGUMENTS } from "../ui/known.js";
import { QueueLink, PolicyLink } from "../ui/links.js";
import { List } from "../ui/list.js";

const speed = (queue, key) => queue.message_stats?.[`${key}_details`]?.rate ?? 0;
const rateColumn = (id, label, key, more) => ({ id, label, num: true, sort: `message_stats.${key}_details.rate`, needs: [`message_stats.${key}_details.rate`, `message_stats.${key}`], show: (queue) => html`<${Rate} value=${speed(queue, key)} of=${queue.message_stats?.[key]} />`, ...more });

const COLUMNS = [
  { id: "name", label: "Queue", sort: "name", always: true, needs: ["name", "vhost"], show: (queue) => html`<${QueueLink} ...${queue} sub=${queue.vhost === "/" ? undefined : queue.vhost} />` },
  { id: "type", label: "Type", sort: "type", at: "wide", needs: ["type", "durable", "auto_delete", "exclusive", "arguments"], show: (queue) => html`<${Features} of=${queue} />` },
  { id: "state", label: "State", sort: "state", show: (queue) => html`<${State} state=${queue.state} />` },
  { id: "ready", label: "Ready", num: true, sort: "messages_ready", needs: ["messages_ready"], title: "Messages that wait for a consumer", show: (queue) => html`<${Num} value=${queue.messages_ready} />` },
  { id: "unacked", label: "Unacked", num: true, sort: "messages_unacknowledged", needs: ["messages_unacknowledged"], title: "Messages that consumers have and have not acknowledged", show: (queue) => html`<${Num} value=${queue.messages_unacknowledged} />` },
  { id: "messages", label: "Total", num: true, sort: "messages", at: "wide", show: (queue) => html`<${Num} value=${queue.messages} />` },
  { id: "trend", label: "Last minute", at: "wide", needs: ["messages_details.samples"], title: "How many messages it had in the last minute", show: (queue) => html`<${Spark} values=${levels(queue.messages_details)[1]} color="--c4" />` },
  rateColumn("in", "In", "publish", { title: "Messages that came, per second" }),
  rateColumn("out", "Out", "deliver_get", { title: "Messages that went to consumers, per second" }),
  rateColumn("ack", "Ack", "ack", { title: "Messages that were acknowledged, per second", at: "wide" }),
  { id: "consumers", label: "Consumers", num: true, sort: "consumers", show: (queue) => html`<${Num} value=${queue.consumers} />` },
  { id: "delayed", label: "Wait for a retry", num: true, sort: "messages_delayed", off: true, needs: ["messages_delayed"], title: "Messages that came back and are tried again later", show: (queue) => html`<${Num} value=${queue.messages_delayed} />` },
  { id: "policy", label: "Policy", sort: "policy", off: true, show: (queue) => html`<${PolicyLink} vhost=${queue.vhost} name=${queue.policy} />` },
  { id: "bytes", label: "Bytes", num: true, sort: "message_bytes", off: true, needs: ["message_bytes"], title: "Bytes of the messages' bodies", show: (queue) => html`<${Bytes} value=${queue.message_bytes} />` },
  { id: "memory", label: "Memory", num: true, sort: "memory", off: true, show: (queue) => html`<${Bytes} value=${queue.memory} />` },
  rateColumn("redelivered", "Redelivered", "redeliver", { off: true }),
];

/** What a queue is, in short. */
function Features({ of: queue }) {
  const args = Object.keys(queue.arguments ?? {}).filter((key) => key !== "x-queue-type");
  return html`<span class="tags line">${queue.type}${queue.durable && html`<${Badge} title="durable: survives a restart">D</>`}${queue.auto_delete && html`<${Badge} title="auto-delete: goes with its last consumer">AD</>`}${queue.exclusive && html`<${Badge} title="exclusive: belongs to one connection">E</>`}${args.length > 0 && html`<${Badge} title=${args.map((key) => `${key}: ${JSON.stringify(queue.arguments[key])}`).join("\n")}>Args</>`}</span>`;
}

export default function Queues() {
  const { query } = useRoute();
  const trend = (query.cols?.split(".") ?? ["trend"]).includes("trend");
  return html`<${Head} title="Queues"><button class="primary" onClick=${() => declare(query.vhost)}>New queue</button></>
    <${List} from=${query.vhost === undefined ? "queues" : path`queues/${query.vhost}`} columns=${COLUMNS} order=${["name", false]} rowKey=${(queue) => `${queue.vhost}\n${queue.name}`}
      query=${trend ? { lengths_age: 60, lengths_incr: 5 } : {}} placeholder="Filter queues by name" pick=${bulk}
      empty=${html`<${Empty} title="No queues yet" code=${`channel.queue_declare("orders", durable=True)\nchannel.basic_publish(exchange="", routing_key="orders", body="one")`}>A queue holds messages until a consumer has acknowledged them. Declare one here, or let a client do it:</>`} />`;
}

function bulk(rows, done) {
  const messages = rows.reduce((sum, queue) => sum + (queue.messages_ready ?? 0) + (queue.messages_unacknowledged ?? 0), 0);
  const names = html`<ul class="names">${rows.slice(0, 12).map((queue) => html`<li key=${queue.vhost + queue.name} class="mono">${queue.name}${queue.vhost === "/" ? "" : html` <small>in ${queue.vhost}</small>`}</li>`)}${rows.length > 12 && html`<li>and ${rows.length - 12} more</li>`}</ul>`;
  const each = async (what, said) => {
    for (const queue of rows) await what(queue);
    note(said);
    done();
    refresh();
  };
  return html`
    <button onClick=${() => confirm({ title: `Purge ${plural(rows.length, "queue")}?`, danger: true, action: "Purge", body: html`${names}<p class="losses">${plural(messages, "message")} are thrown away (those that are ready).</p>`, run: () => each((queue) => remove(path`queues/${queue.vhost}/${queue.name}/contents`), `Purged ${plural(rows.length, "queue")}.`) })}>Purge</button>
    <button class="quiet-danger" onClick=${() => confirm({ title: `Delete ${plural(rows.length, "queue")}?`, danger: true, action: "Delete", typed: rows.length > 5 ? String(rows.length) : undefined, body: html`${names}<p class="losses">With them go ${plural(messages, "message")} and all their bindings.</p>`, run: () => each((queue) => remove(path`queues/${queue.vhost}/${queue.name}`), `Deleted ${plural(rows.length, "queue")}.`) })}>Delete</button>`;
}

function declare(vhost) {
  show({ title: "New queue", wide: true, body: (close) => html`<${Declare} vhost=${vhost} close=${close} />` });
}

function Declare({ vhost, close }) {
  const vhosts = usePoll((signal) => get("vhosts", { columns: "name" }, { signal }), [], { every: 0 });
  if (!vhosts.data) return null;
  const names = vhosts.data.map((each) => each.name);
  const fields = [
    { name: "name", label: "Name", required: true },
    { name: "vhost", label: "Vhost", type: "select", options: names, value: vhost ?? names[0] },
    { name: "type", label: "Type", type: "select", options: [["", "the vhost's default"], "classic", "quorum"] },
    { name: "durable", label: "Durable: survives a restart", type: "check", value: true },
    { name: "auto_delete", label: "Auto-delete: goes with its last consumer", type: "check" },
    { name: "arguments", label: "Arguments", type: "arguments", known: QUEUE_ARGUMENTS },
  ];
  return html`<${Form} class="two" fields=${fields} action="Declare queue" onCancel=${close} submit=${async (said) => {
    const args = said.type ? { ...said.arguments, "x-queue-type": said.type } : said.arguments;
    await put(path`queues/${said.vhost}/${said.name}`, { durable: said.durable, auto_delete: said.auto_delete, arguments: args });
    close();
    note(`Queue ${said.name} is there.`);
    go("queues", said.vhost, said.name);
  }} />`;
}
