// All channels: who publishes, who consumes, who holds messages.
import { html } from "../core/view.js";
import { path } from "../core/api.js";
import { useRoute } from "../core/route.js";
import { Badge, Empty, Head, Num, Rate, State } from "../ui/bits.js";
import { ChannelLink } from "../ui/links.js";
import { List } from "../ui/list.js";
import { Rows } from "../ui/rows.js";

const speed = (id, label, key, more) => ({ id, label, num: true, sort: `message_stats.${key}_details.rate`, needs: [`message_stats.${key}_details.rate`, `message_stats.${key}`], show: (each) => html`<${Rate} value=${each.message_stats?.[`${key}_details`]?.rate ?? 0} of=${each.message_stats?.[key]} />`, ...more });

const COLUMNS = [
  { id: "name", label: "Channel", sort: "name", always: true, show: (each) => html`<${ChannelLink} name=${each.name} />` },
  { id: "user", label: "User", sort: "user", at: "wide" },
  { id: "vhost", label: "Vhost", sort: "vhost", off: true },
  { id: "mode", label: "Mode", needs: ["confirm", "transactional"], at: "wide", show: (each) => html`<span class="tags">${each.confirm && html`<${Badge} title="Publishes are confirmed">confirm</>`}${each.transactional && html`<${Badge}>tx</>`}${!each.confirm && !each.transactional && html`<span class="zero">–</span>`}</span>` },
  { id: "state", label: "State", sort: "state", show: (each) => html`<${State} state=${each.state} />` },
  { id: "consumers", label: "Consumers", num: true, sort: "consumer_count", needs: ["consumer_count"], show: (each) => html`<${Num} value=${each.consumer_count} />` },
  { id: "prefetch", label: "Prefetch", num: true, sort: "prefetch_count", needs: ["prefetch_count", "global_prefetch_count"], at: "wide", show: (each) => each.prefetch_count || (each.global_prefetch_count ? `${each.global_prefetch_count} in all` : html`<span class="zero">–</span>`) },
  { id: "unacked", label: "Unacked", num: true, sort: "messages_unacknowledged", needs: ["messages_unacknowledged"], show: (each) => html`<${Num} value=${each.messages_unacknowledged} />` },
  { id: "unconfirmed", label: "Unconfirmed", num: true, sort: "messages_unconfirmed", needs: ["messages_unconfirmed"], off: true, show: (each) => html`<${Num} value=${each.messages_unconfirmed} />` },
  speed("publish", "Publishes", "publish"),
  speed("deliver", "Gets", "deliver_get"),
  speed("ack", "Acks", "ack", { at: "wide" }),
  speed("redelivered", "Redelivered", "redeliver", { off: true }),
  speed("unroutable", "Unroutable", "return_unroutable", { off: true, title: "Returned because no queue was bound for it" }),
];

/** Channels of one connection. */
export function ChannelTable({ rows }) {
  const [, ...others] = COLUMNS.filter((column) => !column.off && column.id !== "user");
  const name = { id: "name", label: "Channel", always: true, show: (row) => html`<${ChannelLink} name=${row.name} label="Channel ${row.number}" />` };
  return html`<${Rows} bare label="Channels" rows=${rows} columns=${[name, ...others]} rowKey=${(row) => row.name} />`;
}

export default function Channels() {
  const { query } = useRoute();
  return html`<${Head} title="Channels" />
    <${List} from=${query.vhost === undefined ? "channels" : path`vhosts/${query.vhost}/channels`} columns=${COLUMNS} order=${["publish", true]} rowKey=${(each) => each.name} placeholder="Filter channels by name"
      empty=${html`<${Empty} title="No channels" code=${"channel = connection.channel()\nchannel.confirm_delivery()"}>A connection does its work on channels.</>`} />`;
}
