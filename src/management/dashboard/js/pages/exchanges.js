// All exchanges.
import { html } from "../core/view.js";
import { get, path, put, remove } from "../core/api.js";
import { plural } from "../core/format.js";
import { refresh, usePoll } from "../core/poll.js";
import { go, useRoute } from "../core/route.js";
import { Badge, Empty, Head, Rate, Table } from "../ui/bits.js";
import { confirm, note, show } from "../ui/dialog.js";
import { Form } from "../ui/form.js";
import { EXCHANGE_ARGUMENTS, EXCHANGE_TYPES } from "../ui/known.js";
import { ExchangeLink, PolicyLink } from "../ui/links.js";
import { List } from "../ui/list.js";

const speed = (id, label, key, title) => ({ id, label, title, num: true, sort: `message_stats.${key}_details.rate`, needs: [`message_stats.${key}_details.rate`, `message_stats.${key}`], show: (each) => html`<${Rate} value=${each.message_stats?.[`${key}_details`]?.rate ?? 0} of=${each.message_stats?.[key] ?? 0} />` });

const COLUMNS = [
  { id: "name", label: "Exchange", sort: "name", always: true, needs: ["name", "vhost"], show: (each) => html`<${ExchangeLink} ...${each} sub=${each.vhost === "/" ? undefined : each.vhost} />` },
  { id: "type", label: "Type", sort: "type" },
  { id: "features", label: "Features", needs: ["durable", "auto_delete", "internal", "arguments"], show: (each) => html`<span class="tags line">${each.durable && html`<${Badge} title="durable: survives a restart">D</>`}${each.auto_delete && html`<${Badge} title="auto-delete: goes with its last binding">AD</>`}${each.internal && html`<${Badge} title="internal: clients cannot publish to it">I</>`}${Object.keys(each.arguments ?? {}).length > 0 && html`<${Badge} title=${JSON.stringify(each.arguments, null, 1)}>Args</>`}</span>` },
  { id: "policy", label: "Policy", sort: "policy", at: "wide", show: (each) => html`<${PolicyLink} vhost=${each.vhost} name=${each.policy} />` },
  speed("in", "In", "publish_in", "Messages published to it, per second"),
  speed("out", "Out", "publish_out", "Messages that it gave to queues, per second"),
  { id: "arguments", label: "Arguments", off: true, show: (each) => html`<${Table} value=${each.arguments} empty="–" />` },
];

export default function Exchanges() {
  const { query } = useRoute();
  return html`<${Head} title="Exchanges"><button class="primary" onClick=${() => show({ title: "New exchange", wide: true, body: (close) => html`<${Declare} vhost=${query.vhost} close=${close} />` })}>New exchange</button></>
    <${List} from=${query.vhost === undefined ? "exchanges" : path`exchanges/${query.vhost}`} columns=${COLUMNS} order=${["name", false]} rowKey=${(each) => `${each.vhost}\n${each.name}`} placeholder="Filter exchanges by name"
      pick=${bulk} empty=${html`<${Empty} title="No exchanges" code=${'channel.exchange_declare("events", "topic", durable=True)'} />`} />`;
}

function bulk(rows, done) {
  const mine = rows.filter((each) => each.name && !each.name.startsWith("amq."));
  if (!mine.length) return html`<span class="note">The broker's own exchanges stay.</span>`;
  return html`<button class="quiet-danger" onClick=${() => confirm({
    title: `Delete ${plural(mine.length, "exchange")}?`, danger: true, action: "Delete",
    body: html`<ul class="names">${mine.map((each) => html`<li class="mono" key=${each.vhost + each.name}>${each.name}</li>`)}</ul><p class="losses">With them go all bindings from and to them.</p>`,
    run: async () => {
      for (const each of mine) await remove(path`exchanges/${each.vhost}/${each.name}`);
      note(`Deleted ${plural(mine.length, "exchange")}.`);
      done();
      refresh();
    },
  })}>Delete</button>`;
}

function Declare({ vhost, close }) {
  const vhosts = usePoll((signal) => get("vhosts", { columns: "name" }, { signal }), [], { every: 0 });
  if (!vhosts.data) return null;
  const names = vhosts.data.map((each) => each.name);
  const fields = [
    { name: "name", label: "Name", required: true },
    { name: "vhost", label: "Vhost", type: "select", options: names, value: vhost ?? names[0] },
    { name: "type", label: "Type", type: "select", options: EXCHANGE_TYPES },
    { name: "durable", label: "Durable: survives a restart", type: "check", value: true },
    { name: "auto_delete", label: "Auto-delete: goes with its last binding", type: "check" },
    { name: "internal", label: "Internal: clients cannot publish to it", type: "check" },
    { name: "arguments", label: "Arguments", type: "arguments", known: EXCHANGE_ARGUMENTS },
  ];
  return html`<${Form} class="two" fields=${fields} action="Declare exchange" onCancel=${close} submit=${async ({ name, vhost: at, ...said }) => {
    await put(path`exchanges/${at}/${name}`, said);
    close();
    note(`Exchange ${name} is there.`);
    go("exchanges", at, name);
  }} />`;
}
