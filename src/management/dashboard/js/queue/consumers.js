// Who takes messages from a queue.
import { html } from "../core/view.js";
import { plural, span, whole } from "../core/format.js";
import { Badge, Empty, Panel, Table, Yes } from "../ui/bits.js";
import { ChannelLink } from "../ui/links.js";
import { Rows } from "../ui/rows.js";

const COLUMNS = [
  { id: "tag", label: "Tag", always: true, mono: true, show: (each) => html`${each.consumer_tag}${each.exclusive && html` <${Badge}>exclusive</>`}` },
  { id: "channel", full: true, label: "Channel", show: (each) => html`<${ChannelLink} name=${each.channel_details.name} />` },
  { id: "state", label: "State", show: (each) => html`<${Badge} tone=${each.active ? "ok" : "quiet"}>${each.activity_status.replaceAll("_", " ")}</>` },
  { id: "ack", label: "Ack", title: "Whether deliveries have to be acknowledged", show: (each) => html`<${Yes} value=${each.ack_required} />` },
  { id: "prefetch", label: "Prefetch", num: true, show: (each) => (each.prefetch_count ? whole(each.prefetch_count) : "no limit") },
  { id: "timeout", label: "Timeout", num: true, at: "wide", show: (each) => (each.consumer_timeout ? span(each.consumer_timeout) : "–") },
  { id: "arguments", label: "Arguments", at: "wide", show: (each) => html`<${Table} value=${each.arguments} empty="–" />` },
];

export function Consumers({ queue }) {
  const all = queue.consumer_details ?? [];
  if (!all.length) {
    return html`<${Empty} title="Nobody consumes" code=${`for method, properties, body in channel.consume(${JSON.stringify(queue.name)}):\n    print(body)\n    channel.basic_ack(method.delivery_tag)`}>${queue.messages_ready > 0 ? `${plural(queue.messages_ready, "message")} wait for somebody.` : "Messages that come will wait for somebody."}</>`;
  }
  return html`<${Panel} title="Consumers" class="flush"><${Rows} bare label="Consumers" rows=${all} columns=${COLUMNS} rowKey=${(each) => each.channel_details.name + each.consumer_tag} /></>`;
}
