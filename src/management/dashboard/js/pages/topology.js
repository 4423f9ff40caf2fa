// A vhost as a graph: exchanges, queues, consumers, and what flows between them.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../core/view.js";
import { exchangeName, get, path } from "../core/api.js";
import { exchangeLabel, plural, rate, short, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link, setQuery, useRoute } from "../core/route.js";
import { Empty, Head, Loaded, Waiting } from "../ui/bits.js";
import { Box } from "../exchange/picture.js";
import { BOX, pick, place, way } from "../topology/shape.js";

/** Rows of each list that are asked for. */
const ASKED = 500;
const TYPING = 250;
/** What the drawing has around it. */
const PADDING = 12;
/** Seconds between looks at all of a vhost, at least. */
const EVERY = 10;
const QUEUE = "name,messages,consumers,arguments,effective_policy_definition,message_stats.publish_details.rate,message_stats.deliver_get_details.rate";

export default function Topology() {
  const { query } = useRoute();
  const entered = usePoll(async (signal) => (await get("vhosts", { columns: "name" }, { signal })).map((each) => each.name), [], { every: 0, on: query.vhost === undefined });
  useEffect(() => { if (query.vhost === undefined && entered.data?.length) setQuery({ vhost: entered.data.includes("/") ? "/" : entered.data[0] }); }, [query.vhost, entered.data]);
  if (query.vhost !== undefined) return html`<${OfVhost} vhost=${query.vhost} query=${query} />`;
  return html`<${Head} title="Topology" /><${Loaded} from=${entered}>${(all) => (all.length ? html`<${Waiting} />` : html`<${Empty} title="You may enter no vhost">An administrator can give you permissions.</>`)}</>`;
}

function OfVhost({ vhost, query }) {
  const seen = usePoll((signal) => load(vhost, query.name, signal), [vhost, query.name], { every: EVERY });
  return html`<${Head} title="Topology" />
    <div class="list-bar"><${Filter} name=${query.name} /><${Legend} /></div>
    <${Loaded} from=${seen}>${(all) => html`<${Graph} vhost=${vhost} all=${all} filtered=${Boolean(query.name)} />`}</>`;
}

