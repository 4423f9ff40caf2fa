// A vhost as a graph: exchanges, queues, consumers, and what flows between them.
import { html, useEffect, useMemo, useRef, useState } from "../core/view.js";
import { exchangeName, get, path } from "../core/api.js";
import { exchangeLabel, plural, rate, short, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link, setQuery, useRoute } from "../core/route.js";
import { Empty, Head, Loaded } from "../ui/bits.js";
import { Box } from "../exchange/picture.js";
import { BOX, pick, place } from "../topology/shape.js";

/** Rows of each list that are asked for. */
const ASKED = 500;
const TYPING = 250;
/** Seconds between looks at all of a vhost, at least. */
const EVERY = 10;
const QUEUE = "name,messages,consumers,arguments,effective_policy_definition,message_stats.publish_details.rate,message_stats.deliver_get_details.rate";

export default function Topology() {
  const { query } = useRoute();
  const vhost = query.vhost ?? "/";
  const seen = usePoll((signal) => load(vhost, query.name, signal), [vhost, query.name], { every: EVERY });
  return html`<${Head} title="Topology" />
    <div class="list-bar"><${Filter} name=${query.name} /><${Legend} /></div>
    <${Loaded} from=${seen}>${(all) => html`<${Graph} vhost=${vhost} all=${all} filtered=${Boolean(query.name)} />`}</>`;
}

async function load(vhost, name, signal) {
  const ask = (where, query) => get(where, { page: 1, page_size: ASKED, name, ...query }, { signal });
  const [exchanges, queues, bindings, consumers, connections] = await Promise.all([
    ask(path`exchanges/${vhost}`, { columns: "name,type,arguments", name: undefined }),
    ask(path`queues/${vhost}`, { columns: QUEUE, sort: "message_stats.publish_details.rate", sort_reverse: "true" }),
    // Those of the default exchange, which every queue has, come last.
    ask(path`bindings/${vhost}`, { columns: "source,destination,destination_type,routing_key", sort: "source", sort_reverse: "true" }),
    ask(path`consumers/${vhost}`, { columns: "queue.name,consumer_tag,channel_details.connection_name", name: undefined }),
    ask(path`vhosts/${vhost}/connections`, { columns: "name,user_provided_name", name: undefined }),
  ]);
  const names = new Map(connections.items.filter((each) => each.user_provided_name).map((each) => [each.name, each.user_provided_name]));
  if (name) await alsoBound(vhost, bindings.items, queues, signal);
  return { exchanges: exchanges.items, queues: queues.items, bindings: bindings.items, consumers: consumers.items, names, total: queues.total_count, fits: queues.filtered_count };
}

const ALSO = 40;
/** Queues that an exchange with a fitting name leads to belong to the picture, whatever their names. */
async function alsoBound(vhost, bindings, queues, signal) {
  const known = new Set(queues.items.map((queue) => queue.name));
  const missing = [...new Set(bindings.filter((each) => each.source !== "" && each.destination_type === "queue" && !known.has(each.destination)).map((each) => each.destination))].slice(0, ALSO);
  const found = await Promise.all(missing.map((name) => get(path`queues/${vhost}/${name}`, { columns: QUEUE }, { signal }).catch(() => null)));
  queues.items.push(...found.filter(Boolean));
}

