// All consumers.
import { html } from "../core/view.js";
import { path } from "../core/api.js";
import { whole } from "../core/format.js";
import { useRoute } from "../core/route.js";
import { Badge, Empty, Head, Yes } from "../ui/bits.js";
import { ChannelLink, QueueLink } from "../ui/links.js";
import { List } from "../ui/list.js";

const COLUMNS = [
  { id: "queue", label: "Queue", sort: "queue.name", always: true, needs: ["queue", "consumer_tag", "channel_details"], show: (each) => html`<${QueueLink} ...${each.queue} sub=${each.queue.vhost === "/" ? undefined : each.queue.vhost} />` },
  { id: "tag", full: true, label: "Tag", sort: "consumer_tag", show: (each) => html`<span class="mono">${each.consumer_tag}</span>` },
  { id: "channel", label: "Channel", sort: "channel_details.name", at: "wide", show: (each) => html`<${ChannelLink} name=${each.channel_details.name} />` },
  { id: "user", label: "User", sort: "channel_details.user", at: "wide", show: (each) => each.channel_details.user },
  { id: "state", label: "State", sort: "activity_status", needs: ["active", "activity_status"], show: (each) => html`<${Badge} tone=${each.active ? "ok" : "quiet"}>${(each.activity_status ?? "").replaceAll("_", " ")}</>` },
  { id: "ack", label: "Ack", sort: "ack_required", needs: ["ack_required"], show: (each) => html`<${Yes} value=${each.ack_required} />` },
  { id: "prefetch", label: "Prefetch", num: true, sort: "prefetch_count", needs: ["prefetch_count"], show: (each) => (each.prefetch_count ? whole(each.prefetch_count) : "no limit") },
];

export default function Consumers() {
  const { query } = useRoute();
  return html`<${Head} title="Consumers" />
    <${List} from=${query.vhost === undefined ? "consumers" : path`consumers/${query.vhost}`} columns=${COLUMNS} order=${["queue", false]} rowKey=${(each) => `${each.channel_details.name}\n${each.consumer_tag}`} placeholder="Filter consumers by tag"
      empty=${html`<${Empty} title="Nobody consumes" code=${`channel.basic_qos(prefetch_count=100)\nchannel.basic_consume("orders", on_message_callback=work)\nchannel.start_consuming()`}>A consumer gets messages as they come.</>`} />`;
}
