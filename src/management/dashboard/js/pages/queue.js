// One queue: what waits in it, who takes it, where it comes from, and why it behaves as it does.
import { html } from "../core/view.js";
import { get, path } from "../core/api.js";
import { rate, short, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link, useRoute } from "../core/route.js";
import { range, useStore } from "../core/store.js";
import { Badge, Bytes, Facts, Head, Loaded, Panel, State, Tabs, Tile, When } from "../ui/bits.js";
import { Bind, Bindings } from "../ui/bindings.js";
import { ages, Depth, MessageRates, Range } from "../ui/chart.js";
import { ConnectionLink } from "../ui/links.js";
import { DELIVERIES, INCOMING, Parts } from "../ui/parts.js";
import { Publish } from "../ui/publish.js";
import { Actions } from "../queue/actions.js";
import { Consumers } from "../queue/consumers.js";
import { Messages } from "../queue/messages.js";
import { Settings } from "../queue/settings.js";

export default function Queue({ parts: [vhost, name] }) {
  const { query } = useRoute();
  const seconds = useStore(range);
  const at = path`queues/${vhost}/${name}`;
  const seen = usePoll((signal) => get(at, ages(seconds, "msg_rates", "lengths"), { signal }), [at, seconds]);
  const tab = query.tab ?? "now";
  return html`<${Loaded} from=${seen}>${(queue) => html`
    <${Head} trail=${[["Queues", link("queues")], ...(vhost === "/" ? [] : [[vhost, link("queues", { vhost })]])]} title=${name === "" ? "(empty name)" : name}
      badges=${html`<${State} state=${queue.state} /><${Badge}>${queue.type}</>${queue.durable && html`<${Badge} title="survives a restart">durable</>`}${queue.auto_delete && html`<${Badge}>auto-delete</>`}${queue.exclusive && html`<${Badge} title="belongs to one connection">exclusive</>`}`}>
      <${Actions} queue=${queue} />
    </>
    <${Tabs} at=${tab} to=${(id) => link("queues", vhost, name, { tab: id === "now" ? undefined : id })} tabs=${[["now", "Now"], ["messages", "Messages", queue.messages + (queue.messages_delayed ?? 0)], ["consumers", "Consumers", queue.consumers], ["bindings", "Bindings"], ["publish", "Publish"], ["settings", "Settings"]]} />
    ${tab === "now" && html`<${Now} queue=${queue} />`}
    ${tab === "messages" && html`<${Messages} queue=${queue} />`}
    ${tab === "consumers" && html`<${Consumers} queue=${queue} />`}
    ${tab === "bindings" && html`<${Bindings} from=${`${at}/bindings`} side="source" title="What leads here" empty="Nothing does." /><${Panel} title="Bind to this queue"><${Bind} vhost=${vhost} destination=${{ type: "queue", name }} /></>`}
    ${tab === "publish" && html`<${Panel} title="Publish to this queue" note="through the default exchange"><${Publish} vhost=${vhost} exchange="" to=${name} /></>`}
    ${tab === "settings" && html`<${Settings} queue=${queue} />`}`}</>`;
}

function Now({ queue }) {
  const stats = queue.message_stats ?? {};
  const speed = (key) => stats[`${key}_details`]?.rate ?? 0;
  return html`
    <div class="tiles">
      <${Tile} label="Ready" value=${short(queue.messages_ready)} title=${whole(queue.messages_ready)} />
      <${Tile} label="Unacked" value=${short(queue.messages_unacknowledged)} title=${whole(queue.messages_unacknowledged)} />
      ${queue.messages_delayed > 0 && html`<${Tile} label="Wait for a retry" value=${short(queue.messages_delayed)} title=${whole(queue.messages_delayed)} href=${link("queues", queue.vhost, queue.name, { tab: "settings" })} />`}
      <${Tile} label="In" value=${rate(speed("publish"))} unit="/s" title="${whole(stats.publish ?? 0)} in all" />
      <${Tile} label="Out" value=${rate(speed("deliver_get"))} unit="/s" title="${whole(stats.deliver_get ?? 0)} in all" />
      <${Tile} label="Acked" value=${rate(speed("ack"))} unit="/s" title="${whole(stats.ack ?? 0)} in all" />
      <${Tile} label="Consumers" value=${short(queue.consumers)} tone=${queue.consumers === 0 && queue.messages_ready > 0 ? "warn" : ""} note=${queue.consumers === 0 && queue.messages_ready > 0 ? "nobody takes them" : waits(queue, speed)} />
    </div>
    <div class="right-line"><${Range} /></div>
    <div class="grid"><${Panel}><${Depth} of=${queue} format=${short} /></><${Panel}><${MessageRates} stats=${stats} format=${rate} /></></div>
    <div class="grid"><${Parts} title="Where messages come from" label="Exchange" list=${queue.incoming} counts=${INCOMING} /><${Parts} title="Where they go" label="Channel" list=${queue.deliveries} counts=${DELIVERIES} /></div>
    <${Panel} title="Details"><${Facts} rows=${[
      ["Vhost", html`<a href=${link("vhosts", queue.vhost)}>${queue.vhost}</a>`],
      ["Owner", queue.owner_pid_details && html`<${ConnectionLink} name=${queue.owner_pid_details.name} />`],
      ["Bytes of messages", html`<${Bytes} value=${queue.message_bytes} />`],
      ["In memory", html`${whole(queue.messages_ram)} (<${Bytes} value=${queue.message_bytes_ram} />)`, "Messages that are kept in memory; the rest is read from disk before its turn comes"],
      ["Persistent", queue.durable && html`${whole(queue.messages_persistent)} (<${Bytes} value=${queue.message_bytes_persistent} />)`, "Messages that a restart brings back"],
      ["Memory", html`<${Bytes} value=${queue.memory} />`],
      ["Duplicates left out", queue.messages_deduplicated ? whole(queue.messages_deduplicated) : undefined],
      ["Redelivered", stats.redeliver ? whole(stats.redeliver) : undefined],
      ["Oldest message", queue.head_message_timestamp ? html`<${When} at=${queue.head_message_timestamp * 1000} />` : undefined],
      ["Single active consumer", queue.single_active_consumer_tag],
      ["Idle since", queue.idle_since],
    ]} /></>`;
}

/** How long the last message waits at this pace. */
function waits(queue, speed) {
  const pace = speed("ack") || speed("deliver_get");
  if (!queue.messages_ready || !pace) return undefined;
  const seconds = queue.messages_ready / pace;
  return seconds < 1 ? undefined : `${seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`} to empty`;
}
