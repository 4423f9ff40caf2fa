// What is drawn of a vhost: which nodes, which edges, and where. Pure: lists in, positions out.

/** Queues that are drawn at most; the liveliest first. */
export const MOST_QUEUES = 60;
const MOST_LAYERS = 4;
const MOST_BENDS = 60;
export const ROW = 38, BOX = 200;
/** How high an edge is that passes a column, and how far columns are apart. */
const BEND = 16, GAP = 80, MOST_GAP = 260;

const exchangeId = (name) => `e\n${name}`;
const queueId = (name) => `q\n${name}`;
const speed = (queue, key) => queue.message_stats?.[`${key}_details`]?.rate ?? 0;
const liveliness = (queue) => speed(queue, "publish") + speed(queue, "deliver_get") + Math.min(queue.messages, 1e9) / 1e9 + queue.consumers / 1e6;

/** Which things to draw: {nodes: Map, edges, left: how many queues are not drawn}. */
export function pick({ exchanges, queues, bindings, consumers, names, policies = new Map() }) {
  const shown = [...queues].sort((a, b) => liveliness(b) - liveliness(a) || a.name.localeCompare(b.name)).slice(0, MOST_QUEUES);
  const drawn = new Set(shown.map((queue) => queue.name));
  const known = new Map(exchanges.map((each) => [each.name, each]));
  const nodes = new Map();
  const edges = [];
  const exchange = (name) => {
    const id = exchangeId(name);
    if (!nodes.has(id)) nodes.set(id, { id, kind: "exchange", name, of: known.get(name) });
    return id;
  };
  for (const queue of shown) nodes.set(queueId(queue.name), { id: queueId(queue.name), kind: "queue", name: queue.name, of: queue });

  const ways = new Map();
  const bound = bindings.filter((each) => each.source !== "" && (each.destination_type === "exchange" || drawn.has(each.destination)));
  for (const each of bound) {
    const from = exchange(each.source);
    const to = each.destination_type === "exchange" ? exchange(each.destination) : queueId(each.destination);
    const key = `${from}\t${to}`;
    if (!ways.has(key)) ways.set(key, { from, to, kind: "binding", keys: [] });
    ways.get(key).keys.push(each.routing_key);
  }
  edges.push(...ways.values());
  const incoming = new Map();
  for (const edge of edges) incoming.set(edge.to, (incoming.get(edge.to) ?? 0) + 1);
  for (const edge of edges) {
    const node = nodes.get(edge.to);
    if (node?.kind === "queue" && incoming.get(edge.to) === 1) edge.rate = speed(node.of, "publish");
  }
  for (const [name, each] of known) {
    const other = each.arguments?.["alternate-exchange"] ?? policies.get(each.policy)?.["alternate-exchange"];
    if (other !== undefined && (nodes.has(exchangeId(name)) || nodes.has(exchangeId(other)))) edges.push({ from: exchange(name), to: exchange(other), kind: "alternate", keys: ["what leads nowhere else"] });
  }
  for (const queue of shown) deaths(queue, { edges, exchange, drawn });
  consumed(consumers, { nodes, edges, drawn, names });
  return { nodes, edges, left: queues.length - shown.length };
}

/** Where dead letters of a queue go. */
function deaths(queue, { edges, exchange, drawn }) {
  const rules = queue.effective_policy_definition ?? {};
  const to = queue.arguments?.["x-dead-letter-exchange"] ?? rules["dead-letter-exchange"];
  if (to === undefined) return;
  const key = queue.arguments?.["x-dead-letter-routing-key"] ?? rules["dead-letter-routing-key"];
  const from = queueId(queue.name);
  const direct = to === "" && drawn.has(key ?? queue.name);
  edges.push({ from, to: direct ? queueId(key ?? queue.name) : exchange(to), kind: "dead", keys: [`dead letters${key === undefined ? "" : `, with the key ${key}`}`] });
}

/** Consumers, one node for each connection. */
function consumed(consumers, { nodes, edges, drawn, names }) {
  const ways = new Map();
  for (const each of consumers.filter((one) => drawn.has(one.queue.name))) {
    const connection = each.channel_details.connection_name;
    const id = `c\n${connection}`;
    if (!nodes.has(id)) nodes.set(id, { id, kind: "consumer", name: names.get(connection) ?? connection, connection });
    const key = `${each.queue.name}\t${id}`;
    if (!ways.has(key)) ways.set(key, { from: queueId(each.queue.name), to: id, kind: "consumes", keys: [] });
    ways.get(key).keys.push(each.consumer_tag);
  }
  const all = [...ways.values()];
  const takers = new Map();
  for (const edge of all) takers.set(edge.from, (takers.get(edge.from) ?? 0) + 1);
  for (const edge of all) if (takers.get(edge.from) === 1) edge.rate = speed(nodes.get(edge.from).of, "deliver_get");
  edges.push(...all);
}

