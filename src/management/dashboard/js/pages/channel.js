// One channel: its rates, its consumers, what it holds.
import { html } from "../core/view.js";
import { get, path } from "../core/api.js";
import { rate, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { range, useStore } from "../core/store.js";
import { Badge, Facts, Head, Loaded, Panel, State, Tile, Yes } from "../ui/bits.js";
import { ages, MessageRates, Range } from "../ui/chart.js";
import { ConnectionLink, QueueLink } from "../ui/links.js";
import { DELIVERIES, Parts, PUBLISHES } from "../ui/parts.js";
import { Rows } from "../ui/rows.js";

const CONSUMERS = [
  { id: "queue", label: "Queue", always: true, show: (each) => html`<${QueueLink} vhost=${each.queue.vhost} name=${each.queue.name} />` },
  { id: "tag", full: true, label: "Tag", mono: true, show: (each) => each.consumer_tag },
  { id: "prefetch", label: "Prefetch", num: true, show: (each) => (each.prefetch_count ? whole(each.prefetch_count) : "no limit") },
  { id: "ack", label: "Ack", show: (each) => html`<${Yes} value=${each.ack_required} />` },
];

export default function Channel({ parts: [name] }) {
  const seconds = useStore(range);
  const seen = usePoll((signal) => get(path`channels/${name}`, ages(seconds, "msg_rates"), { signal }), [name, seconds]);
  return html`<${Loaded} from=${seen}>${(channel) => html`
    <${Head} trail=${[["Channels", "#/channels"], [channel.connection_details.name, link("connections", channel.connection_details.name)]]} title="Channel ${channel.number}" badges=${html`<${State} state=${channel.state} />${channel.confirm && html`<${Badge} title="Publishes are confirmed">confirm</>`}${channel.transactional && html`<${Badge}>transactional</>`}`}><${Range} /></>
    <div class="tiles">
      <${Tile} label="Unacked" value=${whole(channel.messages_unacknowledged)} />
      <${Tile} label="Unconfirmed" value=${whole(channel.messages_unconfirmed)} />
      <${Tile} label="Uncommitted" value=${whole(channel.messages_uncommitted)} note=${channel.acks_uncommitted ? `and ${channel.acks_uncommitted} acks` : undefined} />
      <${Tile} label="Prefetch" value=${channel.prefetch_count ? whole(channel.prefetch_count) : "–"} note=${channel.global_prefetch_count ? `${channel.global_prefetch_count} for the channel` : undefined} />
      <${Tile} label="Consumers" value=${whole(channel.consumer_count)} />
    </div>
    <${Panel}><${MessageRates} stats=${channel.message_stats} format=${rate} /></>
    <div class="grid"><${Parts} title="Publishes" label="Exchange" list=${channel.publishes} counts=${PUBLISHES} /><${Parts} title="Deliveries" label="Queue" list=${channel.deliveries} counts=${DELIVERIES} /></div>
    <${Panel} title="Consumers" class="flush">${channel.consumer_details.length ? html`<${Rows} bare label="Consumers" rows=${channel.consumer_details} columns=${CONSUMERS} rowKey=${(each) => each.consumer_tag} />` : html`<p class="note pad">It has none.</p>`}</>
    <${Panel} title="Details"><${Facts} rows=${[["Connection", html`<${ConnectionLink} name=${channel.connection_details.name} />`], ["User", channel.user], ["Vhost", html`<a href=${link("vhosts", channel.vhost)}>${channel.vhost}</a>`], ["Idle since", channel.idle_since]]} /></>`}</>`;
}
