// Vhosts: worlds of their own.
import { html } from "../core/view.js";
import { may, path, put, remove } from "../core/api.js";
import { refresh } from "../core/poll.js";
import { go, link } from "../core/route.js";
import { Badge, Bytes, Empty, Head, Num, Rate } from "../ui/bits.js";
import { confirm, note, show } from "../ui/dialog.js";
import { Form } from "../ui/form.js";
import { List } from "../ui/list.js";

const speed = (id, label, key) => ({ id, label, num: true, sort: `message_stats.${key}_details.rate`, needs: [`message_stats.${key}_details.rate`, `message_stats.${key}`], show: (each) => html`<${Rate} value=${each.message_stats?.[`${key}_details`]?.rate ?? 0} of=${each.message_stats?.[key]} />` });
const COLUMNS = [
  { id: "name", label: "Vhost", sort: "name", always: true, needs: ["name", "description"], show: (each) => html`<a class="name" href=${link("vhosts", each.name)}>${each.name}</a>${each.description && html`<span class="sub">${each.description}</span>`}` },
  { id: "tags", full: true, label: "Tags", needs: ["tags", "protected_from_deletion", "tracing"], show: (each) => html`<span class="tags">${each.tags?.map((tag) => html`<${Badge} key=${tag}>${tag}</>`)}<${Standing} of=${each} /></span>` },
  { id: "type", label: "Default type", sort: "default_queue_type", needs: ["default_queue_type"], at: "wide", show: (each) => each.default_queue_type },
  { id: "ready", label: "Ready", num: true, sort: "messages_ready", needs: ["messages_ready"], show: (each) => html`<${Num} value=${each.messages_ready} />` },
  { id: "unacked", label: "Unacked", num: true, sort: "messages_unacknowledged", needs: ["messages_unacknowledged"], show: (each) => html`<${Num} value=${each.messages_unacknowledged} />` },
  speed("in", "Published", "publish"), speed("out", "Delivered", "deliver_get"),
  { id: "received", label: "Received/s", num: true, at: "wide", needs: ["recv_oct_details.rate"], show: (each) => html`<${Bytes} value=${Math.round(each.recv_oct_details?.rate ?? 0)} />` },
  { id: "sent", label: "Sent/s", num: true, at: "wide", needs: ["send_oct_details.rate"], show: (each) => html`<${Bytes} value=${Math.round(each.send_oct_details?.rate ?? 0)} />` },
];

/** What is special about a vhost. */
export const Standing = ({ of: vhost }) => html`${vhost.protected_from_deletion && html`<${Badge} tone="ok" title="cannot be deleted">protected</>`}${vhost.tracing && html`<${Badge} tone="warn" title="Every message published or handed out is also shown on amq.rabbitmq.trace">traced</>`}`;

export default function Vhosts() {
  return html`<${Head} title="Vhosts">${may().administer && html`<button class="primary" onClick=${() => show({ title: "New vhost", body: (close) => html`<${VhostForm} close=${close} />` })}>New vhost</button>`}</>
    <${List} from="vhosts" columns=${COLUMNS} order=${["name", false]} rowKey=${(each) => each.name} placeholder="Filter vhosts by name" empty=${html`<${Empty} title="You may enter no vhost">An administrator can give you permissions.</>`} />`;
}

export function VhostForm({ vhost, close }) {
  const fields = [
    { name: "name", label: "Name", required: true, when: () => !vhost },
    { name: "description", label: "Description" },
    { name: "tags", label: "Tags", placeholder: "separated by commas" },
    { name: "default_queue_type", label: "Queues without a type are", type: "select", options: ["classic", "quorum"] },
    { name: "tracing", label: "Traced (firehose)", type: "check", help: "every message published or handed out is also shown on amq.rabbitmq.trace; it costs speed" },
  ];
  const start = vhost && { tracing: vhost.tracing, description: vhost.description, tags: vhost.tags.join(", "), default_queue_type: vhost.default_queue_type };
  return html`<${Form} fields=${fields} start=${start} action=${vhost ? "Save" : "Make vhost"} onCancel=${close} submit=${async (said) => {
    const name = vhost?.name ?? said.name;
    await put(path`vhosts/${name}`, { description: said.description, tags: said.tags.split(",").map((tag) => tag.trim()).filter(Boolean), default_queue_type: said.default_queue_type, tracing: said.tracing });
    close();
    note(vhost ? "Saved." : `Vhost ${name} is there.`);
    if (vhost) refresh(); else go("vhosts", name);
  }} />`;
}

export function drop(vhost, counts) {
  confirm({
    title: "Delete this vhost?", danger: true, action: "Delete vhost", typed: vhost.name,
    body: html`<p>The vhost <b>${vhost.name}</b>, and everything in it:</p><ul class="losses">${counts.map((each) => html`<li key=${each}>${each}</li>`)}<li>its permissions, policies and limits</li></ul>`,
    run: async () => {
      await remove(path`vhosts/${vhost.name}`);
      note(`${vhost.name} is deleted.`);
      go("vhosts");
    },
  });
}