/**
 * Gives every node its place: {wide, tall}. Exchanges stand in layers, then queues, then consumers. An
 * edge that passes a column gets a place to pass (`via`), so that it does not run behind a node.
 */
export function place({ nodes, edges }, room = 0) {
  const flows = edges.filter((edge) => edge.kind !== "dead");
  const columns = layered(nodes, flows);
  const links = passed(columns, flows);
  columns.forEach((column) => column.sort((a, b) => a.name.localeCompare(b.name)));
  for (let turn = 0; turn < 4; turn++) untangle(columns, links);
  const high = (column) => column.reduce((sum, each) => sum + rowOf(each), 0);
  const tall = Math.max(ROW, ...columns.map(high));
  const gap = columns.length < 2 ? 0 : Math.min(MOST_GAP, Math.max(GAP, Math.floor((room - columns.length * BOX) / (columns.length - 1))));
  columns.forEach((column, at) => {
    let top = (tall - high(column)) / 2;
    for (const each of column) {
      each.x = at * (BOX + gap);
      each.y = top + rowOf(each) / 2;
      top += rowOf(each);
    }
  });
  return { wide: Math.max(1, columns.length) * (BOX + gap) - gap, tall: tall + 8 };
}

const rowOf = (node) => (node.kind === "bend" ? BEND : ROW);

function layered(nodes, flows) {
  const layer = new Map();
  for (const node of nodes.values()) if (node.kind === "exchange") layer.set(node.id, 0);
  for (let turn = 0; turn < MOST_LAYERS - 1; turn++) {
    for (const { from, to } of flows) {
      if (layer.has(from) && layer.has(to) && from !== to) layer.set(to, Math.max(layer.get(to), Math.min(layer.get(from) + 1, MOST_LAYERS - 1)));
    }
  }
  const used = [...new Set(layer.values())].sort((a, b) => a - b);
  const columns = used.map((at) => [...layer].filter(([, each]) => each === at).map(([id]) => nodes.get(id)));
  for (const kind of ["queue", "consumer"]) {
    const column = [...nodes.values()].filter((node) => node.kind === kind);
    if (column.length) columns.push(column);
  }
  return columns;
}

/** Puts bends into the columns that edges pass; gives all pairs of neighbours. */
function passed(columns, flows) {
  const at = new Map(columns.flatMap((column, index) => column.map((node) => [node.id, index])));
  const links = [];
  let bends = 0;
  for (const edge of flows) {
    edge.via = [];
    for (let index = at.get(edge.from) + 1; index < at.get(edge.to) && bends < MOST_BENDS; index++) {
      const bend = { id: `b\n${bends++}`, kind: "bend", name: "" };
      columns[index].push(bend);
      edge.via.push(bend);
    }
    const stops = [edge.from, ...edge.via.map((bend) => bend.id), edge.to];
    for (let stop = 1; stop < stops.length; stop++) links.push([stops[stop - 1], stops[stop]]);
  }
  return links;
}

/** Puts each node near those it is connected with, so that fewer edges cross. */
function untangle(columns, links) {
  const at = new Map();
  columns.forEach((column) => column.forEach((node, row) => at.set(node.id, row / Math.max(1, column.length))));
  const near = new Map();
  const add = (id, other) => { if (!near.has(id)) near.set(id, []); near.get(id).push(other); };
  for (const [from, to] of links) { add(from, to); add(to, from); }
  for (const column of columns) {
    const middle = (node) => {
      const others = (near.get(node.id) ?? []).filter((id) => at.has(id));
      return others.length ? others.reduce((sum, id) => sum + at.get(id), 0) / others.length : at.get(node.id);
    };
    const wanted = new Map(column.map((node) => [node.id, middle(node)]));
    column.sort((a, b) => wanted.get(a.id) - wanted.get(b.id) || a.name.localeCompare(b.name));
    column.forEach((node, row) => at.set(node.id, row / Math.max(1, column.length)));
  }
}

/** The way of an edge that goes from left to right: {path, start, end}. */
export function way(edge, from, to) {
  const start = { x: from.x + BOX, y: from.y }, end = { x: to.x, y: to.y };
  let [x, y] = [start.x, start.y];
  let path = `M${x} ${y}`;
  const reach = (nextX, nextY) => {
    const bend = Math.max(30, (nextX - x) / 2);
    path += `C${x + bend} ${y} ${nextX - bend} ${nextY} ${nextX} ${nextY}`;
    [x, y] = [nextX, nextY];
  };
  for (const bend of edge.via ?? []) {
    reach(bend.x, bend.y);
    x += BOX;
    path += `L${x} ${y}`;
  }
  reach(end.x, end.y);
  return { path, start, end };
}