async function load(vhost, name, signal) {
  const ask = (where, query) => get(where, { page: 1, page_size: ASKED, name, ...query }, { signal });
  const [exchanges, queues, bindings, consumers, connections, policies] = await Promise.all([
    ask(path`exchanges/${vhost}`, { columns: "name,type,arguments,policy,message_stats.publish_in_details.rate", name: undefined }),
    ask(path`queues/${vhost}`, { columns: QUEUE, sort: "message_stats.publish_details.rate", sort_reverse: "true" }),
    // Those of the default exchange, which every queue has, come last.
    ask(path`bindings/${vhost}`, { columns: "source,destination,destination_type,routing_key", sort: "source", sort_reverse: "true" }),
    ask(path`consumers/${vhost}`, { columns: "queue.name,consumer_tag,channel_details.connection_name", name: undefined }),
    ask(path`vhosts/${vhost}/connections`, { columns: "name,user_provided_name", name: undefined }),
    // Some may not see them; then alternate routes that they make are not drawn.
    get(path`policies/${vhost}`, {}, { signal }).catch(() => []),
  ]);
  const names = new Map(connections.items.filter((each) => each.user_provided_name).map((each) => [each.name, each.user_provided_name]));
  if (name) await alsoBound(vhost, bindings.items, queues, signal);
  return { exchanges: exchanges.items, queues: queues.items, bindings: bindings.items, consumers: consumers.items, names, policies: new Map(policies.map((each) => [each.name, each.definition])), total: queues.total_count, fits: queues.filtered_count };
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
  const [room, box] = useRoom();
  const drawing = useMemo(() => {
    const shape = pick(all);
    return { ...shape, ...place(shape, room - PADDING) };
  }, [all, room]);
  const { nodes, edges, wide, tall, left } = drawing;
  if (!nodes.size) return html`<${Empty} title=${filtered ? "Nothing has this in its name" : "There is nothing to draw yet"} code=${filtered ? undefined : 'channel.exchange_declare("events", "topic", durable=True)\nchannel.queue_declare("orders", durable=True)\nchannel.queue_bind("orders", "events", "order.#")'}>${filtered ? "" : "Exchanges, queues and their bindings appear here as soon as there are any."}</>`;
  const hidden = left + Math.max(0, all.fits - all.queues.length);
  return html`${hidden > 0 && html`<p class="note">The ${whole(all.fits - hidden)} liveliest of ${plural(all.fits, "queue")} are drawn. Filter by a name to see others.</p>`}
    <div class="scroll topology" ref=${box} tabindex="0" role="region" aria-label="Topology of ${vhost}"><svg class="graph ${lit ? "lighting" : ""}" viewBox="-6 -4 ${wide + 12} ${tall + 8}" width=${wide + 12} height=${tall + 8} role="group" aria-label="Exchanges, queues and consumers">
      <defs>${["", "dead", "alternate"].map((kind) => html`<marker key=${kind} id="arrow${kind}" class=${kind} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" /></marker>`)}</defs>
      ${edges.map((edge) => html`<${Way} key=${edge.kind + edge.from + edge.to} edge=${edge} from=${nodes.get(edge.from)} to=${nodes.get(edge.to)} lit=${lit === edge.from || lit === edge.to} />`)}
      ${[...nodes.values()].map((node) => html`<g key=${node.id} class="place" onMouseEnter=${() => light(node.id)} onMouseLeave=${() => light(null)} onFocusIn=${() => light(node.id)} onFocusOut=${() => light(null)}><${Node} vhost=${vhost} node=${node} /></g>`)}
    </svg></div>`;
}

/** How wide the place is that a thing has: [pixels, the ref to give it]. */
function useRoom() {
  const [room, set] = useState(0);
  const box = useRef(null);
  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const watch = new ResizeObserver(([{ contentRect }]) => set(Math.floor(contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return [room, box];
}

function Node({ vhost, node }) {
  const { x, y, kind, name, of } = node;
  if (kind === "exchange") {
    const speed = of?.message_stats?.publish_in_details?.rate;
    return html`<${Box} x=${x} y=${y} width=${BOX} kind="exchange ${of ? "" : "stuck"}" name=${exchangeLabel(name)} sub=${of ? (speed ? `${rate(speed)}/s` : of.type) : "missing"} title=${of?.type} href=${link("exchanges", vhost, exchangeName(name))} />`;
  }
  if (kind === "consumer") return html`<${Box} x=${x} y=${y} width=${BOX} kind="consumer" name=${name} href=${link("connections", node.connection)} />`;
  const stuck = of.messages > 0 && of.consumers === 0;
  return html`<${Box} x=${x} y=${y} width=${BOX} kind="queue ${stuck ? "stuck" : ""}" name=${name} sub=${of.messages ? `${short(of.messages)} waiting` : ""} href=${link("queues", vhost, name)} />`;
}

function Way({ edge, from, to, lit }) {
  const flows = edge.rate > 0;
  const kind = edge.kind === "dead" || edge.kind === "alternate" ? edge.kind : "";
  const { path: d, start, end } = to.x > from.x ? way(edge, from, to) : wayBack(from, to);
  const text = flows ? `${rate(edge.rate)}/s` : lit && edge.kind === "binding" ? (edge.keys.length === 1 ? edge.keys[0] : plural(edge.keys.length, "binding")) : "";
  // A rate stands at its queue, where it is the only one.
  const atStart = edge.kind === "consumes";
  const spot = atStart ? { x: start.x + 8, y: start.y - 5 } : { x: end.x - 10, y: end.y - 5 };
  return html`<g class="edge ${edge.kind} ${flows ? "flows" : ""} ${lit ? "lit" : ""}"><title>${edge.keys.slice(0, 20).join("\n")}</title><path d=${d} marker-end="url(#arrow${kind})" stroke-width=${flows ? Math.min(5, 1.4 + Math.log10(1 + edge.rate)).toFixed(1) : 1.4} />${text && html`<text x=${spot.x} y=${spot.y} text-anchor=${atStart ? "start" : "end"}>${text}</text>`}</g>`;
}

/** An edge that goes back, or stays in its column. */
function wayBack(from, to) {
  const same = to.x === from.x;
  const start = { x: from.x, y: from.y }, end = { x: to.x + (same ? 0 : BOX), y: to.y };
  const [first, last] = same ? [-46, -46] : [-50, 50];
  return { start, end, path: `M${start.x} ${start.y}C${start.x + first} ${start.y} ${end.x + last} ${end.y} ${end.x} ${end.y}` };
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