function Graph({ vhost, all, filtered }) {
  const [lit, light] = useState(null);
  const drawing = useMemo(() => {
    const shape = pick(all);
    return { ...shape, ...place(shape) };
  }, [all]);
  const { nodes, edges, wide, tall, left } = drawing;
  if (!nodes.size) return html`<${Empty} title=${filtered ? "Nothing has this in its name" : "There is nothing to draw yet"} code=${filtered ? undefined : 'channel.exchange_declare("events", "topic", durable=True)\nchannel.queue_declare("orders", durable=True)\nchannel.queue_bind("orders", "events", "order.#")'}>${filtered ? "" : "Exchanges, queues and their bindings appear here as soon as there are any."}</>`;
  const hidden = left + Math.max(0, all.fits - all.queues.length);
  return html`${hidden > 0 && html`<p class="note">The ${whole(all.fits - hidden)} liveliest of ${plural(all.fits, "queue")} are drawn. Filter by a name to see others.</p>`}
    <div class="scroll topology" tabindex="0" role="region" aria-label="Topology of ${vhost}"><svg class="graph ${lit ? "lighting" : ""}" viewBox="-6 -4 ${wide + 12} ${tall + 8}" width=${wide + 12} height=${tall + 8} role="group" aria-label="Exchanges, queues and consumers">
      <defs>${["", "dead", "alternate"].map((kind) => html`<marker key=${kind} id="arrow${kind}" class=${kind} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" /></marker>`)}</defs>
      ${edges.map((edge) => html`<${Way} key=${edge.kind + edge.from + edge.to} edge=${edge} from=${nodes.get(edge.from)} to=${nodes.get(edge.to)} lit=${lit === edge.from || lit === edge.to} />`)}
      ${[...nodes.values()].map((node) => html`<g key=${node.id} class="place" onMouseEnter=${() => light(node.id)} onMouseLeave=${() => light(null)} onFocusIn=${() => light(node.id)} onFocusOut=${() => light(null)}><${Node} vhost=${vhost} node=${node} /></g>`)}
    </svg></div>`;
}

function Node({ vhost, node }) {
  const { x, y, kind, name, of } = node;
  if (kind === "exchange") return html`<${Box} x=${x} y=${y} width=${BOX} kind="exchange" name=${exchangeLabel(name)} sub=${of?.type ?? "missing"} href=${link("exchanges", vhost, exchangeName(name))} />`;
  if (kind === "consumer") return html`<${Box} x=${x} y=${y} width=${BOX} kind="consumer" name=${name} href=${link("connections", node.connection)} />`;
  const stuck = of.messages > 0 && of.consumers === 0;
  return html`<${Box} x=${x} y=${y} width=${BOX} kind="queue ${stuck ? "stuck" : ""}" name=${name} sub=${of.messages ? `${short(of.messages)} waiting` : ""} href=${link("queues", vhost, name)} />`;
}

function Way({ edge, from, to, lit }) {
  const back = to.x <= from.x;
  const [x1, x2] = back ? [from.x, to.x + (to.x === from.x ? 0 : BOX)] : [from.x + BOX, to.x];
  const bend = back ? -50 : Math.max(40, (x2 - x1) / 2);
  const curve = back && to.x === from.x ? `C${x1 - 46} ${from.y} ${x2 - 46} ${to.y} ${x2} ${to.y}` : `C${x1 + bend} ${from.y} ${x2 - bend} ${to.y} ${x2} ${to.y}`;
  const flows = edge.rate > 0;
  const kind = edge.kind === "dead" || edge.kind === "alternate" ? edge.kind : "";
  const text = flows ? `${rate(edge.rate)}/s` : lit && edge.kind === "binding" ? (edge.keys.length === 1 ? edge.keys[0] : `${edge.keys.length} bindings`) : "";
  return html`<g class="edge ${edge.kind} ${flows ? "flows" : ""} ${lit ? "lit" : ""}"><title>${edge.keys.slice(0, 20).join("\n")}</title><path d="M${x1} ${from.y}${curve}" marker-end="url(#arrow${kind})" stroke-width=${flows ? Math.min(5, 1.4 + Math.log10(1 + edge.rate)).toFixed(1) : 1.4} />${text && html`<text x=${(x1 + x2) / 2} y=${(from.y + to.y) / 2 - 5} text-anchor="middle">${text}</text>`}</g>`;
}

function Filter({ name = "" }) {
  const [text, type] = useState(name);
  const timer = useRef(null);
  useEffect(() => type(name), [name]);
  const input = (event) => {
    type(event.target.value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ name: event.target.value || undefined }), TYPING);
  };
  return html`<div class="filter" role="search"><input type="search" data-filter aria-label="Show what has this in its name" placeholder="Show what has this in its name  ( / )" value=${text} onInput=${input} /></div>`;
}

const Legend = () => html`<ul class="legend"><li><i class="exchange"></i>exchange</li><li><i class="queue"></i>queue</li><li><i class="consumer"></i>consumer</li><li><i class="line dead"></i>dead letters</li><li><i class="line alternate"></i>alternate</li><li class="note" title="The broker counts per queue. A rate stands at an edge where it is the only one to or from its queue.">rates: per queue</li></ul>`;
